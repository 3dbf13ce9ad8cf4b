package pipelimit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"viaduct/shard/modules/dbtext"
	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/modules/sl"
	"viaduct/shard/route"
)

func param(name, value string) string {
	return fmt.Sprintf("modparam(\"pipelimit\", %q, %q)\n", name, value)
}

func bench(t *testing.T, dir string) *moduletest.Bench {
	path, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	b := moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "sl", Define: sl.Define},
		route.Declared{Name: "db_text", Define: dbtext.Define},
		route.Declared{Name: "pipelimit", Define: Define})
	b.Head = param("db_url", "text://"+path)
	return b
}

// TestCases plays testdata/pipelimit.txt.
func TestCases(t *testing.T) { bench(t, "testdata/db").Check("testdata/pipelimit.txt") }

func TestTable(t *testing.T) {
	dir := t.TempDir()
	f := func(rows, want string) {
		t.Helper()
		text := "pipeid(string) algorithm(string) plimit(int)\n" + rows
		if err := os.WriteFile(filepath.Join(dir, "pl_pipes"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := bench(t, dir).Load("request_route { exit; }")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", rows, err, want)
		}
	}
	f("a:GREEN:1\n", `pl_pipes:2: there is no algorithm "GREEN"; there are NOP, RED, TAILDROP, `+
		`FEEDBACK, NETWORK`)
	f("a:RED:1\na:RED:-1\n", "pl_pipes:3: the limit is -1; it is a number from 0")
	f(":RED:1\n", "pl_pipes:2: the name of a pipe has 1 to 255 characters")
	b := bench(t, dir)
	b.Head = ""
	b.Fails(`pl_check("a", "RED");`, "pl_check wants an algorithm and a limit, or neither")
}

// TestForgotten: a pipe that the script made ends when it is not used, one of the table does not.
func TestForgotten(t *testing.T) {
	b := bench(t, "testdata/db")
	b.Head += "modparam(\"pipelimit\", \"clean_unused\", 3)\n"
	f := func(name, want string) {
		t.Helper()
		if got := b.Value(`$var(r) = pl_active("`+name+`");`, "$var(r)"); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	b.Run(`pl_check("new", "RED", "3");`)
	for range 4 {
		b.Wait(20 * time.Second)
		b.Run(`pl_check("new");`)
	}
	f("new", "1")
	b.Wait(31 * time.Second)
	f("new", "-1")
	f("one", "1")
}

func TestCommands(t *testing.T) {
	b := bench(t, "testdata/db")
	p, _, err := b.Load(`request_route { pl_check("new", "TAILDROP", "3"); }`)
	if err != nil {
		t.Fatal(err)
	}
	r := b.Begin(b.Msg(), b.Source())
	p.Request(b.Ctx, r)
	f := func(want, name string, args ...string) {
		t.Helper()
		for _, c := range p.Commands() {
			if c.Name == name {
				a, err := c.Read(args)
				if err != nil {
					t.Fatal(err)
				}
				v, err := c.Call(a)
				if got := fmt.Sprint(v, err); !strings.HasPrefix(got, want) {
					t.Errorf("%s %v is %s, want %s", name, args, got, want)
				}
				return
			}
		}
		t.Errorf("there is no %s", name)
	}
	f("[PIPE: id=five algorithm=NOP limit=5 counter=0 PIPE: id=four algorithm=FEEDBACK limit=50 ",
		"pl.get_pipes")
	f("[PIPE: id=five load=0 counter=0 PIPE: id=four", "pl.stats")
	f("{one TAILDROP 3 0 0 ", "pl.list", "one")
	f("[{five NOP 5 0 0 0} {four", "pl.list")
	f("<nil> 400 - Unknown pipe id nope", "pl.list", "nope")
	f("<nil> <nil>", "pl.set_pipe", "new", "RED", "10")
	f("{new RED 10 ", "pl.list", "new")
	f("<nil> 400 - Unknown pipe id nope", "pl.set_pipe", "nope", "RED", "10")
	f("<nil> 400 - Unknown algorithm", "pl.set_pipe", "new", "FOO", "10")
	f("ki[-25.000000] kp[0.000000] kd[0.000000]", "pl.get_pid")
	if n := testing.AllocsPerRun(100, func() { p.Request(b.Ctx, r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
