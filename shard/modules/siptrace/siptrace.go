// Package siptrace sends copies of messages to a collector, such as Homer, by HEP or as they are:
// Kamailio's module siptrace.
//
// A copy is a datagram that leaves by a socket of the module's own. Nothing waits for it: if the
// kernel has no room, or nobody listens, it is lost, and what is lost here is counted.
//
// What differs from Kamailio 5.6.3 on purpose: trace_on 0 stops everything, also the messages of
// transactions that a script has named before; and a message that both trace_mode and sip_trace ask
// for is sent once.
package siptrace

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/route"
	"viaduct/shard/route/command"
	"viaduct/shard/trace"
)

// siptrace is the module of one load.
type siptrace struct {
	on       *route.LiveInt
	flag     *int
	mode     *int
	hepOn    *bool
	hep      hep
	to       *netio.CopyTo // duplicate_uri; nil if there is none
	sockets  [2]*netio.Copies
	watching *route.PerShard[watch]
	judged   *route.Event

	requests, replies, lost, unwatched *route.Counter
}

// The bits of trace_mode.
const (
	mirrorHEP = 1 << iota
	storeAll
	mirrorSIP
)

// Define is the module.
func Define(m *route.Module) {
	s := &siptrace{}
	s.watching = route.NewPerShard(m, newWatch)
	s.on = m.LiveInt("trace_on", 0, 0, 1, "Whether messages are traced. siptrace.status changes it.")
	s.flag = m.Int("trace_flag", 0, 0, 31,
		"The message flag with which sip_trace traces the transaction, and not the message alone.")
	uri := m.Text("duplicate_uri", "", "Where copies go, such as \"sip:192.0.2.1:9060\".")
	s.mode = m.Int("trace_mode", 0, 0, 7, "Bits: 1 traces all messages by HEP, 4 all as they are. "+
		"2, a database, has no effect yet.")
	m.Note("trace_mode", func(_ string, n int64) string {
		if n&storeAll != 0 {
			return "has no effect yet in its bit 2: nothing is written to a database"
		}
		return ""
	})
	s.hepOn = m.Bool("hep_mode_on", false, "Whether copies are sent by HEP.")
	version := m.Int("hep_version", 1, 1, 3, "The version of HEP.")
	capture := m.Int("hep_capture_id", 1, 0, 1<<31-1,
		"Who captured, for the collector. HEP 2 has room for 16 bits.")
	key := m.Text("auth_key", "", "The password of the collector, with HEP 3.")
	socket := m.Text("send_sock_addr", "", "The address that copies leave by: a URI.")
	m.Text("send_sock_name", "", "The name of the socket whose address copies leave by.")
	m.NotYet("send_sock_name")
	old := m.Text("force_send_sock", "", "The same as send_sock_addr.")
	s.notYet(m)
	s.judged = m.Event("siptrace:msg",
		"A copy of a message is about to be sent because of trace_mode. drop keeps it back.").
		Also(route.InReply)
	s.requests = m.Count("traced_requests", "Requests of which a copy was sent.")
	s.replies = m.Count("traced_replies", "Responses of which a copy was sent.")
	s.lost = m.Count("lost", "Copies for which the kernel had no room.")
	s.unwatched = m.Count("unwatched",
		"Transactions and dialogs not traced, because too many were at once.")

	for _, name := range [...]string{"duplicate_uri", "send_sock_addr", "force_send_sock"} {
		m.Check(name, func(uri string, _ int64) string {
			if _, _, err := hostPort(uri); err != nil {
				return err.Error()
			}
			return ""
		})
	}
	m.Ready(func() error {
		s.hep = hep{*version, uint32(*capture), []byte(*key)}
		return nil
	})
	m.Open(func(*route.State) error {
		if *socket == "" {
			*socket = *old
		}
		return s.open(*uri, *socket)
	})
	m.Mirrors(s.mirror)
	s.functions(m)
	m.Command("siptrace.status", "Switches tracing on or off, or tells with check.",
		command.Words("state"), func(a command.Args) (any, error) {
			switch a.Text(0) {
			case "on":
				s.on.Set(1)
			case "off":
				s.on.Set(0)
			case "check":
			default:
				return nil, command.Faultf(500, "Bad parameter (on, off or check)")
			}
			if s.on.Get() != 0 {
				return "Enabled", nil
			}
			return "Disabled", nil
		})
}

// notYet declares what belongs to databases.
func (s *siptrace) notYet(m *route.Module) {
	const doc = "Of messages that go to a database."
	m.Int("trace_to_database", 1, 0, 1, "Whether messages go to a database. None do yet.")
	m.Note("trace_to_database", func(_ string, n int64) string {
		if n != 0 {
			return "has no effect yet: nothing is written to a database"
		}
		return ""
	})
	for _, name := range [...]string{"db_url", "table", "traced_user_avp", "trace_table_avp",
		"date_column", "callid_column", "traced_user_column", "msg_column", "method_column",
		"status_column", "fromip_column", "toip_column", "fromtag_column", "totag_column",
		"direction_column"} {
		m.Text(name, "", doc)
		m.NotYet(name)
	}
	for _, name := range [...]string{"trace_db_mode", "trace_delayed"} {
		m.Int(name, 0, 0, 2, doc)
		m.NotYet(name)
	}
	for _, name := range [...]string{"xheaders_write", "xheaders_read"} {
		m.Int(name, 0, 0, 1, "Whether copies that are sent as they are have X-Siptrace headers.")
		m.NotYet(name)
	}
	m.IdleText("a copy shows the socket that the message leaves by", "trace_local_ip")
	m.IdleInt("the ACK of a response made here belongs to its transaction", "trace_sl_acks")
	m.IdleInt("tracing costs nothing until something is traced", "trace_init_mode")
	m.IdleText("scripts are in the language of Kamailio only", "evcb_msg")
}

// hostPort reads a URI such as sip:192.0.2.1:9060.
func hostPort(uri string) (host string, port uint16, err error) {
	var u parser.URI
	raw := []byte(uri)
	if parser.ParseURI(raw, &u) != parser.OK || u.Host.Len == 0 {
		return "", 0, fmt.Errorf("is no SIP URI: write one such as \"sip:192.0.2.1:9060\"")
	}
	if port = u.Port; port == 0 {
		port = 5060
	}
	return string(u.Host.Of(raw)), port, nil
}

// resolveWithin is how long the start waits for the name in duplicate_uri.
const resolveWithin = 5 * time.Second

// open opens the sockets and looks up duplicate_uri.
func (s *siptrace) open(uri, socket string) error {
	any4, any6 := netip.AddrPortFrom(netip.IPv4Unspecified(), 0), netip.AddrPortFrom(
		netip.IPv6Unspecified(), 0)
	if socket != "" {
		// The port is the listener's, who would miss what arrives for it.
		host, _, _ := hostPort(socket)
		ip, err := netip.ParseAddr(trimBrackets(host))
		switch {
		case err != nil:
			return fmt.Errorf("send_sock_addr %q is no address", socket)
		case ip.Is4():
			any4 = netip.AddrPortFrom(ip, 0)
		default:
			any6 = netip.AddrPortFrom(ip, 0)
		}
	}
	var err error
	if s.sockets[0], err = netio.OpenCopies(any4); err != nil {
		return err
	}
	s.sockets[1], _ = netio.OpenCopies(any6) // a host may have no IPv6
	if uri == "" {
		return nil
	}
	host, port, _ := hostPort(uri)
	if ip, err := netip.ParseAddr(trimBrackets(host)); err == nil {
		s.to = netio.NewCopyTo(netip.AddrPortFrom(ip, port))
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveWithin)
	defer cancel()
	list, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(list) == 0 {
		return fmt.Errorf("duplicate_uri: %s cannot be resolved: %v", host, err)
	}
	s.to = netio.NewCopyTo(netip.AddrPortFrom(list[0].Unmap(), port))
	return nil
}

func trimBrackets(host string) string {
	if len(host) > 2 && host[0] == '[' {
		return host[1 : len(host)-1]
	}
	return host
}

// mirror implements route.Module.Mirrors.
func (s *siptrace) mirror(c *route.Ctx, x *trace.Message) {
	if s.on.Get() == 0 {
		return
	}
	w := s.watching.Of(c)
	p := packet{from: &x.From, to: &x.To, kind: kindSIP, text: x.Text}
	if *s.mode&(mirrorHEP|mirrorSIP) == 0 {
		if found, ok := w.find(x.Text, nowMs(c)); ok {
			p.correlation = found.correlation
			s.send(c, found.to, &p, *s.hepOn)
		}
		return
	}
	if s.to == nil {
		return
	}
	if s.judged.HasRoute() && c.Shard.Later != nil {
		s.judge(c, x)
		return
	}
	s.sendAll(c, &p)
}

// sendAll sends what trace_mode asks for.
func (s *siptrace) sendAll(c *route.Ctx, p *packet) {
	if *s.mode&mirrorHEP != 0 {
		s.send(c, s.to, p, true)
	}
	if *s.mode&mirrorSIP != 0 {
		s.send(c, s.to, p, false)
	}
}

// judge has the event's route look at the message when the shard is done with what it works on.
// Slow path.
func (s *siptrace) judge(c *route.Ctx, x *trace.Message) {
	m := *x
	m.Text = append([]byte(nil), x.Text...)
	at := time.Now().UnixNano()
	c.Shard.Later(func(c *route.Ctx) {
		if s.judged.Judge(c, m.Text) {
			s.sendAll(c, &packet{from: &m.From, to: &m.To, at: at, kind: kindSIP, text: m.Text})
		}
	})
}

// send sends a copy.
func (s *siptrace) send(c *route.Ctx, to *netio.CopyTo, p *packet, byHEP bool) {
	if p.at == 0 {
		p.at = time.Now().UnixNano()
	}
	b := p.text
	if byHEP {
		w := s.watching.Of(c)
		w.out = s.hep.append(w.out[:0], p)
		b = w.out
	}
	socket := s.sockets[0]
	if !to.Addr.Addr().Is4() {
		socket = s.sockets[1]
	}
	switch {
	case socket == nil || !socket.Send(to, b):
		s.lost.Add(c)
	case p.kind != kindSIP:
	case len(p.text) > 8 && string(p.text[:8]) == "SIP/2.0 ":
		s.replies.Add(c)
	default:
		s.requests.Add(c)
	}
}
