package cfgutils

import (
	"testing"
	"testing/synctest"
	"time"

	"viaduct/shard/ask"
)

// TestLockNeverGivenBack: who waits for a lock that no script gives back has an answer all the
// same, else its question would be under way for ever.
func TestLockNeverGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLocks()
		answers := make(chan uint32, 1)
		u := ask.NewQueue(1, func(slot uint32, _ uint64) { answers <- slot })
		var q ask.Question
		q.Append([]byte("12345678k"))
		q.Ask(l, lockWait)
		if !l.try(1, []byte("k")) {
			t.Fatal("a lock is held that nobody has")
		}
		if err := u.Send(&q, 7, ask.Waiter{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lockWait + time.Second)
		synctest.Wait()
		select {
		case slot := <-answers:
			a := u.Answered(slot, 7)
			if a.Answer.Err != ask.ErrLate {
				t.Errorf("the answer is %v", a.Answer.Err)
			}
			u.Release(a, true)
		default:
			t.Fatal("there is no answer")
		}
		if u.UnderWay() != 0 {
			t.Error("the question is under way")
		}
		if l.try(2, []byte("k")) {
			t.Error("who waited in vain gave the lock away")
		}
	})
}

// TestLateUnlock: who held a lock for too long has lost it, and frees nothing of the one who has it
// now; everyone else may unlock.
func TestLateUnlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, k := newLocks(), []byte("k")
		const first, second, third, other = 1, 2, 3, 4
		if !l.try(first, k) || l.try(second, k) {
			t.Fatal("two hold it")
		}
		time.Sleep(forgotten)
		if !l.try(second, k) {
			t.Fatal("it is held for ever")
		}
		if l.unlock(first, k) || l.try(third, k) {
			t.Error("who has lost it gave it away")
		}
		if !l.unlock(second, k) || !l.try(first, k) {
			t.Error("who has it cannot give it back")
		}
		if !l.unlock(other, k) || !l.try(third, k) {
			t.Error("a run cannot unlock what another one locked")
		}
		for n := range uint64(2 * maxLost) { // each takes it from the one before
			time.Sleep(forgotten)
			l.try(100+n, k)
		}
		if n := len(l.find(k).lost); n != maxLost {
			t.Errorf("%d lost it, %d are known", 2*maxLost, n)
		}
		if l.unlock(100+2*maxLost-2, k) {
			t.Error("the last that lost it is not known")
		}
	})
}
