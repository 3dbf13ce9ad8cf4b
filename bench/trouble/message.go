package trouble

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

type rawConn = syscall.RawConn

// background is for calls that need a context and are bounded otherwise.
var background = context.Background()

func isOver(err error) bool { return errors.Is(err, net.ErrClosed) }

// request is an OPTIONS for uri.
func request(uri string, from net.Addr, transport, id string, maxForwards int,
	padding string) []byte {
	return fmt.Appendf(nil, "OPTIONS %s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=z9hG4bK%s\r\n"+
		"Max-Forwards: %d\r\nFrom: <sip:trouble@127.0.0.1>;tag=%s\r\nTo: <%s>\r\n"+
		"Call-ID: %s@127.0.0.1\r\nCSeq: 1 OPTIONS\r\nSubject: %s\r\nContent-Length: 0\r\n\r\n", uri,
		transport, from, id, maxForwards, id, uri, id, padding)
}

// nowhere is a sender's address: answers go back by the connection they were asked over (RFC 3261
// §18.2.2).
var nowhere = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}

// options asks the server itself. With Max-Forwards 0 every configuration of the bench answers 483
// without a transaction.
func options(server netip.AddrPort, transport, id string, maxForwards int) []byte {
	return request("sip:"+server.String()+";transport=tcp", nowhere, transport, id, maxForwards,
		"-")
}
