package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/valyala/bytebufferpool"
	"golang.org/x/sys/unix"

	"viaduct/control/binrpc"
)

// Commands are the commands of the FIFO and the Unix socket, by name; each returns a value that
// becomes one line of JSON. They run in the goroutine of the client that asked, several at a time.
type Commands map[string]func() any

// answer runs one line that a client sent and writes the answer to b. A panic costs the answer
// alone: a client must not be able to end the process.
func (s *StatusService) answer(b *bytebufferpool.ByteBuffer, line string) {
	defer func() {
		if v := recover(); v != nil {
			s.log.Error("contained a panic in a status command, please report", "command", line,
				"panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			b.Reset()
			if s.rpc != nil {
				writeJSON(b, faultOf(Faultf(500, "the command failed, see the log")))
			} else {
				writeJSON(b, map[string]string{"error": "the command failed, see the log"})
			}
		}
	}()
	name, _, _ := strings.Cut(line, " ")
	if s.rpc != nil && s.commands[name] == nil {
		s.rpc.Answer(b, line)
		return
	}
	s.commands.answer(b, line)
}

// answer runs one line.
func (c Commands) answer(b *bytebufferpool.ByteBuffer, line string) {
	var v any
	if f := c[line]; f != nil {
		v = f()
	} else {
		v = map[string]string{"error": fmt.Sprintf("unknown command %q: status and stats are known",
			line)}
	}
	writeJSON(b, v)
}

// StatusService serves Commands at a FIFO (-i), a Unix socket (-x), and the addresses of module ctl
// (see Door). FIFO and socket are made with mode 0660. Close removes what was made.
//
//	socket   a line "status" in, a line of JSON out, as often as the client likes; or packets of
//	         kamcmd(8), with Serve
//	FIFO     "status" in: the answer goes to the log. "status NAME" in: the answer goes to the FIFO
//	         NAME, which the client made in the same folder and reads from; a name with a slash is
//	         refused, or a client could have us write anywhere
//
// With Serve the methods of an RPC are answered as well. Since they take arguments, on the FIFO the
// name of the reply comes last with a > before it: "core.uptime >NAME".
type StatusService struct {
	commands Commands
	rpc      *RPC // nil means commands only
	log      *Log

	fifos  []*os.File
	paths  []string // to remove
	closed chan struct{}
	slots  chan struct{}  // one for each client that may be served at once
	wg     sync.WaitGroup // every goroutine of the service

	mu    sync.Mutex // guards what follows
	doors []openDoor
	conns map[streamConn]struct{} // nil once Close has begun
}

// streamConn is a connection of TCP or of a Unix stream socket.
type streamConn interface {
	net.Conn
	CloseWrite() error
}

// NewStatusService makes a service that listens nowhere yet.
func NewStatusService(commands Commands, log *Log) *StatusService {
	return &StatusService{
		commands: commands, log: log, closed: make(chan struct{}),
		slots: make(chan struct{}, statusClients), conns: map[streamConn]struct{}{},
	}
}

// commandHelp is what system.methodHelp says of commands.
var commandHelp = map[string]string{
	"status": "Tells version, addresses, state (serving or draining), uptime and lost log lines.",
	"stats": "Reads every counter of shards, streams, names and the blocklist; docs/counters.md " +
		"has what each counts.",
}

// Serve makes the service answer the methods of r beside the commands. Call it before the first
// Listen.
func (s *StatusService) Serve(r *RPC) {
	s.rpc = r
	for name, f := range s.commands {
		r.Register(&Method{Name: name, Help: commandHelp[name], Call: func(Args) (any, error) {
			return f(), nil
		}})
	}
}

// withMask runs f while new files get mode 0660 at most. It is only for start-up, since the mask
// belongs to the whole process.
func withMask(f func() error) error {
	old := unix.Umask(0o117)
	defer unix.Umask(old)
	return f()
}

// CheckSocketPath returns an error for a path that no Unix socket can have.
func CheckSocketPath(path string) error {
	if len(path) > maxSocketPath {
		return fmt.Errorf("status socket %s: the path has %d bytes, and the kernel takes %d "+
			"(unix(7)): choose a shorter one", path, len(path), maxSocketPath)
	}
	return nil
}

// ListenUnix opens the socket. A socket that nobody listens on any more is replaced; a live one, or
// a file that is no socket, is refused.
func (s *StatusService) ListenUnix(path string, owner *Identity) error {
	return s.Open(Door{Network: "unix", Address: path, Mode: 0o660, Owner: owner})
}

func (s *StatusService) accept(l net.Listener) {
	defer s.wg.Done()
	for {
		select {
		case s.slots <- struct{}{}:
		case <-s.closed:
			return
		}
		accepted, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors, which passes
			s.log.Warn("cannot accept on the status socket", "error", err)
			time.Sleep(100 * time.Millisecond)
			<-s.slots
			continue
		}
		conn := accepted.(streamConn) // these listeners have no others
		if !s.keep(conn) {
			return
		}
		go func() {
			defer func() { s.drop(conn); <-s.slots }()
			s.serve(conn)
		}()
	}
}

// keep registers a connection. It returns false if Close has begun.
func (s *StatusService) keep(conn streamConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns == nil {
		conn.Close()
		return false
	}
	s.conns[conn] = struct{}{}
	s.wg.Add(1)
	return true
}

func (s *StatusService) drop(conn streamConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	conn.Close()
	delete(s.conns, conn)
	s.wg.Done()
}

func (s *StatusService) serve(conn streamConn) {
	_ = conn.SetReadDeadline(time.Now().Add(statusFirstLine))
	r := bufio.NewReader(conn)
	if first, err := r.Peek(1); err == nil && first[0] == binrpc.Magic {
		s.serveBinary(conn, r)
		return
	}
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 0, commandRoomBytes), MaxCommandBytes)
	for wait := statusFirstLine; ; wait = statusIdleTimeout {
		_ = conn.SetReadDeadline(time.Now().Add(wait))
		if !in.Scan() {
			if errors.Is(in.Err(), bufio.ErrTooLong) {
				s.refuseLong(conn)
			}
			return
		}
		if err := s.reply(conn, strings.TrimSpace(in.Text())); err != nil {
			return
		}
	}
}

// refuseLong says that a line is too long, and reads the rest of it for a moment: if a connection
// is closed with bytes unread, a client that still writes sees it as broken.
func (s *StatusService) refuseLong(conn streamConn) {
	_ = conn.SetDeadline(time.Now().Add(statusFirstLine))
	fault := Faultf(413, "the line is too long: %d bytes are taken at most, its line feed included",
		MaxCommandBytes)
	b, _ := json.Marshal(map[string]*Fault{"error": fault}) // a number and a text always marshal
	if _, err := conn.Write(append(b, '\n')); err != nil {
		return
	}
	_ = conn.CloseWrite()
	_, _ = io.Copy(io.Discard, io.LimitReader(conn, 16*MaxCommandBytes))
}

// reply answers one line of a client.
func (s *StatusService) reply(conn streamConn, line string) error {
	b := bytebufferpool.Get()
	defer bytebufferpool.Put(b)
	s.answer(b, line)
	return write(conn, b.B)
}

// write writes an answer. The time for it begins now, however long the command took.
func write(conn streamConn, answer []byte) error {
	_ = conn.SetWriteDeadline(time.Now().Add(statusIdleTimeout))
	_, err := conn.Write(answer)
	return err
}

// CheckFIFOPath returns an error for a path that no FIFO can have.
func CheckFIFOPath(path string) error {
	if len(path) > maxPath {
		return fmt.Errorf("status FIFO %s: the path has %d bytes, and the kernel takes %d "+
			"(pathname(7)): choose a shorter one", path, len(path), maxPath)
	}
	for name := range strings.SplitSeq(path, "/") {
		if len(name) > unix.NAME_MAX {
			return fmt.Errorf("status FIFO %s: a name in the path has %d bytes, and the kernel "+
				"takes %d (pathname(7)): choose a shorter one", path, len(name), unix.NAME_MAX)
		}
	}
	return nil
}

// ListenFIFO opens the FIFO. A FIFO that nobody reads is replaced; one that is read, or a file that
// is no FIFO, is refused.
func (s *StatusService) ListenFIFO(path string, owner *Identity) error {
	f, err := s.makeFIFO(path, 0o660, owner)
	if err != nil {
		return err
	}
	s.wg.Add(1)
	go s.readFIFO(f, filepath.Dir(path))
	return nil
}

// makeFIFO makes a FIFO and opens it, see ListenFIFO. Close closes and removes it.
func (s *StatusService) makeFIFO(path string, mode fs.FileMode, owner *Identity) (*os.File, error) {
	if err := CheckFIFOPath(path); err != nil {
		return nil, err
	}
	switch st, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("cannot use the status FIFO: %w", err)
	case st.Mode()&fs.ModeNamedPipe == 0:
		return nil, fmt.Errorf("status FIFO %s exists and is no FIFO: remove it or choose another "+
			"path", path)
	default:
		// Opening for writing without waiting succeeds only while somebody reads (fifo(7)).
		if fd, err := unix.Open(path, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err == nil {
			unix.Close(fd)
			return nil, fmt.Errorf("status FIFO %s is in use by a living process", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("cannot replace the stale status FIFO: %w", err)
		}
	}
	if err := withMask(func() error { return unix.Mkfifo(path, 0o660) }); err != nil {
		return nil, fmt.Errorf("cannot make the status FIFO %s: %w", path, err)
	}
	s.paths = append(s.paths, path)
	// Open for both, so that it never ends when a client closes; non-blocking, so that Close wakes
	// the reader.
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open the status FIFO: %w", err)
	}
	s.fifos = append(s.fifos, f)
	if err := os.Chmod(path, mode); err != nil {
		return nil, fmt.Errorf("cannot set the mode of the status FIFO: %w", err)
	}
	return f, owner.Own(path)
}

func (s *StatusService) readFIFO(f *os.File, dir string) {
	defer s.wg.Done()
	in := bufio.NewReaderSize(f, MaxCommandBytes)
	tooLong := false // the line under way, up to its end
	for {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			if !tooLong {
				s.log.Warn("command on the status FIFO is too long", "limit_bytes", MaxCommandBytes)
			}
			tooLong = true
			continue
		case err != nil:
			return
		case tooLong:
			tooLong = false // the end of it
			continue
		}
		command, reply, hasReply := s.cutReply(strings.TrimSpace(string(line)))
		if command == "" {
			continue
		}
		if !hasReply {
			s.answerToLog(command)
		} else if err := s.answerToFIFO(command, dir, strings.TrimSpace(reply)); err != nil {
			s.log.Warn("cannot answer on a reply FIFO", "error", err)
		}
	}
}

func (s *StatusService) answerToLog(command string) {
	b := bytebufferpool.Get()
	defer bytebufferpool.Put(b)
	s.answer(b, command)
	s.log.Raw(b.B[:len(b.B)-1])
}

func (s *StatusService) answerToFIFO(command, dir, reply string) error {
	b := bytebufferpool.Get()
	defer bytebufferpool.Put(b)
	s.answer(b, command)
	return replyFIFO(dir, reply, b.B)
}

// cutReply splits a line of the FIFO into what is asked and where the answer goes.
func (s *StatusService) cutReply(line string) (command, reply string, ok bool) {
	if at := strings.LastIndex(line, " >"); at >= 0 && s.rpc != nil &&
		!strings.ContainsAny(line[at:], "\"\t") {
		return strings.TrimSpace(line[:at]), line[at+2:], true
	}
	command, reply, ok = strings.Cut(line, " ")
	if s.rpc != nil && s.commands[command] == nil {
		return line, "", false
	}
	return command, reply, ok
}

// replyFIFO writes to a client's FIFO without ever waiting for the client: an answer that does not
// fit the pipe's buffer is cut.
func replyFIFO(dir, name string, answer []byte) error {
	if strings.ContainsRune(name, '/') || name == "" || name == "." || name == ".." {
		return fmt.Errorf("reply FIFO %q: give a name in %s", name, dir)
	}
	fd, err := unix.Open(filepath.Join(dir, name),
		unix.O_WRONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("reply FIFO %s (make it and read from it before asking): %w", name, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return fmt.Errorf("%s is no FIFO", name)
	}
	if _, err := unix.Write(fd, answer); err != nil {
		return fmt.Errorf("reply FIFO %s: %w", name, err)
	}
	return nil
}

// Close ends every connection, removes the socket and the FIFO, and returns when no command runs
// any more: what commands look at may go away after it.
func (s *StatusService) Close() {
	close(s.closed)
	s.mu.Lock()
	for conn := range s.conns {
		conn.Close()
	}
	s.conns = nil
	for _, d := range s.doors {
		d.close()
	}
	s.mu.Unlock()
	for _, f := range s.fifos {
		f.Close()
	}
	s.wg.Wait()
	for _, path := range s.paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.log.Warn("cannot remove", "error", err)
		}
	}
}
