package route

import (
	"bytes"
	"strings"

	"viaduct/parser"
	"viaduct/shard/proxy"
	"viaduct/shard/route/suggest"
	"viaduct/shard/route/syntax"
)

// methodBits are the methods that have a number in package parser.
var methodBits = map[string]parser.Method{
	"INVITE": parser.INVITE, "ACK": parser.ACK, "BYE": parser.BYE, "CANCEL": parser.CANCEL, "OPTIONS": parser.OPTIONS,
	"REGISTER": parser.REGISTER, "SUBSCRIBE": parser.SUBSCRIBE, "NOTIFY": parser.NOTIFY, "PUBLISH": parser.PUBLISH, "INFO": parser.INFO,
	"REFER": parser.REFER, "MESSAGE": parser.MESSAGE, "UPDATE": parser.UPDATE, "PRACK": parser.PRACK,
}

// isMethod is is_method("A|B"): the request's method, in a response that of CSeq. The argument's case does not matter, the
// message's does (RFC 3261 §7.1).
func isMethod(cc *compiler, x *syntax.Call) callFn {
	mask, others, ok := cc.methods(x)
	if !ok {
		return nil
	}
	return func(c *Ctx) int {
		m := c.Msg.Method
		if !c.Msg.IsRequest {
			cs, r := c.Msg.CSeq()
			if r != parser.OK {
				return -1
			}
			m = cs.Method
		}
		if mask>>m&1 != 0 {
			return 1
		}
		if m != parser.MethodOther || others == nil {
			return -1
		}
		// Slow path: a method without a number.
		name, _ := readMethodOf(c)
		for _, o := range others {
			if bytes.Equal(name, o) {
				return 1
			}
		}
		return -1
	}
}

// methods reads the list of is_method: a bit for each method with a number, the names of the others.
func (cc *compiler) methods(x *syntax.Call) (mask uint32, others [][]byte, ok bool) {
	s, ok := x.Args[0].(*syntax.Str)
	if !ok || strings.Contains(s.S, "$") {
		cc.ld.errorf(x.Args[0].At(), "is_method with a variable is not supported yet: write \"INVITE|ACK\"")
		return 0, nil, false
	}
	for _, w := range strings.Split(s.S, "|") {
		w = strings.ToUpper(strings.TrimSpace(w))
		switch m, known := methodBits[w]; {
		case known:
			mask |= 1 << m
		case !isToken(w):
			cc.ld.errorf(s.Pos, "is_method: %s is no list of methods such as \"INVITE|ACK\"", quote(clip(s.S)))
			return 0, nil, false
		default:
			others = append(others, []byte(w))
		}
	}
	return mask, others, true
}

// methodMask is the list of is_method when all of it have numbers.
func (cc *compiler) methodMask(x *syntax.Call) (uint32, bool) {
	mask, others, ok := cc.methods(x)
	return mask, ok && others == nil
}

// quickMethod makes is_method of a request one shift, if all the methods it names have numbers. f
// sees responses.
func (cc *compiler) quickMethod(x *syntax.Call, f callFn) callFn {
	mask, simple := cc.methodMask(x)
	if !simple {
		return f
	}
	return func(c *Ctx) Result {
		if m := c.Msg; m.IsRequest {
			return truth(mask>>m.Method&1 != 0)
		}
		return f(c)
	}
}

// isToken tells whether s is a token (RFC 3261 §25.1).
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; !syntax.IsNameByte(c) && !strings.ContainsRune("-.!%*+`'~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// Levels of xlog and log (core cookbook, "debug").
const logErr = -1

var levelWords = map[string]int{"L_ALERT": -5, "L_BUG": -4, "L_CRIT2": -3, "L_CRIT": -2, "L_ERR": -1, "L_WARN": 0, "L_NOTICE": 1,
	"L_INFO": 2, "L_DBG": 3}

var xlogLevels = map[string]int{"xdbg": 3, "xinfo": 2, "xnotice": 1, "xwarn": 0, "xerr": -1, "xbug": -4, "xcrit": -2, "xalert": -5}

// xlogFunc is xlog("text") at level error, and xlog("L_INFO", "text").
func xlogFunc(cc *compiler, x *syntax.Call) callFn {
	level := logErr
	if len(x.Args) == 2 {
		var ok bool
		if level, ok = cc.level(x); !ok {
			return nil
		}
	}
	return cc.logLine(x, len(x.Args)-1, level, cc.set.XLog.Prefix)
}

func xlogAt(level int) func(cc *compiler, x *syntax.Call) callFn {
	return func(cc *compiler, x *syntax.Call) callFn { return cc.logLine(x, 0, level, cc.set.XLog.Prefix) }
}

// level reads the first of two arguments: a word in quotes or a number.
func (cc *compiler) level(x *syntax.Call) (int, bool) {
	switch e := x.Args[0].(type) {
	case *syntax.Str:
		if n, ok := levelWords[e.S]; ok {
			return n, true
		}
		if n := atoi([]byte(e.S)); itoa(n) == e.S {
			return int(n), true
		}
		cc.ld.errorf(e.Pos, "unknown level %s%s", quote(clip(e.S)), suggest.DidYouMean(e.S, sortedKeys(levelWords)))
	case *syntax.Int:
		return int(e.N), true
	default:
		cc.ld.errorf(e.At(), "the level must be a word such as \"L_INFO\" or a number")
	}
	return 0, false
}

// logFunc is the core's log("text"), log(level, "text"): plain text, no variables. Without a level it is a debug line.
func logFunc(cc *compiler, x *syntax.Call) callFn {
	level := 3
	if len(x.Args) == 2 {
		var ok bool
		if level, ok = cc.level(x); !ok {
			return nil
		}
	}
	s, ok := x.Args[len(x.Args)-1].(*syntax.Str)
	if !ok {
		cc.ld.errorf(x.Args[len(x.Args)-1].At(), "log takes a text in quotes; xlog takes variables")
		return nil
	}
	line := []byte(strings.TrimRight(s.S, "\r\n"))
	return func(c *Ctx) int {
		if level <= c.Shard.Log.LogLevel() {
			c.Shard.Log.Log(level, line)
		}
		return 1
	}
}

// logLine formats argument i into the context's line buffer.
func (cc *compiler) logLine(x *syntax.Call, i, level int, prefix string) callFn {
	f := cc.textArg(x, i)
	if f == nil {
		return nil
	}
	pre := []byte(prefix)
	limit := min(cc.set.XLog.BufBytes, lineBytes)
	return func(c *Ctx) int {
		if level > c.Shard.Log.LogLevel() {
			return 1
		}
		line := append(c.line[:0], pre...)
		line, whole := f.append(c, line, limit)
		line = bytes.TrimRight(line, "\r\n")
		if !whole {
			line = append(line, "…"...)
		}
		c.Shard.Log.Log(level, line)
		return 1
	}
}

// revertURI is revert_uri(): the Request-URI as received.
func revertURI(*compiler, *syntax.Call) callFn {
	return func(c *Ctx) int {
		return truth(setRURI(c, Value{Kind: strValue, S: c.Msg.Bytes(c.Msg.URI)}) == setDone)
	}
}

// rewriteURI is seturi("sip:…").
func rewriteURI(cc *compiler, x *syntax.Call) callFn {
	f := cc.textArg(x, 0)
	if f == nil {
		return nil
	}
	cc.literalThere(x, f)
	cc.scratch = true
	return func(c *Ctx) int {
		b, r := c.expand(f)
		if r <= 0 {
			return r
		}
		return truth(setRURI(c, Value{Kind: strValue, S: b}) == setDone)
	}
}

// expand writes f into the scratch room. The number is 1, or -1 when it does not fit.
func (c *Ctx) expand(f *format) ([]byte, int) {
	start := len(c.buf)
	whole := f.appendScratch(c, cap(c.buf))
	return c.buf[start:len(c.buf):len(c.buf)], truth(whole)
}

func setDstFunc(cc *compiler, x *syntax.Call) callFn {
	f := cc.textArg(x, 0)
	if f == nil {
		return nil
	}
	cc.scratch = true
	return func(c *Ctx) int {
		b, r := c.expand(f)
		if r <= 0 {
			return r
		}
		return truth(setDstURI(c, Value{Kind: strValue, S: b}) == setDone)
	}
}

func resetDst(*compiler, *syntax.Call) callFn {
	return func(c *Ctx) int { return truth(setDstURI(c, Value{}) == setDone) }
}

func isDstSet(*compiler, *syntax.Call) callFn {
	return func(c *Ctx) int {
		_, set := readDstURI(c)
		return truth(set)
	}
}

// isMyself is is_myself(uri).
func isMyself(cc *compiler, x *syntax.Call) callFn {
	f := cc.textArg(x, 0)
	if f == nil {
		return nil
	}
	cc.scratch = true
	return func(c *Ctx) int {
		b, r := c.expand(f)
		if r <= 0 {
			return r
		}
		if parser.ParseURI(b, &c.huri) != parser.OK || c.huri.Host.Len == 0 {
			return -1
		}
		return truth(c.Shard.Core.IsMyself(c.huri.HostBytes(), int(c.huri.Port), proxy.AnyProto))
	}
}
