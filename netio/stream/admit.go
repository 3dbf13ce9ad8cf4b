package stream

import (
	"context"
	"net"
)

// admitConn is what an accepted connection goes through before it is one: PROXY header, TLS
// handshake. It has a goroutine for so long, of a bounded number.
func (e *Engine) admitConn(l *listener, c *conn, nc *net.TCPConn) {
	defer e.pending.Done()
	defer e.admitting.Add(-1)
	ctx, cancel := context.WithTimeout(e.ctx, e.limits.AdmitTimeout.Load())
	defer cancel()
	err := e.admitWithin(ctx, l, c, nc)
	if err != nil {
		_ = nc.Close()
		e.unbook(c)
		return
	}
	e.enter(c, nc)
}

func (e *Engine) admitWithin(ctx context.Context, l *listener, c *conn, nc *net.TCPConn) error {
	if l.from.has(c.peer.AddrPort().Addr()) {
		headerCtx, cancel := ctx, context.CancelFunc(func() {})
		if d := e.limits.ProxyTimeout.Load(); d > 0 {
			headerCtx, cancel = context.WithTimeout(ctx, d)
		}
		src, err := readProxy(headerCtx, nc)
		cancel()
		if err != nil {
			e.stats.proxyErrors.Add(1)
			return err
		}
		if src.Family != 0 {
			if old := e.table.get(key{addr: src, listener: c.k.listener}); old != nil &&
				old.alive() {
				// Responses find their connection by this address: a second claim would draw those
				// of the first.
				e.stats.proxyErrors.Add(1)
				return errProxy
			}
			c.k.addr = src
			if !e.bookSource(c, src) {
				return errProxy
			}
		}
	}
	if !l.proto.Secure() {
		return nil
	}
	if err := e.secure(ctx, c, nc, true); err != nil {
		e.stats.handshakesFailed.Add(1)
		if ctx.Err() != nil {
			e.stats.admitTimeouts.Add(1)
		}
		return err
	}
	e.stats.handshakes.Add(1)
	return nil
}
