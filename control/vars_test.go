package control

import (
	"encoding/json"
	"errors"
	"testing"
)

func TestVars(t *testing.T) {
	debug, name := int64(3), "a"
	var vars Vars
	vars.Register(
		Var{Group: "core", Name: "debug", Help: "Level of the log.", Min: -2, Max: 5, Get: func() any {
			return debug
		}, Set: func(v any) error { debug = v.(int64); return nil }},
		Var{Group: "core", Name: "children", Help: "Shards.", Min: 1, Max: 64, Get: func() any { return int64(2) }},
		Var{Group: "core", Name: "tcp_async", Help: "Whether writes are queued.", Max: 1, Get: func() any {
			return int64(1)
		}, ReadOnly: "it is fixed after start"},
		Var{Group: "core", Name: "server", Aliases: []string{"old_server"}, Help: "Name in the Server row.",
			Get: func() any {
				return name
			}, Set: func(v any) error {
				if v == "" {
					return errors.New("the name is empty: give one")
				}
				name = v.(string)
				return nil
			}},
		Var{Group: "tm", Name: "fr_timer", Help: "Timer B in ms.", Min: 1, Max: 1 << 40, Get: func() any {
			return int64(32000)
		}},
	)
	r := NewRPC()
	RegisterVars(r, &vars)
	f := func(line, want string) {
		t.Helper()
		if got := string(r.Call(line)); got != want+"\n" {
			t.Errorf("%q: %s want %s", line, got, want)
		}
	}
	f("cfg.list", `["core: children","core: debug","core: server","core: tcp_async","tm: fr_timer"]`)
	f("cfg.list tm", `["tm: fr_timer"]`)
	f("cfg.get core debug", `3`)
	f("cfg.get core", `{"children":2,"debug":3,"server":"a","tcp_async":1}`)
	f("cfg.get core old_server", `"a"`)
	f("cfg.set_now_int core debug -2", `{}`)
	f("cfg.get core debug", `-2`)
	f(`cfg.set_now_string core server "b c"`, `{}`)
	f("cfg.get core server", `"b c"`)
	f("cfg.help core debug", `"Level of the log. A number, -2 to 5."`)
	f("cfg.help core server", `"Name in the Server row. A text."`)
	f("cfg.help core children", `"Shards. A number, 1 to 64. Read-only."`)

	f("cfg.set core debug 1", `{}`)
	f(`cfg.set core server 7`, `{}`)
	f("cfg.get core", `{"children":2,"debug":1,"server":"7","tcp_async":1}`)
	f("cfg.set_delayed_int core debug 4", `{}`)
	f("cfg.set_delayed core debug 5", `{}`)
	f("cfg.set_delayed core server x", `{}`)
	f("cfg.get core debug", `1`)
	f("cfg.diff", `[{"group name":"core","variable name":"debug","old value":1,"new value":5},`+
		`{"group name":"core","variable name":"server","old value":"7","new value":"x"}]`)
	f("cfg.del_delayed core server", `{}`)
	f("cfg.commit", `{}`)
	f("cfg.diff", `[]`)
	f("cfg.get core", `{"children":2,"debug":5,"server":"7","tcp_async":1}`)
	f("cfg.set_delayed core debug 2", `{}`)
	f("cfg.rollback", `{}`)
	f("cfg.commit", `{}`)
	f("cfg.get core debug", `5`)
	f("cfg.set_delayed core debug 0", `{}`)
	f(`cfg.set_delayed_string core server ""`, `{}`) // which Set refuses
	f("cfg.commit", `{"error":{"code":400,"message":"the name is empty: give one"}}`)
	f("cfg.get core", `{"children":2,"debug":5,"server":"7","tcp_async":1}`)
	f("cfg.rollback", `{}`)
	f("cfg.reset core", `{}`)
	f("cfg.get core", `{"children":2,"debug":3,"server":"a","tcp_async":1}`)
	f("cfg.seti core debug -2", `{}`)
	f(`cfg.sets core server "b c"`, `{}`)

	fault := func(line string, want string) {
		t.Helper()
		var got struct{ Error Fault }
		if err := json.Unmarshal(r.Call(line), &got); err != nil || got.Error.Code != 400 || got.Error.Message != want {
			t.Errorf("%q: %v, want 400 - %s", line, &got.Error, want)
		}
	}
	fault("cfg.get cor debug", `there is no group "cor" of variables; did you mean core?`)
	fault("cfg.list nope", `there is no group "nope" of variables; cfg.list lists them`)
	fault("cfg.get nope", `there is no group "nope" of variables; cfg.list lists them`)
	fault("cfg.get core debgu", `there is no variable core.debgu; did you mean debug?`)
	fault("cfg.get core debg", `there is no variable core.debg; did you mean debug?`)
	fault("cfg.help core nothing", `there is no variable core.nothing; cfg.list lists them`)
	fault("cfg.set core debug x", `core.debug is a number, and "x" is none`)
	fault("cfg.set_delayed core children 3", `core.children is read-only: it is fixed at start`)
	fault("cfg.reset nope", `there is no group "nope" of variables; cfg.list lists them`)
	fault("cfg.set_now_int core children 3", `core.children is read-only: it is fixed at start`)
	fault("cfg.set_now_int core tcp_async 0", `core.tcp_async is read-only: it is fixed after start`)
	fault("cfg.set_now_int core debug 6", `core.debug: 6 is out of range, -2 to 5`)
	fault("cfg.set_now_int core debug six",
		`value must be a whole number, not "six"; usage: cfg.set_now_int group name value`)
	fault("cfg.set_now_string core debug 5", `core.debug is a number: use cfg.set_now_int`)
	fault("cfg.set_now_int core server 5", `core.server is a text: use cfg.set_now_string`)
	fault(`cfg.set_now_string core server ""`, `the name is empty: give one`)
	if debug != -2 || name != "b c" {
		t.Errorf("a refused value was set: %d %q", debug, name)
	}

	empty := NewRPC()
	RegisterVars(empty, &Vars{})
	if got := string(empty.Call("cfg.list")); got != "[]\n" {
		t.Errorf("no variables: %s", got)
	}
}

func TestRegisterVarTwice(t *testing.T) {
	f := func(v Var) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Errorf("%s %s was taken", v.Name, v.Aliases)
			}
		}()
		var vars Vars
		vars.Register(Var{Group: "core", Name: "a", Get: func() any { return int64(0) }})
		vars.Register(v)
	}
	number := func() any { return int64(0) }
	f(Var{Group: "core", Name: "a", Get: number})
	f(Var{Group: "core", Name: "b", Aliases: []string{"a"}, Get: number})
	// an int, which Set would not get
	f(Var{Group: "core", Name: "c", Get: func() any { return 5 }})
}
