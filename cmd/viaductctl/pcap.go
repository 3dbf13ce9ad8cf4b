package main

import (
	"encoding/binary"
	"net/netip"
	"os"
	"time"
)

// Traced messages as a capture for Wireshark and its like (the pcap format with times in ns, IETF
// draft-ietf-opsawg-pcap). Each is a datagram, by whatever transport it came: a capture of a stream
// would need the packets that carried it.

const (
	pcapMagic   = 0xa1b23c4d
	pcapRaw     = 101 // LINKTYPE_RAW: it begins with the IP header
	pcapSnap    = 1 << 18
	ipv4Head    = 20
	ipv6Head    = 40
	udpHead     = 8
	protocolUDP = 17
)

// writePcap writes a capture. A file of that name is overwritten.
func writePcap(path string, list []traced) error {
	b := binary.LittleEndian.AppendUint32(nil, pcapMagic)
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint16(b, 4)
	b = append(b, make([]byte, 8)...)
	b = binary.LittleEndian.AppendUint32(b, pcapSnap)
	b = binary.LittleEndian.AppendUint32(b, pcapRaw)
	for i := range list {
		m := &list[i]
		at, err := time.Parse(time.RFC3339Nano, m.At)
		if err != nil {
			return failed(exitRefused, "viaductctl: the answer cannot be read: %w", err)
		}
		from, err := netip.ParseAddrPort(m.From)
		if err != nil {
			return failed(exitRefused, "viaductctl: the answer cannot be read: %w", err)
		}
		to, err := netip.ParseAddrPort(m.To)
		if err != nil {
			return failed(exitRefused, "viaductctl: the answer cannot be read: %w", err)
		}
		packet := datagram(from, to, []byte(m.Text))
		b = binary.LittleEndian.AppendUint32(b, uint32(at.Unix()))
		b = binary.LittleEndian.AppendUint32(b, uint32(at.Nanosecond()))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(packet)))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(packet)))
		b = append(b, packet...)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return failed(exitRefused, "viaductctl: %w", err)
	}
	return nil
}

// datagram is a text with the headers of IP and UDP. What would not fit is cut.
func datagram(from, to netip.AddrPort, text []byte) []byte {
	a, z := from.Addr().Unmap(), to.Addr().Unmap()
	// A listener of every address has none of the other side's family.
	if a.Is4() != z.Is4() {
		if a.IsUnspecified() {
			a = unspecified(z)
		} else {
			z = unspecified(a)
		}
	}
	head := ipv4Head
	if !a.Is4() {
		head = ipv6Head
	}
	text = text[:min(len(text), 1<<16-1-ipv4Head-udpHead)]
	length := udpHead + len(text)
	var b []byte
	if head == ipv4Head {
		b = append(b, 0x45, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(head+length))
		b = append(b, 0, 0, 0x40, 0, 64, protocolUDP, 0, 0)
		b = append(append(b, a.AsSlice()...), z.AsSlice()...)
		binary.BigEndian.PutUint16(b[10:], ^folded(b, 0))
	} else {
		b = append(b, 0x60, 0, 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(length))
		b = append(b, protocolUDP, 64)
		b = append(append(b, a.WithZone("").AsSlice()...), z.WithZone("").AsSlice()...)
	}
	addrs := b[len(b)-2*len(a.AsSlice()):]
	b = binary.BigEndian.AppendUint16(b, from.Port())
	b = binary.BigEndian.AppendUint16(b, to.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(length))
	b = append(append(b, 0, 0), text...)
	sum := ^folded(b[head:], uint32(folded(addrs, protocolUDP+uint32(length))))
	if sum == 0 {
		sum = 0xffff // RFC 768: 0 means that there is none
	}
	binary.BigEndian.PutUint16(b[head+6:], sum)
	return b
}

func unspecified(like netip.Addr) netip.Addr {
	if like.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// folded is the sum of RFC 1071 over b, begun with a sum.
func folded(b []byte, sum uint32) uint16 {
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) > 0 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}
