package blocklist

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"viaduct/netio"
)

// Bits of Config.MethodsAdd and MethodsLookup, tm's numbering.
const (
	MethodInvite    = 1
	MethodCancel    = 2
	MethodAck       = 4
	MethodBye       = 8
	MethodInfo      = 16
	MethodRegister  = 32
	MethodSubscribe = 64
	MethodNotify    = 128
	MethodOther     = 256
)

// protos is how many transports have an ignore mask.
const protos = int(netio.WSS) + 1

// Config is what an operator chooses: parameters bind its fields. Every name may be spelled with
// blacklist or blocklist.
type Config struct {
	// dst_blacklist_init. If false, no memory is taken and Use cannot be switched on
	Init bool
	Use  bool // use_dst_blacklist, the switch
	// dst_blacklist_expire, dst_blacklist_ttl: life of an entry; 1 ms to MaxTTL
	Expire time.Duration
	// dst_blacklist_mem in bytes (the file has KB): cap of the entries; EntryBytes+1 to MaxMemBytes
	MemBytes   int
	GCInterval time.Duration // dst_blacklist_gc_interval; 0 means no GC
	// dst_blacklist_udp_imask and so on: reasons that do not list, by netio.Proto
	IMask [protos]Reason
	// dst_blacklist_icmp: reason ICMP lists; ours, Kamailio knows no such entries
	ICMP bool

	Use503 bool // tm's blst_503
	// blst_503_def_timeout (0 means none without Retry-After), _min_timeout, _max_timeout; 0 to
	// MaxTTL
	Def503, Min503, Max503 time.Duration

	MethodsAdd    uint32 // tm's blst_methods_add: whose timeout lists
	MethodsLookup uint32 // tm's blst_methods_lookup: what is checked before sending
}

// DefaultConfig are Kamailio's values.
func DefaultConfig() Config {
	return Config{
		Init: true, Expire: DefaultExpire, MemBytes: DefaultMemBytes, GCInterval: DefaultGCInterval,
		Max503: DefaultMax503, MethodsAdd: MethodInvite, MethodsLookup: ^uint32(MethodBye),
	}
}

// errInitOff is Kamailio's text: operators search for it.
//
//lint:ignore ST1005 to the letter, with its full stop
var errInitOff = errors.New("dst blocklist is turned off by dst_blocklist_init=0, it cannot be " +
	"enabled runtime.")

// Validate says what to write instead.
func (c *Config) Validate() error {
	var bad []error
	within := func(name string, d, low time.Duration) {
		if d < low || d > MaxTTL {
			bad = append(bad, fmt.Errorf("%s %v is out of range: write %v to %v", name, d, low,
				MaxTTL))
		}
	}
	within("dst_blocklist_expire", c.Expire, time.Millisecond)
	within("dst_blocklist_gc_interval", c.GCInterval, 0)
	within("blst_503_def_timeout", c.Def503, 0)
	within("blst_503_min_timeout", c.Min503, 0)
	within("blst_503_max_timeout", c.Max503, 0)
	if c.Min503 > c.Max503 {
		bad = append(bad, fmt.Errorf("blst_503_min_timeout %v is above blst_503_max_timeout %v: "+
			"write at most that", c.Min503, c.Max503))
	}
	if c.Init && (c.MemBytes <= EntryBytes || c.MemBytes > MaxMemBytes) {
		bad = append(bad, fmt.Errorf("dst_blocklist_mem of %d bytes is out of range: one entry "+
			"needs more than %d, %d (%d KB) is the most; dst_blocklist_init=0 switches the "+
			"list off",
			c.MemBytes, EntryBytes, MaxMemBytes, MaxMemBytes>>10))
	}
	if c.Use && !c.Init {
		bad = append(bad, errors.New("use_dst_blocklist is on and dst_blocklist_init off: remove "+
			"one of them"))
	}
	return errors.Join(bad...)
}

// settings are the parts of Config that change while we run.
type settings struct {
	use           atomic.Bool
	icmp          atomic.Bool
	use503        atomic.Bool
	expireMs      atomic.Int64
	def, min, max atomic.Int64 // of 503, in ms
	memBytes      atomic.Int64
	imask         [protos]atomic.Uint32
	methodsAdd    atomic.Uint32
	methodsLookup atomic.Uint32
}

func (s *settings) set(c *Config) {
	s.use.Store(c.Use)
	s.icmp.Store(c.ICMP)
	s.use503.Store(c.Use503)
	s.expireMs.Store(c.Expire.Milliseconds())
	s.def.Store(c.Def503.Milliseconds())
	s.min.Store(c.Min503.Milliseconds())
	s.max.Store(c.Max503.Milliseconds())
	s.memBytes.Store(int64(c.MemBytes))
	for i, m := range c.IMask {
		s.imask[i].Store(uint32(m))
	}
	s.methodsAdd.Store(c.MethodsAdd)
	s.methodsLookup.Store(c.MethodsLookup)
}

// Settings are what counts now. Change is the way to set several: Settings, edit, Apply.
func (t *Table) Settings() Config {
	c := t.start
	s := &t.settings
	c.Use, c.ICMP, c.Use503 = s.use.Load(), s.icmp.Load(), s.use503.Load()
	c.Expire = time.Duration(s.expireMs.Load()) * time.Millisecond
	c.Def503 = time.Duration(s.def.Load()) * time.Millisecond
	c.Min503 = time.Duration(s.min.Load()) * time.Millisecond
	c.Max503 = time.Duration(s.max.Load()) * time.Millisecond
	c.MemBytes = int(s.memBytes.Load())
	for i := range c.IMask {
		c.IMask[i] = Reason(s.imask[i].Load())
	}
	c.MethodsAdd, c.MethodsLookup = s.methodsAdd.Load(), s.methodsLookup.Load()
	return c
}

// Apply makes c count from now on, while shards work: everything but Init and GCInterval, which are
// fixed at start. MemBytes may not exceed what New was given, for that is what memory there is.
// Entries beyond a smaller MemBytes live until they end. Readers may see some of the new values
// before others.
func (t *Table) Apply(c Config) error {
	switch {
	case c.Use && t.root == nil:
		return errInitOff
	case c.Init != t.start.Init:
		return errors.New("dst_blocklist_init can be set only at start")
	case c.GCInterval != t.start.GCInterval:
		return errors.New("dst_blocklist_gc_interval can be set only at start")
	case c.MemBytes > t.start.MemBytes:
		return fmt.Errorf("dst_blocklist_mem can be raised up to the %d bytes of the start only; "+
			"restart with more", t.start.MemBytes)
	}
	if err := c.Validate(); err != nil {
		return err
	}
	t.settings.set(&c)
	return nil
}

// Enable turns the switch use_dst_blacklist.
func (t *Table) Enable(on bool) error {
	if on && t.root == nil {
		return errInitOff
	}
	t.settings.use.Store(on)
	return nil
}

// Enabled tells whether the switch is on.
func (t *Table) Enabled() bool { return t.settings.use.Load() }

// ListsTimeout tells whether a timeout of a request of this method, a Method bit, lists its
// destination.
func (t *Table) ListsTimeout(method uint32) bool {
	return t.Enabled() && t.settings.methodsAdd.Load()&method != 0
}

// Checks tells whether a new branch of this method, a Method bit, is to be looked up before it is
// sent.
func (t *Table) Checks(method uint32) bool {
	return t.Enabled() && t.settings.methodsLookup.Load()&method != 0
}

// TTL503 is for how long the source of a 503 is listed. With a Retry-After (present, in seconds)
// that, within blst_503_min_timeout and _max_timeout; else blst_503_def_timeout. It returns false
// if not at all, since blst_503 is off or the time is 0.
func (t *Table) TTL503(retryAfter int64, present bool) (ttl time.Duration, ok bool) {
	s := &t.settings
	if !s.use503.Load() || !s.use.Load() {
		return 0, false
	}
	ms := s.def.Load()
	if present {
		ms = min(max(retryAfter, 0), MaxTTL.Milliseconds()/1000) * 1000
		ms = min(max(ms, s.min.Load()), s.max.Load())
	}
	return time.Duration(ms) * time.Millisecond, ms > 0
}
