package stream

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"viaduct/netio"
)

// The PROXY protocol tells who is behind a load balancer that is no SIP proxy (haproxy's
// doc/proxy-protocol.txt, sections 2.1 and 2.2). Both versions can be told apart by 12 bytes:
//
//	version 1: "PROXY TCP4 192.0.2.1 198.51.100.1 56324 5060\r\n", or TCP6,
//	           or "PROXY UNKNOWN" and anything
//	version 2: signature (12) | version 2, command | family, transport | length (2) |
//	           source, destination, ports | TLVs
var proxySignature = []byte("\r\n\r\n\x00\r\nQUIT\n")

var errProxy = errors.New("not a PROXY header")

// readProxy takes exactly the PROXY header off a connection: what follows may be a TLS handshake.
// The zero Addr means the peer speaks for itself (a health check).
func readProxy(ctx context.Context, nc net.Conn) (src netio.Addr, err error) {
	stop := context.AfterFunc(ctx, func() { _ = nc.SetReadDeadline(time.Unix(1, 0)) })
	defer func() {
		if !stop() && err == nil {
			err = ctx.Err()
		}
	}()
	if deadline, ok := ctx.Deadline(); ok {
		_ = nc.SetReadDeadline(deadline)
		defer func() { _ = nc.SetReadDeadline(time.Time{}) }()
	}
	var head [16]byte
	if _, err := io.ReadFull(nc, head[:12]); err != nil {
		return src, err
	}
	if !bytes.Equal(head[:12], proxySignature) {
		return readProxyLine(nc, head[:12])
	}
	if _, err := io.ReadFull(nc, head[12:]); err != nil {
		return src, err
	}
	n := int(binary.BigEndian.Uint16(head[14:]))
	if n > proxyBinaryBytes {
		return src, errProxy
	}
	rest := make([]byte, n)
	if _, err := io.ReadFull(nc, rest); err != nil {
		return src, err
	}
	return parseProxyBinary(head[12], head[13], rest)
}

// parseProxyBinary reads version 2. An address family that is not for TCP means the connection's
// own ends count (§2.2).
func parseProxyBinary(command, family byte, rest []byte) (src netio.Addr, err error) {
	if command>>4 != 2 {
		return src, errProxy
	}
	switch command & 0xf {
	case 0: // LOCAL
		return src, nil
	case 1: // PROXY
	default:
		return src, errProxy
	}
	var ip netip.Addr
	var port []byte
	switch family {
	case 0x11:
		if len(rest) < 12 {
			return src, errProxy
		}
		ip, port = netip.AddrFrom4([4]byte(rest)), rest[8:]
	case 0x21:
		if len(rest) < 36 {
			return src, errProxy
		}
		ip, port = netip.AddrFrom16([16]byte(rest)), rest[32:]
	default:
		return src, nil
	}
	return netio.AddrFrom(netip.AddrPortFrom(ip, binary.BigEndian.Uint16(port))), nil
}

// readProxyLine reads version 1, byte by byte, so that nothing behind it is taken.
func readProxyLine(nc net.Conn, begin []byte) (src netio.Addr, err error) {
	line := append(make([]byte, 0, proxyLineBytes), begin...)
	if !bytes.HasPrefix(line, []byte("PROXY ")) {
		return src, errProxy
	}
	for line[len(line)-1] != '\n' {
		if len(line) == proxyLineBytes {
			return src, errProxy
		}
		line = append(line, 0)
		if _, err := io.ReadFull(nc, line[len(line)-1:]); err != nil {
			return src, err
		}
	}
	text, ok := strings.CutSuffix(string(line), "\r\n")
	if !ok {
		return src, errProxy
	}
	return parseProxyLine(text)
}

func parseProxyLine(text string) (src netio.Addr, err error) {
	f := strings.Split(text, " ")
	if f[1] == "UNKNOWN" {
		return src, nil
	}
	if len(f) != 6 || f[1] != "TCP4" && f[1] != "TCP6" {
		return src, errProxy
	}
	for _, literal := range f[2:4] {
		ip, err := netip.ParseAddr(literal)
		if err != nil || ip.Zone() != "" || ip.Is4() != (f[1] == "TCP4") {
			return src, errProxy
		}
	}
	for _, number := range f[4:] {
		if _, err := strconv.ParseUint(number, 10, 16); err != nil {
			return src, errProxy
		}
	}
	port, _ := strconv.ParseUint(f[4], 10, 16)
	ip, _ := netip.ParseAddr(f[2])
	return netio.AddrFrom(netip.AddrPortFrom(ip, uint16(port))), nil
}
