package route

import (
	"net/netip"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/proxy"
)

// SendData sends text as it is to where a URI leads. It leaves by the listener written as socket.
// If socket is empty or no listener matches, it leaves by the one that $fs has forced, or else by
// one that suits. It returns 1 if the text has left, or will when the URI's name is resolved. With
// AnyTransport the URI decides the transport.
func (c *Ctx) SendData(to *parser.URI, proto Transport, socket, text []byte) Result {
	d := &c.data
	*d = proxy.Data{To: to, Text: text, Proto: proto, By: -1, Like: c.listener()}
	if l := c.Forced(); l != nil {
		d.By = l.Index
	}
	if len(socket) > 0 {
		d.By = c.Shard.listenerAt(socket)
	}
	if c.Shard.Later != nil {
		d.Later = c.Shard.dataLater
	}
	ok := c.Shard.Core.SendData(d)
	*d = proxy.Data{}
	return truth(ok)
}

// dataLater has f called when the shard is done with the current message.
func (s *Shard) dataLater(f func(c *proxy.Core)) { s.Later(func(*Ctx) { f(s.Core) }) }

// SetSource makes the rest of the run see from as the source of the message. It does not change
// where responses go, which is already decided.
func (c *Ctx) SetSource(from netip.AddrPort) {
	at := c.Source()
	proto := at.Proto
	*at = netio.AddrFrom(from)
	at.Proto = proto
}

// ReceiveBy makes the rest of the run see listener number by as the one that received the message.
// It returns -1 if by is negative, or if that listener has another transport: the responses would
// have no way back.
func (c *Ctx) ReceiveBy(by int) Result {
	if by < 0 || c.Shard.Listeners[by].Proto != c.ReceivedBy().Proto {
		return -1
	}
	if c.Request != nil {
		c.Request.Listener = by
	} else {
		c.Reply.Listener = by
	}
	return 1
}

// ListenerAt returns the listener written as [proto:]host[:port], by its address or by what it
// advertises. It returns -1 if there is none.
func (s *Shard) ListenerAt(socket []byte) int { return s.listenerAt(socket) }

// ListenerNamed returns the listener with a name. It returns -1 if there is none.
func (s *Shard) ListenerNamed(name []byte) int {
	for i := range s.Listeners {
		if l := &s.Listeners[i]; l.Name == string(name) && l.Name != "" && !l.Leaving && !l.Gone {
			return i
		}
	}
	return -1
}

// IsFaked tells whether the current message is the made-up one that event routes run on if there
// is no real message.
func (c *Ctx) IsFaked() bool { return c.own != nil && c.Msg == &c.own.m }
