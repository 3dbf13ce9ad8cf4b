// Command viaductctl asks a running Viaduct: one method of docs/rpc.md per call, over its status
// socket (viaduct -x).
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"viaduct/control"
)

// Exit codes, as kamcmd's where it has them.
const (
	exitOK     = 0
	exitFault  = 1   // the method failed: its fault is on standard error
	exitSyntax = 255 // wrong use, no connection, or no answer
)

const (
	defaultSocket = "/run/viaduct/viaduct.sock"
	socketEnv     = "VIADUCT_SOCKET"

	// answerBytes bounds an answer: the server's views stop at some 2 MB, its statistics of 1024
	// shards below 10.
	answerBytes = 64 << 20
)

const usage = `usage: viaductctl [-s socket] [-t seconds] method [argument ...]

  -s socket   the -x socket of viaduct; default $VIADUCT_SOCKET, or /run/viaduct/viaduct.sock
  -t seconds  how long to wait for the answer; default 10
  -h          this text

The answer is JSON on standard output. viaductctl system.listMethods lists the methods.
Exit code 0: answered, 1: the method failed ("error: CODE - reason"), 255: wrong use or no
connection.
`

func main() { os.Exit(run(os.Args[1:], os.Getenv(socketEnv), os.Stdout, os.Stderr)) }

// run is main without the process: arguments and $VIADUCT_SOCKET in, an exit code out.
func run(args []string, socket string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("viaductctl", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	if socket == "" {
		socket = defaultSocket
	}
	path := flags.String("s", socket, "")
	seconds := flags.Int("t", 10, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "viaductctl: %v\n%s", err, usage)
		return exitSyntax
	case flags.NArg() == 0:
		fmt.Fprintf(stderr, "viaductctl: no method given\n%s", usage)
		return exitSyntax
	case *seconds < 1 || *seconds > 3600:
		fmt.Fprintf(stderr, "viaductctl: -t %d is out of range, 1 to 3600 seconds\n", *seconds)
		return exitSyntax
	}
	answer, err := ask(*path, control.JoinWords(flags.Args()), time.Duration(*seconds)*time.Second)
	if err != nil {
		fmt.Fprintf(stderr, "viaductctl: %v\n", err)
		return exitSyntax
	}
	if f := faultOf(answer); f != nil {
		fmt.Fprintln(stderr, faultText(f))
		return exitFault
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, bytes.TrimSpace(answer), "", "  "); err != nil {
		fmt.Fprintf(stderr, "viaductctl: the answer is no JSON (is %s the socket of "+
			"viaduct?): %v\n", *path, err)
		return exitSyntax
	}
	pretty.WriteByte('\n')
	if _, err := stdout.Write(pretty.Bytes()); err != nil {
		fmt.Fprintf(stderr, "viaductctl: %v\n", err)
		return exitSyntax
	}
	return exitOK
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

// ask sends a line and reads one.
func ask(path, line string, wait time.Duration) ([]byte, error) {
	if len(line)+1 > control.MaxCommandBytes {
		return nil, fmt.Errorf("the call has %d bytes, %d are taken at most: split it up", len(line),
			control.MaxCommandBytes-1)
	}
	if err := control.CheckSocketPath(path); err != nil {
		return nil, err
	}
	conn, err := net.DialTimeout("unix", path, wait)
	if err != nil {
		return nil, fmt.Errorf("cannot reach viaduct at %s (is it running with -x %s?): %w", path,
			path, err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(wait))
	if _, err := io.WriteString(conn, line+"\n"); err != nil {
		return nil, fmt.Errorf("cannot ask at %s: %w", path, err)
	}
	answer, err := bufio.NewReader(io.LimitReader(conn, answerBytes)).ReadBytes('\n')
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, fmt.Errorf("no answer from %s in %v: the command may still be under way, -t "+
			"waits longer", path, wait)
	}
	if err != nil {
		return nil, fmt.Errorf("no answer from %s: %w", path, err)
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
