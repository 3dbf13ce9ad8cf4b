package main

import (
	"maps"
	"slices"

	"viaduct/control/manpage"
)

// flagHelp is what -h and the manual page say of the flags.
var flagHelp = [...]struct{ flag, help string }{
	{"-s socket", "the -x socket of viaduct; default $VIADUCT_SOCKET, or " + defaultSocket},
	{"-t seconds", "how long to wait for the answer; default 10, for some verbs 30"},
	{"--table", "a table for people: the default on a terminal"},
	{"--json", "JSON for programs: the default elsewhere"},
	{"--no-color", "no colours; so does the environment's NO_COLOR"},
	{"--version", "tell the version"},
	{"-h", "this text"},
}

// exitHelp is what the manual page says of the exit codes.
var exitHelp = [...]struct{ code, help string }{
	{"0", "Done; the answer is on standard output."},
	{"1", "No answer came in time. The command may still be under way."},
	{"2", "Nobody listens at the socket, or the connection broke."},
	{"3", "The command was refused or failed; the reason is on standard error."},
	{"255", "Wrong use: nothing was asked."},
}

// groupTitles are the headings of the verbs' groups.
var groupTitles = map[string]string{"see": "To see", "steer": "To steer",
	"process": "The process itself"}

// manual returns viaductctl(1).
func manual() []byte {
	p := manpage.New("viaductctl", 1, "viaduct "+version, "asks a running Viaduct")
	p.Section("Synopsis")
	p.Synopsis("viaductctl", "[flag ...] verb [argument ...]")
	p.Synopsis("viaductctl", "[flag ...] method [argument ...]")
	p.Synopsis("viaductctl", "completion bash|zsh|fish")
	p.Section("Description")
	p.Text("Shows what viaduct(8) does and steers it, over the Unix socket that it makes with -x. " +
		"A verb is a short word for a method.\n\"viaductctl system.listMethods\" lists the methods, " +
		"and \"viaductctl system.methodHelp METHOD\" tells of one.")
	p.Section("Options")
	for _, f := range flagHelp {
		p.Item(f.flag, f.help)
	}
	p.Section("Verbs")
	for _, g := range groups {
		p.Subsection(groupTitles[g])
		for _, name := range slices.Sorted(maps.Keys(verbs)) {
			if v := verbs[name]; v.group == g {
				p.Item(v.usage(name), v.help)
			}
		}
	}
	p.Section("Exit status")
	for _, e := range exitHelp {
		p.Item(e.code, e.help)
	}
	p.Section("Environment")
	p.Item(socketEnv, "The socket, if -s does not name one.")
	p.Item("NO_COLOR", "If it is not empty, tables have no colours.")
	p.Section("Examples")
	p.Example("viaductctl calls\nviaductctl drain 1 sip:192.0.2.7:5060\nviaductctl drop alice\n" +
		"source <(viaductctl completion bash)")
	p.Section("See also")
	p.Text("viaduct(8), viaduct.cfg(5)")
	return p.Bytes()
}
