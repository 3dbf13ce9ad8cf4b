package route

import (
	"bytes"
	"strings"

	"viaduct/shard/route/suggest"
	"viaduct/shard/route/syntax"
)

// IsToken tells whether s is a token (RFC 3261 §25.1).
func IsToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; !syntax.IsNameByte(c) && !strings.ContainsRune("-.!%*+`'~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// Levels of xlog and log (core cookbook, "debug").
const logErr = -1

var levelWords = map[string]int{"L_ALERT": -5, "L_BUG": -4, "L_CRIT2": -3, "L_CRIT": -2,
	"L_ERR": -1, "L_WARN": 0, "L_NOTICE": 1,
	"L_INFO": 2, "L_DBG": 3}

// LogLevel is the level of a line: a number known at load, or the value of a variable.
type LogLevel struct {
	n   int
	val valFn // nil if n is known
}

// get returns the level. It returns false if the variable holds no level.
func (l *LogLevel) get(c *Ctx) (int, bool) {
	if l.val == nil {
		return l.n, true
	}
	v := l.val(c)
	if v.Kind != strValue {
		return int(v.N), !v.IsNull()
	}
	n, ok := levelWords[string(v.S)]
	return n, ok
}

// likeLevel returns the level that a word such as L_WARNING stands for. The letter behind L_
// decides (5.6.3). It returns false if there is none.
func likeLevel(s string) (word string, ok bool) {
	if len(s) < 3 || s[:2] != "L_" {
		return "", false
	}
	for _, word := range [...]string{"L_ALERT", "L_BUG", "L_CRIT", "L_ERR", "L_WARN", "L_NOTICE",
		"L_INFO", "L_DBG"} {
		if s[2] == word[2] {
			return word, true
		}
	}
	return "", false
}

// logLevel compiles argument i: a level, or a variable that holds one.
func (cc *compiler) logLevel(x *syntax.Call, i int) (LogLevel, bool) {
	switch e := x.Args[i].(type) {
	case *syntax.Var:
		return LogLevel{val: cc.argument(x, i)}, true
	case *syntax.Str:
		if !strings.HasPrefix(e.S, "$") {
			break
		}
		f := cc.format(e.Pos, e.S)
		if f == nil {
			return LogLevel{}, false
		}
		if pv := f.only(); pv != nil {
			return LogLevel{val: pv.value()}, true
		}
	}
	n, ok := cc.level(x, i)
	return LogLevel{n: n}, ok
}

// level reads argument i as a level known at load: a word in quotes, or a number.
func (cc *compiler) level(x *syntax.Call, i int) (int, bool) {
	switch e := x.Args[i].(type) {
	case *syntax.Name:
		if n, ok := levelWords[e.Name]; ok {
			return n, true
		}
		cc.ld.errorf(e.At(), "the level must be a word such as \"L_INFO\" or a number")
	case *syntax.Str:
		if n, ok := levelWords[e.S]; ok {
			return n, true
		}
		if word, ok := likeLevel(e.S); ok {
			cc.ld.warnf(e.Pos, "the level %s is taken as %s, as Kamailio takes it",
				quote(clip(e.S)), word)
			return levelWords[word], true
		}
		if n := atoi([]byte(e.S)); itoa(n) == e.S {
			return int(n), true
		}
		cc.ld.errorf(e.Pos, "unknown level %s%s", quote(clip(e.S)),
			suggest.DidYouMean(e.S, sortedKeys(levelWords)))
	case *syntax.Int:
		return int(e.N), true
	default:
		cc.ld.errorf(e.At(), "the level must be a word such as \"L_INFO\" or a number")
	}
	return 0, false
}

// logFunc compiles the core's log("text") and log(level, "text"). The text has no variables.
// Without a level it is a debug line.
func logFunc(cc *compiler, x *syntax.Call) callFn {
	level := 3
	if len(x.Args) == 2 {
		var ok bool
		if level, ok = cc.level(x, 0); !ok {
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
			c.log(level, line)
		}
		return 1
	}
}

// log logs a line, with log_prefix in front.
func (c *Ctx) log(level int, line []byte) {
	if c.prog.logPrefix != nil {
		line = append(c.beginLine(), line...)
	}
	c.Shard.Log.Log(level, line)
}

// beginLine returns the context's line buffer with log_prefix in it.
func (c *Ctx) beginLine() []byte {
	line := c.line[:0]
	if f := c.prog.logPrefix; f != nil {
		line, _ = f.append(c, line, maxLinePrefix)
	}
	return line
}

// logLine compiles a call that logs argument i by way of the context's line buffer.
func (cc *compiler) logLine(x *syntax.Call, i int, l LogLevel, prefix LinePrefix,
	limit int) callFn {
	f := cc.textArg(x, i)
	if f == nil {
		return nil
	}
	pre, own := prefix.text, cc.lineLevel
	return func(c *Ctx) int {
		level, ok := l.get(c)
		if !ok {
			return -1
		}
		most := c.Shard.Log.LogLevel()
		if own != nil {
			if n := own.Load(); n != NoLineLevel {
				most = int(n)
			}
		}
		if level > most {
			return 1
		}
		line := c.beginLine()
		if prefix.vars != nil {
			line, _ = prefix.vars.append(c, line, limit)
		}
		line = append(line, pre...)
		line, whole := f.append(c, line, limit)
		line = bytes.TrimRight(line, "\r\n")
		if !whole {
			line = append(line, "…"...)
		}
		c.Shard.Log.Log(level, line)
		return 1
	}
}

// rewriteURI compiles seturi("sip:…").
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
		return truth(c.SetRURI(Value{Kind: strValue, S: b}) == setDone)
	}
}

// expand writes f into the scratch room. It returns the text and 1, or -1 if the text does not fit.
func (c *Ctx) expand(f *format) ([]byte, int) {
	start := len(c.buf)
	whole := f.appendScratch(c, cap(c.buf))
	return c.buf[start:len(c.buf):len(c.buf)], truth(whole)
}
