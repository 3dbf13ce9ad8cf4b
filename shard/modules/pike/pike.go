// Package pike refuses addresses that send too much: Kamailio's module pike.
//
// Kamailio counts in a tree over the bytes of addresses, whose branches grow with the traffic. So
// an address whose first byte is new has max(3, density/4+1) requests free: with a density of 15 it
// is blocked at the 20th, with 60 at the 77th. One whose first byte is known has two of them free,
// one whose second is known has one, and one with a busy neighbour in its /24 has none: it is
// blocked at the 16th (5.6.3, asked with densities from 1 to 60). Who is blocked depends on who
// else sends. Here each address has an entry of its own, in a table that all shards share and that
// a kill leaves as it is, and each is blocked at the 16th. So an address gets what the operator has
// allowed, whoever sends besides, and Kamailio never blocks earlier.
package pike

import (
	"fmt"
	"net/netip"
	"time"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/route"
	"viaduct/shard/route/command"
	"viaduct/shm/table"
)

// pike is the module of one load.
type pike struct {
	unit      *time.Duration
	density   *int
	prefix    *int
	addresses *int
	level     *int

	blocked, unknown *route.Counter
	t                *table.Table
}

// Define is the module.
func Define(m *route.Module) { define(m) }

func define(m *route.Module) *pike {
	p := &pike{}
	p.unit = m.Duration("sampling_time_unit", time.Second, 2, 1, maxUnit,
		"Seconds over which requests are counted.")
	p.density = m.Int("reqs_density_per_unit", 30, 1, maxDensity,
		"How many requests an address may send in a unit. One that sends more is blocked until it "+
			"has kept to the limit for a whole unit. (Kamailio 5.6.3 allows an address of a new "+
			"network max(3, density/4+1) more; with a busy neighbour in its /24 it is as here.)")
	p.level = m.Int("pike_log_level", 0, -5, 3,
		"The level of the line which says that an address is blocked or released.")
	p.addresses = m.Int("max_addresses", 65536, 64, table.MaxEntries,
		"Viaduct's own: how many addresses are counted at once. An address that finds no room is "+
			"not counted.")
	p.prefix = m.Int("ipv6_prefix", 128, 32, 128,
		"Viaduct's own: IPv6 addresses that share this many bits count as one.")
	m.IdleInt("an address is forgotten after two units without a request, when its counts are zero",
		"remove_latency")

	p.blocked = m.Count("blocked", "Addresses that were blocked.")
	p.unknown = m.Count("not_counted", "Requests of addresses for which the table had no room.")
	m.Open(func(s *route.State) (err error) {
		p.t, err = s.Table("pike", table.Config{Entries: *p.addresses, MaxKey: 16, MaxValue: 8,
			Bytes: int64(*p.addresses) * int64(table.EntryBytes(table.Int, 16, 0))})
		return err
	})
	m.Beside(p.unit, p.forget)

	const in, later = route.InRequest | route.InReplies, route.InFailure | route.InBranch
	route.Func0(m, "pike_check_req", in,
		"Counts the message for its source address. False: that is blocked, with -2 the first "+
			"time and -1 from then on.",
		func(c *route.Ctx) route.Result { return p.check(c, c.Source()) }).ThroughRoutes(later)
	address := route.Text("ip", "an address, IPv6 with or without brackets")
	route.Func1(m, "pike_check_ip", in, address,
		"Counts a message for an address. False: the address is blocked, or is not an address.",
		func(c *route.Ctx, ip []byte) route.Result {
			addr, ok := parser.HostIP(ip)
			if !ok {
				return -1
			}
			from := netio.AddrFrom(netip.AddrPortFrom(addr, 0))
			return p.check(c, &from)
		}).ThroughRoutes(later)

	m.View("pike.list", "Shows the blocked addresses, or ALL, or those that are WARM: they "+
		"have sent more than a quarter of what blocks them.", command.Words("[which]"), p.list)
	m.View("pike.top", "The same, under the name of Kamailio's older versions.",
		command.Words("[which]"),
		p.list)
	return p
}

// check counts a message and tells whether its address is blocked. One that has sent
// enough times as many as it may is only read, so that a flood of one address is no fight for its
// entry.
func (p *pike) check(c *route.Ctx, from *netio.Addr) route.Result {
	var room [16]byte
	key := p.key(from, &room)
	now := c.NowMs()
	this := p.window(now)
	// Forgotten when both its counts are of the past.
	terms := table.Terms{Ends: now + 2*p.unit.Milliseconds()}
	for range tries {
		v, verdict := p.t.Get(key, now, nil)
		h := hitsOf(v.Int)
		switch {
		case verdict != table.Done:
			verdict = p.t.Insert(key, table.Number(hits{window: this, curr: 1}.number()), terms,
				now)
			if verdict == table.Full {
				p.unknown.Add(c)
				return 1
			}
			if verdict == table.Done {
				return 1
			}
		case !h.before(this):
			if int(h.curr)/enough >= *p.density || h.curr >= maxHits {
				return -1
			}
			sum, verdict := p.t.Add(key, 1, terms, now)
			if verdict != table.Done {
				continue // it has just been forgotten
			}
			h = hitsOf(sum)
			if p.over(h.curr) && !p.over(h.curr-1) && !p.over(h.prev) {
				p.blocked.Add(c)
				p.say(c, "BLOCKing ip ", from)
				return -2
			}
			return route.Truth(!p.hot(h))
		default:
			next := h.turned(this)
			next.curr = 1
			if p.t.CompareAndPut(key, v, table.Number(next.number()), terms, now) != table.Done {
				continue
			}
			if p.hot(h) && !p.hot(next) {
				p.say(c, "UNBLOCKing ip ", from)
			}
			return route.Truth(!p.hot(next))
		}
	}
	p.unknown.Add(c)
	return 1
}

// key is what the table has an address under.
func (p *pike) key(a *netio.Addr, room *[16]byte) []byte {
	if a.Family == 4 {
		return a.IP[:4]
	}
	*room = a.IP
	for bit := *p.prefix; bit < 128; bit = bit&^7 + 8 {
		room[bit/8] &^= 0xff >> (bit % 8)
	}
	return room[:]
}

// over tells whether so many hits in a window block an address, hot whether these do.
func (p *pike) over(n uint32) bool { return int(n) > *p.density }
func (p *pike) hot(h hits) bool    { return p.over(h.curr) || p.over(h.prev) }

// window is the number of the unit that a time falls into.
func (p *pike) window(now int64) uint32 { return uint32(now/p.unit.Milliseconds()) & windowMask }

// say logs what has become of an address. Slow path.
func (p *pike) say(c *route.Ctx, what string, from *netio.Addr) {
	if log := c.Shard.Log; *p.level <= log.LogLevel() {
		log.Log(*p.level, fmt.Appendf(nil, "pike: %s%s", what, from.AddrPort().Addr()))
	}
}

// forget takes out the addresses that have ended. It runs beside the shards.
func (p *pike) forget(now int64) {
	for done := false; !done; {
		_, done = p.t.Expire(now, forgottenAtOnce, nil)
	}
}
