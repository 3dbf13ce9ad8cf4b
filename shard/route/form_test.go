package route

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"viaduct/shard/route/command"
	"viaduct/shm"
	"viaduct/shm/table"
)

// forms is a module with each kind of variable and of argument.
func forms(m *Module) {
	store := map[string]Value{}
	m.Var(Var{Name: "keep", Inner: "NAME", Index: "a number", Doc: "What is kept under NAME.",
		Compile: func(b *VarBuild, inner, index string) Place {
			name := b.Text(inner)
			at, ok := b.Index(index)
			if !ok || name == nil {
				return Place{}
			}
			key := func(c *Ctx) string {
				n, all := at.At(c)
				return fmt.Sprintf("%s %d %v", name.Expand(c), n, all)
			}
			return Place{
				Any: func(c *Ctx) Value {
					v := store[key(c)]
					if v.IsText() {
						return c.Built(v.Append(c.Room()))
					}
					return v
				},
				Set: func(_ *Ctx, v Value) SetResult { return SetRefused },
			}
		}})
	// the same with a Set that keeps
	m.Var(Var{Name: "put", Inner: "NAME", Doc: "Keeps under NAME.",
		Compile: func(b *VarBuild, inner, _ string) Place {
			name := b.Text(inner)
			return Place{Set: func(c *Ctx, v Value) SetResult {
				if len(v.S) > 10 {
					return SetTooLong
				}
				v.S = append([]byte(nil), v.S...)
				store[string(name.Expand(c))+" 0 false"] = v
				return SetDone
			}}
		}})
	log := func(c *Ctx, what string) Result { c.Shard.Log.Log(0, []byte(what)); return 1 }
	Func1(m, "any", Anywhere, Any("value", "x"), "x", func(c *Ctx, v Value) Result {
		return log(c, fmt.Sprintf("%d %d %s", v.Kind, v.Int(), v.Append(nil)))
	})
	Func2(m, "into", Anywhere, Writable("target", "x"), Any("value", "x"), "x",
		func(c *Ctx, p *Place, v Value) Result { return p.Put(c, v) })
	Func2(m, "like", Anywhere, Text("text", "x"), Pattern("pattern", "x"), "x",
		func(c *Ctx, text []byte, re *regexp.Regexp) Result { return log(c, string(re.Find(text))) })
	Func1(m, "flag", Anywhere, Flag("flag", "x"), "x",
		func(c *Ctx, n int) Result { return log(c, fmt.Sprint(n)) })
	Func1(m, "to", Anywhere, HostPort("address", "x"), "x", func(c *Ctx, d RelayDst) Result {
		return log(c, fmt.Sprintf("%v %s %d", d.Proto, d.Host, d.Port))
	})
	sums := NewPerShard(m, func(shard int) *int { return &shard })
	Func0(m, "next", Anywhere, "x", func(c *Ctx) Result {
		n := sums.Of(c)
		*n++
		return log(c, fmt.Sprint(*n))
	})
	Transform1(m, "t.twice", Rest(Text("more", "x")), "x", func(c *Ctx, v Value, more []byte) Value {
		return c.Built(append(append(v.Append(c.Room()), more...), c.TextOf(v)...))
	})
}

// TestForms runs what modules can declare beyond plain parameters, functions and variables.
func TestForms(t *testing.T) {
	modules := []Declared{{Name: "forms", Define: forms}}
	load := func(body string) (*Program, error) {
		p, _, _, err := Load("x.cfg", []byte("loadmodule \"forms.so\" request_route { "+body+" }"),
			Options{Modules: withVars(modules...)})
		return p, err
	}
	run := func(body, want string) {
		t.Helper()
		p, err := load(body)
		if err != nil {
			t.Errorf("%s: %v", body, err)
			return
		}
		if err := p.Open(&State{Shards: 1}); err != nil {
			t.Fatal(err)
		}
		h := newBench(t, request("INVITE sip:bob@h", ""))
		o := h.request(p)
		got := strings.Join(h.calls, "|")
		if o == Faulted {
			got += " " + h.c.Fault.Text
		}
		if got != want {
			t.Errorf("%s does %s, want %s", body, got, want)
		}
	}
	run(`any(5); any("a"); any("$rm"); any($null); any("<$rm>"); any(1+2);`,
		"log 0 1 5 5|log 0 2 0 a|log 0 2 1 INVITE|log 0 0 0 |log 0 2 0 <INVITE>|log 0 1 3 3")
	run(`$put(a) = "x"; $var(n) = "a"; any($keep($var(n))); any("$(keep(a)[0])$(keep($var(n))[$var(z)])");`,
		"log 0 2 0 x|log 0 2 0 xx")
	run(`any($(keep(a)[*])); any($(keep(a)[-2])); any($put(a));`, "log 0 0 0 |log 0 0 0 |log 0 0 0 ")
	run(`$keep(a) = 1; any($rc);`, "log 0 1 -1 -1")
	run(`$put(a) = "12345678901"; any(1);`, " value of $put(a) is too long")
	run(`into("$var(x)", "v$rm"); any($var(x)); into($put(b), 7); any($keep(b)); if (!into("$keep(a)", 1)) any(0);`,
		"log 0 2 0 vINVITE|log 0 1 7 7|log 0 1 0 0")
	run(`into("$put(a)", "12345678901"); any(1);`, " a string is too long")
	run(`like("one two", "T[a-z]+"); $var(p) = "o|one"; like("one", "$var(p)"); like("one", $var(p)); if (!like("x", `+
		`"($var(p)")) any(0);`,
		"log 0 two|log 0 one|log 0 one|log 0 1 0 0")
	run(`flag(3); flag("31"); $var(n) = 4; flag($var(n)); $var(n) = 32; if (!flag($var(n))) any(0);`,
		"log 0 3|log 0 31|log 0 4|log 0 1 0 0")
	run(`to("tls:a.example:5061"); to("h"); $var(h) = "[::1]:7"; to("udp:$var(h)"); $var(h) = "a b"; if `+
		`(!to("$var(h)")) any(0);`,
		"log 0 TLS a.example 5061|log 0  h 0|log 0 UDP [::1] 7|log 0 1 0 0")
	run(`next(); next();`, "log 0 1|log 0 2")
	run(`any($(rm{t.twice, a,b })); any("$(rm{t.twice,-}{t.twice,$(rm{t.twice,+})})");`,
		"log 0 2 0 INVITEa,b INVITE|log 0 2 0 INVITE-INVITEINVITE+INVITEINVITE-INVITE")
	// what a loop builds is given back each time
	run(`$var(i) = 0; while ($var(i) < 90) { $var(y) = $(mb{t.twice,$mb}); $var(i) = $var(i) + 1; } any($var(i));`,
		"log 0 1 90 90")
	run(`$var(y) = $mb + $mb + $mb + $mb + $mb + $mb + $mb + $mb + $mb + $mb + $mb + $mb + $mb + $mb + $mb + $mb;
		$var(y) = $(var(y){t.twice,$var(y)}); $var(y) = $(var(y){t.twice,$var(y)}{t.twice,$var(y)}{t.twice,$var(y)}); any(1);`,
		" a string is too long")

	fails := func(body, want string) {
		t.Helper()
		_, err := load(body)
		if _, got, _ := strings.Cut(fmt.Sprint(err), ": "); got != want {
			t.Errorf("%s gives %s, want %s", body, got, want)
		}
	}
	fails(`any($keep);`, "$keep needs a name in parentheses: $keep(name)")
	fails(`any($(put(a)[1]));`, "$put takes no index")
	fails(`any($(keep(a)[x]));`, `index of $keep must be a number, a variable or *, not "x"`)
	fails(`any($keep($nix));`, "unknown variable $nix")
	fails(`into("a", 1);`, `into wants a variable for the target, such as "$var(x)"`)
	fails(`into("$rm", 1);`, "into writes to the target, and $rm cannot be assigned to")
	fails(`like("a", "(");`, "like: bad pattern: missing closing ): `(`")
	fails(`to("a b");`, `to: "a b" is no host`)

	_, _, _, err := Load("x.cfg", []byte("request_route { $keep(a) = 1; }"), Options{Modules: withVars(modules...)})
	if want := `x.cfg:1:17: $keep needs loadmodule "forms.so" before this line`; fmt.Sprint(err) != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestOpen: what a module opens when the server starts is there at the first message, and a table
// keeps what is in it for the next program.
func TestOpen(t *testing.T) {
	define := func(m *Module) {
		var tb *table.Table
		name := m.Text("name", "t", "A table.")
		m.Open(func(s *State) (err error) {
			if *name == "" {
				return errors.New("no name")
			}
			tb, err = s.Table(*name, table.Config{Entries: 100})
			return err
		})
		Func1(m, "add", Anywhere, Int("n", 0, 9, "x"), "Adds.", func(c *Ctx, n int) Result {
			sum, verdict := tb.Create([]byte("k"), 0, int64(n), table.Terms{}, c.NowMs())
			if verdict != table.Done {
				return -1
			}
			return int(sum)
		})
	}
	arena, err := shm.Create(shm.Config{Bytes: 8 << 20, Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { arena.Close() })
	state := &State{Shards: 1, Arena: arena}
	h := newBench(t, request("INVITE sip:bob@h", ""))
	for i := range 3 {
		p, _, _, err := Load("x.cfg", []byte("loadmodule \"m.so\" request_route { add(2); }"),
			Options{Modules: []Declared{{Name: "m", Define: define}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Open(state); err != nil {
			t.Fatal(err)
		}
		h.request(p)
		if want := 2 * (i + 1); h.c.Return != want {
			t.Errorf("program %d finds %d, want %d", i, h.c.Return, want)
		}
	}
	p, _, _, err := Load("x.cfg",
		[]byte("loadmodule \"m.so\" modparam(\"m\", \"name\", \"\") request_route { add(2); }"),
		Options{Modules: []Declared{{Name: "m", Define: define}}})
	if err != nil {
		t.Fatal(err)
	}
	if err, want := p.Open(state), "x.cfg:1:12: module m: no name"; fmt.Sprint(err) != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestNeedsAndOffers: what one module has for another, and for operators.
func TestNeedsAndOffers(t *testing.T) {
	type bindings struct{ least *LiveInt }
	modules := []Declared{
		{Name: "base", Define: func(m *Module) {
			b := &bindings{m.LiveInt("least", 2, 0, 9, "A number.")}
			Provide(m, b)
			m.Command("base.twice", "Doubles.", command.Words("#n", "[word]"), func(a command.Args) (any, error) {
				if a.Int(0, 0) > 4 {
					return nil, command.Faultf(400, "too much")
				}
				return a.Int(0, 0) * 2, nil
			})
		}},
		{Name: "user", Define: func(m *Module) {
			b := Need[*bindings](m, "base")
			full := m.Count("full", "Calls that were refused.")
			Func1(m, "enough", Anywhere, Int("n", 0, 9, "x"), "x", func(c *Ctx, n int) Result {
				if n < b.least.Get() {
					full.Add(c)
					return -1
				}
				return 1
			})
		}},
	}
	load := func(src string) (*Program, error) {
		p, _, _, err := Load("x.cfg", []byte(src), Options{Modules: withVars(modules...)})
		return p, err
	}
	const both = "loadmodule \"base.so\" loadmodule \"user.so\"\n"
	p, err := load(both + "modparam(\"base\", \"least\", 3) request_route { enough(2); enough(3); enough(1); }")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Open(&State{Shards: 2}); err != nil {
		t.Fatal(err)
	}
	h := newBench(t, request("INVITE sip:bob@h", ""))
	h.request(p)
	k := p.Counters()[0]
	if k.String() != "user:full" || k.Of(0) != 2 || k.Of(1) != 0 {
		t.Errorf("%s is %d and %d", k, k.Of(0), k.Of(1))
	}
	p.LiveInts()[0].Set(0)
	h.request(p)
	if k.Of(0) != 2 {
		t.Error("the number that was set does not count")
	}
	m := p.Commands()[0]
	args, err := m.Read([]string{"4"})
	if v, e := m.Call(args); err != nil || e != nil || v != int64(8) || m.Usage() != "base.twice n [word]" {
		t.Error(v, e, err, m.Usage())
	}
	for src, want := range map[string]string{
		"loadmodule \"user.so\" loadmodule \"base.so\" request_route { exit; }": `x.cfg:1:12: module user needs ` +
			`loadmodule "base.so" above this line`,
		both + "modparam(\"base\", \"least\", 10) request_route { exit; }": "x.cfg:2:27: base.least is 10; the " +
			"range is 0..9",
		"request_route { enough(1); }": `x.cfg:1:17: enough needs ` +
			`loadmodule "user.so" before this line`,
	} {
		if _, err := load(src); fmt.Sprint(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
