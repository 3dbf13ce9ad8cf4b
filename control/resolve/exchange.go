package resolve

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// errStray ends the wait for an answer after strayMax datagrams that are none.
var errStray = errors.New("only datagrams that do not answer the question")

// fetch asks for key, and follows the links of CNAME that servers did not follow.
func (r *Resolver) fetch(key setKey) (got answer) {
	r.mu.Lock()
	limit := r.servers.questionTimeout(r.set().Timeout)
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(r.ctx, limit)
	defer cancel()
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return answer{state: broken}
	}
	ttl := r.set().MaxTTL
	at := key
	for range chainMax + 1 {
		got = r.rounds(ctx, at)
		got.ttl = min(got.ttl, ttl)
		if got.more == "" || got.state == broken {
			return got
		}
		at.name, ttl = got.more, got.ttl
	}
	return answer{state: broken}
}

// rounds asks one server after the other, and those that kept silent again, until one gives a
// useful answer.
func (r *Resolver) rounds(ctx context.Context, key setKey) answer {
	now := r.clock()
	r.mu.Lock()
	servers := r.servers.order(now)
	rounds, retry := r.servers.rounds, r.servers.retry
	r.mu.Unlock()
	useless := make([]bool, len(servers)) // it answered, and asking again would not help
	for range rounds {
		for i, addr := range servers {
			if useless[i] {
				continue
			}
			m, err := r.exchange(ctx, addr, key, retry)
			// Our own time is over, which says little about this server.
			if err != nil && ctx.Err() != nil {
				r.counts.timeouts.Add(1)
				return answer{state: broken}
			}
			r.heard(addr, err == nil)
			if err != nil {
				continue
			}
			if got := r.read(m, key); got.state != broken {
				return got
			}
			r.counts.bad.Add(1)
			useless[i] = true
		}
	}
	return answer{state: broken}
}

func (r *Resolver) heard(addr netip.AddrPort, answered bool) {
	if !answered {
		r.counts.timeouts.Add(1)
	}
	now := r.clock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.servers.heard(addr, answered, now)
}

// exchange asks one server: by UDP with EDNS0, without it if the server does not know it (RFC 6891
// §7), by TCP if the answer is truncated (RFC 7766 §5).
func (r *Resolver) exchange(ctx context.Context, addr netip.AddrPort, key setKey,
	wait time.Duration) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	m, err := r.over(ctx, "udp", addr, key, true)
	if err == nil && (m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented ||
		m.Rcode == dns.RcodeBadVers) {
		m, err = r.over(ctx, "udp", addr, key, false)
	}
	if err == nil && m.Truncated {
		r.counts.tcp.Add(1)
		whole, err := r.over(ctx, "tcp", addr, key, false)
		return whole, err
	}
	return m, err
}

// over sends one question from a socket of its own, whose port the kernel draws, under an id drawn
// here (RFC 5452 §9.2; math/rand/v2 is ChaCha8 seeded by the kernel), and waits for its answer. The
// socket is connected: the kernel drops what comes from elsewhere.
func (r *Resolver) over(ctx context.Context, network string, addr netip.AddrPort, key setKey,
	edns bool) (*dns.Msg, error) {
	q := new(dns.Msg)
	q.Id = uint16(rand.Uint32())
	q.RecursionDesired = true
	q.Question = []dns.Question{{Name: dns.Fqdn(key.name), Qtype: key.typ, Qclass: dns.ClassINET}}
	if edns {
		q.SetEdns0(udpPayloadBytes, false)
	}
	wire, err := q.Pack()
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, addr.String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	// also when the resolver closes
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if network == "tcp" {
		return r.overTCP(conn, wire, q)
	}
	if _, err = conn.Write(wire); err != nil {
		return nil, err
	}
	buf := make([]byte, 4096) // some servers send more than was offered
	for range strayMax {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, err
		}
		if m := r.match(buf[:n], q); m != nil {
			return m, nil
		}
	}
	return nil, errStray
}

// overTCP is RFC 1035 §4.2.2: a length before each message.
func (r *Resolver) overTCP(conn net.Conn, wire []byte, q *dns.Msg) (*dns.Msg, error) {
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(wire))),
		wire...)); err != nil {
		return nil, err
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	buf := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, buf); err != nil {
		return nil, err
	}
	if m := r.match(buf, q); m != nil && !m.Truncated {
		return m, nil
	}
	return nil, errStray
}

// match returns the message in wire if it answers q: a response with its id and its question (RFC
// 5452 §9.1). Any other is counted, and nil returned: the datagram may be forged, so it says
// nothing about the server either.
func (r *Resolver) match(wire []byte, q *dns.Msg) *dns.Msg {
	m := new(dns.Msg)
	err := m.Unpack(wire)
	// A truncated message may end in the middle of a record; only its header and question matter.
	if err != nil && !m.Truncated || m.Id != q.Id || !m.Response || m.Opcode != dns.OpcodeQuery {
		r.counts.unmatched.Add(1)
		return nil
	}
	// a server that could not read the question cannot repeat it
	if len(m.Question) == 0 && m.Rcode == dns.RcodeFormatError {
		return m
	}
	if len(m.Question) != 1 || m.Question[0].Qtype != q.Question[0].Qtype ||
		m.Question[0].Qclass != dns.ClassINET ||
		canonical(m.Question[0].Name) != canonical(q.Question[0].Name) {
		r.counts.unmatched.Add(1)
		return nil
	}
	return m
}
