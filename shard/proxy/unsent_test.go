package proxy

import (
	"testing"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/blocklist"
)

// nowhere is a blacklist with everybody on it, and an Egress that leads to nobody by IPv6.
type nowhere struct{}

func (nowhere) Blocked(*netio.Addr, parser.Method) bool                  { return true }
func (nowhere) Holds(*netio.Addr, parser.Method) bool                    { return true }
func (nowhere) Report(*netio.Addr, blocklist.Reason, parser.Method, int) {}
func (nowhere) Egress(to *netio.Addr, _ int) int {
	if to.Family == 4 && to.Proto == netio.UDP {
		return 0
	}
	return -1
}

// TestUnsentIsCounted: each target that is not sent to is counted once, whatever the reason, and
// ReplyError knows the status.
func TestUnsentIsCounted(t *testing.T) {
	f := func(change func(*Config), prepare func(r *Request), status string, cause Cause, times int) {
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
		for i := range NumCauses {
			want := 0
			if i == cause {
				want = times
			}
			if got := int(b.c.count[CountBranchCauses+int(i)]); got != want {
				t.Errorf("%s counts %d, want %d", i, got, want)
			}
		}
		want := 0
		if cause.Status() == 478 {
			want = times
		}
		if got := int(b.c.count[CountUnresolvable]); got != want {
			t.Errorf("%s: unresolvable is %d, want %d", cause, got, want)
		}
	}
	to := func(uri string) func(r *Request) { return func(r *Request) { r.SetRequestURI([]byte(uri)) } }
	const unresolvable, noWay, inClear = "478 Unresolvable Destination", "477 No Way To Next Hop",
		"480 Temporarily Unavailable"

	f(nil, to("sip:a.example"), unresolvable, NameUnresolved, 1)
	f(nil, to("sip:10.0.0.1;transport=sctp"), unresolvable, TransportUnavailable, 1)
	f(nil, to("sip:10.0.0.1;transport=tcp"), unresolvable, TransportUnavailable, 1)
	f(nil, to("sip:255.255.255.255"), unresolvable, AddressUnusable, 1)
	f(nil, func(r *Request) { r.ForceProto(int(netio.TCP)) }, unresolvable, TransportUnavailable, 1)
	f(nil, to("sip:[2001:db8::1]"), noWay, FamilyUnavailable, 1)
	f(func(c *Config) { c.Blocked = nowhere{} }, to("sip:10.0.0.1"), noWay, Blocklisted, 1)
	f(nil, to("sips:10.0.0.1"), inClear, InClear, 1)
	f(nil, to("sips:10.0.0.1;transport=udp"), inClear, InClear, 1)
	f(nil, func(r *Request) {
		r.SetRequestURI([]byte("sips:10.0.0.1"))
		r.ForceProto(int(netio.UDP))
	}, inClear, InClear, 1)
	f(nil, func(r *Request) {
		r.SetRequestURI([]byte("sips:10.0.0.1"))
		r.SetDstURI([]byte("sip:10.0.0.1:5060"))
	}, inClear, InClear, 1)
	f(nil, func(r *Request) {
		r.SetRequestURI([]byte("sip:a.example"))
		r.AppendBranch([]byte("sip:b.example"), -1)
	}, unresolvable, NameUnresolved, 2)
}
