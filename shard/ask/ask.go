// Package ask has the questions that runs of a routing program ask of what is slow, and their
// answers. It is beside step 4 of a packet's journey: no shard waits for an answer, the run does,
// in the arena (package proxy) or, where it has no transaction, on the heap.
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
	// ErrOverloaded: too many questions are under way, or the service takes none.
	ErrOverloaded = errors.New("too many questions are under way")
	// ErrLate: nothing was answered in time.
	ErrLate = errors.New("no answer came in time")
	// ErrTooLong: question or answer is longer than its buffer, or what the run holds is.
	ErrTooLong = errors.New("question or answer is too long")
	// ErrNotHere: nothing can wait at this place.
	ErrNotHere = errors.New("nothing can wait here")
)

// Service answers questions.
type Service interface {
	// Ask takes q over until it calls q.Done, once, from any goroutine, whatever becomes of the
	// run. It must not block. It returns false if it has no room for q, which then stays the
	// caller's.
	Ask(q *Question) bool
}

// Unwanted is a Service that wants to know of answers that came for nobody: the run had ended, or
// its time was over. It is called by the shard.
type Unwanted interface{ Unwanted(q *Question) }

// Waiter names the run that waits for an answer.
type Waiter struct {
	Tx, Key uint64 // of the transaction that holds it
	Parked  uint64 // the number of one that has no transaction; 0 means it has one
}

// Answer is the answer to a Question.
type Answer struct {
	// Err is why there is no answer, nil if there is one.
	Err error
	// Number is what a service answers that needs no text.
	Number int64
	text   []byte
}

// Text is the text of the answer. It is valid until the answer function returns.
func (a *Answer) Text() []byte { return a.text }

// SetText copies the text into the answer. Beyond AnswerBytes Err is ErrTooLong.
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
	// Waiter is who asked, Number which of its questions it is: never 0, and no other question of
	// the shard has it.
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

// Text is the text of the question.
func (q *Question) Text() []byte { return q.text }

// Append adds to the text of the question. Beyond QuestionBytes the question is not asked.
func (q *Question) Append(b []byte) {
	if len(q.text)+len(b) > QuestionBytes {
		q.failed = ErrTooLong
		return
	}
	q.text = append(q.text, b...)
}

// Ask says that s is to be asked, and how long the answer may take. It returns Pending.
func (q *Question) Ask(s Service, within time.Duration) int {
	q.to, q.asked = s, true
	q.within = min(max(within, 0), MaxWait)
	return Pending
}

// After says that nobody is to be asked: the answer comes by itself when d is over. It returns
// Pending.
func (q *Question) After(d time.Duration) int { return q.Ask(nil, d) }

// Reset makes q an empty question, ready to be filled in.
func (q *Question) Reset() { q.text, q.to, q.asked, q.failed = q.text[:0], nil, false, nil }

// Asked tells whether Ask or After was called since Reset.
func (q *Question) Asked() bool { return q.asked }

// Within is how long the answer may take.
func (q *Question) Within() time.Duration { return q.within }

// Timed tells whether nobody is asked: the time itself is the answer.
func (q *Question) Timed() bool { return q.to == nil }

// Err is what keeps q from being asked.
func (q *Question) Err() error { return q.failed }

// Done gives the answer, which stands in q.Answer, to the shard. q is the shard's again.
func (q *Question) Done() { q.queue.post(q.slot, q.Number) }

// Queue has the questions of one shard that are under way. All of it is the shard's own, but for
// what post does.
type Queue struct {
	all  []Question
	free []uint32
	next uint64
	post func(slot uint32, number uint64)
}

// NewQueue makes an empty queue. post brings an answer to the shard, from any goroutine; first is
// where its questions begin to be counted: the time in ns, so that those of a process before this
// one, of which none asked one a nanosecond, are not mistaken for its own.
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

// room makes the room for the texts of a question. Slow path: when as many are under way as never
// before. All of them at once are 12 MiB, which the Go heap zeroes for the few that are asked.
func (q *Question) room() {
	b := make([]byte, QuestionBytes+AnswerBytes)
	q.text, q.Answer.text = b[:0:QuestionBytes], b[QuestionBytes:QuestionBytes]
}

// Number is a number for the next question; never 0.
func (u *Queue) Number() uint64 {
	if u.next++; u.next == 0 {
		u.next++
	}
	return u.next
}

// Room tells whether one more question can be under way.
func (u *Queue) Room() bool { return u.all == nil || len(u.free) > 0 }

// UnderWay is how many questions are.
func (u *Queue) UnderWay() int { return len(u.all) - len(u.free) }

// Send hands a copy of q to its service, for w. It returns ErrOverloaded if it cannot be taken.
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

// Answered is the question of an answer that was posted, nil if it is none of this queue's.
func (u *Queue) Answered(slot uint32, number uint64) *Question {
	if slot >= uint32(len(u.all)) || u.all[slot].Number != number || u.all[slot].to == nil {
		return nil
	}
	return &u.all[slot]
}

// Release gives a question back whose answer was looked at. unwanted says that it came for nobody.
func (u *Queue) Release(q *Question, unwanted bool) {
	to := q.to
	if s, ok := to.(Unwanted); ok && unwanted {
		s.Unwanted(q)
	}
	q.to = nil
	u.free = append(u.free, q.slot)
}
