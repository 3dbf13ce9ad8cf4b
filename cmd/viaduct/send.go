package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"viaduct/control"
	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard"
)

// send sends a request for a command.
func (p *process) send(x *control.Sending, wait bool) (code int, reason string, err error) {
	for _, uri := range []string{x.URI, x.NextHop} {
		if !isURI(uri) && (uri != "" || uri == x.URI) {
			return 0, "", control.Faultf(400, "Invalid request uri %q", uri)
		}
	}
	o := &shard.Outgoing{Method: x.Method, URI: x.URI, NextHop: x.NextHop, Socket: x.Socket,
		Rows: []byte(x.Rows), Body: []byte(x.Body)}
	var a shard.Answer
	if wait && x.Method != "ACK" {
		a, err = p.server.Ask(o, nil)
	} else {
		err = p.server.Send(o)
	}
	switch {
	case err == nil:
		return a.Code, a.Reason, nil
	case errors.Is(err, shard.ErrSyntax):
		return 0, "", control.Faultf(400, "Invalid headers: From and To are needed, and Content-Type "+
			"with a body")
	case errors.Is(err, shard.ErrSocket):
		return 0, "", control.Faultf(400, "No local socket for %q", x.Socket)
	case errors.Is(err, shard.ErrNoMemory):
		return 0, "", control.Faultf(503, "too many requests are under way")
	case errors.Is(err, shard.ErrUnreachable):
		return 0, "", control.Faultf(478, "no socket here reaches %q", x.URI)
	}
	return 0, "", err
}

func isURI(s string) bool {
	var u parser.URI
	return parser.ParseURI([]byte(s), &u) == parser.OK && u.Host.Len > 0
}

// message sends a text. A bare user, or user@host without a scheme, gets it by way of the routing
// program, as if a phone had sent it here.
func (p *process) message(to, text string) (code int, reason string, err error) {
	own := p.ownAddress()
	if !own.IsValid() {
		return 0, "", control.Faultf(500, "a text needs a listener of datagrams")
	}
	x := &control.Sending{Method: "MESSAGE", URI: to, Body: text}
	if !strings.Contains(to, ":") {
		if x.URI = "sip:" + to; !strings.Contains(to, "@") {
			x.URI += "@" + own.String()
		}
		x.NextHop = "sip:" + own.String()
	}
	if !isURI(x.URI) {
		return 0, "", control.Faultf(400, "%q is neither a user nor a URI", to)
	}
	x.Rows = fmt.Sprintf("From: <sip:viaduct@%s>\r\nTo: <%s>\r\nContent-Type: text/plain\r\n", own,
		x.URI)
	return p.send(x, true)
}

// ownAddress is where datagrams reach this process from this host.
func (p *process) ownAddress() netip.AddrPort {
	for _, l := range p.server.Listeners() {
		if l.Proto != netio.UDP || l.Gone || l.Leaving {
			continue
		}
		a := l.Addr.AddrPort()
		if a.Addr().IsUnspecified() {
			host := "127.0.0.1"
			if a.Addr().Is6() {
				host = "::1"
			}
			a, _ = netip.ParseAddrPort(net.JoinHostPort(host, strconv.Itoa(int(a.Port()))))
		}
		return a
	}
	return netip.AddrPort{}
}
