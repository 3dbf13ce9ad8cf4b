package stream

import "viaduct/netio"

// Port is one shard's end: it takes the messages of all connections whose owner the shard is, and
// sends by any connection. All methods are for the shard's goroutine.
type Port struct {
	e     *Engine
	shard int

	q       *queue
	taken   []*inMsg
	packets []netio.Packet

	out outbound
}

func newPort(e *Engine, shard int) *Port {
	return &Port{e: e, shard: shard, q: newQueue(), out: outbound{cache: make(map[key]*conn)}}
}

// Recv takes up to limit messages in the order of their arrival. They stay valid until Release.
func (p *Port) Recv(limit int) []netio.Packet {
	from := len(p.packets)
	for range limit {
		m := p.q.pop()
		if m == nil {
			break
		}
		p.taken = append(p.taken, m)
		p.packets = append(p.packets,
			netio.Packet{Data: m.data[:len(m.data):len(m.data)], Src: m.src, Listener: m.listener})
	}
	if p.q.starved.Load() && p.q.length() <= queueMessages/2 {
		// Slow path: connections wait for room.
		p.q.starved.Store(false)
		for _, l := range p.e.loops {
			l.resume.Store(true)
			l.ring()
		}
	}
	return p.packets[from:len(p.packets):len(p.packets)]
}

// Fault says what is wrong with a packet, by its number since the last Release. A faulty one is
// there to be answered (400, 513), no more.
func (p *Port) Fault(i int) Fault { return p.taken[i].fault }

// Conn is the number, as List has it, of the connection that brought a packet, by its number since
// the last Release.
func (p *Port) Conn(i int) uint64 { return p.taken[i].conn }

// HTTP says whether a packet is an HTTP request, by its number since the last Release.
func (p *Port) HTTP(i int) HTTPRequest { return p.taken[i].http }

// Release gives back the memory of all packets received.
func (p *Port) Release() {
	bytes := 0
	for i, m := range p.taken {
		bytes += len(m.data)
		m.free()
		p.taken[i] = nil
	}
	if bytes != 0 {
		p.e.inbound.Add(-int64(bytes))
	}
	p.taken = p.taken[:0]
	p.packets = p.packets[:0]
}

// Waiting tells whether Recv or Failures would find something: the last look before sleep.
func (p *Port) Waiting() bool { return !p.q.empty() || p.out.any.Load() }
