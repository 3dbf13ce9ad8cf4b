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
	fails(`event_route[probe:onec] { exit; }`, `x.cfg:2:13: there is no event "probe:onec"; did you mean probe:once?`)
	fails(`event_route[dispatcher:dst-up] { exit; }`,
		`x.cfg:2:13: event_route[dispatcher:dst-up] needs loadmodule "dispatcher.so"`)
	fails(`event_route[core:pre-routing] { exit; }`,
		`x.cfg:2:13: event_route[core:pre-routing] is known to Kamailio, not implemented by Viaduct yet`)
	fails(`event_route[probe:once] { exit; } event_route[probe:once] { exit; }`,
		`x.cfg:2:47: second event_route[probe:once]; the first stands at x.cfg:2:13`)
	fails(`event_route[probe:once] { nix(); }`, `x.cfg:2:27: unknown function nix`)
}
