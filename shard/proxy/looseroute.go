package proxy

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"slices"

	"viaduct/parser"
)

// Routed is what LooseRoute made of the Route set.
type Routed uint8

// What LooseRoute returns.
const (
	// NotRouted means that there is no Route, so that the target is the Request-URI alone, or that
	// the set is malformed, or not ours to follow.
	NotRouted Routed = iota
	// Followed means that the request follows its Route set.
	Followed
	// UsedUp means that a request outside of a dialog had only Route values of ours. They are
	// removed, and nothing proves that we ever let the request through.
	UsedUp
)

// LooseRoute is §16.4: it removes our own values from the Route set and makes the next value, if
// any, the destination. What a strict router before us did is undone, unless looseOnly. The
// parameters of the first value that was ours are available from Routed afterwards.
//
// A Path of ours (AddPath) may say where the REGISTER came from. If the settings want it
// (use_received), requests to the registered address go there, whatever stands behind that value.
func (r *Request) LooseRoute(looseOnly bool) Routed {
	var received []byte
	routed := r.followRoutes(&received, looseOnly)
	if routed != NotRouted && received != nil && r.core.cfg.UseReceived {
		if b := r.core.receivedURI(received); b != nil {
			r.SetDstURI(b) // what is no URI is ignored
		}
	}
	return routed
}

// unescaped appends s with its %HH resolved (§25.1, escaped). It returns false if a % is not
// followed by two digits.
func unescaped(b, s []byte) ([]byte, bool) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 >= len(s) {
				return nil, false
			}
			hi, lo := hexDigit(s[i+1]), hexDigit(s[i+2])
			if hi < 0 || lo < 0 {
				return nil, false
			}
			c = byte(hi<<4 | lo)
			i += 2
		}
		b = append(b, c)
	}
	return b, true
}

// followRoutes does what LooseRoute does, except that it returns the received parameter of our own
// value instead of going there.
func (r *Request) followRoutes(received *[]byte, looseOnly bool) Routed {
	c, m := r.core, r.M
	if !m.Has(parser.KindRoute) {
		return NotRouted
	}
	if uri := r.parsedURI(); !looseOnly && uri != nil && uri.LR() && c.ours(uri) {
		if !r.marked(uri) {
			return NotRouted
		}
		r.routed = c.keep(uri.Params.Of(uri.Raw))
		_, double := uri.Param("r2")
		return r.strictUpstream(double)
	}
	if !r.readTopRoute() {
		return NotRouted
	}
	routes, top := r.routes, r.topRoute
	if !r.topOurs {
		if c.cfg.SignRoutes {
			return NotRouted
		}
		return r.nextHop(&top, routes.Cut)
	}
	// A value without our mark leads nowhere. A single one outside of a dialog asks for nothing,
	// and is removed like any other.
	marked, before := r.marked(&top), r.nCuts
	if !marked && r.HasToTag() {
		return NotRouted
	}
	r.cut(routes.Cut)
	r.routed = top.Params.Of(top.Raw)
	if c.cfg.ForceSendSocket {
		r.side = c.listenerAt(&top)
	}
	// Two Record-Routes stand for two listeners (RFC 5658): r2 marks both.
	_, double := top.Param("r2")
	if v, ok := top.Param(c.cfg.PathReceived); ok && marked {
		*received = v
	}
	more := nextRoute(m, &routes, &top)
	if more && double && c.ours(&top) {
		r.cut(routes.Cut)
		r.side = c.listenerAt(&top)
		more = nextRoute(m, &routes, &top)
	}
	switch {
	case routes.Reason != parser.OK:
		return NotRouted
	case !more:
		return r.usedUp()
	case !marked:
		r.nCuts, r.side, r.routed = before, -1, nil
		return NotRouted
	}
	r.toRoute = true
	return r.nextHop(&top, routes.Cut)
}

// usedUp returns the result for a Route set that had only our own values.
func (r *Request) usedUp() Routed {
	if r.HasToTag() {
		return Followed
	}
	return UsedUp
}

// nextHop makes top, the first Route value that is not ours, the next hop (§16.6 item 6).
func (r *Request) nextHop(top *parser.URI, at parser.Span) Routed {
	if top.LR() {
		if !r.SetDstURI(top.Raw) {
			return NotRouted
		}
		return Followed
	}
	// A strict router gets its own URI as Request-URI, and the Request-URI goes to the end of the
	// set.
	was := r.RequestURI()
	row := append(append(append(r.core.take(len(was)+16), "Route: <"...), was...), ">\r\n"...)
	secure := hasScheme(was, "sips:")
	if !r.SetRequestURI(top.Raw) {
		return NotRouted
	}
	r.appendRoute, r.sips = row, r.sips || secure
	r.cut(at)
	return Followed
}

// strictUpstream undoes what a strict router before us did: the Request-URI is ours, the real one
// is the last Route value (§16.4). The request then goes on as if it had arrived so: a first value
// that is ours is removed, and the one behind it is the next hop. double says that the Request-URI
// is the first of two Record-Routes of ours, so that the first value is the second.
func (r *Request) strictUpstream(double bool) Routed {
	c, m := r.core, r.M
	var u parser.URI
	var last parser.Span // of the list, and the URI in it
	left := 0
	routes := m.Values(parser.KindRoute)
	for ; nextRoute(m, &routes, &u); left++ {
		if left == maxRouteValues {
			return NotRouted
		}
		last = routes.Cut
	}
	if left == 0 || routes.Reason != parser.OK || !r.SetRequestURI(u.Raw) {
		return NotRouted
	}
	r.cut(last)
	r.sips = r.sips || u.Scheme == parser.SIPS
	left--
	routes = m.Values(parser.KindRoute)
	next := func() bool {
		if left == 0 {
			return false
		}
		left--
		return nextRoute(m, &routes, &u)
	}
	if !next() {
		return r.usedUp()
	}
	if c.ours(&u) {
		_, first := u.Param("r2")
		r.cut(routes.Cut)
		r.side = c.listenerAt(&u)
		if !next() {
			return r.usedUp()
		}
		if first && !double && c.ours(&u) {
			r.cut(routes.Cut)
			r.side = c.listenerAt(&u)
			if !next() {
				return r.usedUp()
			}
		}
	}
	return r.nextHop(&u, routes.Cut)
}

// routesReadable reports whether the Route values that decide the next hop are well formed: at most
// two Record-Routes of ours and the one behind them. Values further down are for proxies further
// on. LooseRoute goes on from the first value, which is not parsed again.
func (r *Request) routesReadable() bool {
	if !r.readTopRoute() {
		return false
	}
	if !r.topOurs || !r.routes.Another() {
		return true
	}
	routes, u := r.routes, r.topRoute
	if nextRoute(r.M, &routes, &u) && r.core.ours(&u) {
		nextRoute(r.M, &routes, &u)
	}
	return routes.Reason == parser.OK
}

// readTopRoute reads the first Route value, once per request. It returns false if the value is
// malformed.
func (r *Request) readTopRoute() bool {
	if !r.routesRead {
		r.routesRead = true
		r.routes = r.M.Values(parser.KindRoute)
		r.topOurs = nextRoute(r.M, &r.routes, &r.topRoute) && r.core.ours(&r.topRoute)
	}
	return r.routes.Reason == parser.OK
}

// listenerAt returns the listener that a URI is the Record-Route of, -1 if there is none.
func (c *Core) listenerAt(u *parser.URI) int {
	proto, _, ok := protoOf(u, false)
	if !ok {
		return -1
	}
	for i := range c.listeners {
		l := &c.listeners[i]
		if proto == l.proto && equalFold(u.HostBytes(), l.host) &&
			(int(u.Port) == l.port || l.samePort(int(u.Port), l.port)) {
			return i
		}
	}
	return -1
}

// nextRoute steps to the next Route value and parses its URI. It returns false at the end, and
// where the list is malformed (then v.Reason is not OK).
func nextRoute(m *parser.Message, v *parser.Values, u *parser.URI) bool {
	if !v.Next() {
		return false
	}
	if reason := m.NameAddrURI(v.Value, u); reason != parser.OK {
		v.Reason = reason
		return false
	}
	return true
}

// cut takes a span out of the message when it leaves.
func (r *Request) cut(s parser.Span) {
	if r.nCuts < len(r.cuts) {
		r.cuts[r.nCuts] = s
		r.nCuts++
	}
}

// planCuts plans the cuts in the order of the message. Neighbouring values of one row share a
// comma, so their cuts overlap or touch. A row of which every value is cut is removed with its
// name, since an empty Route is malformed (§20.34).
func (r *Request) planCuts(p *Plan) {
	cuts := r.cuts[:r.nCuts]
	slices.SortFunc(cuts, func(a, b parser.Span) int { return cmp.Compare(a.Off, b.Off) })
	for i := 0; i < len(cuts); {
		from, to := cuts[i].Off, cuts[i].End()
		for i++; i < len(cuts) && cuts[i].Off <= to; i++ {
			to = max(to, cuts[i].End())
		}
		for row := r.M.First(parser.KindRoute); row >= 0; row = r.M.Next(row) {
			if h := &r.M.Headers[row]; from <= h.Value.Off && h.Value.End() <= to {
				from, to = min(from, h.Line.Off), max(to, h.Line.End())
			}
		}
		p.Cut(from, to-from)
	}
}

// markParam is the parameter of our Record-Route that proves that we wrote it for
// this call. Without such a mark anybody could make up a To tag and a Route and
// have us relay to anywhere.
const markParam = "vm"

// markBytes is the length of the mark: 64 bits in hexadecimal. Guessing one takes 2^63 tries, each
// a datagram.
const markBytes = 16

// appendMark appends the mark of a call: the beginning of a hash over the secret and the Call-ID.
// It is the same from every shard and, since the secret is the host's, from the next process.
func (c *Core) appendMark(b, callID []byte) []byte {
	c.markBuf = append(append(c.markBuf[:0], c.cfg.RouteKey...), callID...)
	sum := sha256.Sum256(c.markBuf)
	return hex.AppendEncode(b, sum[:markBytes/2])
}

// marked reports whether a Route value of ours carries the mark of this call, or no mark is
// required.
func (r *Request) marked(u *parser.URI) bool {
	c := r.core
	if !c.cfg.SignRoutes {
		return true
	}
	got, ok := u.Param(markParam)
	var want [markBytes]byte
	return ok && subtle.ConstantTimeCompare(got, c.appendMark(want[:0], r.M.CallID())) == 1
}
