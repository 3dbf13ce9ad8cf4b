package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed demo.cfg
var configuration string

const (
	// readyTime bounds the server's start, stopTime its orderly end.
	readyTime = 10 * time.Second
	stopTime  = 5 * time.Second
	// memoryMB is the server's -m: enough for the demonstration's fastest rate, and no strain on a
	// laptop.
	memoryMB = 256
)

// demoServer is a Viaduct that runs, with the addresses around it.
type demoServer struct {
	dir     string
	address netip.AddrPort
	callers []netip.AddrPort
	ends    []netip.AddrPort
	cmd     *exec.Cmd
	exited  chan struct{}
	err     error
	stopped bool
}

func startServer(ctx context.Context, program string) (*demoServer, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return nil, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	ports, err := freePorts(5)
	if err != nil {
		return nil, err
	}
	s := &demoServer{address: ports[0], callers: ports[1:3], ends: ports[3:5],
		exited: make(chan struct{})}
	if s.dir, err = os.MkdirTemp("", "viaduct-demo-"); err != nil {
		return nil, fmt.Errorf("cannot make a folder: %w", err)
	}
	if err := s.start(ctx, path); err != nil {
		tail := s.tail()
		s.stop()
		return nil, fmt.Errorf("%s: %w; its last words:\n%s", program, err, tail)
	}
	return s, nil
}

func (s *demoServer) start(ctx context.Context, path string) error {
	list := ""
	for _, a := range s.ends {
		list += "1 sip:" + a.String() + "\n"
	}
	text := strings.Replace(configuration, "127.0.0.1:PORT", s.address.String(), 1)
	if err := errors.Join(os.WriteFile(filepath.Join(s.dir, "demo.cfg"), []byte(text), 0o644),
		os.WriteFile(filepath.Join(s.dir, "dispatcher.list"), []byte(list), 0o644)); err != nil {
		return err
	}
	log, err := os.Create(s.logPath())
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own
	s.cmd = exec.Command(path, "-f", "demo.cfg", "-D", "-E", "-w", s.dir, "-n", "1", "-m",
		strconv.Itoa(memoryMB))
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, log, log
	// an interrupt from the terminal is for us, who then end it
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return err
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.exited)
	}()
	for end := time.Now().Add(readyTime); time.Now().Before(end); {
		if answers(s.address) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.exited:
			return fmt.Errorf("ended at once: %w", errors.Join(s.err))
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("does not answer after %v", readyTime)
}

// answers asks with OPTIONS and Max-Forwards 0, which the configuration answers with 483.
func answers(server netip.AddrPort) bool {
	conn, err := net.Dial("udp", server.String())
	if err != nil {
		return false
	}
	defer conn.Close()
	local, id := conn.LocalAddr(), strconv.FormatInt(time.Now().UnixNano(), 36)
	fmt.Fprintf(conn, "OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKd%s\r\n"+
		"Max-Forwards: 0\r\nFrom: <sip:demo@%s>;tag=d%s\r\nTo: <sip:%s>\r\n"+
		"Call-ID: d%s@127.0.0.1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
		server, local, id, local, id, server, id)
	// a fresh socket takes a deadline
	_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	reply := make([]byte, 2048)
	n, err := conn.Read(reply)
	return err == nil && bytes.HasPrefix(reply[:n], []byte("SIP/2.0 483"))
}

func (s *demoServer) logPath() string { return filepath.Join(s.dir, "log") }

func (s *demoServer) tail() string {
	text, _ := os.ReadFile(s.logPath()) // no log, no last words
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-12):], "\n")
}

// alive is an error if the server has ended by itself.
func (s *demoServer) alive() error {
	select {
	case <-s.exited:
		return fmt.Errorf("the server ended: %w; its last words:\n%s", errors.Join(s.err), s.tail())
	default:
		return nil
	}
}

// stop ends the server and removes its folder.
func (s *demoServer) stop() {
	if s.cmd != nil && !s.stopped {
		s.stopped = true
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // one that has ended already is as wanted
		select {
		case <-s.exited:
		case <-time.After(stopTime):
		}
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		<-s.exited
	}
	_ = os.RemoveAll(s.dir)
}

// freePorts finds n free UDP ports on loopback; all are held until the last is found, so that they
// differ.
func freePorts(n int) ([]netip.AddrPort, error) {
	var ports []netip.AddrPort
	for range n {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return nil, fmt.Errorf("cannot find free UDP ports on 127.0.0.1: %w", err)
		}
		defer conn.Close()
		ports = append(ports, conn.LocalAddr().(*net.UDPAddr).AddrPort())
	}
	return ports, nil
}
