package tlslayer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

var (
	// ErrPendingFull: TLS had more to write than its limit while nobody took Pending.
	ErrPendingFull = errors.New("tlslayer: too many bytes pending")
	// ErrClosed: Close was called before.
	ErrClosed = errors.New("tlslayer: session is closed")
	// ErrTooOld: the handshake ended below TLS 1.2, which only a wrong tls.Config allows (RFC
	// 8996).
	ErrTooOld = errors.New("tlslayer: TLS below 1.2 is refused")
)

// Session is one TLS connection after its handshake. See the package comment for who may use it
// when.
type Session struct {
	tc  *tls.Conn
	p   *pipe
	err error // what ended the session; sticky
}

var scratch = sync.Pool{New: func() any { return new([scratchBytes]byte) }}

// Handshake runs the handshake on nc and blocks until it is over, or ctx is, in which case nc is
// closed. On success nc is as before, without a deadline of ours, and the caller may hand it to an
// event loop: the Session does not use it any more. On an error the caller closes nc; an alert that
// says why has been sent.
//
// With TLS 1.3 a client is through before the server has looked at its certificate (RFC 8446 §2): a
// refusal comes as an error of the first Feed.
func Handshake(ctx context.Context, nc net.Conn, cfg *tls.Config, server bool) (*Session, error) {
	s := &Session{p: &pipe{nc: nc}}
	if server {
		s.tc = tls.Server(s.p, cfg)
	} else {
		s.tc = tls.Client(s.p, cfg)
	}
	if err := s.tc.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	if s.tc.ConnectionState().Version < tls.VersionTLS12 {
		return nil, ErrTooOld
	}
	s.p.nc = nil
	return s, nil
}

// Feed takes bytes from the wire and hands the plain bytes of every complete record to emit, in
// order; a record begun stays inside. It never blocks and keeps nothing of in. Feed(nil, emit)
// gives what the handshake has read too far, and must be called once before the first bytes.
//
// The error is io.EOF when the peer has said close_notify (RFC 8446 §6.1), and else what is wrong
// with the records; an alert is then in Pending. Either is final, comes after all plain bytes
// before it, and is returned again by later calls. What follows it in the input is dropped. Seal
// and Close may be called from emit.
func (s *Session) Feed(in []byte, emit func(plain []byte)) error {
	if s.err != nil {
		return s.err
	}
	buf := scratch.Get().(*[scratchBytes]byte)
	s.p.in = in
	for s.err == nil {
		n, err := s.tc.Read(buf[:])
		if n > 0 {
			emit(buf[:n:n])
		}
		if err == errAgain {
			break
		}
		if s.err == nil { // else emit has called Close
			s.err = feedError(err)
		}
		if s.err == nil && len(s.p.pending) > pendingBytes {
			s.err = ErrPendingFull
		}
	}
	s.p.in = nil
	scratch.Put(buf)
	return s.err
}

func feedError(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return fmt.Errorf("TLS: %w", err)
}

// Pending gives the records that TLS itself wants to send (answers to KeyUpdate, alerts) and
// forgets them. Call it after each Feed, also after one that failed, and write the bytes; Seal and
// Close put them before their own, which keeps the order of the keys. Valid until the next call of
// any method.
func (s *Session) Pending() []byte {
	b := s.p.pending
	s.p.pending = b[:0]
	return b[:len(b):len(b)]
}

// Seal appends to dst what is pending and plain in records, and returns the longer slice. After an
// error the session can send nothing more; dst comes back with what may still be sent, at most an
// alert.
func (s *Session) Seal(dst, plain []byte) ([]byte, error) {
	dst = append(dst, s.Pending()...)
	if s.err != nil {
		return dst, s.err
	}
	s.p.sealing, s.p.dst = true, dst
	_, err := s.tc.Write(plain)
	dst, s.p.sealing, s.p.dst = s.p.dst, false, nil
	if err != nil {
		s.err = fmt.Errorf("TLS: %w", err)
	}
	return dst, s.err
}

// State describes the connection: version, cipher suite, the peer's certificates. It copies a large
// struct.
func (s *Session) State() tls.ConnectionState { return s.tc.ConnectionState() }

// Close appends to dst what is pending and a close_notify, unless an alert has said more already,
// and ends the session. The caller writes the bytes and closes the connection; waiting for the
// peer's close_notify is not asked for (RFC 8446 §6.1).
func (s *Session) Close(dst []byte) []byte {
	dst = append(dst, s.Pending()...)
	if s.err == ErrClosed {
		return dst
	}
	s.p.sealing, s.p.dst = true, dst
	_ = s.tc.Close() // fails only when an alert has gone out before: then nothing is written
	dst, s.p.sealing, s.p.dst = s.p.dst, false, nil
	s.err = ErrClosed
	return dst
}
