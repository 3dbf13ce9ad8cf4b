package control

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A process that drains still holds its ports, and a successor cannot bind them. So while it drains
// it listens on one abstract Unix socket per address (unix(7): without a file, and seen within the
// network namespace whose ports it stands for). Connecting is the request to let go:
//
//	draining process                            successor
//	listen "viaduct-draining/udp:ADDRESS"
//	                                       ←    connect, when all but binding is done
//	stop, close every socket, end
//	                                       →    end of file: bind

// releasePrefix begins the names of the abstract sockets.
const releasePrefix = "@viaduct-draining/"

// Release is the draining process's end of that.
type Release struct {
	asked     chan struct{}
	once      sync.Once
	listeners []*net.UnixListener
}

// OfferRelease lets a successor ask for the listed addresses, each "udp:192.0.2.1:5060". The error
// names those that could not be offered; the others are.
func OfferRelease(addrs []string) (*Release, error) {
	r := &Release{asked: make(chan struct{})}
	var errs []error
	for _, a := range addrs {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: releasePrefix + a, Net: "unix"})
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot offer %s to a successor: %w", a, err))
			continue
		}
		r.listeners = append(r.listeners, l)
		go r.accept(l)
	}
	return r, errors.Join(errs...)
}

// Asked returns a channel that is closed when a successor has asked. It returns nil for the nil
// Release, which nobody asks.
func (r *Release) Asked() <-chan struct{} {
	if r == nil {
		return nil
	}
	return r.asked
}

// accept waits for a process of root or our own user. Any other has its connection closed. The
// connection of a successor stays open until the process ends, which tells it that everything is
// closed.
func (r *Release) accept(l *net.UnixListener) {
	for {
		conn, err := l.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors: it passes
			time.Sleep(100 * time.Millisecond)
			continue
		}
		cred, err := peerOf(conn)
		if err != nil || !trusted(cred) {
			conn.Close()
			continue
		}
		askers.Store(conn, struct{}{})
		r.once.Do(func() { close(r.asked) })
	}
}

// askers keeps the connections of successors reachable: if a finalizer closed one, the successor
// would take us for gone.
var askers sync.Map

func peerOf(conn *net.UnixConn) (cred *unix.Ucred, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	if ctlErr := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); ctlErr != nil {
		return nil, ctlErr
	}
	return cred, err
}

// Drains reports whether a process drains on one of the listed addresses, without asking it for
// anything. Without /proc it returns true, since one may.
func Drains(addrs []string) bool {
	sockets, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return true
	}
	for line := range strings.Lines(string(sockets)) {
		_, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), releasePrefix)
		if name != "" && slices.Contains(addrs, name) {
			return true
		}
	}
	return false
}

// AskForRelease asks draining processes to let go of the listed addresses and waits until they have
// ended, releaseTimeout at most. It returns the process numbers of those that have, 0 for one in a
// pid namespace that we do not see. It returns none if nobody drains there, which costs nothing.
// Anybody can take the name of an abstract socket, so a process that is neither root's nor of our
// own user is ignored.
func AskForRelease(addrs []string) (gone []int, err error) {
	for _, a := range addrs {
		conn, err := net.Dial("unix", releasePrefix+a)
		if err != nil {
			continue
		}
		c := conn.(*net.UnixConn)
		cred, err := peerOf(c) // of the process that called listen (unix(7))
		if err == nil && !trusted(cred) {
			conn.Close()
			continue
		}
		pid := 0
		if err == nil {
			pid, err = askOne(c, cred)
		}
		conn.Close()
		if err != nil {
			return gone, fmt.Errorf("the process that drains on %s does not let go of it: %w",
				strings.TrimPrefix(a, releasePrefix), err)
		}
		gone = append(gone, pid)
	}
	return gone, nil
}

// trusted reports whether the far end is root or our own user.
func trusted(cred *unix.Ucred) bool { return cred.Uid == 0 || int(cred.Uid) == os.Geteuid() }

func askOne(conn *net.UnixConn, cred *unix.Ucred) (pid int, err error) {
	end := time.Now().Add(releaseTimeout)
	_ = conn.SetReadDeadline(end)
	if _, err := conn.Read(make([]byte, 1)); err != nil && !errors.Is(err, io.EOF) &&
		!errors.Is(err, unix.ECONNRESET) {
		return 0, fmt.Errorf("no answer within %s", releaseTimeout)
	}
	if cred.Pid == 0 { // in another pid namespace (pid_namespaces(7)): wait for the end of file
		return 0, nil
	}
	for pid = int(cred.Pid); lives(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return 0, fmt.Errorf("process %d does not end", pid)
		}
	}
	return pid, nil
}
