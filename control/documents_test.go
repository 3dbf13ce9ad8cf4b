package control

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// echo answers a document with itself. A panic is one that asks for it.
func echo(doc []byte) (answer []byte, replyName, wrong string) {
	switch {
	case strings.Contains(string(doc), "panic"):
		panic("asked for")
	case strings.Contains(string(doc), "bad"):
		return nil, "", "it is bad"
	}
	_, name, _ := strings.Cut(string(doc), `"to":"`)
	name, _, _ = strings.Cut(name, `"`)
	return append([]byte("="), doc...), name, ""
}

func documentService(t *testing.T) (s *StatusService, dir string) {
	s, _ = testService(t)
	dir = t.TempDir()
	t.Cleanup(s.Close) // before the folder goes
	return s, dir
}

// TestDocumentsByFIFO: what is written to the FIFO, and what the client's FIFO has then.
func TestDocumentsByFIFO(t *testing.T) {
	s, dir := documentService(t)
	fifo := filepath.Join(dir, "in")
	if err := s.OpenDocumentFIFO(Door{Address: fifo, Mode: 0o600}, dir, time.Second, echo); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(fifo); err != nil || st.Mode() != os.ModeNamedPipe|0o600 {
		t.Errorf("the FIFO is %v, %v", st.Mode(), err)
	}
	if err := unix.Mkfifo(filepath.Join(dir, "out"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := os.OpenFile(filepath.Join(dir, "out"), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	f := func(in, want string) {
		t.Helper()
		w, err := os.OpenFile(fifo, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		w.WriteString(in)
		w.Close()
		var got []byte
		buf := make([]byte, 1<<17)
		for until := time.Now().Add(5 * time.Second); len(got) < len(want) && time.Now().Before(until); {
			out.SetReadDeadline(until)
			n, _ := out.Read(buf)
			got = append(got, buf[:n]...)
		}
		if string(got) != want {
			t.Errorf("%.100s gives %.100s, want %.100s", in, got, want)
		}
	}
	const a, b = `{"to":"out","n":1}`, `{"to":"out","s":"}\"{","o":{"p":[{}]}}`
	f(a, "="+a)
	f(a+b, "="+a+"="+b)
	f(" \n"+a+"\n\n"+b+"\n", "="+a+"="+b)
	f("nonsense "+a+"\n"+b+"\n", "="+b)
	f(`{"bad":1}{"panic":1}{"to":"../out"}{"to":""}`+a, "="+a)
	long := `{"to":"out","x":"` + strings.Repeat("x", 50_000) + `"}`
	f(long, "="+long)
	f(`{"to":"out","x":"`+strings.Repeat("x", MaxCommandBytes)+"\"}\n"+a, "="+a)
	f(`{"to":"none"}`+a, "="+a) // waited for, then given up
	f(`{"to":"in`, "")
	time.Sleep(documentPause + 100*time.Millisecond) // it has no end
	f(a, "="+a)

	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f(`{"to":"file"}`+a, "="+a)
	if b, _ := os.ReadFile(filepath.Join(dir, "file")); len(b) > 0 {
		t.Errorf("written to a file: %s", b)
	}
	second, _ := testService(t)
	defer second.Close()
	if err := second.OpenDocumentFIFO(Door{Address: fifo}, dir, time.Second, echo); err == nil ||
		!strings.Contains(err.Error(), "in use by a living process") {
		t.Errorf("a second reader of the FIFO: %v", err)
	}
	for _, no := range []string{"none/such", "file"} {
		if err := second.OpenDocumentFIFO(Door{Address: filepath.Join(dir, "x")}, filepath.Join(dir, no),
			time.Second, echo); err == nil {
			t.Errorf("%s is taken for the folder of reply FIFOs", no)
		}
	}
}

// TestDocumentsByDatagram: Unix datagrams and UDP.
func TestDocumentsByDatagram(t *testing.T) {
	s, dir := documentService(t)
	unixAt := Door{Network: "unixgram", Address: filepath.Join(dir, "in"), Mode: 0o600}
	if err := s.OpenDocumentSocket(unixAt, 2, time.Second, echo); err != nil {
		t.Fatal(err)
	}
	if err := s.OpenDocumentSocket(Door{Network: "udp", Address: "127.0.0.1:0"}, 1, time.Second, echo); err != nil {
		t.Fatal(err)
	}
	udp := s.doors[1].packets.LocalAddr().(*net.UDPAddr)
	ask := func(network string, local, to net.Addr, doc string) string {
		var conn net.Conn
		var err error
		if network == "udp" {
			conn, err = net.DialUDP(network, nil, to.(*net.UDPAddr))
		} else {
			conn, err = net.DialUnix(network, local.(*net.UnixAddr), to.(*net.UnixAddr))
		}
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.Write([]byte(doc))
		conn.SetReadDeadline(time.Now().Add(3 * time.Second))
		buf := make([]byte, 1000)
		n, _ := conn.Read(buf)
		return string(buf[:n])
	}
	at := &net.UnixAddr{Net: "unixgram", Name: unixAt.Address}
	me := &net.UnixAddr{Net: "unixgram", Name: filepath.Join(dir, "me")}
	if got := ask("unixgram", me, at, `{"a":1}`); got != `={"a":1}` {
		t.Errorf("by a Unix datagram: %q", got)
	}
	if got := ask("udp", nil, udp, `{"a":2}`); got != `={"a":2}` {
		t.Errorf("by UDP: %q", got)
	}
	r := NewRPC()
	s.RegisterDoors(r)
	if v, err := r.call("ctl.listen", nil); err != nil || !slices.Equal(v.([]string), []string{}) {
		t.Errorf("ctl.listen tells of sockets for documents: %v, %v", v, err)
	}
}
