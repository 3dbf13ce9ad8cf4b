package tlslayer

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// openssl gives the program, or skips the test by name.
func openssl(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	return path
}

// pump feeds a Session from its connection until either ends, as an event loop would, and echoes
// every plain byte. It returns what Feed said.
func pump(nc net.Conn, s *Session) error {
	buf := make([]byte, 4096)
	err := s.Feed(nil, func([]byte) {})
	for err == nil {
		var n int
		if n, err = nc.Read(buf); err != nil {
			return err
		}
		var out []byte
		var sealErr error
		err = s.Feed(buf[:n], func(p []byte) {
			if out, sealErr = s.Seal(out, p); sealErr != nil {
				return
			}
		})
		out = append(out, s.Pending()...)
		if _, werr := nc.Write(out); werr != nil {
			return werr
		}
		if sealErr != nil {
			return sealErr
		}
	}
	return err
}

// lines collects what a program says and lets a test wait for it.
type lines struct {
	mu   sync.Mutex
	said bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.said.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.said.String()
}

func (l *lines) wait(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(l.String(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("openssl never said %q:\n%s", text, l)
		}
	}
}

// start runs openssl and ends it with the test.
func start(t *testing.T, args ...string) (stdin io.Writer, said *lines) {
	t.Helper()
	cmd := exec.Command(openssl(t), args...)
	said = &lines{}
	cmd.Stdout, cmd.Stderr = said, said
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	return in, said
}

func say(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

// serveOne accepts one connection, shakes hands and pumps; the channel gets what ended it.
func serveOne(t *testing.T, cfg *tls.Config) (addr string, ended <-chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c := ctx(t)
	done := make(chan error, 1)
	go func() {
		nc, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(patience))
		s, err := Handshake(c, nc, cfg, true)
		if err != nil {
			done <- err
			return
		}
		done <- pump(nc, s)
	}()
	return l.Addr().String(), done
}

func TestOpenSSLClientUpdatesKeys(t *testing.T) {
	cfg, _ := configs(t, tls.VersionTLS13)
	addr, ended := serveOne(t, cfg)
	in, said := start(t, "s_client", "-connect", addr, "-tls1_3")
	said.wait(t, "Verify return code")
	say(t, in, "before\n")
	said.wait(t, "before")
	say(t, in, "K\n") // KeyUpdate, and one of ours wanted
	said.wait(t, "KEYUPDATE")
	say(t, in, "after\n")
	said.wait(t, "after")
	say(t, in, "Q\n")
	if err := <-ended; err != io.EOF {
		t.Errorf("the session ended with %v, want EOF", err)
	}
}

func TestOpenSSLClientMayNotRenegotiate(t *testing.T) {
	cfg, _ := configs(t, tls.VersionTLS12)
	addr, ended := serveOne(t, cfg)
	in, said := start(t, "s_client", "-connect", addr, "-tls1_2")
	said.wait(t, "Verify return code")
	say(t, in, "before\n")
	said.wait(t, "before")
	say(t, in, "R\n")
	if err := <-ended; err == nil || err == io.EOF || !strings.Contains(err.Error(), "TLS") {
		t.Errorf("the session ended with %v", err)
	}
	said.wait(t, "alert")
}

func TestOpenSSLServerMayNotRenegotiate(t *testing.T) {
	openssl(t)
	cert, pool := issue(t, "example.com")
	dir := t.TempDir()
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "both.pem")
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	in, said := start(t, "s_server", "-accept", "127.0.0.1:0", "-cert", file, "-key", file, "-tls1_2")
	said.wait(t, "ACCEPT 127.0.0.1:")
	_, rest, _ := strings.Cut(said.String(), "ACCEPT ")
	addr, _, _ := strings.Cut(rest, "\n")
	nc, err := net.Dial("tcp", strings.TrimSpace(addr))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	s, err := Handshake(ctx(t), nc, &tls.Config{RootCAs: pool, ServerName: "example.com"}, false)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- pump(nc, s) }()
	said.wait(t, "CIPHER is")
	say(t, in, "r\n")
	if err := <-ended; err == nil || err == io.EOF || !strings.Contains(err.Error(), "no renegotiation") {
		t.Errorf("the session ended with %v", err)
	}
}
