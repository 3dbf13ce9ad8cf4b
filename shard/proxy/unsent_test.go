package proxy

import (
	"testing"

	"viaduct/netio"
	"viaduct/parser"
)

// nowhere is a blacklist with everybody on it, and an Egress that leads to nobody by IPv6.
type nowhere struct{}

func (nowhere) Blocked(*netio.Addr, parser.Method) bool         { return true }
func (nowhere) Report(*netio.Addr, Failing, parser.Method, int) {}
func (nowhere) Egress(to *netio.Addr, _ int) int {
	if to.Family == 4 && to.Proto == netio.UDP {
		return 0
	}
	return -1
}

// TestUnsentIsCounted: each target that is not sent to is counted once, whatever the reason, and
// ReplyError knows the status.
func TestUnsentIsCounted(t *testing.T) {
	counters := []int{CountUnresolvable, CountNoWay, CountInClear}
	f := func(change func(*Config), prepare func(r *Request), status string, counter, times int) {
		t.Helper()
		b := newBench(t, func(c *Config) {
			c.Egress = nowhere{}
			if change != nil {
				change(c)
			}
		})
		r := b.request("MESSAGE", "")
		prepare(r)
		if r.Relay() {
			t.Errorf("relayed: %s", b.took())
			return
		}
		r.ReplyError()
		b.want("6000 " + status)
		for _, i := range counters {
			want := 0
			if i == counter {
				want = times
			}
			if got := int(b.c.count[i]); got != want {
				t.Errorf("%s is %d, want %d", CounterNames[i-CounterBase-1], got, want)
			}
		}
	}
	to := func(uri string) func(r *Request) { return func(r *Request) { r.SetRequestURI([]byte(uri)) } }
	const unresolvable, noWay, inClear = "478 Unresolvable Destination", "477 No Way To Next Hop", "480 Temporarily Unavailable"

	f(nil, to("sip:a.example"), unresolvable, CountUnresolvable, 1)
	f(nil, to("sip:10.0.0.1;transport=sctp"), unresolvable, CountUnresolvable, 1)
	f(nil, to("sip:10.0.0.1;transport=tcp"), unresolvable, CountUnresolvable, 1)
	f(nil, to("sip:255.255.255.255"), unresolvable, CountUnresolvable, 1)
	f(nil, func(r *Request) { r.ForceProto(int(netio.TCP)) }, unresolvable, CountUnresolvable, 1)
	f(nil, to("sip:[2001:db8::1]"), noWay, CountNoWay, 1)
	f(func(c *Config) { c.Blocked = nowhere{} }, to("sip:10.0.0.1"), noWay, CountNoWay, 1)
	f(nil, to("sips:10.0.0.1"), inClear, CountInClear, 1)
	f(nil, to("sips:10.0.0.1;transport=udp"), inClear, CountInClear, 1)
	f(nil, func(r *Request) {
		r.SetRequestURI([]byte("sips:10.0.0.1"))
		r.ForceProto(int(netio.UDP))
	}, inClear, CountInClear, 1)
	f(nil, func(r *Request) {
		r.SetRequestURI([]byte("sips:10.0.0.1"))
		r.SetDstURI([]byte("sip:10.0.0.1:5060"))
	}, inClear, CountInClear, 1)
	f(nil, func(r *Request) {
		r.SetRequestURI([]byte("sip:a.example"))
		r.AppendBranch([]byte("sip:b.example"), -1)
	}, unresolvable, CountUnresolvable, 2)
}
