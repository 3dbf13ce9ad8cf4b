package shard

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"viaduct/netio"
	"viaduct/netio/stream"
	"viaduct/netio/stream/wslayer"
	"viaduct/shard/blocklist"
	"viaduct/shard/proxy"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// flowConns are the connections of a flow: each address that sent something over a stream has one,
// numbered in the order they appear.
type flowConns struct {
	ids  map[netio.Addr]uint64
	gone bool // there are none
	did  []string
	tls  *stream.TLSInfo
}

func (c *flowConns) Find(_ int, peer *netio.Addr) uint64 {
	if c.gone {
		return 0
	}
	return c.ids[*peer]
}

// arrive is the connection of a peer that sends something.
func (c *flowConns) arrive(peer *netio.Addr) uint64 {
	if c.gone {
		return 0
	}
	if c.ids[*peer] == 0 {
		c.ids[*peer] = uint64(len(c.ids) + 1)
	}
	return c.ids[*peer]
}

func (c *flowConns) State(id uint64) stream.ConnState {
	if id > uint64(len(c.ids)) {
		return stream.ConnGone
	}
	return stream.ConnUp
}

func (c *flowConns) note(what string, args ...any) bool {
	line := what
	for _, a := range args {
		switch a := a.(type) {
		case uint64:
			line += " " + string(rune('0'+a))
		case string:
			line += " " + a
		}
	}
	c.did = append(c.did, line)
	return true
}

func (c *flowConns) SetLifetime(id uint64, d time.Duration) bool {
	return c.note("lifetime", id, d.String())
}
func (c *flowConns) SetKeepAlive(id uint64, idle time.Duration, count int, interval time.Duration) bool {
	return c.note("keepalive", id, idle.String(), uint64(count), interval.String())
}
func (c *flowConns) CloseGracefully(id uint64, status int, reason []byte) bool {
	return c.note("close", id, string(reason))
}
func (c *flowConns) AliasOf(id uint64, port uint16) bool {
	return c.note("alias", id, netio.TCP.String())
}
func (c *flowConns) TLSInfo(uint64) *stream.TLSInfo { return c.tls }
func (c *flowConns) AnswerHTTP(id uint64, _ uint32, response []byte, _ bool) bool {
	return c.note("http", id, string(response))
}
func (c *flowConns) UpgradeHTTP(id uint64, _ uint32, _ []byte, _ *wslayer.Request) bool {
	return c.note("upgrade", id)
}
func (c *flowConns) WebSocket(uint64) *wslayer.Config { return nil }

const doorsHead = `listen=udp:127.0.0.1:5060 name "main"
listen=udp:127.0.0.1:5070 name "side"
listen=tcp:127.0.0.1:5060 advertise edge.example:5090 name "stream"
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
loadmodule "tm.so"
loadmodule "pv.so"
loadmodule "sl.so"
loadmodule "corex.so"
loadmodule "tcpops.so"
loadmodule "blst.so"
loadmodule "textops.so"
loadmodule "xlog.so"
loadmodule "tls.so"
loadmodule "websocket.so"
`

// answered runs a program that answers with what it finds out, and gives the reason phrase of the
// answer.
func answered(t *testing.T, f *flow, from string) string {
	t.Helper()
	b := request("OPTIONS", "sip:bob@127.0.0.1:7000", "doors-"+from, from)
	if strings.HasPrefix(from, "tcp:") {
		b = []byte(strings.Replace(string(b), "SIP/2.0/UDP", "SIP/2.0/TCP", 1))
	}
	f.receive(from, b)
	if len(f.sent) != 1 {
		t.Fatalf("%d messages left, want one answer", len(f.sent))
	}
	line, _, _ := strings.Cut(string(f.sent[0].bytes), "\r\n")
	f.sent = nil
	return strings.TrimPrefix(line, "SIP/2.0 200 ")
}

func TestDoorsThatTell(t *testing.T) {
	ask := func(from, phrase, want string) {
		t.Helper()
		f := newFlow(t, doorsHead+"request_route {\n"+phrase+"\n}\n", "", 16<<20)
		if got := answered(t, f, from); got != want {
			t.Errorf("%s: got %q, want %q", phrase, got, want)
		}
		f.endsClean()
	}
	ask("127.0.0.1:6000", `sl_send_reply("200", "$Rn");`, "main")
	ask("tcp:127.0.0.1:6000", `sl_send_reply("200", "$Rn $RAi $RAp");`, "stream edge.example 5090")
	ask("127.0.0.1:6000", `$fs = "udp:127.0.0.1:5070"; sl_send_reply("200", "$fs $fsn");`, "udp:127.0.0.1:5070 side")
	ask("127.0.0.1:6000", `$fs = "tcp:edge.example:5090"; sl_send_reply("200", "$fsn");`, "stream")
	ask("127.0.0.1:6000", `$fsn = "side"; sl_send_reply("200", "$fs");`, "udp:127.0.0.1:5070")
	ask("127.0.0.1:6000", `$fs = "127.0.0.1"; sl_send_reply("200", "$fsn");`, "main")
	ask("tcp:127.0.0.1:6000", `sl_send_reply("200", "conn $conid");`, "conn 1")
	ask("127.0.0.1:6000", `if ($conid == $null) { sl_send_reply("200", "none"); }`, "none")
	ask("tcp:127.0.0.1:6000", `if (tcp_conid_alive("1") && !tcp_conid_alive("2")) { sl_send_reply("200", "alive"); }`,
		"alive")
	ask("127.0.0.1:6000", `if (!is_peer_verified()) { sl_send_reply("200", "no"); }`, "no")
}

func TestDoorsToConnections(t *testing.T) {
	do := func(from, script string, want ...string) {
		t.Helper()
		end := `sl_send_reply("200", "done");`
		if strings.HasPrefix(script, end) {
			end = ""
		}
		f := newFlow(t, doorsHead+"request_route {\n"+script+"\n"+end+" }\n", "", 16<<20)
		answered(t, f, from)
		if got := strings.Join(f.conns.did, "; "); got != strings.Join(want, "; ") {
			t.Errorf("%s: did %q, want %q", script, got, want)
		}
		f.endsClean()
	}
	do("tcp:127.0.0.1:6000", `tcp_set_connection_lifetime("30");`, "lifetime 1 30s")
	do("tcp:127.0.0.1:6000", `tcp_keepalive_enable("30", "3", "5");`, "keepalive 1 30s 3 5s")
	do("tcp:127.0.0.1:6000", `tcp_keepalive_disable();`, "keepalive 1 0s 0 0s")
	do("tcp:127.0.0.1:6000", `tcp_close_connection();`, "close 1 ")
	do("tcp:127.0.0.1:6000", `ws_close("4000", "enough");`, "close 1 enough")
	do("tcp:127.0.0.1:6000", `force_tcp_alias();`, "alias 1 TCP")
	// Without a word about it, tcp_script_mode is 0.
	const refuse = `sl_send_reply("200", "done"); `
	do("tcp:127.0.0.1:6000", refuse+`return -1;`, "close 1 ")
	do("tcp:127.0.0.1:6000", refuse+`if (true) { return -5; }`, "close 1 ")
	do("tcp:127.0.0.1:6000", refuse+`return 1;`)
	do("tcp:127.0.0.1:6000", refuse+`return 0;`)
	do("tcp:127.0.0.1:6000", refuse+`exit;`)
	do("tcp:127.0.0.1:6000", refuse+`drop;`)
	do("tcp:127.0.0.1:6000", refuse+`route(NO); exit; } route[NO] { return -1;`)
	do("tcp:127.0.0.1:6000", refuse+`route(NO); } route[NO] { return -1;`, "close 1 ")
	do("tcp:127.0.0.1:6000", refuse+`if (false) { exit; }`)
	do("tcp:127.0.0.1:6000", refuse+`return -1; } tcp_script_mode=1 event_route[core:pre-routing] {`)
	do("127.0.0.1:6000", refuse+`return -1;`)
	do("127.0.0.1:6000", `tcp_set_connection_lifetime("30"); tcp_close_connection(); force_tcp_alias();`)
}

func TestAcceptAliases(t *testing.T) {
	f := newFlow(t, "tcp_accept_aliases=yes\n"+doorsHead+"request_route { sl_send_reply(\"200\", \"done\"); }\n", "",
		16<<20)
	send := func(params string) {
		b := string(request("OPTIONS", "sip:bob@b", "alias"+params, "x"))
		f.receive("tcp:127.0.0.1:6000",
			[]byte(strings.Replace(b, "UDP 127.0.0.1:6000", "TCP 127.0.0.1:6070"+params, 1)))
	}
	send("")
	send(";aliases=1")
	send(";rport;xalias")
	if len(f.conns.did) != 0 {
		t.Fatalf("without alias: %q", f.conns.did)
	}
	send(";alias")
	send(";rport; Alias")
	if len(f.conns.did) != 2 {
		t.Fatalf("with alias: %q", f.conns.did)
	}
}

// TestBrokenFraming: what a stream brought without a readable end is answered, and goes no further.
func TestBrokenFraming(t *testing.T) {
	f := newFlow(t, doorsHead+"request_route { t_relay(); }\n", "", 16<<20)
	src, _ := read("tcp:127.0.0.1:6000")
	check := func(message string, fault stream.Fault, want string, reason Reason) {
		t.Helper()
		dropped, refused := f.w.count[dropBase+int(reason)], f.w.count[refuseBase+int(reason)]
		f.sent = nil
		f.w.streamed(&netio.Packet{Data: []byte(message), Src: src, Listener: 2}, 1, fault)
		f.endBatch()
		got := ""
		if len(f.sent) > 0 {
			got, _, _ = strings.Cut(string(f.sent[0].bytes), "\r\n")
		}
		if len(f.sent) > 1 || got != want {
			t.Errorf("%q: %d messages left, the first %q, want %q", message, len(f.sent), got, want)
		}
		if want == "" && f.w.count[dropBase+int(reason)] != dropped+1 ||
			want != "" && f.w.count[refuseBase+int(reason)] != refused+1 {
			t.Errorf("%q was not counted as %s", message, reason)
		}
	}
	head := strings.Replace(string(request("INVITE", "sip:bob@127.0.0.1:7000", "c", "1")), "UDP", "TCP", 1)
	head = strings.Replace(head, "Content-Length: 0\r\n", "", 1)
	check(head, stream.NoLength, "SIP/2.0 400 Missing Content-Length", MissingLength)
	check(strings.Replace(head, "To:", "Content-Length: x\r\nTo:", 1), stream.BadLength,
		"SIP/2.0 400 Bad Content-Length", BadLength)
	check(strings.Replace(head, "To:", "Content-Length: 99999999\r\nTo:", 1), stream.TooLong,
		"SIP/2.0 513 Message Too Large", TooLong)
	check(strings.ReplaceAll(head, "INVITE", "ACK"), stream.NoLength, "", MissingLength)
	check(strings.Replace(head, "INVITE sip:bob@127.0.0.1:7000 SIP/2.0", "SIP/2.0 200 OK", 1), stream.NoLength, "",
		MissingLength)
	f.endsClean()
}

// TestReplyLeavesByForcedListener: where transport and family fit; what is sent again leaves as
// ever.
func TestReplyLeavesByForcedListener(t *testing.T) {
	f := newFlow(t, doorsHead+`request_route { t_on_reply("R"); t_relay(); }
onreply_route[R] { if (status == "180") { $fsn = "side"; } if (status == "200") { $fsn = "stream"; } }
`, "", 16<<20)
	f.receive("127.0.0.1:6000", request("INVITE", "sip:bob@127.0.0.1:7000", "c", "1"))
	f.sent = nil
	for _, status := range []string{"180 Ringing", "200 OK"} {
		f.receive("127.0.0.1:7000", answerTo(f.lastTo["127.0.0.1:7000 INVITE"], status, "u", ""))
	}
	if len(f.sent) != 2 || f.sent[0].by != 1 || f.sent[1].by != 0 {
		t.Errorf("left: %+v", f.sent)
	}
	f.endsClean()
}

// TestBlockSource: the functions of blst, and the masks of a request.
func TestBlockSource(t *testing.T) {
	f := newFlow(t, doorsHead+`request_route {
	if (is_method("INFO")) { blst_add("30"); if (blst_is_blocklisted()) { sl_send_reply("200", "listed"); } else { sl_send_reply("200", "missing"); } exit; }
	if (is_method("MESSAGE")) { if (blst_del()) { sl_send_reply("200", "gone"); } else { sl_send_reply("200", "none"); } exit; }
	if ($rU == "ignore") { blst_set_ignore(); }
	t_relay();
}
`, "", 16<<20)
	list := f.w.shared.list
	say := func(method, want string) {
		t.Helper()
		f.sent = nil
		f.receive("127.0.0.1:6000", request(method, "sip:bob@127.0.0.1:7000", method+want, want))
		if len(f.sent) != 1 || !strings.HasPrefix(string(f.sent[0].bytes), "SIP/2.0 200 "+want+"\r\n") {
			t.Errorf("%s: left %d messages, want 200 %s", method, len(f.sent), want)
		}
	}
	say("INFO", "missing") // it is not in use
	f.list()
	say("INFO", "listed")
	say("MESSAGE", "gone")
	say("MESSAGE", "none")
	listed := func(user string) (n int) {
		f.sent = nil
		f.receive("127.0.0.1:6000", request("INVITE", "sip:"+user+"@127.0.0.1:7009", user, user))
		f.wait(60 * time.Second)
		var out [8]blocklist.Entry
		n, _ = list.View(0, f.w.core.Now()/1e6, out[:])
		list.DeleteAll()
		return n
	}
	if n := listed("ignore"); n != 0 {
		t.Errorf("%d entries after a time-out that was to be ignored", n)
	}
	if n := listed("plain"); n != 1 {
		t.Errorf("%d entries after a time-out, want 1", n)
	}
}

// TestOutletStreamOptions: what a message asks for reaches the engine, and the next one asks for
// nothing.
func TestOutletStreamOptions(t *testing.T) {
	s := &unconnected{}
	o := &outlet{streams: s, by: []*netio.Listener{{Proto: netio.TCP}}}
	dst, _ := read("tcp:127.0.0.1:7000")
	send := func(text string, token uint64, w txn.StreamOptions, want string) {
		t.Helper()
		if w != 0 {
			o.SetStreamOptions(w, nil)
		}
		s.did = ""
		o.Begin(0, &dst, token)
		o.Append([]byte(text))
		o.End()
		if s.did != want {
			t.Errorf("%.10q with options %d: %q, want %q", text, w, s.did, want)
		}
	}
	const response = "SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP 127.0.0.1:7001;branch=z9hG4bK1\r\n\r\n"
	send("INVITE sip:a@b SIP/2.0\r\n\r\n", 5, txn.NoConnect, "7000 noconnect")
	send("INVITE sip:a@b SIP/2.0\r\n\r\n", 5, 0, "7000")
	send("INVITE sip:a@b SIP/2.0\r\n\r\n", 5, txn.CloseAfter, "7000 close")
	send(response, 0, 0, "7000 noconnect, 7001") // its connection is gone: §18.2.2
	send(response, 0, txn.CloseAfter, "7000 noconnect close, 7001 close")
	send(response, 0, txn.NoConnect, "7000 noconnect")
	o.never = txn.NoConnect // tcp_no_connect
	send("INVITE sip:a@b SIP/2.0\r\n\r\n", 5, 0, "7000 noconnect")
	o.never = 0
	if o.lost != 1 || o.reopened != 2 {
		t.Errorf("lost %d, reopened %d", o.lost, o.reopened)
	}

	// Responses that came back unwritten: of those only one finds a new connection.
	w := &worker{outlet: o, count: new(shm.Counters)}
	s.did = ""
	w.streamsFailed([]streamFailure{
		{Dst: dst, Message: []byte(response), Again: true},
		// it took nothing, and another connection would fare no better
		{Dst: dst, Message: []byte(response)},
		{Dst: dst, Again: true},                                            // the bytes are gone
		{Dst: dst, Message: []byte("SIP/2.0 200 OK\r\n\r\n"), Again: true}, // goes nowhere
	})
	if s.did != "7001" || o.lost != 4 || o.reopened != 3 || w.count[CountSendFailed] != 4 {
		t.Errorf("sent %q, lost %d, reopened %d, failed %d", s.did, o.lost, o.reopened, w.count[CountSendFailed])
	}
}

// unconnected has no connection to anywhere.
type unconnected struct {
	streams
	to  string
	did string
}

func (s *unconnected) Begin(_ int, dst *netio.Addr, _ uint64) {
	_, port, _ := strings.Cut(dst.String(), ":")
	s.to = port
}
func (s *unconnected) Append([]byte) {}
func (s *unconnected) End(w txn.StreamOptions, _ []byte, _ proxy.StreamTimeouts) bool {
	if s.did != "" {
		s.did += ", "
	}
	s.did += s.to
	if w&txn.NoConnect != 0 {
		s.did += " noconnect"
	}
	if w&txn.CloseAfter != 0 {
		s.did += " close"
	}
	return w&txn.NoConnect == 0
}

// TestDoorsToTLS: what a program reads of the connection's certificates.
func TestDoorsToTLS(t *testing.T) {
	uri, _ := url.Parse("sip:pbx.example")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(4711),
		Subject:   pkix.Name{CommonName: "pbx.example", Organization: []string{"Example"}, Country: []string{"DE"}},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1, 0), DNSNames: []string{"pbx.example", "b.example"},
		EmailAddresses: []string{"a@b.example"},
		IPAddresses:    []net.IP{{127, 0, 0, 1}}, URIs: []*url.URL{uri}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(info *stream.TLSInfo, phrase, want string) {
		t.Helper()
		f := newFlow(t, doorsHead+"request_route {\nsl_send_reply(\"200\", \""+phrase+"\");\n}\n", "", 16<<20)
		f.conns.tls = info
		if got := answered(t, f, "tcp:127.0.0.1:6000"); got != want {
			t.Errorf("%s: got %q, want %q", phrase, got, want)
		}
	}
	both := &stream.TLSInfo{
		Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256, ServerName: "sip.example", Peer: cert,
		Own: cert, Verified: true,
	}
	bare := &stream.TLSInfo{Version: tls.VersionTLS12, CipherSuite: tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256}
	ask(both, "$tls_version $tls_cipher_info $tls_cipher_bits", "TLSv1.3 TLS_AES_128_GCM_SHA256 128")
	ask(bare, "$tls_version $tls_cipher_bits", "TLSv1.2 256")
	ask(both, "$tls_peer_server_name $tls_peer_verified", "sip.example 1")
	ask(bare, "$tls_peer_verified $tls_peer_expired", "0 0")
	ask(both, "$tls_peer_subject", "/C=DE/O=Example/CN=pbx.example")
	ask(both, "$tls_peer_subject_cn $tls_my_issuer_organization $tls_peer_serial $tls_my_version",
		"pbx.example Example 4711 3")
	ask(both, "$tls_peer_san_hostname $tls_my_san_email $tls_peer_san_uri $tls_my_san_ip",
		"pbx.example a@b.example sip:pbx.example 127.0.0.1")
	ask(both, "$tls_peer_expired $tls_peer_selfsigned $tls_peer_revoked", "1 1 0")
	ask(bare, "$tls_peer_subject $tls_my_subject", "<null> <null>")
	ask(nil, "$tls_version", "<null>")
}
