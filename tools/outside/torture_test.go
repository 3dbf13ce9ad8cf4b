package outside

import (
	"bytes"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// tortureDir holds RFC 4475's messages and what is expected of them.
const tortureDir = "../../parser/testdata/rfc4475"

// tortureCase is a row of expect.tsv, as far as it is judged here: column names are its fields.
type tortureCase struct {
	name, transport, kind string
	actions               []string // udp_action, best first
	statuses              []string // udp_status
	// tcp_action: "same" as udp_action, "close", "wait-then-close", "two-messages"
	overStream    string
	replyPort     string
	contentLength string
	bodyBytes     string
	branch        string
	message       []byte
}

func tortureCases(t *testing.T, dir string) (all []tortureCase) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "expect.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	names := strings.Split(lines[0], "\t")
	for _, line := range lines[1:] {
		f := strings.Split(line, "\t")
		get := func(name string) string { return f[slices.Index(names, name)] }
		c := tortureCase{name: get("name"), transport: get("transport"), kind: get("kind"),
			overStream: get("tcp_action"), replyPort: get("reply_port"),
			contentLength: get("content_length"), bodyBytes: get("body_bytes"), branch: get("top_branch"),
			actions: strings.Split(get("udp_action"), "|"), statuses: strings.Split(get("udp_status"), ",")}
		if c.message, err = os.ReadFile(filepath.Join(dir, c.name+".dat")); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// sharedBranch are messages whose branch, sent-by and method another one has too: within 32 s they
// would be one transaction.
var sharedBranch = []string{"regescrt", "novelsc", "cparam02", "baddn-terminated"}

// notYetMet reads the list of messages that are not treated as expected, with reasons.
func notYetMet(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile("testdata/rfc4475-not-yet-met.txt")
	if err != nil {
		t.Fatal(err)
	}
	list := map[string]string{}
	for _, line := range strings.Split(string(b), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, reason, _ := strings.Cut(line, " ")
		if reason = strings.TrimSpace(reason); reason == "" {
			t.Errorf("%s is listed as not yet met without a reason", name)
		}
		list[name] = reason
	}
	return list
}

// documentedOutcomes reads the column "Viaduct" of the table in docs.
func documentedOutcomes(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile("../../docs/rfc4475.md")
	if err != nil {
		t.Fatal(err)
	}
	list := map[string]string{}
	for _, line := range strings.Split(string(b), "\n") {
		if f := strings.Split(line, "|"); len(f) == 7 {
			name, _, _ := strings.Cut(strings.TrimSpace(f[1]), " ")
			list[name] = strings.TrimSpace(f[4])
		}
	}
	return list
}

// tortureRun is one way of forwarding the set.
type tortureRun struct {
	*player
	byURI        bool   // the Request-URI and Route decide, not a destination set
	recordRouted string // methods that get a Record-Route
	strictRouter bool   // a Route without lr is followed (§16.6 step 6)
}

var (
	topTransport = regexp.MustCompile(`SIP/2\.0/(TCP|TLS) `)
	lastDomain   = regexp.MustCompile(`[A-Za-z0-9.\-]*(example|company)\.(com|net|org)`)
)

// copy is the message as it is sent in a datagram: what came over a stream gets a Via that says so.
// TestRFC4475Streams sends it as it is.
func (r *tortureRun) copy(c *tortureCase) []byte {
	m := bytes.Clone(c.message)
	if slices.Contains(sharedBranch, c.name) {
		m = bytes.Replace(m, []byte(c.branch), []byte(c.branch+"x"), 1)
	}
	if at := topTransport.FindSubmatchIndex(m); c.transport != "UDP" && at != nil {
		m = slices.Replace(m, at[2], at[3], []byte("UDP")...)
	}
	if !r.byURI || c.kind != "request" {
		return m
	}
	// Names lead nowhere without DNS: the host of the Request-URI becomes the destination's
	// address, or where a Route stands before it, that of somebody who must not get the message.
	there, route := r.destination.addr.String(), ""
	switch c.name {
	case "wsinv":
		route = "services.example.com"
	case "mpart01":
		route = "127.0.0.1:5080"
	}
	if route != "" {
		m = bytes.Replace(m, []byte(route), []byte(there), 1)
		there = r.elsewhere.addr.String()
	}
	line, _, _ := bytes.Cut(m, []byte("\r\n"))
	if at := lastDomain.FindAllIndex(line, -1); len(at) > 0 {
		last := at[len(at)-1]
		m = slices.Replace(m, last[0], last[1], []byte(there)...)
	}
	return m
}

// judge says what is wrong with the outcome; "": it is as expected.
func (r *tortureRun) judge(c *tortureCase, sent []byte, o *fate) string {
	may := func(actions ...string) bool {
		return slices.ContainsFunc(actions, func(a string) bool { return slices.Contains(c.actions, a) })
	}
	switch {
	case o.count() > 1 || len(o.astray) > 0 || r.counts && o.count() == 0:
		return "not one outcome: " + o.String()
	case o.unsent > 0:
		return "the kernel refused to send"
	case len(o.forwarded) == 1 && may("forward"):
		return r.judgeCopy(c, sent, o)
	case len(o.forwarded) == 1:
		return "forwarded"
	case r.counts && o.created > 0 && !(len(o.answers) == 1 && o.answers[0].status() == 483):
		return "a transaction was made"
	case len(o.answers) == 1 && may("reject", "answer"):
		return r.judgeAnswer(c, sent, o)
	case len(o.answers) == 1:
		return "answered " + strconv.Itoa(o.answers[0].status())
	case c.actions[0] == "drop":
		return ""
	}
	return "dropped" // reject|drop as well: it could have been answered
}

// judgeCopy compares a forwarded copy byte for byte with the message, once the edits that §16.6
// demands are taken back.
func (r *tortureRun) judgeCopy(c *tortureCase, sent []byte, o *fate) string {
	m := o.forwarded[0]
	if n, err := strconv.Atoi(c.bodyBytes); err == nil {
		if l, err := strconv.Atoi(c.contentLength); err == nil {
			n = min(n, l)
		}
		if len(m.body) != n {
			return fmt.Sprintf("the body has %d bytes, not %d", len(m.body), n)
		}
		head, _, _ := bytes.Cut(sent, []byte("\r\n\r\n"))
		sent = sent[:len(head)+4+n]
	}
	if c.name == "mpart01" && r.strictRouter {
		// The strict router's own URI is the Request-URI, which goes to the end of the Route set.
		uri := bytes.Fields(sent)[1]
		route := []byte("sip:127.0.0.1:5080")
		if r.byURI {
			route = []byte("sip:" + r.destination.addr.String())
		}
		row := []byte("Route: <" + string(route) + ">\r\n")
		sent = bytes.Replace(sent, row, nil, 1)
		sent = bytes.Replace(sent, uri, route, 1)
		sent = bytes.Replace(sent, []byte("\r\n\r\n"), append([]byte("\r\nRoute: <"+string(uri)+">"), "\r\n\r\n"...), 1)
	}
	routes := 0
	if slices.Contains(strings.Split(r.recordRouted, "|"), m.method()) {
		routes = 1
	}
	received, wrong := r.undo(sent, m, routes)
	if wrong != "" {
		return wrong
	}
	if received == nil {
		return "cannot be read"
	}
	if i := strings.Index(string(received), ";rport"); i < 0 && c.replyPort == "source" {
		sent = bytes.Replace(sent, []byte(";rport"), nil, 1)
	}
	if !bytes.Equal(received, sent) {
		at := 0
		for at < len(received) && at < len(sent) && received[at] == sent[at] {
			at++
		}
		return fmt.Sprintf("changed at octet %d: %.60q, received as %.60q", at, received[at:], sent[at:])
	}
	invite := m.method() == "INVITE"
	if invite != (len(o.trying) == 1) {
		return fmt.Sprintf("%d 100s for %s", len(o.trying), m.method())
	}
	if r.counts && o.created != 1 {
		return fmt.Sprintf("%d transactions were made", o.created)
	}
	return r.judgeReturn(c, sent, o)
}

// judgeReturn looks at the way back of the destination's answer: through the Vias as they were
// sent, to the port of §18.2.2.
func (r *tortureRun) judgeReturn(c *tortureCase, sent []byte, o *fate) string {
	if o.returned == nil {
		return "the destination's answer does not come back"
	}
	m := readMessage(sent, netip.AddrPort{})
	theirs, back := append(m.all("Via"), m.all("v")...), append(o.returned.all("Via"), o.returned.all("v")...)
	if len(theirs) != len(back) || len(theirs) == 0 {
		return fmt.Sprintf("the answer comes back with %d Vias of %d", len(back), len(theirs))
	}
	if param(back[0], "branch") != param(theirs[0], "branch") {
		return "the answer comes back with the branch " + param(back[0], "branch")
	}
	return r.judgePort(c, o.returnAt)
}

func (r *tortureRun) judgePort(c *tortureCase, got uint16) string {
	want := uint16(5060)
	if n, err := strconv.Atoi(c.replyPort); err == nil {
		want = uint16(n)
	}
	if c.replyPort == "source" {
		want = r.sender.addr.Port()
	}
	if got != want {
		return fmt.Sprintf("the answer came to port %d, not %d", got, want)
	}
	return ""
}

// judgeAnswer looks at an error response: its status, where it went, and that it has what it can of
// the request (§8.2.6.2).
func (r *tortureRun) judgeAnswer(c *tortureCase, sent []byte, o *fate) string {
	a := o.answers[0]
	if s := strconv.Itoa(a.status()); !slices.Contains(c.statuses, s) || !strings.HasPrefix(a.start, "SIP/2.0 ") {
		return "answered " + a.start
	}
	m := readMessage(sent, netip.AddrPort{})
	for _, name := range []string{"Call-ID", "CSeq", "From"} {
		if got, want := a.get(name), m.get(name); got != want {
			return fmt.Sprintf("answered with %s %q, sent was %q", name, got, want)
		}
	}
	if to, want := a.get("To"), m.get("To"); !strings.HasPrefix(to, want) || want == "" && to != "" {
		return fmt.Sprintf("answered with To %q, sent was %q", to, want)
	}
	if got, want := len(a.all("Via")), len(m.all("Via"))+len(m.all("v")); got != want {
		return fmt.Sprintf("answered with %d Vias of %d", got, want)
	}
	if len(a.body) > 0 || a.get("Content-Length") != "0" {
		return "answered with a body"
	}
	if c.name == "bext01" {
		if got := a.get("Unsupported"); strings.ReplaceAll(got, " ",
			"") != "noProxiesSupportThis,norDoAnyProxiesSupportThis" {
			return "answered with Unsupported: " + got
		}
	}
	if c.name == "test" {
		return "" // without a Via there is no port to expect
	}
	return r.judgePort(c, o.at[0])
}

// Edits of the two configurations: every request goes by its Route set, whatever To tag it brings
// along; a strict router in it is heeded (§16.6 step 6). Without the check of maxfwd's,
// Max-Forwards is what §16.6 step 3 says; with it 70 at most.
var (
	lbByRoute = []string{"\tif (has_totag()) {\n\t\troute(WITHINDLG);\n\t\texit;\n\t}\n", "\tloose_route();\n"}
	noMaxfwd  = []string{"\tif (!mf_process_maxfwd_header(\"70\")) {\n" +
		"\t\tsl_send_reply(\"483\", \"Too Many Hops\");\n\t\texit;\n\t}\n", ""}
	statefulByRoute = append([]string{"\tif (has_totag()) {\n\t\tif (loose_route()) {\n\t\t\tif (!t_relay()) {\n" +
		"\t\t\t\tsl_reply_error();\n\t\t\t}\n\t\t\texit;\n\t\t}\n\t\tif (is_method(\"ACK\")) {\n" +
		"\t\t\tif (t_check_trans()) {\n\t\t\t\tt_relay();\n\t\t\t}\n\t\t\texit;\n\t\t}\n" +
		"\t\tsl_send_reply(\"404\", \"Not here\");\n\t\texit;\n\t}\n", "\tloose_route();\n"}, noMaxfwd...)
)

// RFC 4475: every message is survived, a plain request after it is served, and what comes of it is
// exactly what a proxy should do, as far as that is not listed as not yet met. Messages of other
// transports are judged as datagrams here; TestRFC4475Streams has them over streams.
func TestRow68RFC4475(t *testing.T) {
	t.Parallel()
	runs := []struct {
		name string
		tortureRun
		setup
	}{
		{"balanced", tortureRun{player: &player{hops: 70}, recordRouted: "INVITE|SUBSCRIBE", strictRouter: true},
			setup{edits: lbByRoute}},
		{"by Request-URI", tortureRun{player: &player{}, byURI: true, recordRouted: "INVITE", strictRouter: true},
			setup{config: "stateful.cfg", edits: statefulByRoute}},
	}
	cases := tortureCases(t, tortureDir)
	if len(cases) != 49 {
		t.Fatalf("%d torture messages, want RFC 4475's 49", len(cases))
	}
	cases = append(cases, tortureCases(t, filepath.Join(tortureDir, "extra"))...)
	for _, r := range runs {
		t.Run(r.name, func(t *testing.T) {
			hops := r.hops
			r.player = newPlayer(t, r.setup, start, 5050, 5060)
			r.hops, r.counts = hops, true
			listed, documented := notYetMet(t), documentedOutcomes(t)
			var table strings.Builder
			fmt.Fprintf(&table, "\n%-16s %-20s %-8s %-40s %s\n", "message", "expected", "status", "got", "")
			var streams []string
			for _, c := range cases {
				sent := r.copy(&c)
				o := r.play(t, c.name, r.sender, sent)
				wrong := r.judge(&c, sent, o)
				verdict := "met"
				switch reason, isListed := listed[c.name]; {
				case wrong != "" && !isListed:
					verdict = "NOT MET: " + wrong
					t.Errorf("%s: %s; want %s %s", c.name, wrong, strings.Join(c.actions, " or "), c.statuses)
				case wrong != "":
					verdict = "not yet met: " + reason
				case isListed:
					verdict = "met, yet listed"
					t.Errorf("%s is treated as expected: take it off testdata/rfc4475-not-yet-met.txt", c.name)
				}
				short := o.String()
				if len(o.forwarded) == 1 {
					short = "forwarded"
				}
				if documented[c.name] != short {
					t.Errorf("docs/rfc4475.md says %q of %s, it is %q", documented[c.name], c.name, short)
				}
				if c.transport != "UDP" && c.transport != "-" {
					streams = append(streams, c.name)
				}
				delete(listed, c.name)
				fmt.Fprintf(&table, "%-16s %-20s %-8s %-40.40s %s\n", c.name, strings.Join(c.actions, "|"),
					strings.Join(c.statuses, ","), o, verdict)
			}
			for name := range listed {
				t.Errorf("testdata/rfc4475-not-yet-met.txt lists %s, which is no message", name)
			}
			fmt.Fprintf(&table, "judged over UDP until streams exist: %s\n", strings.Join(streams, " "))
			t.Log(table.String())
		})
	}
}

var compare = flag.Bool("kamailio", false, "also play RFC 4475's messages to Kamailio and log a table of what it does")

// The same judge on Kamailio with the same file: a table for comparison, no verdict.
func TestRFC4475Kamailio(t *testing.T) {
	if !*compare {
		t.Skip("asks for -args -kamailio")
	}
	r := tortureRun{
		player: newPlayer(t, setup{edits: lbByRoute}, startKamailio, 5050, 5060), recordRouted: "INVITE|SUBSCRIBE",
		strictRouter: true,
	}
	r.hops = 70
	var table strings.Builder
	for _, c := range tortureCases(t, tortureDir) {
		sent := r.copy(&c)
		o := r.play(t, c.name, r.sender, sent)
		verdict := "met"
		if wrong := r.judge(&c, sent, o); wrong != "" {
			verdict = "not met: " + wrong
		}
		fmt.Fprintf(&table, "%-16s %-20s %-8s %-40.40s %s\n", c.name, strings.Join(c.actions, "|"),
			strings.Join(c.statuses, ","), o, verdict)
	}
	t.Log("\n" + table.String())
}

// RFC 4475's responses belong to no transaction, and are dropped for that alone. Here a destination
// answers a request with each of them, as far as Via, tags, Call-ID and CSeq let it.
func TestRFC4475Responses(t *testing.T) {
	t.Parallel()
	p := newPlayer(t, setup{}, start, 5060)
	p.counts = true
	f := func(name string, wantStatus int, wantDropped string, edits ...string) {
		t.Helper()
		raw, err := os.ReadFile(filepath.Join(tortureDir, name+".dat"))
		if err != nil {
			t.Fatal(err)
		}
		d := p.sender.call(p.srv.addr)
		d.invite()
		invite := p.destination.next(patience)
		for invite != nil && invite.method() == "ACK" {
			invite = p.destination.next(patience) // of the call before
		}
		if invite == nil {
			t.Fatalf("%s: the destination waits in vain for an INVITE", name)
		}
		p.sender.expect("100")
		head, body, _ := strings.Cut(string(raw), "\r\n\r\n")
		start, head, _ := strings.Cut(head, "\r\n")
		rows := slices.DeleteFunc(rowsOf(head), func(r string) bool {
			return slices.Contains([]string{"via", "to", "from", "call-id", "cseq"}, strings.ToLower(nameOf(r)))
		})
		own := []string{"Via: " + invite.all("Via")[0]}
		rows = append([]string{"Via: " + invite.all("Via")[1], "From: " + invite.get("From"),
			"To: " + invite.get("To") + ";tag=t",
			"Call-ID: " + invite.get("Call-ID"), "CSeq: " + invite.get("CSeq")}, rows...)
		text := func(rows []string) string { return start + "\r\n" + strings.Join(append(rows, "", body), "\r\n") }
		below, answer := text(rows), text(append(own, rows...))
		for i := 0; i < len(edits); i += 2 {
			below, answer = strings.Replace(below, edits[i], edits[i+1], 1),
				strings.Replace(answer, edits[i], edits[i+1], 1)
		}
		o := p.play(t, name, p.destination, []byte(answer))
		switch {
		case o.unsent > 0:
			t.Errorf("%s: the kernel refused a datagram", name)
		case wantDropped != "":
			if o.String() != "dropped: "+wantDropped {
				t.Errorf("%s: %s, want it dropped: %s", name, o, wantDropped)
			}
		case wantStatus == 100 && o.String() != "absorbed":
			t.Errorf("%s: %s, want it absorbed", name, o)
		case wantStatus != 100 && (len(o.answers) != 1 || o.answers[0].status() != wantStatus):
			t.Errorf("%s: %s, want %d", name, o, wantStatus)
		case wantStatus == 200 && string(o.answers[0].raw) != below:
			t.Errorf("%s: forwarded as\n%s\nwant\n%s", name, o.answers[0].raw, below)
		}
		switch {
		case wantStatus == 100:
			p.destination.reply(invite, 200, "OK", "t")
			p.sender.expect("200")
		case wantStatus >= 300 && len(o.answers) > 0:
			d.ack(o.answers[0])
		}
	}
	f("unreason", 200, "")
	f("noreason", 100, "")               // hop by hop
	f("bigcode", 100, "bad status code") // not 4294967301 modulo 2^32
	f("scalarlg", 100, "bad CSeq", "CSeq: 1", "CSeq: 9292394834772304023312")
	// and its Retry-After puts nobody out of service: the canary is behind it
	f("scalarlg", 500, "")
	broadcast := fmt.Sprintf("Via: SIP/2.0/UDP %s", p.sender.addr)
	// goes where the request came from
	f("bcast", 200, "", broadcast, "Via: SIP/2.0/UDP 255.255.255.255")
}

// The judge must notice.
func TestTortureJudge(t *testing.T) {
	at := netip.MustParseAddrPort("127.0.0.1:5060")
	r := &tortureRun{
		recordRouted: "INVITE", player: &player{counts: true, srv: &server{addr: at},
			sender: &peer{addr: netip.MustParseAddrPort("127.0.0.9:4000")}},
	}
	sent := "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c;branch=z9hG4bK1\r\nMax-Forwards: 7\r\nCall-ID: i\r\n" +
		"X: 1,\r\n 2\r\nContent-Length: 2\r\n\r\nhi"
	text := strings.Replace(sent, "Via:",
		"Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK2\r\nRecord-Route: <sip:127.0.0.1:5060;lr>\r\nVia:", 1)
	text = strings.NewReplacer("Forwards: 7", "Forwards: 6", "z9hG4bK1", "z9hG4bK1;received=127.0.0.9").Replace(text)
	forward := tortureCase{actions: []string{"forward"}, contentLength: "2", bodyBytes: "2", replyPort: "5060"}
	reject := tortureCase{actions: []string{"reject"}, statuses: []string{"400"}, replyPort: "5060"}
	drop := tortureCase{actions: []string{"drop"}}
	msg := func(s string) *message { return readMessage([]byte(s), netip.AddrPort{}) }
	back := msg("SIP/2.0 299 Taken\r\nVia: SIP/2.0/UDP c;branch=z9hG4bK1;received=127.0.0.9\r\n\r\n")
	copied := func(texts ...string) *fate {
		o := &fate{trying: []*message{msg("SIP/2.0 100 Trying\r\n\r\n")}, returned: back, returnAt: 5060, created: 1}
		for _, s := range texts {
			o.forwarded = append(o.forwarded, msg(s))
		}
		return o
	}
	edited := func(from, to string) *fate { return copied(strings.Replace(text, from, to, 1)) }
	answered := func(status string, edits ...string) *fate {
		s := "SIP/2.0 " + status +
			" Bad\r\nVia: SIP/2.0/UDP c;branch=z9hG4bK1\r\nCall-ID: i\r\nContent-Length: 0\r\n\r\n"
		return &fate{answers: []*message{msg(strings.NewReplacer(edits...).Replace(s))}, at: []uint16{5060}}
	}
	dropped := &fate{dropped: []string{"x"}}
	f := func(c tortureCase, o *fate, want string) {
		t.Helper()
		if got := r.judge(&c, []byte(sent), o); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("judged %q, want %q", got, want)
		}
	}
	f(forward, copied(text), "")
	f(reject, answered("400"), "")
	f(drop, dropped, "")

	f(forward, &fate{}, "not one outcome")
	f(forward, dropped, "dropped")
	f(forward, answered("400"), "answered 400")
	f(forward, &fate{forwarded: copied(text).forwarded, answers: answered("400").answers}, "not one outcome")
	f(forward, copied(text, text), "not one outcome")
	f(forward, edited("\r\n\r\nhi", "\r\n\r\nho"), "changed")
	f(forward, edited("\r\n\r\nhi", "\r\n\r\nhi!"), "body")
	f(forward, edited("X: 1,\r\n 2", "X: 1, 2"), "changed")
	f(forward, edited("X:", "Route: <sip:evil>\r\nX:"), "changed")
	f(forward, edited("Call-ID: i\r\n", ""), "changed")
	f(forward, edited("Forwards: 6", "Forwards: 7"), "Max-Forwards")
	f(forward, edited(";received=127.0.0.9", ""), "received")
	f(forward, edited("Record-Route: <sip:127.0.0.1:5060;lr>\r\n", ""), "Record-Route")
	f(forward, edited("Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK2\r\n", ""), "topmost Via")
	f(forward, edited("sip:a@b", "sip:a@c"), "changed")
	late := copied(text)
	late.returnAt = 4000
	f(forward, late, "port")
	f(reject, copied(text), "forwarded")
	f(reject, answered("486"), "answered")
	f(reject, answered("400", "Call-ID: i", "Call-ID: j"), "Call-ID")
	f(reject, answered("400", "Via: SIP/2.0/UDP c;branch=z9hG4bK1\r\n", ""), "Vias")
	f(reject, dropped, "dropped")
	f(drop, answered("400"), "answered 400")
	f(drop, copied(text), "forwarded")
}
