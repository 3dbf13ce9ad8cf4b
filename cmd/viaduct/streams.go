package main

import (
	"strings"
	"time"

	"viaduct/netio/stream"
	"viaduct/netio/stream/wslayer"
	"viaduct/shard"
	"viaduct/shard/route"
)

// streamConfig is what the settings say about connections.
func (c *Config) streamConfig() stream.Config {
	s := &c.Settings.Stream
	cfg := stream.Config{
		Listeners: c.Streams, Loops: c.streamLoops(), Limits: streamLimits(c.Settings),
		AcceptControl: c.Settings.Core.AcceptControl, Backlog: listenBacklog,
	}
	cfg.TOS = c.Settings.Core.TOS
	// What is beyond the kernel's bounds it would refuse, and leave its default.
	cfg.SynCount, cfg.FinWait, cfg.DeferAccept = min(s.SynCount, tcpCountMax),
		time.Duration(s.Linger2)*time.Second, time.Duration(s.DeferAccept)*time.Second
	cfg.QuickAck, cfg.ListenPort, cfg.SourceIPv4, cfg.SourceIPv6 = !s.DelayedAck, s.ReusePort,
		s.SourceIPv4, s.SourceIPv6
	cfg.NoCloseNotify, cfg.WS = !c.Settings.TLS.SendCloseNotify, webSocket(c.Settings)
	switch {
	case !s.Keepalive:
		cfg.KeepAlive = -1
	default:
		cfg.KeepAlive, cfg.KeepAliveInterval, cfg.KeepAliveCount = min(s.KeepIdle, tcpKeepMax),
			min(s.KeepInterval, tcpKeepMax), min(s.KeepCount, tcpCountMax)
	}
	return cfg
}

// tcpCountMax and tcpKeepMax are the kernel's MAX_TCP_SYNCNT and MAX_TCP_KEEPCNT, and its
// MAX_TCP_KEEPIDLE and MAX_TCP_KEEPINTVL (include/net/tcp.h).
const (
	tcpCountMax = 127
	tcpKeepMax  = 32767 * time.Second
)

// webSocket is what the settings say about WebSocket connections. Without ping_application_data it
// is the value of the Server header, as with Kamailio.
func webSocket(s *route.Settings) stream.WebSocket {
	w := s.WebSocket.WebSocket
	if w.Data == "" {
		_, value, _ := strings.Cut(s.Core.ServerHeader, ":")
		if value = strings.TrimSpace(value); value == "" {
			value = "Viaduct"
		}
		w.Data = value[:min(len(value), wslayer.ControlBytes)]
	}
	return w
}

// streamLoops is how many event loops there will be.
func (c *Config) streamLoops() int {
	if len(c.Streams) == 0 {
		return 0
	}
	return shard.StreamLoops(c.Settings.Stream.Children, c.Shards)
}

// listenBacklog is how many connections may wait to be accepted: a burst of a large site that comes
// back; the kernel's somaxconn bounds it.
const listenBacklog = 4096

// unusedForEver is connection_timeout below 0: longer than machines run, and far from where adding
// it to a time overflows.
const unusedForEver = 100 * 365 * 24 * time.Hour

// streamLimits are the limits that can be changed while the process runs.
func streamLimits(settings *route.Settings) *stream.Limits {
	s := &settings.Stream
	l := stream.NewLimits()
	unused := settings.TLS.ConnectionTimeout
	if unused < 0 {
		unused = unusedForEver
	}
	l.ConnWqMax.Store(int64(s.ConnWQMaxBytes))
	l.WqMax.Store(int64(s.WQMaxBytes))
	l.SendTimeout.Store(s.SendTimeout)
	l.ConnectTimeout.Store(s.ConnectTimeout)
	l.Lifetime.Store(s.Lifetime)
	l.MessageTimeout.Store(s.MsgReadTimeout)
	l.ProxyTimeout.Store(max(s.WaitData, time.Millisecond)) // 0 would be no limit of its own
	if s.AcceptHAProxy {
		// the handshake comes behind the header
		l.AdmitTimeout.Store(l.AdmitTimeout.Load() + l.ProxyTimeout.Load())
	}
	l.TLSUnused.Store(unused)
	l.MaxAdmitting.Store(int64(s.HandshakeMax))
	l.CRLFPing.Store(s.CRLFPing)
	l.AcceptNoCL.Store(s.AcceptNoCL)
	l.AcceptUnique.Store(s.AcceptUnique)
	l.NoConnect.Store(s.NoConnect)
	l.MaxConnections.Store(int64(s.MaxConnections))
	l.TLSMaxConnections.Store(int64(s.TLSMaxConnections))
	l.AcceptIPLimit.Store(int64(s.AcceptIPLimit))
	l.AcceptRate.Store(int64(s.AcceptRate))
	l.MaxMessage.Store(int64(s.ReadBufferBytes))
	l.ConnsPerDestination.Store(int64(s.PerDestination))
	return l
}
