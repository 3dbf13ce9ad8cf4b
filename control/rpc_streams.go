package control

import (
	"fmt"
	"sync/atomic"
	"time"

	"viaduct/netio/stream"
)

// Streams answers core.tcp_* and tls.info for an engine.
type Streams struct {
	Engine *stream.Engine
	Limits *stream.Limits
	Loops  int          // event loops
	Again  func() error // reads the TLS domains again, nil if there are none
}

// TCPInfo is core.tcp_info.
func (s *Streams) TCPInfo() TCPInfo {
	t := s.Engine.Stats()
	return TCPInfo{
		Readers: s.Loops, MaxConnections: int(s.Limits.MaxConnections.Load()),
		MaxTLSConnections: int(s.Limits.TLSMaxConnections.Load()),
		OpenedConnections: int(t.CurrentOpened), OpenedTLSConnections: int(t.CurrentOpenedTLS),
		WriteQueuedBytes: uint64(t.CurrentWriteQueued),
	}
}

// TCPOptions is core.tcp_options: the variables of group tcp.
func (s *Streams) TCPOptions() map[string]int64 {
	all := map[string]int64{}
	for _, v := range StreamVars(s.Limits) {
		if n, ok := v.Get().(int64); ok {
			all[v.Name] = n
		}
	}
	return all
}

// TCPList is core.tcp_list.
func (s *Streams) TCPList(most int) (all []TCPConn, more bool) {
	for _, c := range s.Engine.List(most + 1) {
		if len(all) == most {
			return all, true
		}
		all = append(all, TCPConn{
			ID: c.ID, Type: c.Proto.String(), State: c.State,
			Timeout: int64(c.Timeout / time.Second), Lifetime: int64(c.Lifetime / time.Second),
			RefCount: 1,
			SrcIP:    c.Src.AddrPort().Addr().String(), SrcPort: c.Src.Port,
			DstIP: c.Dst.AddrPort().Addr().String(), DstPort: c.Dst.Port,
		})
	}
	return all, false
}

// TLSInfo is tls.info.
func (s *Streams) TLSInfo() TLSInfo {
	t := s.Engine.Stats()
	return TLSInfo{
		MaxConnections:    int(s.Limits.TLSMaxConnections.Load()),
		OpenedConnections: int(t.CurrentOpenedTLS),
	}
}

// Reload is tls.reload.
func (s *Streams) Reload() error { return s.Again() }

// StreamVars returns the limits of streams that can be changed while the server runs, under
// Kamailio's names in group tcp. A lowered limit holds for what comes; no connection is closed for
// it. The numbers of connections cannot be raised beyond those of the start, since descriptors were
// counted then.
func StreamVars(l *stream.Limits) []Var {
	number := func(name, help string, low, high int64, at interface {
		Load() int64
		Store(int64)
	}) Var {
		return Var{Group: "tcp", Name: name, Help: help, Min: low, Max: high, Get: func() any {
			return at.Load()
		},
			Set: func(v any) error { at.Store(v.(int64)); return nil }}
	}
	// Below 0 means the default, as in the file; for the lifetime it means the longest possible.
	seconds := func(name, help string, below time.Duration, at *stream.Duration) Var {
		return Var{Group: "tcp", Name: name,
			Help: fmt.Sprintf("%s, seconds; -1: %d", help, below/time.Second), Min: -1,
			Max: 1 << 31, Get: func() any {
				return int64(at.Load() / time.Second)
			},
			Set: func(v any) error {
				switch n := v.(int64); {
				case n < 0:
					at.Store(below)
				case n == 0:
					return fmt.Errorf("tcp.%s: 0 would end everything at once; write a number of "+
						"seconds, or -1 for %d", name, below/time.Second)
				default:
					at.Store(time.Duration(n) * time.Second)
				}
				return nil
			}}
	}
	def := stream.NewLimits()
	millis := func(name, help string, at *stream.Duration) Var {
		return Var{Group: "tcp", Name: name, Help: help + ", milliseconds", Min: 1, Max: 1 << 31,
			Get: func() any {
				return int64(at.Load() / time.Millisecond)
			},
			Set: func(v any) error {
				at.Store(time.Duration(v.(int64)) * time.Millisecond)
				return nil
			}}
	}
	flag := func(name, help string, at *atomic.Bool) Var {
		return Var{Group: "tcp", Name: name, Help: help + ": 1 yes, 0 no", Max: 1, Get: func() any {
			if at.Load() {
				return int64(1)
			}
			return int64(0)
		}, Set: func(v any) error { at.Store(v.(int64) != 0); return nil }}
	}
	return []Var{
		number("conn_wq_max", "bytes that may wait for one connection", 0, 1<<20, &l.ConnWqMax),
		number("wq_max", "bytes that may wait for all connections", 0, 1<<30, &l.WqMax),
		seconds("send_timeout", "how long a connection may take no byte", def.SendTimeout.Load(),
			&l.SendTimeout),
		seconds("connect_timeout", "how long a connection may take to be made",
			def.ConnectTimeout.Load(), &l.ConnectTimeout),
		seconds("connection_lifetime", "how long a connection may be idle", 1<<31*time.Second,
			&l.Lifetime),
		seconds("msg_read_timeout", "how long a message may take to come",
			def.MessageTimeout.Load(), &l.MessageTimeout),
		number("max_connections", "connections", 0, l.MaxConnections.Load(), &l.MaxConnections),
		number("tls_max_connections", "connections with TLS", 0, l.TLSMaxConnections.Load(),
			&l.TLSMaxConnections),
		number("accept_iplimit", "accepted connections of one address; 0: no limit", 0, 1<<31,
			&l.AcceptIPLimit),
		number("accept_rate", "new connections of one address in a second; 0: no limit", 0, 1<<31,
			&l.AcceptRate),
		number("rd_buf_size", "bytes of the longest message", 512, 16<<20, &l.MaxMessage),
		number("handshake_max", "accepted connections before the end of PROXY header and TLS "+
			"handshake", 1, 1<<16, &l.MaxAdmitting),
		millis("wait_data", "how long a PROXY header may take to come", &l.ProxyTimeout),
		flag("crlf_ping", "answers double CRLFs", &l.CRLFPing),
		flag("accept_no_cl", "takes messages without Content-Length for ones without a body",
			&l.AcceptNoCL),
		flag("accept_unique", "refuses further connections from an address and port that has one",
			&l.AcceptUnique),
		flag("no_connect", "makes no connections", &l.NoConnect),
		number("connections_per_destination", "connections kept to one destination", 1, 64,
			&l.ConnsPerDestination),
	}
}

// DatagramVars returns the limits of datagrams, in group udp, a name of our own. wq is what was set
// at start: there is memory for no more.
func DatagramVars(wq *atomic.Int64) []Var {
	return []Var{{Group: "udp", Name: "wq_max",
		Help: "bytes that may wait for one socket of one shard whose send buffer is full",
		Max:  wq.Load(),
		Get: func() any {
			return wq.Load()
		}, Set: func(v any) error { wq.Store(v.(int64)); return nil }}}
}

// StreamCounters returns an engine's totals and gauges, under Kamailio's names of group tcp where
// it has them, and why connections ended or were refused, without zeros.
func StreamCounters(e *stream.Engine) map[string]any {
	s := e.Stats()
	ended, rejected := map[string]uint64{}, map[string]uint64{}
	for r := range s.Ended {
		name := stream.Reason(r).String()
		if n := s.Ended[r]; n > 0 {
			ended[name] = n
		}
		if n := s.Rejected[r]; n > 0 {
			rejected[name] = n
		}
	}
	return map[string]any{
		"established": s.Established, "passive_open": s.PassiveOpen,
		"connect_success": s.ConnectSuccess, "connect_failed": s.ConnectFailed,
		"local_reject": s.LocalReject, "con_timeout": s.ConTimeout, "con_reset": s.ConReset,
		"send_timeout": s.SendTimeout, "sendq_full": s.SendqFull,
		"current_opened_connections":     s.CurrentOpened,
		"current_opened_tls_connections": s.CurrentOpenedTLS,
		"current_write_queue_size":       s.CurrentWriteQueued,
		"current_inflight_bytes":         s.CurrentInflight,
		"current_inbound_bytes":          s.CurrentInbound,
		"accept_failed":                  s.AcceptFailed,
		"bytes_in":                       s.BytesIn, "bytes_out": s.BytesOut,
		"messages_in":  s.MessagesIn,
		"messages_out": s.MessagesOut, "pings": s.Pings, "keepalives": s.KeepAlives,
		"faults": s.Faults,
		"panics": s.Panics, "parked": s.Parked, "stalled_lost": s.StalledLost,
		"handshakes": s.Handshakes, "handshakes_failed": s.HandshakesFailed,
		"admits_refused": s.AdmitsRefused, "admit_timeouts": s.AdmitTimeouts,
		"proxy_errors": s.ProxyErrors, "failures_lost": s.FailuresLost,
		"http_requests": s.HTTPRequests, "http_refused": s.HTTPRefused,
		"ended": ended, "rejected": rejected,
	}
}
