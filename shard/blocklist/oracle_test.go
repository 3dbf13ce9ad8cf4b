package blocklist

import (
	"testing"
	"time"

	"viaduct/netio"
	"viaduct/shm"
)

// oracle is the plain table: a map.
type oracle struct {
	all  map[oracleKey]oracleEntry
	room int
}

type oracleKey struct {
	proto netio.Proto
	addr  netio.Addr
}

type oracleEntry struct {
	reasons        Reason
	expires, since int64
}

func (e oracleEntry) over(nowMs int64) bool { return nowMs >= e.expires && e.reasons&Permanent == 0 }

func (o *oracle) live(nowMs int64) (n int) {
	for _, e := range o.all {
		if !e.over(nowMs) {
			n++
		}
	}
	return n
}

func (o *oracle) add(k oracleKey, r Reason, ttlMs, nowMs int64) Verdict {
	if k.addr.Family == 6 {
		r |= IPv6
	}
	e, ok := o.all[k]
	switch {
	case ok && !e.over(nowMs):
		o.all[k] = oracleEntry{e.reasons | r, nowMs + ttlMs, e.since}
		return Updated
	case o.live(nowMs) >= o.room:
		return Full
	}
	o.all[k] = oracleEntry{r, nowMs + ttlMs, nowMs}
	return Added
}

func (o *oracle) listed(k oracleKey, nowMs int64) bool {
	for have, e := range o.all {
		if have.addr == k.addr && (have.proto == k.proto || have.proto == AnyProto || k.proto == AnyProto) &&
			!e.over(nowMs) {
			return true
		}
	}
	return false
}

// FuzzOracle: any sequence of operations has the same verdicts on the table and on a map. Three
// bytes an operation: what, on which of 48 keys, an argument.
func FuzzOracle(f *testing.F) {
	f.Add([]byte{0, 1, 9, 0, 2, 9, 1, 1, 0, 5, 0, 200, 1, 1, 0, 2, 2, 0, 0, 1, 0x80, 3, 0, 0, 1, 1, 0})
	f.Add([]byte{0, 1, 1, 0, 2, 1, 0, 3, 1, 0, 4, 1, 0, 5, 1, 0, 6, 1, 0, 7, 1, 5, 0, 255, 0, 8, 1, 4, 0, 0, 6, 0, 0, 1,
		8, 0})
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) > 3000 {
			ops = ops[:3000]
		}
		const room = 9
		a, err := shm.Create(shm.Config{Bytes: shm.MinArenaBytes, Shards: 1, Layout: layout()})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		c := DefaultConfig()
		c.Use = true
		entries(room)(&c)
		table, err := New(a, c)
		if err != nil {
			t.Fatal(err)
		}
		plain := &oracle{all: map[oracleKey]oracleEntry{}, room: room}
		protos := []netio.Proto{netio.UDP, netio.TCP, AnyProto}
		now := int64(1000)
		for ; len(ops) >= 3; ops = ops[3:] {
			k := oracleKey{protos[ops[1]%3], *proofAddr(uint32(ops[1] / 3 % 16))}
			arg := ops[2]
			switch ops[0] % 7 {
			case 0:
				r := Reason(arg&0x80) | Timeout<<(arg&1)
				ttl := int64(arg%32)*40 + 1
				add := table.Add
				if arg&2 != 0 {
					add = table.AddWaiting
				}
				c := Cause{Reasons: r, TTL: time.Duration(ttl) * time.Millisecond}
				if got, want := add(k.proto, &k.addr, c, now), plain.add(k, r, ttl, now); got != want {
					t.Fatalf("add %v: %v, want %v", k, got, want)
				}
			case 1:
				e, got := table.Look(k.proto, &k.addr, now)
				if want := plain.listed(k, now); got != want || table.Listed(k.proto, &k.addr, now) != want {
					t.Fatalf("look %v: %v, want %v", k, got, want)
				}
				if have := plain.all[oracleKey{e.Proto, e.Addr}]; got &&
					(have.reasons != e.Reasons || have.expires != e.ExpiresMs || have.since != e.SinceMs) {
					t.Fatalf("%+v, want %+v", e, have)
				}
			case 2:
				e, ok := plain.all[k]
				got := table.Delete(k.proto, &k.addr)
				if ok && !e.over(now) && !got || !ok && got {
					t.Fatalf("delete %v: %v, want %v", k, got, ok)
				}
				delete(plain.all, k)
			case 3:
				table.DeleteAll()
				for k, e := range plain.all {
					if e.reasons&Permanent == 0 {
						delete(plain.all, k)
					}
				}
			case 4:
				table.GC(now)
			case 5:
				now += int64(arg) * 4
			case 6:
				page := make([]Entry, 2*room)
				n, next := table.View(0, now, page)
				if n != plain.live(now) || next != 0 {
					t.Fatalf("view of %d, want %d", n, plain.live(now))
				}
				for _, e := range page[:n] {
					if have := plain.all[oracleKey{e.Proto, e.Addr}]; have != (oracleEntry{e.Reasons, e.ExpiresMs,
						e.SinceMs}) {
						t.Fatalf("%+v, want %+v", e, have)
					}
				}
			}
			if err := checkBooks(table); err != nil {
				t.Fatal(err)
			}
		}
	})
}
