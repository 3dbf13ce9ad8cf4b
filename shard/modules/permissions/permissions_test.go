package permissions

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/route"
	"viaduct/shard/route/command"
)

const addresses = `# groups of the test
1 192.0.2.1
1 192.0.2.2 32 5070 tagB
1 192.0.2.9 32
1 10.1.2.0 24 5060 tagA
1 10.0.0.0 8 0 big
1 10.1.0.0 16 0 mid
2 10.1.0.0 16 0 two
2 192.0.2.0 24 0 net2
3 example.com 32 5080 dom
4 2001:db8:: 32 0 v6
4 [2001:db9::1]
5 0.0.0.0 0 0 none
 6 192.0.2.66 # more
6 192.0.2.67 32 0 a b c
7 192.0.2.7 32 0 one
7 192.0.2.7 32 5090 two
8 203.0.113.77 24
9 127.0.0.1 32 15998 here
`

func write(t testing.TB, file, text string) string {
	t.Helper()
	if file == "" {
		file = filepath.Join(t.TempDir(), "address.list")
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func bench(t testing.TB, file string) (*moduletest.Bench, **permissions) {
	t.Helper()
	p := new(*permissions)
	b := moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "permissions", Define: func(m *route.Module) { *p = define(m) }})
	b.Head = `modparam("permissions", "address_file", "` + file + `")
modparam("permissions", "peer_tag_avp", "$avp(tag)")`
	return b, p
}

// The results are those of Kamailio 5.6.3 with the same file, but where it says otherwise.
func TestAddresses(t *testing.T) {
	b, _ := bench(t, write(t, "", addresses))
	f := func(call string, want int, tag string) {
		t.Helper()
		if _, got := b.Run(call + ";"); got != want {
			t.Errorf("%s is %d, want %d", call, got, want)
		}
		if tag != "null" {
			tag = "'" + tag + "'"
		}
		if got := b.Value(call+";", "$avp(tag)"); got != tag {
			t.Errorf("%s leaves tag %s, want %s", call, got, tag)
		}
	}
	f(`allow_address("1", "10.1.2.5", "5060")`, 1, "tagA")
	f(`allow_address("1", "10.1.2.5", "5061")`, 1, "big")
	f(`allow_address("1", "10.1.2.5", "0")`, 1, "big")
	f(`allow_address("1", "10.1.2.5", "70000")`, 1, "big")
	f(`allow_address("1", "10.9.9.9", "0")`, 1, "big")
	f(`allow_address("2", "10.1.2.5", "3")`, 1, "two")
	f(`allow_address("0", "10.1.2.5", "1")`, -1, "null")
	f(`allow_address("1", "192.0.2.1", "5060")`, 1, "null")
	f(`allow_address("1", "192.0.2.2", "5070")`, 1, "tagB")
	f(`allow_address("1", "192.0.2.2", "5071")`, -1, "null")
	f(`allow_address("1", "192.0.2.3", "5070")`, -1, "null")
	f(`allow_address("2", "192.0.2.3", "1")`, 1, "net2")
	f(`allow_address("3", "example.com", "5080")`, 1, "dom")
	f(`allow_address("3", "example.com", "5081")`, -1, "null")
	f(`allow_address("3", "EXAMPLE.com", "5080")`, 1, "dom") // there names differ by case
	f(`allow_address("4", "2001:db8::5", "5")`, 1, "v6")
	f(`allow_address("4", "[2001:db8::5]", "5")`, 1, "v6")
	f(`allow_address("4", "2001:db9::1", "5")`, 1, "null")
	f(`allow_address("5", "1.2.3.4", "7")`, -1, "null")
	f(`allow_address("6", "192.0.2.66", "1")`, 1, "null")
	f(`allow_address("6", "192.0.2.67", "1")`, 1, "a")
	f(`allow_address("7", "192.0.2.7", "0")`, 1, "one")
	f(`allow_address("7", "192.0.2.7", "5090")`, 1, "two")
	f(`allow_address("7", "192.0.2.7", "1")`, 1, "one")
	f(`allow_address("8", "203.0.113.4", "0")`, 1, "null")
	f(`allow_address("1", "foo", "5")`, -1, "null")
	f(`allow_address("1", "", "5")`, -1, "null")
	f(`allow_address("1", "::ffff:192.0.2.1", "5")`, 1, "null")

	f(`allow_address_group("10.1.2.5", "5060")`, 1, "tagA")
	f(`allow_address_group("192.0.2.2", "5070")`, 1, "tagB")
	f(`allow_address_group("192.0.2.2", "5071")`, 2, "net2")
	f(`allow_address_group("example.com", "5080")`, 3, "dom") // there without a tag
	f(`allow_address_group("2001:db8::5", "5")`, 4, "v6")
	f(`allow_address_group("192.0.2.7", "1")`, 7, "one")
	f(`allow_address_group("1.2.3.4", "9")`, -1, "null")
	f(`allow_address_group("foo", "5")`, -1, "null")

	f(`allow_source_address()`, -1, "null")
	f(`allow_source_address("9")`, 1, "here")
	f(`$var(g) = 9; allow_source_address("$var(g)")`, 1, "here")
	f(`allow_source_address_group()`, 9, "here")
	b.Source().Port++
	f(`allow_source_address("9")`, -1, "null")
	f(`allow_source_address_group()`, -1, "null")
}

func TestMistakes(t *testing.T) {
	file := write(t, "", "")
	b, _ := bench(t, file)
	f := func(text, want string) {
		t.Helper()
		write(t, file, "# a comment\n"+text+"\n")
		b.Fails("exit;", "module permissions: "+file+":2: "+want)
	}
	f("1", `write GROUP ADDRESS [MASK [PORT [TAG]]], not "1"`)
	f("(1,int) 10.0.0.0 8", `the group is "(1,int)"; it is a number from 1 to 2147483647`)
	f("0 10.0.0.0 8", `the group is "0"; it is a number from 1 to 2147483647`)
	f("1 10.0.0.0/8", `"10.0.0.0/8" is no address: write "1 10.0.0.0 8"`)
	f("1 10.0.0.0 33", `the mask is "33"; it is a number from 0 to 32`)
	f("1 2001:db8:: 129", `the mask is "129"; it is a number from 0 to 128`)
	f("1 10.0.0.0 8 x", `the port is "x"; it is a number from 0 to 65535`)
	f("1 10.0.0.0,10.0.0.1 8", `"10.0.0.0,10.0.0.1" is neither an address nor a name`)
	write(t, file, "")
	head := b.Head
	b.Head = strings.Replace(head, "$avp(tag)", "tag", 1)
	b.Fails("allow_source_address();", `peer_tag_avp is "tag", which allow_source_address cannot write to: `+
		`name a variable, such as "$avp(x)"`)
	b.Head = `modparam("permissions", "db_url", "mysql://x")`
	_, w, err := b.Load(`request_route { allow_trusted(); allow_source_address(); }`)
	if err != nil || len(w) != 1 || !strings.Contains(fmt.Sprint(w),
		"there are no databases yet, so the tables are not read") {
		t.Errorf("a database of MySQL: %v, %v", w, err)
	}
	got := b.Value("$var(r) = allow_trusted(); $var(s) = allow_source_address();", `"$var(r) $var(s)"`)
	if got != "'-1 -1'" {
		t.Errorf("with a database of MySQL the functions give %s", got)
	}
}

func TestCommands(t *testing.T) {
	file := write(t, "", "2 192.0.2.2 32 5070 b\n1 192.0.2.2\n3 192.0.2.3 24 7 n\n4 Example.com 0 0 d\n")
	b, p := bench(t, file)
	prog, _, err := b.Load("request_route { exit; }")
	if err != nil {
		t.Fatal(err)
	}
	call := func(name string) string {
		t.Helper()
		for _, m := range prog.Commands() {
			if m.Name == "permissions."+name {
				got, err := m.Call(command.Args{})
				if err != nil {
					return err.Error()
				}
				text, err := json.Marshal(got)
				return fmt.Sprint(string(text), err)
			}
		}
		return "no such command"
	}
	f := func(name, want string) {
		t.Helper()
		if got := call(name); got != want && got != want+"<nil>" {
			t.Errorf("%s: %s\nwant %s", name, got, want)
		}
	}
	f("addressDump", `[{"table":0,"group":1,"item":{"ip":"192.0.2.2","port":0,"tag":"NULL"}},`+
		`{"table":1,"group":2,"item":{"ip":"192.0.2.2","port":5070,"tag":"b"}}]`)
	f("subnetDump", `[{"id":0,"group":3,"item":{"ip":"192.0.2.0","mask":24,"port":7,"tag":"n"}}]`)
	f("domainDump", `[{"table":0,"group":4,"item":{"domain_name":"example.com","port":0,"tag":"d"}}]`)
	write(t, file, "1 nonsense!\n")
	f("addressReload", `500 - Reload failed: `+file+`:1: "nonsense!" is neither an address nor a name`)
	f("domainDump", `[{"table":0,"group":4,"item":{"domain_name":"example.com","port":0,"tag":"d"}}]`)
	write(t, file, "1 10.0.0.1\n")
	f("addressReload", "500 - ongoing reload")
	(*p).next = time.Time{}
	f("addressReload", `"Reload OK"`)
	f("addressDump", `[{"table":0,"group":1,"item":{"ip":"10.0.0.1","port":0,"tag":"NULL"}}]`)
	f("domainDump", `[]`)
}

func TestNoAllocation(t *testing.T) {
	b, _ := bench(t, write(t, "", addresses))
	prog, _, err := b.Load(`request_route {
		allow_source_address("9"); allow_address("1", "$si", "5"); allow_address_group("EXAMPLE.com", "5080");
	}`)
	if err != nil {
		t.Fatal(err)
	}
	run := func() { prog.Request(b.Ctx, b.Begin(b.Msg(), b.Source())) }
	run()
	if n := testing.AllocsPerRun(100, run); n != 0 || b.Ctx.Return != 3 {
		t.Errorf("%v allocations, %d", n, b.Ctx.Return)
	}
}
