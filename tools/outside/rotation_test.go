package outside

import (
	"crypto/tls"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// rotations is how often the certificate is replaced while calls run.
const rotations = 1000

// A thousand new certificates, each read while calls run: new connections see the new one, no call
// fails, and memory stays where it was.
func TestCertificateRotation(t *testing.T) {
	if *against == "kamailio" {
		t.Skip("asks at a socket of Viaduct's")
	}
	t.Parallel()
	loads(t)
	socket := filepath.Join(t.TempDir(), "sock")
	srv := startStreams(t, streamSetup{setup: setup{shards: 2, flags: []string{"-x", socket}}})
	calls := startTraffic(t, srv, "UDP", overTCP, overTLS)
	shown := func() string {
		d := &tls.Dialer{NetDialer: &net.Dialer{Timeout: patience}, Config: srv.ca.client()}
		conn, err := d.DialContext(t.Context(), "tcp", srv.tls.String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	reload := func() {
		if _, fault := srv.rpc(t, socket, "tls.reload"); fault != "" {
			t.Fatal(fault)
		}
	}
	seen := map[string]bool{}
	var warm int64
	for i := range rotations {
		if i%10 == 0 { // a key is made for each of these; the others are read again as they are
			srv.ca.issue("127.0.0.1", "::1", "proxy.example.net")
		}
		reload()
		if i%10 == 0 {
			if serial := shown(); seen[serial] {
				t.Fatalf("after rotation %d the certificate %s is shown still", i, serial)
			} else {
				seen[serial] = true
			}
		}
		if i == rotations/10 {
			warm = srv.residentBytes(t)
		}
	}
	calls.goOn(20)
	if grown := srv.residentBytes(t) - warm; grown > 24<<20 {
		t.Errorf("%d rotations took %d bytes of memory", rotations*9/10, grown)
	}
	// What cannot be used changes nothing.
	last := shown()
	srv.ca.write("127.0.0.1.pem", "CERTIFICATE", []byte("no certificate"))
	if _, fault := srv.rpc(t, socket, "tls.reload"); !strings.HasPrefix(fault, "500 ") ||
		!strings.Contains(fault, "127.0.0.1.pem") {
		t.Errorf("a broken certificate is answered with %q", fault)
	}
	if now := shown(); now != last {
		t.Errorf("after a reload that failed %s is shown, not %s", now, last)
	}
	calls.allWell()
}
