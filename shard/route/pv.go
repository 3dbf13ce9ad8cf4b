package route

import (
	"strconv"
	"strings"

	"viaduct/shard/route/syntax"
)

// pvCode is a compiled pseudo-variable: bytes for one that is text, num for one that is a number.
type pvCode struct {
	bytes  func(c *Ctx) ([]byte, bool) // the view lives until the statement ends
	num    func(c *Ctx) (int64, bool)
	any    valFn // neither: $var, $null
	set    func(c *Ctx, v Value) setResult
	temp   bool // reading needs scratch room
	builds bool // set needs scratch room
}

type setResult uint8

const (
	setDone setResult = iota
	setRefused
	setTooLong
)

// value is the variable as an operand.
func (p *pvCode) value() valFn {
	switch {
	case p.bytes != nil:
		read := p.bytes
		return func(c *Ctx) Value {
			b, ok := read(c)
			if !ok {
				return Value{}
			}
			return Value{Kind: strValue, S: b}
		}
	case p.num != nil:
		read := p.num
		return func(c *Ctx) Value {
			n, ok := read(c)
			if !ok {
				return Value{}
			}
			return intOf(n)
		}
	}
	return p.any
}

// pvDef is a variable by its class name; make is given what stands in its parentheses.
type pvDef struct {
	code  pvCode
	make  func(cc *compiler, pos Pos, inner, index string) *pvCode
	inner bool // parentheses are needed
}

// pv compiles a variable; nil after an error. The forms are $name, $name(inner) and $(name),
// $(name(inner)[index]).
func (cc *compiler) pv(x *syntax.Var) *pvCode { return cc.pvText(x.Pos, x.Text) }

func (cc *compiler) pvText(pos Pos, text string) *pvCode {
	name, rest, index := text, "", ""
	if strings.HasPrefix(text, "(") && strings.HasSuffix(text, ")") {
		name = strings.TrimSpace(text[1 : len(text)-1])
		if i := strings.IndexByte(name, '{'); i >= 0 {
			cc.ld.errorf(pos, "transformations are not supported yet: $%s", clip(text))
			return nil
		}
		if i := strings.LastIndexByte(name, '['); i > 0 && strings.HasSuffix(name, "]") && i > strings.LastIndexByte(name, ')') {
			name, index = name[:i], name[i+1:len(name)-1]
		}
	}
	n := syntax.NameLen(name)
	if name == "?" {
		n = 1
	}
	name, rest = name[:n], name[n:]
	inner := ""
	if rest != "" {
		if !strings.HasPrefix(rest, "(") || !strings.HasSuffix(rest, ")") {
			cc.ld.errorf(pos, "bad variable $%s", clip(text))
			return nil
		}
		inner = strings.TrimSpace(rest[1 : len(rest)-1])
	}
	d := cc.variable(pos, name)
	if d == nil {
		cc.noVariable(pos, name)
		return nil
	}
	if d.inner && inner == "" {
		cc.ld.errorf(pos, "$%s needs a name in parentheses: $%s(name)", name, name)
		return nil
	}
	if !d.inner && rest != "" {
		cc.ld.errorf(pos, "$%s takes no parentheses", name)
		return nil
	}
	if index != "" && name != "hdr" {
		cc.ld.errorf(pos, "$%s takes no index", name)
		return nil
	}
	if d.make != nil {
		return d.make(cc, pos, inner, index)
	}
	if d.code.temp {
		cc.scratch = true
	}
	return &d.code
}

func dollar(names []string) []string {
	for i := range names {
		names[i] = "$" + names[i]
	}
	return names
}

// makeVar is $var(name).
func makeVar(cc *compiler, pos Pos, inner, index string) *pvCode {
	if strings.HasPrefix(inner, "$") {
		cc.ld.errorf(pos, "$var with a computed name is not supported yet")
		return nil
	}
	i, ok := cc.vars[inner]
	if !ok {
		if len(cc.vars) >= maxVars {
			cc.ld.errorf(pos, "more than %d different $var names", maxVars)
			return nil
		}
		i = int32(len(cc.vars))
		cc.vars[inner] = i
	}
	return &pvCode{
		any: func(c *Ctx) Value { return c.vars[i].v },
		set: func(c *Ctx, v Value) setResult {
			if !c.setVar(i, v) {
				return setTooLong
			}
			return setDone
		},
	}
}

// makeHdr is $hdr(Name), $(hdr(Name)[i]); a negative index counts from the last.
func makeHdr(cc *compiler, pos Pos, inner, index string) *pvCode {
	if strings.HasPrefix(inner, "$") {
		cc.ld.errorf(pos, "$hdr with a computed name is not supported yet")
		return nil
	}
	at := 0
	if index != "" {
		n, err := strconv.Atoi(index)
		if err != nil {
			cc.ld.errorf(pos, "index of $hdr must be a number, not %q", clip(index))
			return nil
		}
		at = n
	}
	return &pvCode{bytes: func(c *Ctx) ([]byte, bool) { return readHdr(c, inner, at) }}
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
