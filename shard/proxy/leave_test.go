package proxy

import (
	"bytes"
	"strings"
	"testing"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/blocklist"
	"viaduct/shard/txn"
)

// TestEdits: as many as there is room for, in the order of their places; one of the same place
// replaces the one before, what overlaps goes once, and what lies in what goes goes with it.
func TestEdits(t *testing.T) {
	b := newBench(t, nil)
	var m parser.Message
	m.Parse([]byte("OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nContent-Length: 4\r\nAbcdefghij: 0123456789\r\n" +
		"\r\nbody"))
	var e edits
	put := func(what, text string, want bool) {
		t.Helper()
		at := bytes.Index(m.Raw, []byte(what))
		if got := e.put(b.c, &m, parser.Span{Off: uint32(at), Len: uint32(len(what))}, []byte(text)); got != want {
			t.Errorf("%q %q: %v, want %v", what, text, got, want)
		}
	}
	f := func(want string) {
		t.Helper()
		p := &Plan{}
		p.Reset(m.Raw)
		e.plan(b.c, p, &m, 0)
		n := p.Bytes()
		out := make([]byte, n)
		p.WriteTo(out)
		if got := string(bytes.Join(p.Segments(), nil)); got != string(out) {
			t.Errorf("Segments give %q, WriteTo %q", got, out)
		}
		if _, got, _ := strings.Cut(string(out), "h\r\n"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		e.n, e.body = 0, false
	}
	put("0123456789", "first", true)
	put("0123456789", "again", true)
	f("Content-Length: 4\r\nAbcdefghij: again\r\n\r\nbody")
	put("cde", "X", true)
	put("defg", "Y", true)
	put("j", "Z", true)
	put("j", "", true)
	f("Content-Length: 4\r\nAbXYhi: 0123456789\r\n\r\nbody")
	put("0123456789", "gone", true)
	put("Abcdefghij: 0123456789\r\n", "", true)
	put("od", "ODD", true)
	f("Content-Length: 5\r\n\r\nbODDy")
	put("body", "longer body", true)
	put("od", "nothing", true)
	f("Content-Length: 11\r\nAbcdefghij: 0123456789\r\n\r\nlonger body")
	put("a", strings.Repeat("x", maxEditBytes+1), false)
	for range maxScriptEdits {
		put("", "x", true)
	}
	put("a@b", "one more than there is room for", false)
}

// FuzzEditContact: whatever is replaced, the request that leaves can be read, and has the text
// in its Contact.
func FuzzEditContact(f *testing.F) {
	f.Add("Contact: <sip:a@b>\r\n", "sip:c@d", uint8(0))
	f.Add("m: \"A\" <sip:a@b;x>;q=0.5, <sip:e@f>\r\nContact: sip:g@h\r\n", "<sip:c@d;alias=1~2~3>", uint8(1))
	f.Fuzz(func(t *testing.T, rows, with string, which uint8) {
		var m, out parser.Message
		text := "INVITE sip:bob@127.0.0.1:7000 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bK-1\r\n" +
			"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=a\r\nTo: <sip:bob@b>\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n" + rows +
			"Content-Length: 0\r\n\r\n"
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
			if i >= which && parser.ParseNameAddr(m.Raw, v.Value, &a) == parser.OK && a.Bracket &&
				r.Edit(a.URI, []byte(with)) {
				did++
			}
		}
		if did == 0 || !r.Relay() {
			return
		}
		sent := b.sent[len(b.sent)-1].text
		if !strings.HasPrefix(sent, "INVITE ") || out.Parse([]byte(sent)) != parser.OK ||
			strings.Count(sent, with) < did {
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
	for _, why := range []blocklist.Reason{blocklist.Timeout, blocklist.Busy503, blocklist.SendError, blocklist.Connect,
		blocklist.ICMP} {
		if uint8(why)&^markIgnore != 0 {
			t.Errorf("reason %v is none that is kept", why)
		}
	}
}
