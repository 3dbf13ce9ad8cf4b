package siptrace

import (
	"encoding/binary"

	"viaduct/netio"
)

// What Homer takes: HEP, the encapsulation that its documents call EEP. Version 1 is a head with
// addresses, 2 adds the time and who captured it, and 3 is a list of chunks, each with its vendor
// (0), type and length, big endian.
//
//	1: version 1 | head 1 | family 1 | protocol 1 | source port 2 | port 2 | source | destination
//	2: … | seconds 4 | microseconds 4 | capture id 2 | 2 unused, little endian

// The types of chunks of HEP 3.
const (
	chunkFamily      = 1
	chunkProtocol    = 2
	chunkSource4     = 3
	chunkTo4         = 4
	chunkSource6     = 5
	chunkTo6         = 6
	chunkSourcePort  = 7
	chunkToPort      = 8
	chunkSeconds     = 9
	chunkMicros      = 10
	chunkKind        = 11
	chunkCapture     = 12
	chunkKey         = 14
	chunkPayload     = 15
	chunkCorrelation = 17
)

// What a packet of HEP 3 carries.
const (
	kindSIP = 1
	kindLog = 100
)

// maxPacket is the longest packet: what a datagram takes.
const maxPacket = 65507

// packet is a message with what is told about it.
type packet struct {
	from, to    *netio.Addr
	at          int64 // ns since 1970
	kind        byte
	text        []byte
	correlation []byte
}

// hep is the settings that go into each packet.
type hep struct {
	version int
	capture uint32
	key     []byte
}

// append writes x. A text that does not fit is cut.
func (h *hep) append(b []byte, x *packet) []byte {
	if h.version == 3 {
		return h.append3(b, x)
	}
	b = append(b, byte(h.version), 0, family(x.from), protocol(x.from))
	b = binary.BigEndian.AppendUint16(b, x.from.Port)
	b = binary.BigEndian.AppendUint16(b, x.to.Port)
	b = appendIP(appendIP(b, x.from), x.to)
	b[1] = byte(len(b))
	if h.version == 2 {
		b = binary.LittleEndian.AppendUint32(b, uint32(x.at/1e9))
		b = binary.LittleEndian.AppendUint32(b, uint32(x.at%1e9/1000))
		b = binary.LittleEndian.AppendUint16(b, uint16(h.capture))
		b = append(b, 0, 0)
	}
	return append(b, x.text[:min(len(x.text), maxPacket-len(b))]...)
}

func (h *hep) append3(b []byte, x *packet) []byte {
	b = append(b, "HEP3\x00\x00"...)
	chunk := func(kind uint16, n int) {
		b = binary.BigEndian.AppendUint16(append(b, 0, 0), kind)
		b = binary.BigEndian.AppendUint16(b, uint16(6+n))
	}
	text := func(kind uint16, s []byte) {
		chunk(kind, len(s))
		b = append(b, s...)
	}
	chunk(chunkFamily, 1)
	b = append(b, family(x.from))
	chunk(chunkProtocol, 1)
	b = append(b, protocol(x.from))
	source, to, n := uint16(chunkSource4), uint16(chunkTo4), 4
	if x.from.Family != 4 {
		source, to, n = chunkSource6, chunkTo6, 16
	}
	chunk(source, n)
	b = appendIP(b, x.from)
	chunk(to, n)
	b = appendIP(b, x.to)
	chunk(chunkSourcePort, 2)
	b = binary.BigEndian.AppendUint16(b, x.from.Port)
	chunk(chunkToPort, 2)
	b = binary.BigEndian.AppendUint16(b, x.to.Port)
	chunk(chunkSeconds, 4)
	b = binary.BigEndian.AppendUint32(b, uint32(x.at/1e9))
	chunk(chunkMicros, 4)
	b = binary.BigEndian.AppendUint32(b, uint32(x.at%1e9/1000))
	chunk(chunkKind, 1)
	b = append(b, x.kind)
	chunk(chunkCapture, 4)
	b = binary.BigEndian.AppendUint32(b, h.capture)
	if len(x.correlation) > 0 {
		text(chunkCorrelation, x.correlation[:min(len(x.correlation), maxCorrelation)])
	}
	if len(h.key) > 0 {
		text(chunkKey, h.key)
	}
	text(chunkPayload, x.text[:min(len(x.text), maxPacket-len(b)-6)])
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
	return b
}

// family is the number of an address family, AF_INET or AF_INET6 of Linux.
func family(a *netio.Addr) byte {
	if a.Family == 4 {
		return 2
	}
	return 10
}

// protocol is the number of the protocol below SIP: UDP or TCP.
func protocol(a *netio.Addr) byte {
	if a.Proto.Reliable() {
		return 6
	}
	return 17
}

func appendIP(b []byte, a *netio.Addr) []byte {
	if a.Family == 4 {
		return append(b, a.IP[:4]...)
	}
	return append(b, a.IP[:]...)
}
