package route

import (
	"strconv"

	"viaduct/shard/route/syntax"
)

// format is a compiled text with variables: the argument of xlog, or a string argument of a
// function.
type format struct {
	parts []formatPart
	text  string // the whole text if there are no variables
	plain bool
}

// formatPart is a piece of text and the variable behind it, which the last part lacks.
type formatPart struct {
	text []byte
	pv   *pvCode
}

// format compiles s. $name, $name(inner) and $(…) are variables, and $$ is a dollar sign. It
// returns nil after an error.
func (cc *compiler) format(pos Pos, s string) *format {
	f := &format{text: s, plain: true}
	var text []byte
	bad := false // what is behind a mistake is compiled as well, so that all mistakes are found
	for i := 0; i < len(s); {
		if s[i] != '$' {
			text = append(text, s[i])
			i++
			continue
		}
		if i+1 < len(s) && s[i+1] == '$' {
			text = append(text, '$')
			i += 2
			continue
		}
		n := syntax.VarLen(s[i:])
		if n < 0 {
			cc.ld.errorf(pos, "variable is not closed in the text: ) is missing in %s", clip(s[i:]))
			return nil
		}
		if n == 1 {
			cc.ld.errorf(pos, "a variable name is missing behind $ in the text; write $$ for a "+
				"dollar sign")
			bad = true
			i++
			continue
		}
		pv := cc.pvText(pos, s[i+1:i+n])
		bad = bad || pv == nil
		f.parts = append(f.parts, formatPart{text: text, pv: pv})
		f.plain = false
		text = nil
		i += n
	}
	if bad {
		return nil
	}
	f.parts = append(f.parts, formatPart{text: text})
	if f.plain {
		f.text = string(text)
	}
	return f
}

var nullText = []byte("<null>")

// appendScratch appends the text with its variables to the scratch room, up to limit bytes in all.
// It returns false if something was cut. A variable may need scratch room itself: it gets what lies
// behind the text so far.
func (f *format) appendScratch(c *Ctx, limit int) (whole bool) {
	c.buf, whole = f.write(c, c.buf, limit, true)
	return whole
}

// append appends the text with its variables to dst, which must lie outside of the scratch room. It
// is otherwise like appendScratch.
func (f *format) append(c *Ctx, dst []byte, limit int) ([]byte, bool) {
	return f.write(c, dst, limit, false)
}

func (f *format) write(c *Ctx, dst []byte, limit int, scratch bool) ([]byte, bool) {
	whole := true
	for i := range f.parts {
		p := &f.parts[i]
		dst, whole = appendUpTo(dst, p.text, limit, whole)
		if p.pv == nil {
			continue
		}
		if scratch {
			c.buf = dst
		}
		switch {
		case p.pv.bytes != nil:
			b, ok := p.pv.bytes(c)
			if !ok {
				b = nullText
			}
			dst, whole = appendUpTo(dst, b, limit, whole)
		case p.pv.num != nil:
			if n, ok := p.pv.num(c); !ok {
				dst, whole = appendUpTo(dst, nullText, limit, whole)
			} else if len(dst)+20 <= limit {
				dst = strconv.AppendInt(dst, n, 10)
			}
		default:
			switch v := p.pv.any(c); v.Kind {
			case nullValue:
				if !p.pv.blank {
					dst, whole = appendUpTo(dst, nullText, limit, whole)
				}
			case intValue:
				if !v.blank && len(dst)+20 <= limit {
					dst = strconv.AppendInt(dst, v.N, 10)
				}
			default:
				dst, whole = appendUpTo(dst, v.S, limit, whole)
			}
		}
	}
	return dst, whole
}

// appendUpTo appends as much of b as fits below limit. It returns false if b was cut, and else
// whole.
func appendUpTo(dst, b []byte, limit int, whole bool) ([]byte, bool) {
	if room := limit - len(dst); len(b) > room {
		return append(dst, b[:max(room, 0)]...), false
	}
	return append(dst, b...), whole
}
