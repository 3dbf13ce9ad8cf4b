package resolve

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// setters read the values of a configuration file: Kamailio's names, values and units, and our own
// for what Kamailio does not have.
var setters = map[string]func(s *Settings, v int) error{
	"use_dns_cache": onOff(func(s *Settings) *bool { return &s.Cache }),
	"dns_cache_init": func(s *Settings, v int) error {
		s.Cache = s.Cache && v != 0
		return bit(v)
	},
	"dns_try_ipv6":         onOff(func(s *Settings) *bool { return &s.TryIPv6 }),
	"dns_try_naptr":        onOff(func(s *Settings) *bool { return &s.TryNAPTR }),
	"dns_naptr_ignore_rfc": onOff(func(s *Settings) *bool { return &s.IgnoreOrder }),
	"dns_udp_pref":         number(func(s *Settings) *int { return &s.UDPPref }),
	"dns_tcp_pref":         number(func(s *Settings) *int { return &s.TCPPref }),
	"dns_tls_pref":         number(func(s *Settings) *int { return &s.TLSPref }),
	// SCTP records are ignored either way
	"dns_sctp_pref":         func(*Settings, int) error { return nil },
	"dns_retr_time":         seconds(func(s *Settings) *time.Duration { return &s.RetryTime }),
	"dns_retr_no":           number(func(s *Settings) *int { return &s.Retries }),
	"dns_servers_no":        number(func(s *Settings) *int { return &s.ServersMax }),
	"dns_timeout":           seconds(func(s *Settings) *time.Duration { return &s.Timeout }),
	"dns_use_search_list":   onOff(func(s *Settings) *bool { return &s.UseSearch }),
	"dns_search_full_match": onOff(func(s *Settings) *bool { return &s.FullMatch }),
	"dns_cache_flags":       (*Settings).SetCacheFlags,
	"dns_cache_mem": func(s *Settings, v int) error {
		s.MemoryBytes = min(max(v, 0), 1<<21) << 10
		return nil
	},
	"dns_cache_min_ttl":      seconds(func(s *Settings) *time.Duration { return &s.MinTTL }),
	"dns_cache_max_ttl":      seconds(func(s *Settings) *time.Duration { return &s.MaxTTL }),
	"dns_cache_negative_ttl": seconds(func(s *Settings) *time.Duration { return &s.NegativeTTL }),
	"dns_cache_stale_ttl":    seconds(func(s *Settings) *time.Duration { return &s.StaleMax }),
	"dns_cache_gc_interval":  seconds(func(s *Settings) *time.Duration { return &s.GCInterval }),
	"use_dns_failover":       onOff(func(s *Settings) *bool { return &s.Failover }),
	"dns_srv_lb":             onOff(func(s *Settings) *bool { return &s.Weights }),
	"dns_srv_loadbalancing":  onOff(func(s *Settings) *bool { return &s.Weights }),
}

// Names lists the settings Set knows.
func Names() []string { return slices.Sorted(maps.Keys(setters)) }

// Set changes one setting by its name in a configuration file; on and off are 1 and 0, times are
// seconds, dns_cache_mem is KB. Validate checks ranges.
func (s *Settings) Set(name string, value int) error {
	set := setters[name]
	if set == nil {
		return fmt.Errorf("%s is no setting of the resolver: there are %s", name,
			strings.Join(Names(), ", "))
	}
	if err := set(s, value); err != nil {
		if strings.HasPrefix(err.Error(), "dns_") {
			return err
		}
		return fmt.Errorf("%s = %d: %w", name, value, err)
	}
	return nil
}

func bit(v int) error {
	if v != 0 && v != 1 {
		return fmt.Errorf("write yes or no")
	}
	return nil
}

func onOff(field func(*Settings) *bool) func(*Settings, int) error {
	return func(s *Settings, v int) error {
		*field(s) = v != 0
		return bit(v)
	}
}

func number(field func(*Settings) *int) func(*Settings, int) error {
	return func(s *Settings, v int) error {
		*field(s) = v
		return nil
	}
}

// seconds caps what would overflow; Validate refuses it then.
func seconds(field func(*Settings) *time.Duration) func(*Settings, int) error {
	return func(s *Settings, v int) error {
		*field(s) = time.Duration(min(max(v, -1), 1<<31)) * time.Second
		return nil
	}
}
