package outside

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// nameserver answers for every name, from a table, over UDP and TCP, and keeps what it was asked.
type nameserver struct {
	t    *testing.T
	addr netip.AddrPort

	mu      sync.Mutex
	records map[string][]dns.RR // "name. TYPE" in lower case → answers
	asked   []string            // "name TYPE" in order
	silent  map[string]bool     // names that get no answer
	fails   map[string]bool     // names that get SERVFAIL
}

// newNameserver has the records of a zone file's lines; names need not end in a dot.
func newNameserver(t *testing.T, zone ...string) *nameserver {
	t.Helper()
	n := &nameserver{
		t: t, addr: freeAddress(t), records: map[string][]dns.RR{}, silent: map[string]bool{}, fails: map[string]bool{},
	}
	n.add(zone...)
	for _, network := range []string{"udp", "tcp"} {
		started := make(chan struct{})
		s := &dns.Server{Addr: n.addr.String(), Net: network, Handler: n, NotifyStartedFunc: func() { close(started) }}
		failed := make(chan error, 1)
		go func() { failed <- s.ListenAndServe() }()
		select {
		case <-started:
		case err := <-failed:
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Shutdown(); <-failed })
	}
	return n
}

func key(name string, kind uint16) string {
	return strings.ToLower(dns.Fqdn(name)) + " " + dns.TypeToString[kind]
}

// add adds records; the names in their data get their dots too.
func (n *nameserver) add(zone ...string) {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, line := range zone {
		rr, err := dns.NewRR("$ORIGIN .\n" + line)
		if err != nil {
			n.t.Fatalf("%s: %v", line, err)
		}
		k := key(rr.Header().Name, rr.Header().Rrtype)
		n.records[k] = append(n.records[k], rr)
	}
}

// mute lets queries for a name go unanswered, or answers them again.
func (n *nameserver) mute(name string, on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.silent[dns.Fqdn(name)] = on
}

// fail answers queries for a name with SERVFAIL, or as before.
func (n *nameserver) fail(name string, on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fails[dns.Fqdn(name)] = on
}

func (n *nameserver) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(q)
	m.Authoritative = true
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(q.Question) != 1 {
		m.Rcode = dns.RcodeFormatError
		w.WriteMsg(m)
		return
	}
	name, kind := strings.ToLower(q.Question[0].Name), q.Question[0].Qtype
	n.asked = append(n.asked, strings.TrimSuffix(name, ".")+" "+dns.TypeToString[kind])
	if n.silent[name] {
		return
	}
	m.Answer = slices.Clone(n.records[key(name, kind)])
	switch {
	case n.fails[name]:
		m.Rcode, m.Answer = dns.RcodeServerFailure, nil
	case len(m.Answer) == 0 && !n.known(name):
		m.Rcode = dns.RcodeNameError
		fallthrough
	case len(m.Answer) == 0:
		m.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 1},
			Ns: "ns.example.net.", Mbox: "hostmaster.example.net.", Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400,
			Minttl: 1}}
	}
	w.WriteMsg(m)
}

func (n *nameserver) known(name string) bool {
	for k := range n.records {
		if owner, _, _ := strings.Cut(k, " "); owner == name || strings.HasSuffix(owner, "."+name) {
			return true
		}
	}
	return false
}

// queries takes what was asked since the last time, in order, each once.
func (n *nameserver) queries() (all []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, q := range n.asked {
		if !slices.Contains(all, q) {
			all = append(all, q)
		}
	}
	n.asked = nil
	return all
}

// resolvConf writes a resolv.conf that names a resolver: host:port is our extension of
// resolv.conf(5).
func resolvConf(t *testing.T, addr netip.AddrPort) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(path, []byte("nameserver "+addr.String()+"\noptions timeout:1 attempts:2\n"),
		0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// locating are the globals of a proxy that follows RFC 3263 with a resolver. Kamailio has all but
// the first, most of them off.
func locating(t *testing.T, resolver netip.AddrPort) []string {
	t.Helper()
	return []string{fmt.Sprintf("dns_resolv_conf=%q", resolvConf(t, resolver)), "use_dns_cache=on",
		"use_dns_failover=on", "dns_try_naptr=on", "dns_naptr_ignore_rfc=no",
		"dns_srv_lb=on", "dns_try_ipv6=on", "dns_cache_negative_ttl=1"}
}

// startUnbound runs unbound between the proxy and a nameserver, without DNSSEC: the zones here are
// not signed.
func startUnbound(t *testing.T, behind *nameserver) netip.AddrPort {
	t.Helper()
	path := needs(t, "unbound", "unbound")
	addr := freeAddress(t)
	dir := t.TempDir()
	conf := fmt.Sprintf(`server:
	interface: %[1]v
	port: %[2]d
	do-daemonize: no
	use-syslog: no
	logfile: ""
	chroot: ""
	username: ""
	directory: %[3]q
	pidfile: ""
	do-not-query-localhost: no
	module-config: "iterator"
	num-threads: 1
	access-control: 127.0.0.0/8 allow
forward-zone:
	name: "."
	forward-addr: %[4]v@%[5]d
remote-control:
	control-enable: no
`, addr.Addr(), addr.Port(), dir, behind.addr.Addr(), behind.addr.Port())
	file := filepath.Join(dir, "unbound.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	p := run(t, "unbound", exec.Command(path, "-d", "-c", file))
	p.awaitBound(t, addr)
	awaitAnswers(t, p, addr)
	behind.queries()
	return addr
}

// startDnsmasq runs dnsmasq between the proxy and a nameserver.
func startDnsmasq(t *testing.T, behind *nameserver) netip.AddrPort {
	t.Helper()
	path := needs(t, "dnsmasq", "dnsmasq-base")
	addr := freeAddress(t)
	p := run(t, "dnsmasq", exec.Command(path, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv",
		"--no-hosts", "--log-facility=-", "--pid-file=",
		"--user=", "--bind-interfaces", "--listen-address="+addr.Addr().String(), fmt.Sprintf("--port=%d", addr.Port()),
		fmt.Sprintf("--server=%v#%d", behind.addr.Addr(), behind.addr.Port())))
	p.awaitBound(t, addr)
	awaitAnswers(t, p, addr)
	behind.queries()
	return addr
}

// awaitAnswers waits until a resolver answers at all.
func awaitAnswers(t *testing.T, p *process, addr netip.AddrPort) {
	t.Helper()
	c := &dns.Client{Timeout: time.Second}
	q := new(dns.Msg)
	q.SetQuestion("awake.example.org.", dns.TypeA)
	for end := time.Now().Add(patience); time.Now().Before(end) && !p.ended(); time.Sleep(20 * time.Millisecond) {
		if _, _, err := c.Exchange(q, addr.String()); err == nil {
			return
		}
	}
	t.Fatalf("%s does not answer:\n%s", p.name, p.tail())
}

// The nameserver and the resolvers before it do what the tests of DNS rely on.
func TestNameserver(t *testing.T) {
	t.Parallel()
	n := newNameserver(t, "example.net 60 IN NAPTR 10 50 \"s\" \"SIP+D2U\" \"\" _sip._udp.example.net",
		"_sip._udp.example.net 60 IN SRV 1 2 5070 a.example.net",
		"a.example.net 60 IN A 127.0.0.1", "a.example.net 60 IN AAAA ::1", "mute.example.net 60 IN A 127.0.0.9")
	for _, r := range []struct {
		name  string
		start func(*testing.T, *nameserver) netip.AddrPort
	}{{"alone", func(_ *testing.T, n *nameserver) netip.AddrPort {
		return n.addr
	}}, {"unbound", startUnbound}, {"dnsmasq", startDnsmasq}} {
		t.Run(r.name, func(t *testing.T) {
			addr := r.start(t, n)
			c := &dns.Client{Timeout: patience}
			f := func(name string, kind uint16, rcode int, want string) {
				t.Helper()
				q := new(dns.Msg)
				q.SetQuestion(name+".", kind)
				m, _, err := c.Exchange(q, addr.String())
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if m.Rcode != rcode || (len(m.Answer) > 0) != (want != "") ||
					want != "" && !strings.Contains(m.Answer[0].String(), want) {
					t.Errorf("%s %s: %v", name, dns.TypeToString[kind], m)
				}
			}
			f("example.net", dns.TypeNAPTR, dns.RcodeSuccess, "SIP+D2U")
			f("_sip._udp.example.net", dns.TypeSRV, dns.RcodeSuccess, "5070 a.example.net.")
			f("a.example.net", dns.TypeA, dns.RcodeSuccess, "127.0.0.1")
			f("A.example.NET", dns.TypeAAAA, dns.RcodeSuccess, "::1")
			f("a.example.net", dns.TypeSRV, dns.RcodeSuccess, "")
			f("b.example.net", dns.TypeA, dns.RcodeNameError, "")
			if got, want := n.queries(),
				"example.net NAPTR, _sip._udp.example.net SRV, a.example.net A, a.example.net AAAA, a.example.net "+
					"SRV, b.example.net A"; strings.Join(got, ", ") != want {
				t.Errorf("asked were %q, want %s", got, want)
			}
		})
	}
	n.fail("a.example.net", true)
	q := new(dns.Msg)
	q.SetQuestion("a.example.net.", dns.TypeA)
	if m, err := dns.Exchange(q, n.addr.String()); err != nil || m.Rcode != dns.RcodeServerFailure {
		t.Errorf("%v, %v, want SERVFAIL", m, err)
	}
	n.mute("mute.example.net", true)
	q.SetQuestion("mute.example.net.", dns.TypeA)
	if m, _, err := (&dns.Client{Timeout: beat}).Exchange(q, n.addr.String()); err == nil {
		t.Errorf("a name that is mute answers %v", m)
	}
}
