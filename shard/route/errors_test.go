package route

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// loadText loads a text with every module above it; the text starts at line 1 of x.cfg.
func loadText(src string, files map[string]string) (*Program, *Settings, Warnings, error) {
	read := func(path string) ([]byte, error) {
		if s, ok := files[path]; ok {
			return []byte(s), nil
		}
		return nil, os.ErrNotExist
	}
	p, set, w, err := Load("x.cfg", []byte(src), Options{ReadFile: read, Modules: testModules})
	if err == nil {
		p.onOneShard()
	}
	return p, set, w, err
}

// onOneShard makes what modules have for each shard. Tables are not opened.
func (p *Program) onOneShard() {
	for _, o := range p.opens {
		for _, f := range o.m.perShard {
			f(&State{Shards: 1})
		}
	}
}

const allModules = `loadmodule "tm.so" loadmodule "tmx.so" loadmodule "pv.so" loadmodule "sl.so" loadmodule "rr.so" ` +
	`loadmodule "maxfwd.so" loadmodule "siputils.so" loadmodule "textops.so" loadmodule "sanity.so" loadmodule ` +
	`"dispatcher.so" loadmodule "xlog.so" loadmodule "kex.so" loadmodule "corex.so" loadmodule "blst.so" loadmodule ` +
	`"nathelper.so" loadmodule "tcpops.so" loadmodule "path.so" loadmodule "xhttp.so" loadmodule "tls.so" loadmodule ` +
	`"websocket.so" loadmodule "htable.so" loadmodule "ipops.so" loadmodule "cfgutils.so" loadmodule "async.so"` + "\n"

// TestErrors holds the text and the place of each error: all of a file, in order.
func TestErrors(t *testing.T) {
	f := func(src string, want ...string) {
		t.Helper()
		_, _, _, err := loadText(src, nil)
		got := ""
		var list ErrorList
		if errors.As(err, &list) {
			got = strings.ReplaceAll(list.Error(), "x.cfg:", "")
		}
		if w := strings.Join(want, "\n"); got != w {
			t.Errorf("%s\ngives\n%s\nwant\n%s", src, got, w)
		}
	}
	in := func(body string, want ...string) {
		t.Helper()
		f(allModules+"request_route {\n"+body+"\n}", want...)
	}
	// Waiting.
	f(allModules+"reply_route {\n sleep(\"1\");\n}\nrequest_route { exit; }", `3:2: sleep cannot wait in reply_route: `+
		`the transaction of a response is not looked for before it has ended, and nothing else could hold the run; `+
		`call it in an onreply_route[NAME]`)
	f(allModules+"onsend_route {\n lock(\"a\");\n}\nrequest_route { exit; }", `3:2: lock cannot wait in onsend_route: `+
		`the message is written there, and leaves at once; call it before t_relay()`)
	// Names.
	f("childern=2\nrequest_route { exit; }", `1:1: unknown core parameter childern; did you mean children?`)
	f("foo bar\nrequest_route { exit; }", `1:1: unknown word foo`)
	f("requst_route { exit; }", `1:1: unknown word requst_route; did you mean request_route?`)
	in(` sl_send_replay("200", "OK");`, `3:2: unknown function sl_send_replay; did you mean sl_send_reply?`)
	in(` avp_db_store("x", "y");`, `3:2: avp_db_store (module avpops) is known to Kamailio, not implemented by Viaduct yet`)
	in(` udp_mtu_try_proto(FOO);`, `3:20: expected a protocol: UDP, TCP or TLS`)
	in(` save("location");`, `3:2: save (module registrar) is known to Kamailio, not implemented by Viaduct yet`)
	in(` t_relay("udp:1.2.3.4");`,
		`3:2: t_relay takes no arguments, or host and port; t_relay_to takes "proto:host:port" and flags`)
	f("request_route {\n t_relay();\n}", `2:2: t_relay needs loadmodule "tm.so" before this line`)
	f("request_route {\n t_relay();\n}\nloadmodule \"tm.so\"", `2:2: t_relay needs loadmodule "tm.so" before this line`)
	in(` route(A);`+"\n}\nroute[B] { exit; }\nroute[AA] {\n exit;", `3:8: there is no route[A]; did you mean AA?`)
	in(` if ($rf == 1) exit;`, `3:6: unknown variable $rf; did you mean $Tf?`)
	in(` if ($dlg(ref) == 1) exit;`, `3:6: $dlg is known to Kamailio, not implemented by Viaduct yet`)
	in(` if ($(ru{s.lenn}) == 1) exit;`, `3:6: unknown transformation {s.lenn}; did you mean s.len?`)
	in(` xlog("$foo $rU");`, `3:7: unknown variable $foo`)
	in(` if (methd == "INVITE") exit;`, `3:6: unknown word methd; did you mean method?; text needs quotes`)
	in(` exi;`, `3:2: unknown statement exi; did you mean exit?`)
	f(`loadmodule "slx.so"`+"\nrequest_route { exit; }", `1:12: unknown module slx; did you mean sl?`)
	f(`loadmodule "usrloc.so"`+"\nmodparam(\"usrloc\", \"db_mode\", 0)\nrequest_route { exit; }",
		`1:12: module usrloc is known to Kamailio, not implemented by Viaduct yet`)
	f(allModules+`modparam("tm", "fr_tmier", 1)`+"\nrequest_route { exit; }",
		`2:16: module tm has no parameter "fr_tmier"; did you mean fr_timer?`)
	f(`modparam("tm", "fr_timer", 1)`+"\nloadmodule \"tm.so\"\nrequest_route { exit; }",
		`1:10: module tm is not loaded: loadmodule "tm.so" must stand above`)
	f(`modparam("tn", "fr_timer", 1)`+"\nrequest_route { exit; }", `1:10: unknown module tn; did you mean tm?`)
	f(`modparam("a|b", "fr_timer", 1)`+"\nrequest_route { exit; }", `1:10: no module that is loaded matches "a|b"`)

	// Types and ranges.
	f(`children="2"`+"\nrequest_route { exit; }", `1:10: children wants a number, not the string "2"`)
	f(`max_branches=31`+"\nrequest_route { exit; }", `1:14: max_branches is 31; the range is 1..30`)
	f(`log_name=5`+"\nrequest_route { exit; }", `1:10: log_name wants a string in quotes, not the number 5`)
	f(allModules+`modparam("tm", "fr_timer", "30000")`+"\nrequest_route { exit; }",
		`2:28: tm.fr_timer wants a number, not the string "30000"`)
	f(allModules+`modparam("tm", "fr_timer", 0)`+"\nrequest_route { exit; }",
		`2:28: tm.fr_timer is 0; the range is 1..2147483647`)
	f(allModules+`modparam("tm", "default_reason", 1)`+"\nrequest_route { exit; }",
		`2:34: tm.default_reason wants a string in quotes, not the number 1`)
	in(` sl_send_reply("abc", "x");`, `3:16: sl_send_reply wants a number for the code, not "abc"`)
	in(` sl_send_reply("200");`, `3:2: sl_send_reply takes 2 arguments, not 1`)
	in(` ds_select_dst("1", "10");`, `3:21: algorithm 10 needs modparam("dispatcher", "ds_hash_size", …): `+
		`the table of calls that it counts`)
	in(` ds_select_domain(1, 77);`, `3:22: algorithm 77 does not exist; available: 0 to 13`)
	in(` ds_select_dst("1");`, `3:2: ds_select_dst takes 2 to 3 arguments, not 1`)
	in(` has_totag(1);`, `3:2: has_totag takes 0 arguments, not 1`)
	in(` is_method("INVITE|");`, `3:12: is_method: "INVITE|" is no list of methods such as "INVITE|ACK"`)
	in(` $var(x) = "a" - 1;`, `3:12: - needs a number, not the string "a"`)
	in(` if ("10" > 9) exit;`, `3:6: > needs a number, not the string "10"`)
	in(` $var(x) = 5 / 0;`, `3:14: division by zero`)
	in(` $ci = "x";`, `3:2: $ci cannot be assigned to`)
	in(` if (proto == FOO) exit;`, `3:15: expected a protocol: UDP, TCP, TLS, SCTP, WS or WSS`)
	in(` if (src_ip == "1.2.3") exit;`, `3:16: "1.2.3" is neither an address nor a network`)
	in(` if (src_ip < 1.2.3.4) exit;`, `3:6: src_ip can only be compared with == or !=`)
	in(` if (method == myself) exit;`, `3:6: method cannot be compared with myself`)
	in(` if (uri =~ "(") exit;`, "3:13: bad pattern: missing closing ): `(`")
	in(` if (to_ip == 1.2.3.4) exit;`, `3:6: to_ip belongs in onsend_route: elsewhere nothing is about to be sent`)
	in(` xlog("LWARN", "x");`, `3:7: unknown level "LWARN"; did you mean L_WARN?`)

	// Streams and what belongs to them.
	in(` forward_tcp();`, `3:2: forward_tcp takes 1 to 2 arguments, not 0`)
	in(` forward("h h");`, `3:10: forward: "h h" is no host`)
	in(` forward("127.0.0.1:5070");`, `3:10: forward: "127.0.0.1:5070" is no host; write forward("127.0.0.1", 5070)`)
	in(` forward(h, 70000);`, `3:13: forward: the port is 70000; the range is 1..65535`)
	in(` forward_tls(h, $rp);`, `3:17: forward_tls wants a port that is known at load`)
	in(` force_send_socket(udp:h:0);`, `3:20: force_send_socket: "udp:h:0" is not proto:host:port`)
	in(` set_send_socket("udp:h h");`, `3:18: set_send_socket: "h h" is no host`)
	in(` set_advertised_address("");`, `3:25: set_advertised_address: the host is empty`)
	in(` force_tcp_alias(65536);`, `3:18: force_tcp_alias: the port is 65536; the range is 1..65535`)
	in(` set_froward_close();`, `3:2: unknown function set_froward_close; did you mean set_forward_close?`)
	in(` tcp_keepalive_enable(1, 2);`, `3:2: tcp_keepalive_enable takes 3 to 4 arguments, not 2`)
	in(` tcp_set_connection_lifetime("soon");`,
		`3:30: tcp_set_connection_lifetime wants a number for the lifetime, not "soon"`)
	in(` tcp_get_conid("h:5", "$var(x)");`,
		`3:2: tcp_get_conid (module tcpops) is known to Kamailio, not implemented by Viaduct yet`)
	in(` fix_nated_sdp("1", "h");`, `3:21: fix_nated_sdp: "h" is no address`)
	in(` blst_add_retry_after(60, 5);`, `3:2: blst_add_retry_after: the least time, 60, is above the longest, 5`)
	in(` add_contact_alias("1.1.1.1");`,
		`3:2: add_contact_alias takes no arguments, or an address, a port and a protocol`)
	in(` ws_close(1000);`, `3:2: ws_close takes no arguments, or a status and a reason, and then a connection`)
	in(` ws_close(99, "x");`, `3:11: ws_close: no Close frame may carry the status 99 (RFC 6455 §7.4.1)`)
	in(` ws_close(1006, "x");`, `3:11: ws_close: no Close frame may carry the status 1006 (RFC 6455 §7.4.1)`)
	in(` $conid = 5;`, `3:2: $conid cannot be assigned to`)
	in(` if ($tls_peer_subject_cm == "x") exit;`,
		`3:6: unknown variable $tls_peer_subject_cm; did you mean $tls_peer_subject_cn?`)
	in(` if ($tls_peer_raw_cert == "x") exit;`,
		`3:6: $tls_peer_raw_cert is known to Kamailio, not implemented by Viaduct yet`)
	f("request_route { blst_add(); }", `1:17: blst_add needs loadmodule "blst.so" before this line`)
	f("loadmodule \"tm.so\"\nevent_route[xhttp:request] { t_drop_replies(); foo(); }\nrequest_route { exit; }",
		`2:30: t_drop_replies may be called in failure_route, not in event_route[xhttp:request], which counts as `+
			`request_route`,
		`2:48: unknown function foo`)
	f("event_route[tcp:closed] { exit; }\nevent_route[tcp:closed] { exit; }\nrequest_route { exit; }",
		`2:13: second event_route[tcp:closed]; the first stands at 1:13`)
	f("tcp_conn_wq_max=2000000\ntcp_rd_buf_size=100\ntcp_proxy_from=\"10.0.0.0/33\"\ntcp_proxy_from=\"\"\n"+
		"tcp_source_ipv6=1.2.3.4\nudp_mtu_try_proto=WS\ntcp_conections_per_destination=2\n"+
		"tcp_connections_per_destination=65\ndst_blocklist_udp_imask=256\nrequest_route { exit; }",
		`1:17: tcp_conn_wq_max is 2000000; the range is 0..1048576`,
		`2:17: tcp_rd_buf_size is 100; the range is 512..16777216`,
		`3:16: tcp_proxy_from is a list of addresses and networks such as "10.0.0.0/8, 2001:db8::1"; "10.0.0.0/33" `+
			`is neither`,
		`4:16: tcp_proxy_from is empty: write the addresses and networks that may send the PROXY protocol`,
		`5:17: tcp_source_ipv6 is no IPv6 address: "1.2.3.4"`,
		`6:19: udp_mtu_try_proto is "WS"; it is one of UDP, TCP, TLS and SCTP`,
		`7:1: unknown core parameter tcp_conections_per_destination; did you mean tcp_connections_per_destination?`,
		`8:33: tcp_connections_per_destination is 65; the range is 1..64`,
		`9:25: dst_blocklist_udp_imask is 256; the range is 0..255`)
	f(allModules+`modparam("tls", "tls_method", "TLSv1")`+"\n"+`modparam("tls", "tls_method", "x")`+"\n"+
		`modparam("tls", "verify_client", "maybe")`+"\n"+
		`modparam("tls", "engine", "gem")`+"\n"+`modparam("websocket", "sub_protocols", 2)`+"\n"+
		`modparam("websocket", "ping_application_data", "")`+"\n"+
		`modparam("nathelper", "alias_name", "a b")`+"\nrequest_route { exit; }",
		`2:31: tls.tls_method is "TLSv1", which RFC 8996 forbids: write "TLSv1.2+"`,
		`3:31: tls.tls_method is "x"; it is one of TLSv1.2, TLSv1.2+, TLSv1.3 and TLSv1.3+`,
		`4:34: tls.verify_client is "maybe"; it is one of off, optional, optional_no_ca, on`,
		`5:17: tls.engine is known to Kamailio, not implemented by Viaduct yet`,
		`6:40: websocket.sub_protocols leaves SIP out, and MSRP is not spoken: write 1`,
		`7:48: websocket.ping_application_data has 0 bytes; a control frame holds 1 to 125 (RFC 6455 §5.5)`,
		`8:37: nathelper.alias_name is "a b"; a parameter's name is up to 64 letters, digits and -.!%*_+`+"`'~")

	// Statements.
	in(` if (uri =~ "^+49") exit;`,
		"3:13: bad pattern: nothing stands in front of what is repeated: write \\+, \\*, \\? or \\{ for the character")
	in(` if (uri =~ "(a)\1") exit;`, "3:13: bad pattern: back-references such as \\1 are not supported")
	in(` exit`, `4:1: expected ";" behind the statement, found "}"`)
	in(` if () exit;`, `3:6: the condition of if is missing`)
	in(` if (uri = "x") exit;`, `3:10: = assigns; the comparison is ==`)
	in(` if ($ci = "x") exit;`, `3:6: $ci cannot be assigned to`)
	in(` else exit;`, `3:2: else without if`)
	in(` $var(x) += 1;`, `3:10: expected ";" behind the statement, found "+="`)
	in(` switch ($rU) { case "a": exit; default: drop; default: drop; }`, `3:48: second default in one switch`)
	in(` switch ($rU) { case /a/: exit; }`, `3:23: case with a pattern is written case /"pattern": found "a"`)
	in(` for (;;) exit;`, `3:2: there is no for: use while`)
	f("request_route {\n if (1) {\n  exit;\n}", `1:15: block is not closed: } is missing`)
	f("request_route { exit; }\nonsend_route { force_rport(); strip(1); forward(); }",
		`2:16: force_rport may be called in request_route, failure_route, branch_route, onreply_route[NAME] and `+
			`reply_route, not in onsend_route`,
		`2:31: strip may be called in request_route, failure_route, branch_route, onreply_route[NAME] and `+
			`reply_route, not in onsend_route`,
		`2:41: forward may be called in request_route, not in onsend_route`)
	f("request_route { exit; }\nonsend_route { if ($snd(ib) == \"\") exit; }",
		`2:20: there is no "ib" of what is sent; did you mean ip?`)
	f("request_route { exit; }\nevent_route[core:pre-routing] { foo(); }",
		`2:33: unknown function foo`)
	f("request_route { exit; }\nevent_route[sl:filtered-ack] { foo(); }", `2:32: unknown function foo`)
	f("request_route { exit; }\nevent_route[pre-routing] { exit; }",
		`2:13: there is no event "pre-routing"`)
	f("request_route { if (src_ip == a.b.1.c1!d) exit; }",
		`1:31: "a.b.1.c1!d" is neither an address nor a network`)
	f(`loadmodule "rtpengine.so"`+
		"\nloadmodule \"dialog.so\"\nrequest_route { rtpengine_manage(\"x\"); rtpengine_offer(); if "+
		"(!rtpengine_manage()) exit; }\nevent_route[dialog:start] { bar(); }",
		`1:12: module rtpengine is known to Kamailio, not implemented by Viaduct yet; the file uses rtpengine_manage `+
			`(2 times), rtpengine_offer`,
		`2:12: module dialog is known to Kamailio, not implemented by Viaduct yet; the file uses `+
			`event_route[dialog:start]`,
		`4:29: unknown function bar`)
	f("request_route { exit; }\nfailure_route[A] { exit; }\nfailure_route[A] { exit; }",
		`3:15: second failure_route[A]; the first stands at 2:15`)
	f("request_route { exit; }\nreply_route[A] { exit; }", `2:13: reply_route has no name`)
	f("request_route { exit; }\n"+manyRoutes("failure_route", 256),
		`257:15: more than 255 routes of the kind failure_route`)
	f("request_route { exit; }\nroute[A] { exit; }\nroute[A] { exit; }",
		`3:7: second route[A]; the first stands at 2:7`)
	f("debug=1", `1:1: there is no request_route`)

	// Sockets.
	f("listen=udp:1.2.3.4:99999\nrequest_route { exit; }", `1:8: port "99999" is not 1..65535`)
	f("listen=udp:\nrequest_route { exit; }", `1:8: host is missing in "udp:"`)
	f("listen=udp:[::1:5060\nrequest_route { exit; }", `1:8: IPv6 address is not closed: ] is missing in udp:[::1:5060`)
	f("listen=udp:[foo]:5060\nrequest_route { exit; }", `1:8: "foo" is not an IPv6 address`)
	f("listen=udp:1.2.3.4:5060 advertise udp:1.2.3.4\nrequest_route { exit; }",
		`1:35: the advertised address has no protocol of its own: write host[:port]`)

	// Preprocessor and tokens.
	f("#!define A-B 1\nlisten=udp:127.0.0.1:5060\nrequest_route { exit; }",
		`1:1: #!define: - is not allowed in a name: write A_B`)
	f("#!trydef A-B\nrequest_route { exit; }", `1:1: #!define: - is not allowed in a name: write A_B`)
	f("#!ifndef A-B\n#!endif\nrequest_route { exit; }", `1:1: #!ifdef: - is not allowed in a name: write A_B`)
	f("\xff\xfe#\x00!\x00", `1:1: the file is UTF-16: save it as UTF-8`)
	f("\xfe\xff\x00#\x00!", `1:1: the file is UTF-16: save it as UTF-8`)
	f("d\x00e\x00b\x00u\x00", `1:1: the file is UTF-16: save it as UTF-8`)
	f("#!substdef \"!A-B!x!g\"\n#!define A -5\nchildren=A\nrequest_route { exit; }",
		`3:10: children is -5; the range is 0..4096`)
	f("listen=udp:127.0.0.1:5060\ninclude_file b.cfg\nrequest_route { exit; }",
		`2:1: include_file needs a file name in quotes: write include_file "b.cfg"`)
	f("listen=udp:127.0.0.1\n#!import_file b.cfg;\nrequest_route { exit; }",
		`2:1: import_file needs a file name in quotes: write import_file "b.cfg"`)
	f("include_file\nrequest_route { exit; }",
		`1:1: include_file needs a file name in quotes: write include_file "FILE"`)
	f("include_file \"\"\nrequest_route { exit; }",
		`1:1: include_file needs a file name in quotes: write include_file "FILE"`)
	f("\uFEFFport=0\nrequest_route { exit; }", `1:6: port is 0; the range is 1..65535`)
	f("port=5060\n\uFEFFport=0\nrequest_route { exit; }", `2:9: port is 0; the range is 1..65535`)
	f("#!define A 1\n#!define A 2\nrequest_route { exit; }",
		`2:1: A is defined already; #!redefine changes it, #!trydef keeps it`)
	f("request_route { exit; }\n#!ifdef A\nfoo", `2:1: #!ifdef is not closed: #!endif is missing`)
	f("request_route { exit; }\n#!endif\n", `2:1: #!endif without #!ifdef`)
	f("#!else\nrequest_route { exit; }", `1:1: #!else without #!ifdef`)
	f("include_file \"no.cfg\"\nrequest_route { exit; }", `1:1: cannot include "no.cfg": file does not exist`)
	f("#!subst \"/(/x/\"\nrequest_route { exit; }", "1:1: #!subst: missing closing ): `(`")
	f("/* a\nrequest_route { exit; }", `1:1: comment is not closed: */ is missing`)
	f("request_route { log(\"a); }", `1:15: block is not closed: } is missing`,
		`1:21: string is not closed: " is missing`,
		`1:27: expected "," between the arguments of log, found end of file`)
	f("children=99999999999999999999\nrequest_route { exit; }", `1:10: number 99999999999999999999 is out of range`,
		`1:10: children is 9223372036854775807; the range is 0..4096`)

	// All at once.
	f("childern=2\nport=99999\nrequest_route {\n foo();\n if ($xx == 1) {\n  bar();\n }\n exit\n}\nroute[A] { "+
		"t_relay(); }",
		`1:1: unknown core parameter childern; did you mean children?`, `2:6: port is 99999; the range is 1..65535`,
		`4:2: unknown function foo`, `5:6: unknown variable $xx`, `6:3: unknown function bar`,
		`9:1: expected ";" behind the statement, found "}"`, `10:12: t_relay needs loadmodule "tm.so" before this line`)
}

func manyRoutes(kind string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s[R%d] { exit; }\n", kind, i)
	}
	return b.String()
}

// TestErrorsInRoutes holds the errors of what failure, branch and reply routes are for.
func TestErrorsInRoutes(t *testing.T) {
	in := func(head, body string, want ...string) {
		t.Helper()
		_, _, _, err := loadText(allModules+
			"request_route { exit; } failure_route[FAIL] { exit; } branch_route[BRANCH] { exit; } "+
			"onreply_route[REPLY] { exit; }\n"+head+" {\n"+body+"\n}", nil)
		got := ""
		if err != nil {
			got = strings.ReplaceAll(err.Error(), "x.cfg:", "")
		}
		if w := strings.Join(want, "\n"); got != w {
			t.Errorf("%s { %s }\ngives\n%s\nwant\n%s", head, body, got, w)
		}
	}
	const sub, fail, branch, reply, core = "route[S]", "failure_route[F]", "branch_route[B]", "onreply_route[R]",
		"reply_route"
	// Where a function may be called, as kamailio -c 5.6.3 has it; a route[NAME] is checked as
	// request_route there.
	in(branch, ` t_relay();`, `4:2: t_relay may be called in request_route and failure_route, not in branch_route`)
	in(reply, ` t_relay();`,
		`4:2: t_relay may be called in request_route and failure_route, not in onreply_route[NAME]`)
	in(core, ` t_relay();`, `4:2: t_relay may be called in request_route and failure_route, not in reply_route`)
	in("onreply_route", ` t_relay();`,
		`4:2: t_relay may be called in request_route and failure_route, not in reply_route`)
	in("onreply_route[0]", ` t_relay();`,
		`4:2: t_relay may be called in request_route and failure_route, not in reply_route`)
	in(sub, ` t_drop_replies();`,
		`4:2: t_drop_replies may be called in failure_route, not in route[S], which counts as request_route`)
	in(branch, ` append_branch();`,
		`4:2: append_branch may be called in request_route and failure_route, not in branch_route`)
	in(fail, ` sl_send_reply("404", "x");`, `4:2: sl_send_reply may be called in request_route, not in failure_route`)
	in(fail, ` loose_route();`, `4:2: loose_route may be called in request_route, not in failure_route`)
	in(branch, ` t_reply("404", "x");`,
		`4:2: t_reply may be called in request_route, failure_route, onreply_route[NAME] and reply_route, not in `+
			`branch_route`)
	in(reply, ` clear_branches();`,
		`4:2: clear_branches in onreply_route[NAME] is known to Kamailio, not implemented by Viaduct yet`)
	in(branch, ` if (t_check_status("4..")) exit;`,
		`4:6: t_check_status may be called in request_route, failure_route, onreply_route[NAME] and reply_route, not `+
			`in branch_route`)
	in(branch, ` $var(x) = t_on_branch("BRANCH");`,
		`4:12: t_on_branch may be called in request_route and failure_route, not in branch_route`)
	in(reply, ` t_on_failure("FAIL"); t_on_reply("REPLY"); t_any_replied(); t_any_timeout(); t_reset_fr(); `+
		`ds_mark_dst();`,
		`4:93: ds_mark_dst in onreply_route[NAME] is known to Kamailio, not implemented by Viaduct yet`)
	in(core, ` t_on_reply("REPLY");`,
		`4:2: t_on_reply may be called in request_route, failure_route, branch_route and onreply_route[NAME], not in `+
			`reply_route`)
	in(reply, ` ds_next_dst();`,
		`4:2: ds_next_dst may be called in request_route and failure_route, not in onreply_route[NAME]`)
	// Names of routes: each kind has its own.
	in(fail, ` t_on_failure("$var(x)");`, `4:15: there is no failure_route[$var(x)]`)
	in(fail, ` t_on_failure($var(x));`, `4:15: t_on_failure wants the name of a route in quotes, known at load`)
	in(fail, ` t_on_failure();`, `4:2: t_on_failure takes 1 argument, not 0`)
	in(fail, ` route(FAIL);`, `4:8: there is no route[FAIL]`)
	in(fail, ` t_is_set("failure");`,
		`4:11: t_is_set: "failure" is neither failure_route, branch_route nor onreply_route`)
	// Arguments.
	in(fail, ` t_check_status("4(");`, "4:17: bad pattern: missing closing ): `(?i)4(`")
	in(fail, ` t_check_status("$var(x)");`,
		`4:17: the pattern of t_check_status must be a string that is known at load`)
	in(fail, ` t_check_status(486);`, `4:17: the pattern of t_check_status must be a string that is known at load`)
	in(fail, ` t_drop_replies("z");`, `4:17: t_drop_replies: "z" is none of "a" (all), "l" (last) and "n" (none)`)
	in(fail, ` t_set_fr("abc");`, `4:11: t_set_fr wants a number for fr_inv_timeout, not "abc"`)
	in(fail, ` append_branch("sip:a@b", "0.5", 1);`, `4:2: append_branch takes 0 to 2 arguments, not 3`)
	in(fail, ` setflag(32);`, `4:10: setflag: flag 32 does not exist; the range is 0..31`)
	in(fail, ` setflag(FLT_ACC);`, `4:10: setflag: there is no flag "FLT_ACC"; flags are declared by flags NAME:NUMBER`)
	in(fail, ` t_relay_to("udp:h:99999");`, `4:13: t_relay_to: "udp:h:99999" is not proto:host:port`)
	in(fail, ` t_relay_to("udp:h h");`, `4:13: t_relay_to: "h h" is no host`)
	in(fail, ` t_relay_to("0x10");`, `4:13: t_relay_to: flags are 16; the range is 0..7`)
	in(fail, ` t_relay_to("h", "x");`, `4:18: t_relay_to wants a number for the flags, not "x"`)
	in(fail, ` t_relay_to_udp("h");`, `4:2: t_relay_to_udp takes no arguments, or host and port`)
	in(fail, ` t_relay_to_udp("h", 0);`, `4:22: t_relay_to_udp: the port is 0; the range is 1..65535`)
	in(fail, ` t_relay("h", $var(x));`, `4:15: t_relay wants a port that is known at load`)
	in(fail, ` strip("x");`, `4:8: strip wants a number for the count, not "x"`)
	in(fail, ` strip();`, `4:2: strip takes 1 argument, not 0`)
	in(fail, ` $T_reply_code = 5;`, `4:2: $T_reply_code cannot be assigned to`)
	in(reply, ` if ($T_rpl == 1) exit;`, `4:6: $T_rpl needs a name in parentheses: $T_rpl(name)`)
	// Allowed: every route has these.
	for _, kind := range []string{"route[S]", fail, branch, reply, core} {
		in(kind, ` if (isflagset(1)) { setflag(0); resetflag(31); } t_is_set("branch_route"); $var(x) = t_get_status_code();
			log("x"); xlog("$T_reply_code $T_branch_idx $rs $rr $rm"); $ru = "sip:a@b"; $du = $null; strip(1); if (status =~ "18[03]") drop;
			is_method("INVITE"); if ($rs > 180 || status == 180 || status == "180") exit; route(S2); t_is_reply_route();
			switch ($rs) { case 180: exit; default: drop; }`+"\n}\nroute[S2] { return 2;")
	}
}

// TestWarnings holds the text and place of what does not stop a start.
func TestWarnings(t *testing.T) {
	f := func(src string, want ...string) {
		t.Helper()
		_, _, warns, err := loadText(src, nil)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			return
		}
		got := make([]string, len(warns))
		for i := range warns {
			got[i] = strings.TrimPrefix(warns[i].Error(), "x.cfg:")
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s\nwarns\n%s\nwant\n%s", src, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	f("children=8\nrequest_route { exit; }",
		`1:1: children has no effect: Viaduct runs one shard per CPU; -n sets how many`)
	// Kamailio takes numbers out of range, and the functions fail, or take another one.
	f(allModules+"\nrequest_route {\n sl_send_reply(\"20\", \"x\");\n blst_set_ignore(256);\n"+
		" set_advertised_port(0);\n t_set_fr(1, 99999999999);\n}",
		`4:16: sl_send_reply: the code is 20; the range is 100..699, and 500 is taken`,
		`5:18: blst_set_ignore: the mask is 256; the range is 0..255, and the call is -1`,
		`6:22: set_advertised_port: the port is 0; the range is 1..65535, and the call has no effect`,
		`7:14: 99999999999 is 1215752191 in Kamailio 5.6, whose numbers have 32 bits`,
		`7:14: t_set_fr: fr_timeout is 99999999999; the range is 0..2147483647, and the call is -1`)
	// Kamailio defines A for each of these.
	f("#!define A.B xx\nrequest_route { exit; }",
		`1:1: #!define: the name is A, and what follows its value: .B xx. Is a blank missing, or is A.B meant as the `+
			`name?`)
	f("#!trydef A=1\nrequest_route { exit; }",
		`1:1: #!define: the name is A, and what follows its value: =1. Is a blank missing, or is A=1 meant as the `+
			`name?`)
	f("#!redefine A!\nrequest_route { exit; }",
		`1:1: #!define: the name is A, and what follows its value: !. Is a blank missing, or is A! meant as the name?`)
	f("#!define A\t1\n#!define B\nrequest_route { exit; }")
	f("memdbg=5\nlog_facility=LOG_LOCAL0\nrequest_route { exit; }",
		`1:1: memdbg has no effect: the arena has no debug allocator`,
		`2:1: log_facility has no effect: the logger of the service manager decides`)
	f("tcp_wq_blk_size=2100\ntcp_connection_match=0\ndns_cache_rec_pref=1\ndns_cache_delete_nonexpired=1\n"+
		"tcp_script_mode=1\ndns_sctp_pref=5\ndst_blacklist_sctp_imask=2\nrequest_route { exit; }",
		`1:1: tcp_wq_blk_size has no effect: the queue has no blocks`,
		`2:1: tcp_connection_match is always 1: connections belong to a listener, and so to its address and port`,
		`3:1: dns_cache_rec_pref has no effect yet`, `4:1: dns_cache_delete_nonexpired has no effect yet`,
		`6:1: dns_sctp_pref has no effect: SCTP is not there`,
		`7:1: dst_blacklist_sctp_imask has no effect: SCTP is not there`)
	f("loadmodule \"tm.so\"\nrequest_route { t_on_failure(\"FIAL\"); t_on_branch(\"FAIL\"); t_on_reply(\"R\"); "+
		"t_on_failure(\"FAIL\"); }\nfailure_route[FAIL] { exit; }",
		`2:30: there is no failure_route[FIAL], so nothing is run; did you mean FAIL?`,
		`2:51: there is no branch_route[FAIL], so nothing is run`,
		`2:71: there is no onreply_route[R], so nothing is run`)
	f("mpath=\"/x\"\nrequest_route { exit; }", `1:7: the module path has no effect: all modules are built in`)
	f("loadmodule \"corex.so\"\nmodparam(\"corex\", \"evcb_reply_out\", \"x\")\nrequest_route { exit; }",
		`2:19: corex.evcb_reply_out has no effect: there are no scripts in other languages`)
	f("request_route { exit; }\nfailure_route { exit; }\nbranch_route[0] { exit; }",
		`2:1: failure_route without a name is never run: no function can arm it`,
		`3:14: branch_route without a name is never run: no function can arm it`)
	f("loadmodule \"tm.so\"\nrequest_route { t_on_branch(\"B\"); route(A); }\nroute[A] { route(B); }\nroute[B] { "+
		"t_relay(); return; }\nbranch_route[B] { route(A); }\nreply_route { if (1 + route(B) > 1) exit; }",
		`4:12: t_relay fails where route[B] is run for branch_route and reply_route: it may be called in `+
			`request_route and failure_route`)
	f("loadmodule \"rr.so\"\nmodparam(\"rr\", \"append_fromtag\", -1)\nmodparam(\"rr\", \"enable_full_lr\", 5)\n"+
		"request_route { exit; }", `2:34: rr.append_fromtag is -1, and taken as 1`,
		`3:34: rr.enable_full_lr is 5, and taken as 1`)
	f("loadmodule \"tm.so\"\nloadmodule \"tmx.so\"\nrequest_route { t_on_branch(\"B\"); t_on_reply(\"R\"); "+
		"t_continue(\"1\", \"2\", \"C\"); t_relay(); }\nbranch_route[B] { t_suspend(); t_drop(); }\n"+
		"onreply_route[R] { t_suspend(); }\nroute[C] { t_relay(); }",
		`4:19: t_suspend is false in branch_route: nothing can be held there`,
		`4:32: t_drop is false in branch_route: what is about to be sent keeps its transaction`,
		`6:12: t_relay fails where route[C] is run for onreply_route[NAME]: it may be called in `+
			`request_route and failure_route`)
	// A part that asks what it is run for is run for no more.
	const guarded = "loadmodule \"tm.so\"\nloadmodule \"tmx.so\"\nloadmodule \"siputils.so\"\n" +
		"request_route { route(A); t_on_branch(\"B\"); t_on_failure(\"F\"); }\n" +
		"branch_route[B] { route(A); }\nfailure_route[F] { route(A); }\nreply_route { route(A); }\nroute[A] { "
	f(guarded + "if (is_request() && !t_is_branch_route()) t_relay(); }")
	f(guarded + "if (is_reply() || t_is_branch_route()) return; t_relay(); }")
	f(guarded + "if (is_reply()) { exit; } else { if (!t_is_branch_route()) route(C); } }\nroute[C] { t_relay(); }")
	f(guarded+"if (is_request()) { t_relay(); } }",
		`8:32: t_relay fails where route[A] is run for branch_route: it may be called in request_route and `+
			`failure_route`)
	f(guarded+"if (!is_request()) { return; } else { force_rport(); } if (t_is_failure_route()) t_relay(); t_relay(); }",
		`8:104: t_relay fails where route[A] is run for branch_route: it may be called in request_route and `+
			`failure_route`)
	f("loadmodule \"tm.so\"\nrequest_route { if (t_check_status(\"4\\\\d\\\\d\")) exit; if (t_check_status(\"^8\")) "+
		"exit; t_load_contacts(); }",
		`2:36: \d is a digit here and the letter d in Kamailio's patterns: write [0-9]`,
		`2:73: no status from 100 to 699 matches "^8"`,
		`2:86: Kamailio needs modparam("tm", "contacts_avp", …) for t_load_contacts, and fails without`)
	f("loadmodule \"tm.so\"\nmodparam(\"tm\", \"contacts_avp\", \"c\")\nrequest_route { t_load_contacts(); "+
		"setuser(\"x$rU\"); }",
		`2:16: tm.contacts_avp has no effect: the contacts are kept in the transaction, not in an XAVP`,
		`3:44: Kamailio's setuser takes "x$rU" as it stands; here variables in it are filled in`)
	f("loadmodule \"tm.so\"\nmodparam(\"tm\", \"unix_tx_timeout\", 500)\nrequest_route { exit; }",
		`2:16: tm.unix_tx_timeout has no effect: no Unix-socket transactions exist`)
	f("tcp_async=no\ntcp_fd_cache=yes\nrequest_route { exit; }",
		`1:1: tcp_async has no effect: what a socket does not take is queued always, since nobody may wait for it`,
		`2:1: tcp_fd_cache has no effect: a connection belongs to one event loop: there is no descriptor to pass`)
	f("loadmodule \"tls.so\"\nmodparam(\"tls\", \"tls_method\", \"TLSv1+\")\nmodparam(\"tls\", \"tls_force_run\", "+
		"1)\nrequest_route { exit; }",
		`2:17: tls.tls_method means TLSv1.2+ here: RFC 8996 forbids what is older`,
		`3:17: tls.tls_force_run has no effect: crypto/tls is used, not OpenSSL`)
	f("loadmodule \"tm.so\"\nloadmodule \"sl.so\"\nloadmodule \"xhttp.so\"\nloadmodule \"websocket.so\"\n"+
		"modparam(\"websocket\", \"sub_protocols\", 3)\nrequest_route { xhttp_reply(\"404\", \"x\", \"\", \"\"); }\n"+
		"event_route[xhttp:request] { if (ws_handle_handshake()) exit; xhttp_reply(\"404\", \"x\", \"\", \"\"); }\n"+
		"event_route[websocket:closed] { exit; }",
		`5:23: websocket.sub_protocols asks for MSRP, which is not spoken: only sip is offered`)
	f("event_route[xhttp:request] { exit; }\nrequest_route { exit; }",
		`1:13: event_route[xhttp:request] is checked and never run: it needs loadmodule "xhttp.so"`)
	f("loadmodule \"pv.so\"\nloadmodule \"corex.so\"\nlisten=udp:1.2.3.4:5060 name \"s1\"\nrequest_route { "+
		"set_send_socket_name(\"s11\"); set_send_socket_name(\"s1\"); }",
		`4:38: no listen line has the name "s11"; did you mean s1?`)
	f("loadmodule \"nathelper.so\"\nrequest_route { fix_nated_register(); }",
		`2:17: fix_nated_register does nothing without modparam("nathelper", "received_avp", "$avp(name)")`)
	f("request_route { 1 + 2; }", `1:17: Kamailio 5.6 refuses a file with an expression as a statement`,
		`1:17: this expression has no effect`)
	f("request_route { drop(1); }", `1:22: the value of drop has no effect`)
	f("listen=udp:1.2.3.4:5060 virtual\nrequest_route { exit; }",
		`1:25: virtual has no effect: an address is myself whether or not this host has it at present`)
	f("request_route { switch ($rs) { case 1: exit; case 1: drop; } }",
		`1:46: this case is never reached: the same value stands above`)
}

// TestTooManyErrors has so many that to look for the nearest name of each would take minutes.
func TestTooManyErrors(t *testing.T) {
	begin := time.Now()
	_, _, _, err := loadText("request_route {\n"+strings.Repeat(" foo();\n", 100000)+"}", nil)
	if d := time.Since(begin); d > 20*time.Second {
		t.Errorf("they took %v", d)
	}
	var list ErrorList
	if !errors.As(err, &list) || len(list) != 101 || !strings.Contains(list[100].Text, "more than 100 errors") {
		t.Errorf("%d errors, last %v", len(list), list[len(list)-1])
	}
}

func TestNestingLimit(t *testing.T) {
	for _, src := range []string{
		"request_route { $var(x) = " + strings.Repeat("(", 100000) + "1" + strings.Repeat(")", 100000) + "; }",
		"request_route { $var(x) = " + strings.Repeat("!", 100000) + "1; }",
		"request_route " + strings.Repeat("{", 100000) + "exit;" + strings.Repeat("}", 100000),
		"request_route { " + strings.Repeat("if (1) ", 100000) + "exit; }",
		"request_route { $var(x) = 1" + strings.Repeat(" + 1", 100000) + "; }",
		"#!define A B B\n#!define B C C\n#!define C A A\nrequest_route { A }",
	} {
		if _, _, _, err := loadText(src, nil); err == nil {
			t.Errorf("%.40s… is accepted", src)
		}
	}
	chain := "request_route { " + strings.Repeat("if ($rs == 1) exit; else ", 5000) + "exit; }"
	if _, _, _, err := loadText(chain, nil); err != nil {
		t.Errorf("a long chain of else if is refused: %v", err)
	}
}

func TestIncludes(t *testing.T) {
	files := map[string]string{"a.cfg": "include_file \"sub/b.cfg\"\n", "sub/b.cfg": "include_file \"c.cfg\"\n",
		"sub/c.cfg": "route[C] { exit; }\n",
		"bad.cfg":   "\n foo();", "loop.cfg": "include_file \"loop.cfg\"\n"}
	if _, _, _, err := loadText("include_file \"a.cfg\"\nimport_file \"none.cfg\"\nrequest_route { route(C); }",
		files); err != nil {
		t.Error(err)
	}
	f := func(src, want string) {
		t.Helper()
		if _, _, _, err := loadText(src, files); err == nil || err.Error() != want {
			t.Errorf("%s gives %v, want %s", src, err, want)
		}
	}
	f("request_route {\ninclude_file \"bad.cfg\"\n}", `bad.cfg:2:2: unknown function foo`)
	f("request_route { exit; }\n!!include_file \"loop.cfg\"", `loop.cfg:1:1: include_file nests deeper than 10`)
}

func TestDefinesFromCommandLine(t *testing.T) {
	src := "#!ifdef A\n#!ifndef B\nrequest_route { exit; }\n#!endif\n#!endif\nport=C\n"
	_, s, _, err := Load("x.cfg", []byte(src), Options{Defines: []string{"A", "C=5070"}, Modules: testModules})
	if err != nil || s.Core.Port != 5070 {
		t.Error(err, s)
	}
	if _, _, _, err := Load("x.cfg", []byte(src),
		Options{Defines: []string{"A", "B", "C=5070"}, Modules: testModules}); err == nil {
		t.Error("B should hide the route")
	}
}

func TestMissingFile(t *testing.T) {
	_, _, _, err := Load("/nowhere/x.cfg", nil, Options{Modules: testModules})
	if want := "/nowhere/x.cfg:1:1: cannot read the configuration: open /nowhere/x.cfg: no such file or " +
		"directory"; fmt.Sprint(err) != want {
		t.Errorf("%v, want %s", err, want)
	}
}
