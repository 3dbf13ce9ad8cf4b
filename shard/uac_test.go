package shard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/netio"
	"viaduct/shard/modules"
	"viaduct/shard/route"
	"viaduct/shm"
)

// A program that is linked with the server sends a request through it, and waits for the answer.
func ExampleServer_Ask() {
	far, _ := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	defer far.Close()
	go func() { // a user agent that answers everything with 200
		b := make([]byte, 1<<16)
		for {
			n, from, err := far.ReadFromUDP(b)
			if err != nil {
				return
			}
			far.WriteToUDP(answerTo(b[:n], "200 All well", "far", ""), from)
		}
	}()

	program, settings, _, err := route.Load("none.cfg", []byte(`request_route { exit; }`),
		route.Options{Modules: modules.All})
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := Start(Config{Shards: 1, Program: program, Settings: settings,
		Listens: []netio.ListenConfig{{Addr: netip.MustParseAddrPort("127.0.0.1:0")}},
		Arena:   shm.Config{Bytes: 64 << 20}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Stop()

	answer, err := s.Ask(&Outgoing{Method: "OPTIONS", URI: "sip:far@" + far.LocalAddr().String(),
		Rows: []byte("From: <sip:me@example.com>\r\nTo: <sip:far@example.com>\r\n")}, nil)
	fmt.Println(answer.Code, answer.Reason, err)
	// Output: 200 All well <nil>
}

// TestSend: what sip_sendmsg returns, by its names, and what goes over the wire.
func TestSend(t *testing.T) {
	s, _ := startServer(t, 2, netio.SteerAuto)
	far, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	uri := "sip:far@" + far.LocalAddr().String()
	whole := func(rows string) []byte {
		return []byte("OPTIONS " + uri + " SIP/2.0\r\n" + strings.ReplaceAll(rows, "|", "\r\n") +
			"Content-Length: 0\r\n\r\n")
	}
	const via, ends = "Via: SIP/2.0/UDP h;branch=z9hG4bK1|",
		"From: <sip:a@h>;tag=1|To: <sip:b@h>|Max-Forwards: 70|"
	f := func(o *Outgoing, want error) {
		t.Helper()
		if err := s.Send(o); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", o.Text, err, want)
		}
	}
	f(&Outgoing{Text: []byte("nonsense")}, unix.EINVAL)
	f(&Outgoing{Text: whole("Via: SIP/2.0/UDP h;branch=zxyz|" + ends + "Call-ID: 1|CSeq: 1 OPTIONS|")},
		unix.EINVAL)
	f(&Outgoing{Text: whole("Via: SIP/2.0/UDP h|" + ends + "Call-ID: 1|CSeq: 1 OPTIONS|")}, unix.EINVAL)
	f(&Outgoing{Text: whole(via + ends + "Call-ID: 1|")}, unix.ENOENT)
	f(&Outgoing{Text: whole(via + ends + "Call-ID: 1|CSeq: abc OPTIONS|")}, unix.EPROTO)
	f(&Outgoing{Text: whole(via + ends + "Call-ID: 1|CSeq: 1 OPTIONS|"), Socket: "udp:192.0.2.1:9"},
		unix.EADDRNOTAVAIL)
	f(&Outgoing{Text: whole(via + ends + "Call-ID: 1|CSeq: 1 OPTIONS|"),
		NextHop: "sip:127.0.0.1;transport=tls"}, unix.EHOSTUNREACH)
	f(&Outgoing{Method: "OPTIONS", URI: uri, Rows: []byte("nonsense")}, unix.EINVAL)
	f(&Outgoing{Method: "OPTIONS", URI: uri, Rows: []byte("From: <sip:a@h>\r\n")}, unix.EINVAL)

	// Sent once without a transaction, and again and again with one.
	b := make([]byte, 1<<16)
	next := func(within time.Duration) string {
		far.SetReadDeadline(time.Now().Add(within))
		n, _, err := far.ReadFromUDP(b)
		if err != nil {
			return ""
		}
		return string(b[:n])
	}
	f(&Outgoing{Text: whole(via + ends + "Call-ID: once|CSeq: 1 OPTIONS|"), Stateless: true}, nil)
	if got := next(5 * time.Second); !strings.Contains(got, "Call-ID: once\r\n") ||
		strings.Contains(got, "z9hG4bK1\r\n") || strings.Count(got, "Via:") != 1 {
		t.Errorf("sent once:\n%s", got)
	}
	if got := next(700 * time.Millisecond); got != "" {
		t.Errorf("sent again:\n%s", got)
	}
	f(&Outgoing{Text: whole(via + ends + "Call-ID: more|CSeq: 1 OPTIONS|")}, nil)
	for range 2 {
		if got := next(5 * time.Second); !strings.Contains(got, "Call-ID: more\r\n") {
			t.Errorf("of a transaction: %q", got)
		}
	}
}

// TestSendAtOnce: many at once, from many goroutines, each with its own answer.
func TestSendAtOnce(t *testing.T) {
	s, uas := startServer(t, 2, netio.SteerAuto)
	var all sync.WaitGroup
	for i := range 200 {
		all.Add(1)
		go func() {
			defer all.Done()
			a, err := s.Ask(&Outgoing{Method: "OPTIONS", URI: "sip:far@" + uas.LocalAddr().String(),
				Rows: fmt.Appendf(nil, "From: <sip:me@h>\r\nTo: <sip:far@h>\r\nX-Number: %d\r\n"+
					"Call-ID: many-%d\r\n", i, i)}, nil)
			if err != nil || a.Code != 200 || !bytes.Contains(a.Text, fmt.Appendf(nil, "many-%d\r\n", i)) {
				t.Errorf("%d: %d %v", i, a.Code, err)
			}
		}()
	}
	all.Wait()
	if n := len(s.shared.uac.by); n != 0 {
		t.Errorf("%d requests are still under way", n)
	}
}
