package txn

import (
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"

	"viaduct/shm"
)

// What a transaction keeps besides its branches. Each is in a slot of its own that belongs to the
// Tx, and is only there where it is needed:
//
//	best        the best final response so far, while others are waited for (§16.7 step 6)
//	challenges  rows of the 401s and 407s that are not the best (§16.7 step 7)
//	saved       the request and what was decided about it, for routes that run later
//	            and, in slots that saved refers to, the variables of these routes, and the runs
//	            that wait (held.go)
//
// A slot is published before the Tx refers to it, and the slot it replaces is freed after that, so
// that a process killed between the two leaves the old one in force.

// Saved is the head of what the user keeps of a request. The user's own record
// begins with it.
type Saved struct {
	shm.Header
	FrMs    uint32 // Timer B or F of this transaction, t_set_fr; 0 means the table's
	FrInvMs uint32 // Timer C of this transaction; 0 means the table's
	T1Ms    uint32 // T1 of this transaction, t_set_retr; 0 means the table's
	T2Ms    uint32 // T2 of this transaction; 0 means the table's
	// Program is the hash of the routing program that its routes belong to.
	Program uint64
	DueAt   int64 // when the run it holds is due, see HoldUntil; 0 means never
	// vars is the slot of the routing program's variables, see SetVars; 0 means none.
	vars shm.Off
	held shm.Off // first of what else is held, see Held; 0 means nothing is
}

// NewSaved reserves a slot of n bytes, which begins with a Saved, for the request of tx; SetSaved
// must follow. It returns 0 if the arena is full.
func (t *Table) NewSaved(tx *Tx, n int) shm.Off {
	off, ok := t.slab.Alloc(KindSaved, n)
	if !ok {
		t.count[CountArenaFull]++
		return 0
	}
	shm.Ptr[shm.Header](t.arena, off).Owner = t.offOf(&tx.node)
	return off
}

// SetSaved makes the slot at off, now filled, the Saved of tx. Variables and what else is held
// carry over.
func (t *Table) SetSaved(tx *Tx, off shm.Off) {
	s := shm.Ptr[Saved](t.arena, off)
	if s.vars, s.held = 0, 0; tx.saved != 0 {
		was := shm.Ptr[Saved](t.arena, tx.saved)
		s.vars, s.held = was.vars, was.held
	}
	t.slab.Publish(off)
	if tx.saved == 0 {
		t.needs(off, 1) // counted for its program
	}
	t.replace(&tx.saved, off)
}

// HoldUntil is SetSaved for a slot whose user waits for something: User.Waited is called at due,
// unless another slot has taken its place or its DueAt is 0 by then. tx lives until then at least.
func (t *Table) HoldUntil(tx *Tx, off shm.Off, due int64) {
	shm.Ptr[Saved](t.arena, off).DueAt = due
	tx.endAt = max(tx.endAt, due+int64(lifeGuard)) // first: tx must not end earlier
	t.SetSaved(tx, off)
	t.rearmServer(tx, tx.endAt)
}

// waited tells the user that what it holds in tx is due, and reports whether it is.
func (t *Table) waited(tx *Tx) bool {
	s := shm.Ptr[Saved](t.arena, tx.saved)
	if s.DueAt == 0 || s.DueAt > t.now {
		return t.waitedFor(tx)
	}
	s.DueAt = 0
	t.rearmServer(tx, tx.endAt)
	t.user.Waited(tx)
	return true
}

// DropSaved frees the saved request of tx, which nothing will need any more. So its program may be
// let go.
func (t *Table) DropSaved(tx *Tx) {
	t.dropSaved(tx)
	t.rearmServer(tx, tx.endAt)
}

// dropSaved frees the Saved of tx, its variables and what it holds.
func (t *Table) dropSaved(tx *Tx) {
	if tx.saved != 0 {
		s := shm.Ptr[Saved](t.arena, tx.saved)
		t.drop(&s.vars)
		t.dropHeld(s)
		t.needs(tx.saved, -1)
		t.drop(&tx.saved)
	}
}

// need counts the requests that are kept for the routes of a program.
type need struct {
	program uint64
	n       int
}

// needs counts a request that is kept for its program (d is 1), or is no longer (d is -1). There
// are few programs, and the one with most requests stands first.
func (t *Table) needs(saved shm.Off, d int) {
	program := shm.Ptr[Saved](t.arena, saved).Program
	for i := range t.needed {
		if t.needed[i].program == program {
			t.needed[i].n += d
			return
		}
	}
	t.needed = append(t.needed, need{program, d}) // Slow path: once for each program
}

// Programs returns the hashes of the programs that requests are kept for. Other programs will run
// no route any more. It also puts current, the program of new requests, first in the table's list.
func (t *Table) Programs(current uint64) (list []uint64) {
	kept := t.needed[:0]
	first := need{program: current}
	for _, x := range t.needed {
		switch {
		case x.program == current:
			first = x
		case x.n > 0:
			kept = append(kept, x)
		}
	}
	t.needed = append([]need{first}, kept...)
	for _, x := range t.needed {
		if x.n > 0 {
			list = append(list, x.program)
		}
	}
	return list
}

// replace makes ref name off, and frees what it named before.
func (t *Table) replace(ref *shm.Off, off shm.Off) {
	if old := *ref; old != 0 {
		t.later(old)
	}
	*ref = off
}

// Saved returns the slot that SetSaved was given, 0 if there is none. It is valid until tx is
// terminated.
func (tx *Tx) Saved() shm.Off { return tx.saved }

// SetVars keeps n bytes of variables, which fill appends to the slice it is given. With n = 0 there
// are none. tx must have a Saved. If the arena has no room it returns false, and what was kept
// before stays.
func (t *Table) SetVars(tx *Tx, n int, fill VarsWriter) bool {
	s := shm.Ptr[Saved](t.arena, tx.saved)
	if n == 0 {
		t.drop(&s.vars)
		return true
	}
	off, ok := t.slab.Alloc(KindVars, shm.HeaderBytes+n)
	if !ok {
		t.count[CountArenaFull]++
		return false
	}
	if b := fill.AppendKept(t.arena.Bytes(off, 0, n)[:0]); len(b) != n {
		panic(fmt.Sprintf("BUG: %d bytes of variables were announced, %d written", n, len(b)))
	}
	h := shm.Ptr[shm.Header](t.arena, off)
	h.Owner, h.Len = t.offOf(&tx.node), uint32(n)
	t.slab.Publish(off)
	t.replace(&s.vars, off)
	return true
}

// VarsWriter writes variables.
type VarsWriter interface{ AppendKept(b []byte) []byte }

// Vars returns what SetVars kept, nil if nothing: a view, valid until the next SetVars, and then
// for the batch.
func (t *Table) Vars(tx *Tx) []byte {
	if tx.saved == 0 {
		return nil
	}
	if off := shm.Ptr[Saved](t.arena, tx.saved).vars; off != 0 {
		return t.storedBytes(off)
	}
	return nil
}

// OffOf returns where tx is in the arena, for a mail about it; ByKey finds it again.
func (t *Table) OffOf(tx *Tx) shm.Off { return t.offOf(&tx.node) }

// Key returns a number that tells tx from any other transaction that may be in its slot later.
func (tx *Tx) Key() uint64 { return tx.key }

// ByKey returns the transaction at off, nil if it has ended. off comes from outside and may be
// anything.
func (t *Table) ByKey(off shm.Off, key uint64) *Tx {
	if off == 0 || !t.slab.Live(off, KindTx) {
		return nil
	}
	if tx := t.tx(off); tx.key == key && tx.state != Terminated {
		t.hand = off
		return tx
	}
	return nil
}

// Label returns a number that tells tx from another transaction in the same slot, for a routing
// program. Unlike its key it is the same in the process that takes over after a kill.
func (t *Table) Label(tx *Tx) uint32 { return uint32(xxhash.Sum64(t.keyBytes(tx)) & (1<<31 - 1)) }

// ByLabel is ByKey with the Label in place of the key.
func (t *Table) ByLabel(off shm.Off, label uint32) *Tx {
	if off == 0 || !t.slab.Live(off, KindTx) {
		return nil
	}
	if tx := t.tx(off); tx.state != Terminated && t.Label(tx) == label {
		return t.ByKey(off, tx.key)
	}
	return nil
}

// Ringing returns how long an INVITE of tx may ring (Timer C), in ns: ms if that is not 0, else
// what the settings say.
func (t *Table) Ringing(tx *Tx, ms int64) int64 {
	if ms != 0 {
		return ms * int64(time.Millisecond)
	}
	return t.timerC(tx)
}

// timerB returns how long a request of tx waits for a response (Timers B and F), in ns.
func (t *Table) timerB(tx *Tx) int64 {
	if tx.saved != 0 {
		if ms := shm.Ptr[Saved](t.arena, tx.saved).FrMs; ms != 0 {
			return int64(ms) * int64(time.Millisecond)
		}
	}
	return int64(t.timers.B)
}

// timerC returns how long an INVITE of tx may ring (Timer C), in ns.
func (t *Table) timerC(tx *Tx) int64 {
	if tx.saved != 0 {
		if ms := shm.Ptr[Saved](t.arena, tx.saved).FrInvMs; ms != 0 {
			return int64(ms) * int64(time.Millisecond)
		}
	}
	return int64(t.timers.C)
}

// Retime makes the branches of tx that wait for a response follow its own timers after those
// changed: the timer that runs begins anew with its present length (b: Timers B and F; c: Timer C).
// A branch that was cancelled keeps the time of its CANCEL (§9.1).
func (t *Table) Retime(tx *Tx, b, c bool) {
	for off := tx.first; off != 0; {
		br := t.branch(off)
		this := off
		off = br.nextBranch
		if br.flags&(brFinal|brEnded|brCancelled|brKept) != 0 || br.endAt == 0 {
			continue
		}
		rings := br.state == Proceeding && tx.Invite()
		switch {
		case rings && c:
			br.endAt = t.now + t.timerC(tx)
		case !rings && b:
			br.endAt = t.now + t.timerB(tx)
		default:
			continue
		}
		t.armClient(this, br)
	}
}

// BestStatus returns the status given to SetBest last, 0 if there is none.
func (tx *Tx) BestStatus() int { return int(tx.bestWord & bestStatusMask) }

// BestWhy returns the word given to SetBest with that status.
func (tx *Tx) BestWhy() uint8 { return uint8(tx.bestWord >> bestStatusBits) }

// A status takes ten bits (RFC 3261 §7.2), which leaves six.
const (
	bestStatusBits = 10
	bestStatusMask = 1<<bestStatusBits - 1
)

// SetBest notes the status of the best final response so far, with a word of the user's below 64,
// and forgets the copy of the one before.
func (t *Table) SetBest(tx *Tx, status int, why uint8) {
	t.drop(&tx.best)
	tx.bestWord = uint16(status)&bestStatusMask | uint16(why)<<bestStatusBits
}

// KeepBest keeps a copy of that response. If there is no room only its status is kept.
func (t *Table) KeepBest(tx *Tx, segments [][]byte) {
	t.replace(&tx.best, t.join(tx, segments))
}

// Best returns that copy, nil if there is none: a view, valid until the next SetBest or final
// response, and then for the batch.
func (t *Table) Best(tx *Tx) []byte {
	if tx.best == 0 {
		return nil
	}
	return t.storedBytes(tx.best)
}

// AddChallenge adds rows to the challenges. If there is no room they are left out.
func (t *Table) AddChallenge(tx *Tx, rows []byte) {
	if off := t.join(tx, [][]byte{t.Challenges(tx), rows}); off != 0 {
		t.replace(&tx.challenges, off)
	}
}

// Challenges returns the rows added, nil if there are none.
func (t *Table) Challenges(tx *Tx) []byte {
	if tx.challenges == 0 {
		return nil
	}
	return t.storedBytes(tx.challenges)
}

// DropBest forgets the best response and the challenges (t_drop_replies).
func (t *Table) DropBest(tx *Tx) {
	t.SetBest(tx, 0, 0)
	t.drop(&tx.challenges)
}

// join copies segments into a slot of tx. It returns 0 if the arena is full.
func (t *Table) join(tx *Tx, segments [][]byte) shm.Off {
	n := 0
	for _, s := range segments {
		n += len(s)
	}
	off, ok := t.slab.Alloc(KindMessage, shm.HeaderBytes+n)
	if !ok {
		t.count[CountArenaFull]++
		return 0
	}
	b := t.arena.Bytes(off, 0, n)[:0]
	for _, s := range segments {
		b = append(b, s...)
	}
	h := shm.Ptr[shm.Header](t.arena, off)
	h.Owner, h.Len = t.offOf(&tx.node), uint32(n)
	t.slab.Publish(off)
	return off
}

// SetLoop notes a hash of what the request was routed by, for detecting loops (RFC 5393 §4.2.2).
// Loop returns it.
func (tx *Tx) SetLoop(h uint32) { tx.loop = h }

// Loop returns what SetLoop was given.
func (tx *Tx) Loop() uint32 { return tx.loop }
