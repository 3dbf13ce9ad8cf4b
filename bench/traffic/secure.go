package traffic

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// secure is the TLS of one connection. crypto/tls reads and writes a net.Conn, which this is:
// during the handshake, which a goroutine of its own makes, the real one; from then on two buffers,
// so that the loop moves the bytes and never waits.
type secure struct {
	net.Conn // the handshake's; its addresses serve to the end
	tls      *tls.Conn
	inLoop   bool
	arrived  []byte  // read from the kernel, not yet by crypto/tls
	out      *stream // takes what crypto/tls writes
}

// errNothingYet has crypto/tls keep what it has and try again later: it makes only lasting errors
// stick.
var errNothingYet net.Error = nothingYet{}

type nothingYet struct{}

func (nothingYet) Error() string   { return "nothing has arrived yet" }
func (nothingYet) Timeout() bool   { return true }
func (nothingYet) Temporary() bool { return true }

// Read is for crypto/tls.
func (c *secure) Read(b []byte) (int, error) {
	if !c.inLoop {
		return c.Conn.Read(b)
	}
	if len(c.arrived) == 0 {
		return 0, errNothingYet
	}
	n := copy(b, c.arrived)
	c.arrived = c.arrived[n:]
	return n, nil
}

// Write is for crypto/tls.
func (c *secure) Write(b []byte) (int, error) {
	if !c.inLoop {
		return c.Conn.Write(b)
	}
	c.out.pending = append(c.out.pending, b...)
	return len(b), nil
}

// encrypt turns b into records of what is pending. It returns false if the connection is no more.
func (c *secure) encrypt(b []byte) bool {
	_, err := c.tls.Write(b)
	return err == nil
}

// readSecure is read for a connection with TLS: one read of the kernel, then as many records as
// that gave.
func (e *Engine) readSecure(s *socket, b []byte) (n int, more bool) {
	c := s.stream.secure
	for n < len(b) {
		k, err := c.tls.Read(b[n:])
		n += k
		switch {
		case err == nil:
		case errors.Is(err, errNothingYet):
			if k, _ = e.readPlain(s, e.cipher); k == 0 {
				return n, false
			}
			c.arrived = e.cipher[:k] // all of it is taken before another connection reads
		default:
			e.lose(s)
			return n, false
		}
	}
	return n, true
}

// shaken is the end of one handshake.
type shaken struct {
	c, at *socket // at: the port that accepted c, nil for a caller
	err   error
}

// handshake lets a goroutine make the handshake on c; takeShaken hears of the end. The goroutine
// owns c until then.
func (e *Engine) handshake(c, at *socket) {
	e.shaking++
	config := e.tlsConfig
	go func() { e.shaken <- shaken{c, at, c.shake(config, at != nil)} }()
}

func (s *socket) shake(config *tls.Config, answerer bool) error {
	fd, err := unix.FcntlInt(uintptr(s.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), "connection")
	conn, err := net.FileConn(file)
	file.Close()
	if err != nil {
		return err
	}
	defer conn.Close() // s.fd keeps the connection open
	_ = conn.SetDeadline(time.Now().Add(handshakeTime))
	c := &secure{Conn: conn, out: s.stream}
	if answerer {
		c.tls = tls.Server(c, config)
	} else {
		c.tls = tls.Client(c, config)
	}
	if err := c.tls.Handshake(); err != nil {
		return err
	}
	c.inLoop = true
	s.stream.secure = c
	return nil
}

// takeShaken takes in what handshakes have ended. While any is under way, the loop lets their
// goroutines run.
func (e *Engine) takeShaken() error {
	for e.shaking > 0 {
		select {
		case h := <-e.shaken:
			e.shaking--
			if h.err != nil {
				h.c.close()
				e.account.sockets.Closed++
				return fmt.Errorf("TLS handshake at %s: %w", h.c.local, h.err)
			}
			if h.at != nil {
				e.adopt(h.c, h.at)
			}
		default:
			runtime.Gosched()
			return nil
		}
	}
	return nil
}

// agreed is what the first connection of a side has agreed upon, "" without TLS.
func (e *Engine) agreed(answerer bool) string {
	for _, s := range e.sockets {
		if s.answerer == answerer && s.stream != nil && s.stream.secure != nil {
			state := s.stream.secure.tls.ConnectionState()
			return tls.VersionName(state.Version) + " " + tls.CipherSuiteName(state.CipherSuite)
		}
	}
	return ""
}

// newTLSConfig is for both ends. It trusts everyone: the peer is a server of the bench on loopback.
// Every connection makes a full handshake.
func newTLSConfig() (*tls.Config, error) {
	certificate, err := Certificate()
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		Certificates: []tls.Certificate{certificate}, InsecureSkipVerify: true,
		SessionTicketsDisabled: true, DynamicRecordSizingDisabled: true,
	}, nil
}

// Certificate makes a key and a certificate, signed by itself, for 127.0.0.1 and localhost.
func Certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cannot make a key: %w", err)
	}
	now := time.Now()
	form := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()),
		Subject: pkix.Name{CommonName: "localhost"}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.Add(30 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true,
		BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth,
			x509.ExtKeyUsageClientAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cannot make a certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// WriteCertificate makes a certificate and writes it and its key as PEM, for a server.
func WriteCertificate(certificatePath, keyPath string) error {
	c, err := Certificate()
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return fmt.Errorf("cannot write a key: %w", err)
	}
	write := func(path, kind string, der []byte) error {
		return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
	}
	return errors.Join(write(certificatePath, "CERTIFICATE", c.Certificate[0]),
		write(keyPath, "PRIVATE KEY", der))
}
