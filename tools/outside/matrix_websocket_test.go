package outside

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// upgrade sends a WebSocket handshake with these header rows besides the mandatory ones and gives
// the answer.
func upgrade(t *testing.T, to netip.AddrPort, rows ...string) *http.Response {
	t.Helper()
	conn, err := net.DialTimeout("tcp", to.String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	key := make([]byte, 16)
	rand.Read(key)
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %v\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
		to, base64.StdEncoding.EncodeToString(key), strings.Join(append(rows, ""), "\r\n"))
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("the handshake with %q is not answered: %v", rows, err)
	}
	r.Body.Close()
	return r
}

// Row 98, RFC 7118 §4.1: only a client that offers the subprotocol sip gets in, among others or
// alone; what is no WebSocket gets an HTTP answer.
func TestRow98Handshake(t *testing.T) {
	t.Parallel()
	srv := startStreams(t, streamSetup{ws: true})
	for _, rows := range [][]string{{"Sec-WebSocket-Protocol: sip"}, {"Sec-WebSocket-Protocol: xmpp, sip"},
		{"sec-websocket-protocol:sip", "Origin: http://example.com"}} {
		r := upgrade(t, srv.tcp, rows...)
		if r.StatusCode != 101 || r.Header.Get("Sec-WebSocket-Protocol") != "sip" {
			t.Errorf("%q: %s with subprotocol %q, want 101 and sip", rows, r.Status,
				r.Header.Get("Sec-WebSocket-Protocol"))
		}
	}
	for _, rows := range [][]string{nil, {"Sec-WebSocket-Protocol: xmpp"}, {"Sec-WebSocket-Protocol: sipx"}} {
		if *against == "kamailio" && len(rows) > 0 && strings.HasSuffix(rows[0], "sipx") {
			continue // it looks for the three letters
		}
		if r := upgrade(t, srv.tcp, rows...); r.StatusCode < 400 || r.StatusCode > 499 {
			t.Errorf("%q: %s, want a 4xx", rows, r.Status)
		}
	}
	c := &http.Client{Timeout: patience}
	r, err := c.Get("http://" + srv.tcp.String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode < 400 {
		t.Errorf("plain HTTP gets %s", r.Status)
	}
}

// fromBrowsers is a program for callers behind WebSocket: their Contact says where their connection
// is, and such a Contact leads there.
var fromBrowsers = strings.NewReplacer(
	"\tif (has_totag()) {\n", "\tif ($proto =~ \"^wss?$\") {\n\t\tadd_contact_alias();\n\t}\n\tif (has_totag()) {\n",
	"\t\tif (loose_route()) {\n",
	"\t\tif (loose_route()) {\n\t\t\tif ($du == $null || $du == \"\") {\n\t\t\t\thandle_ruri_alias();\n\t\t\t}\n",
	"route[RELAY] {\n", "route[RELAY] {\n\tt_on_reply(\"CONTACT\");\n",
).Replace(routes("\thandle_ruri_alias();\n\troute(RELAY);", `onreply_route[CONTACT] {
	if ($proto =~ "^wss?$") {
		add_contact_alias();
	}
}`))

// Row 98, RFC 7118 §5: a call of a client whose sent-by and Contact lead nowhere, in both
// directions; each end sends requests within it. Via names the transport, and no request to a
// client opens a connection: there is nothing to connect to.
func TestRow98Calls(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{{overWS, "UDP"}, {"UDP", overWS}, {overWS, overWS}, {overWSS, overTCP},
		{overWS, overWSS}, {overTLS, overWSS}} {
		t.Run(c[0]+" to "+c[1], func(t *testing.T) {
			t.Parallel()
			srv := startStreams(t, streamSetup{ws: true, setup: setup{program: fromBrowsers}})
			caller := srv.caller(t, "the caller", c[0])
			var callee *peer
			var target string
			if c[1] == overWS || c[1] == overWSS {
				callee = srv.caller(t, "the callee", c[1])
				target = learnContact(t, srv, callee)
			} else {
				callee = srv.callee(t, "the callee", c[1])
				target = callee.contact("callee")
			}
			d := caller.call(srv.at(c[0]))
			d.uri = target
			invite, ack := d.establish(callee)
			// Kamailio 5.6 writes two spaces behind WS, and for WSS the address of another
			// listener.
			if via := invite.all("Via"); *against != "kamailio" &&
				(len(via) != 2 || !strings.HasPrefix(via[0],
					"SIP/2.0/"+callee.protocol()+" "+srv.at(c[1]).String()+";") ||
					!strings.HasPrefix(via[1], "SIP/2.0/"+caller.protocol()+" "+caller.host()+";")) {
				t.Errorf("the Vias are %q", via)
			}
			if len(ack.all("Route")) != 0 {
				t.Errorf("the ACK arrives as\n%s", ack.raw)
			}
			// What reaches a client over WebSocket has its own Contact as Request-URI: the
			// parameter that led there is ours and goes.
			if callee.transport == overWS && invite.uri() != callee.contact("caller") {
				t.Errorf("the INVITE arrives for %s, the client registered %s", invite.uri(), callee.contact("caller"))
			}
			e := d.asSeenBy(callee, invite, srv.at(c[1]))
			for _, from := range []struct {
				*dialog
				to *peer
			}{{e, caller}, {d, callee}} {
				from.request("INFO")
				m := from.to.expect("INFO")
				if len(m.all("Route")) != 0 {
					t.Errorf("the INFO arrives as\n%s", m.raw)
				}
				from.to.reply(m, 200, "OK", "")
				from.peer.expect("200")
			}
			e.hangsUp(caller)
		})
	}
}

// recordRoutes are the values of Record-Route, whether in rows or behind commas.
func recordRoutes(m *message) (all []string) {
	for _, row := range m.all("Record-Route") {
		for _, v := range strings.Split(row, ",") {
			all = append(all, strings.TrimSpace(v))
		}
	}
	return all
}

// learnContact gives the Contact of a client as a registrar behind the proxy sees it.
func learnContact(t *testing.T, srv *streamServer, client *peer) string {
	t.Helper()
	home := newRegistrar(t)
	client.requests(srv.at(client.transport), "REGISTER", "sip:"+home.addr.String(), "Expires: 600")
	client.expect("200")
	uri := home.binding("callee")
	if param(uri, "alias") == "" {
		t.Fatalf("the registrar was told %q, which does not say where the connection is", uri)
	}
	return uri
}

// Row 98, RFC 6455 §5: pings are answered, messages in pieces are put together, a message in a
// binary frame counts as much as one in text (RFC 7118 §4.2), and frames that a client must not
// send end the connection.
func TestRow98Frames(t *testing.T) {
	t.Parallel()
	srv := startStreams(t, streamSetup{ws: true, setup: setup{program: fromBrowsers}})
	callee := newPeer(t, "the callee")
	next := func() (*peer, *stream, string) {
		caller := srv.caller(t, "the caller", overWS)
		d := caller.call(srv.tcp)
		d.uri = callee.contact("callee")
		return caller, caller.connection(), d.text("MESSAGE", d.branch)
	}
	caller, line, text := next()
	if err := wsutil.WriteClientMessage(lockedWriter{line}, ws.OpPing, []byte("well?")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a pong", func() bool { return line.pongs.Load() == 1 })
	if err := wsutil.WriteClientMessage(lockedWriter{line}, ws.OpBinary, []byte(text)); err != nil {
		t.Fatal(err)
	}
	answered(caller, callee, "MESSAGE")

	if *against != "kamailio" { // which does not take messages in pieces
		caller, line, text = next()
		third := len(text) / 3
		for i, piece := range []string{text[:third], text[third : 2*third], text[2*third:]} {
			op := ws.OpContinuation
			if i == 0 {
				op = ws.OpText
			}
			frame := ws.MaskFrame(ws.NewFrame(op, i == 2, []byte(piece)))
			if err := ws.WriteFrame(lockedWriter{line}, frame); err != nil {
				t.Fatal(err)
			}
		}
		answered(caller, callee, "MESSAGE")
	}

	for name, frame := range map[string]ws.Frame{
		"not masked":          ws.NewTextFrame([]byte(text)),
		"an unknown opcode":   ws.MaskFrame(ws.NewFrame(ws.OpCode(5), true, []byte(text))),
		"a ping of 126 bytes": ws.MaskFrame(ws.NewPingFrame([]byte(strings.Repeat("x", 126)))),
	} {
		if *against == "kamailio" && name != "an unknown opcode" {
			continue
		}
		_, line, _ := next()
		b, err := ws.CompileFrame(frame)
		if err != nil {
			t.Fatal(err)
		}
		lockedWriter{line}.Write(b) // the proxy may close at its first byte
		select {
		case <-line.gone:
		case <-time.After(patience):
			t.Errorf("a frame that is %s does not end the connection", name)
		}
	}
	callee.silence(beat)
}
