package outside

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// player sends single messages to a proxy and gives an account of what became of each: a proxy, a
// destination that takes what is forwarded, and a sender at an address of its own. RFC 3261 §18.2.2
// sends most replies to the source address, port 5060 (or what the Via names), not to the source
// port.
type player struct {
	srv                            *server
	counts                         bool // srv has counters
	hops                           int  // Max-Forwards is lowered to it; 0: it is not
	destination, elsewhere, canary *peer
	sender                         *peer
	// the sender's address, every port where replies may come
	replies  []*peer
	canaries int             // sent behind the message in play
	seen     map[string]bool // that arrived
}

// newPlayer starts the proxy with s, whose set 1 is the destination.
func newPlayer(t *testing.T, s setup, by func(*testing.T, setup) *server, ports ...uint16) *player {
	t.Helper()
	p := &player{
		destination: newPeer(t, "the destination"), elsewhere: newPeer(t, "elsewhere"),
		canary: newPeer(t, "the canary"),
	}
	for tries := 0; ; tries++ {
		ip := netip.AddrFrom4([4]byte{127, byte(1 + rand.IntN(250)), byte(rand.IntN(250)), byte(1 + rand.IntN(250))})
		if tries > 50 {
			t.Skipf("needs UDP ports %v of a loopback address; a program on this machine has them on all", ports)
		}
		if slices.ContainsFunc(ports, func(port uint16) bool { return inUse(ip.String(), int(port)) }) {
			continue
		}
		p.sender = newPeerAt(t, "the sender", netip.AddrPortFrom(ip, uint16(freePort(t))))
		for _, port := range ports {
			p.replies = append(p.replies,
				newPeerAt(t, fmt.Sprintf("the sender's port %d", port), netip.AddrPortFrom(ip, port)))
		}
		p.replies = append(p.replies, p.sender)
		break
	}
	s.targets = to(p.destination)
	p.srv = by(t, s)
	return p
}

// fate is what became of one message.
type fate struct {
	forwarded []*message // at the destination
	astray    []*message // anywhere else
	trying    []*message // 100s
	answers   []*message // finals of the proxy's own
	at        []uint16   // where each of the answers came in
	returned  *message   // the destination's answer to what was forwarded, as the sender got it
	returnAt  uint16
	dropped   []string // the reasons counted
	refused   []string // the reasons counted, each with an answer
	absorbed  uint64   // by transactions, and ACKs to answers
	created   uint64   // transactions
	unsent    uint64   // datagrams the kernel did not take
}

// count is how many things became of the message. It must be one.
func (o *fate) count() int {
	return len(o.forwarded) + len(o.astray) + len(o.answers) + len(o.dropped) + int(o.absorbed)
}

func (o *fate) String() string {
	var parts []string
	for _, m := range o.forwarded {
		parts = append(parts, "forwarded "+m.start)
	}
	for _, m := range o.astray {
		parts = append(parts, "sent astray "+m.start)
	}
	for _, m := range o.answers {
		parts = append(parts, strings.TrimPrefix(m.start, "SIP/2.0 "))
	}
	for _, r := range o.dropped {
		parts = append(parts, "dropped: "+r)
	}
	if o.absorbed > 0 {
		parts = append(parts, "absorbed")
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, " and ")
}

// fromDestination is the status the destination answers with, to know its answers from the proxy's
// own.
const fromDestination = 299

// play sends one message and a canary behind it, which must be served, and gives what came of the
// message. from is the sender or the destination.
func (p *player) play(t *testing.T, name string, from *peer, raw []byte) *fate {
	t.Helper()
	o := &fate{}
	var before, after []counters
	if p.counts {
		before = p.srv.stats(t)
	}
	from.send(p.srv.addr, string(raw))
	p.serve(t, name, o)
	// One shard takes datagrams in the order of their arrival: whatever the message caused is
	// counted before the canary's answer.
	due, patient := 0, time.Duration(0)
	if p.counts {
		after = p.srv.stats(t)
		diff := func(name string) uint64 { return sum(after, name) - sum(before, name) }
		o.absorbed = diff("retransmissions_absorbed") + diff("acks_absorbed")
		o.created = diff("transactions_created") - uint64(p.canaries)
		o.unsent = diff("send_failed")
		o.dropped = reasons(before[0].Dropped, after[0].Dropped)
		o.refused = reasons(before[0].Refused, after[0].Refused)
		n := int(diff("requests_forwarded")) - p.canaries
		for end := time.Now().Add(2 * time.Second); len(o.forwarded) < n && time.Now().Before(end); {
			p.take(o, time.Until(end), "") // of one batch, the shorter message may leave last
		}
		if n != len(o.forwarded) {
			t.Errorf("%s: the proxy counts %d requests forwarded, the destination has %d", name, n, len(o.forwarded))
		}
		due, patient = int(diff("replies_own")+diff("replies_forwarded")-1-diff("send_failed")), 2*time.Second
		if n := diff("panics"); n > 0 {
			t.Errorf("%s: a panic was contained:\n%s", name, p.srv.text())
		}
	}
	p.gather(o, due, patient)
	if !p.counts {
		// Nothing at all may be the reading side's delay.
		for wait := 10 * time.Millisecond; o.count() == 0 && wait < time.Second; wait *= 50 {
			time.Sleep(wait)
			p.gather(o, 0, 0)
		}
	}
	for _, m := range o.forwarded {
		if m.method() == "ACK" || m.status() > 0 || bareLF(m.raw) {
			continue // the peers here do not understand rows that end in LF alone
		}
		p.destination.reply(m, fromDestination, "Taken", "destination")
		o.returned, o.returnAt = p.arrived(patience)
	}
	return o
}

// reasons lists by how much each count grew.
func reasons(before, after map[string]uint64) (grown []string) {
	for name, n := range after {
		for range n - before[name] {
			grown = append(grown, name)
		}
	}
	return grown
}

// serve sends a canary through the proxy and takes it at the destination; what arrived there before
// it belongs to o. It must be served within a second, on a machine that does nothing else: so it
// may try again.
func (p *player) serve(t *testing.T, name string, o *fate) {
	t.Helper()
	p.canaries = 0
	for try := range 3 {
		d := p.canary.call(p.srv.addr)
		d.uri = "sip:canary@" + p.destination.addr.String()
		p.canary.send(p.srv.addr, d.text("OPTIONS", d.branch))
		p.canaries++
		end := time.Now().Add(time.Second << (2 * try))
		for p.take(o, time.Until(end), d.id) {
			for m := p.canary.next(time.Until(end)); m != nil; m = p.canary.next(time.Until(end)) {
				if m.status() == 200 && m.get("Call-ID") == d.id {
					return
				}
			}
		}
		if p.srv.ended() {
			break
		}
	}
	t.Fatalf("%s: the OPTIONS sent after it is not served\n%s", name, p.srv.tail())
}

// take takes what arrives at the destination until it is this canary, which it answers; "": until
// it is none.
func (p *player) take(o *fate, d time.Duration, canary string) bool {
	for end := time.Now().Add(d); ; {
		m := p.destination.next(time.Until(end))
		switch {
		case m == nil:
			return false
		case canary != "" && m.get("Call-ID") == canary:
			p.destination.reply(m, 200, "Alive", "canary")
			return true
		case !strings.HasPrefix(m.get("Call-ID"), "outside-") && p.isNew(m):
			o.forwarded = append(o.forwarded, m)
			if canary == "" {
				return true
			}
		}
	}
}

// isNew is false for what arrived before: a test that does not get the processor for half a second
// sees retransmissions.
func (p *player) isNew(m *message) bool {
	if p.seen[string(m.raw)] {
		return false
	}
	if p.seen == nil {
		p.seen = map[string]bool{}
	}
	p.seen[string(m.raw)] = true
	return true
}

// gather sorts what the sender got, due messages at least.
func (p *player) gather(o *fate, due int, d time.Duration) {
	for {
		m, at := p.arrived(0)
		if m == nil && len(o.answers)+len(o.trying) < due {
			m, at = p.arrived(d)
		}
		if m == nil {
			break
		}
		switch {
		case !p.isNew(m):
		case m.status() == 100 && !strings.HasSuffix(m.get("CSeq"), " INVITE"):
			// To a message of seconds ago that nobody answered (RFC 4320 §4.1); TestRow53 looks at
			// when.
		case m.status() == 100:
			o.trying = append(o.trying, m)
		default:
			o.answers, o.at = append(o.answers, m), append(o.at, at)
		}
	}
	for m := p.elsewhere.next(0); m != nil; m = p.elsewhere.next(0) {
		o.astray = append(o.astray, m) // a retransmission is as wrong here
	}
}

// arrived is the next message at any port of the sender.
func (p *player) arrived(d time.Duration) (*message, uint16) {
	for end := time.Now().Add(d); ; time.Sleep(200 * time.Microsecond) {
		for _, r := range p.replies {
			if m := r.next(0); m != nil {
				return m, r.addr.Port()
			}
		}
		if !time.Now().Before(end) {
			return nil, 0
		}
	}
}

// undo takes the edits of §16.6 back from a copy as it arrived downstream and gives the bytes the
// proxy must have received: our Via and Record-Route, received and rport of the Via below,
// Max-Forwards. wrong names an edit that is not as it should be.
func (p *player) undo(sent []byte, m *message, recordRoutes int) (received []byte, wrong string) {
	text := string(m.raw)
	start, text, _ := strings.Cut(text, "\r\n")
	head, body, _ := strings.Cut(text, "\r\n\r\n")
	rows := rowsOf(head)
	index := func(rows []string, names ...string) int {
		return slices.IndexFunc(rows, func(r string) bool {
			return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(nameOf(r), n) })
		})
	}
	top := index(rows, "Via", "v")
	if top < 0 || !strings.HasPrefix(rows[top], fmt.Sprintf("Via: SIP/2.0/UDP %s;branch=z9hG4bK", p.srv.addr)) {
		return nil, "the topmost Via is not the proxy's"
	}
	rows = slices.Delete(rows, top, top+1)
	ours := fmt.Sprintf("Record-Route: <sip:%s;lr>", p.srv.addr)
	foreign := false
	rows = slices.DeleteFunc(rows, func(r string) bool {
		if r == ours {
			if recordRoutes--; foreign {
				wrong = "the proxy's Record-Route is below another"
			}
			return true
		}
		foreign = foreign || strings.EqualFold(nameOf(r), "Record-Route")
		return false
	})
	if n := index(rows, "Max-Breadth"); n >= 0 && rows[n] == "Max-Breadth: 60" &&
		!bytes.Contains(sent, []byte("Max-Breadth")) {
		rows = slices.Delete(rows, n, n+1) // RFC 5393 §5.3.3 asks for it
	}
	if recordRoutes != 0 {
		return nil, fmt.Sprintf("%d Record-Routes are missing", recordRoutes)
	}

	sentHead, _, _ := bytes.Cut(bytes.TrimLeft(sent, "\r\n"), []byte("\r\n\r\n"))
	sentRows := rowsOf(string(sentHead))[1:]
	const maxForwards = "Max-Forwards"
	mine, theirs := index(rows, maxForwards), index(sentRows, maxForwards)
	switch {
	case mine < 0:
		return nil, "no Max-Forwards"
	case theirs < 0 && rows[mine] != maxForwards+": 70":
		return nil, "added: " + rows[mine]
	case theirs < 0:
		rows = slices.Delete(rows, mine, mine+1)
	default:
		var old, now int
		_, digits, _ := strings.Cut(sentRows[theirs], ":")
		fmt.Sscanf(strings.TrimSpace(digits), "%d", &old)
		_, digits, _ = strings.Cut(rows[mine], ":")
		fmt.Sscanf(strings.TrimSpace(digits), "%d", &now)
		want := old - 1
		if p.hops > 0 {
			want = min(want, p.hops)
		}
		if now != want {
			return nil, fmt.Sprintf("Max-Forwards is %d, it was %d", now, old)
		}
		rows[mine] = sentRows[theirs]
	}

	if top = index(rows, "Via", "v"); top >= 0 {
		added := fmt.Sprintf(";received=%s", p.sender.addr.Addr())
		if n := strings.Count(strings.Join(rows, "\r\n"), added); n != 1 || !strings.Contains(rows[top], added) {
			return nil, fmt.Sprintf("received is there %d times; the Via is %s", n, rows[top])
		}
		rows[top] = strings.Replace(rows[top], added, "", 1)
		rport := fmt.Sprintf(";rport=%d", p.sender.addr.Port())
		if strings.Contains(rows[top], rport) {
			rows[top] = strings.Replace(rows[top], rport, "", 1)
			theirs := index(sentRows, "Via", "v")
			if !strings.Contains(sentRows[theirs], ";rport") {
				return nil, "rport was added"
			}
		}
	}
	return []byte(start + "\r\n" + strings.Join(append(rows, "", body), "\r\n")), wrong
}

// rowsOf cuts headers into rows, folds kept.
func rowsOf(head string) (rows []string) {
	for _, line := range strings.Split(head, "\r\n") {
		if line != "" && (line[0] == ' ' || line[0] == '\t') && len(rows) > 0 {
			rows[len(rows)-1] += "\r\n" + line
			continue
		}
		rows = append(rows, line)
	}
	return rows
}

func nameOf(row string) string {
	name, _, _ := strings.Cut(row, ":")
	return strings.TrimSpace(name)
}

func bareLF(b []byte) bool {
	b, _, _ = bytes.Cut(b, []byte("\r\n\r\n"))
	return bytes.Contains(bytes.ReplaceAll(b, []byte("\r\n"), nil), []byte("\n"))
}
