package control

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Documents is who answers documents of JSON-RPC that come by a FIFO or in datagrams: what module
// jsonrpcs does. The answer is nil where there is none. replyName is the member reply_name of the
// document. wrong is what is wrong with a document that is not answered.
type Documents func(doc []byte) (answer []byte, replyName, wrong string)

// OpenDocumentFIFO makes a FIFO that documents are written to, one after another. Each names the
// FIFO in replyDir that its answer goes to, which the client has made and reads. The rules for the
// path are those of ListenFIFO.
func (s *StatusService) OpenDocumentFIFO(d Door, replyDir string, within time.Duration,
	answer Documents) error {
	st, err := os.Stat(replyDir)
	if err != nil {
		return fmt.Errorf("cannot use the folder of reply FIFOs: %w", err)
	}
	if !st.IsDir() {
		return fmt.Errorf("%s is no folder, and reply FIFOs are looked for there", replyDir)
	}
	f, err := s.makeFIFO(d.Address, d.Mode, d.Owner)
	if err != nil {
		return err
	}
	r := documentReader{s: s, f: f, answered: func(doc []byte) {
		s.answerDocument(doc, answer, func(b []byte, name string) error {
			return s.replyDocument(replyDir, name, b, within)
		})
	}}
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		r.run()
	}()
	return nil
}

// OpenDocumentSocket opens a socket for datagrams of a document each. workers answer them.
func (s *StatusService) OpenDocumentSocket(d Door, workers int, within time.Duration,
	answer Documents) error {
	o := openDoor{Door: d, documents: true}
	if err := s.listen(&o); err != nil {
		return err
	}
	s.mu.Lock()
	s.doors = append(s.doors, o)
	s.mu.Unlock()
	for range workers {
		s.wg.Add(1)
		go func() {
			defer s.wg.Done()
			s.receiveDocuments(o.packets, within, answer)
		}()
	}
	return nil
}

// answerDocument has one document answered. A panic costs its answer.
func (s *StatusService) answerDocument(doc []byte, answer Documents,
	reply func(b []byte, name string) error) {
	defer func() {
		if v := recover(); v != nil {
			s.log.Error("contained a panic in a JSON-RPC document, please report", "panic",
				fmt.Sprint(v))
		}
	}()
	b, name, wrong := answer(doc)
	if b == nil {
		s.log.Warn("a JSON-RPC document is not answered: " + wrong)
		return
	}
	if err := reply(b, name); err != nil {
		s.log.Warn("cannot answer a JSON-RPC document", "error", err)
	}
}

func (s *StatusService) receiveDocuments(conn net.PacketConn, within time.Duration,
	answer Documents) {
	buf := make([]byte, maxDatagram)
	for {
		n, from, err := conn.ReadFrom(buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // as for accept
			s.log.Warn("cannot receive JSON-RPC documents", "error", err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		s.answerDocument(buf[:n], answer, func(b []byte, _ string) error {
			switch {
			case from == nil || from.String() == "":
				return errors.New("the client's socket has no name: bind it to a path")
			case len(b) > maxDatagram:
				return fmt.Errorf("the answer has %d bytes, more than a datagram takes: ask over "+
					"the FIFO or HTTP", len(b))
			}
			_ = conn.SetWriteDeadline(time.Now().Add(within))
			_, err := conn.WriteTo(b, from)
			return err
		})
	}
}

// documentReader cuts what is written to a FIFO into documents, by their braces.
type documentReader struct {
	s        *StatusService
	f        *os.File
	answered func(doc []byte)

	doc    []byte // the one under way
	depth  int
	quoted bool // within a string
	escape bool // behind a backslash in it
	junk   bool // what is no document is skipped up to the end of the line
}

// run reads until the FIFO is closed. A document that is not finished for a while is given up: its
// writer is gone, and the next one begins anew.
func (r *documentReader) run() {
	buf := make([]byte, 4096)
	for {
		var until time.Time
		if len(r.doc) > 0 {
			until = time.Now().Add(documentPause)
		}
		_ = r.f.SetReadDeadline(until)
		n, err := r.f.Read(buf)
		for _, c := range buf[:n] {
			r.take(c)
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			r.drop("it has no end: a closing brace or quote is missing")
		case err != nil && !errors.Is(err, io.EOF):
			return
		}
	}
}

// drop gives up the document under way.
func (r *documentReader) drop(why string) {
	r.s.log.Warn("a JSON-RPC document on the FIFO is skipped", "reason", why, "bytes", len(r.doc))
	r.doc, r.depth, r.quoted, r.escape = r.doc[:0], 0, false, false
}

// take takes one byte.
func (r *documentReader) take(c byte) {
	if r.depth == 0 {
		switch {
		case r.junk:
			r.junk = c != '\n'
			return
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			return
		case c != '{':
			r.junk = true
			r.drop("it does not begin with {")
			return
		}
	}
	if r.doc = append(r.doc, c); len(r.doc) > MaxCommandBytes {
		r.drop(fmt.Sprintf("it is longer than %d bytes", MaxCommandBytes))
		r.junk = c != '\n'
		return
	}
	switch {
	case r.escape:
		r.escape = false
	case r.quoted:
		r.escape, r.quoted = c == '\\', c != '"'
	case c == '"':
		r.quoted = true
	case c == '{':
		r.depth++
	case c == '}':
		if r.depth--; r.depth == 0 {
			r.answered(r.doc)
			r.doc = r.doc[:0]
		}
	}
}

// replyDocument writes an answer to a client's FIFO. It waits a moment for a client that is about
// to read, and for one that reads slowly, but not for ever.
func (s *StatusService) replyDocument(dir, name string, answer []byte,
	within time.Duration) error {
	if name == "" || strings.ContainsRune(name, '/') || name == "." || name == ".." {
		return fmt.Errorf("reply FIFO %q: give a name in %s", name, dir)
	}
	path, until := filepath.Join(dir, name), time.Now().Add(within)
	fd, err := -1, error(nil)
	for {
		fd, err = unix.Open(path, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err == nil || !errors.Is(err, unix.ENXIO) && !errors.Is(err, unix.ENOENT) ||
			time.Now().After(until) {
			break
		}
		select {
		case <-s.closed:
			return errors.New("the server stops")
		case <-time.After(documentRetry):
		}
	}
	if err != nil {
		return fmt.Errorf("reply FIFO %s (make it and read from it before asking): %w", path, err)
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	if st, err := f.Stat(); err != nil || st.Mode()&os.ModeNamedPipe == 0 {
		return fmt.Errorf("%s is no FIFO", path)
	}
	_ = f.SetWriteDeadline(until)
	_, err = f.Write(answer)
	return err
}
