// Command viaductctl asks a running Viaduct: a verb, or a method of docs/rpc.md, over its status
// socket (viaduct -x).
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/control"
)

// version is that of the daemon, which belongs with it. A release sets it with -ldflags -X, as
// cmd/viaduct does.
var version, commit = "0.1.0", ""

const socketEnv = "VIADUCT_SOCKET"

// console is what run has of its process.
type console struct {
	out, err io.Writer
	socket   string // of the environment
	terminal bool   // out is a terminal
	colour   bool   // which shows colours
}

func main() {
	_, err := unix.IoctlGetTermios(int(os.Stdout.Fd()), unix.TCGETS)
	terminal := err == nil
	os.Exit(run(os.Args[1:], &console{
		out: os.Stdout, err: os.Stderr, socket: os.Getenv(socketEnv), terminal: terminal,
		colour: terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
	}))
}

// options are the flags of a call.
type options struct {
	socket      string
	wait        int
	json, table bool
	noColour    bool
	version     bool
}

// run is main without the process: arguments in, an exit code out.
func run(args []string, c *console) int {
	var o options
	flags := flag.NewFlagSet("viaductctl", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.socket, "s", "", "")
	flags.IntVar(&o.wait, "t", 0, "")
	flags.BoolVar(&o.json, "json", false, "")
	flags.BoolVar(&o.table, "table", false, "")
	flags.BoolVar(&o.noColour, "no-color", false, "")
	flags.BoolVar(&o.version, "version", false, "")
	flags.BoolVar(&o.version, "V", false, "")
	if o.socket = c.socket; o.socket == "" {
		o.socket = defaultSocket
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(c.out, usage())
		return exitDone
	case err != nil:
		return c.misused("%v\n%s", err, usage())
	case o.version:
		fmt.Fprintf(c.out, "viaductctl %s%s\n", version, commitSuffix())
		return exitDone
	case flags.NArg() == 0:
		return c.misused("no verb or method given\n%s", usage())
	case o.wait < 0 || o.wait > 3600 || o.wait == 0 && given(flags, "t"):
		return c.misused("-t %d is out of range, 1 to 3600 seconds", o.wait)
	case o.json && o.table:
		return c.misused("--json and --table exclude each other")
	}
	words := flags.Args()
	switch {
	case words[0] == "completion":
		return c.completion(words[1:])
	case words[0] == "man" && len(words) == 1:
		_, _ = c.out.Write(manual())
		return exitDone
	}
	v := verbs[words[0]]
	if v != nil {
		if n := len(words) - 1; n < v.least || n > v.most {
			return c.misused("usage: viaductctl %s", v.usage(words[0]))
		}
		if v.call != nil {
			words = v.call(words[1:])
		}
	}
	wait := time.Duration(o.wait) * time.Second
	if wait == 0 {
		wait = 10 * time.Second
		if v != nil && v.wait != 0 {
			wait = v.wait
		}
	}
	switch words[0] {
	case "trace":
		return c.trace(words[1:], &o, wait)
	case "ifup", "ifdown":
		if _, err := net.InterfaceByName(words[1]); err != nil {
			fmt.Fprintf(c.err, "viaductctl: there is no interface %s\n", words[1])
			return exitRefused
		}
		words = []string{"core.reload"}
	case "siplog":
		return c.trace(append([]string{"text"}, words[1:]...), &o, wait)
	case "config":
		return c.config(words[1:], &o, wait)
	case "top":
		return c.top(&o, wait)
	}
	answer, err := ask(o.socket, control.JoinWords(words), wait)
	if err != nil {
		fmt.Fprintf(c.err, "viaductctl: %v\n", err)
		return codeOf(err)
	}
	if f := faultOf(answer); f != nil {
		fmt.Fprintln(c.err, faultText(f))
		return exitRefused
	}
	return c.show(answer, &o)
}

// commitSuffix returns what -V says behind the version.
func commitSuffix() string {
	if commit == "" {
		return ""
	}
	return " (" + commit + ")"
}

func given(flags *flag.FlagSet, name string) (yes bool) {
	flags.Visit(func(f *flag.Flag) { yes = yes || f.Name == name })
	return yes
}

// misused says what is wrong with a call that asked nobody.
func (c *console) misused(format string, args ...any) int {
	fmt.Fprintf(c.err, "viaductctl: %s\n", bytes.TrimRight(fmt.Appendf(nil, format, args...), "\n"))
	return exitUsage
}

// show writes an answer: as a table for people, and otherwise as indented JSON.
func (c *console) show(answer []byte, o *options) int {
	answer = bytes.TrimSpace(answer)
	if !json.Valid(answer) {
		fmt.Fprintf(c.err, "viaductctl: the answer is no JSON (is %s the socket of viaduct?)\n",
			o.socket)
		return exitRefused
	}
	var text []byte
	if o.table || c.terminal && !o.json {
		text = people(answer, c.colour && !o.noColour)
	} else {
		var b bytes.Buffer
		_ = json.Indent(&b, answer, "", "  ") // it is valid
		text = append(b.Bytes(), '\n')
	}
	if _, err := c.out.Write(text); err != nil {
		fmt.Fprintf(c.err, "viaductctl: %v\n", err)
		return exitRefused
	}
	return exitDone
}

// people returns an answer for people to read.
func people(answer []byte, colour bool) []byte {
	v, err := readValue(answer)
	if err != nil {
		return append(answer, '\n')
	}
	p := painter{colour: colour}
	if v.kind == object && len(v.members) == 0 {
		p.b.WriteString("done\n")
	} else {
		p.value(&v, "")
	}
	return []byte(p.b.String())
}
