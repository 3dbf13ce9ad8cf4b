package route

import (
	"bytes"
	"strconv"

	"viaduct/parser"
	"viaduct/shard/route/syntax"
)

// The core functions that rewrite the Request-URI. Their results were compared with Kamailio 5.6.3
// (TestRewriteURI). Where Kamailio would leave something that is not a URI, they are false here and
// change nothing.

// uriParts is a URI taken apart, in the order in which it is written. An empty part is absent.
// Parameters begin with a semicolon. A part with several fields is joined when the URI is written,
// so that nothing is moved before that.
type uriParts struct {
	scheme           []byte
	prefix, user     []byte
	userParams       []byte // of a telephone number that became a user part
	password         []byte
	host             []byte
	port             uint16
	first, mid, last []byte // parameters
	headers          []byte
	hasHeaders       bool
}

var (
	sipScheme = []byte("sip")
	userPhone = []byte(";user=phone")
)

func partsOf(u *parser.URI) uriParts {
	raw := u.Raw
	return uriParts{scheme: u.SchemeName.Of(raw), user: u.UserBytes(), password: u.Password.Of(raw),
		host: u.HostBytes(), port: u.Port,
		mid: u.Params.Of(raw), headers: u.Headers.Of(raw), hasHeaders: u.HasHeaders}
}

// setParts makes p the new Request-URI.
func (c *Ctx) setParts(p *uriParts) setResult {
	need := len(p.scheme) + len(p.prefix) + len(p.user) + len(p.userParams) + len(p.password) +
		len(p.host) + len(p.first) + len(p.mid) + len(p.last) + len(p.headers) + 10
	if len(c.buf)+need > cap(c.buf) {
		return setTooLong
	}
	start := len(c.buf)
	out := append(append(c.buf, p.scheme...), ':')
	userStart := len(out)
	out = append(append(append(out, p.prefix...), p.user...), p.userParams...)
	if len(p.host) > 0 {
		if len(out) > userStart {
			if len(p.password) > 0 {
				out = append(append(out, ':'), p.password...)
			}
			out = append(out, '@')
		}
		out = append(out, p.host...)
		if p.port != 0 {
			out = strconv.AppendUint(append(out, ':'), uint64(p.port), 10)
		}
	}
	out = append(append(append(out, p.first...), p.mid...), p.last...)
	if p.hasHeaders {
		out = append(append(out, '?'), p.headers...)
	}
	c.buf = out
	uri := out[start:len(out):len(out)]
	if parser.ParseURI(uri, &c.huri) != parser.OK {
		return setRefused
	}
	c.ruri.forget()
	return done(c.Request.SetRequestURI(uri))
}

// edited returns the Request-URI taken apart. It returns false if it cannot be edited.
func (c *Ctx) edited() (uriParts, bool) {
	u := c.requestURI()
	if u == nil || u.Host.Len == 0 && u.Scheme != parser.TEL {
		return uriParts{}, false
	}
	return partsOf(u), true
}

// editURI returns the builder of a function that changes parts of the Request-URI. The function has
// one text argument.
func editURI(edit func(p *uriParts, arg []byte) bool) func(cc *compiler, x *syntax.Call) callFn {
	return func(cc *compiler, x *syntax.Call) callFn {
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
			p, ok := c.edited()
			if !ok || !edit(&p, b) {
				return -1
			}
			return truth(c.setParts(&p) == setDone)
		}
	}
}

// literalThere warns about variables in the text of a core function, which Kamailio 5.6 does not
// fill in.
func (cc *compiler) literalThere(x *syntax.Call, f *format) {
	if s, ok := x.Args[0].(*syntax.Str); ok && !f.plain {
		cc.ld.warnf(s.Pos, "Kamailio's %s takes %s as it stands; here variables in it are "+
			"filled in", x.Name, quote(clip(s.S)))
	}
}

// noBreak tells whether b can stand in a URI without ending it.
func noBreak(b []byte) bool { return !bytes.ContainsAny(b, " \t\r\n<>@?;") }

func newUser(p *uriParts, user []byte) bool {
	p.user = user
	return noBreak(user)
}

// newUserPass is setuserpass("user:password"). Without a colon the password is removed.
func newUserPass(p *uriParts, arg []byte) bool {
	p.user, p.password, _ = bytes.Cut(arg, []byte{':'})
	return noBreak(arg) && (len(p.host) > 0 || len(p.password) == 0)
}

func prefixUser(p *uriParts, prefix []byte) bool {
	p.prefix = prefix
	return noBreak(prefix)
}

// newHost is sethost("host"). A telephone number becomes a user part (RFC 3261 §19.1.6).
func newHost(p *uriParts, host []byte) bool {
	if len(p.host) == 0 {
		p.scheme, p.userParams, p.mid = sipScheme, p.mid, userPhone
	}
	p.host = host
	return len(host) > 0 && noBreak(host)
}

// newHostPort is sethostport("host[:port]"). Without a port the port is removed.
func newHostPort(p *uriParts, arg []byte) bool {
	host, port := arg, []byte(nil)
	if i := bytes.LastIndexByte(arg, ':'); i >= 0 && !bytes.HasSuffix(arg, []byte{']'}) {
		host, port = arg[:i], arg[i+1:]
	}
	return newHost(p, host) && (port == nil || len(port) > 0) && newPort(p, port)
}

// newPort is setport("port"). An empty port is removed.
func newPort(p *uriParts, port []byte) bool {
	n := atoi(port)
	if len(p.host) == 0 || len(port) > 0 && (n < 1 || n > 65535) {
		return false
	}
	p.port = uint16(n)
	return true
}

// newHostPortTrans is sethostporttrans("host[:port][;transport=proto]"). Without a transport the
// transport is removed.
func newHostPortTrans(p *uriParts, arg []byte) bool {
	hostPort, proto := arg, []byte(nil)
	if i := bytes.IndexByte(arg, ';'); i >= 0 {
		hostPort, proto = arg[:i], arg[i:]
	}
	if !newHostPort(p, hostPort) || bytes.ContainsAny(proto, " \t\r\n<>@?") {
		return false
	}
	p.first = proto
	if i, end := findParam(p.mid, transportParam); i >= 0 {
		p.mid, p.last = p.mid[:i], p.mid[end:]
	}
	return true
}

var (
	transportParam = []byte("transport")
	userParam      = []byte("user")
)

// findParam returns where the parameter begins and ends in params, the semicolon before it
// included. It returns -1 if the parameter is not there.
func findParam(params, name []byte) (start, end int) {
	for start < len(params) {
		end = start + 1
		if i := bytes.IndexByte(params[end:], ';'); i >= 0 {
			end += i
		} else {
			end = len(params)
		}
		word, _, _ := bytes.Cut(params[start+1:end], []byte{'='})
		if bytes.EqualFold(word, name) {
			return start, end
		}
		start = end
	}
	return -1, -1
}

// strip compiles strip(n) and strip_tail(n), which cut the first or the last n characters of the
// user.
func strip(tail bool) func(cc *compiler, x *syntax.Call) callFn {
	return func(cc *compiler, x *syntax.Call) callFn {
		n, ok := cc.intArg(x, 0, "the count", 0, 1<<16)
		if !ok {
			return nil
		}
		cc.scratch = true
		return func(c *Ctx) int {
			k := n.get(c)
			p, ok := c.edited()
			if !ok || k < 0 {
				return -1
			}
			if k = min(k, len(p.user)); tail {
				p.user = p.user[:len(p.user)-k]
			} else {
				p.user = p.user[k:]
			}
			return truth(c.setParts(&p) == setDone)
		}
	}
}

// addUserPhone compiles userphone(), which adds user=phone. A tel URI needs none.
func addUserPhone(cc *compiler, _ *syntax.Call) callFn {
	cc.scratch = true
	return func(c *Ctx) int {
		p, ok := c.edited()
		if !ok {
			return -1
		}
		if i, _ := findParam(p.mid, userParam); i >= 0 || len(p.host) == 0 {
			return 1
		}
		p.last = userPhone
		return truth(c.setParts(&p) == setDone)
	}
}
