package blocklist

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"viaduct/netio"
)

// The race detector does not see the arena. So entries carry their own proof: since, owner and
// expiry follow from the address, and an address takes only some of the ports.

// proofAddr is address i of few, so that buckets are shared and slots used anew all the time.
func proofAddr(i uint32) *netio.Addr {
	a := netio.Addr{Family: 4, Port: uint16(i*7 + 1)}
	binary.BigEndian.PutUint32(a.IP[:4], 0xc6336400+i%13)
	if i%3 == 0 {
		a.Family, a.Zone = 6, i
		binary.BigEndian.PutUint64(a.IP[8:], uint64(i)*0x0101010101010101)
	}
	return &a
}

func proofSince(a *netio.Addr) int64 {
	return int64(binary.LittleEndian.Uint64(a.IP[:8])%997)*1000 + int64(a.Port)
}

func proofOwner(a *netio.Addr, odd bool) string {
	s := fmt.Sprintf("%07x", uint32(proofSince(a))*2654435761>>4)
	if odd {
		return s + "b"
	}
	return s + "a"
}

// proofTTL tells the version: entries are renewed with either owner, each with its own expiry.
func proofTTL(odd bool) time.Duration {
	if odd {
		return 2_000_000 * time.Millisecond
	}
	return 1_000_000 * time.Millisecond
}

// prove judges an entry.
func prove(e *Entry) error {
	if e.SinceMs != proofSince(&e.Addr) {
		return fmt.Errorf("torn: since %d of %+v", e.SinceMs, *e)
	}
	odd := e.ExpiresMs == e.SinceMs+proofTTL(true).Milliseconds()
	if !odd && e.ExpiresMs != e.SinceMs+proofTTL(false).Milliseconds() {
		return fmt.Errorf("torn: expiry of %+v", *e)
	}
	if e.Owner.String() != proofOwner(&e.Addr, odd) {
		return fmt.Errorf("torn: owner %q, want %q, of %+v", e.Owner, proofOwner(&e.Addr, odd), *e)
	}
	return nil
}

// proofStep does one thing a writer does.
func proofStep(t *Table, rng *rand.Rand, addrs uint32) {
	a := proofAddr(rng.Uint32N(addrs))
	odd := rng.IntN(2) == 1
	if rng.IntN(8) == 0 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(rng.IntN(2 * MaxNetworks))}), 16)
		n := netio.AddrFrom(netip.AddrPortFrom(p.Addr(), 0))
		if rng.IntN(3) == 0 {
			t.DeleteNetwork(netio.UDP, p, 0)
		} else {
			t.AddNetwork(netio.UDP, p, 0, Cause{Reasons: Timeout, TTL: proofTTL(odd), Owner: proofOwner(&n, odd)},
				proofSince(&n))
		}
		return
	}
	switch {
	case rng.IntN(3) > 0:
		c := Cause{Reasons: Timeout, TTL: proofTTL(odd), Owner: proofOwner(a, odd)}
		t.Add(netio.UDP, a, c, proofSince(a))
	case rng.IntN(200) == 0:
		t.DeleteAll()
	default:
		t.Delete(netio.UDP, a)
	}
}

// checkBooks counts every node once, in a chain or in the free list. Nobody else may work on the
// table.
func checkBooks(t *Table) error {
	seen := make([]bool, t.root.Slots+1)
	count := func(link uint32) error {
		if link > t.root.Slots || seen[link] {
			return fmt.Errorf("node %d is linked twice, or there is none", link)
		}
		seen[link] = true
		return nil
	}
	for i := range t.root.networks {
		if n := &t.root.networks[i]; n.life != 0 && (!n.sane() || uint32(i) >= t.root.networksUsed) {
			return fmt.Errorf("network %d of %d: %+v", i, t.root.networksUsed, *n)
		}
	}
	used, freeNodes := uint32(0), uint32(0)
	for i := range t.root.Buckets {
		for link := t.bucket(i).head; link != 0; link = t.node(link).next {
			n := t.node(link)
			k := key{n.ip, n.key}
			if n.life == 0 || k.hash(&t.root.seed)&t.mask != i {
				return fmt.Errorf("node %d is in bucket %d with life %x", link, i, n.life)
			}
			if err := count(link); err != nil {
				return err
			}
			used++
		}
	}
	for link := t.root.free; link != 0; link = t.node(link).next {
		if t.node(link).life != 0 {
			return fmt.Errorf("node %d is free and alive", link)
		}
		if err := count(link); err != nil {
			return err
		}
		freeNodes++
	}
	if used != t.root.used || used+freeNodes != t.root.Slots {
		return fmt.Errorf("%d in chains, %d told, %d free, %d in all", used, t.root.used, freeNodes, t.root.Slots)
	}
	return nil
}

// TestReadersAndWriters: whatever a reader is told was true of one entry at one time.
func TestReadersAndWriters(t *testing.T) {
	table := testTable(t, entries(60))
	const addrs = 80
	var stop atomic.Bool
	var hits atomic.Int64
	errs := make(chan error, 8)
	var readers, writers sync.WaitGroup
	for g := range 3 {
		readers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 1))
			page := make([]Entry, 10)
			for i := 0; !stop.Load(); i++ {
				a := proofAddr(rng.Uint32N(addrs))
				e, ok := table.Look(netio.UDP, a, 0)
				if ok {
					hits.Add(1)
					err := prove(&e)
					if err == nil && e.Addr != *a {
						err = fmt.Errorf("asked for %v, told of %v", a, e.Addr)
					}
					if err != nil {
						errs <- err
						return
					}
				}
				x := netio.Addr{IP: [16]byte{10, byte(rng.IntN(2 * MaxNetworks)), 1, 2}, Family: 4, Port: 5060}
				if e, ok := table.Look(netio.UDP, &x, 0); ok {
					hits.Add(1)
					err := prove(&e)
					if err == nil && !e.Prefix().Contains(x.AddrPort().Addr()) {
						err = fmt.Errorf("asked for %v, told of %v", x, e.Prefix())
					}
					if err != nil {
						errs <- errors.Join(errors.New("network"), err)
						return
					}
				}
				if i%50 == 0 {
					n, _ := table.View(rng.Uint32N(table.root.Slots), 0, page)
					for _, e := range page[:n] {
						if err := prove(&e); err != nil {
							errs <- errors.Join(errors.New("view"), err)
							return
						}
					}
				}
			}
		})
	}
	for g := range 3 {
		writers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 2))
			for range 60_000 {
				proofStep(table, rng, addrs)
			}
		})
	}
	writers.Wait()
	// on a loaded machine readers may not have run
	for end := time.Now().Add(10 * time.Second); hits.Load() == 0 && time.Now().Before(end); {
		table.Add(netio.UDP, proofAddr(1),
			Cause{Reasons: Timeout, TTL: proofTTL(true), Owner: proofOwner(proofAddr(1), true)},
			proofSince(proofAddr(1)))
		time.Sleep(time.Millisecond)
	}
	stop.Store(true)
	readers.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	if err := checkBooks(table); err != nil {
		t.Error(err)
	}
	if hits.Load() == 0 {
		t.Error("nothing was found: the test proves nothing")
	}
	t.Logf("%d hits, %+v", hits.Load(), table.Stats())
}

// A stable entry is found all the time, whatever happens around it in its bucket.
func TestStableEntryIsAlwaysFound(t *testing.T) {
	table := testTable(t, entries(60))
	x := addr("203.0.113.1:5060")
	table.Add(netio.UDP, x, Cause{Reasons: Timeout, TTL: time.Hour}, 0)
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		rng := rand.New(rand.NewPCG(1, 2))
		for !stop.Load() {
			a := proofAddr(rng.Uint32N(80))
			table.Add(netio.UDP, a, Cause{Reasons: Timeout}, 0)
			table.Delete(netio.UDP, proofAddr(rng.Uint32N(80)))
		}
	})
	missed := uint64(0)
	for range 300_000 {
		if !table.Listed(netio.UDP, x, 1) {
			missed++
		}
	}
	stop.Store(true)
	wg.Wait()
	if torn := table.Stats().Torn; missed != torn {
		t.Errorf("missed %d times, %d of them counted", missed, torn)
	}
}

// An entry listed anew while it is copied is copied again: a copy under another life word says that
// it is worth nothing.
func TestCopyOfRenewedEntry(t *testing.T) {
	table := testTable(t, nil)
	x := addr("203.0.113.1:5060")
	table.Add(netio.UDP, x, Cause{Reasons: Timeout, Owner: "first"}, 0)
	n := table.node(1)
	before := n.life
	for _, owner := range []string{"second", "third"} { // the third is where the first was
		table.Add(netio.UDP, x, Cause{Reasons: Timeout, Owner: owner}, 0)
	}
	var e Entry
	if n.copyTo(&e, before) {
		t.Errorf("a copy of two lives: %+v", e)
	}
	if !n.copyTo(&e, n.life) || e.Owner.String() != "third" {
		t.Errorf("%+v", e)
	}
}
