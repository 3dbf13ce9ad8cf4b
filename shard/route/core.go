package route

import (
	"os"
	"strconv"
)

// core is the name, in messages and documents, of what a file has without any loadmodule line.
const core = "core"

// Core declares the core in the way a module declares itself.
func Core() Declared { return Declared{Name: core, Define: defineCore} }

func defineCore(m *Module) {
	coreParams(m)
	transportParams(m)
	streamParams(m)
	nameParams(m)
	blocklistParams(m)
	coreFuncs(m)
	coreVars(m)
	Provide(m, newHostNames(m))
	events := &coreEvents{begun: m.Event("core:worker-one-init",
		"The server has started: once, on the first shard, before the first message."),
		preRouting: m.Event("core:pre-routing",
			"A request is about to enter request_route; drop ends it there."),
		received: m.Event("core:msg-received",
			"A message was received and received_route_mode is 1. drop ends it there, and so does "+
				"a return value below 0. Only $rcv reads the message; all other variables read a "+
				"made-up request. request_route does not see what the route leaves in $avp; in "+
				"Kamailio it does, by accident."),
		parseError: m.Event("core:receive-parse-error",
			"A malformed message was received, and the route runs on it. drop leaves it without "+
				"an answer. It is not passed on."),
	}
	m.BoolVar(&events.mode, "received_route_mode", "Whether event_route[core:msg-received] runs.")
	Provide(m, events)
}

// coreEvents has the events that the core raises.
type coreEvents struct {
	begun, preRouting, received, parseError *Event
	mode                                    bool // received_route_mode
}

// coreVars declares the variables that belong to the language.
func coreVars(m *Module) {
	for _, name := range []string{"rc", "retcode", "?"} {
		m.Var(Var{Name: name, Always: true,
			Doc: "What the last route, or function of a module, returned; 0 before any has. A " +
				"function of the core leaves it as it is, or at 0 if it stands in an expression.",
			Place: Place{NoRoom: true,
				Int: func(c *Ctx) (int64, bool) { return int64(c.Return), true }}})
	}
	m.Var(Var{Name: "null", Doc: "The null value.", Always: true,
		Place: Place{NoRoom: true, Any: func(*Ctx) Value { return Value{} }}})
	loadVar := func(name, inner, doc string, of func(b *VarBuild, inner string) Value) {
		m.Var(Var{Name: name, Inner: inner, Doc: doc, Always: true,
			Compile: func(b *VarBuild, inner, _ string) Place {
				v := of(b, inner)
				return Place{NoRoom: true, Any: func(*Ctx) Value { return v }}
			}})
	}
	loadVar("def", "name", "The text of a #!define, with its quotes if it has any.",
		func(b *VarBuild, name string) Value {
			text, there := b.cc.defines[name]
			if !there {
				return Value{}
			}
			return TextValue([]byte(text))
		})
	loadVar("defn", "name", "Is $def as a number, if it is one; 0 if there is no such #!define.",
		func(b *VarBuild, name string) Value {
			text, there := b.cc.defines[name]
			if n, err := strconv.ParseInt(text, 0, 64); err == nil || !there {
				return IntValue(n)
			}
			return TextValue([]byte(text)) // 5.6.3
		})
	loadVar("env", "name", "An environment variable, as it was when the file was read.",
		func(_ *VarBuild, name string) Value {
			text, there := os.LookupEnv(name)
			if !there {
				return Value{}
			}
			return TextValue([]byte(text))
		})
}
