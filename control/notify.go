package control

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Notifier tells the service manager how the start and the stop go (sd_notify(3)). The methods of a
// nil Notifier do nothing.
type Notifier struct {
	conn     *net.UnixConn
	watchdog time.Duration
}

// OpenNotifier connects to the manager named in the environment. It returns nil if there is none.
// Call it before chroot, since the socket is outside.
func OpenNotifier() (*Notifier, error) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil, nil
	}
	if !strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "@") {
		return nil, fmt.Errorf("NOTIFY_SOCKET=%s is neither a path nor an abstract name", path)
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("cannot reach the service manager: %w", err)
	}
	n := &Notifier{conn: conn}
	// sd_watchdog_enabled(3): the interval counts only for the process it names, if it names one.
	if usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64); err == nil && usec > 0 {
		if pid := os.Getenv("WATCHDOG_PID"); pid == "" || pid == strconv.Itoa(os.Getpid()) {
			n.watchdog = time.Duration(usec) * time.Microsecond
		}
	}
	return n, nil
}

// Ready says that sockets are bound and calls are served.
func (n *Notifier) Ready(status string) {
	n.send(fmt.Sprintf("READY=1\nMAINPID=%d\nSTATUS=%s", os.Getpid(), status))
}

// Stopping says that the process drains and will end.
func (n *Notifier) Stopping() { n.send("STOPPING=1") }

// Alive feeds the watchdog.
func (n *Notifier) Alive() { n.send("WATCHDOG=1") }

// WatchdogInterval returns how often Alive is due: half of what the manager allows, 0 if it did not
// ask.
func (n *Notifier) WatchdogInterval() time.Duration {
	if n == nil {
		return 0
	}
	return n.watchdog / 2
}

func (n *Notifier) send(state string) {
	if n == nil {
		return
	}
	_ = n.conn.SetWriteDeadline(time.Now().Add(time.Second))
	// A manager that does not listen must not affect calls.
	_, _ = n.conn.Write([]byte(state))
}
