package main

import (
	"fmt"
	"io"
	"strings"

	"viaduct/control"
)

// phase is when a flag takes effect. The order is the one ser(8)'s descendants have, so that
// scripts that count on it keep working: logging first (later errors must reach the right place),
// then what ends the run or says what to read, then the configuration file, then the flags that
// override it.
type phase uint8

const (
	phaseLog phase = iota
	phaseFirst
	phaseOverride
)

// flag is one switch: its letter or long name, the name of its argument ("" for none), when it
// acts, and its line of help.
type flag struct {
	name  string
	arg   string
	phase phase
	help  string
}

// flags is the one list: parsing and -h both come from it, and a test compares it with
// docs/flags.md.
var flags = []flag{
	{"h", "", phaseFirst, "this help"},
	{"V", "", phaseFirst, "version"},
	{"v", "", phaseFirst, "version, as with Kamailio"},
	{"I", "", phaseFirst, "version, as with Kamailio, which has more to tell"},
	{"c", "", phaseFirst, "check the configuration, print aliases and listen addresses, bind " +
		"nothing"},
	{"f", "file", phaseFirst,
		"configuration file, - for standard input (default: the built-in one)"},
	{"A", "define", phaseFirst,
		"define NAME or NAME=VALUE for the configuration's preprocessor; repeatable"},
	{"l", "address", phaseOverride,
		"listen on [proto:]address[:port][/advertised[:port]]; proto is udp, tcp, tls, ws or " +
			"wss, none is UDP and TCP;\naddress is an IP, a host or an interface; repeatable, " +
			"adds to the file's (default: every IPv4 interface)"},
	{"n", "number", phaseOverride,
		"shards: event loops, one CPU each (default: the CPUs this process may use)"},
	{"N", "number", phaseOverride, "event loops for streams (default: one a shard, 4 at most)"},
	{"T", "", phaseOverride, "no TCP, hence no TLS and no WebSocket"},
	{"m", "MB", phaseFirst, "memory for call state, fixed at start (default: 64, or 16 a shard)"},
	{"b", "bytes", phaseOverride,
		"cap for the receive buffer of a socket, as the kernel counts it (default: 16777216)"},
	{"r", "", phaseOverride,
		"look up Via hosts in DNS before adding received=; accepted, not done yet"},
	{"R", "", phaseOverride, "the same by reverse DNS; accepted, not done yet"},
	{"K", "", phaseOverride, "drop replies whose top Via is not ours: always done"},
	{"a", "mode", phaseOverride,
		"yes, no, on or off: accepted, names of listen addresses are no aliases"},
	{"d", "", phaseLog, "log more; each -d counts: 0 warnings, 1 notices, 2 information, 3 " +
		"everything"},
	{"E", "", phaseLog, "log to standard error instead of syslog"},
	{"D", "", phaseFirst, "stay in the foreground"},
	{"u", "user", phaseFirst, "become this user (name or number) after binding"},
	{"g", "group", phaseOverride, "become this group (default: the user's primary one)"},
	{"t", "dir", phaseOverride, "chroot to dir after binding"},
	{"w", "dir", phaseOverride, "working directory (default: / for a daemon, else unchanged)"},
	{"P", "file", phaseOverride,
		"write the process number to file; refuse to start if it names a living process"},
	{"G", "file", phaseOverride, "write the process group's number to file"},
	{"i", "path", phaseOverride, "make a FIFO that takes the methods of docs/rpc.md"},
	{"x", "path", phaseOverride,
		"make a Unix socket that answers the methods of docs/rpc.md: viaductctl asks there"},
	{"e", "", phaseOverride, "accepted: log lines have no colours"},
	{"j", "", phaseOverride, "accepted: nothing is known that it asks for"},
	{"s", "", phaseOverride, "accepted: nothing is known that it asks for"},
	{"L", "path", phaseOverride, "accepted: modules are built in"},
	{"M", "MB", phaseOverride, "accepted: there is no private memory to size"},
	{"O", "number", phaseOverride, "accepted: there is one level of optimization"},
	{"Q", "number", phaseOverride, "accepted: SCTP is not served"},
	{"S", "", phaseOverride, "accepted: SCTP is not served"},
	{"W", "type", phaseOverride, "accepted: epoll it is"},
	{"X", "name", phaseOverride, "accepted: there is no allocator to choose"},
	{"Y", "dir", phaseOverride, "accepted: -i and -x say where they are"},
	{"print-config", "", phaseFirst, "print the built-in configuration"},
	{"log", "form", phaseOverride,
		control.LogForms + ": how the log is written, and where (default: text with -E, else syslog)"},
	{"steer", "mode", phaseOverride,
		"auto, on or off: let the kernel choose the shard of a datagram (default: auto)"},
	{"segment", "mode", phaseOverride,
		"auto or off: let messages to one destination leave together where the kernel can cut " +
			"them up, and receive them so (default: auto)"},
	{"shed", "mode", phaseOverride,
		"auto or off: refuse part of the new calls while more arrives than can be handled " +
			"(default: auto)"},
	{"huge", "mode", phaseOverride,
		"off or try: huge pages for call state, where the kernel has them (default: try)"},
}

func flagNamed(name string) *flag {
	switch name {
	case "help":
		name = "h"
	case "version":
		name = "V"
	}
	for i := range flags {
		if flags[i].name == name {
			return &flags[i]
		}
	}
	return nil
}

// given is one switch as it stood on the command line, or what was wrong in its place.
type given struct {
	flag  *flag
	value string
	err   error
}

// usageError is a mistake on the command line itself. Its text is printed as it is.
type usageError string

func (e usageError) Error() string { return string(e) }

// scan splits the command line: letters may be clustered (-rR, -ddd), an argument may follow at
// once or as the next word (-n2, -n 2), a long switch takes = or the next word. Mistakes keep their
// place, so that whatever comes first counts: `-h -Z` is help, `-Z -h` is an error.
func scan(args []string) (all []given) {
	wrong := func(format string, a ...any) {
		all = append(all, given{err: usageError(fmt.Sprintf(format+" Use -h for help.", a...))})
	}
	next := func(i *int, f *flag, shown string) {
		if *i+1 == len(args) {
			wrong("Option '%s' requires an argument.", shown)
			return
		}
		*i++
		// an unset variable of a script: taken as it is, it would silently mean "none"
		if args[*i] == "" {
			wrong("Option '%s' requires an argument that is not empty.", shown)
			return
		}
		all = append(all, given{flag: f, value: args[*i]})
	}
	for i := 0; i < len(args); i++ {
		word := args[i]
		switch {
		case word == "--":
			for _, rest := range args[i+1:] {
				wrong("Unexpected argument '%s'.", rest)
			}
			return all
		case strings.HasPrefix(word, "--"):
			name, value, hasValue := strings.Cut(word[2:], "=")
			f := flagNamed(name)
			switch {
			case f == nil || len(name) == 1:
				wrong("Unknown option '--%s'.", name)
			case f.arg == "" && hasValue:
				wrong("Option '--%s' takes no argument.", name)
			case hasValue && value == "":
				wrong("Option '--%s' requires an argument.", name)
			case f.arg == "" || hasValue:
				all = append(all, given{flag: f, value: value})
			default:
				next(&i, f, "--"+name)
			}
		case len(word) < 2 || word[0] != '-':
			wrong("Unexpected argument '%s'.", word)
		default:
			for at := 1; at < len(word); at++ {
				f := flagNamed(word[at : at+1])
				if f == nil {
					wrong("Unknown option '-%c'.", word[at])
					continue
				}
				if f.arg == "" {
					all = append(all, given{flag: f})
					continue
				}
				if at+1 < len(word) {
					all = append(all, given{flag: f, value: word[at+1:]})
				} else {
					next(&i, f, "-"+f.name)
				}
				break
			}
		}
	}
	return all
}

func printUsage(out io.Writer) {
	fmt.Fprintf(out, "%s\n\nUsage: viaduct [options]\n       viaduct migrate [-A define] FILE   "+
		"what becomes of a kamailio.cfg, as Markdown\n\n", versionLine())
	for _, f := range flags {
		fmt.Fprintf(out, "  %-14s %s\n", f.shown(),
			strings.ReplaceAll(f.help, "\n", "\n"+strings.Repeat(" ", 17)))
	}
	fmt.Fprint(out, `
Signals: TERM and INT finish the calls under way, bounded by exit_timeout, and stop; a second one
stops at once, as does a successor that starts meanwhile, or USR2. USR1 logs the counters, JSON: a
line for each shard, and one of streams, names and the blocklist. HUP reads the configuration again.
`)
}
