package stream

import (
	"bytes"
	"strconv"

	"viaduct/netio"
	"viaduct/netio/stream/wslayer"
)

// HTTP requests on the listeners of TCP and TLS, beside SIP, while SetHTTP says so (RFC 9112). What
// is SIP and what is HTTP the first line of each message says. A request is given to a shard as a
// message with a Via, as Kamailio's are, and its connection waits until it is answered:
//
//	loop                                   shard, or whoever it asks
//	request ─▶ awaiting ─────────────────▶ script
//	goes on with what came meanwhile ◀──── AnswerHTTP, UpgradeHTTP
//
// So answers leave in the order of the requests (§9.3.2), and one connection keeps one at work. The
// loop answers what it cannot frame, and closes: behind it nobody knows where a request begins.

// HTTPRequest says of a message that it is an HTTP request.
type HTTPRequest struct {
	// Number is which of its connection's it is, for AnswerHTTP; 0 means it is none.
	Number uint32
	// Last says that the peer expects the connection to close with the answer (§9.3).
	Last bool
}

// SetHTTP says whether HTTP requests are taken from now on.
func (e *Engine) SetHTTP(on bool) { e.http.Store(on) }

// httpHead is what a framer has learned of an HTTP request's header.
type httpHead struct {
	status   int // why it is refused; 0 means it is not
	hosts    int
	minor    byte // of HTTP/1.x
	coded    bool // there is a Transfer-Encoding
	expects  bool // 100-continue, and it has not been sent yet
	last     bool // Connection: close
	persists bool // Connection: keep-alive
}

// refuse keeps the first reason to refuse the request.
func (h *httpHead) refuse(status int) {
	if h.status == 0 {
		h.status = status
	}
}

// httpLine tells whether a line without its line end is one of an HTTP request (§3), of any
// version.
func httpLine(line []byte) bool {
	line = bytes.TrimSuffix(line, []byte("\r"))
	method := bytes.IndexByte(line, ' ')
	if method <= 0 || !token(line[:method]) {
		return false
	}
	line = line[method+1:]
	target := bytes.IndexByte(line, ' ')
	if target <= 0 {
		return false
	}
	for _, c := range line[:target] {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	v := line[target+1:]
	return len(v) == len("HTTP/1.1") && string(v[:5]) == "HTTP/" && digit(v[5]) && v[6] == '.' &&
		digit(v[7])
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// token tells whether b is one (RFC 9110 §5.6.2).
func token(b []byte) bool {
	for _, c := range b {
		if !digit(c) && (c|0x20 < 'a' || c|0x20 > 'z') &&
			bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), c) < 0 {
			return false
		}
	}
	return len(b) > 0
}

// beginHTTP reads the version of a line that httpLine has taken.
func (f *framer) beginHTTP(line []byte) {
	line = bytes.TrimSuffix(line, []byte("\r"))
	f.isHTTP, f.head = true, httpHead{minor: line[len(line)-1]}
	if line[len(line)-3] != '1' {
		f.head.refuse(505)
	}
}

// takeHTTPRow reads a header row, line end included (§5). A fold is refused, as §5.2 allows.
func (f *framer) takeHTTPRow(row []byte) {
	h := &f.head
	if len(row) == 0 {
		return
	}
	name, value, found := bytes.Cut(row, []byte(":"))
	if !found || !token(name) {
		h.refuse(400)
		return
	}
	value = bytes.Trim(value, " \t\r\n")
	if bytes.IndexByte(value, '\n') >= 0 {
		h.refuse(400)
	}
	is := func(known string) bool { return bytes.EqualFold(name, []byte(known)) }
	switch {
	case is("content-length"):
		f.takeRow(row)
	case is("transfer-encoding"):
		h.coded = true
	case is("host"):
		h.hosts++
	case is("expect"):
		h.expects = h.expects || bytes.EqualFold(value, []byte("100-continue"))
	case is("connection"):
		for option := range bytes.SplitSeq(value, []byte(",")) {
			option = bytes.TrimSpace(option)
			h.last = h.last || bytes.EqualFold(option, []byte("close"))
			h.persists = h.persists || bytes.EqualFold(option, []byte("keep-alive"))
		}
	}
}

// request is what becomes of an HTTP request whose header is there.
func (f *framer) request(have, limit int) (kind frameKind, n int, fault Fault) {
	h := &f.head
	switch {
	case f.loose, f.bad, h.hosts > 1, h.hosts == 0 && h.minor >= '1':
		h.refuse(400) // §2.2, §6.3, §3.2
	case h.coded && f.length >= 0:
		h.refuse(400) // somebody before us may have framed it otherwise: §6.1
	case h.coded:
		h.refuse(411) // RFC 9110 §15.5.12: with a length it would do
	case f.body > httpHeadBytes:
		h.refuse(431)
	case f.length > limit-f.body:
		h.refuse(413)
	}
	if h.status != 0 {
		return frameRefused, 0, Whole
	}
	f.length = max(f.length, 0)
	if have < f.body+f.length {
		return frameMore, 0, Whole
	}
	return frameHTTP, f.body + f.length, Whole
}

// isLast tells whether the connection ends with the answer (§9.3).
func (h *httpHead) isLast() bool { return h.last || h.minor == '0' && !h.persists }

// deliverHTTP gives an HTTP request to a shard. Its connection waits for the answer.
func (l *loop) deliverHTTP(c *conn, request []byte, last bool) {
	c.httpNumber++
	if c.httpNumber == 0 {
		c.httpNumber++
	}
	c.awaiting = true
	l.e.stats.http.Add(1)
	first := bytes.IndexByte(request, '\n') + 1
	m := newInMsg(request[:first])
	m.data = append(m.data, "Via: SIP/2.0/"...)
	m.data = append(append(m.data, c.proto.String()...), ' ')
	m.data = c.k.addr.AppendHost(m.data)
	m.data = strconv.AppendUint(append(m.data, ':'), uint64(c.k.addr.Port), 10)
	m.data = append(append(m.data, "\r\n"...), request[first:]...)
	m.src, m.listener, m.conn = c.k.addr, c.k.listener, c.id
	m.http = HTTPRequest{c.httpNumber, last}
	if len(c.stalled) > 0 || !l.push(m) {
		c.stalled = append(c.stalled, m)
	}
}

// refuseHTTP answers a request that is not framed, and stops listening to its peer.
func (l *loop) refuseHTTP(c *conn, status int) {
	l.e.stats.httpRefused.Add(1)
	l.linger(c, BadFraming)
	l.answer(c, appendRefusal(nil, status))
}

var refusals = map[int]string{400: "Bad Request", 411: "Length Required",
	413: "Content Too Large", 431: "Request Header Fields Too Large",
	505: "HTTP Version Not Supported"}

func appendRefusal(b []byte, status int) []byte {
	b = append(strconv.AppendInt(append(b, "HTTP/1.1 "...), int64(status), 10), ' ')
	b = append(b, refusals[status]...)
	return append(b, "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"...)
}

// answer queues an HTTP response. Of a connection it is the only one, so that its length is not
// held against ConnWqMax.
func (l *loop) answer(c *conn, response []byte) bool {
	m := newOutMsg()
	m.level, m.answer = levelFramed, true
	m.data = append(m.data, response...)
	did, why, _ := c.enqueue(m, false)
	if did == queuedOK {
		return true
	}
	m.free()
	if did == refused {
		c.condemn(why, 0)
	}
	return false
}

// AnswerHTTP answers an HTTP request, by the number of its connection and its own; any goroutine.
// last closes the connection behind it. Without a response it closes at once. It returns false if
// the connection is gone.
func (e *Engine) AnswerHTTP(id uint64, request uint32, response []byte, last bool) bool {
	if len(response) > httpAnswerBytes {
		response, last = appendTooLong(nil), true
	}
	response = bytes.Clone(response)
	return e.httpTask(id, request, func(l *loop, c *conn) {
		switch {
		case len(response) == 0:
			c.condemn(Requested, 0)
			return
		case last && c.layers.tls != nil:
			l.finish(c, Requested) // close_notify (RFC 8446 §6.1) leaves behind the answer
		case last:
			l.linger(c, Requested)
		}
		l.answer(c, response)
	})
}

func appendTooLong(b []byte) []byte {
	return append(b, "HTTP/1.1 500 Answer Too Long\r\nConnection: close\r\n"+
		"Content-Length: 0\r\n\r\n"...)
}

// UpgradeHTTP answers an HTTP request with response, behind which the connection speaks WebSocket,
// as one of the listener of that kind. It returns false if there is none, or the connection is
// gone.
func (e *Engine) UpgradeHTTP(id uint64, request uint32, response []byte,
	upgrade *wslayer.Request) bool {
	c := e.registry.get(id)
	if c == nil || e.webSocketOf(c) == nil {
		return false
	}
	response = bytes.Clone(response)
	return e.httpTask(id, request, func(l *loop, c *conn) {
		if l.answer(c, response) {
			l.upgrade(c, e.webSocketOf(c), upgrade)
		}
	})
}

// WebSocket is what an upgrade of a connection has to hold to, nil if it has no listener of that
// kind.
func (e *Engine) WebSocket(id uint64) *wslayer.Config {
	if c := e.registry.get(id); c != nil {
		if t := e.webSocketOf(c); t != nil {
			return &t.ws
		}
	}
	return nil
}

// webSocketOf is the listener whose a connection becomes by an upgrade; nil if there is none.
func (e *Engine) webSocketOf(c *conn) *listener {
	c.mu.Lock()
	number := int(c.k.listener)
	c.mu.Unlock()
	if t := e.listener(number); t != nil && t.twin >= 0 {
		return e.listener(t.twin)
	}
	return nil
}

// httpTask has the loop of a connection do something about a request of its that waits, and then go
// on with what came behind it.
func (e *Engine) httpTask(id uint64, request uint32, do func(*loop, *conn)) bool {
	c := e.registry.get(id)
	return c != nil && c.ask(func(l *loop, c *conn) {
		if !c.awaiting || c.httpNumber != request {
			return // it was answered
		}
		c.awaiting = false
		l.cur = c
		defer func() { l.cur = nil }()
		do(l, c)
		if c.alive() && !c.lingering && len(c.stalled) == 0 && len(c.partial) > 0 {
			behind := c.partial
			c.partial = nil
			l.plain(c, behind)
		}
	})
}

// upgrade makes the connection one of a WebSocket listener.
func (l *loop) upgrade(c *conn, t *listener, request *wslayer.Request) {
	l.e.table.drop(c.k, c)
	c.mu.Lock()
	c.plain = false
	c.k.listener = uint16(t.Index)
	c.proto = t.proto
	c.mu.Unlock()
	c.layers.ws = wslayer.Upgraded(&t.ws, request)
	l.e.table.put(c.k, c)
	if !c.alive() { // condemned meanwhile, before it was there to be dropped
		l.e.table.drop(c.k, c)
	}
	l.schedule(c) // its first Ping
}

// Ended is a WebSocket connection that has ended.
type Ended struct {
	Conn     uint64
	Listener int
	Peer     netio.Addr
}
