package main

import (
	"strings"
	"testing"
	"time"
)

func TestLadder(t *testing.T) {
	was := zone
	zone = time.UTC
	defer func() { zone = was }()
	msg := func(ms int, direction, from, to, first string) traced {
		return traced{At: time.UnixMilli(int64(ms)).UTC().Format(time.RFC3339Nano), Direction: direction, Transport: "UDP",
			From: from, To: to, Text: first + "\r\nCall-ID: c\x1b1\r\n\r\n"}
	}
	const a, us, b = "192.0.2.1:5060", "192.0.2.2:5060", "192.0.2.3:5060"
	got := ladder([]traced{
		msg(0, "in", a, us, "INVITE sip:b SIP/2.0"),
		msg(1, "out", us, b, "INVITE sip:b SIP/2.0"),
		msg(2, "in", b, us, "SIP/2.0 180 Ringing and a phrase that is too long"),
		msg(3, "out", us, a, "SIP/2.0 200 OK"),
		msg(4, "out", us, us, "ACK sip:b SIP/2.0"),
	}, false)
	want := `
                     192.0.2.1:5060                viaduct               192.0.2.3:5060
00:00:00.000000             │── INVITE ──────────────▶│                         │
00:00:00.001000             │                         │── INVITE ──────────────▶│
00:00:00.002000             │                         │◀─ 180 Ringing and a … ──│
00:00:00.003000             │◀────────────── 200 OK ──│                         │
00:00:00.004000             │                         │↺ ACK                    │
`[1:]
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	got = ladder([]traced{msg(0, "in", a, us, "X\x1b[2J sip:b SIP/2.0")}, true)
	if strings.Contains(got, "\x1b") || !strings.Contains(got, "\n    Call-ID: c.1\n") {
		t.Errorf("got\n%q", got)
	}
}
