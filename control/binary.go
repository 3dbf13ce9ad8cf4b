package control

import (
	"bufio"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/valyala/bytebufferpool"

	"viaduct/control/binrpc"
)

// serveBinary answers a client of the socket whose first byte was that of Kamailio's binary RPC.
func (s *StatusService) serveBinary(conn streamConn, r *bufio.Reader) {
	for {
		q, err := binrpc.Read(r)
		var bad *binrpc.BadError
		if err != nil && !errors.As(err, &bad) {
			return // the end of the file, or no packet: it cannot be answered
		}
		if err := write(conn, s.answerBinary(q, err)); err != nil {
			return
		}
		_ = conn.SetReadDeadline(time.Now().Add(statusIdleTimeout))
	}
}

// answerBinary returns the packet that answers q. bad is the error of Read, nil if there was none.
// A panic costs the answer alone.
func (s *StatusService) answerBinary(q *binrpc.Request, bad error) (packet []byte) {
	defer func() {
		if v := recover(); v != nil {
			s.log.Error("contained a panic in a status command, please report", "command", q.Method,
				"panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			packet = q.Fault(500, "the command failed, see the log")
		}
	}()
	if bad != nil {
		return q.Fault(400, bad.Error())
	}
	if s.rpc == nil {
		return q.Fault(500, "this socket answers status and stats alone, as lines of text")
	}
	v, err := s.rpc.call(q.Method, q.Args)
	if err != nil {
		f := fault(err)
		return q.Fault(f.Code, f.Message)
	}
	b := bytebufferpool.Get()
	defer bytebufferpool.Put(b)
	writeJSON(b, v)
	packet, err = q.Reply(b.B)
	if err != nil {
		return q.Fault(500, err.Error())
	}
	return packet
}
