package tlsdomains

import (
	"crypto/tls"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

const oneServer = "[server:default]\ncertificate = s.pem\nprivate_key = s.key\n"

func TestReloadChangesWhatListenersShow(t *testing.T) {
	ca, f := newAuthority(t, "CA", nil), newFolder(t)
	f.put("s", ca.issue(t, "CN=old"))
	s := f.open(oneServer)
	cfg := s.Server(0, here)
	show := func() string {
		t.Helper()
		_, cs, _, err := shake(t, cfg, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		return cs.PeerCertificates[0].Subject.CommonName
	}
	if got := show(); got != "old" {
		t.Fatalf("shows %s", got)
	}
	f.put("s", ca.issue(t, "CN=new"))
	if got := show(); got != "old" {
		t.Errorf("shows %s before the reload", got)
	}
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := show(); got != "new" {
		t.Errorf("shows %s after the reload", got)
	}
	if s.Server(0, here) != cfg {
		t.Error("the listener's configuration changed")
	}
	// A mistake changes nothing.
	f.write("tls.cfg", oneServer+"bogus = 1\n")
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), `tls.cfg:4:1: unknown setting "bogus"`) {
		t.Errorf("Reload: %v", err)
	}
	os.Remove(filepath.Join(f.dir, "s.key"))
	f.write("tls.cfg", oneServer)
	if err := s.Reload(); err == nil ||
		!strings.Contains(err.Error(), "tls.cfg:3:15: private_key s.key: cannot read it") {
		t.Errorf("Reload: %v", err)
	}
	if got := show(); got != "new" {
		t.Errorf("shows %s after two reloads that failed", got)
	}
}

// A ticket lives over a reload, but its owner is judged by the CAs and lists of now.
func TestSessionTicketsOverReloads(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		ca, f := newAuthority(t, "CA", nil), newFolder(t)
		later := time.Now().Add(time.Hour)
		f.put("s", ca.issue(t, "s.example.com"))
		f.write("ca.pem", ca.pem())
		f.write("crl.pem", ca.revoke(t, later))
		peer := ca.issue(t, "c.example.com")
		s := f.open(oneServer + "verify_client = on\nca_list = ca.pem\ncrl = crl.pem\n")
		client := &tls.Config{
			ServerName: "s.example.com", RootCAs: ca.pool(), MaxVersion: version, Certificates: []tls.Certificate{peer},
			ClientSessionCache: tls.NewLRUClientSessionCache(4),
		}
		resumed := func() (bool, error) {
			t.Helper()
			cs, _, err, _ := shake(t, s.Server(0, here), client)
			return cs.DidResume, err
		}
		if did, err := resumed(); did || err != nil {
			t.Fatalf("first: %v, %v", did, err)
		}
		if did, err := resumed(); !did || err != nil {
			t.Fatalf("before the reload: %v, %v", did, err)
		}
		if err := s.Reload(); err != nil {
			t.Fatal(err)
		}
		if did, err := resumed(); !did || err != nil {
			t.Fatalf("after the reload: %v, %v", did, err)
		}
		f.write("crl.pem", ca.revoke(t, later, peer))
		if err := s.Reload(); err != nil {
			t.Fatal(err)
		}
		if _, err := resumed(); err == nil || !strings.Contains(err.Error(), "is revoked") {
			t.Errorf("version %x: a revoked client came in with its ticket: %v", version, err)
		}
	}
}

// Without sessions every handshake is a full one, after a reload too.
func TestNoSessions(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		ca, f := newAuthority(t, "CA", nil), newFolder(t)
		f.put("s", ca.issue(t, "s.example.com"))
		f.write("tls.cfg", oneServer)
		s, err := Open(Options{File: filepath.Join(f.dir, "tls.cfg"), NoSessions: true})
		if err != nil {
			t.Fatal(err)
		}
		client := &tls.Config{
			ServerName: "s.example.com", RootCAs: ca.pool(), MaxVersion: version,
			ClientSessionCache: tls.NewLRUClientSessionCache(4),
		}
		for i := range 4 {
			if cs, _, err, _ := shake(t, s.Server(0, here), client); err != nil || cs.DidResume {
				t.Fatalf("version %x, handshake %d: resumed %v, %v", version, i, cs.DidResume, err)
			}
			if err := s.Reload(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestReloadsKeepNothing(t *testing.T) {
	ca, f := newAuthority(t, "CA", nil), newFolder(t)
	f.put("s", ca.issue(t, "s.example.com"))
	f.write("ca.pem", ca.pem())
	f.write("crl.pem", ca.revoke(t, time.Now().Add(time.Hour)))
	s := f.open(oneServer + "verify_client = on\nca_list = ca.pem\ncrl = crl.pem\n[client:default]\n" +
		"ca_list = ca.pem\nverify_certificate = yes\n")
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	reloads := func(n int) {
		for range n {
			if err := s.Reload(); err != nil {
				t.Fatal(err)
			}
			if s.Server(0, here) == nil || s.Client(0, "example.com", there) == nil {
				t.Fatal("no configuration")
			}
		}
	}
	files := func() int {
		open, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(open)
	}
	reloads(100)
	before, opened := heap(), files()
	reloads(1000)
	if n := files(); n > opened {
		t.Errorf("1,000 reloads left %d files open", n-opened)
	}
	// One snapshot has some 20 KB: 1,000 of them would be 20 MB.
	if after := heap(); after > before+2<<20 {
		t.Errorf("1,000 reloads: the heap went from %d to %d bytes", before, after)
	}
}

// Handshakes and reloads meet at the pointer alone; the race detector watches.
func TestReloadDuringHandshakes(t *testing.T) {
	ca, f := newAuthority(t, "CA", nil), newFolder(t)
	f.put("s", ca.issue(t, "s.example.com"))
	s := f.open(oneServer)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if err := s.Reload(); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	for range 20 {
		if _, _, serverErr, err := shake(t, s.Server(0, here),
			&tls.Config{ServerName: "s.example.com", RootCAs: ca.pool()}); err != nil || serverErr != nil {
			t.Fatal(err, serverErr)
		}
	}
	close(stop)
	wg.Wait()
}

func TestListenersNeedCertificates(t *testing.T) {
	ca, f := newAuthority(t, "CA", nil), newFolder(t)
	f.put("s", ca.issue(t, "s.example.com"))
	listener := netip.MustParseAddrPort("10.0.0.1:5061")
	g := func(cfg string, want string) {
		t.Helper()
		f.write("tls.cfg", cfg)
		_, err := Open(Options{File: f.config(), Listeners: []netip.AddrPort{listener}})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", cfg, err, want)
		}
	}
	files := "certificate = s.pem\nprivate_key = s.key\n"
	g(oneServer, "")
	g("[server:10.0.0.1:5061]\n"+files, "")
	g("[server:10.0.0.1:5061]\n"+files+"server_name = example.com\n", "")
	g("", "no certificate for the TLS listener 10.0.0.1:5061; write [server:default] with certificate")
	g("[server:any]\n"+files+"server_name = example.com\n", "no certificate for the TLS listener")
	g("[server:default]\n", "tls.cfg:1:1: [server:default] has no certificate; write certificate = cert.pem")
	g(oneServer+"[server:10.0.0.2:5061]\n"+files, "[server:10.0.0.2:5061]: there is no TLS listener on that address")

	if _, err := Open(Options{Listeners: []netip.AddrPort{listener}}); err == nil ||
		!strings.Contains(err.Error(), `modparam("tls", "certificate", "cert.pem")`) {
		t.Errorf("nothing configured: %v", err)
	}
	if s, err := Open(Options{}); err != nil || s.Server(0, here) != nil {
		t.Errorf("no TLS at all: %v", err)
	}
}

func TestParametersMakeDefaultDomains(t *testing.T) {
	ca, f := newAuthority(t, "CA", nil), newFolder(t)
	f.put("s", ca.issue(t, "s.example.com"))
	f.write("ca.pem", ca.pem())
	var p Settings
	set := func(name, value string) {
		t.Helper()
		if err := p.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	set("certificate", "s.pem")
	set("tls_private_key", "s.key")
	set("ca_list", "ca.pem")
	set("verify_certificate", "1")
	set("tls_method", "TLSv1.3")
	s, err := Open(Options{Default: p, Dir: f.dir})
	if err != nil {
		t.Fatal(err)
	}
	cs, _, serverErr, err := shake(t, s.Server(0, here), s.Client(0, "s.example.com", there))
	if err != nil || serverErr != nil || cs.Version != tls.VersionTLS13 || len(cs.PeerCertificates) != 1 {
		t.Errorf("%v, %v, version %x, %d certificates", err, serverErr, cs.Version, len(cs.PeerCertificates))
	}
	if err := p.Set("certificat", "x"); err == nil || !strings.Contains(err.Error(), "did you mean certificate?") {
		t.Errorf("Set: %v", err)
	}
	f.write("tls.cfg", oneServer)
	s, err = Open(Options{Default: p, File: f.config()})
	if err != nil || len(s.Warnings()) != 1 || !strings.Contains(s.Warnings().Error(), "do not count") {
		t.Errorf("%v, warnings %v", err, s.Warnings())
	}
}

func TestFrontsAreBounded(t *testing.T) {
	ca, f := newAuthority(t, "CA", nil), newFolder(t)
	f.put("s", ca.issue(t, "s.example.com"))
	s := f.open(oneServer)
	addr := here
	for i := range maxFronts + 10 {
		addr.IP[2], addr.IP[3], addr.Port = byte(i>>8), byte(i), uint16(i>>16)
		if s.Server(0, addr) == nil {
			t.Fatal("no configuration")
		}
	}
	if len(s.fronts) > maxFronts {
		t.Errorf("%d fronts", len(s.fronts))
	}
}
