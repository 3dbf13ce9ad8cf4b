package outside

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A header that hides behind a CR, an LF, or a NUL is refused alike over every transport, and with
// accept_ctrl_chars forwarded alike. Where it is a line end that is doubtful, a connection of TCP
// or TLS ends: whoever reads it otherwise sees other messages behind. UTF-8 and HTAB are none of
// this.
func TestControlCharacters(t *testing.T) {
	t.Parallel()
	for _, accept := range []bool{false, true} {
		t.Run(fmt.Sprintf("accept=%v", accept), func(t *testing.T) {
			t.Parallel()
			destination := newPeer(t, "the destination")
			s := streamSetup{setup: setup{program: byRoute(t), targets: to(destination)}, ws: true}
			if accept {
				s.globals = append(s.globals, "accept_ctrl_chars=yes")
			}
			srv := startStreams(t, s)
			for _, transport := range []string{"UDP", overTCP, overTLS, overWS, overWSS} {
				for _, c := range []struct {
					row  string
					fine bool // whatever the setting
					ends bool // the connection, where the bytes are framed by line ends
				}{
					{row: "X-Pad: a\rContent-Length: 263", ends: true},
					{row: "X-Pad: a\nX-Hidden: b", ends: true},
					{row: "X-Pad: a\x00b"},
					{row: "X-Pad: a\x1b[2Jb"},
					{row: "X-Pad: \"a\\\x07b\"\tü", fine: true},
					{row: "no header at all", fine: true},
				} {
					name := fmt.Sprintf("%q over %s", c.row, transport)
					p := srv.caller(t, name, transport)
					d := p.call(srv.at(transport))
					var conn *stream
					if transport != "UDP" {
						conn = p.connection()
					}
					p.send(srv.at(transport), d.text("OPTIONS", d.branch, c.row))
					if !accept && !c.fine {
						if m := p.expect("400"); !strings.HasPrefix(string(m.raw),
							"SIP/2.0 400 Control character\r\n") {
							t.Errorf("%s: %s", name, m.raw)
						}
						switch {
						case conn == nil:
						case c.ends && (transport == overTCP || transport == overTLS):
							select {
							case <-conn.gone:
							case <-time.After(patience):
								t.Errorf("%s: the connection stays", name)
							}
						default:
							conn.alive()
						}
						continue
					}
					m := destination.expect("OPTIONS")
					if !strings.Contains(string(m.raw), "\r\n"+c.row+"\r\n") {
						t.Errorf("%s: forwarded as\n%q", name, m.raw)
					}
					destination.reply(m, 200, "OK", "there", c.row)
					if m := p.expect("200"); !strings.Contains(string(m.raw), "\r\n"+c.row+"\r\n") {
						t.Errorf("%s: answered with\n%q", name, m.raw)
					}
				}
			}
			if accept {
				return
			}
			// A response with one is dropped and counted, and the next one is taken.
			p := srv.caller(t, "the caller", "UDP")
			d := p.call(srv.addr)
			p.send(srv.addr, d.text("OPTIONS", d.branch))
			m := destination.expect("OPTIONS")
			destination.reply(m, 200, "Dropped", "there", "X-Pad: a\rb")
			destination.reply(m, 200, "OK", "there")
			if m := p.expect("200"); !strings.HasPrefix(string(m.raw), "SIP/2.0 200 OK\r\n") {
				t.Errorf("%s", m.raw)
			}
			if n := dropped(srv.stats(t), "control character"); n != 1 {
				t.Errorf("%d are counted", n)
			}
		})
	}
}
