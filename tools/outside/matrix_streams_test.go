package outside

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// relayed starts a proxy with streams between a caller and a callee, and gives the call that leads
// from one to the other.
func relayed(t *testing.T, callerOver, calleeOver string,
	s streamSetup) (srv *streamServer, d *dialog, caller, callee *peer) {
	t.Helper()
	t.Parallel()
	srv = startStreams(t, s)
	caller, callee = srv.caller(t, "the caller", callerOver), srv.callee(t, "the callee", calleeOver)
	callee.once.Store(true)
	d = caller.call(srv.at(callerOver))
	d.uri = callee.contact("callee")
	return srv, d, caller, callee
}

// answered has the callee take a request and answer it, and the caller take the answer.
func answered(caller, callee *peer, method string) *message {
	caller.t.Helper()
	m := callee.expect(method)
	callee.reply(m, 200, "OK", "callee")
	caller.expect("200")
	return m
}

// Row 48, §18.2.2: over a stream a response goes back by the connection of its request; when that
// is gone, by a new one to the address in Via.
func TestRow48ResponseOnStreams(t *testing.T) {
	srv, d, caller, callee := relayed(t, overTCP, "UDP", streamSetup{})
	other := srv.caller(t, "another connection", overTCP)
	d.request("MESSAGE")
	m := callee.expect("MESSAGE")
	if via := m.all("Via"); len(via) != 2 || !strings.HasPrefix(via[1], "SIP/2.0/TCP "+caller.addr.String()+";") {
		t.Errorf("the Vias are %q", via)
	}
	callee.reply(m, 200, "OK", "callee")
	if r := caller.expect("200"); r.link != caller.connection() {
		t.Error("the answer came by another connection")
	}
	other.silence(beat)

	// The Via names a listener of the caller's: nobody connects to it while the connection is
	// there, and when it is not, the answer does.
	home := listener(t, "the caller's listener", overTCP, loopback4)
	for _, end := range []func(*stream){(*stream).close, (*stream).reset} {
		line := home.dial(srv.tcp)
		e := home.requests(srv.tcp, "MESSAGE", d.uri)
		answered(home, callee, "MESSAGE")
		e.invite()
		m = callee.expect("INVITE")
		if r := home.expect("100"); r.link != line {
			t.Error("the 100 came by another connection")
		}
		end(line)
		line.noticed()
		callee.reply(m, 200, "OK", "callee")
		again := home.expectConnection()
		if r := home.expect("200"); r.link != again {
			t.Error("the answer came by another connection than the new one")
		}
		again.close()
	}
	other.connection().alive()
}

// Row 21, §16.6 step 1, §18.3: what came in a datagram without Content-Length gets one for the
// stream; the body is the same, whatever is in it.
func TestRow21ContentLengthOnStreams(t *testing.T) {
	_, d, caller, callee := relayed(t, "UDP", overTCP, streamSetup{})
	body := "--b\r\n\x00\x01\r\n\r\nSIP/2.0 200 OK\r\n\r\n\xff--b--"
	caller.send(d.proxy, d.text("MESSAGE", d.branch, "-Content-Length",
		"Content-Type: multipart/mixed;boundary=b")+body)
	m := answered(caller, callee, "MESSAGE")
	if string(m.body) != body || len(m.all("Content-Length")) != 1 {
		t.Errorf("arrives as\n%q", m.raw)
	}
}

// Row 48: a browser that has gone cannot be reached at what its Via says, and nobody tries: its
// answer is dropped and counted, the callee is served to the end.
func TestRow48NoWayBack(t *testing.T) {
	srv, d, caller, callee := relayed(t, overWS, "UDP", streamSetup{ws: true})
	d.invite()
	m := callee.expect("INVITE")
	caller.expect("100")
	line := caller.connection()
	line.close()
	line.noticed()
	callee.reply(m, 486, "Busy Here", "callee")
	callee.expect("ACK")
	if *against != "kamailio" {
		eventually(t, "the answer to be counted", func() bool { return sum(srv.stats(t), "no_way_back") == 1 })
	}
	other := srv.caller(t, "another browser", overWS)
	other.requests(srv.tcp, "MESSAGE", callee.contact("callee"))
	answered(other, callee, "MESSAGE")
	caller.silence(0)
}

// Row 49, §18.3: on streams Content-Length alone says where a body ends: more is waited for, and
// what is left begins the next message.
func TestRow49ContentLengthOnStreams(t *testing.T) {
	srv, d, caller, callee := relayed(t, overTCP, "UDP", streamSetup{})
	text := d.text("MESSAGE", d.branch, "-Content-Length", "Content-Length: 10")
	line := caller.connection()
	line.send(text + "short")
	callee.silence(beat)
	line.send("-long")
	if m := answered(caller, callee, "MESSAGE"); string(m.body) != "short-long" {
		t.Errorf("the body is %q", m.body)
	}
	line.alive()

	d = caller.call(srv.tcp)
	d.uri = callee.contact("callee")
	line.send(d.text("MESSAGE", d.branch) + "this is no message\r\n\r\n")
	callee.answers("MESSAGE", 200, "OK")
	refusedOrGone(t, caller, line)
	callee.silence(beat)
	fresh := srv.caller(t, "a new connection", overTCP)
	fresh.requests(srv.tcp, "MESSAGE", callee.contact("callee"))
	answered(fresh, callee, "MESSAGE")
}

// refusedOrGone wants the proxy to answer 400 (513) or to end the connection: §18.3 leaves the
// choice. Answers to what came before may pass first.
func refusedOrGone(t *testing.T, p *peer, line *stream) {
	t.Helper()
	eventually(t, "a 400 or the end of the connection", func() bool {
		select {
		case m := <-p.in:
			if m.status() != 400 && m.status() != 513 && m.status() != 200 {
				t.Fatalf("%s got\n%s", p.name, m.raw)
			}
			return m.status() >= 400
		case <-line.gone:
			return true
		default:
			return false
		}
	})
}

// Row 50, §7.5, §18.3: messages are cut out of the stream however it arrives, in order; line ends
// before a message are skipped; a message without Content-Length does not pass, for nobody knows
// where the next begins.
func TestRow50Framing(t *testing.T) {
	srv, _, caller, callee := relayed(t, overTCP, "UDP", streamSetup{setup: setup{shards: 2}})
	line := caller.connection()
	next := func() *dialog {
		d := caller.call(srv.tcp)
		d.uri = callee.contact("callee")
		return d
	}
	d := next()
	line.drip(d.text("INVITE", d.branch))
	m := callee.expect("INVITE")
	if string(m.body) != sdp {
		t.Errorf("the body arrives as %q", m.body)
	}
	callee.reply(m, 486, "Busy Here", "callee")
	callee.expect("ACK")
	caller.expect("100")
	d.ack(caller.expect("486"))

	d = next()
	line.send("\r\n\r\n\r\n\n\r\n" + d.text("MESSAGE", d.branch))
	answered(caller, callee, "MESSAGE")

	// One call, hence one order, in a single write.
	d = next()
	var all strings.Builder
	const messages = 100
	for i := 1; i <= messages; i++ {
		d.cseq = i
		body := strings.Repeat("x", i)
		all.WriteString(d.text("MESSAGE", fmt.Sprintf("%s.%d", d.branch, i), "-Content-Length",
			fmt.Sprintf("Content-Length: %d", len(body))) + body)
	}
	line.send(all.String())
	for i := 1; i <= messages; i++ {
		m := callee.expect("MESSAGE")
		if m.get("CSeq") != fmt.Sprintf("%d MESSAGE", i) || len(m.body) != i {
			t.Fatalf("message %d arrives as\n%s", i, m.raw)
		}
		callee.reply(m, 200, "OK", "callee")
	}
	for range messages {
		caller.expect("200")
	}

	d = next()
	behind := next()
	line.send(d.text("MESSAGE", d.branch, "-Content-Length") + behind.text("MESSAGE", behind.branch))
	refusedOrGone(t, caller, line)
	callee.silence(beat)
}

// Row 50: a Content-Length that is no number, two that differ, and one beyond what is taken (513,
// §21.5.7): the message does not pass, nor what stands behind it, and the connection ends or the
// sender is told.
func TestRow50BrokenContentLength(t *testing.T) {
	srv, _, _, callee := relayed(t, overTCP, "UDP", streamSetup{})
	for _, rows := range [][]string{{"Content-Length: abc"}, {"Content-Length: -1"}, {"Content-Length: 0x10"},
		{"Content-Length: 99999999999999999999"}, {"Content-Length: 0", "l: 5"},
		{"Content-Length: 400000000"}} {
		caller := srv.caller(t, fmt.Sprintf("who sends %q", rows), overTCP)
		d, behind := caller.call(srv.tcp), caller.call(srv.tcp)
		d.uri, behind.uri = callee.contact("callee"), callee.contact("callee")
		line := caller.connection()
		line.send(d.text("MESSAGE", d.branch, append([]string{"-Content-Length"}, rows...)...) + "12345" +
			behind.text("MESSAGE", behind.branch))
		refusedOrGone(t, caller, line)
	}
	callee.silence(beat)
	fresh := srv.caller(t, "a new connection", overTCP)
	fresh.requests(srv.tcp, "MESSAGE", callee.contact("callee"))
	answered(fresh, callee, "MESSAGE")
}

// Row 51, §18.1.1: a request that is too large for a datagram goes by TCP, and by UDP after all
// where nobody takes it.
func TestRow51LargeRequests(t *testing.T) {
	srv, _, caller, callee := relayed(t, "UDP", "UDP",
		streamSetup{globals: []string{"udp_mtu=1300", "udp_mtu_try_proto=TCP"}})
	large := "Subject: " + strings.Repeat("x", 1000)
	f := func(from *peer, over string, extra ...string) {
		t.Helper()
		d := caller.invitesTo(srv.addr, "sip:callee@"+callee.addr.String(), extra...)
		m := from.expect("INVITE")
		if via := m.get("Via"); !strings.HasPrefix(via, "SIP/2.0/"+over+" ") {
			t.Errorf("over %s the Via is %s", over, via)
		}
		if over == "TCP" && len(m.raw) < 1300 {
			t.Errorf("only %d bytes", len(m.raw))
		}
		from.reply(m, 486, "Busy Here", "callee")
		from.expect("ACK")
		caller.expect("100")
		d.ack(caller.expect("486"))
	}
	f(callee, "UDP")
	f(callee, "UDP", large) // nobody listens: RST
	byTCP := listenerAt(t, "the callee's TCP end", overTCP, callee.addr)
	f(byTCP, "TCP", large)
	f(callee, "UDP")
	byTCP.silence(beat)
	callee.silence(0)
}

// Row 81, RFC 5626 §3.5.1, §4.4.1: a double CRLF is answered with one.
func TestRow81KeepAlive(t *testing.T) {
	t.Parallel()
	srv := startStreams(t, streamSetup{ws: true})
	for _, transport := range []string{overTCP, overTLS, overWS, overWSS} {
		p := srv.caller(t, "a peer over "+transport, transport)
		line := p.connection()
		for i := range 3 {
			line.send("\r\n\r\n")
			line.expectCRLFs(int64(i + 1))
		}
		d := p.call(srv.at(transport))
		callee := newPeer(t, "the callee")
		d.uri = callee.contact("callee")
		// Between two messages as well as alone.
		line.send("\r\n\r\n")
		d.request("MESSAGE")
		answered(p, callee, "MESSAGE")
		line.expectCRLFs(4)
		time.Sleep(beat / 3)
		if n := line.empty.Load(); n != 4 {
			t.Errorf("over %s four pings got %d CRLFs", transport, n)
		}
		line.alive()
	}
}

// throughBoth makes a call whose sides differ in transport or address family and has each end send
// requests by its route set: two Record-Routes, each with what leads to us from its side, and every
// request arrives without them.
func throughBoth(t *testing.T, d *dialog, caller, callee *peer, calleeSide netip.AddrPort) {
	t.Helper()
	invite, ack := d.establish(callee)
	rr := invite.all("Record-Route")
	if len(rr) == 1 {
		rr = strings.Split(rr[0], ",") // RFC 3261 §7.3.1
	}
	if len(rr) != 2 {
		t.Fatalf("Record-Route %q, want one for each side", rr)
	}
	for i, want := range []struct {
		addr netip.AddrPort
		over *peer
	}{{calleeSide, callee}, {d.proxy, caller}} {
		uri := strings.Trim(strings.TrimSpace(rr[i]), "<>")
		sips := strings.HasPrefix(uri, "sips:")
		host := strings.TrimPrefix(strings.TrimPrefix(uri, "sips:"), "sip:")
		over := strings.ToUpper(param(uri, "transport"))
		if over == "" {
			over = "UDP"
			if sips {
				over = overTLS
			}
		}
		if !strings.HasPrefix(host, want.addr.String()+";") || !hasParam(uri, "lr") ||
			over != want.over.protocol() && !(sips && over == overTCP) {
			t.Errorf("Record-Route %d is %s, want %v over %s with lr", i, rr[i], want.addr, want.over.protocol())
		}
	}
	f := func(m *message, at *peer, uri string) {
		t.Helper()
		if len(m.all("Route")) != 0 || m.uri() != uri ||
			!strings.HasPrefix(m.get("Via"), "SIP/2.0/"+at.protocol()+" ") {
			t.Errorf("%s got\n%s", at.name, m.raw)
		}
	}
	f(ack, callee, d.uri)
	e := d.asSeenBy(callee, invite, calleeSide)
	for range 2 {
		e.request("INFO")
		m := caller.expect("INFO")
		f(m, caller, e.uri)
		caller.reply(m, 200, "OK", "")
		callee.expect("200")
		d.request("INFO")
		m = callee.expect("INFO")
		f(m, callee, d.uri)
		callee.reply(m, 200, "OK", "")
		caller.expect("200")
	}
	e.request("BYE")
	m := caller.expect("BYE")
	f(m, caller, e.uri)
	caller.reply(m, 200, "OK", "")
	callee.expect("200")

	// And one that the caller ends.
	g := caller.call(d.proxy)
	g.uri = callee.contact("callee")
	g.establish(callee)
	g.request("BYE")
	m = callee.expect("BYE")
	f(m, callee, g.uri)
	callee.reply(m, 200, "OK", "")
	caller.expect("200")
}

// Row 19, RFC 5658: where a call changes the transport there are two Record-Routes, and requests
// pass in both directions.
func TestRow19Transports(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{{"UDP", overTCP}, {overTCP, "UDP"}, {"UDP", overTLS}, {overTLS, "UDP"},
		{overTCP, overTLS}, {overTLS, overTCP}} {
		t.Run(c[0]+" to "+c[1], func(t *testing.T) {
			srv, d, caller, callee := relayed(t, c[0], c[1], streamSetup{})
			throughBoth(t, d, caller, callee, srv.at(c[1]))
		})
	}
}

// Row 19, RFC 3263 §4.1: the caller came by TCP, and its Contact names no transport. What the
// callee sends goes there by UDP, for the second Route says which interface it leaves by and
// nothing more; where the Contact names the port of the caller's own connection, it is that while
// it is open.
func TestRow19ContactWithoutTransport(t *testing.T) {
	srv, _, caller, callee := relayed(t, overTCP, "UDP", streamSetup{})
	phone := newPeer(t, "the caller's phone")
	f := func(contact netip.AddrPort, at *peer, protocol string) {
		t.Helper()
		d := caller.invitesTo(srv.tcp, callee.contact("callee"), "-Contact",
			fmt.Sprintf("Contact: <sip:caller@%v>", contact))
		invite := callee.expect("INVITE")
		callee.reply(invite, 200, "OK", "callee")
		caller.expect("100")
		d.confirm(caller.expect("200"))
		d.request("ACK")
		callee.expect("ACK")
		e := &dialog{peer: callee, proxy: srv.at("UDP"), id: d.id, uri: fmt.Sprintf("sip:caller@%v", contact),
			toTag:  param(invite.get("From"), "tag"),
			branch: "z9hG4bKback" + d.branch[7:], routes: invite.all("Record-Route")}
		e.request("BYE")
		m := at.expect("BYE")
		if via := m.get("Via"); !strings.HasPrefix(via, "SIP/2.0/"+protocol+" ") {
			t.Errorf("the BYE for %v has Via %s", contact, via)
		}
		at.reply(m, 200, "OK", "")
		callee.expect("200")
	}
	f(phone.addr, phone, "UDP")
	here := netip.MustParseAddrPort(caller.connection().conn.LocalAddr().String())
	f(here, caller, "TCP")
}
