package trace

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"viaduct/netio"
	"viaduct/parser"
)

// TestRing holds the ring against a list from which the oldest are cut.
func TestRing(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		r := NewRing(MinBytes + rng.IntN(100_000))
		var all []string
		for i := range 3000 {
			n := rng.IntN(2000)
			if rng.IntN(50) == 0 {
				n = rng.IntN(1 << 16)
			}
			text := strings.Repeat(string(rune('a'+i%26)), n)
			all = append(all, text)
			m := Message{At: int64(i), Out: i%2 == 0, Text: []byte(text),
				From: netio.AddrFrom(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(i)))}
			if !r.Put(&m) || m.Number != uint64(i+1) {
				t.Fatalf("message %d is number %d", i, m.Number)
			}
			if i%100 != 0 {
				continue
			}
			var got []string
			bytes := 0
			r.Each(func(m *Message) bool {
				at := int(m.Number) - 1
				if m.At != int64(at) || m.Out != (at%2 == 0) || int(m.From.Port) != at&0xffff {
					t.Fatalf("message %d has other values", at)
				}
				got = append(got, string(m.Text))
				bytes += headBytes + len(m.Text)
				return true
			})
			if len(got) != r.Kept() || !slices.Equal(got, all[len(all)-len(got):]) {
				t.Fatalf("after %d messages the ring has %d others", i, len(got))
			}
			// What was cut would not have fitted, but for the gap at the upper end.
			if len(got) < len(all) && bytes+1<<16+headBytes+len(all[len(all)-len(got)-1]) < len(r.buf)-1<<16 {
				t.Fatalf("only %d bytes of %d are in use", bytes, len(r.buf))
			}
		}
	}
	if r := NewRing(0); r.Put(&Message{Text: make([]byte, 1<<16+1)}) || r.Kept() != 0 || r.All() != 1 {
		t.Error("a message that is too long is kept")
	}
}

func TestFilter(t *testing.T) {
	const request = "INVITE sip:bob@b.example.com SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\n" +
		"From: \"A\" <sip:alice@a>;tag=1\r\nTo: <sip:robert@b>\r\nCall-ID: c1@h\r\nCSeq: 1 INVITE\r\n\r\n"
	const response = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\n" +
		"From: \"A\" <sip:alice@a>;tag=1\r\nTo: <sip:robert@b>;tag=2\r\nCall-ID: c1@h\r\nCSeq: 1 INVITE\r\n\r\n"
	at := func(s string) netio.Addr { return netio.AddrFrom(netip.MustParseAddrPort(s)) }
	for words, want := range map[string]string{
		"": "request response", "call-id=c1@h": "request response", "c1@h": "request response", "call-id=c1": "",
		"user=bob": "request", "bob": "request", "alice": "request response", "robert": "request response",
		"ALICE": "", "method=invite": "request response", "method=BYE,INVITE": "request response", "method=BYE": "",
		"addr=192.0.2.1": "request response", "192.0.2.1:5060": "request response", "192.0.2.1:5061": "",
		"addr=192.0.2.2:5070": "request response", "addr=[::1]": "", "alice addr=192.0.2.1 method=INVITE": "request response",
		"alice 192.0.2.9": "",
	} {
		f, err := ParseFilter(strings.Fields(words))
		if err != nil {
			t.Errorf("%s: %v", words, err)
			continue
		}
		if again, err := ParseFilter(strings.Fields(f.String())); err != nil || fmt.Sprint(again) != fmt.Sprint(f) {
			t.Errorf("%s is read back from %q as %v, %v", words, f.String(), again, err)
		}
		var got []string
		for name, text := range map[string]string{"request": request, "response": response} {
			var m parser.Message
			if r := m.Parse([]byte(text)); r != parser.OK {
				t.Fatal(r)
			}
			if f.Passes(&Message{From: at("192.0.2.1:5060"), To: at("192.0.2.2:5070")}, &m) {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s lets %q pass, want %q", words, s, want)
		}
	}
	for words, want := range map[string]string{
		"user=":     `"user=" has no value`,
		"port=5":    `"port=5" is no filter: write call-id=ID`,
		"addr=host": `"host" is no address: write one such as 192.0.2.1`,
	} {
		if _, err := ParseFilter(strings.Fields(words)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", words, err)
		}
	}
	f := Filter{User: "bob"}
	if f.Passes(&Message{}, nil) {
		t.Error("what cannot be read passes a filter that reads")
	}
}
