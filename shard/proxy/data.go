package proxy

import (
	"viaduct/netio"
	"viaduct/parser"
)

// Data is a message that leaves as it stands. Nothing is added to it, it is sent once, and no
// answer is waited for. It has nothing to do with the destination of the request under way.
type Data struct {
	To   *parser.URI
	Text []byte
	// Proto is the transport it leaves by; with AnyTransport the URI decides.
	Proto parser.Transport
	// By is the listener it leaves by, if that has the destination's address family and transport.
	// Otherwise, and with -1, a listener that suits the destination is chosen: Like if that does.
	By, Like int
	// Later makes the shard call f, and may itself be called from any goroutine. It is used when a
	// name becomes known. nil means that nothing waits for a name.
	Later func(f func(c *Core))
}

// SendData sends d. It returns false if nothing was sent and nothing will be. If d waits for a
// name, it is copied.
func (c *Core) SendData(d *Data) bool { return c.sendData(d, false) }

func (c *Core) sendData(d *Data, again bool) bool {
	proto, given, ok := protoOf(d.To, false)
	if d.Proto != parser.TransportNone {
		proto, given, ok = d.Proto, true, d.Proto.Served()
	}
	to := &c.dataTo // it would escape
	*to = netio.Addr{}
	switch {
	case !ok || len(d.Text) == 0:
		return false
	case destination(d.To, to):
		if to.Proto = proto; d.To.Port == 0 {
			to.Port = proto.DefaultPort()
		}
	case c.cfg.Resolver == nil:
		return false
	default:
		q := NameQuery{Host: d.To.HostBytes(), Port: d.To.Port, Proto: proto, HasProto: given,
			Secure: d.To.Scheme == parser.SIPS, Protos: c.protos, Families: c.families,
			Seed: uint64(c.now)}
		if maddr, ok := d.To.Param("maddr"); ok {
			q.Host = maddr // RFC 3261 §16.6 step 7
		}
		_, answer := c.cfg.Resolver.Lookup(&q, c.endpoints[:])
		if answer == Unknown && !again {
			return c.dataLater(d, &q)
		}
		if answer != Resolved {
			c.count[CountUnresolvable]++
			return false
		}
		*to = c.endpoints[0].Addr
		to.Proto = c.endpoints[0].Proto
	}
	return c.sendDataTo(d, to)
}

// sendDataTo sends d to an address.
func (c *Core) sendDataTo(d *Data, to *netio.Addr) bool {
	most := maxDatagramBytes
	if to.Proto.Reliable() {
		most = maxStreamBytes
	}
	if len(d.Text) > most || broadcast(to) {
		return false
	}
	by := -1
	if d.By >= 0 && c.listeners[d.By].addr.Family == to.Family {
		by = c.withProto(d.By, to.Proto)
	}
	if by < 0 {
		by = c.leavesBy(to, 0, d.Like)
	}
	if by < 0 {
		return false
	}
	var domain []byte
	if to.Proto.Secure() {
		host := d.To.HostBytes()
		domain = append(c.take(len(host)), host...)
	}
	c.setStreamOptions(to.Proto, domain, 0)
	c.out.Begin(by, to, 0)
	c.out.Append(append(c.take(len(d.Text)), d.Text...)) // the text lives no longer than its call
	c.out.End()
	c.count[CountData]++
	return true
}

// dataLater sends d when its name is known. Slow path.
func (c *Core) dataLater(d *Data, q *NameQuery) bool {
	if d.Later == nil || c.lateData.Load() >= maxLateData {
		return false
	}
	again := *d
	again.Text = append([]byte(nil), d.Text...)
	again.To = new(parser.URI)
	if parser.ParseURI(append([]byte(nil), d.To.Raw...), again.To) != parser.OK {
		return false
	}
	c.lateData.Add(1)
	if !c.cfg.Resolver.Ask(q, func() {
		c.lateData.Add(-1)
		again.Later(func(c *Core) { c.sendData(&again, true) })
	}) {
		c.lateData.Add(-1)
		return false
	}
	return true
}
