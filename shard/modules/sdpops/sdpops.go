// Package sdpops looks at session descriptions (RFC 8866) and takes media, codecs and lines out of
// them: Kamailio's module sdpops.
package sdpops

import (
	"bytes"
	"strconv"

	"viaduct/parser"
	"viaduct/shard/route"
)

// Define is the module.
func Define(m *route.Module) {
	looks(m)
	codecs(m)
	removals(m)
	m.Var(route.Var{Name: "sdp", Inner: "PART",
		Doc: "The session description (body), or the version in its o= line (sess_version), which may " +
			"be set; -1 makes it one higher.",
		Compile: func(b *route.VarBuild, inner, _ string) route.Place {
			switch inner {
			case "body":
				return route.Place{Text: func(c *route.Ctx) ([]byte, bool) {
					at, ok := c.SDP()
					return c.Msg.Bytes(at), ok
				}, NoRoom: true}
			case "sess_version":
				return route.Place{Int: func(c *route.Ctx) (int64, bool) {
					at, ok := version(c)
					return route.Atoi(c.Msg.Bytes(at)), ok
				}, Set: setVersion, NoRoom: true}
			}
			b.Errorf("$sdp(%s): there are body and sess_version", inner)
			return route.Place{}
		}})
}

// version is where the version stands in the o= line (RFC 8866 §5.2).
func version(c *route.Ctx) (parser.Span, bool) {
	at, ok := c.SDP()
	if !ok {
		return parser.Span{}, false
	}
	for off, rest := at.Off, c.Msg.Bytes(at); len(rest) > 0; {
		l, next := route.Line(rest)
		if bytes.HasPrefix(l, []byte("o=")) {
			f := fields(l[2:], 3)
			if len(f[2]) == 0 {
				return parser.Span{}, false
			}
			return parser.Span{Off: off + uint32(cap(l)-cap(f[2])), Len: uint32(len(f[2]))}, true
		}
		off += uint32(len(rest) - len(next))
		rest = next
	}
	return parser.Span{}, false
}

// setVersion is $sdp(sess_version) = v.
func setVersion(c *route.Ctx, v route.Value) route.SetResult {
	at, ok := version(c)
	if !ok || !v.IsInt() {
		return route.SetRefused
	}
	n := v.Int()
	if n == -1 {
		n = route.Atoi(c.Msg.Bytes(at)) + 1
	}
	if n < 0 || c.Edit(at, strconv.AppendInt(c.Room(), n, 10)) <= 0 {
		return route.SetRefused
	}
	return route.SetDone
}

// fields are the first words of a line, what is behind them in the last.
func fields(l []byte, n int) (f [4][]byte) {
	for i := range n {
		l = bytes.TrimLeft(l, " ")
		if end := bytes.IndexByte(l, ' '); end >= 0 {
			f[i], l = l[:end], l[end:]
		} else {
			f[i], l = l, nil
		}
	}
	f[3] = l
	return f
}

// A stream is one m= line and what belongs to it (RFC 8866 §5.14).
type stream struct {
	media, port, proto []byte
	formats            []byte // with the blank in front of each
	line, text         parser.Span
}

// A session is a description that is gone through.
type session struct {
	c   *route.Ctx
	at  parser.Span
	pos uint32 // where the next stream is looked for
}

// open is the description of the message at hand.
func open(c *route.Ctx) (s session, ok bool) {
	s.c = c
	s.at, ok = c.SDP()
	s.pos = s.at.Off
	return s, ok
}

// missing is the result where there is no description: -2 if there is no body, otherwise -1.
func missing(c *route.Ctx) route.Result {
	if len(c.Msg.Body()) == 0 {
		return -2
	}
	return -1
}

// next is the next stream. It returns false if there is none.
func (s *session) next(m *stream) bool {
	end := s.at.End()
	at := s.mLine(s.pos)
	if at == end {
		return false
	}
	l, rest := route.Line(s.c.Msg.Raw[at:end])
	m.line = parser.Span{Off: at, Len: uint32(len(l))}
	f := fields(l[2:], 3)
	m.media, m.port, m.proto, m.formats = f[0], f[1], f[2], f[3]
	s.pos = s.mLine(end - uint32(len(rest)))
	m.text = parser.Span{Off: at, Len: s.pos - at}
	return true
}

// mLine is where an m= line begins, at pos or behind it; the end if there is none.
func (s *session) mLine(pos uint32) uint32 {
	end := s.at.End()
	for pos < end {
		b := s.c.Msg.Raw[pos:end]
		if bytes.HasPrefix(b, []byte("m=")) {
			return pos
		}
		_, rest := route.Line(b)
		pos = end - uint32(len(rest))
	}
	return end
}

// is tells whether a stream is of that media; nil is any.
func (m *stream) is(media []byte) bool { return media == nil || bytes.EqualFold(m.media, media) }

// lines calls f with each line of a part of the message, and the span it takes with its end.
func lines(c *route.Ctx, at parser.Span, f func(l []byte, all parser.Span) bool) {
	for rest := c.Msg.Bytes(at); len(rest) > 0; {
		l, next := route.Line(rest)
		n := uint32(len(rest) - len(next))
		if !f(l, parser.Span{Off: at.End() - uint32(len(rest)), Len: n}) {
			return
		}
		rest = next
	}
}

// A cut takes parts out of the message; those that touch are one edit.
type cut struct {
	c    *route.Ctx
	at   parser.Span
	fail route.Result // below 1: of an edit
	n    int
}

func (x *cut) out(at parser.Span) {
	x.n++
	if x.at.Len > 0 && x.at.End() == at.Off {
		x.at.Len += at.Len
		return
	}
	x.flush()
	x.at = at
}

func (x *cut) flush() {
	if x.at.Len > 0 {
		if r := x.c.Edit(x.at, nil); r <= 0 && x.fail == 0 {
			x.fail = -1
		}
	}
	x.at = parser.Span{}
}

// done is the result: none where nothing was to be taken out.
func (x *cut) done(none route.Result) route.Result {
	x.flush()
	switch {
	case x.fail != 0:
		return x.fail
	case x.n == 0:
		return none
	}
	return 1
}
