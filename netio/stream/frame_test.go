package stream

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

const testLimit = 2000

// frameAll frames a stream cut into pieces, as plain does.
func frameAll(pieces ...string) (out []string) { return frameStray(false, pieces...) }

// frameStray is frameAll with or without Config.AcceptControl.
func frameStray(stray bool, pieces ...string) (out []string) {
	f := framer{acceptControl: stray}
	f.reset()
	rest := ""
	for _, p := range pieces {
		rest += p
	more:
		for rest != "" {
			kind, n, fault := f.next([]byte(rest), testLimit)
			switch kind {
			case frameMore:
				break more
			case frameIdle:
			case frameMessage:
				out = append(out, fmt.Sprint(fault, rest[:n]))
				f.reset()
				if fault != Whole {
					return out
				}
			default:
				return append(out, fmt.Sprint("end ", kind))
			}
			rest = rest[n:]
			if f.pings > 0 {
				out = append(out, fmt.Sprint("pings ", f.pings))
				f.pings = 0
			}
		}
	}
	return out
}

func TestFrame(t *testing.T) {
	const req = "INVITE sip:a@b SIP/2.0\r\n"
	f := func(in string, want ...string) {
		t.Helper()
		got := frameAll(in)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q\n got %q\nwant %q", in, got, want)
		}
	}
	whole := func(s string) string { return fmt.Sprint(Whole, s) }
	m := func(row, body string) {
		t.Helper()
		f(req+row+"\r\n\r\n"+body, whole(req+row+"\r\n\r\n"+body))
	}
	m("Content-Length: 0", "")
	m("Content-Length: 3", "abc")
	m("content-LENGTH:3", "abc")
	m("l: 3", "abc")
	m("L \t:  3  ", "abc")
	m("l:\r\n 3", "abc")
	m("l:\r\n\t\r\n 3", "abc")
	m("l: 3\r\nContent-Length: 3", "abc")
	m("Lx: 9\r\nl: 003\r\nContent-Lengths: 7", "abc")
	m("Subject: x\r\n l: 9\r\nl: 3", "abc")
	f("\r\n\r\n\r\nOPTIONS x sip/7.1\r\nl:0\r\n\r\n", "pings 1", whole("OPTIONS x sip/7.1\r\nl:0\r\n\r\n"))
	f("\r\r\n\r\n", "pings 1")
	// RFC 4475 §3.1.2.10
	f("OPTIONS x SIP/2.0 \t \r\nl:0\r\n\r\n", whole("OPTIONS x SIP/2.0 \t \r\nl:0\r\n\r\n"))

	bad := func(fault Fault, row string) {
		t.Helper()
		f(req+row+"\r\n\r\nmore", fmt.Sprint(fault, req+row+"\r\n\r\n"))
	}
	bad(NoLength, "To: x")
	bad(BadLength, "l: 3\r\nl: 4")
	bad(BadLength, "l: ")
	bad(BadLength, "l: -1")
	bad(BadLength, "l: 1 2")
	bad(BadLength, "l: 1,1")
	bad(BadLength, "l: 0x1")
	bad(BadLength, "l: 3\r\n 4")
	bad(TooLong, "l: 2000")
	bad(TooLong, "l: 99999999999999999999999999")
	f(req+"\r\n", fmt.Sprint(NoLength, req+"\r\n"))

	m("A: \x1b\x00\r\nl: 0", "") // no doubt about the frame: the parser refuses it
	stray := func(head, rest string) {
		t.Helper()
		f(head+rest, fmt.Sprint(StrayLineEnd, head))
		if got, want := frameStray(true, head+rest), []string{whole(head + rest)}; !reflect.DeepEqual(got, want) {
			t.Errorf("accepted: %q\n got %q\nwant %q", head+rest, got, want)
		}
	}
	stray("SIP/2.0 200 OK\nl:1\n\n", "z")
	stray(req+"Via: x\nl: 3\r\n\r\n", "abc")
	stray(req+"Via: x\rl: 9\r\nl: 3\r\n\r\n", "abc")
	stray(req+"l: 3\r\r\n\r\n", "abc")
	stray(req+"l: 3\r\n\n", "abc")
	stray("INVITE sip:a@b SIP/2.0\nl: 3\r\n\r\n", "abc")
	// in front of a message nothing depends on them
	f("\n\r"+req+"l: 3\r\n\r\nabc", whole(req+"l: 3\r\n\r\nabc"))

	f("GET / HTTP/1.1\r\n", fmt.Sprint("end ", frameJunk))
	f("\x16\x03\x01", fmt.Sprint("end ", frameJunk))
	f("\x00", fmt.Sprint("end ", frameJunk))
	f(" \t\r\n", fmt.Sprint("end ", frameJunk))
	f("hello \n", fmt.Sprint("end ", frameJunk))
	f("hello\n", fmt.Sprint("end ", frameJunk))
	f(" INVITE x SIP/2.0\r\n", fmt.Sprint("end ", frameJunk))
	f(req+"A: "+strings.Repeat("x", testLimit), fmt.Sprint("end ", frameHuge))
	f(req+"A: "+strings.Repeat("x", testLimit)+"\r\n\r\n", fmt.Sprint("end ", frameHuge))
	f(strings.Repeat("y", testLimit+1), fmt.Sprint("end ", frameHuge))
}

// A header that comes in single bytes is looked at once.
func TestFrameLooksOnceAtEachByte(t *testing.T) {
	f := framer{}
	b := []byte("OPTIONS x SIP/2.0\r\nA: " + strings.Repeat("x", 1000))
	for i := 1; i <= len(b); i++ {
		if kind, _, _ := f.next(b[:i], testLimit); kind != frameMore || f.seen != i {
			t.Fatalf("after %d bytes: %d looked at", i, f.seen)
		}
	}
}

// FuzzFrame: however a stream is cut, the messages are those of the whole.
func FuzzFrame(f *testing.F) {
	f.Add("\r\n\r\nINVITE x SIP/2.0\r\nl:\r\n 3\r\nVia: y\r\n\r\nabcSIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n\r\n"+
		"\r\n", uint64(0x8421))
	f.Add("OPTIONS a SIP/2.0\nl: 1\nl: 1\n\nz\r\n", uint64(3))
	f.Add("OPTIONS a SIP/2.0\r\nl: 1\r\nl: 2\r\n\r\nz", uint64(0xffff))
	f.Fuzz(func(t *testing.T, in string, cuts uint64) {
		stray := cuts&1 != 0
		whole := merged(frameStray(stray, in))
		var pieces []string
		at := 0
		for i := range in {
			if cuts>>(uint(i)%64)&1 != 0 {
				pieces = append(pieces, in[at:i])
				at = i
			}
		}
		pieces = append(pieces, in[at:])
		if got := merged(frameStray(stray, pieces...)); !reflect.DeepEqual(got, whole) {
			t.Fatalf("cut as %q:\n got %q\nwant %q", pieces, got, whole)
		}
	})
}

// merged adds up pings, whose grouping is a matter of arrival, and leaves out how a stream that
// cannot be framed was found out.
func merged(in []string) (out []string) {
	pings := 0
	for _, s := range in {
		var n int
		if _, err := fmt.Sscanf(s, "pings %d", &n); err == nil {
			pings += n
			continue
		}
		if strings.HasPrefix(s, "end ") {
			s = "end"
		}
		out = append(out, s)
	}
	return append(out, fmt.Sprint(pings))
}
