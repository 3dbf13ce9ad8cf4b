package permissions

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"viaduct/shard/modules/corex"
	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/textops"
	"viaduct/shard/route"
)

func rulesBench(t *testing.T) (*moduletest.Bench, string) {
	t.Helper()
	b := moduletest.New(t, route.Declared{Name: "permissions", Define: Define},
		route.Declared{Name: "textops", Define: textops.Define},
		route.Declared{Name: "corex", Define: corex.Define})
	base, err := filepath.Abs("testdata/rules")
	if err != nil {
		t.Fatal(err)
	}
	b.Head = "modparam(\"permissions\", \"load_backends\", 12)\n" +
		"modparam(\"permissions\", \"default_allow_file\", \"" + base + ".allow\")\n" +
		"modparam(\"permissions\", \"default_deny_file\", \"" + base + ".deny\")"
	return b, base
}

// TestRouting holds allow_routing() against Kamailio.
func TestRouting(t *testing.T) {
	b, _ := rulesBench(t)
	b.Wire("testdata/rules.txt")
}

// TestRules: what calls with arguments do, as 5.6.3 does it.
func TestRules(t *testing.T) {
	b, base := rulesBench(t)
	f := func(body string, want int) {
		t.Helper()
		if _, got := b.Run(strings.ReplaceAll(body, "BASE", base)); got != want {
			t.Errorf("%s is %d, want %d", body, got, want)
		}
	}
	f(`allow_routing("BASE");`, 1)
	f(`allow_routing("BASE.allow", "BASE.deny");`, 1)
	f(`$ru = "sip:mallory@b"; allow_routing("BASE");`, -1)
	f(`$ru = "sip:mallory@b"; allow_routing("BASE.allow", "/nonexistent");`, 1)
	f(`$ru = "sip:mallory@b"; allow_routing("/nonexistent");`, 1)
	f(`$var(u) = "sip:bob@x"; allow_uri("BASE", "$var(u)");`, 1)
	f(`$var(u) = "sip:m@x"; allow_uri("BASE", "$var(u)");`, -1)
	f(`$var(u) = ""; allow_uri("BASE", "$var(u)");`, -1)
	f(`allow_uri("BASE", "$hdr(None)");`, -1)
	f(`$var(u) = "Bob <sip:bob@x>"; allow_uri("BASE", "$var(u)");`, -1)
	f(`allow_register("BASE");`, -1) // the Contact is alice's

	register := func(contact string, want int) {
		t.Helper()
		b.Message(strings.Replace(strings.Replace(moduletest.Request, "To: <sip:bob@b.example.com>",
			"To: <sip:alice@a.example.com>", 1), "Contact: <sip:alice@127.0.0.1:15998>\r\n", contact, 1))
		f(`allow_register("BASE");`, want)
	}
	register("", 1)
	register("Contact: *\r\n", 1)
	register("Contact: <sip:bob@1.2.3.4>;expires=5, \"C\" <sip:carol@y>\r\n", 1)
	register("Contact: <sip:bob@1.2.3.4>\r\nContact: <sip:pstn@y>\r\n", -1)
	register("Contact: <sip:emergency@1.2.3.4>\r\n", 1)
	register("Contact: "+strings.Repeat("<sip:bob@x>,", maxContacts)+"<sip:bob@x>\r\n", -1)

	b.Fails(`allow_register();`, "allow_register wants the name of its files")
	p, _, err := b.Load(`request_route { allow_routing("` + base + `"); allow_uri("` + base + `", "$ru"); }`)
	if err != nil {
		t.Fatal(err)
	}
	b.Quiet = true
	if n := testing.AllocsPerRun(100, func() { p.Request(b.Ctx, b.Begin(b.Msg(), b.Source())) }); n != 0 && !raceEnabled {
		t.Errorf("%v allocations", n)
	}
	test := func(uri, contact, want string) {
		t.Helper()
		for _, m := range p.Commands() {
			if m.Name == "permissions.testUri" {
				args, err := m.Read([]string{"rules", uri, contact})
				if err != nil {
					t.Fatal(err)
				}
				if got, err := m.Call(args); got != want || err != nil {
					t.Errorf("testUri %s %s is %v, %v", uri, contact, got, err)
				}
			}
		}
	}
	test("sip:alice@x", "sip:bob@y", "Allowed")
	test("sip:alice@x", "sip:eve@y", "Denied")
}

// TestRuleMistakes: a line that is no rule is an error, not a rule that nobody misses.
func TestRuleMistakes(t *testing.T) {
	b, _ := rulesBench(t)
	dir := t.TempDir()
	f := func(line, want string) {
		t.Helper()
		if err := os.WriteFile(dir+"/x.allow", []byte("# one\n"+line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := b.Load(`request_route { allow_routing("` + dir + `/x"); }`)
		if err == nil || !strings.Contains(err.Error(), "allow_routing: "+dir+"/x.allow:2: "+want) {
			t.Errorf("%s gives %v", line, err)
		}
	}
	f("nonsense", `no rule at "nonsense"; one is written`)
	f(`"a" "b"`, `no rule at "\"b\""`)
	f(`"a" : "b" c`, `no rule at "c"`)
	f(`"a : "b"`, `no rule at`)
	f(`"a`, `no rule at "a"`)
	f(`"a\`, `no rule at "a\\"`)
	f(`"a", : "b"`, `no rule at ": \"b\""`)
	f(`"(" : "b"`, `"(" is no pattern: `)
	f(`ALL`, `no rule at ""`)
	f(`ALL EXCEPT : ALL`, `no rule at ": ALL"`)
}
