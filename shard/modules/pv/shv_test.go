package pv_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const sharedHead = `
modparam("pv", "shvset", "int=i:1")
modparam("pv", "shvset", "neg=I:-3")
modparam("pv", "shvset", "text=s:sip:10.1.1.1")
modparam("pv", "shvset", "colon=S:a=b;c")
modparam("pv", "shvset", "empty=s:")
`

// TestShared: values stay from program to program. TestCases holds what they are to Kamailio's.
func TestShared(t *testing.T) {
	b := bench(t)
	b.Head = sharedHead
	f := func(before, x, want string) {
		t.Helper()
		if got := b.Value(before, x); got != want {
			t.Errorf("%s %s is %s, want %s", before, x, got, want)
		}
	}
	f("$shv(int) = 9;", "$shv(int)", "9")
	f("", "$shv(int)", "9") // of another program, whose shvset counts no more
	f(`$shv(text) = "`+strings.Repeat("x", 3000)+`"; $shv(text) = $shv(text) + $shv(text); $var(r) = $rc;`,
		"$(shv(text){s.len}) + $var(r)", "2999")
	b.Fails(`$shv() = 1;`, `$shv needs a name in parentheses: $shv(name)`)
	for value, want := range map[string]string{
		"a":       `name=i:NUMBER or name=s:TEXT`,
		"a=1":     `name=i:NUMBER or name=s:TEXT`,
		"a=f:1":   `name=i:NUMBER or name=s:TEXT`,
		"=i:1":    `name=i:NUMBER or name=s:TEXT`,
		"a=i:one": `gives a the number "one"; write a whole number behind i:, or s: for a text`,
	} {
		b.Head = `modparam("pv", "shvset", "` + value + `")`
		if _, _, err := b.Load("request_route { exit; }"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("shvset %q: %v, want %s", value, err, want)
		}
	}
}

// Commands answer as Kamailio's do.
// TestBeginnings is what $var have at the beginning of each message.
func TestBeginnings(t *testing.T) {
	b := bench(t)
	b.Head = `modparam("pv", "varset", "a=i:7") modparam("pv", "varset", "b=s:x y")
modparam("pv", "varset", "unused=i:1")`
	for range 2 {
		if got := b.Value("", "$var(a)"); got != "7" {
			t.Errorf("$var(a) begins as %s", got)
		}
		if got := b.Value("$var(a) = 9; $var(b) = $var(b) + $var(a);", "$var(b)"); got != "'x y9'" {
			t.Errorf("$var(b) is %s", got)
		}
	}
	b.Head = ""
	if got := b.Value("", "$var(a) + $var(b)"); got != "0" {
		t.Errorf("a program without varset begins with %s", got)
	}
	b.Head = `modparam("pv", "varset", "a=7")`
	b.Fails(`exit;`, `pv.varset is "a=7"; it is written name=i:NUMBER or name=s:TEXT, as in "debug=i:1"`)
}

func TestSharedCommands(t *testing.T) {
	b := bench(t)
	b.Head = sharedHead
	p, _, err := b.Load(`request_route { $var(x) = $shv(debug); }`)
	if err != nil {
		t.Fatal(err)
	}
	methods := p.Commands()
	f := func(line, want string) {
		t.Helper()
		words := strings.Fields(line)
		for _, m := range methods {
			if m.Name != words[0] {
				continue
			}
			args, err := m.Read(words[1:])
			if err != nil {
				t.Fatal(err)
			}
			v, err := m.Call(args)
			got := fmt.Sprint(err)
			if err == nil {
				text, _ := json.Marshal(v)
				got = string(text)
			}
			if got != want {
				t.Errorf("%s answers %s, want %s", line, got, want)
			}
			return
		}
		t.Errorf("there is no command %s", words[0])
	}
	const done = `"Ok. Variable set to new value."`
	f("pv.shvGet text", `{"name":"text","type":"string","value":"sip:10.1.1.1"}`)
	f("pv.shvGet debug", `{"name":"debug","type":"int","value":0}`)
	f("pv.shvGet other", "404 - Variable not found")
	f("pv.shvSet other int 1", "404 - Variable not found")
	f("pv.shvSet debug int 5", done)
	f("pv.shvGet debug", `{"name":"debug","type":"int","value":5}`)
	f("pv.shvSet debug str abc", done)
	f("pv.shvGet debug", `{"name":"debug","type":"string","value":"abc"}`)
	f("pv.shvSet debug int abc", "500 - Missing integer parameter value (Parameters: varname type value)")
	f("pv.shvSet debug foo 3", "500 - Unknown parameter type (Types: int or str)")
	if got := b.Value("", "$shv(debug)"); got != "'abc'" {
		t.Errorf("the script reads %s", got)
	}
	b.Head = `modparam("pv", "shvset", "one=i:1")` + "\n" + `modparam("pv", "shvset", "two=s:2")`
	if p, _, err = b.Load(`request_route { exit; }`); err != nil {
		t.Fatal(err)
	}
	methods = p.Commands()
	f("pv.shvGet", `{"items":[{"shv":{"name":"two","type":"string","value":"2"}},`+
		`{"shv":{"name":"one","type":"int","value":1}}]}`)
}
