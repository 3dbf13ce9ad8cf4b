package resolve

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseConf(t *testing.T) {
	f := func(text string, servers string, retry time.Duration, rounds int, rotate bool, ndots int, search ...string) {
		t.Helper()
		l := parseConf([]byte(text))
		var got []string
		for _, s := range l.list {
			got = append(got, s.addr.String())
		}
		if strings.Join(got, " ") != servers || l.retry != retry || l.rounds != rounds || l.rotate != rotate ||
			l.ndots != ndots ||
			len(l.search)+len(search) > 0 && !reflect.DeepEqual(l.search, search) {
			t.Errorf("%q: %+v", text, l)
		}
	}
	f("", "", 2*time.Second, 2, false, 1)
	f("nameserver 192.0.2.1\nnameserver 2001:db8::1 # ours\n;nameserver 192.0.2.9\nnameserver 127.0.0.1:5353\n"+
		"nameserver [::1]:5353\nnameserver x\nnameserver 127.0.0.1:0",
		"192.0.2.1:53 [2001:db8::1]:53 127.0.0.1:5353 [::1]:5353", 2*time.Second, 2, false, 1)
	f("options timeout:1 attempts:3 ndots:2 rotate edns0 timeout:x\r\nsearch A.test. b.test\n", "", time.Second, 3,
		true, 2, "a.test", "b.test")
	f("options timeout:99 attempts:99 ndots:99\nsearch a\ndomain b", "", 30*time.Second, 5, false, 15, "b")
	f(strings.Repeat("nameserver 192.0.2.1\n", 20), strings.TrimSpace(strings.Repeat("192.0.2.1:53 ", 8)),
		2*time.Second, 2, false, 1)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	next := path + ".next"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}

func TestFiles(t *testing.T) {
	one, two := serve(t, "h.test. 60 IN A 127.0.0.1"), serve(t, "h.test. 60 IN A 127.0.0.2")
	conf, hosts := filepath.Join(t.TempDir(), "resolv.conf"), filepath.Join(t.TempDir(), "hosts")
	write(t, conf, fmt.Sprintf("nameserver %s\n", one.addr))
	write(t, hosts, "127.0.0.9 Box.test box # ours\n::1 six.test\n0.0.0.0 blocked.test\nrubbish here\n")
	r := start(t, func(s *Settings) { s.ResolvConf, s.Hosts, s.RetryTime = conf, hosts, 0 })
	f := func(uri, want string) {
		t.Helper()
		if got := locate(t, r, query(uri)); got != want {
			t.Errorf("%s leads to %s, want %s", uri, got, want)
		}
	}
	f("sip:h.test:5060", "UDP 127.0.0.1:5060")
	f("sip:box:5060", "UDP 127.0.0.9:5060")
	f("sip:BOX.test", "UDP 127.0.0.9:5060")
	f("sip:six.test:5060", "UDP [::1]:5060")
	f("sip:blocked.test:5060", "nowhere")
	f("sip:six.test;transport=tcp", "TCP [::1]:5060")
	if n := one.times("A box.test.") + one.times("AAAA box.test.") + one.times("NAPTR box.test.") + one.times("SRV _sip._tcp.six.test."); n != 0 {
		t.Errorf("names of the hosts file were asked for %d times", n)
	}

	write(t, hosts, "127.0.0.10 box\n")
	until(t, "the new hosts file", func() bool { return locate(t, r, query("sip:box:5060")) == "UDP 127.0.0.10:5060" })

	write(t, conf, fmt.Sprintf("nameserver %s\n", two.addr))
	until(t, "the new server", func() bool { return r.Servers()[0].Addr == two.addr })
	f("sip:h.test:5060", "UDP 127.0.0.1:5060") // its records have not ended
	r.DeleteAll()
	f("sip:h.test:5060", "UDP 127.0.0.2:5060")

	// A version that cannot be read changes nothing.
	write(t, hosts, strings.Repeat("# long\n", hostsBytes/7+1))
	until(t, "the refusal", func() bool { return r.Stats().Unreadable > 0 })
	f("sip:box:5060", "UDP 127.0.0.10:5060")
	os.Remove(hosts)
	until(t, "the end of the hosts file", func() bool { return r.MemInfo().Hosts == 0 })
}

func TestOpenErrors(t *testing.T) {
	f := func(change func(*Settings), want string) {
		t.Helper()
		s := Defaults()
		s.ResolvConf, s.Hosts = "", ""
		change(&s)
		r, err := Open(s)
		if err == nil {
			r.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	f(func(s *Settings) { s.RetryTime = -1 }, "dns_retr_time")
	f(func(s *Settings) { s.Retries = 11 }, "dns_retr_no")
	f(func(s *Settings) { s.ServersMax = 9 }, "dns_servers_no")
	f(func(s *Settings) { s.MemoryBytes = 1 }, "dns_cache_mem")
	f(func(s *Settings) { s.MinTTL, s.MaxTTL = time.Hour, time.Minute }, "dns_cache_min_ttl")
	f(func(s *Settings) { s.NegativeTTL = 4 * time.Hour }, "dns_cache_negative_ttl")
	f(func(s *Settings) { s.GCInterval = 0 }, "dns_cache_gc_interval")
	f(func(s *Settings) { s.Timeout = 0 }, "dns_timeout")
	f(func(s *Settings) { s.IPv4Only, s.IPv6Only = true, true }, "dns_cache_flags")
	f(func(s *Settings) { s.Servers = make([]netip.AddrPort, 1) }, "DNS servers")
	f(func(s *Settings) { s.ResolvConf = t.TempDir() }, "DNS servers")
	f(func(s *Settings) { s.Hosts = t.TempDir() }, "hosts")
	s := Defaults()
	for _, flags := range []int{-1, 3, 7, 8} {
		if s.SetCacheFlags(flags) == nil {
			t.Errorf("dns_cache_flags %d is accepted", flags)
		}
	}
}

func TestSearch(t *testing.T) {
	z := serve(t, "box.b.test. 60 IN A 127.0.0.2", "box. 60 IN A 127.0.0.3", "in.a.test. 60 IN A 127.0.0.4",
		"deep.in.a.test. 60 IN A 127.0.0.5")
	conf := filepath.Join(t.TempDir(), "resolv.conf")
	write(t, conf, fmt.Sprintf("nameserver %s\nsearch a.test b.test\n", z.addr))
	f := func(on bool, uri, want string) {
		t.Helper()
		r := start(t, func(s *Settings) { s.ResolvConf, s.UseSearch = conf, on })
		if got := locate(t, r, query(uri)); got != want {
			t.Errorf("%s leads to %s, want %s", uri, got, want)
		}
	}
	f(true, "sip:box", "UDP 127.0.0.2:5060")
	f(true, "sip:box.:5060", "UDP 127.0.0.3:5060") // a trailing dot: as it is
	f(false, "sip:box", "UDP 127.0.0.3:5060")
	f(true, "sip:in:5060", "UDP 127.0.0.4:5060")
	f(true, "sip:deep.in:5060", "nowhere") // enough dots: as it is
}

func TestSet(t *testing.T) {
	s := Defaults()
	f := func(name string, value int, ok bool) {
		t.Helper()
		err := s.Set(name, value)
		if err == nil {
			err = s.Validate()
		}
		if (err == nil) != ok {
			t.Errorf("%s = %d: %v", name, value, err)
		}
		if err != nil && !strings.Contains(err.Error(), name) {
			t.Errorf("%s = %d: the error %q does not name it", name, value, err)
		}
		if err != nil {
			s = Defaults()
		}
	}
	for _, name := range Names() {
		switch {
		case strings.HasSuffix(name, "_pref"):
			f(name, -1, true)
		case name == "dns_cache_mem":
			f(name, 500, true)
			f(name, 1<<40, false)
			f(name, 0, false)
		case strings.HasSuffix(name, "_ttl"), strings.HasSuffix(name, "_time"), strings.HasSuffix(name, "_no"),
			name == "dns_timeout", name == "dns_cache_gc_interval":
			f(name, 5, true)
			f(name, 1<<40, false)
			f(name, -2, false)
		default:
			f(name, 1, true)
			f(name, 99, false)
		}
	}
	f("dns_cache_flags", 5, true)
	f("dns_nonsense", 1, false)
	if s.Set("dns_cache_negative_ttl", 7) != nil || s.NegativeTTL != 7*time.Second ||
		s.Set("dns_cache_init", 0) != nil || s.Cache {
		t.Errorf("%+v", s)
	}
}

// TestDocument: docs/dns.md names every setting there is, and no other.
func TestDocument(t *testing.T) {
	b, err := os.ReadFile("../../docs/dns.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(b), "\n## Settings")
	table, _, _ = strings.Cut(table, "\n## ")
	told := map[string]bool{}
	for line := range strings.Lines(table) {
		if cell, ok := strings.CutPrefix(line, "| `"); ok {
			cell, _, _ = strings.Cut(cell, " |")
			for _, name := range strings.Split(cell, ", ") {
				told[strings.Trim(name, "`")] = true
			}
		}
	}
	for _, name := range Names() {
		if !told[name] {
			t.Errorf("docs/dns.md does not tell what %s is", name)
		}
		delete(told, name)
	}
	for name := range told {
		t.Errorf("docs/dns.md tells of %s, which is no setting", name)
	}
}
