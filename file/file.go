// Package file reads files that an operator names: whole, bounded, and without waiting. What is no
// regular file is refused, since a FIFO that nobody closes or a device would hold up the reload that
// reads it, and every one after it.
//
// /dev/null is an empty file: that is how configurations say "none".
//
// When not to use it: for files of the kernel (/proc), and for what the command line may give as a
// pipe.
package file

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Read reads the file at path, of most bytes at most.
func Read(path string, most int64) ([]byte, error) {
	// O_NONBLOCK: to open a FIFO waits for a writer, and some devices do for a carrier.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if m := st.Mode(); !m.IsRegular() {
		if isNull(st) {
			return []byte{}, nil
		}
		return nil, fmt.Errorf("%s is %s: name a regular file", path, kind(m))
	}
	if st.Size() > most {
		return nil, tooLong(path, most)
	}
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most { // it grew, or its file system knows no sizes
		err = tooLong(path, most)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// isNull tells whether the file is the device null, which has one number on all of Linux.
func isNull(st fs.FileInfo) bool {
	s, ok := st.Sys().(*syscall.Stat_t)
	return ok && s.Mode&unix.S_IFMT == unix.S_IFCHR && s.Rdev == unix.Mkdev(1, 3)
}

func tooLong(path string, most int64) error {
	if most >= 1<<20 && most%(1<<20) == 0 {
		return fmt.Errorf("%s is longer than %d MiB: is it the right file?", path, most>>20)
	}
	return fmt.Errorf("%s is longer than %d bytes: is it the right file?", path, most)
}

func kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a FIFO"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "no file"
}
