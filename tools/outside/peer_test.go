package outside

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// message is a SIP message as a peer sees it. It is read leniently and by other code than the
// proxy's.
type message struct {
	raw   []byte
	from  netip.AddrPort
	at    time.Time // of arrival
	start string
	rows  []row // headers in order, unfolded
	body  []byte
	link  *stream // it came by; nil: by a datagram
}

type row struct{ name, value string }

func readMessage(b []byte, from netip.AddrPort) *message {
	m := &message{raw: b, from: from}
	head, body, _ := bytes.Cut(b, []byte("\r\n\r\n"))
	m.body = body
	for i, line := range strings.Split(string(head), "\r\n") {
		switch {
		case i == 0:
			m.start = line
		case strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t"):
			if n := len(m.rows); n > 0 {
				m.rows[n-1].value += " " + strings.TrimSpace(line)
			}
		default:
			name, value, _ := strings.Cut(line, ":")
			m.rows = append(m.rows, row{strings.TrimSpace(name), strings.TrimSpace(value)})
		}
	}
	return m
}

// status is 0 for a request.
func (m *message) status() int {
	after, ok := strings.CutPrefix(m.start, "SIP/2.0 ")
	if !ok {
		return 0
	}
	n, _, _ := strings.Cut(after, " ")
	code, _ := strconv.Atoi(n)
	return code
}

func (m *message) method() string {
	if m.status() > 0 {
		return ""
	}
	method, _, _ := strings.Cut(m.start, " ")
	return method
}

func (m *message) uri() string {
	f := strings.Split(m.start, " ")
	if len(f) < 2 {
		return ""
	}
	return f[1]
}

// all gives the values of a header, one per row.
func (m *message) all(name string) (values []string) {
	for _, r := range m.rows {
		if strings.EqualFold(r.name, name) {
			values = append(values, r.value)
		}
	}
	return values
}

func (m *message) get(name string) string {
	if v := m.all(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// branch is that of the top Via.
func (m *message) branch() string { return param(m.get("Via"), "branch") }

// param is a header parameter's value.
func param(value, name string) string {
	for _, p := range strings.Split(value, ";")[1:] {
		if n, v, _ := strings.Cut(p, "="); strings.EqualFold(strings.TrimSpace(n), name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func (m *message) String() string { return m.start }

// peer is one end of calls: a socket, with everything that arrives in a queue. One that speaks over
// streams has stream ends instead of the socket.
type peer struct {
	t    *testing.T
	name string
	conn *net.UDPConn // nil: streams
	addr netip.AddrPort
	in   chan *message

	streamEnds

	answersProbes atomic.Bool // OPTIONS get their 200 at once and are not queued
	// requests and failures that are byte for byte repeated are not queued again: the machine may
	// be slow
	once atomic.Bool
}

// newPeer opens a socket on a free port of 127.0.0.1.
func newPeer(t *testing.T, name string) *peer {
	t.Helper()
	return newPeerAt(t, name, freeAddress(t))
}

func newPeerAt(t *testing.T, name string, addr netip.AddrPort) *peer {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadBuffer(4 << 20)
	p := &peer{t: t, name: name, conn: conn, addr: addr, in: make(chan *message, 1<<16)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b, seen := make([]byte, 1<<16), map[string]bool{}
		for {
			n, from, err := conn.ReadFromUDPAddrPort(b)
			if err != nil {
				if strings.Contains(err.Error(), "closed") {
					return
				}
				continue // an ICMP error of something sent earlier
			}
			m := readMessage(bytes.Clone(b[:n]), from)
			m.at = time.Now()
			if p.answersProbes.Load() && m.method() == "OPTIONS" {
				conn.WriteToUDPAddrPort([]byte(replyText(m, addr, 200, "OK", "probed")), from)
				continue
			}
			if p.once.Load() && m.method() != "ACK" && (m.status() == 0 || m.status() >= 300) {
				if seen[string(m.raw)] {
					continue
				}
				seen[string(m.raw)] = true
			}
			p.in <- m
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return p
}

func (p *peer) send(to netip.AddrPort, text string) {
	p.t.Helper()
	if p.conn == nil {
		p.link(to).send(text)
		return
	}
	if _, err := p.conn.WriteToUDPAddrPort([]byte(text), to); err != nil {
		p.t.Fatal(err)
	}
}

// next is whatever arrives next; nil if nothing does within d.
func (p *peer) next(d time.Duration) *message {
	select {
	case m := <-p.in: // whatever the clock says
		return m
	default:
	}
	select {
	case m := <-p.in:
		return m
	case <-time.After(d):
		return nil
	}
}

// expect wants the next message to be this request or response, by method or status code: "INVITE",
// "180".
func (p *peer) expect(what string) *message {
	p.t.Helper()
	m := p.next(patience)
	switch {
	case m == nil:
		p.t.Fatalf("%s waits in vain for %s", p.name, what)
	case m.method() != what && strconv.Itoa(m.status()) != what:
		p.t.Fatalf("%s got this instead of %s:\n%s", p.name, what, m.raw)
	}
	return m
}

// silence wants nothing to arrive for a time.
func (p *peer) silence(d time.Duration) {
	p.t.Helper()
	if m := p.next(d); m != nil {
		p.t.Errorf("%s got what nobody should have sent it:\n%s", p.name, m.raw)
	}
}

// beat is how long a test waits for what must not come: by far longer than the proxy takes for what
// does come, and shorter than T1, when the peers' messages would be repeated.
const beat = 300 * time.Millisecond

var callNumber atomic.Uint64

// dialog is a caller's side of a call.
type dialog struct {
	peer   *peer
	proxy  netip.AddrPort
	id     string // Call-ID
	uri    string // Request-URI
	toTag  string
	branch string // of the INVITE
	cseq   int
	routes []string
}

// call prepares a call of p through a proxy.
func (p *peer) call(proxy netip.AddrPort) *dialog {
	n := callNumber.Add(1)
	return &dialog{peer: p, proxy: proxy, id: fmt.Sprintf("outside-%d-%d@%s", n, p.addr.Port(), p.addr.Addr()),
		uri:    "sip:callee@example.com",
		branch: fmt.Sprintf("z9hG4bKoutside%d.%d", p.addr.Port(), n), cseq: 1}
}

const sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"

// text writes a request. Extra header rows go before the body; one that begins with "-" takes a
// standard row away.
func (d *dialog) text(method, branch string, extra ...string) string {
	to := "<sip:callee@example.com>"
	if d.toTag != "" {
		to += ";tag=" + d.toTag
	}
	rows := []string{
		fmt.Sprintf("Via: SIP/2.0/%s %s;branch=%s", d.peer.protocol(), d.peer.host(), branch),
		"Max-Forwards: 70",
		"From: <sip:caller@example.com>;tag=c" + d.branch[len("z9hG4bK"):],
		"To: " + to,
		"Call-ID: " + d.id,
		fmt.Sprintf("CSeq: %d %s", d.cseq, method),
		fmt.Sprintf("Contact: <%s>", d.peer.contact("caller")),
	}
	for _, r := range d.routes {
		rows = append(rows, "Route: "+r)
	}
	body := ""
	if method == "INVITE" {
		body = sdp
		rows = append(rows, "Content-Type: application/sdp")
	}
	rows = append(rows, fmt.Sprintf("Content-Length: %d", len(body)))
	for _, e := range extra {
		name, taken := strings.CutPrefix(e, "-")
		if !taken {
			rows = append(rows[:len(rows)-1:len(rows)-1], e, rows[len(rows)-1])
			continue
		}
		for i, r := range rows {
			if strings.HasPrefix(r, name+":") {
				rows = append(rows[:i:i], rows[i+1:]...)
				break
			}
		}
	}
	return method + " " + d.uri + " SIP/2.0\r\n" + strings.Join(rows, "\r\n") + "\r\n\r\n" + body
}

// invite sends the INVITE; ack that of a response other than 2xx and cancel have its branch
// (§17.1.1.3, §9.1).
func (d *dialog) invite(extra ...string) { d.peer.send(d.proxy, d.text("INVITE", d.branch, extra...)) }
func (d *dialog) cancel(extra ...string) { d.peer.send(d.proxy, d.text("CANCEL", d.branch, extra...)) }
func (d *dialog) ack(final *message) {
	d.toTag = param(final.get("To"), "tag")
	d.peer.send(d.proxy, d.text("ACK", d.branch))
	d.toTag = ""
}

// request sends a request within or outside the dialog, with a branch of its own, which it returns.
func (d *dialog) request(method string, extra ...string) string {
	d.peer.t.Helper()
	if method != "ACK" {
		d.cseq++
	}
	branch := fmt.Sprintf("%s.%d%s", d.branch, d.cseq, method)
	d.peer.send(d.proxy, d.text(method, branch, extra...))
	return branch
}

// confirm takes tag, route set and target from a 2xx (§12.1.2: the caller's route set is the
// Record-Routes from the last to the first).
func (d *dialog) confirm(m *message) {
	d.toTag = param(m.get("To"), "tag")
	d.routes = nil
	for _, r := range m.all("Record-Route") {
		d.routes = append([]string{r}, d.routes...)
	}
	d.uri = strings.Trim(m.get("Contact"), "<>")
}

// establish makes the call with a callee that is driven by hand, up to the ACK, and returns the ACK
// as it arrived.
func (d *dialog) establish(callee *peer) (invite, ack *message) {
	d.peer.t.Helper()
	d.invite()
	invite = callee.expect("INVITE")
	callee.reply(invite, 200, "OK", "callee")
	d.peer.expect("100")
	d.confirm(d.peer.expect("200"))
	d.request("ACK")
	return invite, callee.expect("ACK")
}

// reply answers a request: toTag "" leaves To as it is.
func (p *peer) reply(m *message, code int, phrase, toTag string, extra ...string) {
	p.t.Helper()
	text := responseText(m, p.contact("callee"), code, phrase, toTag, extra...)
	if m.link != nil {
		m.link.send(text) // §18.2.2: by the connection the request came by
		return
	}
	p.send(m.from, text)
}

func replyText(m *message, contact netip.AddrPort, code int, phrase, toTag string, extra ...string) string {
	return responseText(m, "sip:callee@"+contact.String(), code, phrase, toTag, extra...)
}

func responseText(m *message, contact string, code int, phrase, toTag string, extra ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %d %s\r\n", code, phrase)
	for _, r := range m.rows {
		switch strings.ToLower(r.name) {
		case "via", "from", "call-id", "cseq", "record-route", "v", "f", "i":
			fmt.Fprintf(&b, "%s: %s\r\n", r.name, r.value)
		case "to", "t":
			if toTag != "" && !strings.Contains(r.value, ";tag=") {
				r.value += ";tag=" + toTag
			}
			fmt.Fprintf(&b, "%s: %s\r\n", r.name, r.value)
		}
	}
	fmt.Fprintf(&b, "Contact: <%s>\r\n", contact)
	for _, e := range extra {
		b.WriteString(e + "\r\n")
	}
	b.WriteString("Content-Length: 0\r\n\r\n")
	return b.String()
}

// options asks the proxy itself whether it lives.
func (p *peer) options(proxy netip.AddrPort) *dialog {
	d := p.call(proxy)
	d.uri = "sip:" + proxy.String()
	p.send(proxy, d.text("OPTIONS", d.branch))
	return d
}
