package control

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/control/binrpc"
)

// Door is an address at which a StatusService is asked. Streams carry what its socket carries:
// lines, or packets of kamcmd(8). Datagrams carry one packet of kamcmd each.
type Door struct {
	// Network is unix, unixgram, tcp or udp, as package net has them.
	Network string
	// Address is a path, or host and port.
	Address string
	// Mode are the permissions of a Unix socket.
	Mode fs.FileMode
	// Owner is who it belongs to; nil means the process as it is now.
	Owner *Identity
}

// openDoor is a Door that is open. Either listener or packets is set.
type openDoor struct {
	Door
	listener net.Listener
	packets  net.PacketConn
	// documents: it takes documents of JSON-RPC, of which module ctl does not tell.
	documents bool
}

func (d *openDoor) close() {
	if d.listener != nil {
		d.listener.Close()
	} else {
		d.packets.Close()
	}
}

// kind is what ctl.listen of Kamailio calls the network.
func (d *Door) kind() string {
	switch d.Network {
	case "unix":
		return "unix_stream"
	case "unixgram":
		return "unix_dgram"
	}
	return d.Network
}

// Local tells whether only this machine reaches the door.
func (d *Door) Local() bool {
	if d.Network == "unix" || d.Network == "unixgram" {
		return true
	}
	host, _, err := net.SplitHostPort(d.Address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// Open opens a door and answers at it until Close. The socket of a process that has ended is
// replaced; one that is in use, or a file that is no socket, is an error.
func (s *StatusService) Open(d Door) error {
	o := openDoor{Door: d}
	err := s.listen(&o)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.doors = append(s.doors, o)
	s.mu.Unlock()
	s.wg.Add(1)
	if o.listener != nil {
		go s.accept(o.listener)
	} else {
		go s.receive(o.packets)
	}
	return nil
}

// listen makes the socket of a door.
func (s *StatusService) listen(o *openDoor) (err error) {
	if o.Network == "tcp" || o.Network == "udp" {
		if o.Network == "tcp" {
			o.listener, err = net.Listen(o.Network, o.Address)
		} else {
			o.packets, err = net.ListenPacket(o.Network, o.Address)
		}
		if err != nil {
			return fmt.Errorf("cannot listen for commands: %w", err)
		}
		return nil
	}
	if err := clearSocketPath(o.Network, o.Address); err != nil {
		return err
	}
	at := &net.UnixAddr{Name: o.Address, Net: o.Network}
	err = withMask(func() (err error) {
		if o.Network == "unixgram" {
			o.packets, err = net.ListenUnixgram(o.Network, at)
			return err
		}
		l, err := net.ListenUnix(o.Network, at)
		if err == nil {
			l.SetUnlinkOnClose(false) // Close does it, for all kinds alike
			o.listener = l
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot listen on the status socket: %w", err)
	}
	s.paths = append(s.paths, o.Address)
	if err = os.Chmod(o.Address, o.Mode); err == nil {
		err = o.Owner.Own(o.Address)
	}
	if err != nil {
		o.close()
	}
	return err
}

// clearSocketPath makes room for a Unix socket: it removes one that nobody listens on.
func clearSocketPath(network, path string) error {
	if err := CheckSocketPath(path); err != nil {
		return err
	}
	switch st, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("cannot use the status socket: %w", err)
	case st.Mode()&fs.ModeSocket == 0:
		return fmt.Errorf("status socket %s exists and is no socket: remove it or choose "+
			"another path", path)
	}
	conn, err := net.DialTimeout(network, path, time.Second)
	if err == nil {
		conn.Close()
	}
	switch {
	case err == nil || errors.Is(err, unix.EPROTOTYPE): // a socket of the other kind
		return fmt.Errorf("status socket %s is in use by a living process", path)
	case !errors.Is(err, unix.ECONNREFUSED):
		return fmt.Errorf("cannot tell whether status socket %s is in use: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("cannot replace the stale status socket: %w", err)
	}
	return nil
}

// receive answers datagrams, one at a time.
func (s *StatusService) receive(conn net.PacketConn) {
	defer s.wg.Done()
	buf := make([]byte, maxDatagram)
	for {
		n, from, err := conn.ReadFrom(buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // as for accept
			s.log.Warn("cannot receive commands", "error", err)
			time.Sleep(100 * time.Millisecond)
			continue
		case from == nil || from.String() == "": // a Unix socket without a name
			continue
		}
		packet, ok := s.answerDatagram(buf[:n])
		if !ok {
			continue
		}
		// A client that does not read must not keep others waiting.
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := conn.WriteTo(packet, from); err != nil {
			s.log.Warn("cannot answer a command", "from", from.String(), "error", err)
		}
	}
}

// answerDatagram is the packet that answers the one in b. It returns false if b is none.
func (s *StatusService) answerDatagram(b []byte) (packet []byte, ok bool) {
	q, err := binrpc.Read(bytes.NewReader(b))
	var bad *binrpc.BadError
	if err != nil && !errors.As(err, &bad) {
		return nil, false
	}
	if packet = s.answerBinary(q, err); len(packet) > maxDatagram {
		packet = q.Fault(500, fmt.Sprintf("the answer has %d bytes, more than a datagram takes: "+
			"ask over a stream", len(packet)))
	}
	return packet, true
}

// RegisterDoors adds the methods of Kamailio's module ctl.
func (s *StatusService) RegisterDoors(r *RPC) {
	r.Register(
		&Method{Name: "ctl.listen", Help: "Lists the sockets that commands come by: protocol, " +
			"kind, address, and port or an empty text.",
			Call: func(Args) (any, error) {
				s.mu.Lock()
				defer s.mu.Unlock()
				all := []string{}
				for _, d := range s.doors {
					if d.documents {
						continue
					}
					all = append(append(all, "binrpc", d.kind()), addressOf(d.address())...)
				}
				return all, nil
			}},
		&Method{Name: "ctl.connections", Help: "Counts the open connections that commands come by.",
			Call: func(Args) (any, error) {
				s.mu.Lock()
				defer s.mu.Unlock()
				return len(s.conns), nil
			}},
		&Method{Name: "ctl.who", Help: "Lists the open connections that commands come by: " +
			"protocol, kind, and address and port of both ends.",
			Call: func(Args) (any, error) { return s.who() }})
}

func (s *StatusService) who() (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) == 0 {
		return nil, Faultf(400, "no open stream connection")
	}
	all := []string{}
	for c := range s.conns {
		d := Door{Network: c.LocalAddr().Network()}
		all = append(append(all, "binrpc", d.kind()), addressOf(c.RemoteAddr())...)
		all = append(all, addressOf(c.LocalAddr())...)
	}
	return all, nil
}

func (d *openDoor) address() net.Addr {
	if d.listener != nil {
		return d.listener.Addr()
	}
	return d.packets.LocalAddr()
}

// addressOf is an address and a port, which is empty for a Unix socket.
func addressOf(a net.Addr) []string {
	if u, ok := a.(*net.UnixAddr); ok {
		if u.Name == "" || u.Name == "@" {
			return []string{"<anonymous unix socket>", ""}
		}
		return []string{u.Name, ""}
	}
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return []string{a.String(), ""}
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "*"
	}
	return []string{host, port}
}
