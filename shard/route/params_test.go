package route

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// not56 are names Kamailio 5.6.3 as Debian builds it refuses and we take, and why.
var not56 = map[string]string{
	"dispatcher.list_optional": "ours",
	"pike.ipv6_prefix":         "ours",
	"pike.max_addresses":       "ours",
	"siputils.ring_timeout":    "of versions before 5",
	"rr.sign_routes":           "ours",
	"tm.t4_timer":              "ours",
	"tm.pass_former_replies":   "ours",
	"tm.retry_refused":         "ours",
	"pipelimit.max_pipes":      "ours",
	"dispatcher.dst_avp":       "up to 4.4", "dispatcher.grp_avp": "up to 4.4", "dispatcher.cnt_avp": "up to 4.4",
	"dispatcher.dstid_avp": "up to 4.4", "dispatcher.attrs_avp": "up to 4.4", "dispatcher.sock_avp": "up to 4.4",
	"dispatcher.ds_probing_threshhold": "up to 4.4",
	"tm.failover_reply_codes":          "later versions", "tm.reply_408_code": "later versions",
	"tm.delayed_reply": "later versions",
	"maxsndbuffer":     "later versions", "tcp_msg_read_timeout": "later versions",
	"tcp_msg_data_timeout": "later versions",
	"use_dst_blacklist":    "up to 5.4", "dst_blacklist_init": "up to 5.4", "dst_blacklist_expire": "up to 5.4",
	"dst_blacklist_ttl": "up to 5.4", "dst_blacklist_mem": "up to 5.4", "dst_blacklist_gc_interval": "up to 5.4",
	"dst_blacklist_udp_imask": "up to 5.4", "dst_blacklist_tcp_imask": "up to 5.4",
	"dst_blacklist_tls_imask":  "up to 5.4",
	"dst_blacklist_sctp_imask": "up to 5.4", "tcp_accept_iplimit": "later versions",
	"dst_blacklist_icmp": "ours", "dst_blocklist_icmp": "ours", "dns_resolv_conf": "ours", "dns_hosts_file": "ours",
	"rtimer.exec": "the timer that it names stands above it", "tcp_proxy_from": "ours", "tcp_accept_rate": "ours",
	"tcp_connections_per_destination": "ours", "tcp_handshake_max": "ours",
	"accept_ctrl_chars": "ours", "http_listen": "ours", "http_tokens": "ours",
	"udp_wq_max":  "ours",
	"dns_timeout": "ours", "dns_cache_stale_ttl": "ours",
}

// specialValue are values for those that want neither 1 nor just any string.
var specialValue = map[string]string{
	"udp_mtu_try_proto": "TCP", "tls_method": "TLSv1", "tcp_source_ipv4": "127.0.0.1", "tcp_source_ipv6": "::1",
	"log_facility": "LOG_LOCAL0", "tcp_poll_method": "poll",
	"tls_certificate": `"x"`, "tls_private_key": `"x"`, "tls_ca_list": `"x"`,
	"ipv6_hex_style": `"c"`, "user": `"root"`,
	"uid": `"root"`, "group": `"root"`, "gid": `"root"`,
	"log_engine_type": `"x"`, "log_engine_data": `"x"`, "async_workers_group": `"name=x"`,
	"stats_name_separator": `"_"`, "rundir": `"/"`, "run_dir": `"/"`,
	"xavp_via_params": `"x"`, "xavp_via_fields": `"x"`, "uri_host_extra_chars": `"_"`,
	"hdr_name_extra_chars": `"_"`,
	"version_table":        `"x"`,
	"mcast":                `"lo"`, "ctl.user": `"root"`, "ctl.group": `"root"`, "jsonrpcs.dgram_mode": "1",
	"jsonrpcs.fifo_mode": "1",
	"xlog.log_colors":    `"L_ERR=cr"`,
	"htable.htable":      `"t=>size=4;"`,
	"pv.varset":          `"a=i:1"`,
	"mtree.mtree":        `"name=t"`,
	"mqueue.mqueue":      `"name=q"`,
	"rtimer.timer":       `"name=x;interval=1"`,
	"evrexec.exec":       `"name=evrexec:x"`,
	"ratelimit.queue":    `"0:REGISTER"`, "ratelimit.pipe": `"0:TAILDROP:10"`,
	"avpops.db_scheme": `"s:uuid_col=a;username_col=b;domain_col=c;value_col=d;table=e"`,
	"uac.credential":   `"a:b:c"`,
	"pv.avp_aliases":   `"x=s:y"`, "pv.shvset": `"x=i:1"`,
}

// before56 are modules of versions before 5.6, and some that Debian has in packages of their own.
var before56 = map[string]bool{"mi_datagram": true, "mi_fifo": true, "mi_rpc": true, "mi_xmlrpc": true, "xmlrpc": true,
	"log_systemd": true, "sctp": true, "snmpstats": true, "json": true,
	"debugger": true, // 5.6.3 refuses all of them where mod_level stands before mod_hash_size
}

// TestParametersAsKamailio asks Kamailio whether it has each parameter of ours with the type we
// give it.
func TestParametersAsKamailio(t *testing.T) {
	needKamailio(t)
	modules := everything(DefaultSettings())
	for _, m := range sortedKeys(modules) {
		if before56[m] {
			continue
		}
		src := "loadmodule \"sl.so\"\nloadmodule \"tm.so\"\nloadmodule \"pv.so\"\n"
		if !strings.Contains(src, `"`+m+`.so"`) {
			src += "loadmodule \"" + m + ".so\"\n"
		}
		// One line each: it names the line of each that it refuses.
		names := map[int]string{}
		for _, n := range sortedKeys(modules[m].params) {
			d := modules[m].params[n]
			value := itoa(max(d.min, 1))
			if v := specialValue[m+"."+n]; v != "" {
				value = v
			} else if d.kind == stringParam || d.any {
				value = `"x"`
			}
			names[strings.Count(src, "\n")+1] = m + "." + n
			src += "modparam(\"" + m + "\", \"" + n + "\", " + value + ")\n"
		}
		compareRefused(t, src, names)
	}
}

// TestGlobalsAsKamailio asks the same of the core parameters.
func TestGlobalsAsKamailio(t *testing.T) {
	needKamailio(t)
	src := ""
	names := map[int]string{}
	globals := newModule(Core(), DefaultSettings(), nil).def.params
	for _, n := range sortedKeys(globals) {
		if n == "auto_bind_ipv6" || strings.HasPrefix(n, "sctp_") {
			// kamailio -c never returns with the first; the others are read only when the module
			// sctp is there (5.6.3)
			continue
		}
		d := globals[n]
		value := specialValue[n]
		if value == "" && d.kind == stringParam || d.any && d.idle == "" && value == "" && n != "tos" {
			value = `"/"`
		} else if value == "" {
			value = itoa(max(d.min, 1))
		}
		names[strings.Count(src, "\n")+1] = n
		src += n + "=" + value + ";\n"
	}
	compareRefused(t, src, names)
}

// kamailioHas tells whether a module of Kamailio's is installed; Debian has some in packages of their
// own.
func kamailioHas(module string) bool {
	found, err := filepath.Glob("/usr/lib/*/kamailio/modules/" + module + ".so")
	return err == nil && len(found) > 0
}

func needKamailio(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(kamailioPath); err != nil {
		t.Skipf("kamailio: not compared with %s, which is not installed", kamailioPath)
	}
}

var errorLine = regexp.MustCompile(`parse error in config file .*?, (?:from )?line (\d+)`)

// compareRefused wants exactly those of names refused that not56 lists. names is by line of src.
func compareRefused(t *testing.T, src string, names map[int]string) {
	t.Helper()
	refused := refusedLines(t, src+"request_route { exit; }\n", names)
	for _, n := range names {
		if refused[n] != (not56[n] != "") {
			t.Errorf("%s: refused %v by %s, but listed as %q", n, refused[n], kamailioPath, not56[n])
		}
	}
}

// refusedLines are those of names, by line of src, that Kamailio refuses.
func refusedLines(t *testing.T, src string, names map[int]string) map[string]bool {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.cfg")
	lines := strings.Split(src, "\n")
	refused := map[string]bool{}
	// One run may report the first syntax error only: blank what is refused and ask again.
	for again := true; again; {
		again = false
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		out, _ := kamailioCheck(file)
		for _, m := range errorLine.FindAllStringSubmatch(string(out), -1) {
			n, _ := strconv.Atoi(m[1])
			if names[n] == "" {
				t.Fatalf("line %d of\n%s\nis refused:\n%s", n, src, out)
			}
			again = again || lines[n-1] != ""
			refused[names[n]] = true
			lines[n-1] = ""
		}
	}
	return refused
}

// sampleArgs are arguments for functions that do not take none.
var sampleArgs = map[string]string{
	"is_direction": `"upstream"`, "t_continue": `"1", "2", "$var(x)"`,
	"t_on_branch_failure": `"L"`,
	"t_forward_nonack":    `"h", "5060"`, "t_forward_nonack_udp": `"h", "5060"`,
	"t_forward_nonack_tcp": `"h", "5060"`,
	"t_forward_nonack_tls": `"h", "5060"`, "t_forward_nonack_sctp": `"h", "5060"`, "t_grep_status": `"486"`,
	"t_forward_nonack_to": `"udp", "h:5060"`, "t_relay_to_avp": `"udp", "h:5060"`,
	"t_replicate_to": `"udp", "h:5060"`, "t_replicate_udp": `"h", "5060"`, "t_replicate_tcp": `"h", "5060"`,
	"t_replicate_tls": `"h", "5060"`, "t_replicate_sctp": `"h", "5060"`,
	"t_cancel_branches": `"all"`, "send_reply_mode": `"404", "x", "0"`,
	"sl_reply": `"404", "x"`, "t_uac_send": `"OPTIONS", "sip:a@b", "", "", "From: <sip:a@b>", ""`,
	"dp_replace": `"1", "x", "$var(x)"`, "json_get_field": `"{}", "a", "$var(x)"`,
	"json_get_string": `"{}", "a", "$var(x)"`,
	"ds_select":       `"1", "4"`, "ds_select_routes": `"1=4", "1"`,
	"xavp_params_implode": `"x", "$var(x)"`, "xavu_params_implode": `"x", "$var(x)"`,
	"avp_copy": `"$avp(x)", "$avp(y)"`, "avp_delete": `"$avp(x)"`, "is_avp_set": `"$avp(x)"`,
	"is_int": `"$avp(x)"`, "not_empty": `"$avp(x)"`, "pv_isset": `"$avp(x)"`, "pv_unset": `"$avp(x)"`,
	"typeof":  `"$avp(x)", "int"`,
	"t_reply": `"404", "x"`, "t_send_reply": `"404", "x"`, "sl_send_reply": `"404", "x"`,
	"send_reply":   `"404", "x"`,
	"t_on_failure": `"F"`, "t_on_branch": `"B"`, "t_on_reply": `"R"`, "t_is_set": `"failure_route"`,
	"t_check_status": `"4.."`,
	"t_set_fr":       "1000", "mf_process_maxfwd_header": `"10"`, "is_method": `"INVITE"`,
	"append_to_reply": `"X: y\r\n"`,
	"ds_select_dst":   `"1", "0"`, "ds_select_domain": `"1", "0"`,
	"is_myself": `"sip:a@b"`, "setdsturi": `"sip:a@b"`,
	"log": `"x"`, "strip": "1", "strip_tail": "1", "prefix": `"0"`,
	"setflag": "1", "resetflag": "1", "isflagset": "1", "seturi": `"sip:a@b"`, "rewriteuri": `"sip:a@b"`,
	"setport": `"5"`, "setp": `"5"`,
	"rewriteport": `"5"`, "sethost": `"h"`, "seth": `"h"`, "rewritehost": `"h"`,
	"sethostport": `"h"`, "sethp": `"h"`,
	"rewritehostport":  `"h"`,
	"sethostporttrans": `"h"`, "sethpt": `"h"`, "rewritehostporttrans": `"h"`, "setuser": `"u"`, "setu": `"u"`,
	"rewriteuser": `"u"`,
	"setuserpass": `"u"`, "setup": `"u"`, "rewriteuserpass": `"u"`, "xlog": `"x"`, "xdbg": `"x"`, "xinfo": `"x"`,
	"xnotice": `"x"`, "xwarn": `"x"`,
	"force_send_socket": "udp:127.0.0.1:5060", "set_send_socket": `"udp:127.0.0.1:5060"`,
	"set_send_socket_name":   `"x"`,
	"set_advertised_address": `"h"`,
	"udp_mtu_try_proto":      "TCP", "setavpflag": `$f.x, "mark"`, "resetavpflag": `$f.x, "mark"`,
	"isavpflagset": `$f.x, "mark"`, "set_advertised_port": "5060", "forward_udp": `"h"`,
	"forward_tcp": `"h"`, "forward_tls": `"h"`,
	"forward_sctp":    `"h"`,
	"tcp_conid_alive": `"1"`, "tcp_conid_state": `"1"`, "tcp_set_connection_lifetime": `"1"`,
	"tcp_keepalive_enable": `"1", "2", "3"`,
	"blst_add_retry_after": "1, 2", "nat_uac_test": `"64"`, "is_rfc1918": `"10.0.0.1"`,
	"xhttp_reply": `"404", "x", "", ""`,
	"setbflag":    "1", "resetbflag": "1", "isbflagset": "1", "setsflag": "1", "resetsflag": "1", "issflagset": "1",
	"compare_ips": `"1.1.1.1", "1.1.1.1"`, "compare_pure_ips": `"1.1.1.1", "1.1.1.1"`,
	"detailed_ip_type":   `"1.1.1.1", "$var(x)"`,
	"detailed_ipv4_type": `"1.1.1.1", "$var(x)"`, "detailed_ipv6_type": `"::1", "$var(x)"`, "ip_type": `"1.1.1.1"`,
	"is_in_subnet": `"1.1.1.1", "1.0.0.0/8"`, "is_ip": `"1.1.1.1"`, "is_ip_rfc1918": `"1.1.1.1"`,
	"is_ipv4": `"1.1.1.1"`,
	"is_ipv6": `"::1"`, "is_ipv6_reference": `"[::1]"`, "is_pure_ip": `"1.1.1.1"`,
	"sleep": `"1"`, "usleep": `"1"`, "lock": `"x"`, "trylock": `"x"`, "unlock": `"x"`, "rand_set_prob": `"4"`,
	"set_gflag": `"4"`, "reset_gflag": `"4"`, "is_gflag": `"4"`,
	"async_task_group_route": `"S", "x"`, "rl_check_pipe": `"1"`,
	"async_route": `"S", "1"`, "async_ms_route": `"S", "1"`, "async_sleep": `"1"`, "async_ms_sleep": `"1"`,
	"async_task_route": `"S"`,
	"xerr":             `"x"`, "xbug": `"x"`, "xcrit": `"x"`, "xalert": `"x"`,
	"sht_has_name": `"t", "eq", "x"`, "sht_has_str_value": `"t", "eq", "x"`, "sht_match_name": `"t", "eq", "x"`,
	"sht_match_str_value": `"t", "eq", "x"`,
	"sht_iterator_start":  `"i", "t"`, "sht_iterator_next": `"i"`, "sht_iterator_end": `"i"`,
	"sht_iterator_rm":    `"i"`,
	"sht_iterator_setex": `"i", "1"`,
	"sht_iterator_seti":  `"i", "1"`, "sht_iterator_sets": `"i", "1"`, "sht_lock": `"t=>k"`,
	"sht_unlock": `"t=>k"`,
	"sht_reset":  `"t"`,
	"sht_rm":     `"t", "k"`, "sht_rm_name": `"t", "re", "x"`, "sht_rm_value": `"t", "re", "x"`,
	"sht_rm_name_re":  `"t=>x"`,
	"sht_rm_value_re": `"t=>x"`,
	"cnt_inc":         `"x.y"`, "cnt_reset": `"x.y"`, "cnt_add": `"x.y", "2"`, "update_stat": `"x", "+1"`,
	"reset_stat":      `"x"`,
	"jansson_get":     `"a", "{}", "$var(x)"`,
	"jansson_xdecode": `"{}", "j"`, "jansson_xencode": `"j", "$var(x)"`,
	"jansson_get_field": `"{}", "a", "$var(x)"`, "jansson_array_size": `"a", "{}", "$var(x)"`,
	"jansson_set": `"int", "a", "1", "$var(x)"`, "jansson_append": `"int", "a", "1", "$var(x)"`,
	"sht_setxi": `"t", "k", "1", "1"`, "sht_setxs": `"t", "k", "1", "1"`,
}

// sample is what a function is called with: "1" where nothing else must stand.
func sample(name string, d *funcDef) string {
	if args, special := sampleArgs[name]; special {
		return args
	}
	return strings.TrimPrefix(strings.Repeat(`, "1"`, d.min), ", ")
}

// notThere are functions Kamailio accepts in routes where we never shall.
var notThere = map[string]string{"forward": onceOnly, "forward_udp": onceOnly, "forward_tcp": onceOnly,
	"forward_tls":  onceOnly,
	"forward_sctp": onceOnly, "jsonrpc_exec": waitsThere}

const (
	onceOnly   = "it forwards a request, once"
	waitsThere = "the command runs beside the shards, and a run there has nothing to wait in"
)

// TestFunctionsAsKamailio asks Kamailio of each function, in each kind of route, whether it may be
// called there.
func TestFunctionsAsKamailio(t *testing.T) {
	needKamailio(t)
	funcs := map[string]*funcDef{}
	modules := everything(DefaultSettings())
	for _, m := range modules {
		for n, d := range m.funcs {
			funcs[n] = d
		}
	}
	for n, d := range newModule(Core(), DefaultSettings(), nil).def.funcs {
		funcs[n] = d
	}
	delete(funcs, "blst_is_blacklisted") // until 5.4
	load := strings.ReplaceAll(allModules, `" loadmodule`, "\"\nloadmodule")
	for _, n := range sortedKeys(modules) {
		line := "loadmodule \"" + n + ".so\"\n"
		if len(modules[n].funcs) == 0 || strings.Contains(load, line) {
			continue
		}
		if !kamailioHas(n) {
			t.Logf("not compared: Kamailio's module %s is not installed", n)
			for f := range modules[n].funcs {
				delete(funcs, f)
			}
			continue
		}
		load += line
	}
	for _, m := range []string{"dialplan", "mtree", "permissions"} {
		dir, err := filepath.Abs("../modules/" + m + "/testdata/db")
		if err != nil {
			t.Fatal(err)
		}
		load += "modparam(\"" + m + "\", \"db_url\", \"text://" + dir + "\")\n"
	}
	load += "avpflags mark;\nmodparam(\"htable\", \"htable\", \"t=>size=4;\")\n" +
		"modparam(\"counters\", \"script_counter\", \"x.y\")\nmodparam(\"statistics\", \"variable\", \"x\")\n"
	const others = "\nfailure_route[F] { exit; } branch_route[B] { exit; } onreply_route[R] { exit; }\n" +
		"event_route[tm:branch-failure:L] { exit; }\n"
	for _, head := range []string{"request_route", "route[S]", "failure_route[X]", "branch_route[X]",
		"onreply_route[X]", "reply_route",
		"event_route[xhttp:request]"} {
		end := "}" + others
		if head != "route[S]" {
			end += "route[S] { exit; }\n"
		}
		if head != "request_route" {
			end += "request_route { exit; }\n"
		}
		src, names := load+head+" {\n", map[int]string{}
		for _, n := range sortedKeys(funcs) {
			names[strings.Count(src, "\n")+1] = n
			src += n + "(" + sample(n, funcs[n]) + ");\n"
		}
		refused := refusedLines(t, src+end, names)
		for _, n := range sortedKeys(funcs) {
			_, _, _, err := loadText(load+head+" { "+n+"("+sample(n, funcs[n])+"); "+end, nil)
			soon := err != nil && (strings.Contains(err.Error(), " is known to Kamailio, not implemented by Viaduct yet") ||
				strings.Contains(err.Error(), " cannot wait in "))
			switch {
			case err != nil && !soon && !strings.Contains(err.Error(), " may be called in "):
				t.Errorf("%s: %v", n, err)
			case (err != nil) == refused[n]:
			case refused[n]:
				t.Errorf("%s in %s is refused by %s and accepted here", n, head, kamailioPath)
			case !soon && notThere[n] == "":
				t.Errorf("%s in %s is accepted by %s and refused here: %v", n, head, kamailioPath, err)
			}
		}
	}
}
