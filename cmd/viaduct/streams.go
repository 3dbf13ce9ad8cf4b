package main

import (
	"time"

	"viaduct/netio/stream"
	"viaduct/shard/route"
)

// streamConfig is what the settings say about connections.
func (c *Config) streamConfig() stream.Config {
	s := &c.Settings.Stream
	cfg := stream.Config{Listeners: c.Streams, Loops: min(s.Children, shardsMax), Limits: streamLimits(s), Backlog: listenBacklog}
	switch {
	case !s.Keepalive:
		cfg.KeepAlive = -1
	default:
		cfg.KeepAlive, cfg.KeepAliveInterval, cfg.KeepAliveCount = s.KeepIdle, s.KeepInterval, s.KeepCount
	}
	return cfg
}

// listenBacklog is how many connections may wait to be accepted: a burst of a large site that comes back; the kernel's somaxconn bounds it.
const listenBacklog = 4096

// streamLimits are the limits that can be changed while the process runs.
func streamLimits(s *route.StreamSettings) *stream.Limits {
	l := stream.NewLimits()
	l.ConnWqMax.Store(int64(s.ConnWQMaxBytes))
	l.WqMax.Store(int64(s.WQMaxBytes))
	l.SendTimeout.Store(s.SendTimeout)
	l.ConnectTimeout.Store(s.ConnectTimeout)
	l.Lifetime.Store(s.Lifetime)
	l.MessageTimeout.Store(s.MsgReadTimeout)
	l.AdmitTimeout.Store(max(s.WaitData, time.Second))
	l.MaxConnections.Store(int64(s.MaxConnections))
	l.TLSMaxConnections.Store(int64(s.TLSMaxConnections))
	l.AcceptIPLimit.Store(int64(s.AcceptIPLimit))
	l.AcceptRate.Store(int64(s.AcceptRate))
	l.MaxMessage.Store(int64(s.ReadBufferBytes))
	l.ConnsPerDestination.Store(int64(s.PerDestination))
	return l
}
