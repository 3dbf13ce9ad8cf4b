package route

import "unsafe"

// makeHdr is $hdr(Name), $hdr($var(name)) and $(hdr(Name)[i]); a negative index counts from the
// last, with [*] it is all values, joined by commas.
func makeHdr(cc *compiler, pos Pos, inner, index string) *pvCode {
	b := &VarBuild{cc: cc, pos: pos, name: "hdr"}
	at, ok := b.Index(index)
	name := func(*Ctx) string { return inner }
	_, all, known := at.Known()
	code := &pvCode{temp: all || !known}
	if inner[0] == '$' && ok {
		val := b.Variable(inner)
		// A view is enough: nothing keeps the name.
		name = func(c *Ctx) string {
			v := val(c)
			s := c.text(&v)
			return unsafe.String(unsafe.SliceData(s), len(s))
		}
		code.temp = true
	}
	if !ok || b.failed {
		return nil
	}
	if all {
		code.bytes = func(c *Ctx) ([]byte, bool) { return readHdrs(c, name(c)) }
	} else {
		code.bytes = func(c *Ctx) ([]byte, bool) {
			n, _ := at.At(c)
			return readHdr(c, name(c), n)
		}
	}
	if code.temp {
		cc.scratch = true
	}
	return code
}

// readHdrs is $(hdr(name)[*]). A single value is a view of the message.
func readHdrs(c *Ctx, name string) ([]byte, bool) {
	m := c.Msg
	i := m.HeaderByName(name, 0)
	if i < 0 {
		return nil, false
	}
	first, next := m.Bytes(m.Headers[i].Value), m.HeaderByName(name, i+1)
	if next < 0 {
		return first, true
	}
	start := len(c.buf)
	c.buf = append(c.buf, first...)
	for ; next >= 0; next = m.HeaderByName(name, next+1) {
		c.buf = append(append(c.buf, ','), m.Bytes(m.Headers[next].Value)...)
	}
	return c.buf[start:len(c.buf):len(c.buf)], true
}

// readHdr is $(hdr(name)[at]).
func readHdr(c *Ctx, name string, at int) ([]byte, bool) {
	m := c.Msg
	if at < 0 {
		n := 0
		for i := m.HeaderByName(name, 0); i >= 0; i = m.HeaderByName(name, i+1) {
			n++
		}
		if at += n; at < 0 {
			return nil, false
		}
	}
	i := m.HeaderByName(name, 0)
	for ; i >= 0 && at > 0; at-- {
		i = m.HeaderByName(name, i+1)
	}
	if i < 0 {
		return nil, false
	}
	return m.Bytes(m.Headers[i].Value), true
}
