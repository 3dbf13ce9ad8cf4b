package proxy

import (
	"fmt"
	"strings"
	"testing"

	"viaduct/netio"
	"viaduct/parser"
)

// routeBench has two listeners, 127.0.0.1:5060 and 127.0.0.1:5070, which both sign Record-Route by
// key, or not.
func routeBench(t *testing.T, key []byte) *bench {
	return newBench(t, func(c *Config) {
		c.SignRoutes, c.RouteKey = key != nil, key
		other := netio.Addr{IP: [16]byte{127, 0, 0, 1}, Port: 5070, Family: 4}
		c.Listeners = append(c.Listeners, &netio.Listener{Index: 1, Addr: other, SentBy: []byte("127.0.0.1:5070")})
	})
}

// routed begins an INFO with those Route values, one a row, and follows them.
func (b *bench) routed(uri, toTag string, routes []string) (*Request, Routed) {
	b.t.Helper()
	rows := ""
	for _, u := range routes {
		rows += "Route: <" + u + ">\r\n"
	}
	text := fmt.Sprintf("INFO %s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bK-%d\r\n"+
		"%sMax-Forwards: 70\r\nFrom: <sip:a@b>;tag=a\r\nTo: <sip:bob@b>%s\r\nCall-ID: c1\r\nCSeq: 1 INFO\r\n"+
		"Content-Length: 0\r\n\r\n", uri, b.now, rows, toTag)
	b.now++
	if reason := b.m.Parse([]byte(text)); reason != parser.OK {
		b.t.Fatal(reason)
	}
	r := &b.c.Request
	if !r.Begin(&b.m, &netio.Addr{IP: [16]byte{127, 0, 0, 1}, Port: 6000, Family: 4}, 0) || !r.readBreadth() {
		b.t.Fatal("not taken")
	}
	r.Key = b.c.tx.Key(&b.m, b.m.Method)
	return r, r.LooseRoute(false)
}

// left is what was sent: "port Request-URI: Route values".
func (b *bench) left() string {
	var l []string
	for _, s := range b.sent {
		fields := strings.Fields(s.text)
		var routes []string
		for _, row := range strings.Split(s.text, "\r\n") {
			if v, ok := strings.CutPrefix(row, "Route: "); ok {
				routes = append(routes, strings.Trim(v, "<>"))
			}
		}
		l = append(l, strings.TrimSpace(s.to[len("127.0.0.1:"):]+" "+fields[1]+": "+strings.Join(routes, " ")))
	}
	b.took()
	return strings.Join(l, ", ")
}

// TestRouteSets: strict and loose routers on both sides of us, §16.4 and §16.6 items 6 and 7. P is
// ours, P1 and P2 are two values that stand for one visit (RFC 5658), L is a loose router, S and T
// are strict ones, B is where the request goes.
func TestRouteSets(t *testing.T) {
	b := routeBench(t, nil)
	names := strings.NewReplacer("P1", "sip:127.0.0.1:5060;r2=on;lr", "P2", "sip:127.0.0.1:5070;r2=on;lr", "P",
		"sip:127.0.0.1:5060;lr",
		"Q", "sip:127.0.0.1:5070;lr", "L", "sip:127.0.0.1:7100;lr", "M", "sip:127.0.0.1:7200;lr", "S",
		"sip:127.0.0.1:7300", "T", "sip:127.0.0.1:7400",
		"B", "sip:bob@127.0.0.1:7000")
	f := func(uri, routes, want string) {
		t.Helper()
		for _, toTag := range []string{"", ";tag=t"} {
			r, got := b.routed(names.Replace(uri), toTag, strings.Fields(names.Replace(routes)))
			should := Followed
			if toTag == "" && !strings.ContainsAny(strings.TrimSuffix(routes, " B"), "LMST") && routes != "B" ||
				toTag == "" && uri == "P" && routes == "B" {
				should = UsedUp
			}
			if got != should {
				t.Errorf("%s by %q, %q: LooseRoute is %d, want %d", uri, routes, toTag, got, should)
			}
			r.Relay()
			if got, want := b.left(), names.Replace(want); got != want {
				t.Errorf("%s by %q, %q: sent\n\t%s\nwant\n\t%s", uri, routes, toTag, got, want)
			}
		}
	}

	// A loose router, or none, before us.
	f("B", "P", "7000 B:")
	f("B", "P1 P2", "7000 B:")
	f("B", "P L", "7100 B: L")
	f("B", "P1 P2 L", "7100 B: L")
	f("B", "P1 P2 L M", "7100 B: L M")
	f("B", "P L S", "7100 B: L S")
	f("B", "P Q L", "5070 B: Q L") // another visit: we come again
	f("B", "P S", "7300 S: B")
	f("B", "P1 P2 S", "7300 S: B")
	f("B", "P S L", "7300 S: L B")
	f("B", "P1 P2 S T L", "7300 S: T L B")
	f("B", "L", "7100 B: L")
	f("B", "S", "7300 S: B")
	f("B", "S L", "7300 S: L B")

	// A strict router before us.
	f("P", "B", "7000 B:")
	f("P", "L B", "7100 B: L")
	f("P", "L M B", "7100 B: L M")
	f("P", "S B", "7300 S: B")
	f("P", "S L B", "7300 S: L B")
	f("P", "S T B", "7300 S: T B")
	f("P", "L S B", "7100 B: L S")
	f("P1", "P2 B", "7000 B:")
	f("P1", "P2 L B", "7100 B: L")
	f("P1", "P2 S B", "7300 S: B")
	f("P1", "P2 S L B", "7300 S: L B")
	f("P1", "P2 L S B", "7100 B: L S")
	f("P1", "P2 P1 P2 L B", "5060 B: P1 P2 L") // another visit
	// the same, by one value: the first is removed (§16.4)
	f("P", "P B", "7000 B:")
	f("P", "P1 P2 B", "7000 B:")
	f("P", "P S B", "7300 S: B")
	f("P", "P1 P2 S B", "7300 S: B")
}

// TestNotRouted: what is no Route set, and what is not ours to follow. With a secret a value
// without our mark leads nowhere; one that comes alone and outside of a dialog is removed all the
// same.
func TestNotRouted(t *testing.T) {
	const p, q, l, bob = "sip:127.0.0.1:5060;lr", "sip:127.0.0.1:5070;lr", "sip:127.0.0.1:7100;lr",
		"sip:bob@127.0.0.1:7000"
	f := func(key string, toTag, uri, routes string, want Routed, sent string) {
		t.Helper()
		b := routeBench(t, []byte(key))
		if key == "" {
			b.c.cfg.SignRoutes = false
		}
		r, got := b.routed(uri, toTag, strings.Fields(routes))
		if got != want {
			t.Errorf("%s by %q, %q: %d, want %d", uri, routes, toTag, got, want)
		}
		r.Relay()
		if got := b.left(); got != sent {
			t.Errorf("%s by %q, %q: sent %s, want %s", uri, routes, toTag, got, sent)
		}
	}
	for _, toTag := range []string{"", ";tag=t"} {
		f("", toTag, bob, "", NotRouted, "7000 "+bob+":")
		f("", toTag, p, "", NotRouted, "5060 "+p+":")
		f("k", toTag, bob, l, NotRouted, "7000 "+bob+": "+l)
		f("k", toTag, bob, p+" "+l, NotRouted, "7000 "+bob+": "+p+" "+l)
		f("k", toTag, p, l+" "+bob, NotRouted, "5060 "+p+": "+l+" "+bob)
	}
	f("k", ";tag=t", bob, p, NotRouted, "7000 "+bob+": "+p)
	f("k", "", bob, p, UsedUp, "7000 "+bob+":")
	f("k", "", bob, "sip:127.0.0.1:5060;r2=on;lr sip:127.0.0.1:5070;r2=on;lr", UsedUp, "7000 "+bob+":")
	f("k", "", bob, p+" "+q, NotRouted, "7000 "+bob+": "+p+" "+q)
}
