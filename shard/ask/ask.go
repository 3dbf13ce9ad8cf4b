// Package ask has the questions that runs of a routing program ask of slow services, and their
// answers. It is beside step 4 of a packet's journey. No shard waits for an answer: the run does,
// in the arena (package proxy) or, if it has no transaction, on the heap.
//
// A function of a module fills in a Question, which a Queue then hands to its Service. A Service
// stands beside the shards: it answers from goroutines of its own and posts the answer to the shard
// that asked. This package does no I/O.
//
// Ownership: a Queue belongs to its shard. A Question belongs to the Service from Ask until Done,
// and to the shard before and after.
//
// When not to use it: for names (RFC 3263), which package proxy asks for itself.
package ask

import (
	"errors"
	"time"
)

// Pending is what an ask function returns when the run is to wait for the answer.
const Pending = 0

// Errors of answers that no service gave.
var (
	// ErrOverloaded says that too many questions are under way, or the service takes none.
	ErrOverloaded = errors.New("too many questions are under way")
	// ErrLate says that no answer came in time.
	ErrLate = errors.New("no answer came in time")
	// ErrTooLong says that the question, the answer, or what the run holds is longer than its
	// buffer.
	ErrTooLong = errors.New("question or answer is too long")
	// ErrNotHere says that a run cannot wait at this place.
	ErrNotHere = errors.New("nothing can wait here")
)

// Service answers questions.
type Service interface {
	// Ask takes q over. It calls q.Done once, from any goroutine, whatever becomes of the run. It
	// must not block. It returns false if it has no room for q, which then stays the caller's.
	Ask(q *Question) bool
}

// Unwanted is a Service that is told of answers that came too late: the run had ended, or its
// deadline had passed. The shard calls it.
type Unwanted interface{ Unwanted(q *Question) }

// Waiter names the run that waits for an answer.
type Waiter struct {
	Tx, Key uint64 // of the transaction that holds it
	Parked  uint64 // number of a run without a transaction; 0 means that it has one
}

// Answer is the answer to a Question.
type Answer struct {
	// Err is why there is no answer, nil if there is one.
	Err error
	// Number is the answer of a service that needs no text.
	Number int64
	text   []byte
}

// Text returns the text of the answer. It is valid until the answer function returns.
func (a *Answer) Text() []byte { return a.text }

// SetText copies b into the answer. If b is longer than AnswerBytes it sets Err to ErrTooLong.
func (a *Answer) SetText(b []byte) {
	if len(b) > AnswerBytes {
		a.Err = ErrTooLong
		return
	}
	a.text = append(a.text[:0], b...)
}

// Question is what a run asks. A shard keeps a fixed number of them.
type Question struct {
	Answer Answer
	// Waiter is the run that asked. Number is the question's number: never 0, and unique in the
	// shard.
	Waiter Waiter
	Number uint64

	text   []byte
	to     Service
	within time.Duration
	asked  bool
	failed error
	queue  *Queue
	slot   uint32
}

// Text returns the text of the question.
func (q *Question) Text() []byte { return q.text }

// Append adds to the text of the question. If that becomes longer than QuestionBytes the question
// is not asked.
func (q *Question) Append(b []byte) {
	if len(q.text)+len(b) > QuestionBytes {
		q.failed = ErrTooLong
		return
	}
	q.text = append(q.text, b...)
}

// Ask makes s the service to be asked, and within how long its answer may take. It returns Pending.
func (q *Question) Ask(s Service, within time.Duration) int {
	q.to, q.asked = s, true
	q.within = min(max(within, 0), MaxWait)
	return Pending
}

// After makes q a question without a service: the answer comes by itself when d has passed. It
// returns Pending.
func (q *Question) After(d time.Duration) int { return q.Ask(nil, d) }

// Reset makes q an empty question, ready to be filled in.
func (q *Question) Reset() { q.text, q.to, q.asked, q.failed = q.text[:0], nil, false, nil }

// Asked reports whether Ask or After was called since Reset.
func (q *Question) Asked() bool { return q.asked }

// Within returns how long the answer may take.
func (q *Question) Within() time.Duration { return q.within }

// Timed reports whether q has no service, so that the passing of time is the answer.
func (q *Question) Timed() bool { return q.to == nil }

// Err returns what keeps q from being asked, nil if nothing does.
func (q *Question) Err() error { return q.failed }

// Done returns q, with its answer in q.Answer, to the shard.
func (q *Question) Done() { q.queue.post(q.slot, q.Number) }

// Queue has the questions of one shard that are under way. Everything in it is the shard's own,
// except that post may be called from any goroutine.
type Queue struct {
	all  []Question
	free []uint32
	next uint64
	post func(slot uint32, number uint64)
}

// NewQueue makes an empty queue. post brings an answer to the shard, and is called from any
// goroutine. Numbers of questions are counted from first, which is the time in ns: a process asks
// less than one question a nanosecond, so a number of the process before is not mistaken for one of
// this process.
func NewQueue(first uint64, post func(slot uint32, number uint64)) *Queue {
	return &Queue{next: first, post: post}
}

// fill makes the questions. Slow path: when the first one is asked.
func (u *Queue) fill() {
	u.all, u.free = make([]Question, MaxQuestions), make([]uint32, 0, MaxQuestions)
	for i := range u.all {
		q := &u.all[i]
		q.queue, q.slot = u, uint32(i)
		u.free = append(u.free, uint32(MaxQuestions-1-i))
	}
}

// room makes room for the texts of a question. Slow path: when more questions are under way than
// ever before. All of them at once would be 12 MiB, which the Go heap would zero for the few that
// are asked.
func (q *Question) room() {
	b := make([]byte, QuestionBytes+AnswerBytes)
	q.text, q.Answer.text = b[:0:QuestionBytes], b[QuestionBytes:QuestionBytes]
}

// Number returns a number for the next question; never 0.
func (u *Queue) Number() uint64 {
	if u.next++; u.next == 0 {
		u.next++
	}
	return u.next
}

// Room reports whether one more question can be under way.
func (u *Queue) Room() bool { return u.all == nil || len(u.free) > 0 }

// UnderWay returns how many questions are under way.
func (u *Queue) UnderWay() int { return len(u.all) - len(u.free) }

// Send hands a copy of q to its service, for w. It returns ErrOverloaded if there is no room or the
// service does not take q.
func (u *Queue) Send(q *Question, number uint64, w Waiter) error {
	if u.all == nil {
		u.fill()
	}
	n := len(u.free) - 1
	if n < 0 {
		return ErrOverloaded
	}
	slot := u.free[n]
	s := &u.all[slot]
	if s.text == nil {
		s.room()
	}
	s.text = append(s.text[:0], q.text...)
	s.to, s.within, s.Number, s.Waiter = q.to, q.within, number, w
	s.Answer.Err, s.Answer.Number, s.Answer.text = nil, 0, s.Answer.text[:0]
	u.free = u.free[:n]
	if !s.to.Ask(s) {
		s.to = nil
		u.free = append(u.free, slot)
		return ErrOverloaded
	}
	return nil
}

// Answered returns the question whose answer was posted, nil if it is not under way in this queue.
func (u *Queue) Answered(slot uint32, number uint64) *Question {
	if slot >= uint32(len(u.all)) || u.all[slot].Number != number || u.all[slot].to == nil {
		return nil
	}
	return &u.all[slot]
}

// Release frees a question whose answer was looked at. unwanted says that no run waited for it any
// more.
func (u *Queue) Release(q *Question, unwanted bool) {
	to := q.to
	if s, ok := to.(Unwanted); ok && unwanted {
		s.Unwanted(q)
	}
	q.to = nil
	u.free = append(u.free, q.slot)
}
