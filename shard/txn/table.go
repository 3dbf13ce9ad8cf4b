package txn

import (
	"bytes"
	"errors"
	"hash/maphash"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shm"
)

// Sender is the shard's send queue. A message is put into it by Begin, Append for each of its
// segments, and End.
type Sender interface {
	// SetStreamOptions sets the options of the message begun next. They have no effect if that
	// leaves as a datagram. The receiver must show a certificate of domain (RFC 5922); if domain is
	// empty only its address is known. The bytes of domain are kept by reference until the shard
	// flushes.
	SetStreamOptions(o StreamOptions, domain []byte)
	// Begin begins a message. The token comes back if the message fails: it names the Branch that
	// sent the message, or is 0.
	Begin(listener int, dst *netio.Addr, token uint64)
	// Append adds bytes to the message. They are kept by reference until the shard flushes.
	Append(segment []byte)
	// End queues the message.
	End()
	// Abandon drops the message begun, and the options of the next one.
	Abandon()
}

// User is told what a transaction cannot decide. Its methods are called from [Table.Expire] and
// [Table.TransportError]. When they return br is over, except after Timer C.
type User interface {
	// Expired says that the transaction's lifetime is over (max_inv_lifetime, max_noninv_lifetime)
	// while branches of it are under way.
	Expired(tx *Tx)
	// BranchTimeout says that no final response came in time (Timers B, C or F). After Timer C br
	// goes on until its CANCEL has brought a final, or has timed out.
	BranchTimeout(tx *Tx, br *Branch)
	// BranchFailed says that the request could not be sent, or that an ICMP error reported that it
	// did not arrive (§17.1.4, §18.4).
	BranchFailed(tx *Tx, br *Branch)
	// StillTrying says that a non-INVITE has no final response at the time when the caller's Timer
	// E has reached T2: from now on, and not earlier, a 100 may be sent (RFC 4320 §4.1).
	StillTrying(tx *Tx)
	// Finished says that the final response to a request made here has come, or was made here, see
	// SetOurs. again says that it is a repetition.
	Finished(tx *Tx, status int, again Again)
	// Waited says that what the user holds in the transaction's saved slot is due, see HoldUntil.
	Waited(tx *Tx)
	// WaitedFor says that what the user holds at off is due, see Held.
	WaitedFor(tx *Tx, off shm.Off)
}

// Random returns 64 unpredictable bits.
type Random func() uint64

// Config is what a Table is made from.
type Config struct {
	Settings

	Shard    int
	Arena    *shm.Arena
	Sender   Sender
	User     User
	Counters *shm.Counters
	Random   Random
	// Life tells branches of this process from those of earlier processes on the same address;
	// MarkKey is the secret that they share. See Former. A process that takes over an arena takes
	// over its Life.
	Life    uint32
	MarkKey [2]uint64
	Now     int64 // ns; all times given later come from the same clock
	// Ended is called when a transaction and all its branches are over. It may be nil.
	Ended func(tx *Tx)
	// Sent is called for what a transaction sends by itself: the CANCEL or BYE of br, its ACK to a
	// final other than a 2xx, and retransmissions; with br nil it is a response. It may be nil.
	Sent func(tx *Tx, br *Branch, method parser.Method, again Again)
}

// Again says whether something is sent again or for the first time.
type Again bool

// Table holds the transactions of one shard. See the package comment for who may
// use it.
type Table struct {
	shard      int
	arena      *shm.Arena
	slab       *shm.Slab
	out        Sender
	user       User
	count      *shm.Counters
	random     Random
	timers     Timers
	now        int64
	seed       maphash.Seed
	seed2      maphash.Seed
	index      index
	calls      index // by Call-ID and CSeq, see calls.go; empty unless the settings want it
	maxBr      uint8
	life       uint32
	markKey    [2]uint64
	branchHead []byte // beginning of our Via branches, up to the shard
	lifeText   []byte // life, as in our Via branches
	born       int64  // when the table was made, ns
	stillAt    int64  // how old a non-INVITE is when it may have its 100
	before     CancelBefore
	restartC   bool
	relay100   bool
	hopHeaders string
	held       int   // server transactions alive
	answers    int   // server transactions that keep a 2xx made here, see Answer
	open       int   // server transactions without a final response
	final      int64 // when a transaction last had its final response, ns
	wheel      wheel
	keyBuf     []byte
	callBuf    []byte         // see callTag
	scratch    []byte         // for ACK and CANCEL being built
	stored     parser.Message // for reading a request sent earlier
	answeredBy []byte         // see Answered
	limbo      []shm.Off
	freed      int     // how many of limbo are freed, by a Reclaim that a panic cut short
	hand       shm.Off // the record at work in this step, see InHand
	ended      func(tx *Tx)
	sent       func(tx *Tx, br *Branch, method parser.Method, again Again)
	needed     []need // see Programs

	// See SetReserve.
	reservePool, reserveEach uint64
	reserveIndex             int
}

// New makes an empty table.
func New(c Config) (*Table, error) {
	x, err := newIndex(c.Arena.TotalBytes(), c.Arena.Shards())
	if err != nil {
		return nil, err
	}
	t := &Table{
		shard: c.Shard, arena: c.Arena, slab: c.Arena.Slab(c.Shard), out: c.Sender, user: c.User,
		count:  c.Counters,
		random: c.Random, now: c.Now, seed: maphash.MakeSeed(), seed2: maphash.MakeSeed(),
		index:  x,
		keyBuf: make([]byte, 0, 1024), scratch: make([]byte, 0, 64<<10),
		limbo: make([]shm.Off, 0, limboSlots),
	}
	t.life, t.markKey, t.born = c.Life&(1<<lifeBits-1), c.MarkKey, c.Now
	t.branchHead, t.lifeText = appendHex([]byte(BranchPrefix), uint64(c.Shard), 2),
		appendHex(nil, uint64(t.life), lifeDigits)
	t.Configure(&c)
	t.wheel.init(c.Now)
	return t, nil
}

// Close frees what the table has outside the arena and the Go heap. The records stay, for another
// table; this one may not be used any more.
func (t *Table) Close() error { return errors.Join(t.index.free(), t.calls.free()) }

// Configure replaces Settings, Ended and Sent. Timers that run already run out as they were set.
func (t *Table) Configure(c *Config) {
	t.timers, t.maxBr = c.Timers, MaxBranches
	t.timers.T2 = max(c.T2, c.T1)
	if c.MaxBranches > 0 && c.MaxBranches < MaxBranches {
		t.maxBr = uint8(c.MaxBranches)
	}
	t.before, t.restartC, t.ended, t.sent = c.CancelBefore, c.RestartC, c.Ended, c.Sent
	t.relay100, t.hopHeaders = c.Relay100, c.HopHeaders
	if c.FindCalls && t.calls.slots == nil {
		t.beginCalls()
	}
	t.stillAt = 0
	for i := c.T1; i < t.timers.T2; i *= 2 {
		t.stillAt += int64(i)
	}
	t.stillAt = max(t.stillAt, int64(c.T1))
}

// SetUser replaces the user given in Config, between two messages; the new one may pass the calls
// on.
func (t *Table) SetUser(u User) { t.user = u }

// SetNow sets the time, in ns, once per batch.
func (t *Table) SetNow(now int64) {
	t.now = now
	if t.wheel.armed == 0 {
		t.wheel.tick = now >> tickShift // no slot is passed over, however long the shard slept
	}
}

// Shard returns the number of the shard that the table belongs to.
func (t *Table) Shard() int { return t.shard }

// Held returns how many server transactions are alive.
func (t *Table) Held() int { return t.held }

// Unanswered returns how many of them have had no final response.
func (t *Table) Unanswered() int { return t.open }

// SetReserve sets what is left free while Reserve is on: pool bytes of the arena's pool, and each
// bytes of free slots of each size class (shm.Slab.Reserve).
func (t *Table) SetReserve(pool, each uint64) {
	t.reservePool, t.reserveEach = pool, each
	t.reserveIndex = min(max(t.index.most/indexReserve, int(each/txBytes)), t.index.most/2)
}

// ReserveBytes returns how much of the arena's pool is left free while Reserve is on.
func (t *Table) ReserveBytes() uint64 { return t.reservePool }

// Reserve makes new records and copies leave the reserve of the arena free, and as much of the
// index, until it is switched off. It returns whether it was on.
func (t *Table) Reserve(on bool) (was bool) {
	was = t.index.leave > 0
	if !on {
		t.slab.Reserve(0, 0)
		t.index.leave = 0
		return was
	}
	t.slab.Reserve(t.reservePool, t.reserveEach)
	t.index.leave = t.reserveIndex
	return was
}

// LastFinal returns when a transaction last had its final response, in ns.
func (t *Table) LastFinal() int64 { return t.final }

// NextDue returns when the next timer fires, in ns; ok is false if none is armed.
func (t *Table) NextDue() (due int64, ok bool) { return t.wheel.nextDue() }

// Reclaim frees the slots that ended during the batch. Call it when nothing in the send queue
// refers to the arena any more.
func (t *Table) Reclaim() {
	for t.freed < len(t.limbo) {
		off := t.limbo[t.freed]
		t.freed++ // first, so that a slot that cannot be freed panics only once
		t.slab.Free(off)
	}
	t.limbo, t.freed = t.limbo[:0], 0
}

func (t *Table) node(off shm.Off) *node     { return shm.Ptr[node](t.arena, off) }
func (t *Table) tx(off shm.Off) *Tx         { return shm.Ptr[Tx](t.arena, off) }
func (t *Table) branch(off shm.Off) *Branch { return shm.Ptr[Branch](t.arena, off) }
func (t *Table) offOf(n *node) shm.Off      { return shm.OffOf(t.arena, n) }
func (t *Table) later(off shm.Off)          { t.limbo = append(t.limbo, off) }

// Match finds the server transaction with that key (§17.2.3), or nil.
func (t *Table) Match(k Key) *Tx {
	if t.held == 0 {
		return nil // the index is a cache miss: 0.5 us a call to a stateless program
	}
	x, tag := &t.index, tagOf(k.hash)
	for i := tag & x.mask; x.slots[i] != 0; i = (i + 1) & x.mask {
		if e := x.slots[i]; uint32(e>>32) == tag {
			if tx := t.tx(shm.Off(e)); tx.key == k.hash && bytes.Equal(t.keyBytes(tx), k.bytes) {
				return tx
			}
		}
	}
	return nil
}

func (t *Table) keyBytes(tx *Tx) []byte {
	if tx.keyExtra != 0 {
		return t.arena.Bytes(tx.keyExtra, 0, int(tx.keyLen))
	}
	return tx.keyInline[:tx.keyLen]
}

// NewServer makes the server transaction of a request with that key, which must not match an
// existing one. Responses will go to replyTo through listener. It returns nil if the arena or the
// index is full.
func (t *Table) NewServer(k Key, method parser.Method, replyTo *netio.Addr, listener uint16) *Tx {
	if t.index.used >= t.index.most-t.index.leave {
		t.count[CountIndexFull]++
		return nil
	}
	off, ok := t.slab.Alloc(KindTx, txBytes)
	if !ok {
		t.count[CountArenaFull]++
		return nil
	}
	tx := t.tx(off)
	h := tx.Header
	*tx = Tx{key: k.hash, replyTo: *replyTo, listener: listener, keyLen: uint16(len(k.bytes))}
	tx.Header = h
	if len(k.bytes) <= keyInlineBytes {
		copy(tx.keyInline[:], k.bytes)
	} else if tx.keyExtra = t.store(off, KindKey, k.bytes); tx.keyExtra == 0 {
		t.slab.Free(off)
		return nil
	}
	tx.method = uint8(method)
	tx.state = Trying
	guard := t.timers.MaxNonInvite
	if method == parser.INVITE {
		tx.state = Proceeding // §17.2.1: entered at once, the TU sends the 100
		guard = t.timers.MaxInvite
	}
	if guard <= 0 {
		guard = lifeGuard
	}
	tx.endAt = t.now + int64(guard)
	due := tx.endAt
	if method != parser.INVITE {
		tx.retransAt = t.now + t.stillAt
		due = min(due, tx.retransAt)
	}
	t.index.put(k.hash, off) // there is room
	t.arm(off, &tx.node, due)
	t.slab.Publish(off)
	t.held++
	t.open++
	t.count[CountTx]++
	return tx
}

// store copies b into a slot owned by owner. It returns 0 if the arena is full.
func (t *Table) store(owner shm.Off, kind shm.Kind, b []byte) shm.Off {
	off, ok := t.slab.Alloc(kind, shm.HeaderBytes+len(b))
	if !ok {
		t.count[CountArenaFull]++
		return 0
	}
	copy(t.arena.Bytes(off, 0, len(b)), b)
	h := shm.Ptr[shm.Header](t.arena, off)
	h.Owner, h.Len = owner, uint32(len(b))
	t.slab.Publish(off)
	return off
}

// storedBytes returns the bytes of a slot filled by store.
func (t *Table) storedBytes(off shm.Off) []byte {
	return t.arena.Bytes(off, 0, int(shm.Ptr[shm.Header](t.arena, off).Len))
}

// drop sets a slot aside for Reclaim and clears the reference to it.
func (t *Table) drop(ref *shm.Off) {
	if *ref != 0 {
		t.later(*ref)
		*ref = 0
	}
}

// unmatch removes tx from the hash index: no request belongs to it any more.
func (t *Table) unmatch(tx *Tx) {
	if tx.flags&txUnmatched != 0 {
		return
	}
	tx.flags |= txUnmatched
	t.dropCall(tx)
	if !t.index.remove(tx.key, t.offOf(&tx.node)) {
		panic("BUG: a transaction is not in the index")
	}
}

// terminate ends the server side. The record is freed with its last branch.
func (t *Table) terminate(tx *Tx) {
	t.answered(tx)
	tx.state = Terminated
	t.unmatch(tx)
	off := t.offOf(&tx.node)
	t.disarm(off, &tx.node)
	t.dropReply(tx)
	t.drop(&tx.keyExtra)
	t.dropSaved(tx)
	t.drop(&tx.best)
	t.drop(&tx.challenges)
	t.dropSpares(tx)
	if tx.live == 0 {
		t.freeTx(off, tx)
	}
}

// Terminate ends a transaction that will never be answered, silently (RFC 4320
// §4.2: no 408 to a non-INVITE).
func (t *Table) Terminate(tx *Tx) {
	if tx.state != Terminated {
		t.terminate(tx)
	}
}

// answered notes that tx has had its final response, or never will.
func (t *Table) answered(tx *Tx) {
	if tx.flags&txAnswered == 0 {
		tx.flags |= txAnswered
		if tx.flags&txUncounted == 0 {
			t.open--
			t.final = t.now
		}
		t.drop(&tx.best)
		t.drop(&tx.challenges)
	}
}

func (t *Table) freeTx(off shm.Off, tx *Tx) {
	if tx.first != 0 {
		panic("BUG: a transaction ends before its branches")
	}
	if t.ended != nil {
		t.ended(tx)
	}
	t.later(off)
	t.held--
	t.count[CountTxFreed]++
}

// send queues the stored bytes at off.
func (t *Table) send(listener uint16, dst *netio.Addr, token uint64, off shm.Off) {
	t.out.Begin(int(listener), dst, token)
	t.out.Append(t.storedBytes(off))
	t.out.End()
}
