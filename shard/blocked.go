package shard

import (
	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/blocklist"
	"viaduct/shard/proxy"
)

// blocked is one shard's view of the blocklist that all shards share.
type blocked struct {
	w    *worker
	list *blocklist.Table
}

var _ proxy.Blocked = (*blocked)(nil)

// methodBit returns tm's number of a method, as in blst_methods_add and blst_methods_lookup.
func methodBit(m parser.Method) uint32 {
	switch m {
	case parser.INVITE:
		return blocklist.MethodInvite
	case parser.CANCEL:
		return blocklist.MethodCancel
	case parser.ACK:
		return blocklist.MethodAck
	case parser.BYE:
		return blocklist.MethodBye
	case parser.INFO:
		return blocklist.MethodInfo
	case parser.REGISTER:
		return blocklist.MethodRegister
	case parser.SUBSCRIBE:
		return blocklist.MethodSubscribe
	case parser.NOTIFY:
		return blocklist.MethodNotify
	}
	return blocklist.MethodOther
}

// Blocked reports whether a request of that method may not be sent there now.
func (b *blocked) Blocked(to *netio.Addr, method parser.Method) bool {
	if !b.checks(method) {
		return false
	}
	addr := *to
	addr.Proto = 0
	return b.list.Listed(to.Proto, &addr, b.w.core.Now()/1e6)
}

// Holds is Blocked without counting a hit.
func (b *blocked) Holds(to *netio.Addr, method parser.Method) bool {
	if !b.checks(method) {
		return false
	}
	addr := *to
	addr.Proto = 0
	return b.list.Holds(to.Proto, &addr, b.w.core.Now()/1e6)
}

func (b *blocked) checks(method parser.Method) bool {
	return b.list.Enabled() && b.list.Checks(methodBit(method))
}

// Report puts a destination that failed on the blocklist, if the settings ask for that.
func (b *blocked) Report(to *netio.Addr, why blocklist.Reason, method parser.Method,
	retryAfter int) {
	if !b.list.Enabled() {
		return
	}
	cause := blocklist.Cause{Reasons: why, Owner: why.String()}
	switch why {
	case blocklist.Timeout:
		if !b.list.ListsTimeout(methodBit(method)) {
			return
		}
	case blocklist.Busy503:
		ttl, ok := b.list.TTL503(int64(max(retryAfter, 0)), retryAfter >= 0)
		if !ok {
			return
		}
		cause.TTL = ttl
	}
	addr := *to
	addr.Proto = 0
	b.list.Add(to.Proto, &addr, cause, b.w.core.Now()/1e6)
}
