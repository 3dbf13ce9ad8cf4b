package shard

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestLockInVain: a run that does not get a lock hears so from the lock, and not from its deadline,
// behind which that answer would come for nobody.
func TestLockInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlow(t, `loadmodule "sl.so" loadmodule "tm.so" loadmodule "cfgutils.so"
modparam("cfgutils", "lock_set_size", 4)
listen=udp:127.0.0.1:5060
request_route { if (lock("k")) exit; sl_send_reply("480", "Locked"); }`, "", 16<<20)
		f.receive("127.0.0.1:6000", request("MESSAGE", "sip:bob@b", "c1", "1")) // it never gives it back
		f.receive("127.0.0.1:6000", request("MESSAGE", "sip:bob@b", "c2", "2"))
		f.wait(10*time.Second + 500*time.Millisecond)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		for f.w.takeMail() > 0 {
			f.endBatch()
		}
		if n := f.count("SIP/2.0 480"); n != 1 {
			t.Errorf("%d runs did not get the lock, want 1", n)
		}
		if late, unwanted := f.w.count[CountLate], f.w.count[CountUnwanted]; late != 0 || unwanted != 0 {
			t.Errorf("%d questions are late, %d answers unwanted", late, unwanted)
		}
		f.endsClean()
	})
}

// TestOwnRunsAreNoCalls: a run on a request that nobody sent, and that waits, keeps no process from
// ending: neither while it waits nor behind its end, nor in the process that takes it over.
func TestOwnRunsAreNoCalls(t *testing.T) {
	f := newFlow(t, `loadmodule "sl.so" loadmodule "tm.so" loadmodule "async.so" loadmodule "cfgutils.so"
listen=udp:127.0.0.1:5060
request_route { async_task_data("TASK", "x"); sl_send_reply("200", "OK"); }
route[TASK] { sleep("3"); }`, "", 16<<20)
	f.receive("127.0.0.1:6000", request("OPTIONS", "sip:bob@b", "c1", "1"))
	if n := f.w.tx.Held(); n != 1 {
		t.Fatalf("%d runs wait, want 1", n)
	}
	f.restart("")
	for range 2 {
		if n, at := f.w.tx.Unanswered(), f.w.tx.LastFinal(); n != 0 || at != 0 {
			t.Errorf("%d transactions are to be waited for, the last final response was at %d", n, at)
		}
		f.wait(4 * time.Second)
	}
	f.endsClean()
}

// TestWaitNeedsNoProgram: behind its run a call that has waited keeps its program only if it would
// without the wait.
func TestWaitNeedsNoProgram(t *testing.T) {
	f := newFlow(t, strings.Replace(forkConfig(`if ($rU == "armed") t_on_failure("F");
	sleep("2");
	if ($rU == "here") { sl_send_reply("404", "Not Here"); exit; }
	$du = "sip:127.0.0.1:7000"; t_relay(); }
failure_route[F] { t_reply("480", "From F"); }
`), "listen=", "loadmodule \"cfgutils.so\"\nlisten=", 1), "", 16<<20)
	want := func(when string, programs int) {
		t.Helper()
		if n := len(f.w.tx.Programs(0)); n != programs {
			t.Errorf("%s: %d programs are needed, want %d", when, n, programs)
		}
	}
	for i, user := range []string{"here", "relayed", "armed"} {
		f.sent = nil
		name := fmt.Sprint(i)
		f.receive("127.0.0.1:6000", request("INVITE", "sip:"+user+"@127.0.0.1:5060", name, name))
		want(user+", held", 1)
		f.wait(2100 * time.Millisecond)
		switch user {
		case "here":
			if n := f.count("SIP/2.0 404"); n == 0 {
				t.Error("the call was not answered")
			}
			want(user, 0)
			f.wait(40 * time.Second)
		case "relayed":
			want(user, 0)
			f.receive("127.0.0.1:7000", answerTo(f.lastTo["127.0.0.1:7000 INVITE"], "200 OK", "u", ""))
			if n := f.count("SIP/2.0 200"); n != 1 {
				t.Errorf("the caller heard %d times of the 200", n)
			}
		default:
			want(user, 1)
			f.receive("127.0.0.1:7000", answerTo(f.lastTo["127.0.0.1:7000 INVITE"], "486 Busy Here", "u", ""))
			if n := f.count("SIP/2.0 480"); n != 1 {
				t.Errorf("the failure route answered %d times", n)
			}
		}
	}
	f.endsClean()
}

// TestParkedBytes: what is parked counts with all that it takes.
func TestParkedBytes(t *testing.T) {
	f := newFlow(t, `loadmodule "sl.so" loadmodule "tm.so" loadmodule "cfgutils.so" loadmodule "corex.so"
listen=udp:127.0.0.1:5060
request_route { $du = "sip:127.0.0.1:7000"; sleep("2"); forward(); }`, "", 16<<20)
	f.receive("127.0.0.1:6000", request("ACK", "sip:bob@127.0.0.1:5060", "c1", "1"))
	n := 0
	for _, p := range f.w.asks.parked {
		n += len(p.packet.Data) + len(p.state) + len(p.run)
		if len(p.state) == 0 {
			t.Error("nothing is known of what was decided")
		}
	}
	if n == 0 || f.w.asks.bytes != n {
		t.Errorf("%d bytes are counted, want %d", f.w.asks.bytes, n)
	}
	f.wait(3 * time.Second)
	if f.count("ACK ") != 1 || f.w.asks.bytes != 0 {
		t.Errorf("%d ACKs left, %d bytes are counted", f.count("ACK "), f.w.asks.bytes)
	}
	f.endsClean()
}
