package shard

import (
	"sync"

	"golang.org/x/sys/unix"

	"viaduct/netio"
	"viaduct/netio/steer"
	"viaduct/netio/stream"
	"viaduct/parser"
	"viaduct/shard/blocklist"
	"viaduct/shard/proxy"
	"viaduct/shard/txn"
)

// streamPort adapts a stream.Port to streams.
type streamPort struct {
	p      *stream.Port
	from   int // packets taken since Release, before the last Recv
	taken  int // packets taken since Release, with the last Recv
	failed []streamFailure
	names  map[string]string // domains as strings for the engine, so that a message allocates none
}

var _ streams = (*streamPort)(nil)

func (s *streamPort) Recv(most int) []netio.Packet {
	packets := s.p.Recv(most)
	s.from = s.taken
	s.taken += len(packets)
	return packets
}

func (s *streamPort) Release() {
	s.from, s.taken = 0, 0
	s.p.Release()
}

func (s *streamPort) Conn(i int) uint64        { return s.p.Conn(s.from + i) }
func (s *streamPort) Fault(i int) stream.Fault { return s.p.Fault(s.from + i) }
func (s *streamPort) HTTP(i int) stream.HTTPRequest {
	return s.p.HTTP(s.from + i)
}
func (s *streamPort) Waiting() bool         { return s.p.Waiting() }
func (s *streamPort) Append(segment []byte) { s.p.Append(segment) }
func (s *streamPort) Abandon()              { s.p.Abandon() }
func (s *streamPort) Flush()                { s.p.Flush() }
func (s *streamPort) Forget()               { s.p.Forget() }

func (s *streamPort) Begin(listener int, dst *netio.Addr, token uint64) {
	to := *dst
	to.Proto = 0 // the listener says that, and connections are found by address alone
	s.p.Begin(listener, &to, token)
}

func (s *streamPort) End(w txn.StreamOptions, domain []byte, p proxy.StreamTimeouts) (ok bool) {
	if w != 0 || len(domain) > 0 || p != (proxy.StreamTimeouts{}) {
		s.p.Options(stream.SendOptions{
			NoConnect: w&txn.NoConnect != 0, CloseAfter: w&txn.CloseAfter != 0,
			GiveBack: w&txn.GiveBack != 0,
			Domain:   s.name(domain), ConnectTimeout: p.Connect, SendTimeout: p.Send,
		})
	}
	s.p.End()
	return s.p.Last() != stream.NoConnection
}

// name returns domain as a string, the same one for all messages to it.
func (s *streamPort) name(domain []byte) string {
	if len(domain) == 0 {
		return ""
	}
	if name, ok := s.names[string(domain)]; ok {
		return name
	}
	if s.names == nil || len(s.names) >= maxNames {
		s.names = make(map[string]string)
	}
	name := string(domain)
	s.names[name] = name
	return name
}

// Failures returns the engine's failures as the shard's. A message that a limit of this server kept
// back is not its destination's fault.
func (s *streamPort) Failures() []streamFailure {
	s.failed = s.failed[:0]
	for _, f := range s.p.Failures() {
		s.failed = append(s.failed, failureOf(f))
	}
	return s.failed
}

func failureOf(f stream.Failure) streamFailure {
	t := streamFailure{
		Token: f.Token, Dst: f.Dst, Why: blocklist.SendError, Cause: proxy.NotSent,
		Detail: f.Text(), Listener: f.Listener, Message: f.Message,
	}
	t.Dst.Proto = f.Proto
	switch f.Reason {
	case stream.ConnectFailed, stream.ConnectTimeout, stream.HandshakeFailed:
		t.Why, t.Blames, t.Cause = blocklist.Connect, true, proxy.ConnectionFailed
		if f.Reason == stream.HandshakeFailed {
			t.Cause = proxy.HandshakeFailed
		}
	case stream.SendTimeout, stream.Reset:
		t.Blames = true
	case stream.Closed, stream.ClosedAfterSend:
		t.Blames = f.Errno != 0 // a reset; a peer may close a connection in an orderly way
		t.Written = f.Reason == stream.ClosedAfterSend
	}
	switch f.Reason {
	case stream.Closed, stream.Reset, stream.ClosedAfterSend:
		t.Again = f.Established && !f.Stuck && f.Errno != unix.ETIMEDOUT
		t.Ours = f.Outgoing
	}
	return t
}

// StreamLoops returns how many event loops carry the streams if asked are asked for; with 0, as
// many as suit the shards.
func StreamLoops(asked, shards int) int {
	if asked <= 0 {
		return min(shards, streamLoops)
	}
	return min(asked, MaxShards)
}

// startStreams starts the engine for the stream listeners, numbered behind those of datagrams.
// Without such a listener no engine is started; the first reload that adds one starts it.
func (s *Server) startStreams() error {
	if len(s.cfg.Streams.Listeners) == 0 {
		return nil
	}
	c := s.cfg.Streams
	c.Base, c.HTTP = len(s.group.Listeners()), s.cfg.Program.HasHTTPRoute()
	engine, err := s.newEngine(c)
	if err != nil {
		return err
	}
	s.streams.Store(engine)
	return nil
}

// newStreams starts an engine without listeners, for a reload.
func (s *Server) newStreams(c stream.Config) (*stream.Engine, error) {
	c.Listeners = nil
	return s.newEngine(c)
}

func (s *Server) newEngine(c stream.Config) (*stream.Engine, error) {
	c.Shards, c.Logger = s.cfg.Shards, s.cfg.Logger
	c.Loops = StreamLoops(c.Loops, c.Shards)
	c.Owner = streamOwner(c.Shards)
	c.Ring = func(shard int) { s.arena.Doorbell(shard).Ring() }
	c.Closed = s.webSocketClosed
	engine, err := stream.Start(c)
	if err == nil {
		s.loops.Store(int64(c.Loops))
	}
	return engine, err
}

// connectStreams gives the shard its end of the engine.
func (w *worker) connectStreams(e *stream.Engine) {
	w.streams, w.conns = &streamPort{p: e.Port(w.number)}, e
}

// streamOwner returns the function that names the shard of a message that came over a stream: the
// owner of its Call-ID, as for datagrams. A message without a Call-ID may go to any shard: it is
// answered with 400.
func streamOwner(shards int) func([]byte) int {
	if shards == 1 {
		return func([]byte) int { return 0 }
	}
	// Several event loops call at once, each needs a view of its own.
	pool := sync.Pool{New: func() any { return new(parser.Message) }}
	return func(message []byte) int {
		m := pool.Get().(*parser.Message)
		defer pool.Put(m)
		m.Parse(message)
		if id := m.CallID(); len(id) > 0 {
			return steer.Owner(id, shards)
		}
		return 0
	}
}
