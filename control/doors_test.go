package control

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// openAll opens doors at a service that answers an RPC.
func openAll(t *testing.T, doors ...Door) *StatusService {
	t.Helper()
	s, _ := testService(t)
	r := echoRPC()
	s.RegisterDoors(r)
	s.Serve(r)
	t.Cleanup(s.Close)
	for _, d := range doors {
		if err := s.Open(d); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// connectionsPacket is the packet of ctl.connections: a request with one text record.
var connectionsPacket = append([]byte{0xa1, 0x00, 18, 0x01, 0x91, 16}, "ctl.connections\x00"...)

// TestDoors: lines over TCP, packets as datagrams, and what is no packet is not answered.
func TestDoors(t *testing.T) {
	dir := t.TempDir()
	s := openAll(t, Door{Network: "tcp", Address: "127.0.0.1:0"},
		Door{Network: "udp", Address: "127.0.0.1:0"},
		Door{Network: "unixgram", Address: filepath.Join(dir, "d"), Mode: 0o600})

	conn, err := net.Dial("tcp", s.doors[0].address().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if v := ask(t, conn, "status"); v["shards"] != 2.0 {
		t.Errorf("a line over TCP: %v", v)
	}
	if st, err := os.Stat(filepath.Join(dir, "d")); err != nil || st.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("%v, %v; want a socket of mode 0600", st, err)
	}
	client, err := net.DialUnix("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "c"), Net: "unixgram"},
		&net.UnixAddr{Name: filepath.Join(dir, "d"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	udp, err := net.Dial("udp", s.doors[1].address().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{udp, client} {
		defer c.Close()
		for _, packet := range []string{"", "status\n", "\xa1", "\xa1\x00\xff", string(connectionsPacket)} {
			if _, err := c.Write([]byte(packet)); err != nil {
				t.Fatal(err)
			}
		}
		b := make([]byte, 1024)
		c.SetDeadline(time.Now().Add(5 * time.Second))
		if n, err := c.Read(b); err != nil || n == 0 || b[0] != 0xa1 || b[n-1] != 1 {
			t.Errorf("%s: %x, %v; want a packet whose last byte is the one connection",
				c.RemoteAddr().Network(), b[:n], err)
		}
		c.SetDeadline(time.Now().Add(50 * time.Millisecond))
		if n, err := c.Read(b); err == nil {
			t.Errorf("%s: a second answer, %x", c.RemoteAddr().Network(), b[:n])
		}
	}
}

// TestDoorsTaken: a socket that nobody listens on is replaced, also of the other kind; one in use
// and what is no socket are refused, and the error says which.
func TestDoorsTaken(t *testing.T) {
	dir := t.TempDir()
	for _, kinds := range [][2]string{{"unix", "unixgram"}, {"unixgram", "unix"}, {"unixgram", "unixgram"}} {
		path := filepath.Join(dir, kinds[0]+kinds[1])
		at := &net.UnixAddr{Name: path, Net: kinds[0]}
		var close func() error
		if kinds[0] == "unix" {
			l, err := net.ListenUnix("unix", at)
			if err != nil {
				t.Fatal(err)
			}
			l.SetUnlinkOnClose(false)
			close = l.Close
		} else {
			c, err := net.ListenUnixgram("unixgram", at)
			if err != nil {
				t.Fatal(err)
			}
			close = c.Close
		}
		s := openAll(t)
		d := Door{Network: kinds[1], Address: path, Mode: 0o600}
		if err := s.Open(d); err == nil || !strings.Contains(err.Error(), "is in use by a living process") {
			t.Errorf("%v in use: %v", kinds, err)
		}
		close()
		if err := s.Open(d); err != nil {
			t.Errorf("%v that nobody listens on: %v", kinds, err)
		}
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := openAll(t)
	if err := s.Open(Door{Network: "unixgram", Address: file}); err == nil ||
		!strings.Contains(err.Error(), "is no socket") {
		t.Errorf("a file: %v", err)
	}
	if err := s.Open(Door{Network: "tcp", Address: "192.0.2.1:1"}); err == nil ||
		!strings.Contains(err.Error(), "cannot listen for commands") {
		t.Errorf("an address of somebody else: %v", err)
	}
}

// TestDoorLocal: only loopback and Unix sockets are of this machine alone.
func TestDoorLocal(t *testing.T) {
	for _, d := range []Door{{Network: "unix"}, {Network: "unixgram"}, {Network: "tcp", Address: "localhost:1"},
		{Network: "udp", Address: "[::1]:1"}, {Network: "udp", Address: "127.9.9.9:1"}} {
		if !d.Local() {
			t.Errorf("%v is local", d)
		}
	}
	for _, a := range []string{"0.0.0.0:1", "192.0.2.1:1", "[::]:1", "host.example:1"} {
		if (&Door{Network: "tcp", Address: a}).Local() {
			t.Errorf("%s is not local", a)
		}
	}
}
