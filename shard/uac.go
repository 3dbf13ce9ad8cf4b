package shard

import (
	"bytes"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/netio/steer"
	"viaduct/parser"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
)

// Outgoing is a request that a program sends through the server, as a user agent does
// (RFC 3261 §8.1). It is whole, in Text, or in parts.
type Outgoing struct {
	// Text is the whole request. Its Via, if it has one, says nothing of where responses go: the
	// server shows its own.
	Text []byte
	// Method, URI, Rows (headers, with their line ends) and Body are the parts. From and To must be
	// among the rows. Call-ID, CSeq, Content-Length and the tag of From are added where they are
	// missing. Without Text they count.
	Method, URI string
	Rows, Body  []byte

	// NextHop is a URI that says where the request goes; "" leaves that to the Request-URI. Socket,
	// as in "udp:192.0.2.1:5060", is the listener that it leaves by; "" takes one that fits.
	NextHop, Socket string
	// Stateless sends the request once, and nobody waits for a response. An ACK is always sent so.
	Stateless bool
	// Final is told the outcome, once, on a goroutine of the server's. It must not block. It is not
	// told if Send returned an error, or if the server stops. nil means nobody wants to know.
	Final func(a Answer)
}

// Answer is how a request ended.
type Answer struct {
	Code   int
	Reason string
	// Text is the response, nil if none came and Code stands for why.
	Text []byte
}

// What Send returns besides: errors of the names that libsip's sip_sendmsg has.
var (
	// ErrSyntax says that the request is none, or that the branch of its Via does not begin with
	// z9hG4bK.
	ErrSyntax error = unix.EINVAL
	// ErrNoCSeq says that the request has no CSeq, and ErrCSeq that it cannot be read.
	ErrNoCSeq error = unix.ENOENT
	ErrCSeq   error = unix.EPROTO
	// ErrNoMemory says that there is no room for a transaction, or that too many requests wait for
	// their shard or for an answer.
	ErrNoMemory error = unix.ENOMEM
	// ErrSocket says that no listener is called as Socket says.
	ErrSocket error = unix.EADDRNOTAVAIL
	// ErrUnreachable says that there is no way to where the request should go.
	ErrUnreachable error = unix.EHOSTUNREACH
)

// uacName is the name that a request of Send's carries: none that a module has.
const uacName = "viaduct.send"

// maxOutgoing is how many requests of Send's may be under way at once.
const maxOutgoing = 10_000

// uacs are the requests of Send's that are under way.
type uacs struct {
	mu   sync.Mutex
	by   map[uint64]func(a Answer)
	last uint64
	next int // the shard that takes the next one
}

func (u *uacs) add(final func(a Answer)) (id uint64, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.by) >= maxOutgoing {
		return 0, false
	}
	if u.by == nil {
		u.by = map[uint64]func(a Answer){}
	}
	u.last++
	u.by[u.last] = final
	return u.last, true
}

func (u *uacs) take(id uint64) (final func(a Answer)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	final = u.by[id]
	delete(u.by, id)
	return final
}

// finished tells the outcome. A request that the process before this one has sent is unknown.
func (u *uacs) finished(note []byte, f *proxy.Finished) {
	if len(note) != 8 {
		return
	}
	final := u.take(binary.LittleEndian.Uint64(note))
	if final == nil {
		return
	}
	a := Answer{Code: f.Code, Reason: statusText(f.Code)}
	if f.M != nil {
		a.Reason, a.Text = string(f.M.Bytes(f.M.Phrase)), bytes.Clone(f.M.Raw)
	}
	final(a)
}

// statusText is the phrase of a status that stands for a missing response.
func statusText(code int) string {
	switch code {
	case 408:
		return "Request Timeout"
	case 503:
		return "Service Unavailable"
	}
	return "Not Sent"
}

// Send sends a request and returns when it is on its way, or will be once its name is looked up.
// It is safe for concurrent use, and must not be called on a shard.
func (s *Server) Send(o *Outgoing) error {
	all := s.shared.workers.Load()
	if all == nil {
		return errStarting
	}
	var m parser.Message
	if o.Text != nil {
		if err := checkOutgoing(&m, o); err != nil {
			return err
		}
	} else if m.Parse([]byte("X sip:x SIP/2.0\r\n"+string(o.Rows)+"\r\n")) != parser.OK {
		return ErrSyntax
	}
	u := &s.shared.uac
	w := (*all)[steer.Owner(m.CallID(), len(*all))]
	if len(m.CallID()) == 0 {
		u.mu.Lock()
		w, u.next = (*all)[u.next%len(*all)], u.next+1
		u.mu.Unlock()
	}
	sent := make(chan error, 1)
	var given atomic.Bool // up: nobody waits for the shard any more
	if !w.later(func(c *route.Ctx) {
		if !given.Load() {
			sent <- w.sendOutgoing(c, o)
		}
	}) {
		return ErrNoMemory
	}
	limit := time.NewTimer(visitWait)
	defer limit.Stop()
	select {
	case err := <-sent:
		return err
	case <-limit.C:
		given.Store(true)
		return errBusy
	}
}

// checkOutgoing checks a whole request, in the order of sip_sendmsg.
func checkOutgoing(m *parser.Message, o *Outgoing) error {
	if m.Parse(o.Text) != parser.OK || !m.IsRequest {
		return ErrSyntax
	}
	if o.Stateless || m.Method == parser.ACK {
		return nil
	}
	if m.Has(parser.KindVia) {
		via, reason := m.TopVia()
		if reason != parser.OK || !bytes.HasPrefix(via.Branch.Of(m.Raw), []byte("z9hG4bK")) {
			return ErrSyntax
		}
	}
	if !m.Has(parser.KindCSeq) {
		return ErrNoCSeq
	}
	if _, reason := m.CSeq(); reason != parser.OK {
		return ErrCSeq
	}
	return nil
}

// sendOutgoing sends o on its shard, between two messages.
func (w *worker) sendOutgoing(c *route.Ctx, o *Outgoing) error {
	x := route.Sending{Text: withoutVia(o.Text), Dst: []byte(o.NextHop), By: -1}
	if o.Socket != "" {
		if x.By = c.ListenerAt([]byte(o.Socket)); x.By < 0 {
			return ErrSocket
		}
	}
	if o.Text == nil {
		s := new(route.Composer)
		if !s.Compose(c, []byte(o.Method), []byte(o.URI), o.Rows, o.Body,
			w.settings.UserAgent()) {
			return ErrSyntax
		}
		x.Text = s.Text
	}
	x.Stateless = o.Stateless || bytes.HasPrefix(x.Text, []byte("ACK "))
	final := o.Final
	if final == nil {
		final = func(Answer) {}
	}
	u := &w.shared.uac
	id, ok := u.add(final)
	if !ok {
		return ErrNoMemory
	}
	x.Note = binary.LittleEndian.AppendUint64(nil, id)
	ok, code := w.program.SendAs(c, uacName, &x)
	if !ok || x.Stateless {
		u.take(id)
	}
	switch {
	case ok:
		return nil
	case code == 400:
		return ErrSyntax
	case code == 503:
		return ErrNoMemory
	}
	return ErrUnreachable
}

// withoutVia returns a request without its Via rows, nil for nil.
func withoutVia(text []byte) []byte {
	var m parser.Message
	if text == nil || m.Parse(text) != parser.OK || !m.Has(parser.KindVia) {
		return text
	}
	out := bytes.Clone(text[:m.HeaderStart])
	for i := range m.Headers {
		if h := &m.Headers[i]; h.Kind != parser.KindVia {
			out = append(out, h.Line.Of(text)...)
		}
	}
	return append(out, text[m.HeaderEnd:]...)
}

// Ask sends a request and waits for the outcome, which comes within some 32 s (Timer F), or for
// quit.
func (s *Server) Ask(o *Outgoing, quit <-chan struct{}) (Answer, error) {
	came := make(chan Answer, 1)
	asked := *o
	asked.Final = func(a Answer) { came <- a }
	if err := s.Send(&asked); err != nil {
		return Answer{}, err
	}
	select {
	case a := <-came:
		return a, nil
	case <-quit:
		return Answer{}, errors.New("nobody waits any more")
	case <-s.stopped:
		return Answer{}, errors.New("the server stops")
	}
}
