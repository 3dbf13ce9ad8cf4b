package main

import (
	"fmt"
	"io"
	"strings"

	"viaduct/control/manpage"
	"viaduct/shard/modules"
	"viaduct/shard/route"
)

// writeManual writes viaduct(8), or viaduct.cfg(5) where that is named. It returns false for
// another name.
func writeManual(out io.Writer, args []string) bool {
	switch {
	case len(args) == 0 || len(args) == 1 && args[0] == "viaduct":
		_, _ = out.Write(programManual())
	case len(args) == 1 && args[0] == "viaduct.cfg":
		_, _ = out.Write(fileManual())
	default:
		return false
	}
	return true
}

func programManual() []byte {
	p := manpage.New("viaduct", 8, "viaduct "+version, "SIP proxy and load balancer")
	p.Section("Synopsis")
	p.Synopsis("viaduct", "[option ...]")
	p.Synopsis("viaduct", "migrate [-A define] FILE")
	p.Section("Description")
	p.Text("Serves SIP over UDP, TCP, TLS and WebSocket as a configuration file says, which is a " +
		"kamailio.cfg. Without one it routes requests to where their Request-URI points. " +
		"\"viaduct migrate\" writes what becomes of a kamailio.cfg, as Markdown.")
	p.Section("Options")
	for _, f := range flags {
		p.Item(f.shown(), strings.ReplaceAll(f.help, "\n", " "))
	}
	p.Section("Signals")
	p.Item("TERM, INT", "Finish the calls under way, bounded by exit_timeout, and end. A second one "+
		"ends the process at once.")
	p.Item("HUP", "Reads the configuration again.")
	p.Item("USR1", "Logs the counters.")
	p.Item("USR2", "Ends the process at once.")
	p.Section("Exit status")
	p.Item("0", "It ended in order, or -c has found no mistake.")
	p.Item("255", "It could not start, or -c has found mistakes; standard error says what to change.")
	p.Section("See also")
	p.Text("viaductctl(1), viaduct.cfg(5)")
	return p.Bytes()
}

// fileManual is made from the declarations of the core and the modules.
func fileManual() []byte {
	p := manpage.New("viaduct.cfg", 5, "viaduct "+version, "configuration of viaduct(8)")
	p.Section("Description")
	p.Text("The file is a kamailio.cfg: settings, modules with their parameters, and routes. " +
		"\"viaduct -c -f FILE\" lists all mistakes of a file.")
	p.Section("Settings")
	p.Text("Besides listen=, alias= and flags there are:")
	for _, row := range route.CoreGlobals() {
		text := row.Doc
		if row.Standard != "" {
			text += "\nDefault: " + row.Standard + "."
		}
		p.Item(row.Name+"="+row.Values, text)
	}
	p.Section("Modules")
	var names []string
	for _, d := range modules.All {
		names = append(names, d.Name)
	}
	p.Text("loadmodule takes %s.", strings.Join(names, ", "))
	p.Section("Example")
	p.Example(`listen=udp:192.0.2.1:5060
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "sl.so"

request_route {
	if (is_method("INVITE|SUBSCRIBE")) record_route();
	if (!t_relay()) sl_reply_error();
}`)
	p.Section("See also")
	p.Text("viaduct(8), viaductctl(1)")
	return p.Bytes()
}

// shown is how a flag is written.
func (f *flag) shown() string {
	switch {
	case len(f.name) > 1 && f.arg != "":
		return "--" + f.name + "=" + f.arg
	case len(f.name) > 1:
		return "--" + f.name
	case f.arg != "":
		return fmt.Sprintf("-%s %s", f.name, f.arg)
	}
	return "-" + f.name
}
