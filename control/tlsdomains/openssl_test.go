package tlsdomains

import (
	"bytes"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"viaduct/netio/stream/tlslayer"
)

// listen serves a store's domains on a loopback port by way of the TLS layer, and answers each
// connection with a line.
func listen(t *testing.T, s *Store) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			nc.SetDeadline(time.Now().Add(patience))
			if sess, err := tlslayer.Handshake(t.Context(), nc, s.Server(0, here), true); err == nil {
				if wire, err := sess.Seal(nil, []byte("hello from the server\n")); err == nil {
					nc.Write(sess.Close(wire))
				}
				nc.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, nc)
			}
			nc.Close()
		}
	}()
	return l.Addr().String()
}

// What operators try first: openssl s_client, from outside.
func TestOpenSSLClient(t *testing.T) {
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	ca, f := newAuthority(t, "CA", nil), newFolder(t)
	f.write("ca.pem", ca.pem())
	f.put("s", ca.issue(t, "example.com", "CN=first"))
	f.put("second", ca.issue(t, "example.org", "CN=second"))
	f.put("c", ca.issue(t, "client.example.com"))
	f.put("stranger", newAuthority(t, "Other", nil).issue(t, "client.example.com"))
	g := func(cfg string, args []string, want string) {
		t.Helper()
		addr := listen(t, f.open(cfg))
		cmd := exec.Command(path,
			append([]string{"s_client", "-connect", addr, "-CAfile", filepath.Join(f.dir, "ca.pem"), "-ign_eof"},
				args...)...)
		cmd.Dir = f.dir
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr, cmd.Stdin = &out, &out, strings.NewReader("")
		err := cmd.Run()
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q: %v, without %q:\n%s", args, err, want, &out)
		}
		if said := strings.Contains(out.String(), "hello from the server"); said != !strings.Contains(want, "alert") {
			t.Errorf("%q: reached the server: %v\n%s", args, said, &out)
		}
	}
	both := oneServer + "[server:any]\nserver_name = example.org\ncertificate = second.pem\nprivate_key = second.key\n"
	args := func(a ...string) []string { return a }
	g(both, args("-servername", "example.com"), "subject=CN = first")
	g(both, args("-noservername"), "subject=CN = first")
	g(both, args("-servername", "example.org", "-verify_return_error"), "subject=CN = second")
	g(both, args(), "TLSv1.3")
	g(both, args("-tls1_2"), "TLSv1.2")
	g(both, args("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), "alert protocol version")
	g(both, args("-tls1", "-cipher", "ALL:@SECLEVEL=0"), "alert protocol version")
	// the key is ECDSA, and ! is for good
	g(oneServer+"cipher_list = AES256:!ECDSA:ECDHE-ECDSA-AES256-GCM-SHA384\n", args("-tls1_2"),
		"alert handshake failure")
	mutual := oneServer + "verify_client = on\nca_list = ca.pem\n"
	g(mutual, args("-cert", "c.pem", "-key", "c.key"), "Acceptable client certificate CA names\nCN = CA")
	g(mutual, args("-cert", "stranger.pem", "-key", "stranger.key"), "alert")
	g(mutual, args(), "alert certificate required")
	g(mutual, args("-tls1_2"), "alert")
}
