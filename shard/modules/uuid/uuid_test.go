package uuid

import (
	"regexp"
	"testing"
	"time"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/route"
)

func TestUUID(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "uuid", Define: Define})
	for kind, version := range map[string]string{"g": "4", "r": "4", "t": "1", "s": "1"} {
		form := regexp.MustCompile("^'[0-9a-f]{8}-[0-9a-f]{4}-" + version +
			"[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}'$")
		first, second := b.Value("", "$uuid("+kind+")"), b.Value("", "$uuid("+kind+")")
		if !form.MatchString(first) || first == second {
			t.Errorf("$uuid(%s) is %s, then %s", kind, first, second)
		}
	}
	if got := b.Value("$var(a) = $uuid(g); $var(b) = $uuid(g);", "$var(a) == $var(b)"); got != "0" {
		t.Errorf("twice the same in one run: %s", got)
	}
	b.Fails("see($uuid(x));", "there is no $uuid(x); there are g, r, t and s")
	p, _, err := b.Load("request_route { $var(x) = $uuid(g) + $uuid(t); }")
	if err != nil {
		t.Fatal(err)
	}
	r := b.Begin(b.Msg(), b.Source())
	if n := testing.AllocsPerRun(100, func() { p.Request(b.Ctx, r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestTimed: the time is read as RFC 9562 appendix A.1 writes it, and goes on while the clock
// stands.
func TestTimed(t *testing.T) {
	x := newMaker(0)
	now := time.Date(2022, 2, 22, 19, 22, 22, 0, time.UTC)
	id := x.timed(now)
	if got := string(appendID(nil, &id))[:18]; got != "c232ab00-9414-11ec" {
		t.Errorf("it begins %s", got)
	}
	if again := x.timed(now); again == id {
		t.Error("twice the same")
	}
}
