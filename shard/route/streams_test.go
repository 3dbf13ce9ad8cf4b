package route

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"strings"
	"testing"

	"viaduct/netio"
	"viaduct/netio/stream"
	"viaduct/parser"
	"viaduct/shard/proxy"
)

// invite is an INVITE with SDP. contact and sdp are the Contact's value and the address of the SDP.
func invite(uri, via, contact, sdp string) string {
	body := "v=0\r\no=- 1 1 IN IP4 " + sdp + "\r\ns=-\r\nc=IN IP4 " + sdp + "\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"
	return "INVITE " + uri + " SIP/2.0\r\nVia: SIP/2.0/UDP " + via +
		";branch=z9hG4bKabc\r\nMax-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\n" +
		"To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContact: " + contact +
		"\r\nContent-Type: application/sdp\r\nContent-Length: " +
		itoa(int64(len(body))) + "\r\n\r\n" + body
}

// runOn runs a request_route body on h and gives what it did, joined by bars; xlog lines stand as
// they are.
func runOn(t testing.TB, h *bench, head, body string) string {
	t.Helper()
	p, _, _, err := loadText(head+allModules+`modparam("xlog", "prefix", "")`+"\nrequest_route {\n"+body+"\n}\n", nil)
	if err != nil {
		t.Fatalf("%s\nis refused: %v", body, err)
	}
	h.calls = nil
	h.request(p)
	return strings.ReplaceAll(strings.Join(h.calls, "|"), "log -1 ", "")
}

// TestStreamDoors holds what each function decides, sends, and asks of connections.
func TestStreamDoors(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		h := newBench(t, request("INVITE sip:bob@10.1.1.1:5070;transport=tcp", "")).from(TLS, "192.0.2.7:40000")
		h.conn = 17
		h.Listeners[netio.WS].Name = "s5060"
		h.c.Shard.Listeners = Listeners(h.Listeners)
		if got := runOn(t, h, "", body); got != want {
			t.Errorf("%s does\n%s\nwant\n%s", body, got, want)
		}
	}
	f(`force_send_socket(udp:127.0.0.1:5060);`, "ForceSocket(0)")
	f(`if (!force_send_socket([::1]:5060)) xlog("no");`, "no")
	f(`set_send_socket("tcp:$Ri:$Rp");`, "ForceSocket(1)")
	f(`set_send_socket("$hdr(No)"); xlog("$rc");`, "-1")
	f(`set_send_socket_name("s$Rp"); set_send_socket_name("s"); xlog("$rc");`, "ForceSocket(3)|-1")
	f(`$fs = "udp:127.0.0.1:5060"; $fs = $null; $fsn = "s5060"; $fs = "udp:1.2.3.4:5"; xlog("$fs $fsn");`,
		"ForceSocket(0)|ForceSocket(-1)|ForceSocket(3)|ws:127.0.0.1:5060 s5060")
	f(`force_tcp_alias(); add_tcp_alias(5070); force_tcp_alias(70000 - 64000);`,
		"AliasConn(17,15998)|AliasConn(17,5070)|AliasConn(17,6000)")
	f(`$var(x) = 70000; if (!force_tcp_alias($var(x))) xlog("no");`, "no")
	f(`set_advertised_address(sip.example.com); set_advertised_address("[::1]"); set_advertised_port(5080);`,
		"SetAdvertised(sip.example.com,0)|SetAdvertised([::1],0)|SetAdvertised([::1],5080)")
	f(`force_rport(); add_rport(); add_local_rport();`, "ForceRPort()|AddLocalRPort()")
	f(`set_forward_no_connect(); set_forward_close(); set_reply_no_connect(); set_reply_close();`,
		"AddStreamOptions(1)|AddStreamOptions(3)|AddReplyOptions(1)|AddReplyOptions(3)")
	f(`forward(); forward("a.b"); forward(1.2.3.4, 5); forward(uri:host, uri:port); forward(uri:host); `+
		`forward_tls(uri:host, 7); forward_udp("[::1]", uri:port);`,
		"MaxForwards(69)|Forward(tcp:10.1.1.1:5070)|Forward(udp:127.0.0.9:5060)|Forward(udp:1.2.3.4:5)|Forward(tcp:10.1.1.1:5070)|"+
			"Forward(tcp:10.1.1.1:5060)|Forward(tls:10.1.1.1:7)|Forward(udp:[::1]:5070)")
	f(`t_relay_to_tls("h", 5061); t_relay_to("ws:h:80");`,
		"MaxForwards(69)|Relay(tls:127.0.0.9:5061)|Relay(ws:127.0.0.9:80)")

	f(`tcp_set_connection_lifetime("3605"); tcp_set_connection_lifetime("$conid", 10);`,
		"SetConnLifetime(17,1h0m5s)|SetConnLifetime(17,10s)")
	f(`tcp_keepalive_enable("60", "5", "10"); tcp_keepalive_enable(9, 1, 2, 3); tcp_keepalive_disable(); `+
		`tcp_keepalive_disable($conid);`,
		"SetConnKeepalive(17,1m0s,5,10s)|SetConnKeepalive(9,1s,2,3s)|SetConnKeepalive(17,0s,0,0s)|SetConnKeepalive(17,0s,0,0s)")
	f(`tcp_close_connection(); tcp_close_connection($conid); ws_close(); ws_close(4001, "bye $rU"); ws_close("1001", `+
		`"x", $conid);`,
		"CloseConn(17,0,)|CloseConn(17,0,)|CloseConn(17,1000,)|CloseConn(17,4001,bye bob)|CloseConn(17,1001,x)")
	f(`ws_close(1000, "`+strings.Repeat("x", 200)+`");`, "CloseConn(17,1000,"+strings.Repeat("x", 123)+")")
	f(`ws_close(1000, "`+strings.Repeat("ä", 100)+`");`, "CloseConn(17,1000,"+strings.Repeat("ä", 61)+")")
	f(`ws_close(1000, "a`+"\xff"+`");`, "CloseConn(17,1000,)")
	f(`$var(x) = 1005; ws_close($var(x), "x"); xlog("$rc");`, "-1")
	f(`tcp_conid_alive("$conid"); xlog("$rc"); tcp_conid_state(5); tcp_conid_alive(0); xlog("$rc");`,
		"ConnState(17)|1|ConnState(5)|-1")
	f(`$var(x) = -5; tcp_keepalive_enable($var(x), 1, 1); xlog("$rc"); $var(x) = 99999999999; `+
		`tcp_set_connection_lifetime($var(x)); xlog("$rc");`, "-1|-1")

	f(`blst_add(); blst_add("30"); blst_add($Rp);`, "BlockSource(1m0s)|BlockSource(30s)|BlockSource(1h24m20s)")
	f(`if (!blst_del()) xlog("not listed"); blst_add(5); blst_del(); if (!blst_is_blocklisted() && `+
		`!blst_is_blacklisted()) xlog("free");`,
		"not listed|BlockSource(5s)|free")
	f(`blst_add_retry_after(5, 60); xlog("$rc");`, "-1") // no Retry-After
	f(`blst_set_ignore(4); blst_set_ignore("16"); blst_clear_ignore(4); blst_clear_ignore(); blst_rpl_set_ignore(); `+
		`blst_rpl_clear_ignore(128);`,
		"SetBlockIgnore(4)|SetBlockIgnore(20)|SetBlockIgnore(16)|SetBlockIgnore(0)")

	f(`add_path();`, "AddPath(Path: <sip:127.0.0.1:5060;transport=tls;lr>\r\n)")
	f(`add_path("u$Rp");`, "AddPath(Path: <sip:u5060@127.0.0.1:5060;transport=tls;lr>\r\n)")
	f(`add_path_received("u", "a=b;c");`,
		"AddPath(Path: "+
			"<sip:u@127.0.0.1:5060;transport=tls;lr;received=sip:192.0.2.7:40000%3Btransport%3Dtls;a=b;c>\r\n)")
	f(`add_path("a@b"); xlog("$rc"); add_path("u", "x>y"); xlog("$rc"); add_path("u", "x y"); xlog("$rc");`, "-1|-1|-1")
	f(`if (!xhttp_reply("404", "x", "", "") && !ws_handle_handshake()) xlog("none");`, "none")
	f(`if (!is_peer_verified()) xlog("no");`, "no")
}

// TestRetryAfter bounds the time of a 503 (RFC 3261 §20.33).
func TestRetryAfter(t *testing.T) {
	f := func(value, want string) {
		t.Helper()
		msg := strings.Replace(request("INVITE sip:bob@b", ""), "User-Agent:", "Retry-After: "+value+"\r\nUser-Agent:",
			1)
		if got := runOn(t, newBench(t, msg), "", `blst_add_retry_after(5, 60);`); got != want {
			t.Errorf("Retry-After: %s does %q, want %q", value, got, want)
		}
	}
	f("30", "BlockSource(30s)")
	f("1", "BlockSource(5s)")
	f("3600 (in a meeting)", "BlockSource(1m0s)")
	f("20;duration=3600", "BlockSource(20s)")
	f("99999999999999999999999", "BlockSource(1m0s)")
	f("soon", "")
	f("10x", "")
	f("-1", "")
}

// TestStreamValues prints the variables. Those of UDP and TCP were measured on 5.6.3.
func TestStreamValues(t *testing.T) {
	h := newBench(t, request("INVITE sip:bob@b", ""))
	f := func(text, want string) {
		t.Helper()
		if got := runOn(t, h, "", `xlog("`+text+`");`); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
	f("$su $sut $Ru $Rut", "sip:127.0.0.1:15998 sip:127.0.0.1:15998;transport=udp sip:127.0.0.1:5060 "+
		"sip:127.0.0.1:5060;transport=udp")
	f("$RAi $RAp $RAu $RAut", "127.0.0.1 5060 sip:127.0.0.1:5060 sip:127.0.0.1:5060;transport=udp")
	f("$conid $ws_conid $Rn $fs $fsn $hu", "<null> <null> <null> <null> <null> sip:bob@b")
	f("$tls_version $tls_cipher_bits $tls_peer_subject_cn", "<null> <null> <null>")

	h.from(WSS, "[2001:db8::1]:40000")
	h.conn = 12
	l := h.Listeners[netio.WSS]
	l.Name, l.AdvertiseHost, l.AdvertisePort = "s2", "sip.example.com", 5099
	h.Listeners[netio.TCP].Name = "s3"
	h.c.Shard.Listeners = Listeners(h.Listeners)
	h.ready = func(r *proxy.Request) { r.ForceListener(int(netio.TCP)) }
	h.tls = &stream.TLSInfo{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_256_GCM_SHA384,
		Peer: &x509.Certificate{Subject: pkix.Name{CommonName: "sip.example.com"}}}
	f("$proto $su $sut $Ru",
		"wss sip:[2001:db8::1]:40000;transport=wss sip:[2001:db8::1]:40000;transport=wss "+
			"sip:127.0.0.1:5060;transport=wss")
	f("$RAi $RAp $RAu $RAut",
		"sip.example.com 5099 sip:sip.example.com:5099;transport=wss sip:sip.example.com:5099;transport=wss")
	f("$conid $ws_conid $Rn $fs $fsn", "12 12 s2 tcp:127.0.0.1:5060 s3")
	f("$tls_version $tls_cipher_bits $tls_peer_verified $tls_peer_subject_cn $tls_my_subject",
		"TLSv1.3 256 0 sip.example.com <null>")
	l.AdvertisePort = 0
	f("$RAp $RAu", "5060 sip:sip.example.com;transport=wss")
}

// TestNATTest holds each bit of nat_uac_test.
func TestNATTest(t *testing.T) {
	f := func(h *bench, want ...int) {
		t.Helper()
		var got []string
		for bit := 1; bit <= 256; bit <<= 1 {
			if runOn(t, h, "", `if (nat_uac_test(`+itoa(int64(bit))+`)) xlog("1");`) == "1" {
				got = append(got, itoa(int64(bit)))
			}
		}
		var w []string
		for _, n := range want {
			w = append(w, itoa(int64(n)))
		}
		if strings.Join(got, " ") != strings.Join(w, " ") {
			t.Errorf("%s %v: tests %v are true, want %v", h.msg.Raw, h.src, got, w)
		}
	}
	const open = "<sip:a@203.0.113.5:5070>"
	f(newBench(t, invite("sip:x@y", "203.0.113.5:5070", open, "203.0.113.5")).from(UDP, "203.0.113.5:5070"))
	f(newBench(t, invite("sip:x@y", "203.0.113.5:5070", "<sip:a@10.0.0.1:5070>", "203.0.113.5")).from(UDP,
		"203.0.113.5:5070"), 1)
	f(newBench(t, invite("sip:x@y", "203.0.113.6:5070", open, "203.0.113.5")).from(UDP, "203.0.113.5:5070"), 2)
	f(newBench(t, invite("sip:x@y", "192.168.0.1:5070", open, "203.0.113.5")).from(UDP, "203.0.113.5:5070"), 2, 4)
	f(newBench(t, invite("sip:x@y", "name.example.com:5070", open, "203.0.113.5")).from(UDP, "203.0.113.5:5070"), 2)
	f(newBench(t, invite("sip:x@y", "203.0.113.5:5070", open, "172.31.1.1")).from(UDP, "203.0.113.5:5070"), 8, 256)
	f(newBench(t, invite("sip:x@y", "203.0.113.5", open, "203.0.113.5")).from(UDP, "203.0.113.5:5070"), 16)
	f(newBench(t, invite("sip:x@y", "100.64.1.1:5070", "<sip:a@100.64.1.1:5070>", "100.64.1.1")).from(UDP,
		"100.64.1.1:5070"), 1, 4, 8, 32)
	f(newBench(t, invite("sip:x@y", "203.0.113.5:5070", open, "203.0.113.5")).from(WS, "203.0.113.5:5070"), 64)
	f(newBench(t, invite("sip:x@y", "203.0.113.5:5070", open, "203.0.113.5")).from(WSS, "203.0.113.5:5070"), 64)
	f(newBench(t, invite("sip:x@y", "203.0.113.5:5070", "<sip:a@203.0.113.5>", "203.0.113.5")).from(UDP,
		"203.0.113.5:5070"), 128)
	f(newBench(t, invite("sip:x@y", "203.0.113.5:5070", "*", "203.0.113.5")).from(UDP, "203.0.113.5:5070"))
	f(newBench(t, invite("sip:x@y", "[2001:db8::5]:5070", "<sip:a@[2001:db8::5]:5070>", "203.0.113.5")).from(UDP,
		"[2001:db8::5]:5070"), 256)

}

func TestPrivateAddresses(t *testing.T) {
	holds := func(head, cond string) {
		t.Helper()
		if got := runOn(t, newBench(t, request("INVITE sip:bob@b", "")), head,
			`if (`+cond+`) xlog("yes");`); got != "yes" {
			t.Errorf("%s%s does not hold", head, cond)
		}
	}
	holds("", `is_rfc1918("192.0.0.200") && is_rfc1918("192.0.0.1") && is_rfc1918("10.255.255.255")`)
	holds("", `!is_rfc1918("$rd") && !is_rfc1918("11.0.0.1") && !is_rfc1918("172.32.0.1") && !is_rfc1918("fd00::1")`)
	holds(`loadmodule "nathelper.so" modparam("nathelper", "nat_addr_mode", 0)`+"\n",
		`!is_rfc1918("192.0.0.200") && is_rfc1918("192.0.0.1")`)
}

// TestContactEdits holds what leaves of a Contact.
func TestContactEdits(t *testing.T) {
	f := func(body, contact, want string) {
		t.Helper()
		h := newBench(t, invite("sip:x@y", "h", contact, "127.0.0.1")).from(TLS, "192.0.2.7:40000")
		if got := runOn(t, h, "", body+` xlog("$rc");`); got != want {
			t.Errorf("%s on %s does\n%s\nwant\n%s", body, contact, got, want)
		}
	}
	const alias = `add_contact_alias();`
	f(alias, "<sip:a@10.0.0.1:7>", "Edit(sip:a@10.0.0.1:7,sip:a@10.0.0.1:7;alias=192.0.2.7~40000~3)|1")
	f(alias, "<sip:a@h;ob?x=y>;q=1", "Edit(sip:a@h;ob?x=y,sip:a@h;alias=192.0.2.7~40000~3;ob?x=y)|1")
	f(alias, "sip:a@h;expires=5", "Edit(sip:a@h,<sip:a@h;alias=192.0.2.7~40000~3>)|1")
	f(alias, "<sip:a@h;alias=9.9.9.9~1~1;z=1>",
		"Edit(sip:a@h;alias=9.9.9.9~1~1;z=1,sip:a@h;alias=192.0.2.7~40000~3;alias=9.9.9.9~1~1;z=1)|1")
	f(alias, "<sips:a@192.0.2.7:40000>", "2")
	f(alias, "<sip:a@192.0.2.7:40000;transport=tls>", "2")
	f(alias, "<sip:a@192.0.2.7:40000>", "Edit(sip:a@192.0.2.7:40000,sip:a@192.0.2.7:40000;alias=192.0.2.7~40000~3)|1")
	f(alias, "*", "-1")
	f(alias, "<tel:+49>", "-1")
	f(alias, "<sip:broken", "-1")
	f(`set_contact_alias("1");`, "<sips:a@192.0.2.7:40000>",
		"Edit(sips:a@192.0.2.7:40000,sips:a@192.0.2.7:40000;alias=192.0.2.7~40000~3)|1")
	f(`add_contact_alias("::1", "5", "ws");`, "<sip:a@h>", "Edit(sip:a@h,sip:a@h;alias=[::1]~5~5)|1")
	f(`add_contact_alias("$si", "$sp", "$proto");`, "<sip:a@h>", "Edit(sip:a@h,sip:a@h;alias=192.0.2.7~40000~3)|1")
	f(`add_contact_alias("h", "5", "ws");`, "<sip:a@h>", "-1")
	f(`add_contact_alias("1.1.1.1", "5", "carrier pigeon");`, "<sip:a@h>", "-1")

	f(`fix_nated_contact();`, "<sip:a@10.0.0.1:7;ob>;q=1", "Edit(sip:a@10.0.0.1:7;ob,sip:a@192.0.2.7:40000;ob)|1")
	f(`fix_nated_contact();`, "sip:[::1], \"D\" <sip:b@k;x>",
		"Edit(sip:[::1],sip:192.0.2.7:40000)|Edit(sip:b@k;x,sip:b@192.0.2.7:40000;x)|1")
	f(`fix_nated_contact();`, "*", "-1")
}

// TestContactOfResponse: in a reply route it is the response's Contact that changes, and its source
// that is looked at.
func TestContactOfResponse(t *testing.T) {
	p, _, _, err := loadText(allModules+
		"request_route { exit; }\nonreply_route[R] { if (nat_uac_test(64)) { add_contact_alias(); "+
		"force_tcp_alias(5070); blst_add(9); } }", nil)
	if err != nil {
		t.Fatal(err)
	}
	h := newBench(t, request("INVITE sip:bob@b", "")).from(WS, "192.0.2.7:40000")
	h.conn = 5
	if r := h.msg.Parse([]byte("SIP/2.0 200 OK\r\nVia: SIP/2.0/WS h;branch=z9hG4bKabc\r\nFrom: <sip:a@b>;tag=1\r\n" +
		"To: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContact: <sip:df7jal23ls0d@invalid;transport=ws>\r\n" +
		"Content-Length: 0\r\n\r\n")); r != parser.OK {
		t.Fatal(r)
	}
	h.watched(p).Reply(h.c, h.Respond(&h.msg, &h.src), &h.msg, nil, nil, 1)
	want := "Edit(sip:df7jal23ls0d@invalid;transport=ws,sip:df7jal23ls0d@invalid;alias=192.0.2.7~40000~5;transport=ws)|AliasConn(5,5070)|BlockSource(9s)"
	if got := strings.Join(h.calls, "|"); got != want {
		t.Errorf("does %s, want %s", got, want)
	}
}

// TestRequestAlias holds handle_ruri_alias. Measured on 5.6.3, but for wss, which is ws there.
func TestRequestAlias(t *testing.T) {
	f := func(uri, want string) {
		t.Helper()
		h := newBench(t, invite(uri, "h", "<sip:a@h>", "127.0.0.1"))
		if got := runOn(t, h, "", `handle_ruri_alias(); xlog("$rc $ru $du");`); got != want {
			t.Errorf("%s becomes %s, want %s", uri, got, want)
		}
	}
	f("sip:x@y;alias=1.2.3.4~5~2;lr", "1 sip:x@y;lr sip:1.2.3.4:5;transport=tcp")
	f("sip:x@y;lr;alias=[::1]~5~6?a=b", "1 sip:x@y;lr?a=b sip:[::1]:5;transport=wss")
	f("sip:x@y;ALIAS=1.2.3.4~5~1", "1 sip:x@y sip:1.2.3.4:5")
	f("sip:x@y;alias=1.2.3.4~5~3;alias=9.9.9.9~5~1", "1 sip:x@y;alias=9.9.9.9~5~1 sip:1.2.3.4:5;transport=tls")
	f("sip:x@y", "2 sip:x@y <null>")
	f("sip:x@y;alias", "2 sip:x@y;alias <null>")
	f("sip:x@y;alias=bad", "2 sip:x@y;alias=bad <null>")
	f("sip:x@y;alias=h~5~1", "-1 sip:x@y;alias=h~5~1 <null>")
	f("sip:x@y;alias=1.2.3.4~0~1", "-1 sip:x@y;alias=1.2.3.4~0~1 <null>")
	f("sip:x@y;alias=1.2.3.4~70000~1", "-1 sip:x@y;alias=1.2.3.4~70000~1 <null>")
	f("sip:x@y;alias=1.2.3.4~5~7", "-1 sip:x@y;alias=1.2.3.4~5~7 <null>")
	f("sip:x@y;alias=1.2.3.4~5~", "-1 sip:x@y;alias=1.2.3.4~5~ <null>")
	f("sip:x@y;alias=1.2.3.4~5", "-1 sip:x@y;alias=1.2.3.4~5 <null>")
}

// TestAliasComesBack: what add_contact_alias writes, handle_ruri_alias reads, over every protocol.
func TestAliasComesBack(t *testing.T) {
	for _, proto := range []Transport{UDP, TCP, TLS, WS, WSS} {
		for _, src := range []string{"192.0.2.7:40000", "[2001:db8::7]:1"} {
			h := newBench(t, invite("sip:x@y", "h", "<sip:a@h;ob>", "127.0.0.1")).from(proto, src)
			got := runOn(t, h, "", `add_contact_alias();`)
			_, uri, _ := strings.Cut(strings.TrimSuffix(got, ")"), ",")
			back := newBench(t, invite(uri, "h", "<sip:a@h>", "127.0.0.1"))
			runOn(t, back, "", `handle_ruri_alias();`)
			var u parser.URI
			if parser.ParseURI(back.duri, &u) != parser.OK || string(back.ruri) != "sip:a@h;ob" ||
				transportOf(&u) != proto ||
				string(u.HostBytes())+":"+itoa(int64(u.Port)) != src {
				t.Errorf("%s from %v %s becomes %s and %s", uri, proto, src, back.ruri, back.duri)
			}
		}
	}
}

// TestStreamsNoAllocation: a run asks and edits without the heap, for IPv4 and IPv6 and where the
// message is odd.
func TestStreamsNoAllocation(t *testing.T) {
	body := `
	force_send_socket(udp:127.0.0.1:5060); set_send_socket("tcp:$Ri:$Rp"); set_send_socket_name("s$Rp"); $fs = "udp:" + $Ri; $fsn = "a"; $fs = $null;
	force_tcp_alias(); force_tcp_alias($sp); set_advertised_address("h"); set_advertised_port($sp); force_rport(); add_local_rport();
	set_forward_close(); forward(uri:host, uri:port); forward_tls("h", 5); tcp_set_connection_lifetime("$conid", $sp); tcp_keepalive_enable("1", "2", "3");
	tcp_keepalive_disable(); tcp_conid_alive("$conid"); tcp_conid_state($conid); ws_close(1000, "bye $rU"); tcp_close_connection();
	blst_add($sp); blst_add_retry_after(1, 2); blst_set_ignore(4); blst_clear_ignore(); blst_is_blocklisted(); blst_del();
	nat_uac_test(511); nat_uac_test("$var(z)"); is_rfc1918("$si"); is_rfc1918("$rd"); fix_nated_contact(); add_contact_alias(); set_contact_alias();
	add_contact_alias("$si", "$sp", "$proto"); handle_ruri_alias(); add_path("u$Rp"); add_path_received("u", "x=$Rp"); is_peer_verified();
	if (proto == WSS && $tls_cipher_bits > 5 || $tls_version == "x") exit;
	xlog("$su $sut $Ru $Rut $RAi $RAp $RAu $RAut $Rn $fs $fsn $conid $hu $tls_version $tls_peer_subject_cn $tls_peer_verified");`
	p, _, _, err := loadText(allModules+"request_route {"+body+"}", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []*bench{
		newBench(t, invite("sip:x@y;alias=1.2.3.4~5~2", "10.0.0.1:7", "<sip:a@10.0.0.1:7;ob?x=y>",
			"10.0.0.1")).from(TCP, "192.0.2.7:40000"),
		newBench(t, invite("sip:x@[::1];alias=[::1]~5~6", "[2001:db8::1]", "sip:a@[2001:db8::9]",
			"2001:db8::1")).from(WSS, "[2001:db8::7]:40000"),
		newBench(t, invite("sip:x@y;alias=:::~5~6", "a:7", "<sip:a@h>, *, <sip:b@1.2.3.4.5>", "1:2:3")).from(UDP,
			"[::ffff:192.0.2.7]:1"),
	} {
		h.quiet, h.conn = true, 5
		h.request(p)
		if n := testing.AllocsPerRun(200, func() { h.request(p) }); n != 0 {
			t.Errorf("%s allocates %v times per request", h.msg.Raw, n)
		}
		if h.c.Fault != nil {
			t.Error(h.c.Fault)
		}
	}
}

// FuzzContactAlias: whatever the Contact, what takes its place is one URI, or one in brackets,
// whose alias leads back to the source.
func FuzzContactAlias(f *testing.F) {
	for _, s := range []string{"<sip:a@h>", "sip:a@h;x=1",
		"\"D\" <sips:a:b@[::1]:5;alias=9.9.9.9~1~1;ob?Route=x&y=z>;q=1", "*", "<tel:+49;phone-context=x>",
		"<sip:a@h;alias>", "<sip:a@h;alias=x?alias=y>", "<sip:a@h?>", "<sip:h;ALIAS=1;aliases=2>"} {
		f.Add(s, byte(0))
	}
	var programs []*Program
	for _, call := range []string{"add_contact_alias", "fix_nated_contact"} {
		p, _, _, err := loadText(allModules+"request_route { "+call+"(); }", nil)
		if err != nil {
			f.Fatal(err)
		}
		programs = append(programs, p)
	}
	back, _, _, err := loadText(allModules+"request_route { handle_ruri_alias(); }", nil)
	if err != nil {
		f.Fatal(err)
	}
	h, b := newBench(f, request("INVITE sip:b@h", "")), newBench(f, invite("sip:x@y", "h", "<sip:a@h>", "127.0.0.1"))
	f.Fuzz(func(t *testing.T, contact string, proto byte) {
		h.calls = nil
		msg := invite("sip:x@y", "h", contact, "127.0.0.1")
		if h.msg.Parse([]byte(msg)) != parser.OK || strings.ContainsAny(contact, "\r\n") {
			return
		}
		protocols := []Transport{UDP, TCP, TLS, WS, WSS}
		h.from(protocols[int(proto)%len(protocols)], "192.0.2.7:40000")
		for _, p := range programs {
			h.request(p)
		}
		for _, call := range h.calls {
			_, text, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(call, "Edit("), ")"), ",")
			if strings.Contains(contact, ",") {
				return // the first comma need not be the one between the arguments
			}
			uri := strings.TrimSuffix(strings.TrimPrefix(text, "<"), ">")
			var u parser.URI
			if r := parser.ParseURI([]byte(uri), &u); r != parser.OK {
				t.Fatalf("%q becomes %q, which is no URI: %v", contact, text, r)
			}
			if !strings.Contains(text, "192.0.2.7~40000~") {
				continue
			}
			b.ready = func(r *proxy.Request) { r.SetRequestURI([]byte(uri)) }
			b.request(back)
			if !strings.HasPrefix(string(b.duri), "sip:192.0.2.7:40000") {
				t.Fatalf("%q becomes %q, which leads to %q", contact, text, b.duri)
			}
		}
	})
}
