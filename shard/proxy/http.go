package proxy

import (
	"bytes"
	"strings"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/txn"
)

// An HTTP request (RFC 9110) becomes the request under way like one of SIP, so that a routing
// program reads it with the same functions and variables. Nothing else of SIP applies: it has no
// transaction, it is not sent on, and its answer is written as HTTP and given to Config.HTTP, once.

// HTTP says which HTTP request a Request is.
type HTTP struct {
	Conn   uint64
	Number uint32 // counts the requests of Conn; 0 means that the Request is no HTTP request
	Last   bool   // the connection closes behind the answer
}

// HTTPAnswer takes the response to an HTTP request. An empty response closes the connection. last
// says that the connection closes after the response. It returns false if the connection is gone.
type HTTPAnswer func(conn uint64, number uint32, response []byte, last bool) bool

// BeginHTTP begins on an HTTP request, to which a Via was added.
func (r *Request) BeginHTTP(m *parser.Message, src *netio.Addr, listener int, h HTTP) bool {
	r.core.tx.Begin()
	if h.Number == 0 || !r.Begin(m, src, listener) {
		return false
	}
	r.http = h
	return true
}

// HTTP says which HTTP request it is.
func (r *Request) HTTP() HTTP { return r.http }

// IsHTTP tells whether it is an HTTP request.
func (r *Request) IsHTTP() bool { return r.http.Number != 0 }

// HTTPDuty is the duty to answer an HTTP request, for whoever has taken it over. Its methods may be
// called from any goroutine.
type HTTPDuty struct {
	http   HTTP
	answer HTTPAnswer
	server string
	head   bool
}

// TakeHTTP hands the duty to answer an HTTP request to the caller; the Request does not answer it
// any more. It returns nil if the request was answered.
func (r *Request) TakeHTTP() *HTTPDuty {
	c := r.core
	if !r.IsHTTP() || r.done || c.cfg.HTTP == nil {
		return nil
	}
	r.done = true
	d := &HTTPDuty{r.http, c.cfg.HTTP, c.cfg.ServerHeader, r.IsHEAD()}
	d.http.Last = r.lastHTTP()
	return d
}

// Answer answers the request, once. kind is the Content-Type of body. It leaves out a reason that
// no status line can carry. It returns false if the connection is gone.
func (d *HTTPDuty) Answer(code int, reason, kind string, body []byte) bool {
	if strings.ContainsAny(reason, "\r\n\x00") {
		reason = ""
	}
	b := appendHTTP(nil, d.server, &d.http, code, []byte(reason), nil, []byte(kind), body, d.head)
	return d.answer(d.http.Conn, d.http.Number, b, d.http.Last)
}

func (r *Request) lastHTTP() bool { return r.http.Last || r.replyOptions&txn.CloseAfter != 0 }

// EndHTTP closes the connection of an HTTP request that nobody has answered, and nobody has taken
// over. It returns false if somebody has.
func (r *Request) EndHTTP() bool {
	if r.done || r.core.cfg.HTTP == nil {
		return false
	}
	r.core.cfg.HTTP(r.http.Conn, r.http.Number, nil, true)
	return true
}

// ReplyHTTP answers an HTTP request, once. kind is the Content-Type of body; both may be empty. The
// rows of append_to_reply are included. It returns false if the request was answered, a text has a
// line end, or there is no room.
func (r *Request) ReplyHTTP(code int, reason, kind, body []byte) bool {
	return r.replyHTTP(code, reason, r.ReplyRows(), kind, body)
}

// ReplyRows returns the rows that append_to_reply has added, a view.
func (r *Request) ReplyRows() []byte {
	rows, _ := cutBody(r.leave.reply)
	return rows
}

// sendHTTP is send for an HTTP request.
func (r *Request) sendHTTP(code int, reason, header string) bool {
	rows, body := cutBody(r.leave.reply)
	if header != "" {
		rows = append([]byte(header), rows...)
	}
	return r.replyHTTP(code, []byte(reason), rows, nil, body)
}

func (r *Request) replyHTTP(code int, reason, rows, kind, body []byte) bool {
	c := r.core
	if r.done || c.cfg.HTTP == nil || bytes.ContainsAny(reason, "\r\n\x00") ||
		bytes.ContainsAny(kind, "\r\n\x00") {
		return false
	}
	h := r.http
	h.Last = r.lastHTTP()
	b := c.take(len(reason) + len(rows) + len(kind) + len(body) + len(c.cfg.ServerHeader) + 160)
	b = appendHTTP(b, c.cfg.ServerHeader, &h, code, reason, rows, kind, body, r.IsHEAD())
	r.done = true
	c.count[CountRepliesOwn]++
	return c.cfg.HTTP(h.Conn, h.Number, b, h.Last)
}

// IsHEAD tells whether an HTTP request wants no body (RFC 9110 §9.3.2).
func (r *Request) IsHEAD() bool { return string(r.M.MethodBytes()) == "HEAD" }

// appendHTTP appends an HTTP response. With head the body is left out.
func appendHTTP(b []byte, server string, h *HTTP, code int, reason, rows, kind, body []byte,
	head bool) []byte {
	b = append(appendInt(append(b, "HTTP/1.1 "...), code), ' ')
	b = append(append(b, reason...), "\r\n"...)
	b = append(b, rows...)
	if len(kind) > 0 {
		b = append(append(append(b, contentTypeName...), kind...), "\r\n"...)
	}
	b = appendServer(b, "", server)
	if h.Last {
		b = append(b, "Connection: close\r\n"...)
	}
	if code < 200 || code == 204 {
		return append(b, "\r\n"...) // RFC 9110 §8.6
	}
	b = append(appendInt(append(b, "Content-Length: "...), len(body)), "\r\n\r\n"...)
	if head || code == 304 {
		return b
	}
	return append(b, body...)
}
