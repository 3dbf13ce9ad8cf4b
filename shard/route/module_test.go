package route

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestModule loads a module that uses each thing a module can declare.
func TestModule(t *testing.T) {
	var took []string
	made := 0
	define := func(m *Module) {
		made++
		most := m.Int("most", 7, 1, 9, "A number.")
		wait := m.Duration("wait", time.Second, 2, 1, 60, "A time.")
		word := m.OneOf("word", "a", "A word.", "a", "b")
		m.Each("each", func(s string) error {
			if s == "" {
				return errors.New("is empty")
			}
			took = append(took, s)
			return nil
		}, "A text, several times.")
		m.IdleAny("of no use", "idle")
		given := m.Given("idle")
		m.Bool("soon", false, "A switch.")
		m.NotYet("soon")
		m.Note("most", func(_ string, n int64) string {
			if n == 9 {
				return "is much"
			}
			return ""
		})
		m.Ready(func() error {
			if *word == "b" && *most == 1 {
				return errors.New("b needs more than 1")
			}
			return nil
		})
		n := Int("number", 1, 5, "a number")
		Func3(m, "three", InRequest, n, Optional(Text("text", "a text"), []byte("none")),
			OptionalVar(n, most), "Logs.",
			func(c *Ctx, n int, text []byte, last int) Result {
				c.Shard.Log.Log(0, fmt.Appendf(nil, "%d %s %d %s %v", n, text, last, *wait, *given))
				return 1
			}).MoreSoon(3).Soon(InBranch)
		m.Alias("three", "drei")
		m.Var(Var{Name: "tries", Doc: "A number.", Place: Place{NoRoom: true,
			Int: func(*Ctx) (int64, bool) { return int64(*most), true }}})
	}
	load := func(body string) (*Program, Warnings, error) {
		src := "loadmodule \"probe.so\"\n" + body
		p, _, w, err := Load("x.cfg", []byte(src),
			Options{Modules: withVars(Declared{Name: "probe", Define: define})})
		return p, w, err
	}
	run := func(body, want string) {
		t.Helper()
		p, _, err := load(body)
		if err != nil {
			t.Errorf("%s: %v", body, err)
			return
		}
		h := newBench(t, request("INVITE sip:bob@h", ""))
		h.request(p)
		if got := strings.Join(h.calls, "|"); got != want {
			t.Errorf("%s does %s, want %s", body, got, want)
		}
	}
	run(`request_route { three(1); $var(x) = 5; drei("$var(x)", "<$rm>"); $var(x) = 6; if (!three($var(x))) `+
		`three($tries); }`,
		"log 0 1 none 7 2s false|log 0 5 <INVITE> 7 2s false")
	run("modparam(\"probe\", \"most\", 3) modparam(\"probe\", \"wait\", 4) modparam(\"probe\", \"idle\", 1)\n"+
		`request_route { three($tries); }`, "log 0 3 none 3 4s true")
	if made != 2 {
		t.Errorf("Define was called %d times for two loads", made)
	}

	fails := func(body, want string) {
		t.Helper()
		if _, _, err := load(body); err == nil ||
			strings.TrimPrefix(err.Error(), "x.cfg:") != want {
			t.Errorf("%s gives %v, want %s", body, err, want)
		}
	}
	const end = "\nrequest_route { exit; }"
	fails(`modparam("probe", "each", "")`+end, `2:27: probe.each is empty`)
	fails(`modparam("probe", "word", "c")`+end, `2:27: probe.word is "c"; it is one of a, b`)
	fails(`modparam("probe", "word", "b") modparam("probe", "most", 1)`+end,
		`1:12: module probe: b needs more than 1`)
	fails(`request_route { three(1, "a", 2); }`,
		`2:17: three with 3 arguments is known to Kamailio, not implemented by Viaduct yet`)
	fails(`branch_route[B] { three(1); }`+end,
		`2:19: three in branch_route is known to Kamailio, not implemented by Viaduct yet`)
	fails(`request_route { thre(1); }`, `2:17: unknown function thre; did you mean three?`)

	_, w, err := load(`modparam("probe", "each", "x") modparam("probe", "each", "y") modparam("probe", "most", 9) ` +
		`modparam("probe", "soon", 1)` + end)
	if got := fmt.Sprint(w); err != nil || strings.Join(took, "") != "xy" ||
		!strings.Contains(got, "probe.most is much") ||
		!strings.Contains(got, "probe.soon has no effect yet") {
		t.Errorf("%v %v %v", err, took, got)
	}
}

// TestModuleWithoutDoc: what is declared without a doc is our mistake.
func TestModuleWithoutDoc(t *testing.T) {
	f := func(what string, define func(m *Module)) {
		t.Helper()
		defer func() {
			if r := fmt.Sprint(recover()); !strings.HasPrefix(r, "BUG: ") ||
				!strings.Contains(r, what) {
				t.Errorf("panic %s, want one about %s", r, what)
			}
		}()
		newModule(Declared{"probe", define}, DefaultSettings(), nil)
	}
	none := func(*Ctx) Result { return 1 }
	f("probe.p has no doc", func(m *Module) { m.Int("p", 1, 1, 2, "") })
	f("function f of module probe has no doc", func(m *Module) {
		Func0(m, "f", Anywhere, "",
			none)
	})
	f("argument a has no doc", func(*Module) { Int("a", 1, 2, "") })
	f("variable $v of module probe has no doc", func(m *Module) { m.Var(Var{Name: "v"}) })
	f("declared twice", func(m *Module) { m.Bool("p", true, "x"); m.Bool("p", true, "x") })
	f("that it has not: p", func(m *Module) { m.Given("p") })
	f("behind one that need not", func(m *Module) {
		n := Int("n", 1, 2, "x")
		Func2(m, "f", Anywhere, Optional(n, 1), n, "x", func(*Ctx, int, int) Result { return 1 })
	})
}
