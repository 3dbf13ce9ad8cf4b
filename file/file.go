// Package file reads files that an operator names: bounded, and without waiting. What is no regular
// file is refused, since a FIFO that nobody closes or a device would hold up the reload that reads
// it, and every one after it.
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
	f, err := Open(path, most)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Open opens the file at path for one who reads it piece by piece. To read beyond most bytes is an
// error.
func Open(path string, most int64) (io.ReadCloser, error) {
	// O_NONBLOCK: to open a FIFO waits for a writer, and some devices do for a carrier.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() && !isNull(st) {
		err = fmt.Errorf("%s is %s: name a regular file", path, kind(st.Mode()))
	}
	if err == nil && st.Mode().IsRegular() && st.Size() > most {
		err = tooLong(path, most)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &bounded{f, most, most}, nil
}

// bounded is a file that may have so many bytes at most. It may grow while it is read, and some
// file systems know no sizes.
type bounded struct {
	f          *os.File
	most, left int64
}

// Read reads on. It is an error where there is more than there may be.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.f.Read(p[:min(int64(len(p)), b.left+1)])
	if b.left -= int64(n); b.left < 0 {
		return 0, tooLong(b.f.Name(), b.most)
	}
	return n, err
}

// Close closes the file.
func (b *bounded) Close() error { return b.f.Close() }

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
