package traffic

import (
	"fmt"

	"golang.org/x/sys/unix"
)

type state uint8

const (
	stateFree       state = iota
	stateCalling          // request sent, no answer yet
	stateProceeding       // provisional answer seen
	stateHeld             // Hold: ringing, and meant to
	stateCancelling       // CANCEL sent
	stateTalking          // BYE sent
	stateOver             // ended for the caller; a message is still missing
)

// call is one call as both ends see it. The fields of the two ends are apart: no end reads what
// only the other may know, except to check it.
type call struct {
	id    [idBytes]byte
	start int64 // when the first request was due, ns of the engine's clock
	bye   int64 // when BYE was sent
	// giveUp is when the caller abandons, ms.
	giveUp uint32
	// sent and got hold one bit per kind.
	sent, got uint16
	// again has the kinds sent more than once: these cannot be told to be out of order.
	again uint16
	// interval is the caller's current retransmission interval, answerInterval the answerer's, ms.
	interval, answerInterval uint16
	requestLen, echoLen      uint16
	caller, target           uint8
	// answerer is 1 + the place of the answerer that has the call; 0 means none of ours.
	answerer uint8
	state    state
	outcome  outcome
	// released: Hold has told it to end.
	released bool
}

type outcome uint8

const (
	outcomeCompleted outcome = iota
	outcomeFailed
	outcomeAbandoned
)

// table is all calls by slot. The two large parts are mapped outside the Go heap and touched only
// where used.
type table struct {
	calls []call
	// due is when the caller's timer of a slot fires, dueAnswer the answerer's, in ms of the
	// engine's clock; 0 means not set.
	due, dueAnswer []uint32
	free           []uint32
	high           uint32 // slots below were used at least once
	requests, echo []byte
	mapped         [][]byte
}

func newTable(slots int) (*table, error) {
	t := &table{
		calls: make([]call, slots), due: make([]uint32, slots), dueAnswer: make([]uint32, slots),
		free: make([]uint32, slots),
	}
	for i := range t.free {
		t.free[i] = uint32(slots - 1 - i)
	}
	for _, part := range []struct {
		b      *[]byte
		stride int
	}{{&t.requests, requestBytes}, {&t.echo, echoBytes}} {
		b, err := unix.Mmap(-1, 0, max(slots, 1)*part.stride, unix.PROT_READ|unix.PROT_WRITE,
			unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
		if err != nil {
			t.close()
			return nil, fmt.Errorf("cannot map memory for %d calls: %w", slots, err)
		}
		*part.b = b
		t.mapped = append(t.mapped, b)
	}
	return t, nil
}

func (t *table) close() {
	for _, b := range t.mapped {
		_ = unix.Munmap(b) // only fails for a range that is not mapped
	}
	t.mapped = nil
}

func (t *table) take() (uint32, bool) {
	if len(t.free) == 0 {
		return 0, false
	}
	slot := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	t.high = max(t.high, slot+1)
	return slot, true
}

func (t *table) put(slot uint32) {
	if t.calls[slot].state == stateFree {
		panic(fmt.Sprintf("BUG: slot %d freed twice", slot))
	}
	t.calls[slot] = call{}
	t.due[slot], t.dueAnswer[slot] = 0, 0
	t.free = append(t.free, slot)
}

// request is the room for the stored BYE of a slot, echo that for the stored lines of its
// responses.
func (t *table) request(slot uint32) []byte {
	from := int(slot) * requestBytes
	return t.requests[from : from : from+requestBytes]
}

func (t *table) echoOf(slot uint32) []byte {
	from := int(slot) * echoBytes
	return t.echo[from : from : from+echoBytes]
}

// find gives the call that a Call-ID names, nil if it is over or not ours.
func (t *table) find(callID []byte) (*call, uint32) {
	if len(callID) < idBytes+1+slotBytes || callID[idBytes] != '-' {
		return nil, 0
	}
	v, ok := hexValue(callID[idBytes+1 : idBytes+1+slotBytes])
	if !ok || v >= uint64(len(t.calls)) {
		return nil, 0
	}
	c := &t.calls[v]
	if c.state == stateFree || string(c.id[:]) != string(callID[:idBytes]) {
		return nil, 0
	}
	return c, uint32(v)
}
