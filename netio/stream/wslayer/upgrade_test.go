package wslayer

import (
	"bufio"
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestUpgrade(t *testing.T) {
	for _, step := range []int{1, 2, 3, 7, 1 << 20} {
		s, h := New(&Config{}), &heard{}
		for piece := range slices.Chunk(append([]byte(goodRequest), masked(true, 1, "OPTIONS")...), step) {
			if n, err := s.Feed(piece, h.emit, h.reply); err != nil || n != len(piece) {
				t.Fatalf("step %d: %d of %d, %v", step, n, len(piece), err)
			}
		}
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(h.replies)), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 101 || resp.Header.Get("Sec-WebSocket-Protocol") != "sip" ||
			resp.Header.Get("Upgrade") != "websocket" ||
			// RFC 6455 §1.3
			resp.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
			t.Errorf("step %d: %q", step, h.replies)
		}
		if len(h.messages) != 1 || string(h.messages[0]) != "OPTIONS" {
			t.Errorf("step %d: the frame behind the request gave %q", step, h.messages)
		}
		if want := (Request{URI: "/sip", Host: "example.com",
			Origin: "https://phone.example.com"}); *s.Request() != want {
			t.Errorf("request %+v", *s.Request())
		}
	}
}

// What the answer says of the request's origin.
func TestCORS(t *testing.T) {
	f := func(mode CORS, request, want string) {
		t.Helper()
		s, h := New(&Config{CORS: mode}), &heard{}
		if _, err := s.Feed([]byte(request), h.emit, h.reply); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(h.replies)), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("Access-Control-Allow-Origin"); got != want ||
			len(resp.Header["Access-Control-Allow-Origin"]) > 1 {
			t.Errorf("mode %d: %q, want %q", mode, got, want)
		}
	}
	noOrigin := strings.Replace(goodRequest, "Origin: https://phone.example.com\r\n", "", 1)
	f(CORSNone, goodRequest, "")
	f(CORSAny, goodRequest, "*")
	f(CORSAny, noOrigin, "*")
	f(CORSOrigin, goodRequest, "https://phone.example.com")
	f(CORSOrigin, noOrigin, "")
}

func TestRefusedUpgrades(t *testing.T) {
	f := func(request string, status int, headers ...string) {
		t.Helper()
		for _, step := range []int{1, 1 << 20} {
			s, h := New(&Config{HeaderBytes: 1000, Origins: []string{"https://phone.example.com"}}), &heard{}
			var err error
			for piece := range slices.Chunk([]byte(request), step) {
				if _, err = s.Feed(piece, h.emit, h.reply); err != nil {
					break
				}
			}
			var refused *RefusedError
			if !errors.As(err, &refused) || refused.Status != status {
				t.Fatalf("error %v, want status %d", err, status)
			}
			resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(h.replies)), nil)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != status || !resp.Close {
				t.Errorf("answered %q, want %d and close", h.replies, status)
			}
			for _, want := range append(headers, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: sip") {
				if !bytes.Contains(h.replies, []byte("\r\n"+want+"\r\n")) {
					t.Errorf("answered %q without %s", h.replies, want)
				}
			}
			if s.Request() != nil || len(h.messages) > 0 {
				t.Error("a refused session went on")
			}
		}
	}
	change := func(old, new string) string {
		if !strings.Contains(goodRequest, old) {
			t.Fatalf("BUG: %q is not in the request", old)
		}
		return strings.Replace(goodRequest, old, new, 1)
	}
	f(change("Sec-WebSocket-Protocol: xmpp, sip\r\n", ""), 400)
	f(change("xmpp, sip", "xmpp"), 400)
	f(change("xmpp, sip", "sips"), 400)
	f(change("Version: 13", "Version: 8"), 426, "Upgrade: websocket", "Connection: close, Upgrade")
	f(change("Sec-WebSocket-Version: 13\r\n", ""), 426, "Upgrade: websocket")
	f(change("Version: 13\r\n", "Version: 13\r\nSec-WebSocket-Version: 13\r\n"), 426)
	f(change("Upgrade: websocket\r\n", ""), 426, "Upgrade: websocket")
	f(change("Upgrade: websocket", "Upgrade: h2c"), 426, "Upgrade: websocket")
	f(change("Connection: keep-alive, Upgrade", "Connection: keep-alive"), 400)
	f(change("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="), 400)
	f(change("dGhlIHNhbXBsZSBub25jZQ==", "!"), 400)
	f(change("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), 400)
	f(change("Host: example.com\r\n", ""), 400)
	f(change("Host: example.com\r\n", "Host: a\r\nHost: b\r\n"), 400)
	f(change("phone.example.com", "evil.example.com"), 403)
	f(change("https://phone", "http://phone"), 403)
	f(change("Host", "Content-Length: 5\r\nHost"), 400)
	f(change("Host", "Transfer-Encoding: chunked\r\nHost"), 400)
	f(change("Host: example.com", "Host: example.com\r\nbroken line"), 400)
	f(change("GET", "POST"), 405, "Allow: GET")
	f(change("HTTP/1.1", "HTTP/1.0"), 505)
	f(change("HTTP/1.1", "HTTP/2.0"), 505)
	f(change("Host", "Cookie: "+strings.Repeat("x", 1000)+"\r\nHost"), 431)
	f("OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/TCP a\r\n\r\n", 400)
	f("\x16\x03\x01\x02\x00\x01", 400)
	f("\r\n\r\n", 400)
}

// Clients that are no browsers send no Origin, and case does not matter where RFC 6455 says so.
func TestToleratedUpgrades(t *testing.T) {
	f := func(pairs ...string) {
		t.Helper()
		s, h := New(&Config{Origins: []string{"https://phone.example.com"}}), &heard{}
		if _, err := s.Feed([]byte(strings.NewReplacer(pairs...).Replace(goodRequest)), h.emit, h.reply); err != nil {
			t.Fatal(err)
		}
	}
	f("Origin: https://phone.example.com\r\n", "")
	f("phone.example.com", "PHONE.example.com")
	f("Upgrade: websocket", "upgrade: WebSocket", "keep-alive, Upgrade", "upgrade")
	f("xmpp, sip", "SIP")
	f("Protocol: xmpp, sip", "Protocol: xmpp\r\nSec-WebSocket-Protocol:sip")
	f("/sip HTTP", "http://example.com/sip HTTP")
}

func TestConfigLimits(t *testing.T) {
	f := func(c Config, want string) {
		t.Helper()
		if err := c.Validate(); want == "" && err != nil ||
			want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
	f(Config{}, "")
	f(Config{MessageBytes: maxMessageBytes, HeaderBytes: maxHeaderBytes}, "")
	f(Config{MessageBytes: -1}, "message limit")
	f(Config{MessageBytes: maxMessageBytes + 1}, "message limit")
	f(Config{HeaderBytes: maxHeaderBytes + 1}, "header limit")
}
