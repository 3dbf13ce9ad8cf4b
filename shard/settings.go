package shard

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"os"
	"strings"

	"viaduct/netio"
	"viaduct/shard/balance"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
	"viaduct/shard/txn"
)

// proxyConfig reads the proxy's part of the settings.
func proxyConfig(w *worker, out txn.Sender, egress proxy.Egress, set *route.Settings) proxy.Config {
	c := proxy.Config{
		Listeners: w.served, Egress: egress, Resolver: w.shared.resolver, Sender: out,
		Arena: w.arena, Counters: w.count,
		UseReceived: set.Path.UseReceived,
		LocalRPort:  set.Core.LocalRPort, ForceRPort: set.Core.ForceRPort, Remap503: set.TM.Remap503,
		RetryRefused: set.TM.RetryRefused, DropUnmatched: set.TM.UnmatchedCancel == 2,
		Connected: func(listener int, peer *netio.Addr) bool {
			return w.conns != nil && w.conns.Find(listener, peer) != 0
		},
		PassFormer: set.TM.PassFormerReplies, TimeoutStatus: set.TM.Reply408Code,
		StatelessReply: w.forwards,
		OnTarget:       w.shared.targetEvent, DefaultCode: set.TM.DefaultCode,
		DefaultReason:   set.TM.DefaultReason,
		Disable6xxBlock: set.TM.Disable6xxBlock, AggregateChallenges: set.TM.AggregateChallenges,
		FailureReplies: proxy.ReplyMode(set.TM.FailureReplyMode), UDPMTU: set.Core.UDPMTU,
		MTUProto:    netio.TCP,
		LocalReason: set.TM.LocalCancelReason, E2EReason: set.TM.E2ECancelReason,
		Script: script{w}, Program: w.program.Hash(),
		OnsendRequests: w.onsend(), OnsendReplies: set.Core.OnsendReplies && w.program.HasOnsend(),
		Warning: set.Core.SIPWarning != 0, OnFailure: w.failed, Held: w.held,
		Finished:   w.finished,
		Extensions: set.Extensions,
	}
	set.RR.Configure(&c)
	c.SilentTimeout, c.LocalPenalty = !set.TM.NoisyCTimer, set.TM.FakedReplyPrio
	// read already when the file was loaded
	c.FailoverCodes, _ = balance.ParseReplyCodes(set.TM.FailoverReplyCodes)
	if w.tracing = w.shared.LogLevel() >= levelDebug; w.tracing {
		c.Trace = w.trace
	}
	if set.Core.UDPMTUTryProto == route.TLS {
		c.MTUProto = netio.TLS
	}
	if w.shared.resolver != nil {
		c.Names = &w.names
	}
	if w.shared.list != nil {
		c.Blocked = &blocked{w, w.shared.list}
	}
	if set.RR.SignRoutes {
		c.RouteKey = w.shared.routeKey
	}
	if set.TM.AutoInv100 {
		c.TryingReason = set.TM.AutoInv100Reason
	}
	c.AcceptControl = set.Core.AcceptControl
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
		c.Aliases = append(c.Aliases, proxy.Alias{Host: strings.ToLower(a.Host), Port: int(a.Port)})
	}
	return c
}

// hostKey is the secret behind marks of a kind: made of the host's identity (machine-id(5)), so
// that calls outlive the process. Where there is none, as in most containers, that of the boot
// takes its place; without either it is random, and calls set up before a restart are not known
// after it.
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

// txnConfig reads the transaction layer's part of the settings.
func txnConfig(w *worker, out txn.Sender, user txn.User, set *route.Settings,
	random func() uint64) txn.Config {
	c := txn.Config{Shard: w.number, Arena: w.arena, Timers: timers(&set.TM), Sender: out,
		User:     user,
		Counters: w.count, Random: random, Now: w.batchAt, MaxBranches: set.Core.MaxBranches,
		Life: w.shared.life, MarkKey: w.shared.markKey,
		CancelBefore: cancelBefore(set.TM.CancelBMethod), KeepTimerC: !set.TM.FrInvRestart,
		Relay100: set.TM.Relay100, HopHeaders: set.TM.ACExtraHeaders}
	if w.tracing {
		c.Ended, c.Sent = w.core.Ended, w.core.Sent
	}
	return c
}

// timers reads tm's timers. Those it has no name for are the RFC's.
func timers(tm *route.TMSettings) txn.Timers {
	t := txn.DefaultTimers()
	t.T1, t.T2 = tm.T1, max(tm.T2, tm.T1) // a T2 below T1 would repeat without a pause
	t.B, t.C = tm.FrTimer, tm.FrInvTimer
	t.H, t.T4 = 64*tm.T1, tm.T4
	t.D, t.J, t.L, t.M = tm.WtTimer, tm.WtTimer, tm.WtTimer, tm.WtTimer
	t.MaxInvite, t.MaxNonInvite = tm.MaxInvLifetime, tm.MaxNonInvLifetime
	return t
}

// cancelBefore reads cancel_b_method.
func cancelBefore(method int) txn.CancelBefore {
	return [...]txn.CancelBefore{txn.CancelFakes, txn.CancelWaits, txn.CancelLeaves}[method]
}

// probeConfig reads the dispatcher's ping parameters.
func probeConfig(d *route.DispatcherSettings) (balance.ProbeConfig, error) {
	codes, err := balance.ParseReplyCodes(d.PingReplyCodes)
	if err != nil {
		return balance.ProbeConfig{}, fmt.Errorf("ds_ping_reply_codes: %w", err)
	}
	c := balance.ProbeConfig{Interval: d.PingInterval, Mode: balance.ProbeMode(d.ProbingMode),
		Method: d.PingMethod, From: d.PingFrom, ReplyCodes: codes,
		Recover: recoverEvery}
	return c, c.Validate()
}
