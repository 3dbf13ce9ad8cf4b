package parser

import (
	"bytes"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"
)

func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

// TestNoAllocation holds the promise for every message of the corpus and every field.
func TestNoAllocation(t *testing.T) {
	var m Message
	var a NameAddr
	var u URI
	var via Via
	for _, b := range seeds(t) {
		n := testing.AllocsPerRun(10, func() {
			m.Parse(b)
			m.Check()
			m.TopVia()
			m.CSeq()
			m.From()
			m.To()
			m.MaxForwards()
			m.MaxBreadth()
			m.ContentLength()
			m.RequestURI()
			m.Body()
			m.CallID()
			m.HeaderByName("P-Preferred-Identity", 0)
			for k := KindOther; k < NumKinds; k++ {
				for v := m.Values(k); v.Next(); {
					ParseNameAddr(b, v.Value, &a)
					ParseVia(b, v.Value, &via)
					ParseURI(a.URI.Of(b), &u)
					Param(b, a.Params, "tag")
					u.Param("lr")
					u.EffectivePort()
					HostIP(u.HostBytes())
				}
			}
		})
		if n != 0 {
			t.Errorf("%v allocations for %.60q", n, b)
		}
	}
}

// TestHeaderLimits walks over both limits with one Message, up and down.
func TestHeaderLimits(t *testing.T) {
	var m Message
	f := func(rows, wantRows int, want Reason) {
		t.Helper()
		b := []byte("OPTIONS sip:a SIP/2.0\r\n" +
			strings.Repeat("Via: x\r\nX-y: z\r\n", rows/2) + strings.Repeat("a:\r\n", rows%2) + "\r\nbody")
		if r := m.Parse(b); r != want || len(m.Headers) != wantRows {
			t.Errorf("%d rows: %v with %d rows, want %v with %d", rows, r, len(m.Headers), want, wantRows)
		}
		if want == OK && string(m.Body()) != "body" {
			t.Errorf("%d rows: body %q", rows, m.Body())
		}
	}
	f(InlineHeaders-1, InlineHeaders-1, OK)
	f(InlineHeaders, InlineHeaders, OK)
	if m.many != nil {
		t.Error("grown without need")
	}
	f(InlineHeaders+1, InlineHeaders+1, OK)
	grown := &m.many[0]
	f(1, 1, OK)
	f(MaxHeaders, MaxHeaders, OK)
	f(MaxHeaders+1, MaxHeaders, TooManyHeaders)
	if &m.many[0] != grown {
		t.Error("grown twice")
	}
	if r := m.Parse(make([]byte, MaxMessageBytes+1)); r != TooLarge || len(m.Headers) != 0 || m.Has(KindVia) {
		t.Errorf("an oversized message: %v with %d rows", r, len(m.Headers))
	}
}

// TestHostileShapesAreLinear reads the largest messages of the worst shapes. Each takes a few
// milliseconds; a step that goes back over what was read would take minutes.
func TestHostileShapesAreLinear(t *testing.T) {
	f := func(name, head, unit, tail string) {
		t.Helper()
		b := []byte(head + strings.Repeat(unit, (MaxMessageBytes-len(head)-len(tail))/len(unit)) + tail)
		start := time.Now()
		var m Message
		m.Parse(b)
		m.Check()
		for k := KindOther; k < NumKinds; k++ {
			for v := m.Values(k); v.Next(); {
				if v.Row > len(m.Headers) {
					t.Fatal("row out of range")
				}
			}
		}
		m.HeaderByName("x-y", 0)
		if d := time.Since(start); d > 3*time.Second {
			t.Errorf("%s: %d bytes took %v", name, len(b), d)
		}
	}
	const head = "INVITE sip:a SIP/2.0\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\n"
	f("white folds", head+"Via: SIP/2.0/UDP h\r\n", " \r\n", "\r\n")
	f("white folds of an empty header", head+"Via:\r\n", "\t\n", " SIP/2.0/UDP h\r\n\r\n")
	f("folded parameters", head+"Via: SIP/2.0/UDP h\r\n", " ;a=b\r\n", "\r\n")
	f("values", head+"Via: SIP/2.0/UDP h", ",SIP/2.0/UDP h", "\r\n\r\n")
	f("rows", head, "Via: SIP/2.0/UDP h\r\n", "\r\n")
	f("one-byte lines", head, "a\n", "\r\n")
	f("line ends in front", "", "\r\n", head+"\r\n")
	f("quotes", head+"Contact: ", "\"\\\"", "\r\n\r\n")
	f("brackets", head+"Route: ", "<", "\r\n\r\n")
	f("spaces", head+"Route:", " ", "\r\n\r\n")
	f("request line", "INVITE", " ", "sip:a SIP/2.0\r\n\r\n")
	f("no line end", "INVITE sip:", "a", "")
}

// TestSizes keeps an eye on what a worker's Message costs and on what lies in one cache line.
func TestSizes(t *testing.T) {
	f := func(what string, got, most uintptr) {
		t.Helper()
		if got > most {
			t.Errorf("%s has %d bytes, more than %d", what, got, most)
		}
	}
	f("Header", unsafe.Sizeof(Header{}), 28)
	f("Via", unsafe.Sizeof(Via{}), 112)
	f("NameAddr", unsafe.Sizeof(NameAddr{}), 44)
	f("Message", unsafe.Sizeof(Message{}), 5<<10)
	if NumKinds > 64 {
		t.Errorf("%d kinds do not fit in one word", NumKinds)
	}
}

// TestMustInline lists the functions whose call would cost more than their work.
func TestMustInline(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the package")
	}
	out, err := exec.Command("go", "build", "-gcflags=-m", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := []string{
		"Span.End", "Span.Of", "span", "foldWord", "kindOfWords", "nameHash", "colonsIn", "bytesUpTo", "run", "skipLWS",
		"is", "number", "equals",
		"notVisible", "notURI", "paramFollows", "equalFold", "lower", "controls", "isControl", "isCRLF", "firstReason",
		"(*Message).First", "(*Message).Has", "(*Message).HasMany", "(*Message).Bytes", "(*Message).enter",
		"(*Message).Values", "(*Via).ParamsEnd",
	}
	for _, name := range want {
		if !bytes.Contains(out, []byte("can inline "+name+"\n")) {
			t.Errorf("%s is not inlined any more (%s)", name, runtime.Version())
		}
	}
}

func TestKindOf(t *testing.T) {
	f := func(name string, want Kind) {
		t.Helper()
		if got := KindOf([]byte(name)); got != want {
			t.Errorf("KindOf(%q) = %v, want %v", name, got, want)
		}
		b := []byte("A b SIP/2.0\r\n" + name + ": value\r\n\r\n")
		var m Message
		if m.Parse(b); len(m.Headers) == 1 && m.Headers[0].Kind != want {
			t.Errorf("row %q is %v, want %v", name, m.Headers[0].Kind, want)
		}
	}
	for k := KindOther + 1; k < NumKinds; k++ {
		for _, name := range headerNames[k] {
			if name == "" {
				continue
			}
			f(name, k)
			f(strings.ToUpper(name), k)
			f(strings.ToLower(name), k)
			f(name+"x", KindOther)
			f("x"+name, plainKind("x"+name))
			f(name[:len(name)-1], plainKind(name[:len(name)-1]))
			for i := range name {
				for _, bit := range []byte{1, 0x20, 0x40, 0x80} {
					other := []byte(name)
					other[i] ^= bit
					f(string(other), plainKind(string(other)))
				}
			}
		}
	}
	f("", KindOther)
}

func TestNames(t *testing.T) {
	for m := INVITE; m < NumMethods; m++ {
		if got := MethodOf([]byte(m.String())); got != m {
			t.Errorf("MethodOf(%v) = %v", m, got)
		}
		var msg Message
		if r := msg.Parse([]byte(m.String() + " sip:a SIP/2.0\r\n\r\n")); r != OK || msg.Method != m ||
			string(msg.MethodBytes()) != m.String() {
			t.Errorf("a %v request is read as %v %q", m, msg.Method, msg.MethodBytes())
		}
		if got := MethodOf([]byte(strings.ToLower(m.String()))); got != MethodOther {
			t.Errorf("methods are case-sensitive, but lower-case %v = %v", m, got)
		}
	}
	for tr := UDP; tr <= WSS; tr++ {
		if got := TransportOf([]byte(strings.ToLower(tr.String()))); got != tr {
			t.Errorf("TransportOf(%v) = %v", tr, got)
		}
	}
	if TransportOf([]byte("5\x04P")) != TransportOther {
		t.Error("control characters pass for a transport")
	}
	seen := map[string]bool{}
	for r := OK; r < NumReasons; r++ {
		if r.String() == "" || seen[r.String()] {
			t.Errorf("reason %d has the name %q", r, r)
		}
		seen[r.String()] = true
	}
	if BadVersion.Status() != 505 || BadVia.Status() != 400 || OK.Status() != 0 {
		t.Error("wrong status for a reason")
	}
}

// TestCheck changes one thing at a time in a good message.
func TestCheck(t *testing.T) {
	good := string(byeRequest)
	var m Message
	f := func(old, new string, want Reason) {
		t.Helper()
		if !strings.Contains(good, old) {
			t.Fatalf("no %q", old)
		}
		r := m.Parse([]byte(strings.Replace(good, old, new, 1)))
		if r == OK {
			r = m.Check()
		}
		if r != want {
			t.Errorf("%q -> %q: %v, want %v", old, new, r, want)
		}
	}
	f("BYE", "BYE", OK)
	f("l: 0\r\n", "", OK)
	f("l: 0\r\n", "l: 0\r\nContent-Length: 0\r\n", OK)
	f("l: 0", "l: +0", BadContentLength)
	f("l: 0", "l: 1", ShortBody)
	f("l: 0", "l: 99999999999999999999", BadContentLength)
	f("l: 0", "l: 0\r\nl: 1", ContentLengthDiffers)
	f("70", "255", OK)
	f("70", "256", BadMaxForwards)
	f("70", "-1", BadMaxForwards)
	f("70", "7 0", BadMaxForwards)
	f("Max-Forwards: 70\r\n", "", OK)
	f("Max-Forwards: 70\r\n", "Max-Forwards: 70\r\nMAX-FORWARDS: 70\r\n", DoubledMaxForwards)
	f("2 BYE", "4294967295 BYE", OK)
	f("2 BYE", "4294967296 BYE", BadCSeq)
	f("2 BYE", "2BYE", BadCSeq)
	f("2 BYE", "BYE", BadCSeq)
	f("2 BYE", "2 bye", CSeqMethodMismatch)
	f("2 BYE", "2 BYE x", BadCSeq)
	f("CSeq: 2 BYE\r\n", "", MissingCSeq)
	f("CSeq: 2 BYE", "CSeq: 2 BYE\r\nCSeq: 2 BYE", DoubledCSeq)
	f("i: 8438", "i: a b\t\xc3\xbc8438", OK)
	f("i: 8438", "i: a\r\n b8438", BadCallID)
	f("i: 843817637684230@998sdasdh09", "i:", BadCallID)
	f("i: 8438", "i: 1\r\nCall-ID: 8438", DoubledCallID)
	f("sip:alice@192.0.2.10:5060 SIP", "sip:alice@192.0.2.10:506O SIP", BadRequestURI)
	f("sip:alice@192.0.2.10:5060 SIP", "sip:alice@192.0.2.10?a=b SIP", RequestURIHeaders)
	f("sip:alice@192.0.2.10:5060 SIP", "x:y SIP", OK)
	f("SIP/2.0\r\nv", "SIP/2.1\r\nv", BadVersion)
	f("BYE sip", "BYE  sip", BadRequestLine)
	f(";branch=z9hG4bKnashds7", "", OK)
	f("z9hG4bKnashds7", "z9hG4bK", EmptyBranch)
	f("[2001:db8::9]", "[2001:db8::9", BadVia)
	f("[2001:db8::9]:5061", "h:5061,,", BadVia)
	f("f: <", "f: x, <", OK)
	f("f: <", "f: <x>, <", BadFrom)
	f("t: ", "t: <sip:x>\r\nt: ", DoubledTo)
	f("f: <sip:bob@sip.example.com>;tag=as61d4f\r\n", "", MissingFrom)
	f("\r\nf: ", "\r\nf f: ", BadHeader)
	f("\r\nf: ", "\r\n no header to fold\r\nf: ", OK)
	f("\r\nv: ", "\r\n no header to fold\r\nv: ", BadHeader)
	for _, line := range []string{"no colon", "X Y: z", "X\xc3\xbc: y", ": y", "\"X\": y", "nocolon\r\n folded",
		"\xff"} {
		f("\r\nf: ", "\r\n"+line+"\r\nf: ", OK)
		f("\r\nv: ", "\r\n"+line+"\r\nv: ", OK)
		f("l: 0\r\n", line+"\r\n", OK)
	}
	for _, line := range []string{"Content-Length 5", "Content-Length\xa0: 5", "l\"0", "Via SIP/2.0/UDP h", "route",
		"To\xc2\xa0: x", "Max-Forwards=3", "i"} {
		f("\r\nf: ", "\r\n"+line+"\r\nf: ", BadHeader)
	}
	f("\r\n\r\n", "\r\n", NoHeaderEnd)
}

// TestMaxBreadth: what it is, and that Check does not ask for it.
func TestMaxBreadth(t *testing.T) {
	var m Message
	f := func(rows string, want int, reason Reason) {
		t.Helper()
		b := strings.Replace(string(byeRequest), "Max-Forwards:", rows+"Max-Forwards:", 1)
		if r := m.Parse([]byte(b)); r != OK {
			t.Fatalf("%q: %v", rows, r)
		}
		if r := m.Check(); r != OK {
			t.Errorf("%q: Check gives %v", rows, r)
		}
		for range 2 {
			if n, r := m.MaxBreadth(); n != want || r != reason {
				t.Errorf("%q: %d %v, want %d %v", rows, n, r, want, reason)
			}
		}
	}
	f("", -1, OK)
	f("Max-Breadth: 0\r\n", 0, OK)
	f("MAX-BREADTH : 60 \r\n", 60, OK)
	f("Max-Breadth: 2147483647\r\n", 2147483647, OK)
	f("Max-Breadth: 2147483648\r\n", -1, BadMaxBreadth)
	f("Max-Breadth: -1\r\n", -1, BadMaxBreadth)
	f("Max-Breadth: 6 0\r\n", -1, BadMaxBreadth)
	f("Max-Breadth:\r\n", -1, BadMaxBreadth)
	f("Max-Breadth: 60\r\nMax-Breadth: 60\r\n", -1, BadMaxBreadth)
}

// TestValues shows the walk over a list, and what Cut and Before remove.
func TestValues(t *testing.T) {
	var m Message
	f := func(rows string, want ...string) {
		t.Helper()
		b := crlf("BYE sip:a SIP/2.0\n" + rows + "\n")
		if r := m.Parse(b); r != OK {
			t.Fatalf("%q: %v", rows, r)
		}
		var got []string
		v := m.Values(KindRoute)
		for v.Next() {
			got = append(got, fmt.Sprintf("%q row %d before %q cut %q", m.Bytes(v.Value), v.Row, m.Bytes(v.Before()),
				m.Bytes(v.Cut)))
		}
		if v.Reason != OK {
			got = append(got, v.Reason.String())
		}
		if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
			t.Errorf("%q:\n%s\nwant:\n%s", rows, g, w)
		}
	}
	f("Route: <sip:a;lr>\n", `"<sip:a;lr>" row 0 before "" cut "Route: <sip:a;lr>\r\n"`)
	f("To: x\nRoute: <sip:a,b>;x=\",\" ,\n <sip:c>,<d:e>\nFrom: y\nRoute: f\n",
		`"<sip:a,b>;x=\",\"" row 1 before "" cut "<sip:a,b>;x=\",\" ,\r\n "`,
		`"<sip:c>" row 1 before "<sip:a,b>;x=\",\" ,\r\n " cut "<sip:c>,"`,
		`"<d:e>" row 1 before "<sip:a,b>;x=\",\" ,\r\n <sip:c>," cut ",<d:e>"`,
		`"f" row 3 before "" cut "Route: f\r\n"`)
	f("Route:\n", "bad Route")
	f("Route: a,,b\n", `"a" row 0 before "" cut "a,"`, "bad Route")
	f("Route: a,\n", "bad Route")
	f("Route: \"a\n", "bad Route")
	f("Route: <a\n", "bad Route")
	f("Supported: a,b\n")
}

func TestHeaderByName(t *testing.T) {
	var m Message
	m.Parse(crlf("BYE sip:a SIP/2.0\nX-Foo: 1\nm: <sip:a>\nx-fOO: 2\nContact: <sip:b>\n\n"))
	f := func(name string, from, want int) {
		t.Helper()
		if got := m.HeaderByName(name, from); got != want {
			t.Errorf("HeaderByName(%q, %d) = %d, want %d", name, from, got, want)
		}
	}
	f("X-FOO", 0, 0)
	f("x-foo", 1, 2)
	f("x-foo", 3, -1)
	f("contact", 0, 1)
	f("M", 2, 3)
	f("Via", 0, -1)
	f("A-Name-That-Is-Longer-Than-All-Known-Ones", 0, -1)
}

// TestNameAddr: what a proxy has to know of a name-addr, and where it cannot be known. What
// Kamailio 5.6 forwards and reads as we do is marked K; behind it, what is ours alone.
func TestNameAddr(t *testing.T) {
	var m Message
	read := func(value string) (a *NameAddr, r Reason) {
		t.Helper()
		if r := m.Parse([]byte("OPTIONS sip:a SIP/2.0\r\nFrom: " + value + "\r\n\r\n")); r != OK || m.Control {
			t.Fatalf("%q: %v", value, r)
		}
		return m.From()
	}
	good := func(value, display, uri, tag string) {
		t.Helper()
		a, r := read(value)
		if got := [3]string{string(m.Bytes(a.Display)), string(m.Bytes(a.URI)), string(m.Bytes(a.Tag))}; r != OK ||
			got != [3]string{display, uri, tag} {
			t.Errorf("%q: %v, %q", value, r, got)
		}
	}
	for _, display := range []string{"Zo\xc3\xab M\xc3\xbcller", "Tel. +1 (555) 010-0", "a@b", "a/b", "a:b", "a & b",
		"a=b", "M\xc3\xbcller, Zo\xc3\xab", "a#b", "a?b", "a[b]{c}", "(comment)",
		"\xff\xfe", "sip:x@y", "Bob,", "Tel: 5, room 3", `"q\"uo>ted"`, // K
		`a\b`, `"Bob" Smith`, `Bob "the <man>" X`, `"sip:x@y, "`, ", ,"} {
		good(display+" <sip:u@h>;tag=1", display, "sip:u@h", "1")
		good(display+"<sip:u@h>", display, "sip:u@h", "")
	}
	for _, uri := range []string{"sip:zo\xc3\xab@x", "bob", "sip:a@b@c", // K
		"sip:bob smith@x", "tel:+1 555", "sip:a,b;tag=2@x"} {
		good("<"+uri+">;tag=1", "", uri, "1")
		good("< "+uri+"\t>;tag=1", "", uri, "1")
	}
	good("bob;tag=1", "", "bob", "1")                                    // K
	good("sip:zo\xc3\xab@x;tag=1", "", "sip:zo\xc3\xab@x", "1")          // K
	good("<sip:u@h>;x=\xc3\xbc;tag=\xc3\xbc", "", "sip:u@h", "\xc3\xbc") // K
	good("<sip:u@h>;x[]=\"<;tag=2,\";tag=1;y=", "", "sip:u@h", "1")      // K
	good("<sip:u@h>;tag", "", "sip:u@h", "")                             // K
	good("<sip:u@h>;tag=", "", "sip:u@h", "")                            // K
	good("<sip:u@h> ; tag = ;x", "", "sip:u@h", "")                      // K
	good("<sip:u@h>;p=<x>;tag=1", "", "sip:u@h", "1")                    // K
	good("<sip:u@h> ; p = <x> ; tag=1", "", "sip:u@h", "1")              // K
	good("<sip:u@h>;;tag=1", "", "sip:u@h", "1")
	good("<sip:u@h>; ;tag=1;", "", "sip:u@h", "1")
	good("sip:u@h;;tag=1;;", "", "sip:u@h", "1")
	bad := func(value string) {
		t.Helper()
		if a, r := read(value); r != BadFrom {
			t.Errorf("%q: %v, %q", value, r, m.Bytes(a.URI))
		}
	}
	bad("")
	bad("<>;tag=1")
	bad("<sip:a@x> <sip:b@y>;tag=1")
	bad("<sip:a@x>, <sip:b@y>;tag=1")
	bad("sip:a@x, <sip:b@y>;tag=1")
	bad("Bob, sip:a@x, <sip:b@y>;tag=1")
	bad("sip:a@x, sip:b@y")
	bad("a;b <sip:a@x>;tag=1")
	bad("a;tag=9 <sip:a@x>;tag=1")
	bad("a > b <sip:a@x>;tag=1")
	bad("Bob 5\" pipe <sip:a@x>;tag=1")
	bad("\"Mr. J. User <sip:a@x>;tag=1")
	bad("<sip:a\"b@x>;tag=1")
	bad("<sip:a<b@x>;tag=1")
	bad("<sip:a\r\n b@x>;tag=1")
	bad("<sip:a@x;tag=1")
	bad("sip:a@x>;tag=1")
	bad("<sip:a@x>>;tag=1")
	bad("sip:a b@x;tag=1")
	bad("Bob sip:a@x;tag=1")
	bad("\"Bob\";tag=1")
	bad("<sip:a@x>;tag=a;tag=b")
	bad("<sip:a@x>;tag;tag=b")
	bad("<sip:a@x>;tag=b;tag=")
	bad("<sip:a@x>;tag=<b>")
	bad("<sip:a@x>;p=<x;tag=1>")
	bad("<sip:a@x>;p=<x>y;tag=1")
	bad("<sip:a@x>;p=<x>,<sip:b@y>")
	bad("sip:a@x;p=<x>;tag=1")
	bad("<sip:a@x>;tag=a b")
	bad("<sip:a@x>;tag=1,")
	bad("<sip:a@x>;x=1,2;tag=1")
	bad("<sip:a@x>;x=\"a;tag=1")
	bad("<sip:a@x>;x=\"a\"b;tag=1")
	bad("<sip:a@x>tag=1")
	bad("<sip:a@x>;tag=1 junk")
}

// TestControl: control characters, and line ends that are none.
func TestControl(t *testing.T) {
	var m Message
	f := func(message string, want bool) {
		t.Helper()
		m.Parse([]byte(message))
		if m.Control != want {
			t.Errorf("%q: %v", message, m.Control)
		}
		if had := hasPlain; setPlain(false) {
			m.Parse([]byte(message))
			setPlain(had)
			if m.Control != want {
				t.Errorf("%q without assembly: %v", message, m.Control)
			}
		}
	}
	// At each place of a message, in the blocks of 64 bytes and at their borders.
	good := string(byeRequest)
	f(good, false)
	head := strings.Index(good, "\r\n\r\n")
	for i := range len(good) {
		for _, c := range []string{"\x00", "\x1b", "\x7f", "\x0b", "\r", "\n", "\r\r", "\n\n", "\x1f\x01", "\t\x08",
			"\r\t"} {
			if i > 0 && good[i-1] == '\\' {
				continue // a quoted-pair
			}
			inLineEnd := i > 0 && good[i-1] == '\r' || i > head || strings.HasSuffix(c, "\r") && good[i] == '\n'
			m.Parse([]byte(good[:i] + c + good[i:]))
			if !m.Control && !inLineEnd && (i > 0 || c[0] != '\r' && c[0] != '\n') {
				t.Errorf("%q at %d of the message is not seen", c, i)
			}
		}
		if i > 0 && i <= head && good[i-1] != '\r' {
			f(good[:i]+"\t"+good[i:], false)
			f(good[:i]+"\t\t\t"+good[i:], false)
			f(good[:i]+"\xc3\xbc"+good[i:], false)
		}
	}
	const start = "A b SIP/2.0\r\n"
	f(start+"X: y\r\n\r\n\x00\r\x1b\n\n", false) // a body may have anything
	f("\n\r\r\n"+start+"X: y\r\n\r\n", false)    // in front of a message nothing depends on them
	f("\r\n\x1b"+start+"X: y\r\n\r\n", true)
	f("A b SIP/2.0\nX: y\r\n\r\n", true)
	f(start+"X: y\n\r\n", true)
	f(start+"X: y\r\n\n", true)
	f(start+"X: y\r\r\n\r\n", true)
	f(start+"X: a\rContent-Length: 263\r\n\r\n", true)
	f(start+"X: y\r\n\tfolded\r\n \t\r\n\t\r\n\r\n", false)
	f(start+"X: y\r\n\t\x01\r\n\r\n", true)
	f(start+"\x01X: y\r\n\r\n", true)
	f(start+"X: y\r\n\rY: z\r\n\r\n", true)
	// RFC 4475 §3.1.1.2: quoted-pairs
	f(start+"To: \"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f\" <sip:a>\r\n\r\n", false)
	f(start+"To: \"a\\\\\x07\" <sip:a>\r\n\r\n", true)
	f(start+"To: \"a\x07\" <sip:a>\r\n\r\n", true)
	f(start+"To: \"a\\\r\" <sip:a>\r\n\r\n", true)
	f(start+"To: \"a\\\n\" <sip:a>\r\n\r\n", true)
	f(start+"To: a\\\x07 <sip:a>\r\n\r\n", true)
	f(start+"To: \"a\r\n \\\x07\" <sip:a>\r\n\r\n", false)
	f(start+"X: \"a\r\nTo: \\\x07 <sip:a>\r\n\r\n", true)
	f("A \"\\\x07\" SIP/2.0\r\nX: y\r\n\r\n", true)
}
