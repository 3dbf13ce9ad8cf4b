package proxy

import (
	"strings"

	"viaduct/parser"
	"viaduct/shard/balance"
)

// Destinations of sets: package balance chooses one, and the request takes it as its next hop.

// SelectTarget asks the balancer for a destination of a set, and for the list to try after it. It
// sets the outbound URI, or with replaceURI the host of the Request-URI.
func (r *Request) SelectTarget(set int, algorithm balance.Algorithm, limit int,
	replaceURI bool) bool {
	return r.SelectTargetBy(set, algorithm, balance.KeyOf(r.M.CallID()), limit, replaceURI)
}

// SelectTargetBy is SelectTarget with the hash of key instead of the Call-ID's.
func (r *Request) SelectTargetBy(set int, algorithm balance.Algorithm, key balance.Key, limit int,
	replaceURI bool) bool {
	c := r.core
	if c.table == nil || !c.table.Select(set, algorithm, key, limit, &r.picks) {
		return false
	}
	t := r.picks.NextTarget(c.table)
	if algorithm == balance.Parallel {
		return r.takeAll(t, replaceURI)
	}
	if t != nil && r.listed(t) {
		t = r.drawAgain(t, set, algorithm, key, limit)
	}
	return r.take(t, replaceURI)
}

// ListTargets makes the list that NextTarget goes through: what the algorithm chooses of a set,
// added to the list with more, else in its place. The request stays as it is.
func (r *Request) ListTargets(set int, algorithm balance.Algorithm, key balance.Key, limit int,
	more bool) bool {
	var list balance.Picks
	if r.core.table == nil || !r.core.table.Select(set, algorithm, key, limit, &list) {
		return false
	}
	if !more {
		r.picks = list
		return true
	}
	r.picks.Append(&list)
	return true
}

// ChooseFirst makes the first destination of the list that ListTargets made the one chosen last.
// The request stays as it is.
func (r *Request) ChooseFirst(limit int) bool {
	t := r.picks.NextTarget(r.core.table)
	if t == nil {
		return false
	}
	r.lastTarget = t.UID
	r.picks.Cut(limit)
	return true
}

// FirstTarget makes the first destination of the list that ListTargets made the request's
// destination. It returns false if none of the list may be used.
func (r *Request) FirstTarget(limit int, replaceURI bool) bool {
	if !r.NextTarget(replaceURI) {
		return false
	}
	r.picks.Cut(limit)
	return true
}

// SameTarget makes the destination that was chosen last the request's destination once more
// (ds_set_dst, ds_set_domain). It returns false if none was chosen.
func (r *Request) SameTarget(replaceURI bool) bool {
	if r.core.table == nil || r.lastTarget == 0 {
		return false
	}
	return r.take(r.core.table.Target(r.lastTarget), replaceURI)
}

// Chosen returns the UID of the destination that was chosen last, 0 if none was.
func (r *Request) Chosen() uint16 { return r.lastTarget }

// ListedTargets returns the UIDs of the destination chosen last and of those of its list that were
// not tried yet. The view is valid until the next choice.
func (r *Request) ListedTargets() []uint16 {
	p := &r.picks
	return p.UID[max(int(p.Next)-1, 0):p.N]
}

// takeAll makes t and all destinations behind it in the list targets of the next Relay, to be tried
// at once.
func (r *Request) takeAll(t *balance.Target, replaceURI bool) bool {
	var first *balance.Target
	for ; t != nil; t = r.picks.NextTarget(r.core.table) {
		switch {
		case r.listed(t):
		case first == nil:
			first = t
		case r.nMore < len(r.more):
			r.take(t, replaceURI)
			r.more[r.nMore] = r.mainTarget()
			r.nMore++
		}
	}
	r.picks.N = 0
	return r.take(first, replaceURI)
}

// Targets returns the destination sets; nil means there are none.
func (c *Core) Targets() *balance.Table { return c.table }

// NextTarget takes the next destination of the list that SelectTarget made (ds_next_dst,
// ds_next_domain), preferring one that is not on the blocklist. It returns false if none is left.
func (r *Request) NextTarget(replaceURI bool) bool {
	c := r.core
	if c.table == nil {
		return false
	}
	t := r.picks.NextTarget(c.table)
	if t != nil && r.listed(t) {
		t = r.passListed(t, new(passing))
	}
	return r.take(t, replaceURI)
}

// take makes t, unless it is nil, the destination of the request.
func (r *Request) take(t *balance.Target, replaceURI bool) bool {
	c := r.core
	if t == nil {
		return false
	}
	r.fresh = true
	r.target, r.dstAddr, r.pickURI = t.UID, t.Addr, replaceURI
	r.lastTarget = t.UID
	if replaceURI {
		r.uri = c.targetURI(r.uriBuf[:0], r.RequestURI(), t)
		r.dst = nil
	} else {
		r.dst = append(r.dstBuf[:0], t.URI...)
	}
	return true
}

// MarkTarget sets the state of the destination that was chosen last (ds_mark_dst). It returns false
// if none was chosen.
func (r *Request) MarkTarget(to balance.State) bool {
	c := r.core
	if c.table == nil || r.lastTarget == 0 {
		return false
	}
	t := c.table.Target(r.lastTarget)
	if t == nil {
		return false
	}
	if e := t.Mark(to, c.now/1e6); c.cfg.OnTarget != nil {
		c.cfg.OnTarget(t, e, "call") // NoEvent as well: what is to be probed may have changed
	}
	return true
}

// targetURI appends to b uri with what the URI of t has behind the user: host, port and parameters
// (ds_select_domain).
func (c *Core) targetURI(b, uri []byte, t *balance.Target) []byte {
	var u parser.URI
	ok := parser.ParseURI(uri, &u) == parser.OK
	scheme := "sip:"
	if ok && u.Scheme == parser.SIPS {
		scheme = "sips:" // a sips URI stays one: where refuses to send it in clear
	}
	b = append(b, scheme...)
	if ok && !u.User.Empty() {
		// uri may be in b's own array, but not beyond what is written.
		b = append(b, u.UserBytes()...)
		b = append(b, '@')
	}
	rest, plain := strings.CutPrefix(t.URI, "sip:")
	switch {
	case plain && scheme == "sip:" && !strings.Contains(rest, "?"):
		return append(b, rest[strings.IndexByte(rest, '@')+1:]...)
	case t.Addr.Family == 0:
		return appendHostOf(b, t)
	}
	b = t.Addr.AppendTo(b)
	if scheme == "sips:" {
		return appendSecureTransport(b, t.Addr.Proto)
	}
	return append(b, t.Addr.Proto.Param()...)
}

// appendHostOf appends host, port and transport of a destination that is a name, as they are
// written. The name is looked up when the request is sent, and a port would keep SRV from being
// used (RFC 3263 §4.2).
func appendHostOf(b []byte, t *balance.Target) []byte {
	var u parser.URI
	if parser.ParseURI([]byte(t.URI), &u) != parser.OK {
		return append(b, t.Host...)
	}
	b = append(b, u.HostBytes()...)
	if u.Port != 0 {
		b = appendInt(append(b, ':'), int(u.Port))
	}
	return append(b, t.Transport.Param()...)
}
