package main

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"viaduct/bench/traffic"
)

func TestAddresses(t *testing.T) {
	ok := func(list, want string) {
		t.Helper()
		a, err := addresses("127.0.0.1", list)
		var got []string
		for _, x := range a {
			got = append(got, x.String())
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %v, %v", list, got, err)
		}
	}
	ok("7000", "127.0.0.1:7000")
	ok("7000-7002,9", "127.0.0.1:7000 127.0.0.1:7001 127.0.0.1:7002 127.0.0.1:9")
	for _, bad := range []string{"", "x", "7002-7000", "1-65536", "1-65", "7000-"} {
		if a, err := addresses("127.0.0.1", bad); err == nil {
			t.Errorf("%q gave %v", bad, a)
		}
	}
}

func TestParse(t *testing.T) {
	ok := func(line string, check func(*options) bool) {
		t.Helper()
		o, err := parse(strings.Fields(line))
		if err != nil || !check(o) {
			t.Errorf("%q: %+v, %v", line, o, err)
		}
	}
	ok("", func(o *options) bool {
		return o.traffic.Concurrent == 128 && len(o.traffic.Callers) == 8 && len(o.traffic.Answerers) == 8
	})
	ok("-rate 4000", func(o *options) bool { return o.traffic.Concurrent == 0 && o.traffic.Rate == 4000 })
	ok("-mode hold -calls 9",
		func(o *options) bool { return o.wait && o.traffic.Mode == traffic.Hold && o.traffic.Warmup == 0 })
	ok("-role answerer", func(o *options) bool { return len(o.traffic.Callers) == 0 && !o.traffic.Outside })
	ok("-role caller", func(o *options) bool { return o.traffic.Outside && len(o.traffic.Targets) == 8 })
	ok("-answerers 7000,7002 -targets 7000-7002",
		func(o *options) bool { return o.traffic.Outside && len(o.traffic.Targets) == 3 })
	ok("-answerers 7000-7003 -silent 7002",
		func(o *options) bool { return o.traffic.Silent[2] && len(o.traffic.Silent) == 1 })
	ok("-watch 12,13 -path raw",
		func(o *options) bool { return len(o.watch) == 2 && o.traffic.Path == traffic.Raw })
	for _, bad := range []string{"-mode x", "-path x", "-role x", "-server x", "-callers 0-99",
		"-transport sctp", "-watch x", "extra", "-release x"} {
		if _, err := parse(strings.Fields(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// The whole command, without a server.
func TestRunDirect(t *testing.T) {
	o, err := parse(strings.Fields("-json -path direct -sleep -callers 26810-26811 -answerers 26820-26821 " +
		"-concurrent 8 -calls 200 -duration 0 -warmup 0"))
	if err != nil {
		t.Fatal(err)
	}
	o.traffic.T1 = 2 * time.Second
	var out strings.Builder
	status, err := run(o, strings.NewReader(""), &out)
	var result traffic.Outcome
	if e := json.Unmarshal([]byte(out.String()), &result); err != nil || e != nil || status != 0 ||
		result.Completed != 200 || !result.Clean() {
		t.Fatalf("status %d, %v, %v: %s", status, err, e, out.String())
	}
	var text strings.Builder
	if err := summary(&text, &result); err != nil || !strings.Contains(text.String(), "completed 200") {
		t.Errorf("%v: %s", err, text.String())
	}
}

func TestParseTrouble(t *testing.T) {
	ok := func(name, line string, check func(*troubleOptions) bool) {
		t.Helper()
		o, err := parseTrouble(name, strings.Fields(line))
		if err != nil || !check(o) {
			t.Errorf("%s %q: %+v, %v", name, line, o, err)
		}
	}
	ok("idle", "-connections 7",
		func(o *troubleOptions) bool { return o.connections == 7 && o.server.Port() == 5060 })
	ok("deaf", "-at 127.0.0.1:9 -rate 3",
		func(o *troubleOptions) bool { return o.at.Port() == 9 && o.rate == 3 })
	ok("storm", "-server 127.0.0.1:5061 -longest 2s",
		func(o *troubleOptions) bool { return o.server.Port() == 5061 && o.longest == 2*time.Second })
	for _, bad := range []string{"-server x", "-at x", "-rate x", "extra"} {
		if _, err := parseTrouble("deaf", strings.Fields(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestStopping(t *testing.T) {
	<-stopping(strings.NewReader("\n"), time.Hour)
	<-stopping(strings.NewReader(""), time.Hour)
	in, out := io.Pipe()
	defer out.Close()
	<-stopping(in, time.Millisecond)
}

// Over connections, too, the whole command.
func TestRunStreams(t *testing.T) {
	for _, transport := range []string{"tcp", "tls"} {
		o, err := parse(strings.Fields("-json -path direct -sleep -callers 26810-26811 -answerers 26820-26821 " +
			"-concurrent 8 -calls 200 -duration 0 -warmup 0 -transport " + transport))
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		status, err := run(o, strings.NewReader(""), &out)
		var result traffic.Outcome
		if e := json.Unmarshal([]byte(out.String()), &result); err != nil || e != nil || status != 0 ||
			!result.Clean() {
			t.Errorf("%s: status %d, %v, %v: %s", transport, status, err, e, out.String())
		}
	}
}
