package route

import (
	"fmt"
	"strings"
	"testing"
)

// TestEvents raises events beside messages and about one.
func TestEvents(t *testing.T) {
	var once, expired *Event
	define := func(m *Module) {
		once = m.Event("probe:once", "Happens.")
		expired = m.Event("probe:expired:NAME", "An entry of NAME has ended.")
		e := once
		Func0(m, "raise", Anywhere, "Raises it.", func(c *Ctx) Result { return Truth(e.Raise(c, nil)) })
	}
	modules := []Declared{{Name: "probe", Define: define}}
	for _, d := range testModules {
		if d.Name == "xlog" || d.Name == "dispatcher" {
			modules = append(modules, d)
		}
	}
	const head = "loadmodule \"probe.so\" loadmodule \"xlog.so\"\n"
	load := func(body string) (*Program, error) {
		p, _, _, err := Load("x.cfg", []byte(head+body), Options{Modules: withVars(modules...)})
		return p, err
	}
	p, err := load(`request_route { $var(x) = 1; raise(); xlog("in $rm $var(x)"); }
event_route[probe:once] { $var(x) = $var(x) + 5; xlog("once $rm $ru $var(x)"); raise(); }
event_route[probe:expired:a] { xlog("a $rm $ru $si:$sp"); route(SUB); }
event_route[core:worker-one-init] { xlog("begin"); }
route[SUB] { xlog("sub"); }`)
	if err != nil {
		t.Fatal(err)
	}
	h := newBench(t, request("INVITE sip:bob@h", ""))
	f := func(what string, do func(), want string) {
		t.Helper()
		h.calls = nil
		do()
		var lines []string
		for _, s := range h.calls {
			if line, ok := strings.CutPrefix(s, "log -1 <script>: "); ok {
				lines = append(lines, line)
			}
		}
		if got := strings.Join(lines, "|"); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	h.c.Between()
	f("at the start", func() { p.Started(h.c) }, "begin")
	f("beside", func() { expired.Named("a").Raise(h.c, nil) }, "a OPTIONS sip:you@kamailio.org 127.0.0.1:5060|sub")
	f("with a URI", func() { expired.Named("a").Raise(h.c, []byte("sip:x@y")) }, "a OPTIONS sip:x@y 127.0.0.1:5060|sub")
	f("of a name without a route", func() { expired.Named("b").Raise(h.c, nil) }, "")
	// a route that raises its own event ends all the same, and the request under way goes on
	var deep []string
	for n := 6; n <= 1+5*maxRaised; n += 5 {
		deep = append(deep, fmt.Sprintf("once INVITE sip:bob@h %d", n))
	}
	f("about a request", func() { h.request(p) }, strings.Join(deep, "|")+fmt.Sprintf("|in INVITE %d", 1+5*maxRaised))
	if n := testing.AllocsPerRun(20, func() {
		h.level = -2
		expired.Named("a").Raise(h.c, nil)
	}); n != 0 && !raceEnabled {
		t.Errorf("%v allocations", n)
	}

	fails := func(body, want string) {
		t.Helper()
		_, err := load(body + "\nrequest_route { exit; }")
		if fmt.Sprint(err) != want {
			t.Errorf("%s gives %v, want %s", body, err, want)
		}
	}
	fails(`event_route[probe] { exit; }`, `x.cfg:2:13: there is no event "probe"`)
	warns := func(body, want string) {
		t.Helper()
		_, _, got, err := Load("x.cfg", []byte(head+body+"\nrequest_route { exit; }"), Options{Modules: withVars(modules...)})
		if err != nil || len(got) != 1 || got[0].Pos.String()+": "+got[0].Text != want {
			t.Errorf("%s gives %v, %v, want %s", body, got, err, want)
		}
	}
	warns(`event_route[probe:onec] { exit; }`, `x.cfg:2:13: event_route[probe:onec] is checked and never run: `+
		`there is no such event; did you mean probe:once?`)
	warns(`event_route[dispatcher:dst-up] { exit; }`, `x.cfg:2:13: event_route[dispatcher:dst-up] is checked and `+
		`never run: it needs loadmodule "dispatcher.so"`)
	warns(`event_route[dialog:start] { exit; }`, `x.cfg:2:13: event_route[dialog:start] is checked and never run: `+
		`nothing raises that event of Kamailio's yet`)
	fails(`event_route[probe:once] { exit; } event_route[probe:once] { exit; }`,
		`x.cfg:2:47: second event_route[probe:once]; the first stands at x.cfg:2:13`)
	fails(`event_route[probe:once] { nix(); }`, `x.cfg:2:27: unknown function nix`)
}

// TestLogPrefix: each line of the script begins with log_prefix, which is filled in anew.
func TestLogPrefix(t *testing.T) {
	p, _, _, err := loadText(allModules+`log_prefix="{$rm $rU} "
request_route { xlog("L_ERR", "a"); $rU = "x"; log(-1, "b"); error("c", "d"); }`, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := newBench(t, request("INVITE sip:bob@h", ""))
	h.request(p)
	want := "log -1 {INVITE bob} <script>: a|log -1 {INVITE x} b|log -1 {INVITE x} error: c, d"
	if got := strings.Join(h.calls, "|"); got != want {
		t.Errorf("logs %s, want %s", got, want)
	}
}

// TestJoinedRoutes: routes without a name of one kind are one.
func TestJoinedRoutes(t *testing.T) {
	p, _, warnings, err := loadText(allModules+`request_route { xlog("a"); }
reply_route { exit; }
route { if ($rU == "bob") xlog("b"); else exit; }
onreply_route { exit; }
route[0] { xlog("c"); }`, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := newBench(t, request("INVITE sip:bob@h", ""))
	h.request(p)
	if got := strings.Join(h.calls, "|"); got != "log -1 <script>: a|log -1 <script>: b|log -1 <script>: c" {
		t.Errorf("logs %s", got)
	}
	var told []string
	for _, w := range warnings {
		told = append(told, w.Text)
	}
	want := "second route: it goes on where the one at x.cfg:2:1 ends|" +
		"second onreply_route: it goes on where the one at x.cfg:3:1 ends|" +
		"second route: it goes on where the one at x.cfg:2:1 ends"
	if got := strings.Join(told, "|"); got != want {
		t.Errorf("warns %s, want %s", got, want)
	}
}
