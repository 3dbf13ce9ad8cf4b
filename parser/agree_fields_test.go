package parser

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"viaduct/tools/messages"
)

// agreeFields holds every field of a message that Check takes against the plain reader, and every
// value of the lists that forwarding reads: FuzzVia, FuzzNameAddr and FuzzURI do so for values
// alone, this for values where they stand, behind folds, compact names and commas.
func agreeFields(t *testing.T, m *Message, want *plainMessage) {
	t.Helper()
	text := func(k Kind) string { return string(want.of(k)[0].value.Of(want.raw)) }
	if got := string(m.CallID()); got != text(KindCallID) {
		t.Fatalf("Call-ID %q, plain %q", got, text(KindCallID))
	}
	f := plainCSeq.FindStringSubmatch(text(KindCSeq))
	cseq, _ := m.CSeq()
	if n, err := strconv.ParseUint(f[1], 10, 32); err != nil || uint64(cseq.Number) != n ||
		string(m.Bytes(cseq.MethodName)) != f[2] || cseq.Method != plainMethod(f[2]) {
		t.Fatalf("CSeq %d %v %q, plain %q", cseq.Number, cseq.Method, m.Bytes(cseq.MethodName), f[1:])
	}
	if m.IsRequest && m.Method != plainMethod(want.method) {
		t.Fatalf("method %v for %q", m.Method, want.method)
	}
	hops, _ := m.MaxForwards()
	length, _ := m.ContentLength()
	for _, c := range []struct {
		kind Kind
		got  int
		ask  bool
	}{{KindMaxForwards, hops, m.IsRequest}, {KindContentLength, length, true}} {
		n := -1
		if c.ask && len(want.of(c.kind)) > 0 {
			n, _ = strconv.Atoi(text(c.kind))
		}
		if c.ask && c.got != n {
			t.Fatalf("%v %d, plain %d", c.kind, c.got, n)
		}
	}
	body := want.raw[want.bodyAt:]
	if length >= 0 {
		body = body[:length]
	}
	if !bytes.Equal(m.Body(), body) {
		t.Fatalf("body %q, plain %q", m.Body(), body)
	}
	if m.IsRequest {
		u, _ := m.RequestURI()
		w, _ := plainParseURI(want.uri)
		agreeURI(t, u, w)
		from, _ := m.From()
		agreeNameAddr(t, m, from, text(KindFrom))
		to, _ := m.To()
		agreeNameAddr(t, m, to, text(KindTo))
	}
	agreeLists(t, m)
}

// agreeLists compares what stands in the values of the lists. Where the list is cut at all,
// agreeValues has seen to.
func agreeLists(t *testing.T, m *Message) {
	t.Helper()
	for v := m.Values(KindVia); v.Next(); {
		var via Via
		r := ParseVia(m.Raw, v.Value, &via)
		w, ok := plainParseVia(string(m.Bytes(v.Value)))
		if (r == OK) != ok {
			t.Fatalf("Via %q: %v, plain %v", m.Bytes(v.Value), r, ok)
		}
		if ok {
			agreeVia(t, m.Raw, &via, w)
		}
	}
	for _, k := range []Kind{KindRoute, KindRecordRoute, KindContact, KindPath, KindPAssertedIdentity} {
		for v := m.Values(k); v.Next(); {
			var a NameAddr
			r := ParseNameAddr(m.Raw, v.Value, &a)
			_, ok := plainParseNameAddr(string(m.Bytes(v.Value)))
			if (r == OK) != ok {
				t.Fatalf("%v %q: %v, plain %v", k, m.Bytes(v.Value), r, ok)
			}
			if ok {
				agreeNameAddr(t, m, &a, string(m.Bytes(v.Value)))
			}
		}
	}
}

// agreeNameAddr compares a name-addr that both take, the URI in it and the parameters behind it.
func agreeNameAddr(t *testing.T, m *Message, a *NameAddr, text string) {
	t.Helper()
	w, ok := plainParseNameAddr(text)
	got := plainNameAddrValue{string(m.Bytes(a.Display)), string(m.Bytes(a.URI)), string(m.Bytes(a.Tag)), a.Bracket}
	if !ok || got != w {
		t.Fatalf("%q: %+v, plain %+v %v", text, got, w, ok)
	}
	var u URI
	r := ParseURI(m.Bytes(a.URI), &u)
	plain, ok := plainParseURI(w.uri)
	if (r == OK) != ok {
		t.Fatalf("URI %q: %v, plain %v", w.uri, r, ok)
	}
	if ok {
		agreeURI(t, &u, plain)
	}
	params, doubled := plainParams(string(m.Bytes(a.Params)))
	for name, value := range params {
		if doubled[name] {
			continue
		}
		v, whole, ok := Param(m.Raw, a.Params, name)
		if !ok || string(m.Bytes(v)) != value || m.Raw[whole.Off] != ';' {
			t.Fatalf("%q: Param(%q) gives %q %v, plain %q", text, name, m.Bytes(v), ok, value)
		}
	}
}

// agreeURI compares a URI that both take, its parameters one by one.
func agreeURI(t *testing.T, u *URI, w plainURIValue) {
	t.Helper()
	got := plainURIValue{strings.ToLower(string(u.SchemeName.Of(u.Raw))), string(u.UserBytes()),
		string(u.Password.Of(u.Raw)), string(u.HostBytes()),
		string(u.Params.Of(u.Raw)), string(u.Headers.Of(u.Raw)), int(u.Port), u.HasHeaders}
	if got != w {
		t.Fatalf("URI %+v, plain %+v", got, w)
	}
	seen := map[string]bool{}
	for _, p := range strings.Split(w.params, ";") {
		name, value, _ := strings.Cut(p, "=")
		name = strings.ToLower(name)
		if name == "" || seen[name] {
			continue
		}
		seen[name] = true
		if v, ok := u.Param(name); !ok || string(v) != value {
			t.Fatalf("URI parameter %q of %q: %q %v, plain %q", name, w.params, v, ok, value)
		}
	}
	for _, name := range []string{"lr", "maddr", "transport", "r2", "user"} {
		if _, ok := u.Param(name); ok != seen[name] {
			t.Fatalf("URI parameter %q of %q: %v, plain %v", name, w.params, ok, seen[name])
		}
	}
}

// plainMethod is the method by its name, which has a case (§7.1).
func plainMethod(name string) Method {
	for m := MethodOther + 1; m < NumMethods; m++ {
		if m.String() == name {
			return m
		}
	}
	return MethodOther
}

// TestCompactNames: the one-letter names as the RFCs give them, and no other letter. The list is
// written here again, not taken from the table under test.
func TestCompactNames(t *testing.T) {
	long := map[byte]Kind{'v': KindVia, 'f': KindFrom, 't': KindTo, 'i': KindCallID, 'm': KindContact,
		'l': KindContentLength, 'c': KindContentType,
		'e': KindContentEncoding, 's': KindSubject, 'k': KindSupported, 'o': KindEvent, 'u': KindAllowEvents,
		'r': KindReferTo, 'b': KindReferredBy,
		'x': KindSessionExpires, 'a': KindAcceptContact, 'j': KindRejectContact, 'y': KindIdentity}
	for c := byte('a'); c <= 'z'; c++ {
		for _, name := range []byte{c, c - 0x20} {
			if name == 'D' || name == 'd' {
				continue // Request-Disposition: nothing here looks at it
			}
			var m Message
			m.Parse([]byte("A sip:b SIP/2.0\r\n" + string(name) + ": x\r\n\r\n"))
			if len(m.Headers) != 1 || m.Headers[0].Kind != long[c] {
				t.Errorf("%q is taken for %v, want %v", name, m.Headers, long[c])
			}
		}
	}
}

// FuzzGenerated takes messages that are valid because they were made so from the grammar: the
// parser must take each, and find in it what was put there. FuzzParse cannot tell whether both
// readers are wrong in the same way; this can.
func FuzzGenerated(f *testing.F) {
	for seed := range 20 {
		f.Add(bytes.Repeat([]byte{byte(seed * 13), byte(seed), 200}, seed*5))
	}
	env := messages.Env{Proxy: "127.0.0.1:5060", Caller: "127.0.0.1:6000", Callee: "127.0.0.1:7000", ID: "g1"}
	f.Fuzz(func(t *testing.T, b []byte) {
		src := messages.FromBytes(b)
		made := messages.Request(src, env, src.One(messages.Methods...), src.Chance(50))
		generated(t, made)
		generated(t, messages.Response(src, env, made, 100+src.N(256)*599/256, "g"))
	})
}

func generated(t *testing.T, made *messages.Message) {
	t.Helper()
	b := made.Bytes()
	want := plainParse(b)
	if r := dirty.Parse(b); r != OK || want.reason != OK {
		t.Fatalf("Parse: %v, plain %v\n%s", r, want.reason, b)
	}
	if r := dirty.Check(); r != OK {
		t.Fatalf("Check: %v\n%s", r, b)
	}
	agree(t, &dirty, want)
	if string(dirty.MethodBytes()) != made.Method || string(dirty.Bytes(dirty.URI)) != made.URI ||
		int(dirty.Status) != made.Status || string(dirty.Body()) != made.Body {
		t.Fatalf("%q %q %d and %d bytes of body\n%s", dirty.MethodBytes(), dirty.Bytes(dirty.URI), dirty.Status,
			len(dirty.Body()), b)
	}
	for i, h := range dirty.Headers {
		if string(dirty.Bytes(h.Name)) != made.Rows[i].Name || string(dirty.Bytes(h.Line)) != made.Rows[i].Line {
			t.Fatalf("row %d is %q, made as %q", i, dirty.Bytes(h.Line), made.Rows[i].Line)
		}
	}
	for k, header := range map[Kind]string{
		KindVia: "Via", KindRoute: "Route", KindRecordRoute: "Record-Route", KindContact: "Contact",
		KindSupported: "Supported", KindAllow: "Allow",
	} {
		values := made.All(header)
		i := 0
		v := dirty.Values(k)
		for ; v.Next(); i++ {
			if i >= len(values) || string(dirty.Bytes(v.Value)) != values[i] {
				t.Fatalf("%s %d is %q, made as %q", header, i, dirty.Bytes(v.Value), values)
			}
		}
		if v.Reason != OK || i != len(values) {
			t.Fatalf("%s ends with %v after %d of %q", header, v.Reason, i, values)
		}
	}
	for k, header := range map[Kind]string{
		KindFrom: "From", KindTo: "To", KindCallID: "Call-ID", KindCSeq: "CSeq", KindMaxForwards: "Max-Forwards",
		KindContentLength: "Content-Length",
	} {
		if got := string(dirty.ValueOf(k)); got != made.Get(header) {
			t.Fatalf("%s is %q, made as %q", header, got, made.Get(header))
		}
	}
	if made.Status > 0 {
		return
	}
	for header, read := range map[string]func() (*NameAddr, Reason){"From": dirty.From, "To": dirty.To} {
		a, r := read()
		tag, has := messages.Param(made.Get(header), "tag")
		if r != OK || string(dirty.Bytes(a.Tag)) != tag || a.Tag.Empty() == has {
			t.Fatalf("%s %q: %v, tag %q, made as %q", header, made.Get(header), r, dirty.Bytes(a.Tag), tag)
		}
	}
	via, _ := dirty.TopVia()
	branch, _ := messages.Param(made.Get("Via"), "branch")
	if _, rport := messages.Param(made.Get("Via"), "rport"); string(dirty.Bytes(via.Branch)) != branch ||
		via.RPortParam.Empty() == rport {
		t.Fatalf("branch %q, rport %v of %q", dirty.Bytes(via.Branch), !via.RPortParam.Empty(), made.Get("Via"))
	}
}
