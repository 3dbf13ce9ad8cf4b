package txn

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"viaduct/netio"
)

func TestHex8(t *testing.T) {
	for _, v := range []uint32{0, 1, 9, 10, 0xf, 0x89abcdef, 0x01234567, 0xdeadbeef, 1<<32 - 1} {
		got := hex8(v)
		var b [8]byte
		for i := range b {
			b[i] = byte(got >> (8 * i))
		}
		if want := fmt.Sprintf("%08x", v); string(b[:]) != want {
			t.Errorf("%s, want %s", b[:], want)
		}
	}
}

// TestFormer: a branch of another life is believed for its caller's host alone, under the same key,
// as it was written, and for a while.
func TestFormer(t *testing.T) {
	before, x := newMachine(t, "INVITE"), newMachine(t, "INVITE")
	before.tx.replyTo.IP[3] = 9
	before.sign(before.br, before.offOf(&before.br.node), &before.tx.replyTo)
	branch := before.AppendBranch(nil, before.br)
	caller, other := netio.Addr{IP: [16]byte{127, 0, 0, 9}, Port: 1, Family: 4},
		netio.Addr{IP: [16]byte{127, 0, 0, 8}, Family: 4}
	f := func(what string, branch []byte, caller *netio.Addr, want bool) {
		t.Helper()
		if got := x.Former(branch, caller); got != want {
			t.Errorf("%s: %v", what, got)
		}
	}
	f("of this life", branch, &caller, false)
	x.life = 1
	f("of the life before", branch, &caller, true)
	f("to another host", branch, &other, false)
	for i := range branch {
		forged := append([]byte(nil), branch...)
		forged[i] ^= 1
		f(fmt.Sprintf("digit %d changed", i), forged, &caller, false)
	}
	f("cut short", branch[:len(branch)-1], &caller, false)
	x.markKey[1]++
	f("of another key", branch, &caller, false)
	x.markKey[1]--
	x.SetNow(x.born + int64(x.timers.C+64*x.timers.T1))
	f("as long as it may ring", branch, &caller, true)
	x.SetNow(x.now + int64(time.Millisecond))
	f("later", branch, &caller, false)
}

// TestMatchResponseAsWritten: a response whose branch names the record and its cookie, and does not
// end as it was written, is nobody's (§17.1.3).
func TestMatchResponseAsWritten(t *testing.T) {
	x := newMachine(t, "INVITE")
	branch := string(x.AppendBranch(nil, x.br))
	f := func(branch string, want *Branch) {
		t.Helper()
		id, ok := ParseBranch([]byte(branch))
		if !ok {
			t.Fatalf("%s is not read", branch)
		}
		m := x.parse([]byte(strings.Replace(string(text("SIP/2.0 180 Ringing", "INVITE")), "z9hG4bK-b", branch, 1)))
		if got := x.MatchResponse(m, id); got != want {
			t.Errorf("%s: %p, want %p", branch, got, want)
		}
	}
	f(branch, x.br)
	for at := BranchBytes - lifeDigits - markDigits; at < BranchBytes; at++ {
		digit := "0"
		if branch[at] == '0' {
			digit = "1"
		}
		f(branch[:at]+digit+branch[at+1:], nil)
	}
}

// TestRetimeLeavesWhatIsGivenUp: timers that change later are for branches that are waited for.
func TestRetimeLeavesWhatIsGivenUp(t *testing.T) {
	x := newMachine(t, "INVITE")
	x.impatient("Timer-B")
	if x.br.flags&brKept == 0 {
		t.Fatal("it is not kept")
	}
	endAt := x.br.endAt
	x.Retime(x.tx, true, true)
	if x.br.endAt != endAt {
		t.Errorf("it ends %v later", time.Duration(x.br.endAt-endAt))
	}
}
