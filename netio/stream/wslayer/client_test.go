package wslayer

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

const patience = 30 * time.Second

// pump serves one connection as an event loop would; messages come back as they went.
func pump(nc net.Conn, s *Session) error {
	var werr error
	reply := func(b []byte) {
		if _, err := nc.Write(b); err != nil {
			werr = err
		}
	}
	buf := make([]byte, 1000)
	for {
		n, err := nc.Read(buf)
		if err != nil {
			return err
		}
		if _, err = s.Feed(buf[:n], func(m []byte) { reply(Frame(nil, m)) }, reply); err != nil {
			return err
		}
		if werr != nil {
			return werr
		}
	}
}

// The library's own client, over a socket.
func TestLibraryClient(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dial := func(protocols ...string) (net.Conn, ws.Handshake, <-chan error, error) {
		ended := make(chan error, 1)
		go func() {
			nc, err := l.Accept()
			if err != nil {
				ended <- err
				return
			}
			defer nc.Close()
			nc.SetDeadline(time.Now().Add(patience))
			ended <- pump(nc, New(&Config{}))
		}()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		nc, _, hs, err := ws.Dialer{Protocols: protocols}.Dial(ctx, "ws://"+l.Addr().String()+"/")
		return nc, hs, ended, err
	}

	nc, hs, ended, err := dial("xmpp", "sip")
	if err != nil || hs.Protocol != "sip" {
		t.Fatalf("%v, protocol %q", err, hs.Protocol)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	for _, msg := range []string{"OPTIONS", strings.Repeat("é", 20000), "OPTIONS \xff"} {
		if err := wsutil.WriteClientMessage(nc, ws.OpBinary, []byte(msg)); err != nil {
			t.Fatal(err)
		}
		back, op, err := wsutil.ReadServerData(nc)
		if err != nil || string(back) != msg || (op == ws.OpText) != (msg != "OPTIONS \xff") {
			t.Fatalf("%d bytes came back as %d, op %d, %v", len(msg), len(back), op, err)
		}
	}
	if err := ws.WriteFrame(nc,
		ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, "bye")))); err != nil {
		t.Fatal(err)
	}
	var closed wsutil.ClosedError
	if _, _, err := wsutil.ReadServerData(nc); !errors.As(err, &closed) || closed.Code != ws.StatusNormalClosure {
		t.Errorf("the close came back as %v", err)
	}
	if err := <-ended; err != io.EOF {
		t.Errorf("the session ended with %v", err)
	}

	_, _, ended, err = dial("xmpp")
	var status ws.StatusError
	if !errors.As(err, &status) || status != 400 {
		t.Errorf("without the subprotocol: %v", err)
	}
	var refused *RefusedError
	if err := <-ended; !errors.As(err, &refused) {
		t.Errorf("without the subprotocol the session ended with %v", err)
	}
}
