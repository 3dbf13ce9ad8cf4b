package shard

import (
	"crypto/rand"
	"crypto/sha256"
	"os"
	"strconv"
	"strings"

	"viaduct/netio"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
	"viaduct/shard/txn"
)

// proxyConfig returns what the shard's proxy works with once set is in force.
func proxyConfig(w *worker, out txn.Sender, egress proxy.Egress, set *route.Settings) proxy.Config {
	c := proxy.Config{
		Settings: set.Proxy, Listeners: w.served, Egress: egress, Resolver: w.shared.resolver,
		Sender: out, Arena: w.arena, Counters: w.count,
		Connected: func(listener int, peer *netio.Addr) bool {
			return w.conns != nil && w.conns.Find(listener, peer) != 0
		},
		StatelessReply: w.forwards, RouteKey: w.shared.routeKey,
		OnTarget: w.shared.targetEvent, OnFailure: w.failed, Held: w.held, HeldReply: w.heldReply,
		HeldBranch: w.heldBranch, Finished: w.finished,
		Script: script{w}, Program: w.program.Hash(), OnsendRequests: w.onsend(),
		OnsendReplies: set.Core.OnsendReplies && w.program.HasOnsend(),
		Warning:       set.Core.SIPWarning != 0, AcceptControl: set.Core.AcceptControl,
	}
	if w.hearsResponses() {
		c.Responded = func(tx *txn.Tx, text []byte) { w.program.Responded(w.ctx, tx, text) }
	}
	w.accounting(&c)
	if w.tracing = w.shared.LogLevel() >= levelDebug; w.tracing {
		c.Trace = w.trace
	}
	if set.Core.UDPMTUTryProto == route.TLS {
		c.MTUProto = netio.TLS
	}
	if w.shared.resolver != nil {
		c.Names = &w.names
	}
	if conns := w.conns; conns != nil {
		c.HTTP = conns.AnswerHTTP
	}
	if w.shared.list != nil {
		c.Blocked = &blocked{w, w.shared.list}
	}
	if id := set.Core.ServerID; id != 0 {
		c.ServerParam = strconv.AppendInt([]byte(";srvid="), int64(id), 10)
	}
	if set.Core.ServerSignature {
		c.ServerHeader = "Server: Viaduct"
		if set.Core.ServerHeader != "" {
			c.ServerHeader = strings.TrimRight(set.Core.ServerHeader, "\r\n")
		}
	}
	if c.AdvertisedHost, c.AdvertisedPort = set.Core.AdvertisedAddress,
		int(set.Core.AdvertisedPort); strings.Contains(c.AdvertisedHost, ":") &&
		c.AdvertisedHost[0] != '[' {
		// an IPv6 address (RFC 3261 §25.1, IPv6reference)
		c.AdvertisedHost = "[" + c.AdvertisedHost + "]"
	}
	for _, a := range set.Core.Alias {
		alias := proxy.Alias{Host: strings.ToLower(a.Host), Port: int(a.Port), Below: a.Below}
		if a.Below && a.Transport != route.AnyTransport {
			alias.Protos = 1 << a.Transport
		}
		c.Aliases = append(c.Aliases, alias)
	}
	return c
}

// hostKey returns the secret for one kind of marks. It is made from the host's identity
// (machine-id(5)), so that calls outlive the process. Where there is none, as in most containers,
// that of the boot takes its place. Without either the secret is random, and calls set up before a
// restart are not recognised after it.
func hostKey(kind string) [sha256.Size]byte {
	for _, path := range []string{"/etc/machine-id", "/proc/sys/kernel/random/boot_id"} {
		if id, err := os.ReadFile(path); err == nil && len(id) >= 16 {
			return sha256.Sum256(append([]byte("viaduct "+kind+" "), id...))
		}
	}
	var id [32]byte
	rand.Read(id[:]) // never fails (crypto/rand)
	return sha256.Sum256(id[:])
}

// txnConfig returns what the shard's transactions work with once set is in force.
func txnConfig(w *worker, out txn.Sender, user txn.User, set *route.Settings,
	random func() uint64) txn.Config {
	c := txn.Config{Settings: set.Txn, Shard: w.number, Arena: w.arena, Sender: out, User: user,
		Counters: w.count, Random: random, Now: w.batchAt,
		Life: w.shared.life, MarkKey: w.shared.markKey}
	if w.tracing {
		c.Ended, c.Sent = w.core.Ended, w.core.Sent
	}
	return c
}
