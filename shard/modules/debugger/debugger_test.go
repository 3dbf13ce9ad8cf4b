package debugger

import (
	"slices"
	"strings"
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/modules/siputils"
	"viaduct/shard/modules/textops"
	"viaduct/shard/modules/xlog"
	"viaduct/shard/route"
)

func TestDebugger(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "textops", Define: textops.Define},
		route.Declared{Name: "debugger", Define: Define})
	f := func(body string, want ...string) {
		t.Helper()
		b.Run(body)
		got := strings.Join(b.Lines, "\n")
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s logs %s, want %s", body, got, w)
			}
		}
		if len(want) == 0 && got != "" {
			t.Errorf("%s logs %s", body, got)
		}
	}
	f(`append_hf("X-New: a\r\n"); dbg_sip_msg("L_INFO");`, "debugger: the message would be\nINVITE ",
		"X-New: a\r\n", "\r\n\r\nbody")
	f(`dbg_sip_msg("4");`)
	f(`$avp(a) = 1; $avp(a) = "x"; $avp(b) = 2; dbg_pv_dump();`, `{"$avp(b)":[2],"$avp(a)":["x",1]}`)
	f(`$avp(a) = 1; dbg_pv_dump(4, "L_DBG");`)
	f(`dbg_breakpoint("on");`)
	b.Fails(`dbg_sip_msg("LINFO");`, `unknown level "LINFO"; did you mean L_INFO?`)
}

// TestTrace: each statement, in the order of Kamailio 5.6.3, which was run on this script.
func TestTrace(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "siputils", Define: siputils.Define},
		route.Declared{Name: "textops", Define: textops.Define},
		route.Declared{Name: "debugger", Define: Define})
	b.Head = `modparam("debugger", "cfgtrace", 1)
modparam("debugger", "cfgtrace_format", 1)
modparam("debugger", "log_prefix", "T:")
modparam("debugger", "log_level_name", "exec")
route[SUB] {
$var(z) = $rm;
return 1;
}`
	b.Run(`$var(x) = 1;
if ($var(x) == 1 && is_method("INVITE")) {
	setflag(3);
	route(SUB);
} else {
	exit;
}
switch ($var(x)) {
	case 1:
		$var(y) = 5;
		break;
	default:
		$var(y) = 6;
}
while ($var(y) > 4) {
	$var(y) = $var(y) - 1;
}
if (route(SUB)) { resetflag(1); }
if (!has_totag() || $rU == "bob") { drop; }`)
	var got []string
	for _, l := range b.Lines {
		l = strings.TrimPrefix(l, "exec: T:dbg_cfg_trace(): request_route=")
		name, rest, _ := strings.Cut(l, " l=")
		_, what, _ := strings.Cut(rest, " n=")
		got = append(got, name+what)
	}
	main := "[DEFAULT_ROUTE]"
	want := []string{main + "assign", main + "if", main + "is_method", main + "setflag", main + "route",
		"[SUB]assign", "[SUB]return", main + "switch", main + "assign", main + "break", main + "while",
		main + "assign", main + "if", main + "route", "[SUB]assign", "[SUB]return", main + "resetflag",
		main + "if", main + "has_totag", main + "drop"}
	if !slices.Equal(got, want) {
		t.Errorf("traced\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	b.Head = `modparam("debugger", "cfgtrace", 1)`
	b.Run("\n\n$var(x) = 1;")
	if len(b.Lines) != 1 || b.Lines[0] !=
		"*** cfgtrace:dbg_cfg_trace(): request_route=[DEFAULT_ROUTE] c=[x.cfg] l=5 n=assign" {
		t.Errorf("traced %q", b.Lines)
	}
	b.Head = `modparam("debugger", "log_assign", 1)`
	b.Run(`$var(x) = 1; $avp(a) = "t" + $var(x); $avp(a) = $null; $rU = "bob";`)
	if want := []string{"debugger: $var(x):1", `debugger: $avp(a):"t1"`, "debugger: $avp(a):$null",
		`debugger: $rU:"bob"`}; !slices.Equal(b.Lines, want) {
		t.Errorf("assignments are %q, want %q", b.Lines, want)
	}
	for _, head := range []string{"", `modparam("debugger", "cfgtrace", 0)`} {
		b.Head = head
		if b.Run(`$var(x) = 1;`); len(b.Lines) > 0 {
			t.Errorf("%s: traced %q", head, b.Lines)
		}
	}
}

// TestTraceFree: a trace that is off costs the heap nothing.
func TestTraceFree(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "debugger", Define: Define})
	p, _, err := b.Load(`request_route { if ($rm == "INVITE") { setflag(1); route(A); } } route[A] { return 1; }`)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		p.Request(b.Ctx, b.Begin(b.Msg(), b.Source()))
		b.Core.Release()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestLevels: the level of the lines of the script, in place of debug.
func TestLevels(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "xlog", Define: xlog.Define},
		route.Declared{Name: "debugger", Define: Define})
	f := func(head string, want ...string) {
		t.Helper()
		b.Head = head
		b.Run(`xlog("L_DBG", "d"); xlog("L_INFO", "i"); xlog("L_ERR", "e");`)
		if !slices.Equal(b.Lines, want) {
			t.Errorf("%s: %q, want %q", head, b.Lines, want)
		}
	}
	const on = `modparam("debugger", "mod_hash_size", 5) modparam("debugger", "mod_level_mode", 1) `
	d, i, e := "<script>: d", "<script>: i", "<script>: e"
	f("", d, i, e) // the bench's level is 3
	f(on+`modparam("debugger", "mod_level", "xlog=-1")`, e)
	f(on+`modparam("debugger", "mod_level", "xlog=2")`, i, e)
	f(on+`modparam("debugger", "mod_level", "tm=1") modparam("debugger", "mod_level", "core=-1")`, d, i, e)
	f(`modparam("debugger", "mod_level", "xlog=-1")`, d, i, e)
	f(`modparam("debugger", "mod_level_mode", 1) modparam("debugger", "mod_level", "xlog=-1")`, d, i, e)
	for _, wrong := range []string{"xlog", "=3", "xlog=x"} {
		b.Head = `modparam("debugger", "mod_level", "` + wrong + `")`
		b.Fails("exit;", `debugger.mod_level is "`+wrong+`"; it is written MODULE=LEVEL, as in "xlog=3"`)
	}
}
