package control

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// CheckPIDFile returns an error unless a process may start that will write its number to path. It
// may if there is no file, or the file names a process that is gone. A file that names a living
// process, or holds no number, is refused: somebody else's file is not overwritten. It is called
// before sockets are bound, since with SO_REUSEPORT a second instance would take calls from the
// first until it found out.
func CheckPIDFile(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read the pid file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, pidFileBytes))
	if err != nil {
		return fmt.Errorf("cannot read the pid file: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid <= 0 {
		return fmt.Errorf("pid file %s exists and does not hold a process number: remove it if "+
			"it is not in use", path)
	}
	if pid == os.Getpid() {
		// The first process of a container may find the file of its former life with its own
		// number.
		return nil
	}
	if lives(pid) {
		return fmt.Errorf("already running: pid file %s names the living process %d", path, pid)
	}
	return nil
}

// lives reports whether there is a process of that number that can still do something. A zombie
// cannot: it only waits for its parent to ask how it ended. Without /proc a zombie counts as
// living, as for kill(2).
func lives(pid int) bool {
	// EPERM: it lives, under another user.
	if err := unix.Kill(pid, 0); err != nil && !errors.Is(err, unix.EPERM) {
		return false
	}
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return true
	}
	// pid (name) state …: the name may hold blanks and parentheses (proc_pid_stat(5)).
	_, rest, _ := strings.Cut(string(stat[max(bytes.LastIndexByte(stat, ')'), 0):]), " ")
	if !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X") {
		return true
	}
	threads, err := os.ReadDir(dir + "/task") // the first thread may have ended alone
	return err == nil && len(threads) > 1
}

// CreatePIDFile writes this process's number to path by CheckPIDFile's rules. The file is made
// anew, so that of two processes that start at once one fails here.
func CreatePIDFile(path string) error {
	for attempt := 0; ; attempt++ {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err == nil {
			_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
			if closeErr := f.Close(); err == nil {
				err = closeErr
			}
			if err != nil {
				os.Remove(path)
				return fmt.Errorf("cannot write the pid file: %w", err)
			}
			return nil
		}
		if !errors.Is(err, fs.ErrExist) || attempt > 0 {
			return fmt.Errorf("cannot create the pid file: %w", err)
		}
		if err := CheckPIDFile(path); err != nil {
			return err
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot replace the stale pid file: %w", err)
		}
	}
}

// WriteGroupFile writes the number of this process's group to path, replacing what was there. The
// pid file, not this one, says which process runs.
func WriteGroupFile(path string) error {
	if err := os.WriteFile(path, fmt.Appendf(nil, "%d\n", unix.Getpgrp()), 0o644); err != nil {
		return fmt.Errorf("cannot write the file of the process group: %w", err)
	}
	return nil
}
