package outside

import (
	"net/netip"
	"sync"
	"testing"
)

// answerer is a callee that plays its part by itself: 180 and 200 to an INVITE, 200 to everything
// else but ACK.
type answerer struct {
	*peer
	mu     sync.Mutex
	dialog map[string]bool // Call-IDs answered and not yet ended
	calls  int
	leave  bool // close the socket once no dialog is open
	closed chan struct{}
}

func newAnswerer(t *testing.T) *answerer {
	t.Helper()
	a := &answerer{peer: newPeer(t, "a callee"), dialog: map[string]bool{}, closed: make(chan struct{})}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case m := <-a.in:
				if !a.answer(m) {
					return
				}
			case <-stop:
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-done
	})
	return a
}

// answer is false when the socket has been closed.
func (a *answerer) answer(m *message) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	send := func(code int, phrase string) {
		a.conn.WriteToUDPAddrPort([]byte(replyText(m, a.addr, code, phrase, "callee")), m.from)
	}
	switch id := m.get("Call-ID"); m.method() {
	case "", "ACK":
	case "INVITE":
		if !a.dialog[id] {
			a.calls++
			a.dialog[id] = true
		}
		send(180, "Ringing")
		send(200, "OK")
	case "BYE":
		delete(a.dialog, id)
		send(200, "OK")
	default:
		send(200, "OK")
	}
	if a.leave && len(a.dialog) == 0 {
		a.conn.Close()
		close(a.closed)
		return false
	}
	return true
}

// vanish closes the socket as soon as no call is open: what was meant for it then meets a port that
// nobody has.
func (a *answerer) vanish() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.leave = true
}

func (a *answerer) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls
}

// answerers are n of them and where they are.
func answerers(t *testing.T, n int) (all []*answerer, at []netip.AddrPort) {
	t.Helper()
	for range n {
		a := newAnswerer(t)
		all, at = append(all, a), append(at, a.addr)
	}
	return all, at
}
