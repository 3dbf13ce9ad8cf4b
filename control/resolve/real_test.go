package resolve

import (
	"bytes"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"viaduct/shard/proxy"

	"github.com/miekg/dns"
)

// run starts a DNS server of the host's in the foreground, on a port of loopback that was free a
// moment ago, and waits until it answers for probe.
func run(t *testing.T, program, probe string, command func(port uint16) []string) netip.AddrPort {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		for _, p := range []string{"/usr/sbin/", "/sbin/"} {
			if _, err := os.Stat(p + program); err == nil {
				path = p + program
			}
		}
	}
	if path == "" {
		t.Skipf("%s is not installed", program)
	}
	for range 5 {
		if addr, said, ok := try(t, path, probe, command); ok {
			return addr
		} else if !strings.Contains(strings.ToLower(said), "address already in use") {
			t.Fatalf("%s does not answer: %s", program, said)
		}
	}
	t.Fatalf("%s found each of five ports taken", program)
	return netip.AddrPort{}
}

// try is one attempt of run: the port may be somebody else's by the time the program binds it.
func try(t *testing.T, path, probe string,
	command func(port uint16) []string) (addr netip.AddrPort, said string, ok bool) {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = pc.LocalAddr().(*net.UDPAddr).AddrPort()
	pc.Close()
	var out bytes.Buffer
	cmd := exec.Command(path, command(addr.Port())...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
	})
	c := dns.Client{Timeout: 200 * time.Millisecond}
	q := new(dns.Msg).SetQuestion(probe, dns.TypeA)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if m, _, err := c.Exchange(q, addr.String()); err == nil && m.Rcode == dns.RcodeSuccess {
			return addr, "", true
		}
		select {
		case <-ended:
			return addr, out.String(), false
		default:
		}
		if time.Now().After(end) {
			cmd.Process.Kill()
			<-ended
			return addr, out.String(), false
		}
	}
}

func dnsmasq(t *testing.T) netip.AddrPort {
	return run(t, "dnsmasq", "a.example.test.", func(port uint16) []string {
		return []string{"--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--no-daemon",
			"--log-facility=-", "--user=", "--pid-file=",
			"--listen-address=127.0.0.1", "--bind-interfaces", fmt.Sprintf("--port=%d", port), "--local=/test/",
			"--local-ttl=60", "--neg-ttl=30",
			"--host-record=a.example.test,127.0.0.1", "--host-record=b.example.test,127.0.0.2,::1",
			"--host-record=example.test,127.0.0.9",
			"--cname=alias.example.test,a.example.test",
			"--naptr-record=example.test,10,20,s,SIP+D2U,,_sip._udp.example.test",
			"--naptr-record=example.test,10,10,s,SIP+D2T,,_sip._tcp.example.test",
			"--naptr-record=example.test,10,30,s,SIPS+D2T,,_sips._tcp.example.test",
			"--srv-host=_sip._udp.example.test,a.example.test,5070,10,70",
			"--srv-host=_sip._udp.example.test,b.example.test,5071,10,30",
			"--srv-host=_sip._tcp.example.test,a.example.test,5072,20,0",
			"--srv-host=_sip._tcp.example.test,b.example.test,5073,10,0",
			"--srv-host=_sips._tcp.example.test,a.example.test,5074,10,0",
		}
	})
}

func unbound(t *testing.T) netip.AddrPort {
	return run(t, "unbound", "a.example.test.", func(port uint16) []string {
		conf := []string{"server:", "do-daemonize: no", `username: ""`, `chroot: ""`, `pidfile: ""`, "use-syslog: no",
			"interface: 127.0.0.1", "num-threads: 1",
			fmt.Sprintf("port: %d", port), "directory: /", "access-control: 127.0.0.0/8 allow",
			`module-config: "iterator"`, "do-not-query-localhost: no",
			"outgoing-range: 16", "local-zone: example.test. static"}
		for _, rr := range []string{
			"a.example.test. 60 IN A 127.0.0.1", "b.example.test. 60 IN A 127.0.0.2", "b.example.test. 60 IN AAAA ::1",
			"example.test. 60 IN A 127.0.0.9",
			"example.test. 60 IN SOA ns.example.test. root.example.test. 1 1 1 1 30",
			"alias.example.test. 60 IN CNAME a.example.test.",
			`example.test. 60 IN NAPTR 10 20 "s" "SIP+D2U" "" _sip._udp.example.test.`,
			`example.test. 60 IN NAPTR 10 10 "s" "SIP+D2T" "" _sip._tcp.example.test.`,
			`example.test. 60 IN NAPTR 10 30 "s" "SIPS+D2T" "" _sips._tcp.example.test.`,
			"_sip._udp.example.test. 60 IN SRV 10 70 5070 a.example.test.",
			"_sip._udp.example.test. 60 IN SRV 10 30 5071 b.example.test.",
			"_sip._tcp.example.test. 60 IN SRV 20 0 5072 a.example.test.",
			"_sip._tcp.example.test. 60 IN SRV 10 0 5073 b.example.test.",
			"_sips._tcp.example.test. 60 IN SRV 10 0 5074 a.example.test.",
		} {
			conf = append(conf, fmt.Sprintf("local-data: '%s'", rr))
		}
		conf = append(conf, "remote-control:", "control-enable: no")
		file := filepath.Join(t.TempDir(), "unbound.conf")
		if err := os.WriteFile(file, []byte(strings.Join(conf, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{"-d", "-p", "-c", file}
	})
}

// TestRealServers asks the servers people run.
func TestRealServers(t *testing.T) {
	for name, server := range map[string]func(*testing.T) netip.AddrPort{"dnsmasq": dnsmasq, "unbound": unbound} {
		t.Run(name, func(t *testing.T) {
			r := start(t, nil, server(t))
			f := func(uri, want string) {
				t.Helper()
				if got := locate(t, r, query(uri)); got != want {
					t.Errorf("%s leads to %s, want %s", uri, got, want)
				}
			}
			f("sips:example.test", "TLS 127.0.0.1:5074")
			f("sip:example.test;transport=tcp", "TCP 127.0.0.2:5073, TCP [::1]:5073, TCP 127.0.0.1:5072")
			f("sip:example.test:5099", "UDP 127.0.0.9:5099")
			f("sip:a.example.test", "UDP 127.0.0.1:5060")
			f("sip:b.example.test:5060", "UDP 127.0.0.2:5060, UDP [::1]:5060")
			f("sip:missing.example.test", "nowhere")
			if got := locate(t, r, query("sip:example.test")); !strings.HasPrefix(got,
				"TCP 127.0.0.2:5073, TCP [::1]:5073, TCP 127.0.0.1:5072, UDP") {
				t.Errorf("NAPTR leads to %s", got)
			}
			q := query("sip:example.test;transport=udp")
			locate(t, r, q)
			const seeds = 10000
			if share := float64(firsts(r, q, seeds)["UDP 127.0.0.1:5070"]) * 100 / seeds; math.Abs(share-70) > 2 {
				t.Errorf("the target of weight 70 comes first in %.1f %%", share)
			}
			if name == "unbound" { // gives a CNAME of local data without what it leads to
				f("sip:alias.example.test:5060", "UDP 127.0.0.1:5060")
			} else {
				f("sip:alias.example.test", "UDP 127.0.0.1:5060")
			}
			if st := r.Stats(); st.Bad+st.Unmatched+st.Timeouts+st.Panics != 0 {
				t.Errorf("not all answers were of use: %+v", st)
			}
			var out [proxy.MaxEndpoints]proxy.Endpoint
			if n := testing.AllocsPerRun(100, func() { q.Seed++; r.Lookup(q, out[:]) }); n != 0 {
				t.Errorf("Lookup allocates %v times", n)
			}
		})
	}
}
