package shard

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"viaduct/shard/txn"
)

// forkingConfig forks to several targets, serially and by q, with every kind of route.
func forkingConfig(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile("testdata/fork-all.cfg")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestForkedCallsAlwaysEnd throws random events at calls that fork: answers of all classes from all
// targets, ICMP errors, time, CANCELs, repetitions, a process that dies, an arena that refuses a
// slot. Whatever comes: no panic, nothing left in the arena, one final other than a 2xx at most,
// and never a 2xx that did not come from a target.
func TestForkedCallsAlwaysEnd(t *testing.T) {
	cfg := forkingConfig(t)
	const targets = "1 sip:127.0.0.1:7000 0 10\n1 sip:127.0.0.1:7001 0 5\n1 sip:127.0.0.1:7002 0 1\n"
	for seed := range uint64(400) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) { anyForkedCall(t, cfg, targets, seed) })
	}
}

func anyForkedCall(t *testing.T, cfg, targets string, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	f := newFlow(t, cfg, targets, 16<<20)
	if seed%3 == 0 {
		f.list("127.0.0.1:7001")
	}
	if rng.IntN(2) == 0 {
		f.w.slab.Refuse(rng.IntN(40))
	}
	method := []string{"INVITE", "INVITE", "INVITE", "MESSAGE"}[rng.IntN(4)]
	user := []string{"par", "ser", "q", "ds", "mix"}[rng.IntN(5)]
	req := request(method, "sip:"+user+"@127.0.0.1:5060", "c1", "1")
	f.receive("127.0.0.1:6000", req)
	answered := 0 // with a 2xx, by targets
	for range 5 + rng.IntN(40) {
		port := 7000 + rng.IntN(4)
		to := fmt.Sprintf("127.0.0.1:%d", port)
		switch rng.IntN(12) {
		case 0:
			f.receive("127.0.0.1:6000", req)
		case 1:
			if rng.IntN(3) == 0 {
				f.receive("127.0.0.1:6000", request("CANCEL", "sip:"+user+"@127.0.0.1:5060", "c1", "1"))
			}
		case 2:
			f.wait(time.Duration(rng.IntN(8000)) * time.Millisecond)
		case 3:
			if f.lastTo[to] != nil {
				f.unreachable(to)
			}
		case 4:
			if rng.IntN(3) == 0 {
				f.restart("")
			}
		case 5:
			f.receive("127.0.0.1:6000", request("ACK", "sip:"+user+"@127.0.0.1:5060", "c1", "1"))
		default:
			last := f.lastTo[to+" "+[]string{method, method, "CANCEL"}[rng.IntN(3)]]
			if last == nil {
				continue
			}
			status := []string{"100 T", "180 R", "183 P", "200 OK", "302 M", "401 U", "407 P", "486 B", "484 A",
				"500 E", "503 S", "603 D", "487 C", "408 T"}[rng.IntN(14)]
			if status[0] == '2' && strings.HasPrefix(string(last), method) {
				answered++
			}
			f.receive(to, answerTo(last, status, fmt.Sprint("t", port), ""))
		}
	}
	f.wait(400 * time.Second)
	finals := map[string]bool{}
	for _, d := range f.sent {
		b := string(d.bytes)
		if d.to != "127.0.0.1:6000" || !strings.HasPrefix(b, "SIP/2.0 ") || strings.Contains(b, " CANCEL\r\n") ||
			b[8] == '1' {
			continue
		}
		if b[8] != '2' {
			finals[b] = true
		} else if answered == 0 {
			t.Errorf("%s %s: a 2xx from nowhere", method, user)
		}
		if method == "MESSAGE" && strings.HasPrefix(b[8:], "408") {
			t.Error("a 408 to a MESSAGE")
		}
	}
	// A transaction that ran out of room is forgotten, and a repetition makes another one with an
	// answer of its own.
	if len(finals) > 1 && f.w.count[txn.CountArenaFull] == 0 && f.w.count[txn.CountTx] < 2 {
		t.Errorf("%s %s: %d different finals: %v", method, user, len(finals), finals)
	}
	f.endsClean()
}
