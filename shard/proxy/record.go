package proxy

import (
	"bytes"

	"viaduct/netio"
	"viaduct/parser"
)

// recordRoute is the Record-Route that the routing program asks for (§16.6 step 4). It is written
// when the request leaves, since only then are both listeners known.
type recordRoute struct {
	kind recordKind
	// texts are what the row says in addition to the listeners or instead of them: user, address
	// and second one after another, then the parameters. There may be parameters before there is a
	// kind.
	texts                 []byte
	user, address, second uint16 // how long the first three are
	// early is how many bytes of the parameters a preset row has in front of lr: those that were
	// there before it.
	early uint16
}

// recordKind says which address a Record-Route shows.
type recordKind uint8

const (
	notRecorded      recordKind = iota
	recordOwn                   // the listeners'
	recordPreset                // a text, and perhaps another one for a second row
	recordAdvertised            // a text in place of host and port of the listeners
)

// RecordRoute asks for our Record-Route on the request. user may be nil; params go in front of
// those that AddRouteParams gave. It returns false if one was asked for before, or there is no
// room.
func (r *Request) RecordRoute(user, params []byte) bool {
	return r.record(recordOwn, user, nil, nil, params)
}

// RecordPreset asks for a Record-Route of that text, and for another one of second below it unless
// second is empty. It returns false as RecordRoute does.
func (r *Request) RecordPreset(user, text, second []byte) bool {
	return r.record(recordPreset, user, text, second, nil)
}

// RecordAdvertised asks for a Record-Route that shows address in place of host and port of the
// listeners. It returns false as RecordRoute does.
func (r *Request) RecordAdvertised(user, address []byte) bool {
	return r.record(recordAdvertised, user, address, nil, nil)
}

func (r *Request) record(kind recordKind, user, address, second, params []byte) bool {
	rr := &r.rr
	if rr.kind != notRecorded && !r.branching {
		return false
	}
	more := rr.params()
	semicolon := len(params) > 0 && params[0] != ';'
	n := len(user) + len(address) + len(second) + len(params) + 1 + len(more)
	if n > maxRecordBytes {
		return false
	}
	if n == 1 && kind == recordOwn {
		rr.kind = kind
		return true
	}
	b := append(append(append(r.core.take(n), user...), address...), second...)
	if semicolon {
		b = append(b, ';')
	}
	*rr = recordRoute{kind: kind, texts: append(append(b, params...), more...),
		user: uint16(len(user)), address: uint16(len(address)), second: uint16(len(second))}
	if kind == recordPreset {
		rr.early = uint16(len(more))
	}
	return true
}

// AddRouteParams adds parameters to our Record-Route, whether or not it was asked for yet. It
// returns false if there is no room.
func (r *Request) AddRouteParams(params []byte) bool {
	rr := &r.rr
	if len(rr.texts)+len(params)+1 > maxRecordBytes {
		return false
	}
	b := append(r.core.take(len(rr.texts)+len(params)+1), rr.texts...)
	if len(params) > 0 && params[0] != ';' {
		b = append(b, ';') // else it would be part of the parameter before it
	}
	rr.texts = append(b, params...)
	return true
}

// RemoveRecordRoute takes back the Record-Route that was asked for, with its parameters.
func (r *Request) RemoveRecordRoute() { r.rr = recordRoute{} }

// params returns the parameters in texts.
func (rr *recordRoute) params() []byte {
	return rr.texts[int(rr.user)+int(rr.address)+int(rr.second):]
}

// Routed returns the parameters of our own Route value that LooseRoute removed, from the first
// semicolon on. It returns nil if LooseRoute removed none.
func (r *Request) Routed() []byte { return r.routed }

// ToRoute reports whether LooseRoute found another host's value behind our own Route, which it made
// the next hop.
func (r *Request) ToRoute() bool { return r.toRoute }

// appendRecordRoute appends our Record-Route rows for a request that came by one listener and
// leaves by another. There is one row if the listeners are the same, else two, with the side it
// leaves by on top (RFC 5658 §3).
func (c *Core) appendRecordRoute(b []byte, m *parser.Message, rr *recordRoute,
	receivedBy, leavesBy int, secure bool) []byte {
	if rr.kind == recordPreset {
		return c.appendPreset(b, m, rr, secure) // Slow path
	}
	double := c.twoRecordRoutes(receivedBy, leavesBy)
	b = c.appendRouteRow(b, m, rr, leavesBy, double, secure)
	if double {
		b = c.appendRouteRow(b, m, rr, receivedBy, double, secure)
	}
	return b
}

// twoRecordRoutes reports whether a request that came by one listener and leaves by the other gets
// two Record-Routes.
func (c *Core) twoRecordRoutes(receivedBy, leavesBy int) bool {
	return c.cfg.DoubleRR == DoubleEverywhere ||
		c.cfg.DoubleRR == DoubleWhereNeeded && leavesBy != receivedBy
}

// secureRoute reports whether the request asks for TLS on its whole way, so that our Record-Route
// says sips too (§16.6 step 4).
func (r *Request) secureRoute() bool {
	if r.core.cfg.IgnoreSips {
		return false
	}
	if hasScheme(r.RequestURI(), "sips:") {
		return true
	}
	return r.M.Has(parser.KindRoute) && r.readTopRoute() && r.topRoute.Scheme == parser.SIPS
}

func hasScheme(uri []byte, scheme string) bool {
	return len(uri) > len(scheme) && equalFold(uri[:len(scheme)], []byte(scheme))
}

// appendSecureTransport appends the transport parameter of a sips URI, where it needs one.
func appendSecureTransport(b []byte, proto netio.Proto) []byte {
	if proto == netio.WSS {
		b = append(b, ";transport=ws"...)
	}
	return b
}

func (c *Core) appendRouteRow(b []byte, m *parser.Message, rr *recordRoute, listener int,
	double, secure bool) []byte {
	l := &c.listeners[listener]
	secure = secure && l.proto.Secure()
	if secure {
		b = append(b, "Record-Route: <sips:"...)
	} else {
		b = append(b, "Record-Route: <sip:"...)
	}
	if rr.user > 0 {
		b = append(append(b, rr.texts[:rr.user]...), '@')
	}
	if rr.kind == recordAdvertised {
		b = append(b, rr.texts[rr.user:rr.user+rr.address]...)
	} else {
		b = append(b, l.sentBy...)
	}
	switch {
	case secure:
		b = appendSecureTransport(b, l.proto)
	case c.cfg.DoubleRR == DoubleEverywhere && len(l.param) == 0:
		b = append(b, ";transport=udp"...)
	default:
		b = append(b, l.param...)
	}
	if double {
		b = append(b, ";r2=on"...)
	}
	if rr.kind == recordAdvertised {
		b = c.appendLR(c.appendFromTag(b, m), m)
	} else {
		b = c.appendFromTag(c.appendLR(b, m), m)
	}
	return append(append(b, rr.params()...), ">\r\n"...)
}

// The parameters that each Record-Route of ours has. Their order means nothing (RFC 3261 §19.1.4);
// that it differs by the kind of row is as in Kamailio.

// appendLR appends lr, and the signature if there is one.
func (c *Core) appendLR(b []byte, m *parser.Message) []byte {
	b = append(b, ";lr"...)
	if c.cfg.FullLR {
		b = append(b, "=on"...)
	}
	if c.cfg.SignRoutes {
		b = append(append(append(b, ';'), markParam...), '=')
		b = c.appendMark(b, m.CallID())
	}
	return b
}

// appendFromTag appends ftag, unless append_fromtag is 0.
func (c *Core) appendFromTag(b []byte, m *parser.Message) []byte {
	if c.cfg.AppendFromtag {
		if from, reason := m.From(); reason == parser.OK && !from.Tag.Empty() {
			b = append(b, ";ftag="...)
			b = append(b, from.Tag.Of(m.Raw)...)
		}
	}
	return b
}

// appendPreset appends the rows of record_route_preset(), whose texts are written as they are.
func (c *Core) appendPreset(b []byte, m *parser.Message, rr *recordRoute, secure bool) []byte {
	user := rr.texts[:rr.user]
	first := rr.texts[rr.user : rr.user+rr.address]
	second := rr.texts[rr.user+rr.address:][:rr.second]
	for _, text := range [...][]byte{first, second} {
		if len(text) == 0 {
			continue
		}
		if secure {
			b = append(b, "Record-Route: <sips:"...)
		} else {
			b = append(b, "Record-Route: <sip:"...)
		}
		if len(user) > 0 {
			b = append(append(b, user...), '@')
		}
		params := rr.params()
		b = append(c.appendFromTag(append(b, text...), m), params[:rr.early]...)
		b = append(append(c.appendLR(b, m), params[rr.early:]...), ">\r\n"...)
	}
	return b
}

// recordedIn returns our Record-Route in m, a request that was sent, so that it can be written anew
// for other listeners with the same user and parameters.
func (c *Core) recordedIn(m *parser.Message) (rr recordRoute) {
	rr.kind = recordOwn
	var u parser.URI
	v := m.Values(parser.KindRecordRoute)
	if !nextRoute(m, &v, &u) {
		return rr
	}
	user, params := u.User.Of(u.Raw), u.Params.Of(u.Raw)
	for len(params) > 0 {
		end := bytes.IndexByte(params[1:], ';') + 1
		if end == 0 {
			end = len(params)
		}
		name, _, _ := bytes.Cut(params[1:end], []byte{'='})
		switch string(name) {
		case "transport", "r2", "lr", markParam, "ftag":
			params = params[end:]
			continue
		}
		break
	}
	rr.texts = append(append(c.take(len(user)+len(params)), user...), params...)
	rr.user = uint16(len(user))
	return rr
}
