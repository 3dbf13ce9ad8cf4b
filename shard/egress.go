package shard

import "viaduct/netio"

// egress chooses the listener by which a message leaves. For datagrams that is the Group's choice.
// For streams it is the listener that received the request, if its transport and family fit; else
// one with the same address; else, where mhomed asks for it, one with the address that the kernel
// would choose; else the first that fits.
type egress struct {
	group     *netio.Group
	listeners []*netio.Listener
	mhomed    bool
}

// Egress implements proxy.Egress. receivedBy is -1 for messages made here.
func (e *egress) Egress(dst *netio.Addr, receivedBy int) int {
	var in *netio.Listener
	if receivedBy >= 0 {
		if in = e.listeners[receivedBy]; in.Gone {
			in, receivedBy = nil, -1
		}
	}
	if in != nil {
		if in.Proto == dst.Proto && in.Addr.Family == dst.Family && !e.mhomed {
			return receivedBy
		}
	}
	if dst.Proto == netio.UDP {
		if in != nil && in.Proto != netio.UDP {
			receivedBy = e.near(dst, in) // with -1 the group finds one
		}
		return e.group.Egress(dst, receivedBy)
	}
	if e.mhomed {
		if by := e.group.Egress(dst, -1); by >= 0 {
			if by = e.sameIP(dst, e.listeners[by]); by >= 0 {
				return by
			}
		}
	}
	if in != nil {
		if by := e.sameIP(dst, in); by >= 0 {
			return by
		}
	}
	return e.near(dst, nil)
}

// near returns the first listener of dst's family and transport, preferring one with the address of
// like. It returns -1 if there is none.
func (e *egress) near(dst *netio.Addr, like *netio.Listener) int {
	if like != nil {
		if by := e.sameIP(dst, like); by >= 0 {
			return by
		}
	}
	for i, l := range e.listeners {
		if l.Proto == dst.Proto && l.Addr.Family == dst.Family && !l.Leaving && !l.Gone {
			return i
		}
	}
	return -1
}

func (e *egress) sameIP(dst *netio.Addr, like *netio.Listener) int {
	for i, l := range e.listeners {
		if l.Proto == dst.Proto && l.Addr.Family == dst.Family && l.Addr.SameIP(&like.Addr) &&
			!l.Leaving && !l.Gone {
			return i
		}
	}
	return -1
}
