package control

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Go process cannot fork: its threads would be gone in the child. So a daemon is the same program
// started again in its own session, which reports over an inherited pipe:
//
//	parent (the shell waits)          daemon (own session)
//	start, wait on the pipe     →     read the configuration, bind, chroot, change user
//	                            ←     'R': ready. Parent exits 0, daemon lets go of the terminal
//	                            ←     'F' code text: failed. Parent prints it, exits with the code
//	                            ←     end of file: it died. Parent says so and exits with its code

// daemonPipeEnv names the descriptor of the pipe to the parent.
const daemonPipeEnv = "VIADUCT_DAEMON_PIPE"

const (
	daemonReady  = 'R'
	daemonFailed = 'F'
)

// StartDaemon starts this program again with the same arguments as a daemon, waits until it is
// ready or has failed, prints its error to stderr and returns the exit code for the calling
// process. stdin is what the daemon reads as its standard input, nil for nothing.
func StartDaemon(stdin io.Reader, stderr io.Writer) int {
	const failure = 255
	fail := func(err error) int {
		fmt.Fprintf(stderr, "viaduct: cannot start the daemon: %v\n", err)
		return failure
	}
	exe, err := os.Executable()
	if err != nil {
		return fail(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fail(err)
	}
	defer r.Close()
	// An interrupt before the daemon is ready ends the attempt as a whole: see Daemon.Ready.
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(interrupted)

	cmd := exec.Command(exe, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), daemonPipeEnv+"=3") // 3: the first of ExtraFiles
	cmd.ExtraFiles = []*os.File{w}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		w.Close()
		return fail(err)
	}
	w.Close()
	go func() {
		if _, open := <-interrupted; open {
			_ = cmd.Process.Kill()
		}
	}()
	said, err := io.ReadAll(r)
	switch {
	case err != nil:
		return fail(err)
	case len(said) >= 1 && said[0] == daemonReady:
		return 0
	case len(said) >= 5 && said[0] == daemonFailed:
		fmt.Fprintf(stderr, "%s\n", said[5:])
		return int(binary.BigEndian.Uint32(said[1:5]))
	}
	err = cmd.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() > 0 {
		fmt.Fprintf(stderr, "viaduct: the daemon ended before it was ready (%v)\n", err)
		return exit.ExitCode()
	}
	return fail(fmt.Errorf("it ended before it was ready: %w", err))
}

// Daemon is the daemon's end of the pipe. The nil Daemon is a process in the foreground: its Ready
// does nothing.
type Daemon struct{ pipe *os.File }

// DaemonFromEnv returns the daemon's end of the pipe if this process was started by StartDaemon,
// else nil.
func DaemonFromEnv() *Daemon {
	fd, err := strconv.Atoi(os.Getenv(daemonPipeEnv))
	os.Unsetenv(daemonPipeEnv)
	if err != nil || fd < 3 {
		return nil
	}
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return nil // somebody exported the variable: there is no parent of ours
	}
	unix.CloseOnExec(fd)
	return &Daemon{os.NewFile(uintptr(fd), "pipe to the parent")}
}

// Ready lets the parent exit and detaches from the terminal: standard input and output become
// /dev/null, and so does standard error unless keepStderr. An error means that the parent is gone,
// which is how an interrupted start looks from here.
func (d *Daemon) Ready(keepStderr bool) error {
	if d == nil {
		return nil
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		// In a chroot without devices a pipe stands in: with its other end closed it reads as
		// empty, and writes to it fail with an error that is ignored.
		r, w, pipeErr := os.Pipe()
		if pipeErr != nil {
			return errors.Join(err, pipeErr)
		}
		w.Close()
		null = r
	}
	defer null.Close()
	for fd := 0; fd <= 2; fd++ {
		if fd == 2 && keepStderr {
			break
		}
		if err := unix.Dup3(int(null.Fd()), fd, 0); err != nil {
			return fmt.Errorf("cannot let go of the terminal: %w", err)
		}
	}
	_, err = d.pipe.Write([]byte{daemonReady})
	d.pipe.Close()
	return err
}

// Fail tells the parent what to print and its exit code. The caller exits next. It must not be
// called on nil.
func (d *Daemon) Fail(code int, text string) {
	msg := binary.BigEndian.AppendUint32([]byte{daemonFailed}, uint32(code))
	_, _ = d.pipe.Write(append(msg, text...)) // an interrupted parent reads nothing
	d.pipe.Close()
}
