package debugger

import (
	"strings"
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/modules/textops"
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
