package resolve

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Settings are the operator's, with Kamailio's names in the comments where it has them. Start from
// Defaults; the zero value is not useful.
type Settings struct {
	// use_dns_cache, dns_cache_init: off keeps an answer for a second, so that the callers that
	// wait for it get it
	Cache    bool
	TryIPv6  bool // dns_try_ipv6: ask AAAA where a listener has IPv6
	TryNAPTR bool // dns_try_naptr
	// dns_naptr_ignore_rfc: choose among NAPTR records by our preference before the domain's order
	IgnoreOrder bool
	// dns_udp_pref: the higher, the earlier; negative leaves the transport out of NAPTR and SRV
	UDPPref  int
	TCPPref  int  // dns_tcp_pref
	TLSPref  int  // dns_tls_pref
	Failover bool // use_dns_failover: off gives the first endpoint only
	// dns_srv_lb: draw by SRV weight, and spread over addresses; off keeps the order of weights and
	// of the answer
	Weights   bool
	UseSearch bool // dns_use_search_list: for names with fewer dots than ndots
	// dns_search_full_match: accepted; the answer must match the question either way
	FullMatch bool
	IPv4Only  bool // dns_cache_flags 1
	IPv6Only  bool // dns_cache_flags 2
	// dns_cache_flags 4: the first address tried is IPv6; families alternate either way
	PreferIPv6 bool
	// dns_retr_time: wait for one server; 0 means `options timeout` of ResolvConf, else 2 s. At
	// most 30 s
	RetryTime time.Duration
	// dns_retr_no: further rounds over the servers; -1 means `options attempts` less one, else 1.
	// At most 10
	Retries int
	// dns_servers_no: so many of the servers are asked; 0 means all, which are 8 at most
	ServersMax int
	Timeout    time.Duration // bounds a query over all its questions. 100 ms to 60 s
	// dns_cache_mem (there in KB): the cap over records and results. 64 KiB to 1 GiB
	MemoryBytes int
	MinTTL      time.Duration // dns_cache_min_ttl
	MaxTTL      time.Duration // dns_cache_max_ttl. At most 7 days
	// dns_cache_negative_ttl: the cap on what a SOA says of missing names. At most 3 h (RFC 2308
	// §5)
	NegativeTTL time.Duration
	// how long past its end an answer may serve while the servers fail (RFC 8767); 0 means not at
	// all. At most 7 days
	StaleMax   time.Duration
	GCInterval time.Duration    // dns_cache_gc_interval. 1 s at least
	Servers    []netip.AddrPort // ask these instead of the nameserver lines
	ResolvConf string           // path; "" reads none. A missing file is an empty one
	Hosts      string           // path; "" reads none
}

// Defaults returns the default settings: where Kamailio's differ from the RFCs, those of the RFCs.
func Defaults() Settings {
	return Settings{
		Cache: true, TryIPv6: true, TryNAPTR: true, UDPPref: 30, TCPPref: 20, TLSPref: 10,
		Failover: true, Weights: true, UseSearch: true, FullMatch: true,
		Retries: -1, Timeout: 10 * time.Second,
		MemoryBytes: 4 << 20, MaxTTL: 24 * time.Hour, NegativeTTL: 60 * time.Second,
		StaleMax:   24 * time.Hour,
		GCInterval: 120 * time.Second,
		ResolvConf: "/etc/resolv.conf", Hosts: "/etc/hosts",
	}
}

// SetCacheFlags reads dns_cache_flags: 1 asks A only, 2 AAAA only, 4 prefers IPv6.
func (s *Settings) SetCacheFlags(flags int) error {
	if flags < 0 || flags > 7 || flags&3 == 3 {
		return fmt.Errorf("dns_cache_flags = %d: write the sum of 1 (IPv4 only) or 2 (IPv6 only) "+
			"and 4 (prefer IPv6)", flags)
	}
	s.IPv4Only, s.IPv6Only, s.PreferIPv6 = flags&1 != 0, flags&2 != 0, flags&4 != 0
	return nil
}

// Validate returns an error for the first setting that is out of range, by the name it has in a
// configuration file.
func (s *Settings) Validate() error {
	span := func(name string, d, from, to time.Duration) error {
		if d < from || d > to {
			return fmt.Errorf("%s is %v: write a value from %v to %v", name, d, from, to)
		}
		return nil
	}
	const week = 7 * 24 * time.Hour
	for _, err := range []error{
		span("dns_retr_time", s.RetryTime, 0, 30*time.Second),
		span("dns_timeout", s.Timeout, 100*time.Millisecond, time.Minute),
		span("dns_cache_min_ttl", s.MinTTL, 0, week),
		span("dns_cache_max_ttl", s.MaxTTL, time.Second, week),
		span("dns_cache_negative_ttl", s.NegativeTTL, 0, 3*time.Hour),
		span("dns_cache_stale_ttl", s.StaleMax, 0, week),
		span("dns_cache_gc_interval", s.GCInterval, time.Second, week),
	} {
		if err != nil {
			return err
		}
	}
	switch {
	case s.MinTTL > s.MaxTTL:
		return fmt.Errorf("dns_cache_min_ttl %v is above dns_cache_max_ttl %v: lower the one or "+
			"raise the other", s.MinTTL, s.MaxTTL)
	case s.Retries < -1 || s.Retries > 10:
		return fmt.Errorf("dns_retr_no is %d: write a number from 0 to 10", s.Retries)
	case s.ServersMax < 0 || s.ServersMax > serversMax:
		return fmt.Errorf("dns_servers_no is %d: write a number from 1 to %d, or 0 for all",
			s.ServersMax, serversMax)
	case s.MemoryBytes < 64<<10 || s.MemoryBytes > 1<<30:
		return fmt.Errorf("dns_cache_mem is %d KB: write a number from 64 to 1048576",
			s.MemoryBytes>>10)
	case s.IPv4Only && s.IPv6Only:
		return fmt.Errorf("dns_cache_flags asks for IPv4 only and IPv6 only: drop 1 or 2")
	case slices.ContainsFunc(s.Servers, func(a netip.AddrPort) bool {
		return !a.IsValid() || a.Port() == 0
	}):
		return fmt.Errorf("DNS servers %v: write an address and a port for each", s.Servers)
	case len(s.Servers) > serversMax:
		return fmt.Errorf("%d DNS servers: name %d at most", len(s.Servers), serversMax)
	}
	return nil
}
