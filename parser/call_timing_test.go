package parser

import (
	"embed"
	"testing"
)

// The seven messages of one call as they reach a stateful proxy that record-routes: INVITE, 100,
// 180, 200, ACK, BYE, 200. They are what bench/traffic sends through it.
//
//go:embed testdata/messages/call
var callFiles embed.FS

func callMessages(tb testing.TB) (all [][]byte) {
	tb.Helper()
	for _, name := range []string{"1-invite", "2-100", "3-180", "4-200", "5-ack", "6-bye", "7-200"} {
		b, err := callFiles.ReadFile("testdata/messages/call/" + name + ".sip")
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

// BenchmarkCallMessages is the whole of what a call asks of this package, in turn so that no
// message is known by heart: one run is all seven messages. "check" is Parse and Check; "proxy"
// also does what shard/proxy and the routing program do for a load balancer: the URIs of From and
// To, the Route of a request within the dialog, the second Via of a response.
func BenchmarkCallMessages(b *testing.B) {
	messages := callMessages(b)
	b.Run("parse", func(b *testing.B) {
		var m Message
		for b.Loop() {
			for _, msg := range messages {
				if r := m.Parse(msg); r != OK {
					b.Fatal(r)
				}
			}
		}
	})
	b.Run("check", func(b *testing.B) {
		var m Message
		for b.Loop() {
			for _, msg := range messages {
				m.Parse(msg)
				if r := m.Check(); r != OK {
					b.Fatal(r)
				}
			}
		}
	})
	b.Run("proxy", func(b *testing.B) {
		var m Message
		for b.Loop() {
			for _, msg := range messages {
				if r := m.Parse(msg); r != OK {
					b.Fatal(r)
				}
				if r := proxyReads(&m); r != OK {
					b.Fatal(r)
				}
			}
		}
	})
}

// proxyReads asks for what the proxy asks for.
func proxyReads(m *Message) Reason {
	via, r := m.TopVia()
	if r != OK {
		return r
	}
	if r := m.Check(); r != OK || len(m.CallID()) == 0 || via.Branch.Len == 0 {
		return r
	}
	if !m.IsRequest {
		if m.Next(via.Row) < 0 {
			return MissingVia
		}
		m.Body()
		return OK
	}
	from, _ := m.From()
	to, _ := m.To()
	for _, a := range [...]*NameAddr{from, to} {
		if r := a.CheckURI(m.Raw); r != OK {
			return r
		}
	}
	if m.MaxForwards(); to.Tag.Len > 0 {
		for v := m.Values(KindRoute); v.Next(); {
			var u URI
			if r := m.NameAddrURI(v.Value, &u); r != OK || !u.LR() {
				return BadRoute
			}
		}
	}
	m.RequestURI()
	m.Body()
	return OK
}
