package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestLevels: what a script logs is in the log at its level, and not below the level of the file.
func TestLevels(t *testing.T) {
	const script = `
loadmodule "xlog.so"
request_route { exit; }
event_route[core:worker-one-init] {
	xlog("L_WARN", "of a warning\n");
	xlog("L_NOTICE", "of a notice\n");
	xlog("L_INFO", "of information\n");
	xlog("L_ERR", "of an error\n");
}`
	f := func(debug string, want ...string) {
		t.Helper()
		d := startDoor(t, "debug="+debug+script)
		d.waitLog("of an error", 1)
		var got []string
		for _, line := range d.waitLog("<script>: of a", 0) {
			_, level, _ := strings.Cut(line, "level=")
			level, _, _ = strings.Cut(level, " ")
			_, text, _ := strings.Cut(line, "<script>: ")
			got = append(got, level+" "+strings.Trim(text, "\" "))
		}
		for _, line := range d.waitLog("<script>: of information", 0) {
			_, level, _ := strings.Cut(line, "level=")
			level, _, _ = strings.Cut(level, " ")
			got = append(got, level+" of information")
		}
		if g, w := strings.Join(got, ", "), strings.Join(want, ", "); g != w {
			t.Errorf("debug=%s logs %q, want %q", debug, g, w)
		}
	}
	const warning, notice, wrong = "WARN of a warning", "NOTICE of a notice", "ERROR of an error"
	f("0", warning, wrong)
	f("1", warning, notice, wrong)
	f("2", warning, notice, wrong, "INFO of information")
	f(`0
loadmodule "debugger.so"
modparam("debugger", "mod_hash_size", 5)
modparam("debugger", "mod_level_mode", 1)
modparam("debugger", "mod_level", "xlog=2")`, warning, notice, wrong, "INFO of information")
}

// TestReloadKeepsSizes: another size of a table that is in use is no error, and is said.
func TestReloadKeepsSizes(t *testing.T) {
	sized := func(size string) string {
		return `loadmodule "htable.so"
modparam("htable", "htable", "a=>size=` + size + `")
request_route { exit; }
`
	}
	d := startDoor(t, sized("8"))
	d.write(t, "test.cfg", sized("9"))
	answer, fault := d.ask("reload")
	const want = "table htable/a has room for 2048 entries until a restart, when it will have the 4096 of the file"
	if got := fmt.Sprint(answer["warnings"]); fault != "" || got != "["+want+"]" {
		t.Errorf("the reload answers %s %q, want %q", got, fault, want)
	}
	d.waitLog(want, 1)
}
