package shard

import (
	"encoding/binary"

	"viaduct/netio"
	"viaduct/shm"
)

// handover carries datagrams between shards through rings in the arena, one per
// pair and direction. A record is
//
//	 0        16     18    19   20     24         26     28
//	+---------+------+-----+----+------+----------+------+-----…
//	| src IP  | port | fam | prt| zone | listener | kind | bytes
//	+---------+------+-----+----+------+----------+------+-----…
//
// Records are published and the owner is woken once per batch. Records that were taken stay where
// they are until the batch is flushed, since what is sent may point into them.
type handover struct {
	to, from []*shm.Ring // by shard; nil for this one
	bells    []*shm.Doorbell
	dirty    []bool
	crowded  bool  // a ring may be more than half full
	heldAt   int64 // since when sockets are not read because of that, ns; 0 if they are read
	handed   bool  // the message at hand came through a ring: it is not handed on again
	packet   netio.Packet
}

const (
	handedHeader   = 28
	handedDatagram = 0
	handedICMP     = 1
)

// datagram hands p to its owner.
func (h *handover) datagram(w *worker, owner int, p *netio.Packet) {
	if h.put(owner, handedDatagram, &p.Src, p.Listener, p.Data) {
		w.count[CountHandedOff]++
		return
	}
	w.count[CountRingFull]++
	w.drop(RingFull)
}

// icmp hands the quotation in an ICMP error to the shard whose datagram it was.
func (h *handover) icmp(w *worker, owner int, quoted []byte) {
	if owner >= w.shards {
		return
	}
	if !h.put(owner, handedICMP, &netio.Addr{}, 0, quoted) {
		w.count[CountRingFull]++
	}
}

func (h *handover) put(owner int, kind uint16, src *netio.Addr, listener uint16, b []byte) bool {
	rec := h.to[owner].Reserve(handedHeader + len(b))
	if rec == nil {
		return false
	}
	copy(rec, src.IP[:])
	binary.NativeEndian.PutUint16(rec[16:], src.Port)
	rec[18], rec[19] = src.Family, uint8(src.Proto)
	binary.NativeEndian.PutUint32(rec[20:], src.Zone)
	binary.NativeEndian.PutUint16(rec[24:], listener)
	binary.NativeEndian.PutUint16(rec[26:], kind)
	copy(rec[handedHeader:], b)
	h.to[owner].Commit()
	h.dirty[owner] = true
	return true
}

// holdsBack reports whether the sockets must wait because a ring to another shard is more than half
// full: the kernel has more room than a ring. It returns false again after holdFor; from then on
// datagrams that find the ring full are dropped, so that a shard that hangs does not stop the
// others.
func (h *handover) holdsBack(now int64) bool {
	if !h.crowded {
		return false
	}
	h.crowded = false
	for _, r := range h.to {
		if r != nil && r.Free() < r.Cap()/2 {
			h.crowded = true
			break
		}
	}
	switch {
	case !h.crowded:
		h.heldAt = 0
	case h.heldAt == 0:
		h.heldAt = now
	}
	return h.crowded && now-h.heldAt < int64(holdFor)
}

// publish lets the other shards see what was handed to them, and wakes those asleep.
func (h *handover) publish() {
	for i, d := range h.dirty {
		if d {
			h.dirty[i], h.crowded = false, true // looked at before the next batch
			if h.to[i].Publish() {
				h.bells[i].Ring()
			}
		}
	}
}

// waiting reports whether a ring has something to take.
func (h *handover) waiting() bool {
	for _, r := range h.from {
		if r != nil && !r.Empty() {
			return true
		}
	}
	return false
}

// release frees the records that were taken.
func (h *handover) release() {
	for _, r := range h.from {
		if r != nil {
			r.Release()
		}
	}
}

// takeHandedOver handles what the other shards handed to this one.
func (w *worker) takeHandedOver() (got int) {
	h := &w.handover
	h.handed = true
	for _, r := range h.from {
		if r == nil {
			continue
		}
		for n := 0; n < handedPerRound; n++ {
			rec := r.Next()
			if rec == nil {
				break
			}
			got++
			w.handed(rec)
		}
	}
	h.handed = false
	return got
}

// handed handles one record.
func (w *worker) handed(rec []byte) {
	defer w.contain()
	w.step = stepDatagram
	w.handover.handed = true // a panic in the record before may have reset it
	w.count[CountTakenOver]++
	if binary.NativeEndian.Uint16(rec[26:]) == handedICMP {
		w.step = stepTransport
		if w.port != nil {
			w.port.Flow(0) // not the call of the record before
		}
		w.tx.Begin()
		w.core.NotDelivered(rec[handedHeader:])
		return
	}
	p := &w.handover.packet
	copy(p.Src.IP[:], rec)
	p.Src.Port = binary.NativeEndian.Uint16(rec[16:])
	p.Src.Family, p.Src.Proto = rec[18], netio.Proto(rec[19])
	p.Src.Zone = binary.NativeEndian.Uint32(rec[20:])
	p.Listener = binary.NativeEndian.Uint16(rec[24:])
	p.Data = rec[handedHeader:]
	p.Truncated = false
	w.message(p, w.parse(p.Data))
}
