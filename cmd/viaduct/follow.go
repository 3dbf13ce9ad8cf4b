package main

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"viaduct/netio/stream"
	"viaduct/netio/stream/wslayer"
	"viaduct/shard/blocklist"
)

// What an operator set with cfg.set_now_int stays through a reload, unless the file says something
// else there than it did before.

// holder is an atomic of any kind.
type holder[T comparable] interface {
	Load() T
	Store(T)
}

// follow stores what the file says now, if it says something else than before.
func follow[T comparable](to, before, now holder[T]) {
	if v := now.Load(); v != before.Load() {
		to.Store(v)
	}
}

// followLimits is follow for the limits of streams.
func followLimits(to, before, now *stream.Limits) {
	follow(&to.ConnWqMax, &before.ConnWqMax, &now.ConnWqMax)
	follow(&to.WqMax, &before.WqMax, &now.WqMax)
	follow(&to.SendTimeout, &before.SendTimeout, &now.SendTimeout)
	follow(&to.ConnectTimeout, &before.ConnectTimeout, &now.ConnectTimeout)
	follow(&to.Lifetime, &before.Lifetime, &now.Lifetime)
	follow(&to.MessageTimeout, &before.MessageTimeout, &now.MessageTimeout)
	follow(&to.ProxyTimeout, &before.ProxyTimeout, &now.ProxyTimeout)
	follow(&to.AdmitTimeout, &before.AdmitTimeout, &now.AdmitTimeout)
	follow(&to.TLSUnused, &before.TLSUnused, &now.TLSUnused)
	follow(&to.MaxAdmitting, &before.MaxAdmitting, &now.MaxAdmitting)
	follow(&to.CRLFPing, &before.CRLFPing, &now.CRLFPing)
	follow(&to.AcceptNoCL, &before.AcceptNoCL, &now.AcceptNoCL)
	follow(&to.AcceptUnique, &before.AcceptUnique, &now.AcceptUnique)
	follow(&to.NoConnect, &before.NoConnect, &now.NoConnect)
	follow(&to.MaxConnections, &before.MaxConnections, &now.MaxConnections)
	follow(&to.TLSMaxConnections, &before.TLSMaxConnections, &now.TLSMaxConnections)
	follow(&to.AcceptIPLimit, &before.AcceptIPLimit, &now.AcceptIPLimit)
	follow(&to.AcceptRate, &before.AcceptRate, &now.AcceptRate)
	follow(&to.MaxMessage, &before.MaxMessage, &now.MaxMessage)
	follow(&to.ConnsPerDestination, &before.ConnsPerDestination, &now.ConnsPerDestination)
}

// plain is follow for a field.
func plain[T comparable](to *T, before, now T) {
	if now != before {
		*to = now
	}
}

// followBlocklist is the same for the destination blocklist.
func followBlocklist(c, before, now blocklist.Config) blocklist.Config {
	plain(&c.Use, before.Use, now.Use)
	plain(&c.Expire, before.Expire, now.Expire)
	plain(&c.MemBytes, before.MemBytes, now.MemBytes)
	plain(&c.IMask, before.IMask, now.IMask)
	plain(&c.ICMP, before.ICMP, now.ICMP)
	plain(&c.Use503, before.Use503, now.Use503)
	plain(&c.Def503, before.Def503, now.Def503)
	plain(&c.Min503, before.Min503, now.Min503)
	plain(&c.Max503, before.Max503, now.Max503)
	plain(&c.MethodsAdd, before.MethodsAdd, now.MethodsAdd)
	plain(&c.MethodsLookup, before.MethodsLookup, now.MethodsLookup)
	return c
}

// fixed is a setting that a running process cannot change.
type fixed struct {
	name string
	same func(a, b *Config) bool
	keep func(to, from *Config)
}

func stays[T comparable](name string, at func(c *Config) *T) fixed {
	return fixed{name, func(a, b *Config) bool {
		return *at(a) == *at(b)
	}, func(to, from *Config) { *at(to) = *at(from) }}
}

// keepFixed gives c the value that r has of each setting that cannot change, and says which those
// are that the file has changed. Those of streams can change as long as streams has not begun:
// there was no listener of theirs.
func (c *Config) keepFixed(r *Config, streams bool) (notes []string) {
	list := fixedSettings
	if streams {
		list = slices.Concat(list, fixedStreams)
	}
	for _, f := range list {
		if !f.same(c, r) {
			notes = append(notes, fmt.Sprintf("%s cannot change while viaduct runs: it stays as "+
				"it was until a restart", f.name))
		}
		f.keep(c, r)
	}
	return notes
}

// fixedSettings are all of them, by what the file or the command line calls them.
var fixedSettings = []fixed{
	stays("children", func(c *Config) *int { return &c.Settings.Core.Children }),
	stays("shm_mem_size (-m)", func(c *Config) *int { return &c.ArenaMB }),
	stays("mlock_pages", func(c *Config) *bool { return &c.Settings.Core.MlockPages }),
	stays("fork", func(c *Config) *bool { return &c.Foreground }),
	stays("log_stderror", func(c *Config) *bool { return &c.LogStderr }),
	stays("log_name", func(c *Config) *string { return &c.LogIdent }),
	stays("user", func(c *Config) *string { return &c.User }),
	stays("group", func(c *Config) *string { return &c.Group }),
	stays("chroot", func(c *Config) *string { return &c.Chroot }),
	stays("workdir", func(c *Config) *string { return &c.WorkDir }),
	{"module ctl",
		func(a, b *Config) bool {
			x, y := &a.Settings.Control, &b.Settings.Control
			return slices.Equal(x.Sockets, y.Sockets) && x.Usual == y.Usual && x.Mode == y.Mode &&
				x.User == y.User && x.Group == y.Group
		},
		func(to, from *Config) {
			x, y := &to.Settings.Control, &from.Settings.Control
			x.Sockets, x.Usual, x.Mode, x.User, x.Group = y.Sockets, y.Usual, y.Mode, y.User, y.Group
		}},
	stays("http_listen", func(c *Config) *string { return &c.Settings.Control.HTTP }),
	stays("http_tokens", func(c *Config) *string { return &c.Settings.Control.Tokens }),
	stays("run_dir", func(c *Config) *string { return &c.Settings.Control.RunDir }),
	{"where module jsonrpcs takes documents",
		func(a, b *Config) bool {
			x, y := &a.Settings.Control.Documents, &b.Settings.Control.Documents
			return x.FIFO == y.FIFO && x.Datagram == y.Datagram && x.ReplyDir == y.ReplyDir &&
				x.Timeout == y.Timeout && x.Workers == y.Workers
		},
		func(to, from *Config) {
			answer := to.Settings.Control.Documents.Answer // changes with the program
			to.Settings.Control.Documents = from.Settings.Control.Documents
			to.Settings.Control.Documents.Answer = answer
		}},
	stays("tos", func(c *Config) *int { return &c.Settings.Core.TOS }),
	stays("maxsndbuffer", func(c *Config) *int { return &c.Settings.Core.SendBufferBytes }),
	stays("mhomed", func(c *Config) *bool { return &c.Settings.Core.MHomed }),
	stays("accept_ctrl_chars", func(c *Config) *bool { return &c.Settings.Core.AcceptControl }),
	stays("dst_blocklist_init", func(c *Config) *bool { return &c.Settings.Blocklist.Init }),
	stays("dst_blocklist_gc_interval", func(c *Config) *time.Duration {
		return &c.Settings.Blocklist.GCInterval
	}),
}

// fixedStreams are those that the stream engine reads once, when it is started.
var fixedStreams = []fixed{
	stays("tcp_children (-N)", func(c *Config) *int { return &c.Settings.Stream.Children }),
	stays("tcp_keepalive", func(c *Config) *bool { return &c.Settings.Stream.Keepalive }),
	stays("tcp_keepidle", func(c *Config) *time.Duration { return &c.Settings.Stream.KeepIdle }),
	stays("tcp_keepintvl", func(c *Config) *time.Duration {
		return &c.Settings.Stream.KeepInterval
	}),
	stays("tcp_keepcnt", func(c *Config) *int { return &c.Settings.Stream.KeepCount }),
	stays("tcp_defer_accept", func(c *Config) *int { return &c.Settings.Stream.DeferAccept }),
	stays("tcp_syncnt", func(c *Config) *int { return &c.Settings.Stream.SynCount }),
	stays("tcp_linger2", func(c *Config) *int { return &c.Settings.Stream.Linger2 }),
	stays("tcp_delayed_ack", func(c *Config) *bool { return &c.Settings.Stream.DelayedAck }),
	stays("tcp_reuse_port", func(c *Config) *bool { return &c.Settings.Stream.ReusePort }),
	stays("tcp_source_ipv4", func(c *Config) *netip.Addr { return &c.Settings.Stream.SourceIPv4 }),
	stays("tcp_source_ipv6", func(c *Config) *netip.Addr { return &c.Settings.Stream.SourceIPv6 }),
	stays("tcp_accept_haproxy", func(c *Config) *bool { return &c.Settings.Stream.AcceptHAProxy }),
	{"tcp_proxy_from",
		func(a, b *Config) bool {
			return slices.Equal(a.Settings.Stream.ProxyFrom, b.Settings.Stream.ProxyFrom)
		},
		func(to, from *Config) { to.Settings.Stream.ProxyFrom = from.Settings.Stream.ProxyFrom }},
	stays("send_close_notify of tls", func(c *Config) *bool {
		return &c.Settings.TLS.SendCloseNotify
	}),
	stays(`loadmodule "websocket.so"`, func(c *Config) *bool {
		return &c.Settings.WebSocket.Loaded
	}),
	stays("keepalive_mechanism of websocket", func(c *Config) *stream.Frames {
		return &c.Settings.WebSocket.Frames
	}),
	stays("keepalive_timeout of websocket", func(c *Config) *time.Duration {
		return &c.Settings.WebSocket.KeepAlive
	}),
	stays("ping_application_data of websocket", func(c *Config) *string {
		return &c.Settings.WebSocket.Data
	}),
	stays("cors_mode of websocket", func(c *Config) *wslayer.CORS {
		return &c.Settings.WebSocket.CORS
	}),
}
