package route

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"viaduct/shard/balance"
	"viaduct/shard/proxy"
	"viaduct/shard/route/syntax"
	"viaduct/shard/txn"
)

// loadFile loads a file of testdata, or the embedded default.cfg.
func loadFile(t testing.TB, path string) (*Program, *Settings, Warnings) {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p, s, w, err := Load(filepath.Base(path), src, Options{Modules: testModules})
	if err == nil {
		p.onOneShard()
	}
	if err != nil {
		t.Fatalf("%s is refused:\n%v", path, err)
	}
	return p, s, w
}

// TestPeerSettings holds what the shared benchmark file asks for.
func TestPeerSettings(t *testing.T) {
	_, s, w := loadFile(t, "testdata/peers/lb.cfg")
	want := DefaultSettings()
	want.Core.Debug, want.Core.LogStderr, want.Core.Children, want.Core.DisableTCP = 0, true, 2, true
	want.Core.Listen = []Listen{{Transport: UDP, Host: "127.0.0.1", Port: 5060,
		Pos: Pos{File: "lb.cfg", Line: 7, Col: 8}}}
	want.Txn.B, want.Txn.C = 30*time.Second, 120*time.Second
	want.Proxy.AppendFromtag = false
	want.Dispatcher.Probes.UserAgent = "User-Agent: Viaduct"
	want.Modules = s.Modules
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got  %+v\nwant %+v", s, want)
	}
	if len(s.Modules) != 10 || s.Modules[9].Name != "dispatcher" ||
		s.Modules[9].Pos != (Pos{File: "lb.cfg", Line: 23, Col: 12}) {
		t.Errorf("modules %v", s.Modules)
	}
	if len(w) != 2 || w[0].Error() != "lb.cfg:6:1: children has no effect: Viaduct runs one shard per CPU; -n sets "+
		"how many" {
		t.Errorf("warnings %v", w)
	}
}

func TestDefaultLoads(t *testing.T) {
	_, s, w, err := Load("default.cfg", Default(), Options{Modules: testModules})
	if err != nil || len(w) != 0 || !s.Dispatcher.ListOptional {
		t.Error(err, w)
	}
}

// TestSettings sets one thing each and reads it back.
func TestSettings(t *testing.T) {
	f := func(line string, got func(s *Settings) any, want any) {
		t.Helper()
		_, s, _, err := loadText(allModules+line+"\nrequest_route { exit; }", nil)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			return
		}
		if g := got(s); fmt.Sprint(g) != fmt.Sprint(want) {
			t.Errorf("%s gives %v, want %v", line, g, want)
		}
	}
	tm := func(name, value string, got func(s *Settings) any, want any) {
		t.Helper()
		f(`modparam("tm", "`+name+`", `+value+`)`, got, want)
	}
	tm("retr_timer1", "250", func(s *Settings) any { return s.Txn.T1 }, 250*time.Millisecond)
	tm("retr_timer2", "2000", func(s *Settings) any { return s.Txn.T2 }, 2*time.Second)
	tm("t4_timer", "300", func(s *Settings) any { return s.Txn.T4 }, 300*time.Millisecond)
	tm("pass_former_replies", "0", func(s *Settings) any { return s.Proxy.PassFormer }, false)
	tm("max_inv_lifetime", "180000", func(s *Settings) any { return s.Txn.MaxInvite }, 3*time.Minute)
	tm("max_noninv_lifetime", "32000", func(s *Settings) any { return s.Txn.MaxNonInvite }, 32*time.Second)
	tm("wt_timer", "5000", func(s *Settings) any { return s.Txn.Wait }, 5*time.Second)
	tm("auto_inv_100", "no", func(s *Settings) any { return s.Proxy.AutoTrying }, false)
	tm("auto_inv_100_reason", `"Tr" "ying"`, func(s *Settings) any { return s.Proxy.TryingReason }, "Trying")
	tm("blst_503_max_timeout", "60", func(s *Settings) any { return s.Blocklist.Max503 }, time.Minute)
	tm("blst_methods_lookup", "4294967287", func(s *Settings) any { return s.Blocklist.MethodsLookup }, uint32(4294967287))
	f(`modparam("tm|sl", "default_code", 501)`,
		func(s *Settings) any { return s.Proxy.DefaultCode }, 501)
	f(`modparam("rr", "enable_double_rr", 2)`, func(s *Settings) any { return s.Proxy.DoubleRR }, 2)
	tm("cancel_b_method", "2", func(s *Settings) any { return s.Txn.CancelBefore == txn.CancelLeaves }, true)
	tm("unmatched_cancel", "2", func(s *Settings) any { return s.Proxy.UnmatchedCancel == proxy.DropUnmatched }, true)
	tm("failure_reply_mode", "1", func(s *Settings) any { return s.Proxy.FailureReplies == proxy.KeepNone }, true)
	f(`max_branches=7;udp_mtu=1300`, func(s *Settings) any { return []int{s.Txn.MaxBranches, s.Proxy.UDPMTU} }, "[7 1300]")
	f(`modparam("rr", "append_fromtag", no)`, func(s *Settings) any { return s.Proxy.AppendFromtag }, false)
	f(`modparam("dispatcher", "list_file", "/etc/d.list")`,
		func(s *Settings) any { return s.Dispatcher.ListFile }, "/etc/d.list")
	f(`modparam("dispatcher", "ds_ping_interval", 30)`,
		func(s *Settings) any { return s.Dispatcher.Probes.Interval }, 30*time.Second)
	f(`modparam("dispatcher", "ds_probing_mode", 1)modparam("dispatcher", "ds_ping_reply_codes", "code=403")`,
		func(s *Settings) any {
			return []bool{s.Dispatcher.Probes.Mode == balance.ProbeAll, s.Dispatcher.Probes.ReplyCodes.Has(403)}
		}, "[true true]")
	f(`debug=-3`, func(s *Settings) any { return s.Core.Debug }, -3)
	f(`port=5070`, func(s *Settings) any { return s.Core.Port }, 5070)
	f(`disable_tls=no`, func(s *Settings) any { return s.Core.EnableTLS }, true)
	f(`uid=sip`, func(s *Settings) any { return s.Core.User }, "sip")
	f(`gid=1000`, func(s *Settings) any { return s.Core.Group }, "1000")
	f(`wdir="/var/x"`, func(s *Settings) any { return s.Core.WorkDir }, "/var/x")
	f(`workdir=/var/x`, func(s *Settings) any { return s.Core.WorkDir }, "/var/x")
	f(`tos=IPTOS_LOWDELAY`, func(s *Settings) any { return s.Core.TOS }, 0x10)
	f(`tos=0xb8`, func(s *Settings) any { return s.Core.TOS }, 0xb8)
	f(`udp_mtu_try_proto=TCP`, func(s *Settings) any { return s.Core.UDPMTUTryProto }, TCP)
	f(`advertised_address=sip.example.com`,
		func(s *Settings) any { return s.Core.AdvertisedAddress }, "sip.example.com")
	f(`mhomed=1`, func(s *Settings) any { return s.Core.MHomed }, true)
	f(`shm_mem_size=2048`, func(s *Settings) any { return s.Core.ShmMB }, 2048)
	f(`tcp_connection_lifetime=3605;tcp_children=4`,
		func(s *Settings) any { return []any{s.Stream.Lifetime, s.Stream.Children} },
		[]any{3605 * time.Second, 4})
	f(`tcp_send_timeout=-1;tcp_connection_lifetime=-1`,
		func(s *Settings) any { return []any{s.Stream.SendTimeout, s.Stream.Lifetime} },
		[]any{10 * time.Second, maxSeconds * time.Second})
	f(`tcp_wait_data=2500`, func(s *Settings) any { return s.Stream.WaitData }, 2500*time.Millisecond)
	f(`tcp_buf_write=yes;tcp_conn_wq_max=1048576;tcp_wq_max=1073741824`,
		func(s *Settings) any { return []any{s.Stream.ConnWQMaxBytes, s.Stream.WQMaxBytes} },
		[]any{1 << 20, 1 << 30})
	f(`tcp_source_ipv4=10.0.0.1;tcp_source_ipv6=[2001:db8::1]`,
		func(s *Settings) any { return []any{s.Stream.SourceIPv4, s.Stream.SourceIPv6} },
		"[10.0.0.1 2001:db8::1]")
	f(`tcp_proxy_from="10.0.0.0/8, 192.0.2.1 2001:db8::/32"`,
		func(s *Settings) any { return s.Stream.ProxyFrom }, "[10.0.0.0/8 192.0.2.1/32 2001:db8::/32]")
	f(`tcp_connections_per_destination=4;tcp_handshake_max=8;tcp_accept_rate=100`,
		func(s *Settings) any {
			return []any{s.Stream.PerDestination, s.Stream.HandshakeMax, s.Stream.AcceptRate}
		}, "[4 8 100]")
	f(`dns_timeout=5;dns_cache_stale_ttl=60;udp_wq_max=1000`,
		func(s *Settings) any { return []any{s.DNS.Timeout, s.DNS.StaleTTL, s.Core.UDPWQMaxBytes} },
		[]any{5 * time.Second, time.Minute, 1000})
	f(``, func(s *Settings) any { return s.Core.AcceptControl }, false)
	f(`accept_ctrl_chars=yes`, func(s *Settings) any { return s.Core.AcceptControl }, true)
	f(`tls_port_no=5071`, func(s *Settings) any { return s.Core.TLSPort }, 5071)
	f(`use_dst_blacklist=on;dst_blacklist_ttl=5;dst_blocklist_mem=7`,
		func(s *Settings) any {
			return []any{s.Blocklist.Use, s.Blocklist.Expire, s.Blocklist.MemBytes}
		}, []any{true, 5 * time.Second, 7 << 10})
	f(`dst_blacklist_udp_imask=16;dst_blocklist_tls_imask=0x06;dst_blocklist_icmp=1`,
		func(s *Settings) any {
			return []any{s.Blocklist.IMask[UDP], s.Blocklist.IMask[WSS], s.Blocklist.ICMP}
		}, "[timeout send,connect true]")
	f(`use_dns_failover=off;dns_try_naptr=no;dns_srv_loadbalancing=off`,
		func(s *Settings) any { return []any{s.DNS.Failover, s.DNS.TryNAPTR, s.DNS.SRVLB} }, "[false false false]")
	f(`dns_retr_time=2;dns_retr_no=1;dns_cache_max_ttl=4294967295;dns_tls_preference=50`,
		func(s *Settings) any {
			return []any{s.DNS.RetryTime, s.DNS.RetryCount, s.DNS.MaxTTL, s.DNS.TLSPref}
		}, []any{2 * time.Second, 1, maxSeconds * time.Second, 50})
	f(`dns_cache_max_ttl=-1;dns_resolv_conf="/x";dns_hosts_file="/y"`,
		func(s *Settings) any { return []any{s.DNS.MaxTTL, s.DNS.ResolvConf, s.DNS.HostsFile} }, "[0s /x /y]")
	f(`modparam("tls", "tls_method", "SSLv23")`, func(s *Settings) any { return s.TLS.Domains.Default.Method }, "TLSv1.2+")
	f(`modparam("tls", "connection_timeout", -1)`,
		func(s *Settings) any { return s.TLS.ConnectionTimeout }, -time.Second)
	f(`modparam("tls", "config", "/etc/tls.cfg")`, func(s *Settings) any { return s.TLS.Domains.File }, "/etc/tls.cfg")
	f(`modparam("websocket", "keepalive_timeout", 30)`,
		func(s *Settings) any { return []any{s.WebSocket.Loaded, s.WebSocket.KeepAlive} }, "[true 30s]")

	listen := func(line, want string) {
		t.Helper()
		f(line, func(s *Settings) any {
			text := ""
			for _, l := range s.Core.Listen {
				text += fmt.Sprintf("%v %s %d %s %d %s;", l.Transport == UDP, l.Host, l.Port, l.AdvertiseHost,
					l.AdvertisePort, l.Name)
			}
			return text
		}, want)
	}
	listen(`listen=udp:10.0.0.1:5060`, "true 10.0.0.1 5060  0 ;")
	listen(`listen=UDP:10.0.0.1`, "true 10.0.0.1 0  0 ;")
	listen(`listen=eth0:5062`, "false eth0 5062  0 ;")
	listen(`listen=udp:[2001:db8::1]:5060 advertise [2001:db8::2]:5070`, "true 2001:db8::1 5060 [2001:db8::2] 5070 ;")
	listen(`listen=udp:10.0.0.1:5060 advertise sip.example-1.com`, "true 10.0.0.1 5060 sip.example-1.com 0 ;")
	listen(`listen=udp:10.0.0.1:5060 advertise "sip.example.com":5070 name "s1"`,
		"true 10.0.0.1 5060 sip.example.com 5070 s1;")
	listen(`listen=udp:(10.0.0.1, 10.0.0.2):5070 advertise h`, "true 10.0.0.1 5070 h 0 ;true 10.0.0.2 5070 h 0 ;")
	listen(`listen=udp:10.0.0.1:5060 as 10.0.0.2:5070`, "true 10.0.0.1 5060 10.0.0.2 5070 ;")
	listen("listen=udp:10.0.0.1:5060 udp:10.0.0.2:5060\nlisten=lo",
		"true 10.0.0.1 5060  0 ;true 10.0.0.2 5060  0 ;false lo 0  0 ;")
	listen("#!define IP 10.0.0.1\n#!define PORT 5080\nlisten=udp:IP:PORT advertise IP:PORT",
		"true 10.0.0.1 5080 10.0.0.1 5080 ;")
	listen("#!substdef \"!MY_IP!10.0.0.3!g\"\nlisten=udp:MY_IP:5060", "true 10.0.0.3 5060  0 ;")
	streams := func(line, want string) {
		t.Helper()
		f(line, func(s *Settings) any {
			text := ""
			for _, l := range s.Core.Listen {
				proto, _ := transportName(l.Transport)
				text += fmt.Sprintf("%s %s %d %s %s;", proto, l.Host, l.Port, l.AdvertiseHost, l.Name)
			}
			return text
		}, want)
	}
	streams(`listen=tcp:10.0.0.1`, "tcp 10.0.0.1 0  ;")
	streams(`listen=tls:1.2.3.4:5061 advertise sip.example.com:5061 name "t"`, "tls 1.2.3.4 5061 sip.example.com t;")
	streams(`listen=ws:10.0.0.1:80 wss:[::1]:443`, "ws 10.0.0.1 80  ;wss ::1 443  ;")
	f(`alias=a.example.com udp:b.example.com:5060 "c-d.example.com"`, func(s *Settings) any {
		return []any{len(s.Core.Alias), s.Core.Alias[0].Host, s.Core.Alias[1].Port, s.Core.Alias[2].Host}
	}, "[3 a.example.com 5060 c-d.example.com]")
}

// TestListenAddr turns a literal into an address.
func TestListenAddr(t *testing.T) {
	f := func(host string, port uint16, want string) {
		t.Helper()
		l := Listen{Host: host, Port: port}
		a, ok := l.Addr(5060)
		if got := a.String(); ok != (want != "") || ok && got != want {
			t.Errorf("%s %d is %s %v, want %s", host, port, got, ok, want)
		}
	}
	f("10.0.0.1", 0, "10.0.0.1:5060")
	f("::1", 5070, "[::1]:5070")
	f("eth0", 5070, "")
	port := func(proto Transport, written, want uint16) {
		t.Helper()
		if got := DefaultSettings().Core.PortOf(&Listen{Transport: proto, Port: written}); got != want {
			t.Errorf("protocol %d port %d listens on %d, want %d", proto, written, got, want)
		}
	}
	port(AnyTransport, 0, 5060)
	port(UDP, 0, 5060)
	port(TCP, 0, 5060)
	port(TLS, 0, 5061)
	port(WS, 0, 80)
	port(WSS, 0, 443)
	port(WSS, 7443, 7443)
}

// now is what a declared parameter holds.
func now(d *paramDef) any {
	if d.now == nil {
		return nil
	}
	return d.now()
}

// TestEveryParameterDoesSomething: each either changes the settings or says that it has no effect.
func TestEveryParameterDoesSomething(t *testing.T) {
	check := func(name string, d *paramDef) {
		if (d.set == nil) == (d.idle == "") {
			t.Errorf("%s must have either an effect or a reason for having none", name)
			return
		}
		if d.idle != "" || d.each { // what takes each value is the module's, and its test's
			return
		}
		changed := false
		for _, v := range []syntax.Literal{{Kind: syntax.IntLiteral, Num: d.min}, {Kind: syntax.IntLiteral, Num: d.max},
			{Kind: syntax.StrLiteral, Str: "other"},
			{Kind: syntax.WordLiteral, Str: "TCP"}, {Kind: syntax.IntLiteral, Num: 7},
			{Kind: syntax.StrLiteral, Str: "10.0.0.1"}, {Kind: syntax.StrLiteral, Str: "::1"}} {
			if d.kind == numberParam && v.Kind != syntax.IntLiteral && !d.any ||
				d.kind == stringParam && v.Kind != syntax.StrLiteral {
				continue
			}
			before := now(d)
			d.set(v)
			changed = changed || now(d) != before
		}
		if !changed {
			t.Errorf("%s changes nothing", name)
		}
	}
	all := everything(DefaultSettings())
	all[core] = &newModule(Core(), DefaultSettings(), nil).def
	for m, def := range all {
		for n, d := range def.params {
			check(m+"."+n, d)
		}
	}
}
