package corex

import (
	"bytes"
	"errors"
	"io"
	"os"
	"time"

	"viaduct/shard/ask"
	"viaduct/shard/route"
)

const (
	// maxFiles is how many files may be read or written at once, by all shards. Reached: the call
	// is false.
	maxFiles = 32
	// fileWait is how long a call waits for the disk. Beyond: it is false.
	fileWait = 10 * time.Second
)

// files declares what reads and writes files. No shard waits for a disk: the run is held.
func files(m *route.Module) {
	d := disk{make(chan struct{}, maxFiles)}
	path := route.Text("path", "the file")
	false1 := func(c *route.Ctx, what string, path []byte, err error) route.Result {
		c.Complain(append(append(append(c.Room(), what...), path...), (": " + err.Error())...))
		return -1
	}
	route.Wait2(m, "file_read", route.Anywhere, path,
		route.Writable("to", "the variable to set"),
		"Reads a file of at most 16,384 bytes into a variable. False: it cannot be read.",
		func(_ *route.Ctx, q *ask.Question, path []byte, _ *route.Place) route.Result {
			return d.ask(q, 'r', path, nil)
		},
		func(c *route.Ctx, a *ask.Answer, path []byte, to *route.Place) route.Result {
			if a.Err != nil {
				return false1(c, "file_read: ", path, a.Err)
			}
			return to.Put(c, c.Built(append(c.Room(), a.Text()...)))
		})
	route.Wait2(m, "file_write", route.Anywhere, path,
		route.Spent(route.Text("content", "what is written")),
		"Writes a file of at most 8,000 bytes, replacing what it had. False: it cannot be written.",
		func(_ *route.Ctx, q *ask.Question, path, content []byte) route.Result {
			return d.ask(q, 'w', path, content)
		},
		func(c *route.Ctx, a *ask.Answer, path, _ []byte) route.Result {
			if a.Err != nil {
				return false1(c, "file_write: ", path, a.Err)
			}
			return 1
		})
}

// disk is the service that reads and writes files.
type disk struct{ slots chan struct{} }

// ask has a file read ('r') or written ('w'). The question is that letter, the path, a zero, and
// the content.
func (d disk) ask(q *ask.Question, how byte, path, content []byte) route.Result {
	if bytes.IndexByte(path, 0) >= 0 {
		return -1
	}
	q.Append([]byte{how})
	q.Append(path)
	q.Append([]byte{0})
	q.Append(content)
	return q.Ask(d, fileWait)
}

// Ask is ask.Service's.
func (d disk) Ask(q *ask.Question) bool {
	select {
	case d.slots <- struct{}{}:
	default:
		return false
	}
	go func() {
		path, content, _ := bytes.Cut(q.Text()[1:], []byte{0})
		if q.Text()[0] == 'w' {
			q.Answer.Err = writeFile(string(path), content)
		} else if text, err := readFile(string(path)); err != nil {
			q.Answer.Err = err
		} else {
			q.Answer.SetText(text)
		}
		<-d.slots
		q.Done()
	}()
	return true
}

// errNoFile: a pipe or a device may keep its reader waiting for ever.
var errNoFile = errors.New("is no plain file")

func readFile(path string) ([]byte, error) {
	if info, err := os.Stat(path); err != nil {
		return nil, reason(err)
	} else if !info.Mode().IsRegular() {
		return nil, errNoFile
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, ask.AnswerBytes+1))
	return text, reason(err)
}

func writeFile(path string, content []byte) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return errNoFile
	}
	return reason(os.WriteFile(path, content, 0o666))
}

// reason is an error without the path, which the line of the log has.
func reason(err error) error {
	if e := (*os.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}
