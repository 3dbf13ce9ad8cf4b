package jsonrpcs

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"viaduct/shard/route"
	"viaduct/shard/route/command/jsonrpc"
)

// What kamctl(8) uses unless it is told otherwise, in the folder run_dir.
const (
	usualFIFO   = "kamailio_rpc.fifo"
	usualSocket = "kamailio_rpc.sock"
	usualMode   = 0o660
)

// doors declares the FIFO and the datagram socket. They are opened at the start, by the settings of
// that time.
func (s *server) doors(m *route.Module) {
	c := &m.Settings().Control
	d := &c.Documents
	d.FIFO.Mode, d.Datagram.Mode, d.ReplyDir = usualMode, usualMode, "/tmp/"
	d.Timeout, d.Workers = 2*time.Second, 1

	fifo := m.Text("fifo_name", usualFIFO, "The FIFO that documents are written to; a relative path "+
		"begins in run_dir. A document has a member reply_name, which names a FIFO that the client "+
		"has made in fifo_reply_dir. Without the parameter the usual one is tried.")
	m.TextVar(&d.ReplyDir, "fifo_reply_dir", "The folder of the clients' FIFOs.")
	m.IntVar(&d.FIFO.Mode, "fifo_mode", 0, 0o777, "The permissions of the FIFO; 432 is 0660.")
	m.WordVar(&d.FIFO.User, "fifo_user", "Whom the FIFO belongs to: a name or a number.")
	m.WordVar(&d.FIFO.Group, "fifo_group", "The group that it belongs to.")

	socket := m.Text("dgram_socket", usualSocket, "The Unix socket for datagrams of a document each, "+
		"or udp:HOST:PORT. The answer goes to the sender. Without the parameter the usual one is "+
		"tried.")
	m.Check("dgram_socket", func(text string, _ int64) string {
		if _, ok := datagramDoor(text); !ok {
			return "is " + route.Quote(text) + "; write a path, or udp:HOST:PORT"
		}
		return ""
	})
	m.IntVar(&d.Workers, "dgram_workers", 1, 64, "So many datagrams are answered at a time.")
	m.IntVar(&d.Datagram.Mode, "dgram_mode", 0, 0o777, "The permissions of the socket.")
	m.WordVar(&d.Datagram.User, "dgram_user", "Whom the socket belongs to: a name or a number.")
	m.WordVar(&d.Datagram.Group, "dgram_group", "The group that it belongs to.")
	m.DurationVar(&d.Timeout, "dgram_timeout", time.Millisecond, 1, 600_000, "Milliseconds until an "+
		"answer must be written; also by the FIFO.")

	fifoGiven, socketGiven := m.Given("fifo_name"), m.Given("dgram_socket")
	m.Ready(func() error {
		if s.takes(byFIFO) && *fifo != "" {
			d.FIFO.Network, d.FIFO.Address = "fifo", inRunDir(c, *fifo)
			d.FIFO.Usual = !*fifoGiven
		}
		if s.takes(byDatagram) && *socket != "" {
			d.Datagram.ControlSocket, _ = datagramDoor(*socket)
			if d.Datagram.Network == "unixgram" {
				d.Datagram.Address = inRunDir(c, d.Datagram.Address)
			}
			d.Datagram.Usual = !*socketGiven
		}
		d.Answer = s.document
		return nil
	})
}

// inRunDir is a path that counts from run_dir.
func inRunDir(c *route.ControlSettings, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(c.RunDir, path)
}

// datagramDoor reads dgram_socket.
func datagramDoor(text string) (route.ControlSocket, bool) {
	address, udp := strings.CutPrefix(text, "udp:")
	if !udp {
		return route.ControlSocket{Network: "unixgram", Address: text}, true
	}
	dst, ok := route.ReadHostPort([]byte(address))
	if !ok || len(dst.Host) == 0 || dst.Port == 0 {
		return route.ControlSocket{}, false
	}
	return route.ControlSocket{Network: "udp", Address: address}, true
}

// document answers a document that came by the FIFO or in a datagram.
func (s *server) document(doc []byte) (b []byte, replyName, wrong string) {
	q, ok := jsonrpc.Parse(bytes.Clone(doc))
	if !ok {
		return nil, "", fmt.Sprintf("%.80s is no JSON", doc)
	}
	return s.run(q).body, q.ReplyName, ""
}
