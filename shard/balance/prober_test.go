package balance

import (
	"strings"
	"testing"
	"time"
)

func TestProbeRequest(t *testing.T) {
	shard := func(callID []byte) bool { return strings.Contains(string(callID), "-1b") }
	f := func(line string, cfg ProbeConfig, want string) {
		t.Helper()
		x := mustParse(t, line, Config{}, nil).Targets()[0]
		p := NewProber(cfg)
		if cfg.From == "sip:other@h" && cfg.Method != "" {
			p.OwnCallID = shard
		}
		pr := Probe{Target: x, ID: 0x00a1000000000abc}
		got := string(p.AppendRequest([]byte("kept|"), pr, []byte("192.0.2.1:5060"), []byte("z9hG4bKx")))
		if got != "kept|"+strings.ReplaceAll(want, "\n", "\r\n") {
			t.Errorf("got %q", got)
		}
	}
	f("1 sip:u@10.0.0.1:5070;lr", ProbeConfig{}, `OPTIONS sip:u@10.0.0.1:5070;lr SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx
Max-Forwards: 70
From: <sip:dispatcher@localhost>;tag=00a1000000000abc
To: <sip:u@10.0.0.1:5070;lr>
Call-ID: 00a1000000000abc@viaduct
CSeq: 1 OPTIONS
Accept: application/sdp
Content-Length: 0

`)
	f("1 sip:10.0.0.1 0 0 ping_from=sip:p@h.example;obproxy=sip:10.0.0.9;transport=tcp",
		ProbeConfig{Method: "INFO", From: "sip:other@h"}, `INFO sip:10.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx
Max-Forwards: 70
From: <sip:p@h.example>;tag=00a1000000000abc
To: <sip:10.0.0.1>
Call-ID: 00a1000000000abc-1b@viaduct
CSeq: 1 INFO
Accept: application/sdp
Content-Length: 0

`)
	f("1 sip:10.0.0.1 0 0 obproxy=\"sip:10.0.0.9;transport=tcp\"",
		ProbeConfig{From: "sip:other@h", UserAgent: "User-Agent: Ours"}, `OPTIONS sip:10.0.0.1 SIP/2.0
Via: SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bKx
Max-Forwards: 70
From: <sip:other@h>;tag=00a1000000000abc
To: <sip:10.0.0.1>
Call-ID: 00a1000000000abc@viaduct
CSeq: 1 OPTIONS
User-Agent: Ours
Accept: application/sdp
Content-Length: 0

`)
}

func TestParseProbeID(t *testing.T) {
	f := func(s string, want uint64) {
		t.Helper()
		if got, ok := ParseProbeID([]byte(s)); got != want || ok != (want != 0) {
			t.Errorf("%q: got %x %v, want %x", s, got, ok, want)
		}
	}
	f("00a1000000000abc", 0xa1000000000abc)
	f("00a1000000000abc@viaduct", 0xa1000000000abc)
	f("00a1000000000abc-1b@viaduct", 0xa1000000000abc)
	f("00a1000000000ab", 0)
	f("00a1000000000abcd", 0)
	f("00a1000000000abg", 0)
	f("0000000000000000", 0)
	f("", 0)
}

func TestReplyCodes(t *testing.T) {
	f := func(s string, code int, want bool) {
		t.Helper()
		rc, err := ParseReplyCodes(s)
		if err != nil || rc.Has(code) != want {
			t.Errorf("%q has %d: %v %v, want %v", s, code, rc.Has(code), err, want)
		}
	}
	f("", 404, false)
	f("class=4", 400, true)
	f("class=4", 499, true)
	f("class=4", 500, false)
	f("class=4", 399, false)
	f("class=2; code=403;code=488 ;class=3;", 403, true)
	f("class=2;code=403;code=488;class=3", 488, true)
	f("class=2;code=403;code=488;class=3", 302, true)
	f("class=2;code=403;code=488;class=3", 404, false)
	f("class=6;code=100", 699, true)
	f("class=6;code=100", 100, true)
	f("class=6", 700, false)
	f("class=6", 99, false)
	f("class=6", -1, false)
	bad := func(s string) {
		t.Helper()
		if _, err := ParseReplyCodes(s); err == nil || !strings.Contains(err.Error(), "write class=1 to class=6") {
			t.Errorf("%q: got %v", s, err)
		}
	}
	bad("class=7")
	bad("class=0")
	bad("code=99")
	bad("code=700")
	bad("404")
	bad("code=4xx")
	tb := mustParse(t, "1 sip:10.0.0.1 9", Config{}, nil)
	rc, _ := ParseReplyCodes("code=404")
	c := newClock(t, tb, ProbeConfig{Interval: time.Second, ReplyCodes: rc})
	c.answer = func(Probe) int { return 404 }
	c.run(2 * time.Second)
	if s := tb.Targets()[0].State(); s != 0 {
		t.Errorf("state %v after an accepted 404", s)
	}
}

func TestProbeConfig(t *testing.T) {
	f := func(cfg ProbeConfig, want string) {
		t.Helper()
		if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: got %v", cfg, err)
		}
	}
	f(ProbeConfig{Interval: -1}, "ds_ping_interval is -1ns: write")
	f(ProbeConfig{Interval: time.Millisecond}, "ds_ping_interval is 1ms: write")
	f(ProbeConfig{Timeout: time.Millisecond}, "ds_ping_fr_timer")
	f(ProbeConfig{Recover: time.Millisecond}, "ds_recover_interval")
	f(ProbeConfig{Mode: 4}, "ds_probing_mode is 4")
	f(ProbeConfig{Method: "OPTIONS\r\n"}, "ds_ping_method")
	f(ProbeConfig{From: "me"}, "ds_ping_from: \"me\" is not a SIP URI")
	f(ProbeConfig{From: "sip:me@h>"}, "ds_ping_from: unexpected \">\"")
}

func TestLatency(t *testing.T) {
	tb := mustParse(t, "1 sip:10.0.0.1 8 0 latency=100", Config{}, nil)
	cell := &tb.Targets()[0].live.latency
	for _, ms := range []int64{10, 20, 30} {
		cell.answer(ms, 0.9)
	}
	l := tb.Targets()[0].Latency()
	if l.AvgMs != 20 || l.MaxMs != 30 || l.Answers != 3 || l.StdMs < 8.16 || l.StdMs > 8.17 || l.EstMs < 78.5 ||
		l.EstMs > 78.6 {
		t.Errorf("got %+v", l)
	}
	// other flags: a new live state
	again := mustParse(t, "1 sip:10.0.0.1 0 0 latency=100", Config{}, tb)
	if again.Targets()[0].Latency() != l {
		t.Errorf("lost at reload: %+v", again.Targets()[0].Latency())
	}
}
