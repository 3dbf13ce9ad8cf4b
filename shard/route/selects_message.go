package route

import (
	"bytes"
	"strconv"

	"viaduct/parser"
)

// wholeSelect compiles @msg.request and @msg.response and what follows them. They are null for a
// message of the other kind.
func wholeSelect(request bool, steps []selStep) textOf {
	part := func(pick func(line []byte) []byte) textOf {
		return func(c *Ctx) ([]byte, bool) {
			if c.Msg.IsRequest != request {
				return nil, false
			}
			return pick(bytes.TrimRight(c.Msg.Bytes(c.Msg.StartLine), "\r\n")), true
		}
	}
	name := ""
	if len(steps) > 0 {
		if name = steps[0].name; steps[0].has || len(steps) > 1 && name != "uri" {
			return nil
		}
	}
	first := func(line []byte) []byte { w, _, _ := bytes.Cut(line, []byte{' '}); return w }
	switch {
	case name == "":
		return func(c *Ctx) ([]byte, bool) { return c.Msg.Raw, c.Msg.IsRequest == request }
	case request && name == "method", !request && name == "version":
		return part(first)
	case request && name == "version":
		return part(func(line []byte) []byte { return line[bytes.LastIndexByte(line, ' ')+1:] })
	case request && name == "uri":
		return uriSelect(func(c *Ctx) ([]byte, bool) {
			return c.Msg.Bytes(c.Msg.URI), c.Msg.IsRequest
		}, steps[1:])
	case !request && name == "status":
		return func(c *Ctx) ([]byte, bool) {
			return c.number(int64(c.Msg.Status)), !c.Msg.IsRequest
		}
	case !request && name == "reason":
		return part(func(line []byte) []byte {
			_, rest, _ := bytes.Cut(line, []byte{' '})
			_, reason, _ := bytes.Cut(rest, []byte{' '})
			return reason
		})
	}
	return nil
}

// branchesSelect compiles @branch.uri, .dst_uri, .q and .uriq: of all branches that were added,
// with commas between them.
func branchesSelect(part string) textOf {
	return func(c *Ctx) ([]byte, bool) {
		if c.Request == nil {
			return nil, false
		}
		start := len(c.buf)
		for i := 0; ; i++ {
			t, ok := c.Request.Added(i)
			if !ok {
				return c.buf[start:len(c.buf):len(c.buf)], len(c.buf) > start
			}
			if len(t.URI)+len(t.Dst)+16 > cap(c.buf)-len(c.buf) {
				return nil, false
			}
			if i > 0 {
				c.buf = append(c.buf, ',')
			}
			switch {
			case part == "dst_uri":
				c.buf = append(c.buf, t.Dst...)
			case part == "q" && t.Q >= 0:
				c.buf = AppendQ(c.buf, t.Q)
			case part == "q":
			case part == "uriq" && t.Q >= 0:
				c.buf = append(append(append(c.buf, '<'), t.URI...), ">;q="...)
				c.buf = AppendQ(c.buf, t.Q)
			default:
				c.buf = append(c.buf, t.URI...)
			}
		}
	}
}

// rewrittenSelect compiles @nathelper.rewrite_contact[n]: the value with the source in the place of
// the host and port of its URI.
func rewrittenSelect(steps []selStep) textOf {
	if len(steps) != 1 || steps[0].name != "rewrite_contact" || steps[0].text != "" {
		return nil
	}
	value := headerValue("Contact", max(steps[0].index, 1))
	return func(c *Ctx) ([]byte, bool) {
		at, ok := value(c)
		if !ok {
			return nil, false
		}
		uri := valueURI(c, at)
		if parser.ParseURI(uri, &c.huri) != parser.OK || c.huri.Host.Len == 0 {
			return nil, false
		}
		whole, src := c.Msg.Bytes(at), c.From()
		before := bytes.Index(whole, uri) + int(c.huri.Host.Off)
		rest := bytes.IndexByte(whole[before:], ']') + 1 // of an IPv6 address
		for before+rest < len(whole) &&
			bytes.IndexByte([]byte(">;?, \t"), whole[before+rest]) < 0 {
			rest++
		}
		start := len(c.buf)
		if len(whole)+64 > cap(c.buf)-start {
			return nil, false
		}
		c.buf = append(c.buf, whole[:before]...)
		c.buf = append(appendHost(c.buf, src.Addr()), ':')
		c.buf = strconv.AppendUint(c.buf, uint64(src.Port()), 10)
		c.buf = append(c.buf, whole[before+rest:]...)
		return c.buf[start:len(c.buf):len(c.buf)], true
	}
}

// AppendQ appends a q-value in thousandths (RFC 3261 §25.1).
func AppendQ(b []byte, q int) []byte {
	if q >= 1000 {
		return append(b, '1')
	}
	at := len(b) + 1
	b = strconv.AppendInt(b, int64(1000+q), 10) // 1 and three digits
	b = append(b, 0)
	copy(b[at+1:], b[at:])
	b[at-1], b[at] = '0', '.'
	for b[len(b)-1] == '0' && b[len(b)-2] != '.' {
		b = b[:len(b)-1]
	}
	return b
}
