package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A verb is a short word for a method, or for one with some of its arguments.
type verb struct {
	args        string // for its usage
	least, most int    // arguments
	help        string
	group       string
	wait        time.Duration // for the answer; 0 means 10 s
	// call returns the method and its arguments.
	call func(args []string) []string
}

// method returns a call that puts words in front of the arguments.
func method(words ...string) func([]string) []string {
	return func(args []string) []string { return append(slices.Clone(words), args...) }
}

// groups are those of verbs, in the order of the usage.
var groups = [...]string{"see", "steer", "process"}

var verbs = map[string]*verb{
	"calls": {"[call-id|user|uri]", 0, 1, "list the requests under way", "see", 0,
		method("viaduct.calls")},
	"check": {"", 0, 0, "ask each shard for a sign of life", "see", 30 * time.Second,
		method("viaduct.check")},
	"config": {"[save FILE]", 0, 2, "show the configuration in effect, or keep what was set", "see",
		0, nil},
	"destinations": {"", 0, 0, "list the destinations and their states", "see", 0,
		method("dispatcher.list")},
	"dump": {"", 0, 0, "the same as config", "see", 30 * time.Second, method("viaduct.config")},
	"history": {"[count]", 0, 1, "show the last warnings and errors", "see", 30 * time.Second,
		method("viaduct.history")},
	"siplog": {"[filter ...]", 0, 16, "show the messages that were traced: trace text", "see", 0, nil},
	"snapshot": {"[path]", 0, 1, "write a file that tells how the process is", "see",
		30 * time.Second, method("viaduct.snapshot")},
	"stats":  {"", 0, 0, "read every counter", "see", 0, method("stats")},
	"status": {"", 0, 0, "tell version, addresses, state and uptime", "see", 0, method("status")},

	"top": {"", 0, 0, "watch rates, shards and destinations, and act on these", "see", 0, nil},
	"trace": {"[on|off|clear|state|show|text|live|pcap FILE] [filter ...]", 0, 16,
		"draw the calls that were traced, or trace", "see", 0, nil},

	"concurrency": {"level", 1, 1, "set how many threads run at once, shards included", "process", 0,
		method("viaduct.concurrency")},
	"ifdown": {"interface", 1, 1, "an interface has gone: read the configuration again", "steer",
		30 * time.Second, nil},
	"ifup": {"interface", 1, 1, "an interface has come: read the configuration again", "steer",
		30 * time.Second, nil},

	"drain": {"set uri|duid|all", 2, 2, "give a destination no new calls", "steer", 0,
		destination("d")},
	"drop": {"call-id|user|uri", 1, 1, "end calls that nobody has answered yet", "steer", 0,
		method("viaduct.drop")},
	"message": {"user|uri text", 2, 2, "send a text as a MESSAGE", "steer", 45 * time.Second,
		method("viaduct.message")},
	"ping": {"on|off", 1, 1, "switch the probes of destinations", "steer", 0, pinging},
	"reload": {"", 0, 0, "read the configuration again", "steer", 30 * time.Second,
		method("core.reload")},
	"undrain": {"set uri|duid|all", 2, 2, "give a destination new calls again", "steer", 0,
		destination("a")},
	"verbose": {"level", 1, 1, "set the log level, -5 to 5", "steer", 0,
		method("cfg.set_now_int", "core", "debug")},

	"abort": {"", 0, 0, "end the process at once, with a dump of its goroutines", "process", 0,
		method("core.kill", "6")},
	"down": {"", 0, 0, "end the process once its calls are over", "process", 0,
		method("core.kill", "15")},
}

// destination is a call that puts a destination, named by its URI or its duid, into a state.
func destination(state string) func([]string) []string {
	return func(args []string) []string {
		if args[1] != "all" && !strings.Contains(args[1], ":") {
			return append([]string{"dispatcher.set_duid_state", state}, args...)
		}
		return append([]string{"dispatcher.set_state", state}, args...)
	}
}

func pinging(args []string) []string {
	word := args[0]
	switch word {
	case "on":
		word = "1"
	case "off":
		word = "0"
	}
	return []string{"dispatcher.ping_active", word}
}

func (v *verb) usage(name string) string { return strings.TrimSpace(name + " " + v.args) }

// usage is what -h says.
func usage() string {
	var b strings.Builder
	b.WriteString(`usage: viaductctl [flag ...] verb [argument ...]
       viaductctl [flag ...] method [argument ...]
       viaductctl completion bash|zsh|fish

`)
	for _, f := range flagHelp {
		fmt.Fprintf(&b, "  %-11s %s\n", f.flag, f.help)
	}
	for _, g := range groups {
		b.WriteString("\n" + groupTitles[g] + ":\n")
		for _, name := range slices.Sorted(maps.Keys(verbs)) {
			if v := verbs[name]; v.group == g {
				fmt.Fprintf(&b, "  %-32s %s\n", v.usage(name), v.help)
			}
		}
	}
	b.WriteString(`
viaductctl system.listMethods lists the methods, and system.methodHelp tells of one.
Exit code 0: done, 1: timed out, 2: viaduct is not there, 3: refused or failed
("error: CODE - reason"), 255: wrong use.
`)
	return b.String()
}
