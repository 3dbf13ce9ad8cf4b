package shard

import (
	"fmt"
	"strings"
	"testing"
)

// hostileShapes are messages of about 60 KB, each the worst its kind can do to whoever reads it: a
// loop within a loop over any of them would hold its shard for as long as thousands of calls take.
// {n} is a number of its own, so that none is a retransmission.
func hostileShapes() (all []struct{ name, text string }) {
	const size = 60000
	base := "MESSAGE sip:bob@127.0.0.1:7000 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bK-00000000-1\r\n" +
		"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=a\r\nTo: <sip:bob@b>\r\nCall-ID: 00000000@b\r\nCSeq: 1 MESSAGE\r\n" +
		"X: y\r\nContent-Length: 0\r\n\r\n"
	add := func(name, old, before, unit, behind string) {
		all = append(all, struct{ name, text string }{name,
			strings.Replace(base, old, before+strings.Repeat(unit, size/len(unit))+behind, 1)})
	}
	add("unknown header", "X: y", "X: ", "y", "")
	add("rows of one letter", "X: y", "X: y\r\n", "a:\r\n", "a: b")
	add("lines that are no rows", "X: y", "X: y\r\n", "a\r\n", "a: b")
	add("folds", "X: y", "X: y", "\r\n ", "z")
	add("folds with LF alone", "X: y", "X: y", "\n ", "z")
	add("folds in From", "tag=a", "tag=a", "\r\n ", "")
	add("blanks in From", "From: ", "From: ", " ", "")
	add("tokens in From", "From: ", "From: ", "a ", "")
	add("parameters of From", "tag=a", "tag=a", ";a", "")
	add("quotes in From", "From: ", "From: \"", "\\\"", "\" ")
	add("open quotes in From", "From: ", "From: ", "\"", "")
	add("brackets in From", "From: ", "From: ", "<", "")
	add("parameters of Via", "-1\r\n", "-1", ";a=b", "\r\n")
	add("quoted parameters of Via", "-1\r\n", "-1", ";a=\"\\\"\"", "\r\n")
	add("Vias in a row", "-1\r\n", "-1", ",SIP/2.0/UDP b", "\r\n")
	add("Vias", "Max-", "", "v:SIP/2.0/UDP b\r\n", "Max-")
	add("Routes in a row", "X: y", "Route: <sip:127.0.0.1:5060;lr>", ",<sip:127.0.0.1:5060;lr>", "")
	add("brackets in Route", "X: y", "Route: ", "<", "")
	add("commas in Route", "X: y", "Route: ", ",", "")
	add("quotes in Route", "X: y", "Route: ", "\"\",", "")
	add("parameters in Route", "X: y", "Route: <sip:127.0.0.1:5060", ";a", ";lr>")
	add("rows of Route", "X: y", "", "Route:<sip:x;lr>\r\n", "X: y")
	add("tags of Proxy-Require", "X: y", "Proxy-Require: a", ",a", "")
	add("folds in Proxy-Require", "X: y", "Proxy-Require: a", ",\r\n ", "a")
	add("Contacts", "X: y", "Contact: <sip:a@b>", ",<sip:a@b>", "")
	add("parameters of the URI", "7000 SIP", "7000", ";a", " SIP")
	add("a user part", "bob@1", "", "b", "@1")
	add("an IPv6 host", "127.0.0.1:7000", "[", "0:", "]")
	add("a name as host", "127.0.0.1:7000", "", "a.", "b")
	add("zeros of CSeq", "CSeq: 1", "CSeq: ", "0", "1")
	add("Content-Lengths", "X: y", "", "l:0\r\n", "X: y")
	add("line ends in front", "MESSAGE sip", "", "\r\n", "MESSAGE sip")
	add("a body of line ends", "0\r\n\r\n", "60000\r\n\r\n", "\r\n", "")
	add("spaces in the request line", " SIP/2.0", "", " ", " SIP/2.0")
	add("NULs", "X: y", "X: ", "\x00", "")
	return all
}

// BenchmarkHostile is a whole datagram's way, from the bytes to the send queue, for each shape. The
// plain request stands above for comparison. ns/KB tells a loop within a loop: it is about the same
// for all where there is none.
func BenchmarkHostile(b *testing.B) {
	run := func(name, text string) {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			c := newCaller(b, "lb.cfg")
			b.SetBytes(int64(len(text)))
			i := 0
			for b.Loop() {
				if i++; i%500 == 0 {
					b.StopTimer() // the transactions of a few hundred such messages fill an arena
					c.close()
					c = newCaller(b, "lb.cfg")
					b.StartTimer()
				}
				c.n = i
				c.request([]byte(text))
			}
			if got := c.w.count[CountPanics]; got != 0 || c.packets.in == 0 {
				b.Fatalf("%d panics", got)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(text))*1024, "ns/KB")
		})
	}
	run("plain", fmt.Sprintf("MESSAGE sip:bob@127.0.0.1:7000 SIP/2.0\r\n"+
		"Via: SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bK-00000000-1\r\nMax-Forwards: 70\r\nFrom: <sip:a@b>;tag=a\r\n"+
		"To: <sip:bob@b>\r\nCall-ID: 00000000@b\r\nCSeq: 1 MESSAGE\r\nContent-Length: %d\r\n\r\n%s", 1024,
		strings.Repeat("x", 1024)))
	for _, s := range hostileShapes() {
		run(s.name, s.text)
	}
}
