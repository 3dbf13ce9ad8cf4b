package outside

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// tortureDir holds RFC 4475's messages and what is expected of them.
const tortureDir = "../../parser/testdata/rfc4475"

// tortureCase is a row of expect.tsv, as far as it is judged here: column names are its fields.
type tortureCase struct {
	name, transport, kind string
	actions               []string // udp_action, best first
	statuses              []string // udp_status
	maxForwards           string
	bodyBytes             int
	contentLength         string
	branch                string
	message               []byte
}

func tortureCases(t *testing.T) (all []tortureCase) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(tortureDir, "expect.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	names := strings.Split(lines[0], "\t")
	for _, line := range lines[1:] {
		f := strings.Split(line, "\t")
		get := func(name string) string { return f[slices.Index(names, name)] }
		c := tortureCase{name: get("name"), transport: get("transport"), kind: get("kind"), maxForwards: get("max_forwards"),
			contentLength: get("content_length"), branch: get("top_branch"),
			actions: strings.Split(get("udp_action"), "|"), statuses: strings.Split(get("udp_status"), ",")}
		c.bodyBytes, _ = strconv.Atoi(get("body_bytes"))
		if c.message, err = os.ReadFile(filepath.Join(tortureDir, c.name+".dat")); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	if len(all) != 49 {
		t.Fatalf("%d torture messages, want RFC 4475's 49", len(all))
	}
	return all
}

// sharedBranch are messages whose branch, sent-by and method another one has too: within 32 s they would be one transaction.
var sharedBranch = []string{"regescrt", "novelsc", "cparam02"}

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

// tortureBench is the proxy, a destination that takes what is forwarded, and a sender at an address of its own: RFC 3261 §18.2.2 sends most
// replies to the source address, port 5060 (or what the Via names), not to the source port.
type tortureBench struct {
	srv                    *server
	destination, canary    *peer
	sender                 *peer
	replies                []*peer // the sender's address, where replies go
	seenRequests, seenOwns map[string]bool
}

func newTortureBench(t *testing.T) *tortureBench {
	t.Helper()
	b := &tortureBench{destination: newPeer(t, "the destination"), canary: newPeer(t, "the canary"),
		seenRequests: map[string]bool{}, seenOwns: map[string]bool{}}
	for last := 9; ; last++ {
		ip := netip.AddrFrom4([4]byte{127, 0, 0, byte(last)})
		if last > 200 {
			t.Skip("needs UDP ports 5050 and 5060 of a loopback address; a program on this machine has them on all")
		}
		if inUse(ip.String(), 5050) || inUse(ip.String(), 5060) {
			continue
		}
		b.sender = newPeerAt(t, "the sender", netip.AddrPortFrom(ip, uint16(freePort(t))))
		for _, port := range []uint16{5050, 5060} {
			b.replies = append(b.replies, newPeerAt(t, "the sender", netip.AddrPortFrom(ip, port)))
		}
		b.replies = append(b.replies, b.sender)
		break
	}
	// Every request goes to the destination, those with a To tag as well, whatever Route they bring along; a strict router in it is
	// heeded (§16.6 step 6).
	b.srv = start(t, setup{targets: []netip.AddrPort{b.destination.addr}, edits: []string{"\tif (has_totag()) {\n\t\troute(WITHINDLG);\n\t\texit;\n\t}\n", "\tloose_route();\n"}})
	return b
}

// fromDestination is the status the destination answers with, to know its answers from the proxy's own.
const fromDestination = 299

// play sends one message and gives what came of it: copies forwarded, and finals of the proxy's own.
func (b *tortureBench) play(t *testing.T, c *tortureCase) (forwarded, answers []*message) {
	t.Helper()
	m := c.message
	if slices.Contains(sharedBranch, c.name) {
		m = bytes.Replace(m, []byte(c.branch), []byte(c.branch+"x"), 1)
	}
	b.sender.send(b.srv.addr, string(m))
	// One shard takes datagrams in the order of their arrival, so that whatever the message causes leaves before the canary's answer.
	d := b.canary.options(b.srv.addr)
	if m := b.canary.next(2 * time.Second); m == nil || m.status() != 200 || m.get("Call-ID") != d.id {
		t.Fatalf("%s: the OPTIONS sent after it gets %v\n%s", c.name, m, b.srv.tail())
	}
	for wait := 10 * time.Millisecond; ; wait = 500 * time.Millisecond {
		for m := b.destination.next(wait); m != nil; m = b.destination.next(0) {
			if !b.seenRequests[string(m.raw)] && m.status() == 0 {
				b.seenRequests[string(m.raw)] = true
				forwarded = append(forwarded, m)
			}
		}
		for _, p := range b.replies {
			for m := p.next(0); m != nil; m = p.next(0) {
				if s := m.status(); s != 100 && s != fromDestination && !b.seenOwns[string(m.raw)] {
					b.seenOwns[string(m.raw)] = true
					answers = append(answers, m)
				}
			}
		}
		// Nothing at all may be the reading side's delay.
		if len(forwarded)+len(answers) > 0 || c.kind == "response" || wait > 10*time.Millisecond {
			break
		}
	}
	for _, m := range forwarded {
		if m.method() != "ACK" {
			b.destination.reply(m, fromDestination, "Taken", "destination")
		}
	}
	return forwarded, answers
}

// judge says what is wrong with the outcome; "": it is as expected.
func (c *tortureCase) judge(forwarded, answers []*message) string {
	may := func(actions ...string) bool {
		return slices.ContainsFunc(actions, func(a string) bool { return slices.Contains(c.actions, a) })
	}
	switch {
	case len(forwarded) > 1 || len(answers) > 1:
		return fmt.Sprintf("%d copies forwarded, %d answers", len(forwarded), len(answers))
	case len(forwarded) == 1 && len(answers) == 1:
		return "forwarded and answered"
	case len(forwarded) == 1 && may("forward"):
		return c.judgeCopy(forwarded[0], false)
	case len(forwarded) == 1 && may("forward-fix"):
		return c.judgeCopy(forwarded[0], true)
	case len(forwarded) == 1:
		return "forwarded"
	case len(answers) == 1 && may("reject", "answer"):
		if s := fmt.Sprint(answers[0].status()); !slices.Contains(c.statuses, s) {
			return "answered " + s
		}
		if !strings.HasPrefix(answers[0].start, "SIP/2.0 ") {
			return "answered in another version"
		}
		return ""
	case len(answers) == 1:
		return fmt.Sprintf("answered %d", answers[0].status())
	case may("drop"):
		return ""
	}
	return "dropped"
}

// strictRoute are messages that come with a strict router as first Route: what becomes of Request-URI and Route, as old and new texts.
var strictRoute = map[string][]string{
	"mpart01": {"MESSAGE sip:kumiko@example.org ", "MESSAGE sip:127.0.0.1:5080 ", "Route: <sip:127.0.0.1:5080>", "Route: <sip:kumiko@example.org>"},
}

// judgeCopy compares a forwarded copy with the message: nothing may have changed but what §16.6 demands, and the fault of the request line
// if it was one to be mended.
func (c *tortureCase) judgeCopy(m *message, mended bool) string {
	head, body, _ := bytes.Cut(c.message, []byte("\r\n\r\n"))
	if n, err := strconv.Atoi(c.contentLength); err == nil && n < len(body) {
		body = body[:n]
	}
	if !bytes.Equal(body, m.body) {
		return fmt.Sprintf("the body was changed: %d bytes of %d", len(m.body), len(body))
	}
	line, _, _ := bytes.Cut(head, []byte("\r\n"))
	start := string(line)
	if edit, ok := strictRoute[c.name]; ok {
		for i := 0; i < len(edit); i += 2 {
			start, head = strings.Replace(start, edit[i], edit[i+1], 1), bytes.Replace(head, []byte(edit[i]), []byte(edit[i+1]), 2)
		}
	}
	if same := start == m.start; same == mended {
		return "the request line is " + strconv.Quote(m.start)
	}
	kept, copied := rowsKept(head), rowsKept(m.raw[:len(m.raw)-len(m.body)])
	for _, r := range kept {
		if !slices.Contains(copied, r) {
			return "changed or lost: " + strconv.Quote(r)
		}
	}
	for _, r := range copied {
		if !slices.Contains(kept, r) {
			return "added: " + strconv.Quote(r)
		}
	}
	want := "70"
	if n, err := strconv.Atoi(c.maxForwards); err == nil {
		want = strconv.Itoa(min(n-1, 70)) // lb.cfg limits it
	}
	if got := strings.Join(m.all("Max-Forwards"), " "); got != want {
		return "Max-Forwards is " + got + ", not " + want
	}
	return ""
}

// rowsKept are the header rows, with their folds, that a proxy has no business with.
func rowsKept(head []byte) (rows []string) {
	head = bytes.TrimRight(head, "\r\n")
	for i, line := range strings.Split(string(head), "\r\n") {
		if i == 0 {
			continue
		}
		if line != "" && (line[0] == ' ' || line[0] == '\t') && len(rows) > 0 {
			rows[len(rows)-1] += "\r\n" + line
			continue
		}
		rows = append(rows, line)
	}
	return slices.DeleteFunc(rows, func(r string) bool {
		name, _, _ := strings.Cut(r, ":")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "via", "v", "max-forwards", "record-route":
			return true
		}
		return false
	})
}

// RFC 4475: every message is survived, a plain request after it is served, and what comes of it is what a proxy should do, as far as that is not listed as
// not yet met. Messages of other transports are judged by survival alone.
func TestRFC4475(t *testing.T) {
	t.Parallel()
	b := newTortureBench(t)
	listed := notYetMet(t)
	var table strings.Builder
	fmt.Fprintf(&table, "\n%-12s %-5s %-20s %-8s %-20s %s\n", "message", "over", "expected", "status", "got", "")
	for _, c := range tortureCases(t) {
		forwarded, answers := b.play(t, &c)
		got := "drop"
		switch {
		case len(forwarded) > 0:
			got = fmt.Sprintf("forward ×%d", len(forwarded))
		case len(answers) > 0:
			got = strings.TrimPrefix(answers[0].start, "SIP/2.0 ")
		}
		verdict := "survived"
		if c.transport == "UDP" {
			wrong := c.judge(forwarded, answers)
			reason, isListed := listed[c.name]
			switch {
			case wrong != "" && !isListed:
				verdict = "NOT MET: " + wrong
				t.Errorf("%s: %s; want %s %s", c.name, wrong, strings.Join(c.actions, " or "), c.statuses)
			case wrong != "":
				verdict = "not yet met: " + reason
			case isListed:
				verdict = "met, yet listed"
				t.Errorf("%s is treated as expected: take it off testdata/rfc4475-not-yet-met.txt", c.name)
			default:
				verdict = "met"
			}
		} else if _, isListed := listed[c.name]; isListed {
			t.Errorf("%s is listed as not yet met, but is not judged over UDP", c.name)
		}
		delete(listed, c.name)
		fmt.Fprintf(&table, "%-12s %-5s %-20s %-8s %-20.40s %s\n", c.name, c.transport, strings.Join(c.actions, "|"), strings.Join(c.statuses, ","), got, verdict)
	}
	for name := range listed {
		t.Errorf("testdata/rfc4475-not-yet-met.txt lists %s, which is no message", name)
	}
	t.Log(table.String())
	for _, s := range b.srv.stats(t) {
		if s.count["panics"] > 0 {
			t.Errorf("%d panics were contained:\n%s", s.count["panics"], b.srv.text())
		}
	}
}

// The judge must notice.
func TestTortureJudge(t *testing.T) {
	good := []byte("INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c;branch=z9hG4bK1\r\nMax-Forwards: 7\r\nX: 1,\r\n 2\r\nContent-Length: 2\r\n\r\nhi")
	text := strings.Replace(string(good), "Via:", "Via: SIP/2.0/UDP us;branch=z9hG4bK2\r\nVia:", 1)
	text = strings.Replace(text, "Forwards: 7", "Forwards: 6", 1)
	forward := tortureCase{name: "x", actions: []string{"forward"}, maxForwards: "7", contentLength: "2", message: good}
	reject := tortureCase{name: "x", actions: []string{"reject"}, statuses: []string{"400"}, maxForwards: "7", contentLength: "2", message: good}
	fix := tortureCase{name: "x", actions: []string{"reject", "forward-fix"}, statuses: []string{"400"}, maxForwards: "7", contentLength: "2", message: good}
	drop := tortureCase{name: "x", actions: []string{"drop"}}
	msg := func(s string) []*message { return []*message{readMessage([]byte(s), netip.AddrPort{})} }
	edited := func(from, to string) []*message { return msg(strings.Replace(text, from, to, 1)) }
	r400, r486 := msg("SIP/2.0 400 Bad\r\n\r\n"), msg("SIP/2.0 486 Busy\r\n\r\n")
	f := func(c tortureCase, forwarded, answers []*message, want string) {
		t.Helper()
		if got := c.judge(forwarded, answers); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("judged %q, want %q", got, want)
		}
	}
	f(forward, msg(text), nil, "")
	f(reject, nil, r400, "")
	f(drop, nil, nil, "")
	f(fix, edited("sip:a@b", "sip:a@c"), nil, "")

	f(forward, nil, nil, "dropped")
	f(forward, nil, r400, "answered 400")
	f(forward, msg(text), r400, "forwarded and answered")
	f(forward, append(msg(text), msg(text)...), nil, "2 copies")
	f(forward, edited("\r\n\r\nhi", "\r\n\r\nho"), nil, "body")
	f(forward, edited("X: 1,\r\n 2", "X: 1, 2"), nil, "changed or lost")
	f(forward, edited("X:", "Route: <sip:evil>\r\nX:"), nil, "added")
	f(forward, edited("Forwards: 6", "Forwards: 7"), nil, "Max-Forwards")
	f(forward, edited("sip:a@b", "sip:a@c"), nil, "request line")
	f(fix, msg(text), nil, "request line")
	f(reject, msg(text), nil, "forwarded")
	f(reject, nil, r486, "answered 486")
	f(reject, nil, nil, "dropped")
	f(drop, nil, r400, "answered 400")
	f(drop, msg(text), nil, "forwarded")
}
