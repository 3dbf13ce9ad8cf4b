package evrexec

import (
	"slices"
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/xlog"
	"viaduct/shard/route"
)

// TestRuns: what runs at the start, and when a command asks for it.
func TestRuns(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "xlog", Define: xlog.Define},
		route.Declared{Name: "evrexec", Define: Define})
	b.Head = `modparam("evrexec", "exec", "name=evrexec:init;workers=2;") modparam("evrexec", "exec", "name=evrexec:none;wait=0")
event_route[evrexec:init] { xlog("start $evr(data)"); } event_route[evrexec:run] { xlog("run $rm $evr(data)"); }`
	b.Ctx.Shard.Later = func(f func(c *route.Ctx)) { f(b.Ctx) }
	p, _, err := b.Load("request_route { exit; }")
	if err != nil {
		t.Fatal(err)
	}
	b.Lines = nil
	p.Started(b.Ctx)
	call := func(words ...string) string {
		t.Helper()
		for _, m := range p.Commands() {
			if m.Name == "evrexec.run" {
				args, err := m.Read(words)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := m.Call(args); err != nil {
					return err.Error()
				}
			}
		}
		return ""
	}
	if got := call("evrexec:run", "some data"); got != "" {
		t.Error(got)
	}
	if got := call("evrexec:nobody"); got == "" {
		t.Error("an event route that is not there is run")
	}
	want := []string{"<script>: start <null>", "<script>: start <null>", "<script>: run OPTIONS some data"}
	if !slices.Equal(b.Lines, want) {
		t.Errorf("logged %q, want %q", b.Lines, want)
	}
}

// TestMistakes: what exec and $evr refuse.
func TestMistakes(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "evrexec", Define: Define})
	f := func(value, want string) {
		t.Helper()
		b.Head = `modparam("evrexec", "exec", "` + value + `")`
		b.Fails("exit;", "evrexec.exec "+want)
	}
	f("x", `has no attribute "x"`)
	f("name=x", `is "name=x"; it is such as "name=evrexec:NAME;wait=1000;workers=1", with event_route[evrexec:NAME]`)
	f("name=evrexec:x;wait=y", `has a wait of "y": write a number of microseconds`)
	f("name=evrexec:x;workers=65", `has "65" workers: write 0 to 64`)
	f("name=evrexec:x;sockaddr=udp:1.2.3.4:5", "has a sockaddr: no event route hears a socket here; have the data "+
		"sent as the body of a SIP request")
	b.Head = ""
	b.Fails("$var(x) = $evr(srcip);", `$evr has data, not "srcip"`)
}
