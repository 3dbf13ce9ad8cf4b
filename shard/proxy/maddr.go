package proxy

import "viaduct/parser"

// StripMaddr is §16.4: a maddr in the Request-URI that names this proxy was only meant to bring the
// request here. It is removed, with the port that belongs to it, if the request came in by the port
// and transport that the URI says. What is left is processed as if they had not been there.
func (r *Request) StripMaddr() {
	u := r.parsedURI()
	if u == nil || u.Params.Len == 0 || (u.Scheme != parser.SIP && u.Scheme != parser.SIPS) {
		return
	}
	maddr, ok := u.Param("maddr")
	if !ok {
		return
	}
	// Slow path: nobody has sent one in years.
	c := r.core
	by := &c.listeners[r.Listener]
	if proto, _, ok := protoOf(u, false); !ok || proto != by.proto ||
		int(u.EffectivePort()) != int(by.addr.Port) ||
		!c.IsMyself(maddr, int(u.Port), 1<<by.proto) || len(u.Raw) > len(r.uriBuf) {
		return
	}
	b := append(r.uriBuf[:0], u.Raw[:u.Host.End()]...)
	for params := u.Params.Of(u.Raw); len(params) > 0; {
		n := 1
		for n < len(params) && params[n] != ';' {
			n++
		}
		if !isMaddr(params[1:n]) {
			b = append(b, params[:n]...)
		}
		params = params[n:]
	}
	r.uri = append(b, u.Raw[u.Params.End():]...)
}

// isMaddr reports whether a parameter is maddr, with any value.
func isMaddr(p []byte) bool {
	const name = "maddr"
	return len(p) >= len(name) && equalFold(p[:len(name)], []byte(name)) &&
		(len(p) == len(name) || p[len(name)] == '=')
}
