package proxy

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/blocklist"
	"viaduct/shard/txn"
)

// TestEdits: as many as there is room for, none over another.
func TestEdits(t *testing.T) {
	b := newBench(t, nil)
	var e edits
	put := func(off, n uint32, text string, want bool) {
		t.Helper()
		if got := e.put(b.c, parser.Span{Off: off, Len: n}, []byte(text)); got != want {
			t.Errorf("[%d, +%d) %q: %v, want %v", off, n, text, got, want)
		}
	}
	put(10, 5, "first", true)
	put(10, 5, "again", true) // replaces it
	put(12, 1, "inside", false)
	put(8, 3, "over its begin", false)
	put(14, 9, "over its end", false)
	put(0, 99, "around", false)
	put(15, 1, "behind", true)
	put(9, 1, strings.Repeat("x", maxContactText+1), false)
	for i := uint32(2); i < maxContactEdits; i++ {
		put(20*i, 5, fmt.Sprint(i), true)
	}
	put(900, 5, "one more than there is room for", false)
	put(10, 5, "but that", true)
	p := &Plan{}
	raw := bytes.Repeat([]byte("."), 200)
	p.Reset(raw)
	e.plan(p, 0)
	out := make([]byte, p.Bytes())
	p.WriteTo(out)
	if !strings.HasPrefix(string(out), "..........but thatbehind....") {
		t.Errorf("%q", out)
	}
}

// FuzzReplaceContact: whatever is replaced, the request that leaves can be read, and has the text
// in its Contact.
func FuzzReplaceContact(f *testing.F) {
	f.Add("Contact: <sip:a@b>\r\n", "sip:c@d", uint8(0))
	f.Add("m: \"A\" <sip:a@b;x>;q=0.5, <sip:e@f>\r\nContact: sip:g@h\r\n", "<sip:c@d;alias=1~2~3>", uint8(1))
	f.Fuzz(func(t *testing.T, rows, with string, which uint8) {
		var m, out parser.Message
		text := "INVITE sip:bob@127.0.0.1:7000 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bK-1\r\nMax-Forwards: 70\r\nFrom: <sip:a@b>;tag=a\r\nTo: <sip:bob@b>\r\n" +
			"Call-ID: c1\r\nCSeq: 1 INVITE\r\n" + rows + "Content-Length: 0\r\n\r\n"
		if strings.ContainsAny(with, "\r\n,\"<>\x00") || m.Parse([]byte(text)) != parser.OK || m.Check() != parser.OK {
			return
		}
		b := newBench(t, nil)
		r := &b.c.Request
		if !r.Begin(&m, &netio.Addr{IP: [16]byte{127, 0, 0, 1}, Port: 6000, Family: 4}, 0) || !r.readBreadth() {
			return
		}
		r.Key = b.c.tx.Key(&m, m.Method)
		v, did := m.Values(parser.KindContact), 0
		for i := uint8(0); v.Next(); i++ {
			var a parser.NameAddr
			if i >= which && parser.ParseNameAddr(m.Raw, v.Value, &a) == parser.OK && a.Bracket && r.ReplaceContact(a.URI, []byte(with)) {
				did++
			}
		}
		if did == 0 || !r.Relay() {
			return
		}
		sent := b.sent[len(b.sent)-1].text
		if !strings.HasPrefix(sent, "INVITE ") || out.Parse([]byte(sent)) != parser.OK || strings.Count(sent, with) < did {
			t.Errorf("%q with %q in %d places left as %q", rows, with, did, sent)
		}
		b.c.Release()
	})
}

// TestAdvertise: what was shown is ours when it comes back, up to a limit.
func TestAdvertise(t *testing.T) {
	b := newBench(t, func(c *Config) { c.StatelessReply = true })
	r := b.request("MESSAGE", "")
	if r.Advertise(bytes.Repeat([]byte("x"), maxSentByHost+1), 0) || r.Advertise(nil, 65536) {
		t.Error("a name or port too long")
	}
	if !r.Advertise([]byte("edge.example"), 5099) || !r.Forward() {
		t.Fatal("not sent")
	}
	if !strings.Contains(b.sent[0].text, "\r\nVia: SIP/2.0/UDP edge.example:5099;branch=") {
		t.Error(b.sent[0].text)
	}
	b.answer(7000, "MESSAGE", "200 OK")
	if last := b.sent[len(b.sent)-1]; last.to != "127.0.0.1:6000" || strings.Contains(last.text, "edge") {
		t.Errorf("%+v", last)
	}
	for i := 1; i < maxAdvertised; i++ {
		if !r.Advertise([]byte("edge.example"), 6000+i) {
			t.Fatalf("number %d was refused", i)
		}
	}
	if r.Advertise([]byte("other.example"), 0) {
		t.Error("one more than maxAdvertised")
	}
	if string(r.leave.host) != "edge.example" {
		t.Error("a refused name was taken")
	}
	if !r.Advertise([]byte("Edge.Example"), 5099) {
		t.Error("a name from before was refused")
	}
}

// TestSymmetric: not once a transaction has noted where its responses go.
func TestSymmetric(t *testing.T) {
	b := newBench(t, nil)
	r := b.request("INVITE", "")
	if !r.NewTransaction() || r.Symmetric() {
		t.Error("force_rport behind t_newtran")
	}
}

// TestMarks: reasons and options share a byte without meeting.
func TestMarks(t *testing.T) {
	for ignore := range 256 {
		for w := range txn.NoConnect | txn.CloseAfter + 1 {
			l := leaving{ignore: blocklist.Reason(ignore), options: w}
			m := l.marks()
			if m&markIgnore != uint8(ignore)&markIgnore || optionsOf(m) != w {
				t.Fatalf("%#x with options %d became %#x", ignore, w, m)
			}
		}
	}
	for _, why := range []blocklist.Reason{blocklist.Timeout, blocklist.Busy503, blocklist.SendError, blocklist.Connect, blocklist.ICMP} {
		if uint8(why)&^markIgnore != 0 {
			t.Errorf("reason %v is none that is kept", why)
		}
	}
}
