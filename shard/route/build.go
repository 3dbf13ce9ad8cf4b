package route

import (
	"bytes"
	"net/netip"
	"regexp"
	"strings"

	"viaduct/parser"
	"viaduct/shard/route/suggest"
	"viaduct/shard/route/syntax"
)

// Call is a compiled call of a function: the code of its step.
type Call = func(c *Ctx) Result

// Truth is 1 for yes and -1 for no.
func Truth(yes bool) Result { return truth(yes) }

// Build is one call of a function at load.
type Build struct {
	cc *compiler
	x  *syntax.Call
}

// Name is what the file calls the function.
func (b *Build) Name() string { return b.x.Name }

// Args is the number of arguments.
func (b *Build) Args() int { return len(b.x.Args) }

// Pos is where the call stands.
func (b *Build) Pos() Pos { return b.x.Pos }

// WholeCall is the place of an error that is about no single argument.
const WholeCall = -1

func (b *Build) at(i int) Pos {
	if i == WholeCall {
		return b.x.Pos
	}
	return b.x.Args[i].At()
}

// Errorf reports an error at argument i, or at WholeCall.
func (b *Build) Errorf(i int, format string, args ...any) {
	b.cc.ld.errorf(b.at(i), format,
		args...)
}

// Warnf is Errorf for a warning.
func (b *Build) Warnf(i int, format string, args ...any) { b.cc.ld.warnf(b.at(i), format, args...) }

// Known is argument i as a text known at load. wants is what the message says the function wants.
func (b *Build) Known(i int, wants string) (string, bool) { return b.cc.textKnown(b.x, i, wants) }

// Literal is argument i if it is a string in quotes.
func (b *Build) Literal(i int) (string, bool) {
	s, ok := b.x.Args[i].(*syntax.Str)
	if !ok {
		return "", false
	}
	return s.S, true
}

// Template is a text that may hold variables, part of argument i; nil after an error.
func (b *Build) Template(i int, s string) *Template { return b.cc.template(b.at(i), s) }

// Place is the variable that a piece of argument i is, and nothing else; nil after an error.
func (b *Build) Place(i int, s string) *Place {
	f := b.cc.format(b.at(i), s)
	if f == nil {
		return nil
	}
	pv := f.only()
	if pv == nil {
		b.Errorf(i, "%s: %s is no variable, such as $avp(x)", b.Name(), Quote(s))
		return nil
	}
	b.cc.scratch, b.cc.faults = true, true
	return pv.place()
}

// Pattern is argument i as a pattern, case ignored (regexec(3), REG_ICASE). It is known at load.
func (b *Build) Pattern(i int) *regexp.Regexp {
	s, ok := b.Literal(i)
	if !ok || hasVariable(s) {
		b.Errorf(i, "the pattern of %s must be a string that is known at load", b.Name())
		return nil
	}
	re, err := regexp.Compile("(?i)" + s)
	if err != nil {
		b.Errorf(i, "bad pattern: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		return nil
	}
	if strings.Contains(s, `\d`) {
		b.Warnf(i, `\d is a digit here and the letter d in Kamailio's patterns: write [0-9]`)
	}
	return re
}

// Host is argument i, which is s, as a host with the port given. An IPv6 address may stand without
// brackets.
func (b *Build) Host(i int, s string, port int) (RelayDst, bool) {
	return b.cc.relayDst(b.x, i, s, port)
}

// HostPort is argument i, which is s, as "proto:host:port"; proto and port may be left out.
func (b *Build) HostPort(i int, s string) (RelayDst, bool) { return b.cc.protoHostPort(b.x, i, s) }

// Selects notes a choice among destinations for who has the list to hold against it.
func (b *Build) Selects(s Selection) { b.cc.prog.selections = append(b.cc.prog.selections, s) }

// DidYouMean ends a message with the nearest of names, if one is near.
func DidYouMean(name string, names []string) string { return suggest.DidYouMean(name, names) }

// Quote is a text of the file as messages show it, cut if it is long.
func Quote(s string) string { return quote(clip(s)) }

// Moved passes on the result of what may have set the Request-URI or the outbound URI.
func (c *Ctx) Moved(r Result) Result { return c.moved(r) }

// RunsIn tells whether the run is that of a route of one of these kinds.
func (c *Ctx) RunsIn(in Kinds) bool {
	if c.continued && c.kind == RequestRoute {
		return in&InFailure != 0 // as in Kamailio
	}
	if c.kind == RequestRoute && c.losing() != nil {
		return false // the same
	}
	return in>>c.kind&1 != 0
}

// ReplyStatus is $T_reply_code.
func (c *Ctx) ReplyStatus() int { return c.replyStatus() }

// RequestURI is the current Request-URI, nil when it is no SIP URI and in a reply route. It lives
// until the Request-URI is set.
func (c *Ctx) RequestURI() *parser.URI { return c.requestURI() }

// ParseURI parses a URI that has a host; nil if it is none. It lives until the next call.
func (c *Ctx) ParseURI(b []byte) *parser.URI {
	if parser.ParseURI(b, &c.huri) != parser.OK || c.huri.Host.Len == 0 {
		return nil
	}
	return &c.huri
}

// SetDstURI sets the outbound URI, $du; empty takes it away.
func (c *Ctx) SetDstURI(uri []byte) Result {
	return truth(c.SetDURI(Value{Kind: strValue, S: uri}) == setDone)
}

// HasDstURI tells whether $du is set.
func (c *Ctx) HasDstURI() bool { _, set := c.DURI(); return set }

// Level is argument i as the level of a log line: a word in quotes such as "L_INFO", or a number.
func (b *Build) Level(i int) (int, bool) { return b.cc.level(b.x, i) }

// LineLevel is argument i as Level has it, or a variable that holds a level.
func (b *Build) LineLevel(i int) (LogLevel, bool) { return b.cc.logLevel(b.x, i) }

// LogLine is a call that logs argument i, a text with variables, at a level, behind prefix and cut
// to limit bytes.
func (b *Build) LogLine(i int, level LogLevel, prefix LinePrefix, limit int) Call {
	return b.cc.logLine(b.x, i, level, prefix, limit)
}

// LevelNumber is a level that is known.
func LevelNumber(n int) LogLevel { return LogLevel{n: n} }

// LinePrefix is what stands in front of the text of a line, after what all lines begin with.
type LinePrefix struct {
	vars *format
	text []byte
}

// LinePrefix compiles a prefix: vars, which may hold variables, then text, which holds none. The
// place of the call is what $cfg(line) tells in it. It returns false after an error.
func (b *Build) LinePrefix(vars, text string) (LinePrefix, bool) {
	p := LinePrefix{text: []byte(text)}
	if vars != "" {
		if p.vars = b.cc.format(b.x.Pos, vars); p.vars == nil {
			return p, false
		}
	}
	return p, true
}

// SocketNamed warns at argument i when no listen line has the name.
func (b *Build) SocketNamed(i int, name string) { b.cc.socketNamed(b.at(i), name) }

// InEvent tells whether the call stands in an event route, which is checked and never run.
func (b *Build) InEvent() bool { return b.cc.event != "" }

// Room is free memory of the run to build a text in: empty, with what is left as its capacity. What
// is built lives until the run expands or builds something else; Built keeps it longer.
func (c *Ctx) Room() []byte { return c.buf[len(c.buf):] }

// Built is the text b, which was appended to Room and lives until the statement ends now. If b had
// no room it is null, and the run will end as Faulted.
func (c *Ctx) Built(b []byte) Value {
	n := len(c.buf)
	if len(b) == 0 {
		return TextValue(b)
	}
	if n == cap(c.buf) || &b[0] != &c.buf[:n+1][n] {
		c.failed(&noRoom) // append has put it elsewhere
		return Value{}
	}
	c.buf = c.buf[:n+len(b)]
	return TextValue(b[:len(b):len(b)])
}

// TooLong is null, and has the run end as Faulted: for a text that has no room, before it is built.
func (c *Ctx) TooLong() Value {
	c.failed(&noRoom)
	return Value{}
}

// noRoom is what a run reports whose scratch room is too small for what a function builds.
var noRoom = Diagnostic{Text: "a string is too long"}

// URIParam is the value of a parameter of the Request-URI.
func (c *Ctx) URIParam(name []byte) ([]byte, bool) {
	u := c.requestURI()
	if u == nil {
		return nil, false
	}
	p := partsOf(u)
	i, end := findParam(p.mid, name)
	if i < 0 {
		return nil, false
	}
	_, value, _ := bytes.Cut(p.mid[i:end], []byte{'='})
	return value, true
}

// CutURIParam takes a parameter off the Request-URI.
func (c *Ctx) CutURIParam(name []byte) Result {
	u := c.requestURI()
	if u == nil {
		return -1
	}
	p := partsOf(u)
	i, end := findParam(p.mid, name)
	if i < 0 {
		return -1
	}
	p.mid, p.last = p.mid[:i], p.mid[end:]
	mark := len(c.buf)
	set := c.setParts(&p)
	c.buf = c.buf[:mark]
	return truth(set == setDone)
}

// FindParam is where a parameter, with the semicolon before it, begins and ends in params; -1 if it
// is not there.
func FindParam(params, name []byte) (start, end int) { return findParam(params, name) }

// AppendHost appends an address as a URI's host: IPv6 in brackets.
func AppendHost(dst []byte, ip netip.Addr) []byte { return appendHost(dst, ip) }

// TransportOf is the transport parameter's protocol, or what the scheme implies.
func TransportOf(u *parser.URI) Transport { return transportOf(u) }

// TransportName is the lower-case name of t.
func TransportName(t Transport) ([]byte, bool) { return transportName(t) }

// Atoi reads a whole text as a decimal number with sign; anything else is 0.
func Atoi(b []byte) int64 { return atoi(b) }

// SetRequestURI sets the Request-URI, $ru. It is false for what is no URI.
func (c *Ctx) SetRequestURI(uri []byte) Result {
	return truth(c.SetRURI(TextValue(uri)) == setDone)
}

// SetUser sets the user of the Request-URI, $rU.
func (c *Ctx) SetUser(user []byte) Result {
	p, ok := c.edited()
	if !ok || !newUser(&p, user) {
		return -1
	}
	return truth(c.setParts(&p) == setDone)
}

// Joined is v, which Joined made or which is empty, with two more pieces behind it; null if the
// scratch room is too small.
func (c *Ctx) Joined(v Value, a, b []byte) Value {
	for _, piece := range [...][]byte{a, b} {
		x, ok := TextValue(piece), false
		if v, ok = c.concat(&v, &x); !ok {
			return c.TooLong()
		}
	}
	return v
}
