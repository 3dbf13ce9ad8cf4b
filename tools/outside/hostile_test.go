package outside

import (
	"bytes"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// hostileBase is a request that is forwarded. Cases differ from it in one place; {n} is the case's
// number, {port} the sender's port.
const hostileBase = "MESSAGE sip:bob@example.com SIP/2.0\r\n" +
	"Via: SIP/2.0/UDP h.example.com:{port};branch=z9hG4bKh{n}\r\n" +
	"Max-Forwards: 70\r\n" +
	"From: <sip:ann@example.com>;tag=f{n}\r\n" +
	"To: <sip:bob@example.com>\r\n" +
	"Call-ID: h{n}@h\r\n" +
	"CSeq: 1 MESSAGE\r\n" +
	"Contact: <sip:ann@h.example.com>\r\n" +
	"Content-Length: 4\r\n" +
	"\r\nbody"

// datagramBytes is the longest UDP payload over IPv4.
const datagramBytes = 65507

// hostile plays cases and holds each against what may become of it.
type hostile struct {
	*player
	t     *testing.T
	n     int
	twin  *server // or nil
	other *peer
}

func newHostile(t *testing.T) *hostile {
	h := &hostile{player: newPlayer(t, setup{edits: lbByRoute}, start, 5060), t: t}
	h.counts, h.hops = true, 70
	return h
}

// withTwin starts another proxy, of two shards, that gets every message as well, one behind the
// other without a pause, from somewhere else: it must only live.
func (h *hostile) withTwin() *hostile {
	t := h.t
	_, at := answerers(t, 2)
	h.twin = start(t, setup{edits: lbByRoute, targets: at, shards: 2, arenaMB: 128})
	h.other = newPeerAt(t, "the twin's sender", netip.AddrPortFrom(h.sender.addr.Addr().Next(), uint16(freePort(t))))
	t.Cleanup(func() {
		for range 8 { // on both shards, as likely as not
			d := h.canary.call(h.twin.addr)
			h.canary.send(h.twin.addr, d.text("INFO", d.branch))
			for {
				m := h.canary.next(patience)
				if m == nil {
					t.Fatalf("the twin serves nobody any more\n%s", h.twin.tail())
				}
				if m.get("Call-ID") == d.id && m.status() == 200 {
					break
				}
			}
		}
		all := h.twin.stats(t)
		if n := sum(all, "panics"); n > 0 {
			t.Errorf("%d panics were contained in the twin:\n%s", n, h.twin.text())
		}
		if n := sum(all, "datagrams_in") + sum(all, "kernel_drops"); n < uint64(h.n) {
			t.Errorf("the twin got %d of %d datagrams", n, h.n)
		}
	})
	return h
}

// text is hostileBase with edits: old, new, …
func (h *hostile) text(edits ...string) string {
	h.t.Helper()
	s := hostileBase
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(s, edits[i]) {
			h.t.Fatalf("the message has no %q to replace", edits[i])
		}
		s = strings.Replace(s, edits[i], edits[i+1], 1)
	}
	return s
}

// f plays a message and wants an outcome that matches: "forwarded", "400 Bad CSeq", "dropped: …".
// What is forwarded must be what was sent but for the edits of §16.6; what is answered must not be
// much longer than what was sent. Control characters are refused whatever else there is to say.
func (h *hostile) f(name, text, want string) *fate {
	h.t.Helper()
	if strayControl(text) {
		want = "400 Control character|dropped: (control character|unanswerable|empty)"
	}
	o, sent := h.send(h.sender, name, text)
	got := o.String()
	if len(got) > 200 {
		got = got[:200]
	}
	if o.count() != 1 || !regexp.MustCompile("^(?:"+want+")").MatchString(got) {
		h.t.Errorf("%s: %s; want %s", name, got, want)
		return o
	}
	if o.unsent > 0 {
		h.t.Errorf("%s: the kernel refused a datagram", name)
	}
	for _, a := range append(o.answers, o.trying...) {
		if len(a.raw) > len(sent)+200 {
			h.t.Errorf("%s: %d bytes are answered with %d", name, len(sent), len(a.raw))
		}
	}
	if len(o.forwarded) == 1 {
		h.unchanged(name, sent, o.forwarded[0])
		if o.returned == nil && o.forwarded[0].method() != "ACK" && !bareLF(sent) {
			h.t.Errorf("%s: the destination's answer does not come back", name)
		}
	}
	return o
}

// strayControl tells whether there is a control character in front of the body besides HTABs, CRLFs
// and those of quoted-pairs.
func strayControl(text string) bool {
	text = strings.TrimLeft(text, "\r\n")
	if end := emptyLine.FindStringIndex(text); end != nil {
		text = text[:end[1]]
	}
	text = escapedNUL.ReplaceAllString(text, "") // in a quoted-string it may hold one (§25.1)
	return strings.ContainsFunc(strings.ReplaceAll(text, "\r\n", ""),
		func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

var (
	emptyLine  = regexp.MustCompile("\n\r?\n")
	escapedNUL = regexp.MustCompile(`"[^"\r\n]*\\\x00[^"\r\n]*"`)
)

func (h *hostile) send(from *peer, name, text string) (*fate, []byte) {
	h.t.Helper()
	h.n++
	sent := []byte(strings.NewReplacer("{n}", fmt.Sprint(h.n), "{port}",
		fmt.Sprint(h.sender.addr.Port())).Replace(text))
	if len(sent) > datagramBytes {
		h.t.Fatalf("%s: %d bytes do not fit a datagram", name, len(sent))
	}
	if h.twin != nil {
		h.other.send(h.twin.addr, string(sent))
	}
	return h.play(h.t, name, from, sent), sent
}

func (h *hostile) unchanged(name string, sent []byte, m *message) {
	h.t.Helper()
	sent = bytes.TrimLeft(sent, "\r\n")
	if bareLF(sent) {
		return // read by other rules than those of the peers here
	}
	if at := contentLength.FindSubmatch(sent); at != nil {
		n, _ := strconv.Atoi(string(at[1]))
		if end := bytes.Index(sent, []byte("\r\n\r\n")) + 4 + n; end < len(sent) {
			sent = sent[:end] // §18.3
		}
	}
	sent = oldReceived.ReplaceAll(sent, nil)
	received, wrong := h.undo(sent, m, 0)
	switch {
	case wrong != "":
		h.t.Errorf("%s: %s", name, wrong)
	case !bytes.Equal(received, sent) && !bytes.Equal(received, bytes.Replace(sent, []byte(";rport"), nil, 1)):
		at := 0
		for at < len(received) && at < len(sent) && received[at] == sent[at] {
			at++
		}
		h.t.Errorf("%s: changed at octet %d: %.60q, sent as %.60q", name, at, received[at:], sent[at:])
	}
}

var (
	contentLength = regexp.MustCompile(`(?im)^(?:content-length|l)[ \t]*:[ \t]*([0-9]+)`)
	oldReceived   = regexp.MustCompile(`(?i);received=[^;\r]*`)
)

// rows of hostileBase as they stand in it.
var hostileRows = map[string]string{
	"Via": "Via: SIP/2.0/UDP h.example.com:{port};branch=z9hG4bKh{n}\r\n", "Max-Forwards": "Max-Forwards: 70\r\n",
	"From": "From: <sip:ann@example.com>;tag=f{n}\r\n",
	"To":   "To: <sip:bob@example.com>\r\n", "Call-ID": "Call-ID: h{n}@h\r\n", "CSeq": "CSeq: 1 MESSAGE\r\n",
	"Contact":        "Contact: <sip:ann@h.example.com>\r\n",
	"Content-Length": "Content-Length: 4\r\n",
}

func TestHostileHeaders(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	h.f("as it should be", h.text(), "forwarded")

	// Every mandatory header missing, twice, and empty.
	for _, c := range []struct{ name, missing, doubled, empty string }{
		{"Via", "dropped: unanswerable", "forwarded", "dropped: unanswerable"},
		{"Max-Forwards", "forwarded", "400 Doubled Max-Forwards", "400 Bad Max-Forwards"},
		{"From", "400 Missing From", "400 Doubled From", "400 Bad From"},
		{"To", "400 Missing To", "400 Doubled To", "400 Bad To"},
		{"Call-ID", "400 Missing Call-ID", "400 Doubled Call-ID", "400 Bad Call-ID"},
		{"CSeq", "400 Missing CSeq", "400 Doubled CSeq", "400 Bad CSeq"},
		{"Contact", "forwarded", "forwarded", "forwarded"},
		{"Content-Length", "forwarded", "forwarded", "400 Bad Content-Length"},
	} {
		row := hostileRows[c.name]
		h.f(c.name+" missing", h.text(row, ""), c.missing)
		h.f(c.name+" doubled", h.text(row, row+row), c.doubled)
		h.f(c.name+" empty", h.text(row, c.name+":\r\n"), c.empty)
		h.f(c.name+" of blanks", h.text(row, c.name+": \t \r\n"), c.empty)
		h.f(c.name+" of folds", h.text(row, c.name+":\r\n \r\n\t\r\n"), c.empty)
	}

	// Numbers.
	numbers := func(what string, text func(n string) string, good, bad []string, wantBad string) {
		for _, n := range good {
			h.f(what+" "+n, text(n), "forwarded")
		}
		for _, n := range append(bad, "-1", "+1", "0x10", " 10 10", "1e3", "1.0", "1_0", "18446744073709551616",
			"18446744073709551617", strings.Repeat("9", 5000), "1\x00", "\xb2", "\xd9\xa1") {
			h.f(what+" "+n[:min(len(n), 30)], text(n), wantBad)
		}
	}
	row := func(name, rest string) func(string) string {
		return func(n string) string { return h.text(hostileRows[name], name+": "+n+rest+"\r\n") }
	}
	extra := func(name string) func(string) string {
		return func(n string) string { return h.text("Contact:", name+": "+n+"\r\nContact:") }
	}
	numbers("CSeq", row("CSeq", " MESSAGE"), []string{"0", "2147483648", "4294967295", "0000000000000000000000001"},
		[]string{"", "4294967296", "4294967297"}, "400 Bad CSeq")
	numbers("Max-Forwards", row("Max-Forwards", ""), []string{"1", "255", "00070"},
		[]string{"256", "257", "4294967296", "4294967297"}, "400 Bad Max-Forwards")
	numbers("Content-Length", row("Content-Length", ""), []string{"0", "1", "4", "0004"},
		[]string{"2147483648", "4294967296", "4294967300", "4,", "4;", "\"4\""}, "400 Bad Content-Length")
	numbers("Expires", extra("Expires"), []string{"0", "4294967296", strings.Repeat("9", 3000)}, nil,
		"400 Expires value is illegal|forwarded")
	numbers("Max-Breadth", extra("Max-Breadth"), []string{"1", "60"}, nil, "forwarded|400 Bad Max-Breadth|440")
	numbers("Request-URI port", func(n string) string {
		return h.text("bob@example.com SIP", "bob@example.com:"+n+" SIP")
	}, []string{"1", "65535"}, []string{"", "0", "65536", "65537"},
		"400 Bad Request-URI|400 Bad request line|forwarded")
	numbers("To port", func(n string) string {
		return h.text("To: <sip:bob@example.com", "To: <sip:bob@example.com:"+n)
	}, []string{"1", "65535"}, []string{"", "0", "65536"}, "400 Bad To|400 Invalid To Header")
	numbers("Contact port",
		func(n string) string { return h.text("ann@h.example.com", "ann@h.example.com:"+n) }, nil, nil, "forwarded")
	numbers("Via port", func(n string) string {
		return h.text("h.example.com:{port}", "h.example.com:"+n)
	}, []string{"5060"}, []string{"", "0", "65536", "65537", "70596"}, "dropped: unanswerable|400 Bad Via")
	for _, p := range []string{"rport", "ttl", "branch", "maddr", "received"} {
		via := func(n string) string { return h.text(";branch=z9hG4bKh{n}", ";branch=z9hG4bKh{n};"+p+"="+n) }
		want := "400 Bad Via"
		switch p {
		case "maddr", "received", "ttl": // a proxy needs none of them
			want = "400 Bad Via|forwarded"
		}
		for _, n := range []string{"-1", "+1", "0x10", "10 10", "65536", "4294967297", "18446744073709551617", "\"1",
			"1\x00", "<1>", "1@1"} {
			h.f("Via "+p+" "+n, via(n), want)
		}
		if p != "rport" { // it is filled in, as one without a "=" is
			h.f("Via "+p+" of nothing", via(""), want)
		}
		h.f("Via "+p+" twice", h.text(";branch=z9hG4bKh{n}", ";"+p+"=9;"+p+"=9;branch=z9hG4bKh{n}"),
			"400 Bad Via|forwarded")
	}
	h.f("Content-Length one too much", h.text("Length: 4", "Length: 5"), "400 Body shorter than Content-Length")
	h.f("Content-Length 2^31-1", h.text("Length: 4", "Length: 2147483647"), "400 Body shorter than Content-Length")
	h.f("Content-Length thrice", h.text("Content-Length: 4", "Content-Length: 4\r\nl: 4\r\nContent-Length: 0004"),
		"forwarded")
	h.f("Content-Lengths that differ", h.text("Content-Length: 4", "Content-Length: 4\r\nl: 3"),
		"400 Differing Content-Length")
	h.f("no hops left", h.text("Forwards: 70", "Forwards: 0"), "483")
	h.f("no hops left, written long", h.text("Forwards: 70", "Forwards: 0000000"), "483")

	// What the answer says.
	h.f("version 3", h.text("com SIP/2.0", "com SIP/3.0"), "505")
	h.f("version 2.00", h.text("com SIP/2.0", "com SIP/2.00"), "505")
	h.f("version 2^64", h.text("com SIP/2.0", "com SIP/18446744073709551618.0"), "505")
	h.f("no version", h.text("com SIP/2.0", "com"), "400 Bad request line")
	h.f("HTTP", h.text("com SIP/2.0", "com HTTP/1.1"), "400 Bad request line")
	h.f("unknown scheme", h.text("MESSAGE sip:bob@example.com", "MESSAGE gopher:bob"), "416")
	h.f("no scheme", h.text("MESSAGE sip:bob@example.com", "MESSAGE bob"), "400 Bad Request-URI")
	h.f("headers in the Request-URI", h.text("MESSAGE sip:bob@example.com", "MESSAGE sip:bob@example.com?Route=x"),
		"400 Headers in Request-URI")
	h.f("method of CSeq", h.text("1 MESSAGE", "1 message"), "400 CSeq method mismatch")
	h.f("unknown method, another in CSeq", h.text("MESSAGE sip", "MASSAGE sip"), "501")
	h.f("branch of the cookie alone", h.text("z9hG4bKh{n}", "z9hG4bK"), "400 Empty Via branch")
	h.f("header without a colon", h.text("Contact:", "Contact\r\nContact:"), "400 Bad header line")
	h.f("header without a name", h.text("Contact:", ": x\r\nContact:"), "forwarded")
	h.f("fold without a header", h.text("Via:", " x\r\nVia:"), "400 Bad header line")
	h.f("no empty line", h.text("4\r\n\r\nbody", "0\r\n"), "400 No empty line")
	h.f("no last line end", h.text("4\r\n\r\nbody", "0"), "400 No empty line")
	o := h.f("Proxy-Require", h.text("Contact:", "Proxy-Require: a,b ,\r\n c\r\nX: y\r\nproxy-REQUIRE:d\r\nContact:"),
		"420")
	if got := strings.ReplaceAll(o.answers[0].get("Unsupported"), " ", ""); got != "a,b,c,d" {
		t.Errorf("Unsupported is %q", got)
	}
	h.f("Proxy-Require of nothing", h.text("Contact:", "Proxy-Require:\r\nContact:"), "forwarded")
	for _, v := range []string{",", ",a", "a,,b", "\"", "<", "a,\"b", "a,"} {
		h.f("Proxy-Require "+v, h.text("Contact:", "Proxy-Require: "+v+"\r\nContact:"), "400 Bad Proxy-Require")
	}
	for _, v := range []string{"", ",", "<sip:x;lr>,", "<sip:x", "sip", "<>", "<sip:>", "\"x <sip:x;lr>",
		"<sip:x:0;lr>", "<sip:a@b@c;lr>"} {
		h.f("Route "+v, h.text("Contact:", "Route: "+v+"\r\nContact:"), "400 Bad Route")
	}
	h.f("Route with an empty parameter", h.text("Contact:", "Route: <sip:x;lr>;\r\nContact:"), "forwarded")

	// Garbage in what the proxy does not need.
	for _, name := range []string{"Date", "Contact", "Record-Route", "Subject", "Allow", "Supported", "Require",
		"Content-Type", "Timestamp", "Path", "User-Agent",
		"Authorization", "X-Any", "Refer-To", "P-Asserted-Identity", "Session-Expires", "RAck", "Identity", "Warning",
		"Content-Disposition", "e", "k", "r", "x", "y"} {
		for _, v := range []string{"", ";;,,\"<", "\x00\x01\x7f\xff\xfe", strings.Repeat("<", 100),
			"-99999999999999999999", "\xc3\x28", "a\rb", "%00%", ":::"} {
			h.f(name+" "+v, h.text("Content-Length", name+": "+v+"\r\nContent-Length"), "forwarded")
		}
	}
}

// Marks in every place of every field the proxy reads: one outcome each, and an error names the
// field it is about.
func TestHostileMarks(t *testing.T) {
	t.Parallel()
	h := newHostile(t).withTwin()
	marks := []string{"\"", "\"\"", "\\", "'", ",", ",,", ";", ";;", "<", ">", "<>", " ", "\t", "\r\n ", "\r", "\n",
		"%", "@", ":", "[", "]", "=", "?", "/", "(", "{", "\x00", "\x7f", "\xff", "\xc3\xa9", "\xe2\x80\xae", "\x1b[2J"}
	// A mark may make the field bad, or something else of it; or split the line so that the header
	// section is what is bad.
	line := "|400 Bad header line|400 Bad request line"
	bad := func(field string) string {
		return "forwarded|400 (Bad|Missing|Doubled|Empty) " + field + "|400 Invalid " + field + " Header" + line
	}
	via := "forwarded|dropped: unanswerable|400 Bad Via|400 Empty Via branch" + line
	uri := "forwarded|400 Bad Request-URI|400 Headers in Request-URI|416|501|505" + line
	for _, c := range []struct{ place, before, behind, want string }{
		{"in the method", "MES", "SAGE sip", uri + "|400 CSeq method mismatch|dropped: bad"},
		{"before the method", "", "MESSAGE sip", uri + "|400 CSeq method mismatch|dropped: (bad|unanswerable)"},
		{"in the scheme", "MESSAGE si", "p:bob", uri},
		{"before the user", "MESSAGE sip:", "bob@", uri},
		{"behind the user", "MESSAGE sip:bob", "@", uri},
		{"before the host", "MESSAGE sip:bob@", "example", uri},
		{"in the host", "MESSAGE sip:bob@exam", "ple", uri},
		{"behind the URI", "MESSAGE sip:bob@example.com", " SIP", uri},
		{"in the version", "com SIP", "/2.0", uri},
		{"behind the version", "com SIP/2.0", "\r\n", uri},
		{"in Via's name", "Vi", "a:", "dropped: unanswerable" + line},
		{"before Via's colon", "Via", ":", via},
		{"before Via's protocol", "Via: ", "SIP", via},
		{"in Via's protocol", "SIP/2", ".0/UDP", via},
		{"in Via's transport", "SIP/2.0/U", "DP h", via},
		{"before Via's host", "UDP ", "h.", via},
		{"behind Via's host", "h.example.com", ":{port}", via},
		{"before Via's branch", "{port};", "branch", via},
		{"in Via's branch", "z9hG4bK", "h{n}", via},
		{"behind Via", "z9hG4bKh{n}", "\r\n", via},
		{"before From", "From: ", "<sip", bad("From")},
		{"in From's URI", "From: <sip:ann", "@", bad("From")},
		{"in From's host", "From: <sip:ann@exam", "ple", bad("From")},
		{"behind From's URI", "From: <sip:ann@example.com", ">", bad("From")},
		{"before From's tag", "example.com>", ";tag", bad("From")},
		{"in From's tag", "tag=f", "{n}", bad("From")},
		{"behind From", "tag=f{n}", "\r\n", bad("From")},
		{"before To", "To: ", "<sip", bad("To")},
		{"in To's scheme", "To: <s", "ip", bad("To")},
		{"in To's host", "To: <sip:bob@exam", "ple", bad("To")},
		{"behind To", "To: <sip:bob@example.com>", "\r\n", bad("To")},
		{"before Call-ID", "Call-ID: ", "h{n}", bad("Call-ID")},
		{"in Call-ID", "h{n}", "@h\r\n", bad("Call-ID")},
		{"before CSeq", "CSeq: ", "1 ", bad("CSeq")},
		{"behind CSeq's number", "CSeq: 1", " MESSAGE", bad("CSeq")},
		{"in CSeq's method", "1 MESS", "AGE\r", bad("CSeq") + "|400 CSeq method mismatch"},
		{"in Max-Forwards", "Forwards: 7", "0", bad("Max-Forwards")},
		{"in Contact", "Contact: <sip:ann", "@h", "forwarded" + line},
		{"in Content-Length", "Length: ", "4", bad("Content-Length") + "|400 Body shorter"},
		{"in the body", "bo", "dy", "forwarded"},
	} {
		for _, m := range marks {
			want := c.want
			if m == "\n" {
				want += "|400 |dropped: " // what is behind it is another row, or the body
			}
			h.f(fmt.Sprintf("%q %s", m, c.place), h.text(c.before+c.behind, c.before+m+c.behind), want)
		}
	}
	// Quotes that do not end, wherever one may begin.
	for _, name := range []string{"From", "To", "Contact", "Route"} {
		for _, v := range []string{"\"x <sip:a@b>;tag=1", "\"x\\\" <sip:a@b>;tag=1", "<sip:a@b>;p=\"x",
			"<sip:a@b>;p=\"x\\", "\"\\"} {
			row, want := name+": "+v+"\r\n", "400 Bad "+name
			if name == "Contact" {
				want = "forwarded"
			}
			old := hostileRows[name]
			if old == "" {
				old = hostileRows["Contact"]
			}
			h.f(row, h.text(old, row), want)
		}
	}
	h.f("open quote in a Via parameter", h.text("z9hG4bKh{n}", "z9hG4bKh{n};x=\"y"), "400 Bad Via")
}
