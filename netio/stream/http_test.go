package stream

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"viaduct/netio/stream/wslayer"
)

// frameHTTPAll frames a stream of HTTP and SIP that is cut into pieces.
func frameHTTPAll(pieces ...string) (out []string) {
	f := framer{http: true}
	f.reset()
	rest := ""
	for _, p := range pieces {
		rest += p
	more:
		for rest != "" {
			kind, n, fault := f.next([]byte(rest), testLimit)
			switch kind {
			case frameMore:
				break more
			case frameIdle:
				f.pings = 0
			case frameMessage, frameHTTP:
				what := "sip "
				if kind == frameHTTP {
					what = map[bool]string{true: "last ", false: "http "}[f.head.isLast()]
				}
				out = append(out, what+rest[:n])
				f.reset()
				if fault != Whole {
					return out
				}
			case frameRefused:
				return append(out, fmt.Sprint("refused ", f.head.status))
			default:
				return append(out, "end")
			}
			rest = rest[n:]
		}
	}
	return out
}

func TestFrameHTTP(t *testing.T) {
	f := func(in string, want ...string) {
		t.Helper()
		if got := frameHTTPAll(in); !reflect.DeepEqual(got, want) {
			t.Errorf("%q\n got %q\nwant %q", in, got, want)
		}
	}
	one := func(what, request string) {
		t.Helper()
		f(request, what+" "+request)
	}
	const get, host = "GET / HTTP/1.1\r\n", "Host: a\r\n"
	one("http", get+host+"\r\n")
	one("http", get+host+"Content-Length: 3\r\n\r\nabc")
	one("http", "X!#$%&'*+-.^_`|~9 http://a/?%20 HTTP/1.9\r\nhOST:\r\n\r\n")
	one("http", "OPTIONS * HTTP/1.1\r\nHost: a\r\nl: 9\r\n\r\n") // no compact form in HTTP
	one("http", get+host+"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc")
	one("last", get+host+"Connection: x, Close\r\n\r\n")
	one("last", "GET / HTTP/1.0\r\n\r\n")
	one("http", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
	one("last", "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n")
	const sip = "OPTIONS a SIP/2.0\r\nl: 0\r\n\r\n"
	f(sip+get+host+"\r\n\r\n"+sip+get+host+"\r\n", "sip "+sip, "http "+get+host+"\r\n", "sip "+sip,
		"http "+get+host+"\r\n")

	refused := func(status int, request string) {
		t.Helper()
		f(request, fmt.Sprint("refused ", status))
	}
	refused(400, get+"\r\n")
	refused(400, get+host+host+"\r\n")
	refused(400, get+host+"X: a\r\n b\r\n\r\n")
	refused(400, get+host+"X : a\r\n\r\n")
	refused(400, get+host+"no colon\r\n\r\n")
	refused(400, get+host+": a\r\n\r\n")
	refused(400, get+host+"Content-Length: -1\r\n\r\n")
	refused(400, get+host+"Content-Length: +1\r\n\r\nx")
	refused(400, get+host+"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx")
	refused(400, get+host+"Content-Length: 1, 1\r\n\r\nx")
	refused(400, get+host+"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc")
	refused(400, "GET / HTTP/1.1\nHost: a\n\n")
	refused(400, get+"Host: a\rX: b\r\n\r\n")
	refused(411, get+host+"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
	refused(413, get+host+"Content-Length: 2000\r\n\r\n")
	refused(413, get+host+"Content-Length: 99999999999999999999999999\r\n\r\n")
	refused(431, get+host+"X: "+strings.Repeat("x", httpHeadBytes))
	refused(431, get+host+"X: "+strings.Repeat("x", httpHeadBytes)+"\r\n\r\n")
	refused(505, "PRI * HTTP/2.0\r\n\r\n")
	refused(505, "GET / HTTP/0.9\r\nHost: a\r\n\r\n")
	for _, junk := range []string{"GET /\r\n", "GET / http/1.1\r\n", "GET  / HTTP/1.1\r\n",
		"GET / HTTP/1.1 \r\n", "GET /\t HTTP/1.1\r\n", "GET /\x80 HTTP/1.1\r\n", "G(T / HTTP/1.1\r\n",
		"GET / HTTP/11\r\n", "HTTP/1.1 200 OK\r\n", " GET / HTTP/1.1\r\n", "GET / x HTTP/1.1\r\n"} {
		f(junk, "end")
	}
}

// FuzzFrameHTTP: however a stream is cut, the requests are those of the whole, and where one ends
// net/http says so too.
func FuzzFrameHTTP(f *testing.F) {
	f.Add("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.0\r\n\r\n", uint64(0x8421))
	f.Add("POST /x?y HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", uint64(3))
	f.Add("\r\nINVITE x SIP/2.0\r\nl: 1\r\n\r\naGET * HTTP/1.1\r\nhost:\r\nConnection: close\r\n\r\n", uint64(7))
	f.Add("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\nContent-Length : 3\r\n\r\nabc", uint64(0xffff))
	f.Fuzz(func(t *testing.T, in string, cuts uint64) {
		whole := frameHTTPAll(in)
		var pieces []string
		at := 0
		for i := range in {
			if cuts>>(uint(i)%64)&1 != 0 {
				pieces = append(pieces, in[at:i])
				at = i
			}
		}
		pieces = append(pieces, in[at:])
		got := frameHTTPAll(pieces...)
		if !reflect.DeepEqual(anyStatus(got), anyStatus(whole)) {
			t.Fatalf("cut as %q:\n got %q\nwant %q", pieces, got, whole)
		}
		for _, s := range whole {
			request, ours := strings.CutPrefix(s, "http ")
			if !ours {
				if request, ours = strings.CutPrefix(s, "last "); !ours {
					continue
				}
			}
			r := bufio.NewReader(strings.NewReader(request))
			req, err := http.ReadRequest(r)
			if err != nil {
				continue // it wants more of a request than a frame: a URL, a Host
			}
			n, err := io.Copy(io.Discard, req.Body)
			if left, _ := io.Copy(io.Discard, r); err != nil || left != 0 ||
				!strings.HasSuffix(request, "\r\n\r\n"+request[len(request)-int(n):]) {
				t.Fatalf("%q: net/http leaves %d bytes, %v", request, left, err)
			}
		}
	})
}

// anyStatus leaves out why a stream cannot be framed, which is a matter of arrival.
func anyStatus(in []string) (out []string) {
	for _, s := range in {
		if strings.HasPrefix(s, "refused ") || s == "end" {
			s = "end"
		}
		out = append(out, s)
	}
	return out
}

func withHTTP(c *Config) { c.HTTP = true }

// httpGot is an HTTP request as its shard has it.
type httpGot struct {
	data string
	conn uint64
	HTTPRequest
}

func (r *rig) recvHTTP(shard int) (g httpGot) {
	r.t.Helper()
	p := r.e.Port(shard)
	r.wait("an HTTP request", func() bool {
		for i, m := range p.Recv(1) {
			g = httpGot{string(m.Data), p.Conn(i), p.HTTP(i)}
		}
		p.Release()
		return g.data != ""
	})
	return g
}

// One request of a connection is at work at a time, and SIP goes on behind it.
func TestHTTPInTurn(t *testing.T) {
	r := newRig(t, 1, withHTTP)
	c := r.dial(0)
	m := message("behind", 3)
	r.write(c, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab")
	one := r.recvHTTP(0)
	via := "Via: SIP/2.0/TCP " + c.LocalAddr().String() + "\r\n"
	if want := "GET /1 HTTP/1.1\r\n" + via + "Host: a\r\n\r\n"; one.data != want || one.Number == 0 || one.Last {
		t.Fatalf("%+v", one)
	}
	r.write(c, "c"+m)
	time.Sleep(20 * time.Millisecond)
	if p := r.e.Port(0); len(p.Recv(1)) != 0 {
		t.Fatal("a second request is at work")
	}
	if !r.e.AnswerHTTP(one.conn, one.Number, []byte("one"), false) ||
		!r.e.AnswerHTTP(one.conn, one.Number, []byte("again"), false) {
		t.Fatal("the connection is gone")
	}
	two := r.recvHTTP(0)
	if !strings.HasSuffix(two.data, "\r\n\r\nabc") || two.Number == one.Number || two.conn != one.conn {
		t.Fatalf("%+v", two)
	}
	r.e.AnswerHTTP(two.conn, two.Number, []byte("two"), false)
	if s := read(t, c, 6); s != "onetwo" {
		t.Fatalf("answers %q", s)
	}
	if g := r.recv(0, 1); g[0].data != m {
		t.Fatalf("%+v", g)
	}
	if s := r.e.Stats(); s.HTTPRequests != 2 || s.HTTPRefused != 0 {
		t.Errorf("%+v", s)
	}
}

// A last answer closes the connection behind it, no answer at once.
func TestHTTPCloses(t *testing.T) {
	pki := newCerts(t)
	r := newRig(t, 1, allTransports(pki), withHTTP)
	for _, c := range []net.Conn{r.dial(0), r.dialTLS(onTLS, pki)} {
		r.write(c, "GET / HTTP/1.0\r\n\r\nmore that nobody reads")
		g := r.recvHTTP(0)
		if !g.Last {
			t.Fatalf("%+v", g)
		}
		answer := strings.Repeat("x", httpAnswerBytes) // far beyond ConnWqMax
		r.e.AnswerHTTP(g.conn, g.Number, []byte(answer), true)
		if all, err := io.ReadAll(c); string(all) != answer || err != nil {
			t.Fatalf("%d bytes, %v", len(all), err)
		}
		c.Close()
	}
	c := r.dial(0)
	r.write(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	g := r.recvHTTP(0)
	r.e.AnswerHTTP(g.conn, g.Number, nil, false)
	ended(t, c)
	r.wait("the connection to go", func() bool { return !r.e.AnswerHTTP(g.conn, g.Number, nil, false) })
	c = r.dial(0)
	r.write(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	g = r.recvHTTP(0)
	r.e.AnswerHTTP(g.conn, g.Number, make([]byte, httpAnswerBytes+1), false)
	if all, _ := io.ReadAll(c); !strings.HasPrefix(string(all), "HTTP/1.1 500 ") {
		t.Errorf("an answer that is too long: %.80q", all)
	}
}

// What cannot be framed is answered by the loop; what is slow is closed.
func TestHTTPRefused(t *testing.T) {
	r := newRig(t, 1, withHTTP, func(c *Config) { c.Limits.MessageTimeout.Store(150 * time.Millisecond) })
	c := r.dial(0)
	r.write(c, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	if all, err := io.ReadAll(c); string(all) != "HTTP/1.1 411 Length Required\r\nConnection: close\r\n"+
		"Content-Length: 0\r\n\r\n" || err != nil {
		t.Errorf("%q, %v", all, err)
	}
	c.Close()
	slow := r.dial(0)
	r.write(slow, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\na")
	if all, _ := io.ReadAll(slow); string(all) != "HTTP/1.1 100 Continue\r\n\r\n" {
		t.Errorf("%q", all)
	}
	r.wait("the slow one to be counted", func() bool { return r.e.Stats().Ended[SlowMessage] == 1 })
	flood := r.dial(0)
	r.write(flood, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	r.recvHTTP(0) // and no answer
	_, _ = flood.Write(bytes.Repeat([]byte("x"), 2*stalledBytes))
	ended(t, flood)
	if s := r.e.Stats(); s.HTTPRefused != 1 || s.Ended[QueueFull] != 1 {
		t.Errorf("%+v", s)
	}
	r.e.SetHTTP(false)
	c = r.dial(0)
	r.write(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	ended(t, c)
	if s := r.e.Stats(); s.Ended[Junk] != 1 {
		t.Errorf("without HTTP: %+v", s)
	}
}

// The shard answers an upgrade, and what the peer has sent meanwhile is frames.
func TestHTTPUpgrade(t *testing.T) {
	gone := make(chan Ended, 4)
	pki := newCerts(t)
	r := newRig(t, 1, allTransports(pki), withHTTP, func(c *Config) { c.Closed = func(e Ended) { gone <- e } })
	for i, c := range []net.Conn{r.dial(0), r.dialTLS(onTLS, pki)} {
		frame := wsFrame(1, "OPTIONS x SIP/2.0\r\n\r\n")
		r.write(c, "GET /ws HTTP/1.1\r\nHost: a\r\n\r\n"+frame)
		g := r.recvHTTP(0)
		if cfg := r.e.WebSocket(g.conn); cfg == nil {
			t.Fatal("no listener for it")
		}
		if !r.e.UpgradeHTTP(g.conn, g.Number, []byte("101"), &wslayer.Request{URI: "/ws"}) {
			t.Fatal("not upgraded")
		}
		if s := read(t, c, 3); s != "101" {
			t.Fatalf("%q", s)
		}
		got := r.recv(0, 1)[0]
		if got.data != "OPTIONS x SIP/2.0\r\n\r\n" || got.listener != uint16(onWSTwin+i) {
			t.Fatalf("%+v", got)
		}
		r.send(0, int(got.listener), got.src, 0, "SIP/2.0 200 OK\r\n\r\n")
		if s := read(t, c, 2+18); s != "\x81\x12SIP/2.0 200 OK\r\n\r\n" {
			t.Fatalf("%q", s)
		}
		r.write(c, wsFrame(8, "\x03\xe8"))
		select {
		case e := <-gone:
			if e.Conn != g.conn || e.Listener != onWSTwin+i || e.Peer != got.src {
				t.Errorf("%+v, %+v", e, got)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("nobody was told of the end")
		}
	}
	c := r.dial(0)
	r.write(c, message("no event for this one", 0))
	r.recv(0, 1)
	c.Close()
	if r.e.UpgradeHTTP(1<<40, 1, nil, nil) || len(gone) != 0 {
		t.Error("an upgrade of a connection that is gone")
	}
}

// wsFrame is a frame of a client (RFC 6455 §5.2) of up to 125 bytes.
func wsFrame(op byte, payload string) string {
	b := []byte{0x80 | op, 0x80 | byte(len(payload)), 1, 2, 3, 4}
	for i := range payload {
		b = append(b, payload[i]^b[2+i%4])
	}
	return string(b)
}
