package proxy

import (
	"fmt"
	"strings"
	"testing"
)

// TestBreadth: shares never sum to more than the request came with, and targets beyond it make 440.
func TestBreadth(t *testing.T) {
	f := func(header string, targets int, want string) {
		t.Helper()
		b := newBench(t, nil)
		r := b.request("INVITE", header)
		for i := 1; i < targets; i++ {
			r.AppendBranch(fmt.Appendf(nil, "sip:c@127.0.0.1:%d", 7000+i), -1)
		}
		got := ""
		if !r.Relay() {
			r.ReplyError()
		}
		for _, s := range b.sent {
			for _, row := range strings.Split(s.text, "\r\n") {
				if v, ok := strings.CutPrefix(row, "Max-Breadth: "); ok {
					got += v + " "
				} else if strings.HasPrefix(row, "SIP/2.0 4") {
					got += row[8:11] + " "
				}
			}
		}
		if got = strings.TrimSpace(got); got != want {
			t.Errorf("%q, %d targets: %s, want %s", header, targets, got, want)
		}
	}
	f("", 1, "60")
	f("", 7, "9 9 9 9 8 8 8")
	f("Max-Breadth: 1\r\n", 1, "1")
	f("Max-Breadth: 2\r\n", 2, "1 1")
	f("Max-Breadth: 5\r\n", 2, "3 2")
	f("Max-Breadth: 1\r\n", 2, "440")
	f("Max-Breadth: 0\r\n", 1, "440")
	f("Max-Breadth: 2147483647\r\n", 1, "65535")

	// What cannot be sent to has no share: in front, behind, kept back by a branch route that comes
	// before.
	among := func(want string, drop bool, ports ...int) {
		t.Helper()
		b := newBench(t, nil)
		r := b.request("INVITE", "Max-Breadth: 60\r\n")
		for i, port := range ports {
			uri := fmt.Appendf(nil, "sip:c@127.0.0.1:%d", port)
			if port == 0 {
				uri = []byte("sip:c@example.com")
			}
			if i == 0 {
				r.SetRequestURI(uri)
			} else {
				r.AppendBranch(uri, -1)
			}
		}
		if drop {
			r.Arm(BranchRoute, 1)
		}
		b.branch = func(r *Request, _ int) bool { return string(r.RequestURI()) != "sip:c@127.0.0.1:7009" }
		r.Relay()
		got := ""
		for _, s := range b.sent {
			if _, v, ok := strings.Cut(s.text, "Max-Breadth: "); ok && strings.HasPrefix(s.text, "INVITE ") {
				v, _, _ = strings.Cut(v, "\r\n")
				got += v + " "
			}
		}
		if got = strings.TrimSpace(got); got != want {
			t.Errorf("%v: %s, want %s", ports, got, want)
		}
	}
	among("60", false, 7000, 0, 0, 0, 0, 0, 0)
	among("60", false, 0, 0, 0, 7000)
	among("30 30", false, 7000, 0, 7001)
	among("20 40", true, 7000, 7009, 7001)
	among("60", true, 7009, 7009, 7001)
	// max_branches
	among("8 8 8 8 7 7 7 7", false, 7000, 7001, 7002, 7003, 7004, 7005, 7006, 7007, 7008, 7010)
	among("8 8 8 8 7 7 7 7", true, 7000, 7009, 7002, 7003, 7004, 7005, 7006, 7007, 7008)

	bad := func(header string) {
		t.Helper()
		b := newBench(t, nil)
		r := b.request("INVITE", "")
		_ = b.m.Parse([]byte("INVITE sip:b@c SIP/2.0\r\n" + header + "\r\n\r\n"))
		r.M = &b.m
		if r.readBreadth() {
			t.Errorf("%q is taken", header)
		}
	}
	bad("Max-Breadth: five")
	bad("Max-Breadth: -1")
	bad("Max-Breadth:")
	bad("Max-Breadth: 2147483648")
	bad("Max-Breadth: 99999999999")
	bad("Max-Breadth: 1\r\nMax-Breadth: 1")
}

// TestSecondRelayBeside: what a first relay took is not there for a second one, unless the request
// came without Max-Breadth.
func TestSecondRelayBeside(t *testing.T) {
	f := func(header string, want bool) {
		t.Helper()
		b := newBench(t, nil)
		r := b.request("INVITE", header)
		r.Relay()
		r.SetRequestURI([]byte("sip:bob@127.0.0.1:7001"))
		if got := r.Relay(); got != want {
			t.Errorf("%q: the second relay is %v", header, got)
		}
	}
	f("", true)
	f("Max-Breadth: 10\r\n", false)
}
