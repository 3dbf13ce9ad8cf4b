package place

import (
	"testing"
	"time"

	"viaduct/netio"
)

// queueModel is a socket with room for so many new calls, and a shard that works in rounds as
// a shard does: it reads a batch, handles perMs calls in a millisecond or five times as many
// refusals, while more arrives, and then looks at the queue.
type queueModel struct {
	o              Overload
	now            float64 // ms
	room, waiting  float64
	perMs          float64
	drops          float64
	taken, refused int
}

func newQueueModel(room, perMs float64) *queueModel {
	m := &queueModel{room: room, perMs: perMs, now: 3.6e6}
	m.o = NewOverload(false, int64(m.now*1e6))
	m.o.now = int64(m.now * 1e6)
	return m
}

// pass lets time go by without the shard.
func (m *queueModel) pass(ms, arrivePerMs float64) {
	m.now += ms
	m.waiting += ms * arrivePerMs
	m.drops += max(m.waiting-m.room, 0)
	m.waiting = min(m.waiting, m.room)
}

func (m *queueModel) run(d time.Duration, arrivePerMs float64) {
	m.taken, m.refused, m.drops = 0, 0, float64(m.o.drops)
	before := m.drops
	for end := m.now + float64(d.Milliseconds()); m.now < end; {
		n := int(min(m.waiting, netio.RecvBatch))
		m.waiting -= float64(n)
		m.pass(0.01, arrivePerMs)
		for range n {
			if m.o.Refusing() && m.o.Refuses() {
				m.refused++
				m.pass(0.2/m.perMs, arrivePerMs)
			} else {
				m.taken++
				m.pass(1/m.perMs, arrivePerMs)
			}
		}
		if n < LongBatch && m.o.Calm(int64(m.now*1e6)) {
			continue
		}
		m.o.See(netio.RecvQueue{UsedBytes: uint32(m.waiting * 1280), BufferBytes: uint32(m.room * 1280)}, n,
			n*(1280-datagramOverhead))
		m.o.Look(int64(m.now*1e6), uint64(m.drops))
	}
	m.drops -= before
}

// A pause of the machine fills the queue, and nothing is refused for it: what waits is worked off.
func TestOverloadSparesPauses(t *testing.T) {
	m := newQueueModel(3000, 50)
	m.run(time.Second, 40)
	for range 5 {
		m.pass(70, 40)
		m.run(time.Second, 40)
		if m.refused != 0 {
			t.Fatalf("%d calls refused after a pause", m.refused)
		}
	}
}

// At three times the capacity nearly everything the shard can do besides refusing is done, and
// after the first seconds nothing is lost; when it is over, so is the refusing.
func TestOverloadKeepsGoodput(t *testing.T) {
	for _, room := range []float64{1024, 3000, 20000} {
		m := newQueueModel(room, 50)
		m.run(4*time.Second, 150)
		m.run(10*time.Second, 150)
		// taken + 0.2 refused = 50 and taken + refused = 150 a millisecond.
		if most := 25 * 10000; m.taken < most*9/10 || m.drops > 150*10000/1000 {
			t.Errorf("room %v: %d taken of at most %d, %d refused, %.0f lost", room, m.taken, most, m.refused, m.drops)
		}
		m.run(4*time.Second, 40)
		if m.run(time.Second, 40); m.refused != 0 || m.drops != 0 || m.o.share != 0 {
			t.Errorf("room %v: %d refused and %.0f lost after it was over", room, m.refused, m.drops)
		}
		// The next one is noticed as late as the first: a pause again is none.
		m.pass(100, 40)
		if m.run(time.Second, 40); m.refused != 0 {
			t.Errorf("room %v: %d refused after a pause", room, m.refused)
		}
	}
}

// A buffer so small that a batch may be all of it: nothing is refused while nothing is lost,
// however long the batches are; and in overload little is lost.
func TestOverloadOfSmallBuffer(t *testing.T) {
	for _, room := range []float64{166, 400} {
		m := newQueueModel(room, 50)
		m.run(time.Second, 48)
		m.pass(room/50*0.6, 50)
		if m.run(3*time.Second, 48); m.refused != 0 || m.drops != 0 {
			t.Errorf("room %v: %d refused and %.0f lost although there was time for all", room, m.refused, m.drops)
		}
		m.run(4*time.Second, 150)
		m.run(10*time.Second, 150)
		if most := 25 * 10000; m.taken < most*3/4 || m.drops > 150*10000/50 {
			t.Errorf("room %v: %d taken of at most %d, %d refused, %.0f lost", room, m.taken, most, m.refused, m.drops)
		}
	}
}

// What the kernel drops from a queue that is never full had a wrong checksum: who sends such
// datagrams must not have calls refused.
func TestOverloadIsNotForged(t *testing.T) {
	m := newQueueModel(3000, 50)
	for range 3000 {
		m.run(time.Millisecond, 45)
		m.o.See(netio.RecvQueue{UsedBytes: 100 * 1280, BufferBytes: 3000 * 1280}, 256, 256*(1280-datagramOverhead))
		m.o.Look(int64(m.now*1e6), m.o.drops+3)
		if m.o.share != 0 || m.refused != 0 {
			t.Fatal("calls are refused")
		}
	}
}

// A shard that slept finds a long queue at once, and has been idle all the time before.
func TestOverloadAfterSleep(t *testing.T) {
	m := newQueueModel(4000, 10)
	m.now += 60_000
	m.waiting = 3900
	m.run(time.Second, 0)
	if m.refused > 0 {
		t.Errorf("%d calls are refused after a sleep", m.refused)
	}
}
