package wslayer

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Subprotocol is what a client has to offer in Sec-WebSocket-Protocol (RFC 7118 §4.1).
const Subprotocol = "sip"

// acceptGUID is the constant that turns a client's key into the server's answer (RFC 6455 §1.3).
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// Request is what the upgrade request said that others may want to know.
type Request struct {
	URI    string // the request target, as sent: "/", "/sip?token=…"
	Host   string
	Origin string // "" if there was none
}

// RefusedError is why an upgrade was refused. The HTTP response has been given to reply.
type RefusedError struct {
	Status int // 400, 403, 405, 426, 431 or 505
	Reason string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("websocket upgrade refused with %d: %s", e.Status, e.Reason)
}

var headEnd = []byte("\r\n\r\n")

// upgrade collects the request up to its empty line and answers it. What follows the empty line is
// returned.
func (s *Session) upgrade(in []byte, reply func([]byte)) []byte {
	if len(s.buf) == 0 && (in[0] < 'A' || in[0] > 'Z') {
		// Not the first letter of a method: a TLS handshake on a plain port, perhaps. Do not wait
		// for its end.
		s.refuse(&RefusedError{http.StatusBadRequest, "not an HTTP request"}, reply)
		return in
	}
	limit := s.cfg.headerBytes()
	had := len(s.buf)
	taken := min(len(in), limit-had)
	s.buf = append(s.buf, in[:taken]...)
	// The empty line may have begun in an earlier piece.
	from := max(had-len(headEnd)+1, 0)
	i := bytes.Index(s.buf[from:], headEnd)
	if i < 0 {
		if len(s.buf) == limit {
			s.refuse(&RefusedError{http.StatusRequestHeaderFieldsTooLarge,
				fmt.Sprintf("requests are limited to %d bytes", limit)}, reply)
		}
		return in[taken:]
	}
	end := from + i + len(headEnd)
	request, response, refused := Upgrade(s.cfg, s.buf[:end])
	s.buf = nil
	if refused != nil {
		s.refuse(refused, reply)
		return in[end-had:]
	}
	s.request = request
	reply(response)
	return in[end-had:]
}

// Upgrade is the response to an HTTP request, empty line included, that asks for an upgrade.
// refused is why that is not granted; the response says it, and that the connection closes.
func Upgrade(cfg *Config, head []byte) (request *Request, response []byte, refused *RefusedError) {
	req, refused := cfg.judge(head)
	if refused != nil {
		return nil, appendRefused(nil, refused), refused
	}
	request = &Request{
		URI: strings.Clone(req.RequestURI), Host: strings.Clone(req.Host),
		Origin: strings.Clone(req.Header.Get("Origin")),
	}
	return request, appendUpgraded(nil, req.Header.Get("Sec-WebSocket-Key"),
		cfg.allowOrigin(request)), nil
}

// judge reads the request and checks it against RFC 6455 §4.2.1 and RFC 7118 §4.1.
func (c *Config) judge(head []byte) (*http.Request, *RefusedError) {
	bad := func(format string, args ...any) (*http.Request, *RefusedError) {
		return nil, &RefusedError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
	}
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		return bad("not an HTTP request")
	}
	h := req.Header
	key, keyErr := base64.StdEncoding.DecodeString(h.Get("Sec-WebSocket-Key"))
	switch {
	case req.ProtoMajor != 1 || req.ProtoMinor < 1:
		return nil, &RefusedError{http.StatusHTTPVersionNotSupported, "HTTP/1.1 is needed"}
	case req.Method != http.MethodGet:
		return nil, &RefusedError{http.StatusMethodNotAllowed, "the method must be GET"}
	case req.Host == "":
		return bad("no Host")
	case req.ContentLength != 0 || len(req.TransferEncoding) > 0:
		return bad("a body is not expected") // and would be taken for frames
	case !hasToken(h["Upgrade"], "websocket"):
		return nil, &RefusedError{http.StatusUpgradeRequired,
			"only WebSocket is spoken here: Upgrade: websocket is missing"}
	case !hasToken(h["Connection"], "upgrade"):
		return bad("Connection: Upgrade is missing")
	case len(h["Sec-Websocket-Version"]) != 1 || h.Get("Sec-WebSocket-Version") != "13":
		// §4.4
		return nil, &RefusedError{http.StatusUpgradeRequired, "Sec-WebSocket-Version must be 13"}
	case len(h["Sec-Websocket-Key"]) != 1 || keyErr != nil || len(key) != 16:
		return bad("Sec-WebSocket-Key must be 16 bytes in base64, once")
	case !hasToken(h["Sec-Websocket-Protocol"], Subprotocol):
		return bad("the subprotocol %q must be offered in Sec-WebSocket-Protocol", Subprotocol)
	case len(h["Origin"]) > 1:
		return bad("more than one Origin")
	case !c.originAllowed(h.Get("Origin")):
		return nil, &RefusedError{http.StatusForbidden, "this origin may not connect"}
	}
	return req, nil
}

func (c *Config) originAllowed(origin string) bool {
	return origin == "" || len(c.Origins) == 0 ||
		slices.ContainsFunc(c.Origins, func(o string) bool {
			return strings.EqualFold(o, origin)
		})
}

// hasToken looks in a header's comma-separated values, without regard to case.
func hasToken(values []string, token string) bool {
	for _, v := range values {
		for t := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.Trim(t, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// allowOrigin is the value of Access-Control-Allow-Origin; "" for none. The Origin came through
// http.ReadRequest, which lets no line end into a value.
func (c *Config) allowOrigin(r *Request) string {
	switch c.CORS {
	case CORSAny:
		return "*"
	case CORSOrigin:
		return r.Origin
	}
	return ""
}

func appendUpgraded(dst []byte, key, allowOrigin string) []byte {
	sum := sha1.Sum([]byte(key + acceptGUID))
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Protocol: "+Subprotocol+
		"\r\nSec-WebSocket-Accept: "...)
	dst = base64.StdEncoding.AppendEncode(dst, sum[:])
	if allowOrigin != "" {
		dst = append(append(dst, "\r\nAccess-Control-Allow-Origin: "...), allowOrigin...)
	}
	return append(dst, "\r\n\r\n"...)
}

// refuse answers a request that was refused and ends the session.
func (s *Session) refuse(e *RefusedError, reply func([]byte)) {
	s.out = appendRefused(s.out[:0], e)
	s.end(e)
	reply(s.out)
}

// appendRefused appends the answer to a request that was refused. Every refusal tells what would
// have been accepted (RFC 6455 §4.4, RFC 9110 §15.5.6 and §15.5.22).
func appendRefused(out []byte, e *RefusedError) []byte {
	body := e.Reason + "\n"
	out = append(out, "HTTP/1.1 "+strconv.Itoa(e.Status)+" "+
		http.StatusText(e.Status)+"\r\nConnection: close"...)
	switch e.Status {
	case http.StatusUpgradeRequired:
		out = append(out, ", Upgrade\r\nUpgrade: websocket"...)
	case http.StatusMethodNotAllowed:
		out = append(out, "\r\nAllow: GET"...)
	}
	out = append(out, "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: "+
		Subprotocol+"\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: "...)
	out = strconv.AppendInt(out, int64(len(body)), 10)
	return append(append(out, "\r\n\r\n"...), body...)
}
