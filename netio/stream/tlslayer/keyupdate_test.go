package tlslayer

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"strings"
	"testing"
)

// sealer writes TLS 1.3 records with the client's keys (RFC 8446 §5.2, §7.3), since crypto/tls has
// no way to ask for a KeyUpdate.
type sealer struct {
	hash   func() hash.Hash
	keyLen int
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

func newSealer(t *testing.T, suite uint16, keyLog string) *sealer {
	t.Helper()
	s := &sealer{}
	switch suite {
	case tls.TLS_AES_128_GCM_SHA256:
		s.hash, s.keyLen = sha256.New, 16
	case tls.TLS_AES_256_GCM_SHA384:
		s.hash, s.keyLen = sha512.New384, 32
	default:
		t.Skipf("a machine without AES instructions prefers %s, which the standard library cannot use alone",
			tls.CipherSuiteName(suite))
	}
	for line := range strings.Lines(keyLog) {
		if f := strings.Fields(line); f[0] == "CLIENT_TRAFFIC_SECRET_0" {
			var err error
			if s.secret, err = hex.DecodeString(f[2]); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.keys(t)
	return s
}

func (s *sealer) expand(t *testing.T, label string, n int) []byte {
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(info, byte(len("tls13 "+label)))
	info = append(info, "tls13 "+label...)
	info = append(info, 0)
	b, err := hkdf.Expand(s.hash, s.secret, string(info), n)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (s *sealer) keys(t *testing.T) {
	block, err := aes.NewCipher(s.expand(t, "key", s.keyLen))
	if err != nil {
		t.Fatal(err)
	}
	if s.aead, err = cipher.NewGCM(block); err != nil {
		t.Fatal(err)
	}
	s.iv, s.seq = s.expand(t, "iv", 12), 0
}

// record seals one record of the given kind and leads the way to the next keys if it was a
// KeyUpdate.
func (s *sealer) record(t *testing.T, kind byte, payload []byte) []byte {
	n := len(payload) + 1 + s.aead.Overhead()
	head := []byte{23, 3, 3, byte(n >> 8), byte(n)}
	nonce := bytes.Clone(s.iv)
	for i := range 8 {
		nonce[4+i] ^= byte(s.seq >> (56 - 8*i))
	}
	s.seq++
	return s.aead.Seal(head, nonce, append(bytes.Clone(payload), kind), head)
}

func (s *sealer) update(t *testing.T) {
	s.secret = s.expand(t, "traffic upd", s.hash().Size())
	s.keys(t)
}

// secrets gives a server and a client whose secrets are known.
func secrets(t *testing.T) (server, client *Session, s *sealer) {
	t.Helper()
	var log bytes.Buffer
	server, client = couple(t, tls.VersionTLS13, func(_, c *tls.Config) { c.KeyLogWriter = &log })
	return server, client, newSealer(t, client.State().CipherSuite, log.String())
}

var (
	updateRequested    = []byte{24, 0, 0, 1, 1} // RFC 8446 §4.6.3
	updateNotRequested = []byte{24, 0, 0, 1, 0}
)

const handshakeKind, dataKind = 22, 23

func TestKeyUpdateIsAnsweredAndFollowed(t *testing.T) {
	server, client, s := secrets(t)
	wire := s.record(t, dataKind, []byte("one"))
	wire = append(wire, s.record(t, handshakeKind, updateNotRequested)...)
	s.update(t)
	wire = append(wire, s.record(t, dataKind, []byte("two"))...)
	wire = append(wire, s.record(t, handshakeKind, updateRequested[:2])...) // cut in two records
	wire = append(wire, s.record(t, handshakeKind, updateRequested[2:])...)
	s.update(t)
	wire = append(wire, s.record(t, dataKind, []byte("three"))...)
	var got []string
	for i := range wire {
		if err := server.Feed(wire[i:i+1], func(p []byte) { got = append(got, string(p)) }); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Join(got, " ") != "one two three" {
		t.Fatalf("got %q", got)
	}
	// Only the request is answered, and what the server seals next has new keys: the client takes
	// both, in this order.
	var back []byte
	take := func(p []byte) { back = append(back, p...) }
	answer := bytes.Clone(server.Pending())
	if len(answer) == 0 {
		t.Fatal("the KeyUpdate was not answered")
	}
	sealed, err := server.Seal(nil, []byte("back"))
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Feed(append(answer, sealed...), take); err != nil || string(back) != "back" {
		t.Fatalf("the client got %q, %v", back, err)
	}
}

// Whoever forgets Pending loses nothing: Seal puts it first.
func TestSealPutsPendingFirst(t *testing.T) {
	server, client, s := secrets(t)
	if err := server.Feed(s.record(t, handshakeKind, updateRequested), nil); err != nil {
		t.Fatal(err)
	}
	wire, err := server.Seal(nil, []byte("after the update"))
	if err != nil {
		t.Fatal(err)
	}
	if rest := server.Pending(); len(rest) > 0 {
		t.Errorf("%d bytes are pending still", len(rest))
	}
	var got []byte
	if err := client.Feed(wire,
		func(p []byte) { got = append(got, p...) }); err != nil || string(got) != "after the update" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestAFloodOfKeyUpdatesEnds(t *testing.T) {
	f := func(between int, want string) {
		t.Helper()
		server, _, s := secrets(t)
		var err error
		for n := 0; err == nil; n++ {
			if n > 1<<16 {
				t.Fatal("no limit was reached")
			}
			wire := s.record(t, handshakeKind, updateRequested)
			s.update(t)
			for range between {
				wire = append(wire, s.record(t, dataKind, []byte("x"))...)
			}
			err = server.Feed(wire, func([]byte) {})
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if n := len(server.Pending()); n > pendingBytes+1<<10 {
			t.Errorf("%d bytes pending", n)
		}
	}
	f(0, "too many non-advancing records")
	f(1, ErrPendingFull.Error())
}

func TestLongHandshakeMessageIsRefused(t *testing.T) {
	server, _, s := secrets(t)
	// claims 16 MiB
	err := server.Feed(s.record(t, handshakeKind, []byte{24, 0xff, 0xff, 0xff, 1}), nil)
	if err == nil || !strings.Contains(err.Error(), "exceeds maximum") {
		t.Fatalf("Feed: %v", err)
	}
}
