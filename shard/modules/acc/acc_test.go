package acc

import (
	"regexp"
	"testing"
	"time"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/route"
)

func bench(t *testing.T) *moduletest.Bench {
	return moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "acc", Define: Define})
}

func TestMistakes(t *testing.T) {
	b := bench(t)
	f := func(param, value, want string) {
		t.Helper()
		b.Head = `modparam("acc", "` + param + `", ` + value + ")"
		b.Fails("exit;", want)
	}
	form := ` is not written as "name=$variable;name=$variable": see `
	f("log_extra", `"a"`, `acc.log_extra`+form+`"a"`)
	f("log_extra", `"a=$rU;"`, `acc.log_extra`+form+`"a=$rU;"`)
	f("log_extra", `"a=$rU$fU;b=text"`, `acc.log_extra`+form+`"a=$rU$fU;b=text"`)
	f("log_extra", `"a=$nope(x)"`, `unknown variable $nope`)
	f("multi_leg_info", `"a=$fU"`, `multi_leg_info: $fU is no AVP such as $avp(x)`)
	f("log_facility", `"LOG_NOPE"`, `acc.log_facility is no facility; LOG_DAEMON is one`)
	f("failed_filter", `"404,4x"`,
		`acc.failed_filter "4x" is no code from 300 to 999: write as in "404,487"`)
	f("log_flag", `32`, `acc.log_flag is 32; the range is -1..31`)
}

// TestLogRequest: acc_log_request writes a line at once. The lines are those of Kamailio 5.6.3, but
// for the To tag, which is made here.
func TestLogRequest(t *testing.T) {
	b := bench(t)
	const begin = "ACC: request accounted: timestamp=T;method=INVITE;from_tag=ft1;to_tag=TAG;call_id=cid-1@x"
	f := func(head, body, want string) {
		t.Helper()
		b.Head = `modparam("acc", "log_level", -1)` + head
		if b.Run(body); len(b.Lines) != 1 {
			t.Fatalf("%s: lines %q", body, b.Lines)
		}
		got := timestamp.ReplaceAllString(b.Lines[0], "timestamp=T")
		got = ownTag.ReplaceAllString(got, "to_tag=TAG")
		if got != begin+want {
			t.Errorf("%s:\ngot  %s\nwant %s", body, got, begin+want)
		}
	}
	f("", `acc_log_request("404 Not here at all");`, ";code=404;reason=Not here at all")
	f("", `acc_log_request("just text");`, ";code=;reason=just text")
	f("", `acc_log_request("99 short");`, ";code=;reason=99 short")
	f("", `$var(x) = "486"; acc_log_request("$var(x) Busy");`, ";code=486;reason=Busy")
	f(`modparam("acc", "log_extra", "user=$rU ; none=$avp(none); x=$hdr(X-Foo)")`,
		`$rU = "eve"; acc_log_request("200 OK");`, ";code=200;reason=OK;user=eve;none=;x=one")
	f(`modparam("acc", "multi_leg_info", "from=$avp(f);to=$avp(t)")`,
		`$avp(f) = "a"; $avp(t) = "b"; $avp(f) = 2; acc_log_request("200 OK");`,
		";code=200;reason=OK;from=2;to=b;from=a;to=")
}

// TestTimes: what time_mode adds.
func TestTimes(t *testing.T) {
	at := time.Date(2026, 12, 1, 13, 5, 7, 8_009_010, time.FixedZone("", 3600))
	f := func(mode int, want string) {
		t.Helper()
		attr, exten, format := "attr", "exten", "%Y/%m/%d %H:%M:%S"
		x := times{&mode, &attr, &exten, &format}
		if got := string(x.append(nil, at)); got != "timestamp=1796126707"+want {
			t.Errorf("time_mode %d: %s", mode, got)
		}
	}
	f(0, "")
	f(1, ";exten=8009")
	f(2, ";attr=1796126707.008")
	f(3, ";attr=2026/12/01 13:05:07")
	f(4, ";attr=2026/12/01 12:05:07")
}

var (
	timestamp = regexp.MustCompile("timestamp=[0-9]+")
	ownTag    = regexp.MustCompile("to_tag=vd[0-9a-f]{16}")
)
