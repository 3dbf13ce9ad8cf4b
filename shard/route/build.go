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

// Truth returns 1 for true and -1 for false.
func Truth(yes bool) Result { return truth(yes) }

// Build is what a module has at hand while one call of its function is compiled.
type Build struct {
	cc     *compiler
	x      *syntax.Call
	strict bool // a number out of range is an error
	digits bool // a number may be the text of a variable
}

// Name returns the name of the function as the file has it.
func (b *Build) Name() string { return b.x.Name }

// Args returns the number of arguments.
func (b *Build) Args() int { return len(b.x.Args) }

// Pos returns where the call stands in the file.
func (b *Build) Pos() Pos { return b.x.Pos }

// WholeCall stands for the argument number in errors that are not about a single argument.
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

// Known returns argument i, a text known at load. For any other argument it reports an error and
// returns false. wants completes the error message "FUNCTION wants …".
func (b *Build) Known(i int, wants string) (string, bool) { return b.cc.textKnown(b.x, i, wants) }

// Literal returns argument i if it is a string in quotes, and false otherwise.
func (b *Build) Literal(i int) (string, bool) {
	s, ok := b.x.Args[i].(*syntax.Str)
	if !ok {
		return "", false
	}
	return s.S, true
}

// Template compiles s, a piece of argument i that may hold variables. It returns nil after an
// error.
func (b *Build) Template(i int, s string) *Template { return b.cc.template(b.at(i), s) }

// Place compiles s, a piece of argument i that must be a variable and nothing else. It returns nil
// after an error.
func (b *Build) Place(i int, s string) *Place {
	defer b.cc.touch()()
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

// Pattern compiles argument i, a pattern known at load that ignores case (regexec(3), REG_ICASE).
// It returns nil after an error.
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

// Host compiles s, which is argument i, as a host with the given port. An IPv6 address may stand
// without brackets.
func (b *Build) Host(i int, s string, port int) (RelayDst, bool) {
	return b.cc.relayDst(b.x, i, s, port)
}

// HostPort compiles s, which is argument i, as "proto:host:port", where proto and port may be left
// out.
func (b *Build) HostPort(i int, s string) (RelayDst, bool) { return b.cc.protoHostPort(b.x, i, s) }

// Selects records that the program selects among destinations, so that the owner of the destination
// list can check the selection against it.
func (b *Build) Selects(s Selection) { b.cc.prog.selections = append(b.cc.prog.selections, s) }

// DidYouMean returns the end of an error message that suggests the nearest of names. It returns ""
// if none is near.
func DidYouMean(name string, names []string) string { return suggest.DidYouMean(name, names) }

// FalseIn warns if the call stands in one of the routes in, where it is false.
func (b *Build) FalseIn(in Kinds, why string) {
	if b.cc.kind&in != 0 {
		b.Warnf(WholeCall, "%s is false in %s: %s", b.Name(), b.cc.kind, why)
	}
}

// Quote returns a text of the file as messages show it: in quotes, and cut if it is long.
func Quote(s string) string { return quote(clip(s)) }

// Moved passes on r, the result of something that may have set the Request-URI or the outbound URI.
func (c *Ctx) Moved(r Result) Result { return c.moved(r) }

// RunsIn tells whether the route that is running is of one of these kinds. A request_route that
// t_continue has resumed counts as a failure_route, as in Kamailio.
func (c *Ctx) RunsIn(in Kinds) bool {
	if c.continued && c.kind == RequestRoute {
		return in&InFailure != 0 // as in Kamailio
	}
	if c.kind == RequestRoute && c.losing() != nil {
		return false // the same
	}
	return in>>c.kind&1 != 0
}

// ReplyStatus returns the value of $T_reply_code.
func (c *Ctx) ReplyStatus() int { return c.replyStatus() }

// RequestURI returns the current Request-URI, valid until the Request-URI is set. It returns nil in
// a reply route, and if it is not a SIP URI.
func (c *Ctx) RequestURI() *parser.URI { return c.requestURI() }

// ParseURI parses a URI. The result is valid until the next call. It returns nil if b is not a URI
// or has no host.
func (c *Ctx) ParseURI(b []byte) *parser.URI {
	if parser.ParseURI(b, &c.huri) != parser.OK || c.huri.Host.Len == 0 {
		return nil
	}
	return &c.huri
}

// SetDstURI sets the outbound URI, $du. An empty uri removes it.
func (c *Ctx) SetDstURI(uri []byte) Result {
	return truth(c.SetDURI(Value{Kind: strValue, S: uri}) == setDone)
}

// HasDstURI tells whether $du is set.
func (c *Ctx) HasDstURI() bool { _, set := c.DURI(); return set }

// Level reads argument i as the level of a log line: a word in quotes such as "L_INFO", or a
// number.
func (b *Build) Level(i int) (int, bool) { return b.cc.level(b.x, i) }

// LineLevel reads argument i as Level does, and also takes a variable that holds a level.
func (b *Build) LineLevel(i int) (LogLevel, bool) { return b.cc.logLevel(b.x, i) }

// LogLine returns a call that logs argument i, a text that may hold variables, at level. The line
// begins with prefix and is cut to limit bytes.
func (b *Build) LogLine(i int, level LogLevel, prefix LinePrefix, limit int) Call {
	return b.cc.logLine(b.x, i, level, prefix, limit)
}

// LevelNumber returns the level n, known at load.
func LevelNumber(n int) LogLevel { return LogLevel{n: n} }

// LinePrefix is what stands between what all lines begin with and the text of the line.
type LinePrefix struct {
	vars *format
	text []byte
}

// LinePrefix compiles a prefix: vars, which may hold variables, then text, which holds none. In it
// $cfg(line) is the line of the call. It returns false after an error.
func (b *Build) LinePrefix(vars, text string) (LinePrefix, bool) {
	p := LinePrefix{text: []byte(text)}
	if vars != "" {
		if p.vars = b.cc.format(b.x.Pos, vars); p.vars == nil {
			return p, false
		}
	}
	return p, true
}

// SocketNamed warns at argument i if no listen line has the name.
func (b *Build) SocketNamed(i int, name string) { b.cc.socketNamed(b.at(i), name) }

// InEvent tells whether the call stands in an event route that is checked but never run.
func (b *Build) InEvent() bool { return b.cc.event != "" }

// Room returns free memory of the run to build a text in: an empty slice whose capacity is the room
// left. What is built there is valid until the run expands or builds something else. Built keeps it
// longer.
func (c *Ctx) Room() []byte { return c.buf[len(c.buf):] }

// Built keeps b, a text that was appended to Room, until the statement ends. If b did not fit, it
// returns null and the run will end as Faulted.
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

// TooLong makes the run end as Faulted and returns null. It is for a text that is known to have no
// room before it is built.
func (c *Ctx) TooLong() Value {
	c.failed(&noRoom)
	return Value{}
}

// noRoom is what a run reports if its scratch room is too small for what a function builds.
var noRoom = Diagnostic{Text: "a string is too long"}

// URIParam returns the value of a parameter of the Request-URI. It returns false if there is no
// such parameter.
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

// CutURIParam removes a parameter from the Request-URI. It returns -1 if it is not there.
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

// FindParam returns where a parameter begins and ends in params, the semicolon before it included.
// It returns -1 as start if the parameter is not there.
func FindParam(params, name []byte) (start, end int) { return findParam(params, name) }

// AppendHost appends an address as the host of a URI, with brackets around IPv6.
func AppendHost(dst []byte, ip netip.Addr) []byte { return appendHost(dst, ip) }

// TransportOf returns the transport in the URI's transport parameter, or else what its scheme
// implies.
func TransportOf(u *parser.URI) Transport { return transportOf(u) }

// TransportName returns the lower-case name of t.
func TransportName(t Transport) ([]byte, bool) { return transportName(t) }

// Atoi reads the whole of b as a decimal number that may have a sign. It returns 0 for anything
// else.
func Atoi(b []byte) int64 { return atoi(b) }

// SetRequestURI sets the Request-URI, $ru. It returns -1 if uri is not a URI.
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

// Joined returns v with a and b appended. v must be empty or come from Joined. It returns null and
// ends the run as Faulted if the scratch room is too small.
func (c *Ctx) Joined(v Value, a, b []byte) Value {
	for _, piece := range [...][]byte{a, b} {
		x, ok := TextValue(piece), false
		if v, ok = c.concat(&v, &x); !ok {
			return c.TooLong()
		}
	}
	return v
}
