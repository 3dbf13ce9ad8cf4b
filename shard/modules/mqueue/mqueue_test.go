package mqueue

import (
	"fmt"
	"strings"
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/route"
)

func TestQueues(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "mqueue", Define: Define})
	b.Head = `modparam("mqueue", "mqueue", "name=a;size=2") modparam("mqueue", "mqueue", "name=b;size=1")
modparam("mqueue", "mqueue", "name=u;addmode=1") modparam("mqueue", "mqueue", "name=v;addmode=2")`
	run := func(body string, want int) {
		t.Helper()
		if _, got := b.Run(body); got != want {
			t.Errorf("%s is %d, want %d", body, got, want)
		}
	}
	value := func(before, x, want string) {
		t.Helper()
		if got := b.Value(before, x); got != want {
			t.Errorf("%s %s is %s, want %s", before, x, got, want)
		}
	}
	run(`mq_fetch("a");`, -2)
	run(`mq_size("a");`, -1)
	run(`mq_size("no");`, -2)
	run(`mq_fetch("no");`, -1)
	run(`mq_add("no", "a", "b");`, -1)
	run(`mq_pv_free("no");`, 1)
	// A full one drops its oldest. Each run is a load of its own: the queue stays.
	run(`mq_add("a", "k1", "v1");`, 1)
	run(`mq_add("a", "k2", "v2"); mq_add("a", "k3", "v3");`, 1)
	run(`mq_size("a");`, 2)
	value(`mq_fetch("a");`, `$mqk(a) + $mqv(a)`, `'k2v2'`)
	value(`mq_fetch("a"); mq_pv_free("a");`, `$mqk(a)`, `null`)
	run(`mq_fetch("a");`, -2)
	value(`mq_add("a", "k", "v"); mq_fetch("a"); mq_fetch("a");`, `$mqv(a)`, `null`)
	run(`$var(i) = 0; while ($var(i) < 50) { mq_add("a", "$var(i)", "x"); $var(i) = $var(i) + 1; } mq_size("a");`, 2)
	value(`mq_fetch("a");`, `$mqk(a)`, `'48'`)
	// Modes.
	run(`mq_add("u", "k1", "1"); mq_add("u", "k1", "2"); mq_add("u", "k2", "3"); mq_size("u");`, 2)
	value(`mq_fetch("u");`, `$mqk(u) + $mqv(u)`, `'k11'`)
	run(`mq_add("v", "k1", "1"); mq_add("v", "k2", "2"); mq_add("v", "k1", "3"); mq_size("v");`, 2)
	value(`mq_fetch("v");`, `$mqk(v) + $mqv(v)`, `'k22'`)
	value(`mq_fetch("v");`, `$mqk(v) + $mqv(v)`, `'k13'`)
	run(`mq_fetch("v");`, -2)
	value(`mq_add("b", "", "x"); mq_fetch("b");`, `$mqk(b)`, `null`)
	value(`mq_add("b", "x", ""); mq_fetch("b");`, `$mqv(b)`, `null`)
	b.Head = `modparam("mqueue", "mqueue", "size=2")`
	b.Fails(`exit;`, `mqueue.mqueue is no queue: write "name=NAME;size=100", not "size=2"`)

	// Adding and fetching costs the heap nothing.
	b.Head = `modparam("mqueue", "mqueue", "name=a;size=2")`
	p, _, err := b.Load(`request_route { mq_add("a", "$ci", "$ru"); mq_fetch("a"); }`)
	if err != nil {
		t.Fatal(err)
	}
	r := b.Begin(b.Msg(), b.Source())
	if n := testing.AllocsPerRun(100, func() { p.Request(b.Ctx, r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestNamed: queues that are declared by a name alone, and what shows their sizes.
func TestNamed(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "mqueue", Define: Define})
	b.Head = `modparam("mqueue", "mqueue_size", 2) modparam("mqueue", "mqueue_addmode", 1)
modparam("mqueue", "mqueue_name", "a") modparam("mqueue", "mqueue_size", 0) modparam("mqueue", "mqueue_name", "b")`
	f := func(before, x, want string) {
		t.Helper()
		if got := b.Value(before, x); got != want {
			t.Errorf("%s %s is %s, want %s", before, x, got, want)
		}
	}
	f("", "$mq_size(a)", "0")
	f(`mq_add("a", "k", "1"); mq_add("a", "k", "2");`, "$mq_size(a)", "1")
	f(`mq_add("a", "l", "1"); mq_add("a", "m", "2");`, "$mq_size(a)", "2")
	f(`$var(i) = 0; while ($var(i) < 50) { mq_add("b", "$var(i)", "x"); $var(i) = $var(i) + 1; }`, "$mq_size(b)", "50")
	f("", "$mq_size(none)", "null")
	call := func(name string, args ...string) string {
		p, _, err := b.Load("request_route { exit; }")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range p.Commands() {
			if m.Name == name {
				words, err := m.Read(args)
				if err != nil {
					t.Fatal(err)
				}
				v, err := m.Call(words)
				return fmt.Sprint(v, err)
			}
		}
		return "no command"
	}
	for _, c := range []struct{ got, want string }{
		{call("mqueue.get_sizes"), "map[a:2 b:50]<nil>"},
		{call("mqueue.fetch", "a"), "map[key:l val:1]<nil>"},
		{call("mqueue.get_sizes"), "map[a:1 b:50]<nil>"},
	} {
		if c.got != strings.Replace(c.want, "<nil>", " <nil>", 1) {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
	b.Head += ` modparam("mqueue", "mqueue_name", "a")`
	b.Fails("exit;", `mqueue.mqueue_name declares queue "a" a second time`)
}
