package proxy

import (
	"viaduct/netio"
	"viaduct/parser"
)

// Data is a message that leaves as it stands: nothing is added to it, nobody waits for an answer,
// and it is sent once. The destinations of requests are not touched by it.
type Data struct {
	To   *parser.URI // where to
	Text []byte
	// Proto is by which transport; with AnyTransport the URI says it.
	Proto parser.Transport
	// By is the listener it leaves by if that has the family and the transport; with -1, and
	// otherwise, the one that suits the destination, and Like if that does.
	By, Like int
	// Later has f called by the shard, from any goroutine, when a name is known; nil means nothing
	// waits for a name.
	Later func(f func(c *Core))
}

// SendData sends d. It returns false if nothing left, nor will. What waits for a name is copied.
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
