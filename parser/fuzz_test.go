package parser

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// seeds are the torture messages, an everyday INVITE, and the oddities the grammar allows.
func seeds(tb testing.TB) (all [][]byte) {
	tb.Helper()
	files, err := filepath.Glob("testdata/rfc4475/*.dat")
	if err != nil || len(files) != 49 {
		tb.Fatal(err, len(files))
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, b)
	}
	all = append(all, inviteSDP, okResponse, byeRequest)
	all = append(all, callMessages(tb)...)
	// More headers than have their words marked, in front of the fields and behind them.
	long := bytes.Repeat([]byte("Subject: a subject of more than fifty bytes, as nobody writes it by hand\r\n"), 30)
	for _, n := range []int{30, 55, 60} {
		head, fields, _ := bytes.Cut(byeRequest, []byte("\r\n"))
		b := append(bytes.Clone(head), "\r\n"...)
		for range n {
			b = append(b, long[:len(long)/30]...)
		}
		all = append(all, append(b, fields...))
	}
	for _, s := range []string{
		"", "\r\n\r\n", "\x00\x00\x00\x00", "\n", "INVITE", "INVITE sip:a SIP/2.0", "SIP/2.0 200 OK\r\n\r\n",
		"SIP/2.0 200\n\n", "SIP/2.0\r\n\r\n",
		"\r\n\r\nOPTIONS sip:a@b SIP/2.0\nv:SIP/2.0/UDP h\n\tx\n\n",
		"A b SIP/2.0\r\n: x\r\n\r\n", "A b SIP/2.0\r\n x\r\n\r\n", "A b SIP/2.0\r\nX y: z\r\n folded\r\nTo:\r\n\r\n",
		"A b SIP/2.0\r\nTo:  \r\n  \r\n x\r\r\n\r\n",
		"A b SIP/3.0\r\nv:\r\n\r\n", "A  b SIP/2.0\r\n\r\n", "A b SIP/2.0\r\nTo\x00: x\r\nSupported\x00\x00: x\r\n\r\n",
		"A b sip/2.00\r\n\r\n", "A \tb SIP/2.1\r\n\r\n",
		"A sip:u@[::1]:5 SIP/2.0\r\nv: SIP/2.0/UDP [::1]:5060;branch=z9hG4bK, sip/2.0/tls a\r\ni: a\r\nCSeq: 1 A\r\n" +
			"f: <sip:a>;tag=1\r\nt: b<sip:b>\r\nl: 0\r\nRoute: <sip:a;lr>,\r\n <sip:b,c>;x=\",\"\r\nRoute: <x:y>\r\n" +
			"\r\n",
		"A b SIP/2.0\r\nMax-Breadth: 60\r\n\r\n", "A b SIP/2.0\r\nmax-breadth: 6x\r\n\r\n",
		"A sip:a SIP/2.0\r\nCall-ID: x\r\n" +
			"Via: SIP/2.0/UDP h;ttl=3;maddr=m;received=1.2.3.4;rport=7;branch=\"q\\\"\"\r\n\r\n",
	} {
		all = append(all, []byte(s))
	}
	return all
}

// dirty is reused by every run, so that whatever a message leaves behind meets the next one.
var dirty Message

func FuzzParse(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var fresh Message
		want := plainParse(b)
		if r := fresh.Parse(b); r != want.reason {
			t.Fatalf("Parse: %v, plain %v", r, want.reason)
		}
		agree(t, &fresh, want)
		shape := describe(&fresh)
		if had := hasPlain; setPlain(false) {
			var plain Message
			if r := plain.Parse(b); r != want.reason || describe(&plain) != shape {
				t.Fatalf("Parse without assembly: %v\n%s\nwith:\n%s", r, describe(&plain), shape)
			}
			setPlain(had)
		}
		if r := dirty.Parse(b); r != want.reason {
			t.Fatalf("Parse into a used Message: %v, plain %v", r, want.reason)
		}
		if got := describe(&dirty); got != shape {
			t.Fatalf("a used Message differs:\n%s\nfresh:\n%s", got, shape)
		}
	})
}

// agree holds every index and field against the plain reader, and every span against the input.
func agree(t *testing.T, m *Message, want *plainMessage) {
	t.Helper()
	b := want.raw
	inside := func(what string, s Span) {
		if s.Off > s.End() || int(s.End()) > len(b) {
			t.Fatalf("%s %v outside of %d bytes", what, s, len(b))
		}
	}
	for _, s := range []Span{m.StartLine, m.MethodName, m.URI, m.Phrase} {
		inside("start line", s)
	}
	if want.ended && m.Control != want.control {
		t.Fatalf("control characters: %v, plain %v", m.Control, want.control)
	}
	if len(m.Headers) != len(want.rows) {
		t.Fatalf("%d rows, plain %d", len(m.Headers), len(want.rows))
	}
	for i, h := range m.Headers {
		w := want.rows[i]
		if h.Line != w.line || h.Name != w.name || h.Value != w.value || h.Kind != w.kind || h.Folded != w.folded {
			t.Fatalf("row %d: %+v, plain %+v", i, h, w)
		}
		inside("line", h.Line)
		if h.Value.Off < h.Line.Off || h.Value.End() > h.Line.End() {
			t.Fatalf("row %d: value %v outside of line %v", i, h.Value, h.Line)
		}
	}
	if m.HeaderStart > m.HeaderEnd || m.HeaderEnd > m.BodyStart || int(m.BodyStart) > len(b) {
		t.Fatalf("headers %d to %d, body %d of %d", m.HeaderStart, m.HeaderEnd, m.BodyStart, len(b))
	}
	for k := KindOther; k < NumKinds; k++ {
		n := 0
		last := -1
		for i := m.First(k); i >= 0; i = m.Next(i) {
			if i <= last || m.Headers[i].Kind != k {
				t.Fatalf("chain of %v is at %d after %d", k, i, last)
			}
			last = i
			n++
		}
		if w := len(want.of(k)); n != w || m.Has(k) != (w > 0) || m.HasMany(k) != (w > 1) {
			t.Fatalf("%d rows of %v, plain %d", n, k, w)
		}
	}
	body := m.Body()
	if len(b) > 0 && len(body) > 0 && &body[0] != &b[m.BodyStart] {
		t.Fatal("Body is not a view of the input")
	}
	if want.reason != OK {
		if want.reason != Empty && want.reason != TooLarge {
			m.Check() // must survive
			if got := string(m.MethodBytes()); m.IsRequest && got != want.method {
				t.Fatalf("method %q, plain %q", got, want.method)
			}
			if int(m.HeaderStart) != want.headerStart || int(m.HeaderEnd) != want.headerEnd ||
				int(m.BodyStart) != want.bodyAt {
				t.Fatalf("sections %d %d %d, plain %d %d %d", m.HeaderStart, m.HeaderEnd, m.BodyStart, want.headerStart,
					want.headerEnd, want.bodyAt)
			}
		}
		return
	}
	if int(m.HeaderStart) != want.headerStart || int(m.HeaderEnd) != want.headerEnd || int(m.BodyStart) != want.bodyAt {
		t.Fatalf("sections %d %d %d, plain %d %d %d", m.HeaderStart, m.HeaderEnd, m.BodyStart, want.headerStart,
			want.headerEnd, want.bodyAt)
	}
	if m.IsRequest != want.isRequest || int(m.Status) != want.status ||
		string(m.MethodBytes()) != want.method || string(m.Bytes(m.URI)) != want.uri ||
		string(m.Bytes(m.Phrase)) != want.phrase {
		t.Fatalf("start line: %q %q %d %q, plain %q %q %d %q", m.MethodBytes(), m.Bytes(m.URI), m.Status,
			m.Bytes(m.Phrase), want.method, want.uri, want.status, want.phrase)
	}
	if m.IsRequest && (m.Method == MethodOther) == (m.Method.String() == want.method) {
		t.Fatalf("method %v for %q", m.Method, want.method)
	}
	if r, w := m.Check(), want.check(); r != w {
		t.Fatalf("Check: %v, plain %v", r, w)
	}
	n, r := m.MaxBreadth()
	if w, wr := want.maxBreadth(); n != w || r != wr {
		t.Fatalf("Max-Breadth: %d %v, plain %d %v", n, r, w, wr)
	}
	if m.Has(KindVia) {
		if w, ok := want.topVia(); ok {
			agreeVia(t, m.Raw, mustVia(t, m), w)
		}
	}
	agreeHeaderReaders(t, m)
	for _, k := range []Kind{KindVia, KindRoute, KindRecordRoute, KindContact, KindSupported, KindProxyRequire,
		KindPath} {
		agreeValues(t, m, want, k)
	}
	if want.check() == OK {
		agreeFields(t, m, want)
	}
}

// agreeHeaderReaders holds NameAddr, NameAddrURI and ParseURI of the message against the functions,
// for every value and for pieces of it.
func agreeHeaderReaders(t *testing.T, m *Message) {
	t.Helper()
	f := func(s Span) {
		t.Helper()
		var a, wantA NameAddr
		r, want := m.NameAddr(s, &a), ParseNameAddr(m.Raw, s, &wantA)
		if good := a.good; good {
			var u URI
			if r := ParseURI(a.URI.Of(m.Raw), &u); r != OK {
				t.Fatalf("%q: the URI counts as good, ParseURI says %v", s.Of(m.Raw), r)
			}
		}
		a.good = false
		if r != want || a != wantA {
			t.Fatalf("NameAddr(%q): %v %+v, want %v %+v", s.Of(m.Raw), r, a, want, wantA)
		}
		var u, wantU URI
		r = m.NameAddrURI(s, &u)
		if want == OK {
			want = ParseURI(wantA.URI.Of(m.Raw), &wantU)
		}
		if r != want || r == OK && !sameURI(&u, &wantU) {
			t.Fatalf("NameAddrURI(%q): %v %+v, want %v %+v", s.Of(m.Raw), r, u, want, wantU)
		}
		r, want = m.ParseURI(s, &u), ParseURI(s.Of(m.Raw), &wantU)
		if r != want || !sameURI(&u, &wantU) {
			t.Fatalf("ParseURI(%q): %v %+v, want %v %+v", s.Of(m.Raw), r, u, want, wantU)
		}
	}
	f(m.URI)
	for i := range m.Headers {
		v := m.Headers[i].Value
		f(v)
		for n := range min(v.Len, 100) {
			f(Span{v.Off, n})
			f(Span{v.Off + n, v.Len - n})
		}
		if i == 20 {
			break
		}
	}
	f(Span{m.BodyStart, uint32(len(m.Raw)) - m.BodyStart})
}

func sameURI(a, b *URI) bool {
	x, y := *a, *b
	x.Raw, y.Raw = nil, nil
	return bytes.Equal(a.Raw, b.Raw) && reflect.DeepEqual(x, y)
}

func mustVia(t *testing.T, m *Message) *Via {
	t.Helper()
	v, r := m.TopVia()
	if r != OK {
		t.Fatalf("TopVia: %v, but the plain reader takes it", r)
	}
	if int(v.Cut.End()) > len(m.Raw) || v.ParamsEnd() > v.Cut.End() {
		t.Fatalf("TopVia: cut %v of value %v", v.Cut, v.Value)
	}
	return v
}

func agreeVia(t *testing.T, b []byte, v *Via, w plainViaValue) {
	t.Helper()
	got := plainViaValue{string(v.TransportName.Of(b)), string(v.Host.Of(b)), string(v.Branch.Of(b)),
		string(v.Received.Of(b)), string(v.MAddr.Of(b)),
		int(v.Port), int(v.RPort), int(v.TTL), v.RPortParam.Len > 0}
	if got != w {
		t.Fatalf("Via: %+v, plain %+v", got, w)
	}
	if v.HasCookie != strings.HasPrefix(w.branch, "z9hG4bK") {
		t.Fatalf("HasCookie %v for %q", v.HasCookie, w.branch)
	}
	if v.Value.Len > 0 && (v.Params.Len > 0 && v.Params.End() != v.Value.End() || v.SentBy.End() > v.Value.End()) {
		t.Fatalf("Via: value %v, sent-by %v, params %v", v.Value, v.SentBy, v.Params)
	}
}

// agreeValues compares the walk over a list with the plain split, and what is left after a cut.
func agreeValues(t *testing.T, m *Message, want *plainMessage, k Kind) {
	t.Helper()
	var plain []string
	clean := true
	for _, row := range want.of(k) {
		if row.value.Len == 0 && k == KindSupported {
			continue
		}
		values, ok := plainSplit(string(row.value.Of(want.raw)))
		plain = append(plain, values...)
		if clean = ok; !ok {
			break
		}
	}
	var cuts []Span
	i := 0
	v := m.Values(k)
	for ; v.Next(); i++ {
		if i >= len(plain) || string(m.Bytes(v.Value)) != plain[i] {
			t.Fatalf("%v value %d: %q, plain %q", k, i, m.Bytes(v.Value), plain)
		}
		cuts = append(cuts, v.Cut)
	}
	if v.Next() || (v.Reason == OK) != clean {
		t.Fatalf("%v: the walk ends with %v after %d, plain %v %q", k, v.Reason, i, clean, plain)
	}
	if !clean {
		// the plain list may hold one more: it looks at an element before the comma behind it
		return
	}
	if i != len(plain) {
		t.Fatalf("%v: %d values, plain %q", k, i, plain)
	}
	for i, cut := range cuts[:min(len(cuts), 4)] {
		rest := append(append([]byte{}, m.Raw[:cut.Off]...), m.Raw[cut.End():]...)
		var left Message
		if r := left.Parse(rest); r != OK {
			t.Fatalf("without %v %d: %v\n%q", k, i, r, rest)
		}
		j := 0
		for v := left.Values(k); v.Next(); j++ {
			if j == i {
				j++
			}
			// A carriage return alone that ends the value in front of the cut joins a line feed
			// alone behind it: together they are a line end.
			if got := string(left.Bytes(v.Value)); got != plain[j] &&
				(j != i-1 || got != strings.TrimSuffix(plain[j], "\r")) {
				t.Fatalf("without %v %d: value %d is %q, want %q", k, i, j, got, plain[j])
			}
		}
		if j == i {
			j++
		}
		if j != len(plain) {
			t.Fatalf("without %v %d: %d values left of %d\n%q", k, i, j-1, len(plain), rest)
		}
	}
}

// describe is everything a Message says, as text.
func describe(m *Message) string {
	var s strings.Builder
	fmt.Fprintln(&s, m.StartLine, m.MethodName, m.URI, m.Phrase, m.HeaderStart, m.HeaderEnd, m.BodyStart, m.Status,
		m.Method, m.IsRequest, m.Control, m.Headers, m.seen, m.twice)
	if m.IsRequest || m.Status != 0 {
		fmt.Fprintln(&s, m.Check())
	}
	m.From()
	m.To()
	m.from.good, m.to.good = false, false // a shortcut, unset on machines that do not take it
	via, r := m.TopVia()
	fmt.Fprintln(&s, r)
	if r == OK {
		fmt.Fprintf(&s, "%+v\n", *via)
	}
	cseq, r := m.CSeq()
	fmt.Fprintln(&s, cseq, r)
	from, r := m.From()
	fmt.Fprintf(&s, "%+v %v\n", *from, r)
	to, r := m.To()
	fmt.Fprintf(&s, "%+v %v\n", *to, r)
	mf, r := m.MaxForwards()
	fmt.Fprintln(&s, mf, r)
	mb, r := m.MaxBreadth()
	fmt.Fprintln(&s, mb, r)
	cl, r := m.ContentLength()
	fmt.Fprintln(&s, cl, r, len(m.Body()))
	uri, r := m.RequestURI()
	fmt.Fprintf(&s, "%+v %v\n", *uri, r)
	return s.String()
}

func FuzzVia(f *testing.F) {
	for _, s := range []string{
		"SIP/2.0/UDP h", "SIP / 2.0 / TCP  h : 5060 ; branch = z9hG4bKa ;rport", "sip/7.0/x [::1]:1;rport=65536",
		"SIP/2.0/UDP a;branch=z9hG4bK;branch=b",
		"SIP/2.0/UDP a;received=::1;maddr=[::1];ttl=255;x=\"a,b\"", "SIP/2.0/UDP a;ttl=256", "SIP/2.0/UDP a;;",
		"SIP/2.0/UDP a:0", "SIP/2.0/ UDP a", "SIP/2.0/UDP\r\n a;branch=\r\n\tz9hG4bK1",
	} {
		f.Add(s)
	}
	var v Via
	f.Fuzz(func(t *testing.T, s string) {
		if i, j := plainTrim([]byte(s), 0, len(s)); i != 0 || j != len(s) {
			return // a value comes trimmed
		}
		if values, ok := plainSplit(s); !ok || len(values) != 1 {
			return
		}
		b := []byte("......" + s + ",;=")
		r := ParseVia(b, span(6, 6+len(s)), &v)
		w, ok := plainParseVia(s)
		if (r == OK) != ok {
			t.Fatalf("%q: %v, plain %v", s, r, ok)
		}
		if ok {
			agreeVia(t, b, &v, w)
		}
	})
}

func FuzzNameAddr(f *testing.F) {
	for _, s := range []string{
		"sip:a@b", "<sip:a@b>", "\"q\\\"\" <sip:a@b>;tag=1;x", "a b c<sip:a>", "a, b <sip:a>", "sip:a;tag=1;tag=2",
		"<sip:a", "sip:a b", "<isbn:1>; tag = \"x\"", "a <b>", "<a:>",
		"\"Mr. J. User <sip:j@x>", "< sip:a >", "sip:a;x=\"<\"", "\xc3\xa9 <sip:a>", "<sip:a>;tag=", "<sip:a>;tag=<b>",
		"<sip:a>;;x=<y>; ;tag=1;", "sip:a;;tag", "sip:a?b=c", "tel:+1;tag=1",
	} {
		f.Add(s)
	}
	var a NameAddr
	f.Fuzz(func(t *testing.T, s string) {
		if i, j := plainTrim([]byte(s), 0, len(s)); i != 0 || j != len(s) {
			return
		}
		b := []byte("......" + s + ">;\"")
		r := ParseNameAddr(b, span(6, 6+len(s)), &a)
		w, ok := plainParseNameAddr(s)
		if (r == OK) != ok {
			t.Fatalf("%q: %v, plain %v", s, r, ok)
		}
		if !ok {
			return
		}
		got := plainNameAddrValue{string(a.Display.Of(b)), string(a.URI.Of(b)), string(a.Tag.Of(b)), a.Bracket}
		if got != w {
			t.Fatalf("%q: %+v, plain %+v", s, got, w)
		}
		if v, whole, ok := Param(b, a.Params, "tag"); ok != (a.Tag.Off != 0) ||
			ok && (string(v.Of(b)) != w.tag || b[whole.Off] != ';' || whole.End() != a.Tag.End()) {
			t.Fatalf("%q: Param gives %v %v %v", s, v, whole, ok)
		}
	})
}

func FuzzURI(f *testing.F) {
	for _, s := range []string{
		"sip:a@b", "sips:u:p@[2001:db8::1]:5061;transport=tls;lr?a=b&c=d", "tel:+1-2;phone-context=x",
		"urn:service:sos", "isbn:1", "sip:@b", "sip:a@b@c", "sip::p@h", "sip:h:0", "sip:h:65536", "sip:h;;x",
		"sip:user;par=u%40example.net@example.com",
		"sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
		"sip:h?", "sip:", ":", "sip:h:", "<sip:a>", "sip:a%00b@h", "sip:a@h ;lr",
	} {
		f.Add(s)
	}
	var u URI
	f.Fuzz(func(t *testing.T, s string) {
		b := []byte(s)
		r := ParseURI(b, &u)
		w, ok := plainParseURI(s)
		if (r == OK) != ok {
			t.Fatalf("%q: %v, plain %v", s, r, ok)
		}
		for _, sp := range []Span{u.SchemeName, u.User, u.Password, u.Host, u.Params, u.Headers, u.Opaque} {
			if sp.Off > sp.End() || int(sp.End()) > len(b) {
				t.Fatalf("%q: span %v", s, sp)
			}
		}
		if !ok {
			return
		}
		got := plainURIValue{strings.ToLower(string(u.SchemeName.Of(b))), string(u.UserBytes()),
			string(u.Password.Of(b)), string(u.HostBytes()),
			string(u.Params.Of(b)), string(u.Headers.Of(b)), int(u.Port), u.HasHeaders}
		if got != w {
			t.Fatalf("%q: %+v, plain %+v", s, got, w)
		}
		if _, lr := u.Param("lr"); lr != plainHasParam(w.params, "lr") || u.LR() != lr {
			t.Fatalf("%q: lr %v", s, lr)
		}
		u.EffectivePort()
	})
}

func plainHasParam(params, name string) bool {
	for _, p := range strings.Split(params, ";") {
		n, _, _ := strings.Cut(p, "=")
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

func FuzzHostIP(f *testing.F) {
	for _, s := range []string{"1.2.3.4", "01.2.3.4", "1.2.3.256", "::", "::1", "1::", "1:2:3:4:5:6:7:8",
		"1:2:3:4:5:6:7::", "::ffff:1.2.3.4", "1::2::3", "[::1]", "12345::", "::1%eth0", "1:2", "a.b", "1:::1.2.3.4",
		":::1.2.3.4", "1:::1.2.3.4.5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := HostIP([]byte(s))
		bare := s
		if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") && len(s) >= 2 {
			bare = s[1 : len(s)-1]
			if !strings.Contains(bare, ":") {
				bare = "" // brackets are for IPv6
			}
		}
		if head, tail, found := strings.Cut(bare, ":::"); found && head != "" {
			if v4, err := netip.ParseAddr(tail); err == nil && v4.Is4() {
				bare = head + "::" + tail // RFC 5118 §4.10; net/netip does not take it
			}
		}
		want, err := netip.ParseAddr(bare)
		if wantOK := err == nil && want.Zone() == ""; ok != wantOK || ok && got != want {
			t.Fatalf("%q: %v %v, net/netip %v %v", s, got, ok, want, err)
		}
	})
}

// FuzzLines holds the assembly against the Go loop and both against one byte at a time.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\r\nb\n\n\nc"))
	f.Add(bytes.Repeat([]byte{'\n'}, 600))
	f.Add(bytes.Repeat([]byte("a\r\nb\n\n\ncccccccccccccccccc@cccccccccccccc"), 200))
	f.Add(allBytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, p := range []int{0, len(b) / 2} {
			fast := agreeLines(t, b, p)
			had := hasPlain
			if !setPlain(false) {
				continue
			}
			swar := agreeLines(t, b, p)
			setPlain(had)
			if !slices.Equal(fast, swar) {
				t.Fatalf("from %d: %v, Go %v", p, fast, swar)
			}
		}
	})
}

// allBytes is each byte value once.
func allBytes() (b []byte) {
	for c := range 256 {
		b = append(b, byte(c))
	}
	return b
}

// agreeLines walks over b from p on, stretch by stretch, and returns the entries and where each
// stretch ended. Then it walks again, line by line.
func agreeLines(t *testing.T, b []byte, p int) (seen []int) {
	t.Helper()
	var l lines
	l.scanned = p &^ (blockBytes - 1)
	for from := l.scanned; l.scanned < len(b); from = l.scanned {
		l.find(b)
		var want []int
		for i := from; i < min(l.scanned, len(b)-1); i++ {
			if isControl(b[i]) && (i == 0 || i == p&^(blockBytes-1) || !isControl(b[i-1])) {
				want = append(want, i)
			}
		}
		var got []int
		for ; l.next < l.n; l.next++ {
			got = append(got, int(l.end[l.next]))
		}
		if from == p&^(blockBytes-1) && from > 0 && isControl(b[from]) && isControl(b[from-1]) {
			want = want[1:]
		}
		if !slices.Equal(got, want) {
			t.Fatalf("from %d to %d of %q: %v, want %v", from, l.scanned, b, got, want)
		}
		for i := p &^ 63; hasPlain && i < min(l.scanned, len(b)); i++ {
			end := run(b, i, classHost)
			if got := l.plain(i); got > end || got < min(end, i+57, max(i, plainBlocks*blockBytes)) && got < l.scanned {
				t.Fatalf("plain(%d) = %d of %q, want %d", i, got, b[i:], end)
			}
		}
		seen = append(append(seen, got...), -l.scanned)
	}
	for p < len(b) && (b[p] == '\r' || b[p] == '\n') {
		p++
	}
	if p == len(b) {
		return seen
	}
	for lf, odd := l.first(b, p); ; lf, odd = l.lineEnd(b, p) {
		if n := bytes.IndexByte(b[p:], '\n'); n < 0 && lf >= 0 || n >= 0 && lf != p+n {
			t.Fatalf("the line from %d of %q ends at %d, want %d further", p, b, lf, n)
		}
		if lf < 0 {
			return seen
		}
		if line := b[p : lf+1]; !odd && bytes.ContainsFunc(bytes.TrimSuffix(line, []byte("\r\n")),
			func(r rune) bool { return r != '\t' && r < ' ' || r == 0x7f }) {
			t.Fatalf("%q is not odd", line)
		}
		if p = lf + 1; isCRLF(b, p) {
			p += 2 // an empty line, which no one asks for
		}
	}
}

// FuzzScans holds the eight-bytes-at-a-time scans against the table, one byte at a time and
// strconv.
func FuzzScans(f *testing.F) {
	f.Add([]byte("abcdefghijklmno\x7f"))
	f.Add([]byte("<>\",;=\xff\xff\x00!#"))
	f.Add([]byte("Port: 01234567890123/:999999999x5060"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for i := range b {
			for e := i; e <= len(b) && e < i+12; e++ {
				want := -1
				if n, err := strconv.Atoi(string(b[i:e])); err == nil && e-i <= 8 && e >= 8 &&
					plainDigits.Match(b[i:e]) {
					want = n
				}
				if got := decimal(b, i, e); got != want {
					t.Fatalf("decimal(%q) = %d, want %d", b[i:e], got, want)
				}
			}
			mark := bytes.IndexAny(b[i:], ",\"<") + i
			if mark < i {
				mark = len(b)
			}
			if got := listMark(b, i); got != mark {
				t.Fatalf("listMark(%q, %d) = %d, want %d", b, i, got, mark)
			}
			if got, want := uriRun(b, i), run(b, i, classURI); got != want {
				t.Fatalf("uriRun(%q, %d) = %d, want %d", b, i, got, want)
			}
		}
	})
}
