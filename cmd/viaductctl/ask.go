package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"viaduct/control"
)

// Exit codes.
const (
	exitDone    = 0
	exitTimeout = 1   // no answer in time; the command may still be under way
	exitOffline = 2   // nobody listens at the socket, or who did went away
	exitRefused = 3   // the command was refused, or failed
	exitUsage   = 255 // wrong use: nobody was asked
)

const (
	defaultSocket = "/run/viaduct/viaduct.sock"

	// answerBytes bounds an answer: the server's views stop at some 2 MB, its statistics of 1024
	// shards below 10.
	answerBytes = 64 << 20
)

// An askError is a question without an answer.
type askError struct {
	code int // to exit with
	err  error
}

func (e *askError) Error() string { return e.err.Error() }
func (e *askError) Unwrap() error { return e.err }

// codeOf returns what to exit with after a question that failed.
func codeOf(err error) int {
	var e *askError
	if errors.As(err, &e) {
		return e.code
	}
	return exitRefused
}

func failed(code int, format string, args ...any) error {
	return &askError{code, fmt.Errorf(format, args...)}
}

// ask sends a line and reads one.
func ask(path, line string, wait time.Duration) ([]byte, error) {
	if len(line)+1 > control.MaxCommandBytes {
		return nil, failed(exitUsage, "the call has %d bytes, %d are taken at most: split it up",
			len(line), control.MaxCommandBytes-1)
	}
	if err := control.CheckSocketPath(path); err != nil {
		return nil, &askError{exitUsage, err}
	}
	conn, err := net.DialTimeout("unix", path, wait)
	if err != nil {
		code := exitOffline
		if errors.Is(err, os.ErrDeadlineExceeded) {
			code = exitTimeout
		}
		return nil, failed(code, "cannot reach viaduct at %s (is it running with -x %s?): %w", path,
			path, err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(wait))
	_, err = io.WriteString(conn, line+"\n")
	var answer []byte
	if err == nil {
		answer, err = bufio.NewReader(io.LimitReader(conn, answerBytes)).ReadBytes('\n')
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, failed(exitTimeout, "no answer from %s in %v: the command may still be under "+
			"way, -t waits longer", path, wait)
	}
	if err != nil {
		return nil, failed(exitOffline, "no answer from %s: %w", path, err)
	}
	return answer, nil
}

// faultOf reads {"error": …}. It returns nil if it is an answer.
func faultOf(answer []byte) error {
	var f struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(answer, &f) != nil || f.Error == nil {
		return nil
	}
	fault := &control.Fault{}
	if json.Unmarshal(f.Error, fault) == nil && fault.Code != 0 {
		return fault
	}
	var text string // from a server without methods
	if json.Unmarshal(f.Error, &text) != nil {
		return nil
	}
	return &control.Fault{Code: 500, Message: text}
}

// faultText is how a fault is shown. Several lines are mistakes in a configuration: they stand
// alone at the beginning of the line, as viaduct -c prints them, where editors and scripts look for
// them.
func faultText(f error) string {
	if fault := (*control.Fault)(nil); errors.As(f, &fault) &&
		strings.Contains(fault.Message, "\n") {
		return fault.Message
	}
	return "error: " + f.Error()
}
