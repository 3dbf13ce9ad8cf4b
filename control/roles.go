package control

import (
	"fmt"
	"runtime/debug"
)

// needs returns the role that a method takes. A method that is not known to change nothing takes
// that of a writer.
func (r *RPC) needs(method string) Role {
	if m, err := r.method(method); err != nil || m.Reads {
		return Reader // nobody is told by a 403 which methods there are
	}
	return Writer
}

// guarded is call without its panics, which cost the answer alone.
func (r *RPC) guarded(method string, words []string, log *Log) (v any, err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("contained a panic in a command, please report", "command", method,
				"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			v, err = nil, Faultf(500, "the command failed, see the log")
		}
	}()
	return r.call(method, words)
}

// reading are the methods of this package that change nothing. viaduct.config is not among them,
// since a configuration has passwords in it, nor is viaduct.traced, since messages have.
var reading = nameSet("cfg.changes", "cfg.diff", "cfg.get", "cfg.help", "cfg.list",
	"core.aliases_list", "core.arg", "core.echo", "core.flags", "core.info", "core.modules",
	"core.ppdefines", "core.ppdefines_full", "core.printi", "core.prints", "core.ps", "core.psa",
	"core.psx", "core.pwd", "core.runinfo", "core.shmmem", "core.sockets_list", "core.tcp_info",
	"core.tcp_list", "core.tcp_options", "core.uptime", "core.version", "ctl.connections",
	"ctl.listen", "ctl.who", "dns.lookup", "dns.mem_info", "dns.view", "dst_blocklist.debug",
	"dst_blocklist.mem_info", "dst_blocklist.view", "pkg.info", "pkg.stats", "stats",
	"stats.fetch", "stats.fetchn", "stats.get_statistics", "status", "system.listMethods",
	"system.methodHelp", "system.methodSignature", "tls.info", "tm.clean", "tm.list", "tm.stats",
	"viaduct.calls", "viaduct.check", "viaduct.history", "viaduct.trace_state")

func nameSet(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	return set
}
