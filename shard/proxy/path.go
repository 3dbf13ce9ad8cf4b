package proxy

import (
	"bytes"
	"encoding/binary"

	"viaduct/parser"
	"viaduct/transport"
)

// AddPath asks for a Path row of ours above those that are there (RFC 3327 §5.1), and below those
// that it was asked for before. Like a Record-Route it is written when the request leaves: the row
// shows the listener that the request leaves by, which is where the registrar sends requests for
// the registered address to. With two rows (Settings.PathR2) the one below shows the listener that
// the request came by. With received the rows say where the request came from. It returns false if
// there is no room.
func (r *Request) AddPath(user, params []byte, received bool) bool {
	c, had := r.core, r.leave.path
	n := len(user) + len(params)
	if n > maxPathBytes || len(had)+n > 4*maxPathBytes {
		return false
	}
	name := c.cfg.PathReceived
	b := append(c.take(len(had)+n+len(name)+pathExtra), had...)
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	b = append(append(b, user...), ";lr"...)
	if received {
		b = append(append(append(b, ';'), name...), '=')
		b = r.appendReceived(b)
	}
	if len(params) > 0 {
		if params[0] != ';' {
			b = append(b, ';')
		}
		b = append(b, params...)
	}
	binary.LittleEndian.PutUint16(b[start:], uint16(len(user)))
	binary.LittleEndian.PutUint16(b[start+2:], uint16(len(b)-start-4-len(user)))
	r.leave.path = b
	return true
}

// pathExtra is room for what a row has besides texts of others: an address twice, the names of
// parameters.
const pathExtra = 256

// appendReceived appends the value of the received parameter.
func (r *Request) appendReceived(b []byte) []byte {
	proto := r.core.listeners[r.Listener].proto
	if r.core.cfg.PathAlias {
		b = r.Src.AppendHost(b)
		b = append(appendInt(append(b, '~'), int(r.Src.Port)), '~')
		return appendInt(b, bytes.IndexByte(aliasProtos, byte(proto)))
	}
	b = r.Src.AppendTo(append(b, "sip:"...))
	if p := proto.Param(); len(p) > 0 {
		// A parameter's value has neither ";" nor "=" (§25.1, paramchar), so they are escaped.
		b = append(append(b, "%3Btransport%3D"...), p[len(";transport="):]...)
	}
	return b
}

// aliasProtos are the transports by their number in an alias (module nathelper).
var aliasProtos = []byte{byte(transport.None), byte(transport.UDP), byte(transport.TCP),
	byte(transport.TLS), byte(transport.SCTP), byte(transport.WS), byte(transport.WSS)}

// receivedURI returns the URI that the value of a received parameter of ours means, nil if it means
// none.
func (c *Core) receivedURI(value []byte) []byte {
	if !c.cfg.PathAlias {
		b, ok := unescaped(c.take(len(value)), value)
		if !ok {
			return nil
		}
		return b
	}
	host, rest, _ := bytes.Cut(value, []byte{'~'})
	port, digit, found := bytes.Cut(rest, []byte{'~'})
	if !found || len(host) == 0 || len(port) == 0 || len(digit) != 1 || digit[0] < '1' ||
		int(digit[0]-'0') >= len(aliasProtos) {
		return nil
	}
	b := append(append(c.take(len(value)+32), "sip:"...), host...)
	b = append(append(b, ':'), port...)
	return append(b, transport.Proto(aliasProtos[digit[0]-'0']).Param()...)
}

// planPaths plans the Path rows of a request that leaves by a listener.
func (r *Request) planPaths(p *Plan, leavesBy int) {
	texts := r.leave.path
	if texts == nil {
		return
	}
	at := r.M.HeaderEnd
	if row := r.M.First(parser.KindPath); row >= 0 {
		at = r.M.Headers[row].Line.Off
	}
	rows := 0
	for rest := texts; len(rest) > 0; rows++ {
		_, _, rest = nextPath(rest)
	}
	b := r.core.take(2*len(texts) + 2*pathExtra*rows)
	p.Insert(at, r.core.appendPaths(b, texts, r.Listener, leavesBy))
}

// nextPath splits the first row off what AddPath has kept.
func nextPath(texts []byte) (user, params, rest []byte) {
	n := int(binary.LittleEndian.Uint16(texts))
	end := 4 + n + int(binary.LittleEndian.Uint16(texts[2:]))
	return texts[4 : 4+n], texts[4+n : end], texts[end:]
}

// appendPaths appends the Path rows that texts ask for, of a request that came by one listener and
// leaves by another.
func (c *Core) appendPaths(b, texts []byte, receivedBy, leavesBy int) []byte {
	for len(texts) > 0 {
		var user, params []byte
		user, params, texts = nextPath(texts)
		b = c.appendPath(b, user, params, leavesBy)
		if c.cfg.PathR2 {
			b = c.appendPath(b, user, params, receivedBy)
		}
	}
	return b
}

func (c *Core) appendPath(b, user, params []byte, listener int) []byte {
	b = append(b, "Path: <sip:"...)
	if len(user) > 0 {
		b = append(append(b, user...), '@')
	}
	b = append(c.appendPathAt(b, listener), params...)
	if c.cfg.PathR2 {
		b = append(b, ";r2=on"...)
	}
	return append(b, ">\r\n"...)
}

// appendPathAt appends what a Path row says of a listener.
func (c *Core) appendPathAt(b []byte, listener int) []byte {
	l := &c.listeners[listener]
	b = append(append(b, l.sentBy...), l.param...)
	if c.cfg.PathNames && len(l.name) > 0 {
		b = append(append(b, ";sn="...), l.name...)
	}
	return b
}

// planPathsAgain plans the Path rows of ours in c.stored, a request that left by one listener, for
// another one.
func (c *Core) planPathsAgain(was, now int) {
	m := &c.stored
	var room [256]byte
	old := append(c.appendPathAt(room[:0], was), ";lr"...)
	second := false
	for row := m.First(parser.KindPath); row >= 0; row = m.Next(row) {
		value := m.Headers[row].Value
		text := value.Of(m.Raw)
		if second {
			second = false
			continue
		}
		uri, found := bytes.CutPrefix(text, []byte("<sip:"))
		if !found {
			return
		}
		at := 0
		if !bytes.HasPrefix(uri, old) {
			if at = bytes.IndexByte(uri, '@') + 1; at == 0 || !bytes.HasPrefix(uri[at:], old) {
				return // the rows below are of others
			}
		}
		from := int(value.Off) + len(text) - len(uri) + at
		cut := len(old) - len(";lr")
		c.plan.Replace(uint32(from), uint32(cut), c.appendPathAt(c.take(pathExtra), now))
		second = c.cfg.PathR2
	}
}
