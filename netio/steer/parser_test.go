package steer

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"viaduct/parser"
)

// parserDiffers names the messages in which the parser's Call-ID is not the key. Each is malformed
// and answered with an error: the key ends at the first byte <= 0x20, and the parser says what is
// wrong with the whole. The shard that gets such a message hands it to the owner of what the parser
// says.
var parserDiffers = map[string]bool{
	"folded after the value":   true,
	"NUL in the value":         true,
	"blank in the value":       true,
	"bare CR after the value":  true,
	"ends with the value's CR": true, // the line has no end: no header to the parser
}

// TestParserAgreesWithPlainKey: where there is a key, the shard that the kernel chooses by it is
// the one that the parser's Call-ID names. No key is no claim.
func TestParserAgreesWithPlainKey(t *testing.T) {
	var m parser.Message
	var agree, noKey int
	for _, c := range corpus(t) {
		reason := m.Parse(c.data)
		if reason == parser.OK {
			reason = m.Check()
		}
		id, key := m.CallID(), plainKey(c.data)
		if key == nil {
			noKey++
			continue
		}
		same := bytes.Equal(id, key)
		if same == parserDiffers[c.name] {
			t.Errorf("%s: the parser finds %q, the key is %q, listed as different: %v", c.name, id, key,
				parserDiffers[c.name])
		}
		if !same && reason == parser.OK {
			t.Errorf("%s: the message is good to the parser, but its Call-ID %q is not the key %q", c.name, id, key)
		}
		if same {
			agree++
		}
	}
	t.Logf("%d agree, %d differ, %d have no key", agree, len(parserDiffers), noKey)
}

func TestParserAgreesOnCalls(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	var m parser.Message
	for n := range 5000 {
		id := randomCallID(random, n)
		datagram := spelledMessage(random, "BYE sip:bob@example.com SIP/2.0", id)
		m.Parse(datagram)
		if got, key := string(m.CallID()), string(plainKey(datagram)); got != id || key != id {
			t.Fatalf("Call-ID %q: the parser finds %q, the key is %q in\n%s", id, got, key, datagram)
		}
	}
}

// FuzzParserAgreesWithPlainKey: on any bytes that the parser accepts, a key is the parser's
// Call-ID.
func FuzzParserAgreesWithPlainKey(f *testing.F) {
	for _, c := range corpus(f) {
		f.Add(c.data)
	}
	for _, id := range []string{"x", "x\x8b\x17y"} {
		f.Add([]byte("OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a>;tag=1\r\n" +
			"To: <sip:b>\r\nCall-ID: " + id + "\r\nCSeq: 1 OPTIONS\r\n\r\n"))
	}
	var m parser.Message
	f.Fuzz(func(t *testing.T, data []byte) {
		if m.Parse(data) != parser.OK || m.Check() != parser.OK {
			return
		}
		// A key ends at a control character. Such a message is refused, unless accept_ctrl_chars lets it
		// pass: then the shard that has it hands it over to its owner.
		if bytes.ContainsFunc(m.CallID(), func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return
		}
		if key := plainKey(data); key != nil && !bytes.Equal(key, m.CallID()) {
			t.Errorf("the parser finds %q, the key is %q", m.CallID(), key)
		}
	})
}
