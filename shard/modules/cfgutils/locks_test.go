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
		q.Append([]byte("k"))
		q.Ask(l, lockWait)
		if !l.try(q.Text()) {
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
		if l.try(q.Text()) {
			t.Error("who waited in vain gave the lock away")
		}
	})
}
