package rtimer

import (
	"strings"
	"testing"
	"time"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/xlog"
	"viaduct/shard/route"
)

func bench(t *testing.T) *moduletest.Bench {
	b := moduletest.New(t, route.Declared{Name: "rtimer", Define: Define},
		route.Declared{Name: "xlog", Define: xlog.Define})
	b.Head = `modparam("rtimer", "default_interval", 7) modparam("rtimer", "timer", "name=a;interval=1;mode=1;")
modparam("rtimer", "timer", "name=b; interval=200000u; mode=2") modparam("rtimer", "timer", "name=c;interval=0")
modparam("rtimer", "exec", "timer=a;route=A") modparam("rtimer", "exec", "timer=a;route=B")
modparam("rtimer", "exec", "timer=b;route=C")
`
	return b
}

// TestTimers is what Kamailio 5.6.3 logs for the same file.
func TestTimers(t *testing.T) {
	b := bench(t)
	p, _, err := b.Load(`request_route { exit; } route[A] { xlog("L_ERR", "A $rm $ru"); return -3; }
route[B] { xlog("L_ERR", "B $sp"); exit; } route[C] { xlog("L_ERR", "C$rtimer_worker"); }`)
	if err != nil {
		t.Fatal(err)
	}
	var every []time.Duration
	for _, timer := range p.Timers() {
		every = append(every, *timer.Every)
		b.Ctx.Between()
		timer.F(b.Ctx)
	}
	if len(every) != 3 || every[0] != time.Second || every[1] != 200*time.Millisecond || every[2] != 7*time.Second {
		t.Errorf("timers are called every %v", every)
	}
	want := "<script>: B 5060|<script>: A OPTIONS sip:you@kamailio.org|<script>: C0|<script>: C1"
	if got := strings.Join(b.Lines, "|"); got != want {
		t.Errorf("they log %q, want %q", got, want)
	}
}

func TestErrors(t *testing.T) {
	f := func(param, value, want string) {
		t.Helper()
		b := bench(t)
		b.Head += `modparam("rtimer", "` + param + `", "` + value +
			`") route[A] { exit; } route[B] { exit; } route[C] { exit; }` + "\n"
		b.Fails(`exit;`, want)
	}
	f("timer", "name=x;interval=y",
		`rtimer.timer has the interval "y"; it is a number of seconds, or of microseconds as in "100000u"`)
	f("timer", "interval=1", `rtimer.timer is "interval=1"; it is such as "name=x;interval=5;mode=1;"`)
	f("timer", "name=a", `rtimer.timer declares the timer a a second time`)
	f("timer", "name=x;mode=-1", `rtimer.timer has the mode "-1"; it is a number from 0 to 64`)
	f("timer", "name=x;intervall=5",
		`rtimer.timer has "intervall", which means nothing here; the keys are name, interval, mode; did you mean interval?`)
	f("timer", "name=x;5", `rtimer.timer has "5", which means nothing here; the keys are name, interval, mode`)
	f("exec", "timer=a;rout=A",
		`rtimer.exec has "rout", which means nothing here; the keys are timer, route; did you mean route?`)
	f("exec", "timer=zz;route=A", `rtimer.exec names the timer zz, which no timer before declares`)
	f("exec", "route=A", `rtimer.exec is "route=A"; it is such as "timer=x;route=NAME"`)
	f("exec", "timer=a;route=AA", `there is no route[AA]; did you mean A?`)
}
