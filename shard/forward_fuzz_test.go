package shard

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"viaduct/parser"
	"viaduct/tools/messages"
)

// forwardEnv are the parties of FuzzForward.
var forwardEnv = messages.Env{Proxy: "127.0.0.1:5060", Caller: "127.0.0.1:6000", Callee: "127.0.0.1:7000", ID: "f1"}

// forwarding is one request made up, sent through the real path, answered and ended.
type forwarding struct {
	*flow
	t       *testing.T
	src     *messages.Source
	req     *messages.Message // as the caller sent it
	fwd     *messages.Message // as the callee got it
	from    string            // where the caller's datagrams come from
	replyTo string            // where the caller's responses must go
	invite  bool
	heard   int // last status above 100 that the caller got; 0: none
}

// FuzzForward sends messages that are valid in every way RFC 3261 §25.1 allows through a shard with
// stateful.cfg. What leaves must be the same message, byte for byte and row for row, but for the
// edits §16.6 and §16.7 ask of a proxy, and the transaction must end and leave nothing.
func FuzzForward(f *testing.F) {
	for seed := range 24 {
		b := make([]byte, 0, 400)
		for i := range seed * 16 {
			b = append(b, byte(i*i*seed+seed*7))
		}
		f.Add(b)
	}
	config, err := os.ReadFile("testdata/stateful.cfg")
	if err != nil {
		f.Fatal(err)
	}
	fl := newFlow(f, string(config), "", 16<<20)
	f.Fuzz(func(t *testing.T, b []byte) {
		fl.t = t
		fl.sent = nil
		clear(fl.lastTo)
		w := &forwarding{flow: fl, t: t, src: messages.FromBytes(b)}
		w.story()
		fl.endsClean()
		fl.sent = nil
	})
}

// story is the whole of it.
func (w *forwarding) story() {
	s := w.src
	inDialog := s.Chance(50)
	method := s.One(messages.Methods...)
	if inDialog && s.Chance(10) {
		method = "ACK" // to a 2xx
	}
	w.req = messages.Request(s, forwardEnv, method, inDialog)
	w.invite = w.req.Method == "INVITE"
	w.from = forwardEnv.Caller
	if s.Chance(25) {
		w.from = "127.0.0.9:6001"
	}
	w.replyTo = w.responsesGoTo()
	w.receive(w.from, w.req.Bytes())
	w.fwd = w.forwarded(w.take(), inDialog)
	if s.Chance(30) {
		w.receive(w.from, w.req.Bytes())
		w.repeatedBeforeAnswer(w.take())
	}
	if method == "ACK" {
		return
	}
	if w.invite && s.Chance(10) {
		// §16.11: stable; what was forwarded is a valid message again.
		var m parser.Message
		if r := m.Parse(w.fwd.Bytes()); r != parser.OK {
			w.t.Fatalf("forwarded: %v", r)
		}
	}
	for range s.N(3) {
		w.answer([...]int{100, 180, 183, 199}[s.N(4)])
	}
	if w.invite && w.heard > 0 && s.Chance(25) {
		w.cancel()
	}
	finals := [...]int{200, 200, 202, 299, 301, 302, 401, 404, 407, 408, 480, 486, 487, 500, 503, 580, 600, 603, 699}
	w.answer(finals[s.N(len(finals))])
}

// datagram is one that left.
type datagram struct {
	to string
	*messages.Message
	raw string
}

// take gives what left since, each of which must be a message the parser takes whole.
func (w *forwarding) take() (out []datagram) {
	w.t.Helper()
	for _, d := range w.sent {
		var m parser.Message
		r := m.Parse(d.bytes)
		if r == parser.OK {
			r = m.Check()
		}
		if r != parser.OK {
			w.t.Fatalf("left, and is malformed: %v\n%s\nafter\n%s", r, d.bytes, w.req.Bytes())
		}
		out = append(out, datagram{d.to, messages.Read(d.bytes), string(d.bytes)})
	}
	w.sent = w.sent[:0]
	return out
}

func (w *forwarding) fatalf(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf(format+"\nrequest from %s:\n%s", append(args, w.from, w.req.Bytes())...)
}

// responsesGoTo is §18.2.2 and RFC 3581 §4: the address it came from; the port too with rport, else
// that of sent-by.
func (w *forwarding) responsesGoTo() string {
	from := netip.MustParseAddrPort(w.from)
	via := w.req.Get("Via")
	if _, rport := messages.Param(via, "rport"); rport {
		return w.from
	}
	sentBy, _, _ := strings.Cut(via, ";")
	port := strings.TrimSpace(sentBy[strings.LastIndexByte(sentBy, ':')+1:])
	return from.Addr().String() + ":" + port
}

// forwarded checks what left for the request: one copy to the callee, and a 100 if it is an INVITE.
func (w *forwarding) forwarded(out []datagram, inDialog bool) *messages.Message {
	w.t.Helper()
	var fwd *messages.Message
	trying := 0
	for _, d := range out {
		switch {
		case d.Status == 100 && d.to == w.replyTo:
			trying++
			w.own(d, w.req)
		case d.Method == w.req.Method && d.to == forwardEnv.Callee && fwd == nil:
			fwd = d.Message
		default:
			w.fatalf("left unexpectedly to %s:\n%s", d.to, d.raw)
		}
	}
	if fwd == nil || (trying == 1) != w.invite {
		w.fatalf("%d datagrams left, %d of them 100", len(out), trying)
	}
	if fwd.Start != w.req.Start || fwd.Body != w.req.Body {
		w.fatalf("start line or body changed:\n%s", fwd.Bytes())
	}
	want := w.afterOurRoute()
	head := len(fwd.Rows) - len(want)
	if head < 1 {
		w.fatalf("rows are missing:\n%s", fwd.Bytes())
	}
	w.ourRows(fwd.Rows[:head], inDialog)
	topVia, hops := false, false
	for i, r := range fwd.Rows[head:] {
		sent := want[i]
		switch {
		case r.Line == sent.Line && r.Header != "Max-Forwards" && (r.Header != "Via" || topVia):
		case sent.Header == "Via" && !topVia:
			topVia = true
			w.viaEdited(r, sent)
		case sent.Header == "Max-Forwards" && !hops:
			hops = true
			value := messages.Read([]byte("\r\n" + sent.Line + "\r\n")).Rows[0].Values[0]
			if r.Line != replaceLast(sent.Line, value, fewer(value)) {
				w.fatalf("Max-Forwards %q became %q", sent.Line, r.Line)
			}
		case sent.Header == "Route" && slices.Equal(r.Values, sent.Values) && r.Name == sent.Name:
			// Our own value was cut from the front of this row.
		default:
			w.fatalf("row %q became %q", sent.Line, r.Line)
		}
	}
	return fwd
}

// afterOurRoute are the rows of the request without the Route value that names us, which is the
// first.
func (w *forwarding) afterOurRoute() (rows []messages.Row) {
	done := w.req.Get("Route") == "" || !strings.Contains(w.req.Get("Route"), forwardEnv.Proxy)
	for _, r := range w.req.Rows {
		if r.Header == "Route" && !done {
			done = true
			if len(r.Values) == 1 {
				continue
			}
			r.Values = r.Values[1:]
			r.Line = "" // equals none
		}
		rows = append(rows, r)
	}
	return rows
}

// ourRows checks what stands in front of the request's rows.
func (w *forwarding) ourRows(rows []messages.Row, inDialog bool) {
	w.t.Helper()
	count := map[string]int{}
	for _, r := range rows {
		count[r.Header]++
	}
	via := rows[0]
	branch, _ := messages.Param(via.Values[0], "branch")
	if via.Header != "Via" || len(via.Values) != 1 ||
		!strings.HasPrefix(via.Values[0], "SIP/2.0/UDP "+forwardEnv.Proxy+";") ||
		!strings.HasPrefix(branch, "z9hG4bK") || len(branch) < 20 {
		w.fatalf("the first row is %q", via.Line)
	}
	recordRoute := 0
	if w.invite && !inDialog {
		recordRoute = 1
	}
	maxForwards := 0
	if w.req.Get("Max-Forwards") == "" {
		maxForwards = 1
	}
	// Max-Breadth (RFC 5393) may be among them.
	if count["Via"] != 1 || count["Record-Route"] != recordRoute || count["Max-Forwards"] != maxForwards ||
		count["Max-Breadth"] > 1 ||
		len(rows) != 1+recordRoute+maxForwards+count["Max-Breadth"] {
		w.fatalf("rows in front: %q", rows)
	}
	for _, r := range rows {
		switch v := r.Values[0]; {
		case r.Header == "Record-Route" && v != "<sip:"+forwardEnv.Proxy+";lr>",
			r.Header == "Max-Forwards" && v != "70":
			w.fatalf("row %q in front", r.Line)
		}
	}
}

// viaEdited checks the row of the caller's Via: received and rport may have been added or replaced
// in its first value, nothing else.
func (w *forwarding) viaEdited(got, sent messages.Row) {
	w.t.Helper()
	from := netip.MustParseAddrPort(w.from)
	if got.Name != sent.Name || len(got.Values) != len(sent.Values) || !slices.Equal(got.Values[1:], sent.Values[1:]) {
		w.fatalf("Via row %q became %q", sent.Line, got.Line)
	}
	was, is := sent.Values[0], got.Values[0]
	sentBy, _, _ := strings.Cut(was, ";")
	if s, _, _ := strings.Cut(is, ";"); s != sentBy {
		w.fatalf("Via %q became %q", was, is)
	}
	var want []string
	for _, p := range messages.Params(was) {
		if n, _, _ := strings.Cut(p, "="); !strings.EqualFold(n, "rport") && !strings.EqualFold(n, "received") {
			want = append(want, p)
		}
	}
	_, rport := messages.Param(was, "rport")
	literal := strings.Contains(strings.Join(strings.Fields(sentBy), ""), from.Addr().String())
	if rport || !literal {
		want = append(want, "received="+from.Addr().String())
	}
	if rport {
		want = append(want, "rport="+w.from[strings.LastIndexByte(w.from, ':')+1:])
	}
	if p := messages.Params(is); !slices.Equal(p, want) {
		w.fatalf("Via %q became %q: parameters %q, want %q", was, is, p, want)
	}
}

// own checks a response made here: it has the request's Vias, as edited, its From, Call-ID and
// CSeq, and its To.
func (w *forwarding) own(d datagram, req *messages.Message) {
	w.t.Helper()
	vias, sent := d.All("Via"), req.All("Via")
	if d.to != w.replyTo || len(vias) != len(sent) || !slices.Equal(vias[1:], sent[1:]) ||
		d.Get("From") != req.Get("From") ||
		d.Get("Call-ID") != req.Get("Call-ID") || d.Get("CSeq") != req.Get("CSeq") ||
		!strings.HasPrefix(d.Get("To"), req.Get("To")) {
		w.fatalf("response of our own to %s (want %s):\n%s", d.to, w.replyTo, d.raw)
	}
	w.viaEdited(messages.Row{Values: vias[:1]}, messages.Row{Values: sent[:1]})
}

// repeatedBeforeAnswer checks what a retransmission gets while there is no answer: an INVITE its
// 100 again, an ACK the same way as before.
func (w *forwarding) repeatedBeforeAnswer(out []datagram) {
	w.t.Helper()
	switch {
	case w.invite && len(out) == 1 && out[0].Status == 100 && out[0].to == w.replyTo:
	case w.req.Method == "ACK" && len(out) == 1 && out[0].raw == string(w.fwd.Bytes()):
	case !w.invite && len(out) == 0:
	default:
		w.fatalf("the retransmission made %d datagrams leave", len(out))
	}
}

// answer has the callee answer, twice at times, and checks what leaves.
func (w *forwarding) answer(status int) {
	w.t.Helper()
	resp := messages.Response(w.src, forwardEnv, w.fwd, status, "uas")
	for again := range 1 + w.src.N(2) {
		w.receive(forwardEnv.Callee, resp.Bytes())
		if final := w.answered(resp, w.take(), again == 1); final != nil && final.Status >= 200 && again == 0 {
			w.afterFinal(final)
		}
	}
}

func (w *forwarding) answered(resp *messages.Message, out []datagram, again bool) (passed *messages.Message) {
	w.t.Helper()
	acks := 0
	for _, d := range out {
		switch {
		case d.Method == "ACK" && d.to == forwardEnv.Callee && w.invite && resp.Status >= 300:
			acks++
			w.hopRequest(d, resp)
		case d.Status > 0 && d.to == w.replyTo && passed == nil:
			passed = d.Message
		default:
			w.fatalf("left unexpectedly to %s:\n%s\nafter\n%s", d.to, d.raw, resp.Bytes())
		}
	}
	if (acks == 1) != (w.invite && resp.Status >= 300) {
		w.fatalf("%d ACKs after\n%s", acks, resp.Bytes())
	}
	want := resp.Status >= 200 && (!again || w.invite && resp.Status < 300) ||
		w.invite && resp.Status > 100 && resp.Status < 200
	if resp.Status == 408 && !w.invite {
		want = false // RFC 4320 §4.2
	}
	if (passed != nil) != want {
		w.fatalf("passed on: %v, want %v (again: %v):\n%s", passed != nil, want, again, resp.Bytes())
	}
	if passed != nil {
		w.passedOn(passed, resp)
		w.heard = passed.Status
	}
	return passed
}

// passedOn checks a response on its way up: the same less our Via.
func (w *forwarding) passedOn(got, resp *messages.Message) {
	w.t.Helper()
	start := resp.Start
	if resp.Status == 503 {
		start = "SIP/2.0 500 Server Internal Error" // §16.7 step 6
	}
	rows := slices.Clone(resp.Rows)
	top := slices.IndexFunc(rows, func(r messages.Row) bool { return r.Header == "Via" })
	if len(rows[top].Values) == 1 {
		rows = slices.Delete(rows, top, top+1)
		top = -1
	}
	if got.Start != start || got.Body != resp.Body || len(got.Rows) != len(rows) {
		w.fatalf("response\n%s\nbecame\n%s", resp.Bytes(), got.Bytes())
	}
	for i, r := range got.Rows {
		if i == top && r.Name == rows[i].Name && slices.Equal(r.Values, rows[i].Values[1:]) {
			continue
		}
		if r.Line != rows[i].Line {
			w.fatalf("row %q became %q", rows[i].Line, r.Line)
		}
	}
}

// hopRequest checks an ACK or CANCEL of our own: the INVITE's URI, top Via, From, Call-ID, number
// and Route set (§9.1, §17.1.1.3).
func (w *forwarding) hopRequest(d datagram, final *messages.Message) {
	w.t.Helper()
	number := strings.Fields(w.fwd.Get("CSeq"))[0]
	to := w.fwd.Get("To")
	if final != nil {
		to = final.Get("To")
	}
	cseq := strings.Fields(d.Get("CSeq"))
	if d.URI != w.fwd.URI || len(d.All("Via")) != 1 || d.Get("Via") != w.fwd.Get("Via") ||
		d.Get("From") != w.fwd.Get("From") || d.Get("To") != to ||
		d.Get("Call-ID") != w.fwd.Get("Call-ID") || !slices.Equal(d.All("Route"), w.fwd.All("Route")) ||
		len(cseq) != 2 ||
		strings.TrimLeft(cseq[0], "0") != strings.TrimLeft(number, "0") || cseq[1] != d.Method || d.Body != "" {
		w.fatalf("%s of our own:\n%s\nfor\n%s", d.Method, d.raw, w.fwd.Bytes())
	}
}

// afterFinal repeats the request, acknowledges the final if it is to be, and repeats the request
// again.
func (w *forwarding) afterFinal(final *messages.Message) {
	w.t.Helper()
	same := func(out []datagram, want bool) {
		w.t.Helper()
		if len(out) == 0 && !want ||
			len(out) == 1 && want && out[0].to == w.replyTo && out[0].raw == string(final.Bytes()) {
			return
		}
		left := ""
		for _, d := range out {
			left += "\nto " + d.to + "\n" + d.raw
		}
		w.fatalf("a retransmission after the final made %d datagrams leave, want the final again: %v%s", len(out), want,
			left)
	}
	w.receive(w.from, w.req.Bytes())
	same(w.take(), !w.invite || final.Status >= 300)
	if w.invite && final.Status >= 300 {
		w.receive(w.from, messages.Follow(w.req, "ACK", final).Bytes())
		w.receive(w.from, w.req.Bytes())
		same(w.take(), false)
	}
}

// cancel sends the caller's CANCEL of an INVITE that is ringing.
func (w *forwarding) cancel() {
	w.t.Helper()
	cancel := messages.Follow(w.req, "CANCEL", nil)
	w.receive(w.from, cancel.Bytes())
	oks := 0
	var hop *messages.Message
	for _, d := range w.take() {
		switch {
		case d.Status == 200:
			oks++
			w.own(d, cancel)
		case d.Method == "CANCEL" && d.to == forwardEnv.Callee && hop == nil:
			hop = d.Message
			w.hopRequest(d, nil)
		default:
			w.fatalf("left unexpectedly to %s:\n%s", d.to, d.raw)
		}
	}
	if oks != 1 || hop == nil {
		w.fatalf("%d responses to the CANCEL; passed on: %v", oks, hop != nil)
	}
	w.wait(time.Duration(w.src.N(256)) * time.Millisecond)
	w.sent = w.sent[:0]
	w.receive(forwardEnv.Callee, messages.Response(w.src, forwardEnv, hop, 200, "c").Bytes())
	if out := w.take(); len(out) != 0 {
		w.fatalf("the callee's response to the CANCEL was passed on:\n%s", out[0].raw)
	}
}

// fewer is what Max-Forwards becomes: one less, at most the limit of the configuration.
func fewer(hops string) string {
	n := 0
	for _, c := range hops {
		n = 10*n + int(c-'0')
	}
	n = min(n-1, 70)
	s := ""
	for ; n > 0 || s == ""; n /= 10 {
		s = string(rune('0'+n%10)) + s
	}
	return s
}

// replaceLast replaces the last occurrence.
func replaceLast(s, old, with string) string {
	i := strings.LastIndex(s, old)
	return s[:i] + with + s[i+len(old):]
}
