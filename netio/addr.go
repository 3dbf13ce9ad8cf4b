package netio

import (
	"net"
	"net/netip"
	"strconv"
)

// Addr is an IPv4 or IPv6 address with a UDP or TCP port: 24 bytes, comparable, without pointers,
// so that it can live in the arena and be a map key. The zero Addr (Family 0) means "none". An IPv4
// address fills IP[0:4], the rest is zero, so two equal addresses are equal as values.
//
//	 0               16    18  19  20      24
//	+----------------+-----+---+---+-------+
//	| IP             | Port|Fam|Prt| Zone  |
//	+----------------+-----+---+---+-------+
type Addr struct {
	IP     [16]byte // network order; IPv4 in the first four bytes
	Port   uint16   // host order
	Family uint8    // 4, 6, or 0 for none
	// transport to be used towards it, or that was used; UDP for all that a Port receives
	Proto Proto
	Zone  uint32 // interface index of a link-local IPv6 address (RFC 4007 §6), else 0
}

// AddrFrom converts ap. An IPv4-mapped IPv6 address becomes IPv4, since that is what leaves on the
// wire. A zone may be a number or an interface name; an unknown name gives zone 0. The zero
// AddrPort gives the zero Addr.
func AddrFrom(ap netip.AddrPort) Addr {
	ip := ap.Addr().Unmap()
	a := Addr{Port: ap.Port()}
	switch {
	case ip.Is4():
		a.Family = 4
		b := ip.As4()
		copy(a.IP[:], b[:])
	case ip.Is6():
		a.Family = 6
		a.IP = ip.As16()
		a.Zone = zoneIndex(ip.Zone())
	default:
		return Addr{}
	}
	return a
}

func zoneIndex(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n)
	}
	ifc, err := net.InterfaceByName(zone)
	if err != nil {
		return 0
	}
	return uint32(ifc.Index)
}

// AddrPort converts a to the standard library's form; a zone comes out as its number. The zero Addr
// gives the zero AddrPort.
func (a *Addr) AddrPort() netip.AddrPort {
	return netip.AddrPortFrom(a.addr(), a.Port)
}

func (a *Addr) addr() netip.Addr {
	switch a.Family {
	case 4:
		return netip.AddrFrom4([4]byte(a.IP[:4]))
	case 6:
		ip := netip.AddrFrom16(a.IP)
		if a.Zone != 0 {
			ip = ip.WithZone(strconv.FormatUint(uint64(a.Zone), 10))
		}
		return ip
	}
	return netip.Addr{}
}

// SameIP reports whether a and b are the same host address, whatever their ports.
func (a *Addr) SameIP(b *Addr) bool {
	return a.IP == b.IP && a.Family == b.Family && a.Zone == b.Zone
}

// AppendTo appends "127.0.0.1:5060" or "[::1]:5060" to b: the form of sent-by and of a SIP URI's
// hostport (RFC 3261 §25.1). The zone is left out: it means nothing to a peer. It allocates only if
// b is too small; 47 bytes always do.
func (a *Addr) AppendTo(b []byte) []byte {
	b = a.AppendHost(b)
	b = append(b, ':')
	return appendUint(b, a.Port)
}

// AppendHost appends "127.0.0.1" or "[::1]" to b, without port. The zero Addr appends nothing.
func (a *Addr) AppendHost(b []byte) []byte {
	switch a.Family {
	case 4:
		for i, octet := range a.IP[:4] {
			if i > 0 {
				b = append(b, '.')
			}
			b = appendUint(b, uint16(octet))
		}
	case 6:
		b = append(b, '[')
		b = netip.AddrFrom16(a.IP).AppendTo(b)
		b = append(b, ']')
	}
	return b
}

// String is AppendTo as a string; it allocates and is meant for logs.
func (a Addr) String() string {
	if a.Family == 0 {
		return "none"
	}
	return string(a.AppendTo(nil))
}

// appendUint appends v in decimal. strconv.AppendUint does the same through a 64-byte scratch copy;
// addresses are written several times per message.
func appendUint(b []byte, v uint16) []byte {
	switch {
	case v >= 10000:
		b = append(b, byte('0'+v/10000))
		fallthrough
	case v >= 1000:
		b = append(b, byte('0'+v/1000%10))
		fallthrough
	case v >= 100:
		b = append(b, byte('0'+v/100%10))
		fallthrough
	case v >= 10:
		b = append(b, byte('0'+v/10%10))
	}
	return append(b, byte('0'+v%10))
}
