package nathelper

import (
	"bytes"
	"net/netip"
	"strings"

	"viaduct/parser"
	"viaduct/shard/route"
)

// What fix_nated_sdp does, as bits.
const (
	sdpDirection = 1 // adds a=direction:active to each stream
	sdpMedia     = 2 // writes the address into c= and a=rtcp
	sdpMarker    = 4 // adds the line of nortpproxy_str
	sdpOrigin    = 8 // writes the address into o= and a=rtcp
)

// sdp declares fix_nated_sdp.
func sdp(m *route.Module, marker *string, old *bool) {
	m.Check("nortpproxy_str", func(s string, _ int64) string {
		if s != "" && (!strings.HasSuffix(s, "\r\n") || strings.Count(s, "\n") > 1) {
			return "is " + route.Quote(s) +
				"; it takes a line of SDP with its end, such as \"a=nortpproxy:yes\\r\\n\""
		}
		return ""
	})
	flags := route.Int("flags", 0, 1<<31-1, "the sum of the changes to make")
	address := route.Text("address", "the address to write; without it, the source")
	m.Func(route.Func{Name: "fix_nated_sdp", In: route.Anywhere &^ route.InOnsend,
		Args: []route.AnyArg{flags, route.Optional(address, nil)},
		Doc: "Changes the session description: 1 adds a=direction:active, 2 puts the source into c= " +
			"and a=rtcp, 4 adds the line of nortpproxy_str, 8 puts the source into o= and a=rtcp. 2: no " +
			"address was replaced.",
		Build: func(b *route.Build) route.Call {
			bits, ok1 := flags.At(b, 0)
			addr, ok2 := route.Optional(address, nil).At(b, 1)
			if s, known := addr.Known(); known && s != nil && ok2 {
				if _, ok2 = addrOf(s); !ok2 {
					b.Errorf(1, "fix_nated_sdp: %s is no address", route.Quote(string(s)))
				}
			}
			if !ok1 || !ok2 {
				return nil
			}
			if n, known := bits.Known(); known && n > 15 {
				b.Warnf(0, "fix_nated_sdp: the flags are %d, and the bits above 8 have no meaning: "+
					"write a sum of 1, 2, 4 and 8", n)
			}
			return func(c *route.Ctx) route.Result {
				n, r := bits.Get(c)
				text, r2 := addr.Get(c)
				if r = min(r, r2); r <= 0 {
					return r
				}
				x := fix{c: c, to: c.From().Addr().Unmap().WithZone("")}
				if text != nil {
					ip, ok := addrOf(text)
					if !ok {
						return -1
					}
					x.to = ip.Unmap()
				}
				return x.run(n, *marker, *old)
			}
		}})
}

// A fix is one run of fix_nated_sdp.
type fix struct {
	c       *route.Ctx
	to      netip.Addr
	at      parser.Span // of the description
	written int
	failed  bool
	tail    []byte // what is added at the end
}

// place is what a line is for.
type place uint8

const (
	atRTCP place = iota
	atConnection
	atOrigin
)

func (x *fix) run(flags int, marker string, old bool) route.Result {
	var ok bool
	if x.at, ok = x.c.SDP(); !ok {
		return -1
	}
	if flags&sdpDirection != 0 {
		x.directions()
	}
	x.tail = x.c.Room()
	if flags&sdpMarker != 0 {
		x.tail = append(append(x.tail, crlf...), strings.TrimSuffix(marker, "\r\n")...)
		if marker == "" {
			x.tail = x.tail[:0]
		}
	}
	if flags&(sdpMedia|sdpOrigin) != 0 {
		x.replace(atRTCP, old)
	}
	if flags&sdpMedia != 0 {
		x.replace(atConnection, old)
	}
	if flags&sdpOrigin != 0 {
		x.replace(atOrigin, old)
	}
	if v := x.c.Built(x.tail); len(x.tail) > 0 &&
		(v.IsNull() || x.c.Insert(x.end(x.at.End()), v.S) <= 0) {
		return -1
	}
	switch {
	case x.failed:
		return -1
	case x.written == 0:
		return 2
	}
	return 1
}

var (
	crlf      = []byte("\r\n")
	direction = []byte("\r\na=direction:active")
)

// end is where the line ends that ends at pos, in front of its line end.
func (x *fix) end(pos uint32) uint32 {
	b := x.c.Msg.Raw[x.at.Off:pos]
	b = bytes.TrimSuffix(bytes.TrimSuffix(b, crlf[1:]), crlf[:1])
	return x.at.Off + uint32(len(b))
}

// directions adds a=direction:active at the end of each stream.
func (x *fix) directions() {
	media := false
	for rest := x.c.Msg.Bytes(x.at); ; {
		pos := x.at.End() - uint32(len(rest))
		if len(rest) == 0 || bytes.HasPrefix(rest, []byte("m=")) {
			if media && x.c.Insert(x.end(pos), direction) <= 0 {
				x.failed = true
			}
			media = true
		}
		if len(rest) == 0 {
			return
		}
		_, rest = route.Line(rest)
	}
}

// replace writes the address into all lines of a kind.
func (x *fix) replace(where place, old bool) {
	for rest := x.c.Msg.Bytes(x.at); len(rest) > 0; {
		pos := x.at.End() - uint32(len(rest))
		var l []byte
		l, rest = route.Line(rest)
		i := -1
		switch {
		case where == atRTCP && bytes.HasPrefix(l, []byte("a=rtcp:")):
			i = bytes.Index(l, []byte(" IN IP")) + 1
		case where == atConnection && bytes.HasPrefix(l, []byte("c=IN IP")):
			i = len("c=")
		case where == atOrigin && bytes.HasPrefix(l, []byte("o=")):
			i = bytes.Index(l, []byte(" IN IP")) + 1
		}
		if i <= 0 || len(l) < i+len("IN IP4 x") {
			continue
		}
		text := l[i+len("IN IP4 "):]
		if end := bytes.IndexAny(text, "/ "); end >= 0 {
			text = text[:end] // a multicast group's TTL
		}
		ip, isAddr := addrOf(text)
		if !isAddr || ip == x.to || ip.IsUnspecified() {
			continue // on hold, or a name, which says more than an address
		}
		family := byte('4')
		if x.to.Is6() {
			family = '6'
		}
		out := x.tail
		at := parser.Span{Off: pos + uint32(i), Len: uint32(len("IN IP4 ") + len(text))}
		with := x.to.AppendTo(append(out[len(out):], 'I', 'N', ' ', 'I', 'P', family, ' '))
		if x.c.Edit(at, with) <= 0 {
			x.failed = true
		}
		x.written++
		if old {
			x.tail = append(append(x.tail, crlf...), "a=oldmediaip"...)
			if ip.Is6() {
				x.tail = append(x.tail, '6')
			}
			x.tail = append(append(x.tail, ':'), text...)
		}
	}
}
