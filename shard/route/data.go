package route

import (
	"net/netip"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/proxy"
)

// SendData sends text as it stands to where a URI leads, by the listener that is written as socket,
// or if that is empty, or there is none, by the one that $fs has forced, or that suits. It is true
// if the text has left, or will when the URI's name is known. With AnyTransport the URI says the
// transport.
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

// dataLater has f called when the shard is done with the message at hand.
func (s *Shard) dataLater(f func(c *proxy.Core)) { s.Later(func(*Ctx) { f(s.Core) }) }

// SetSource makes what follows take the message for one that came from that address. Where
// responses go is decided already.
func (c *Ctx) SetSource(from netip.AddrPort) {
	at := c.Source()
	proto := at.Proto
	*at = netio.AddrFrom(from)
	at.Proto = proto
}

// ReceiveBy makes what follows take the message for one that came in by another listener, whose
// number is by. It is false if that has another transport: the responses would have no way back.
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

// ListenerAt is the listener written as [proto:]host[:port], by its address or what it advertises.
// It is -1 if there is none.
func (s *Shard) ListenerAt(socket []byte) int { return s.listenerAt(socket) }

// ListenerNamed is the listener with a name. It is -1 if there is none.
func (s *Shard) ListenerNamed(name []byte) int {
	for i := range s.Listeners {
		if l := &s.Listeners[i]; l.Name == string(name) && l.Name != "" && !l.Leaving && !l.Gone {
			return i
		}
	}
	return -1
}

// NobodySent tells whether the message at hand is one that events are run on where there is no
// other.
func (c *Ctx) NobodySent() bool { return c.own != nil && c.Msg == &c.own.m }
