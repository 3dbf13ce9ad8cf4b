package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/net/netutil"
)

// httpConns is how many connections the HTTP service has at once. Reached: a further one waits to
// be accepted.
const httpConns = 64

// httpTimeout is how long a request may take to come, and an answer to be taken.
const httpTimeout = 10 * time.Second

// HTTP serves operators and their programs over HTTP.
type HTTP struct {
	server http.Server
	done   chan struct{}
}

// CheckHTTP says what is wrong with an address for ListenHTTP.
func CheckHTTP(at string) error {
	addr, err := netip.ParseAddrPort(at)
	if err != nil {
		return fmt.Errorf("http_listen is %q: write an address and a port, as in 127.0.0.1:9090", at)
	}
	if !addr.Addr().IsLoopback() {
		return fmt.Errorf("http_listen is %s, which others can reach, and nothing of it is "+
			"encrypted: write 127.0.0.1:%d or [::1]:%d, and put a proxy with TLS in front", at,
			addr.Port(), addr.Port())
	}
	return nil
}

// ListenHTTP serves at an address, IP:PORT. It must be a loopback address: nothing here is
// encrypted, and who may reach it may read everything.
func ListenHTTP(at string, handler http.Handler, log *Log) (*HTTP, error) {
	if err := CheckHTTP(at); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", at)
	if err != nil {
		return nil, fmt.Errorf("cannot serve HTTP (http_listen): %w", err)
	}
	h := &HTTP{done: make(chan struct{})}
	h.server = http.Server{Handler: handler, ReadTimeout: httpTimeout, WriteTimeout: httpTimeout,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	go func() {
		defer close(h.done)
		err := h.server.Serve(netutil.LimitListener(l, httpConns))
		if !errors.Is(err, http.ErrServerClosed) {
			log.Error("HTTP is not served any more", "address", at, "error", err)
		}
	}()
	return h, nil
}

// Close ends the service. Requests under way have a second to end.
func (h *HTTP) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if h.server.Shutdown(ctx) != nil {
		_ = h.server.Close()
	}
	<-h.done
}
