package route

// core is what messages and documents call what a file has without any loadmodule line.
const core = "core"

// Core declares it, as a module declares itself.
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
	Provide(m, &coreEvents{begun: m.Event("core:worker-one-init",
		"The server has started: once, on the first shard, before the first message."),
		preRouting: m.Event("core:pre-routing",
			"A request is about to meet request_route: drop ends it there.")})
}

// coreEvents are the events that the core raises.
type coreEvents struct{ begun, preRouting *Event }

// coreVars are the variables that belong to the language.
func coreVars(m *Module) {
	for _, name := range []string{"rc", "retcode", "?"} {
		m.Var(Var{Name: name, Doc: "What the last function or route returned.", Always: true,
			Place: Place{NoRoom: true,
				Int: func(c *Ctx) (int64, bool) { return int64(c.Return), true }}})
	}
	m.Var(Var{Name: "null", Doc: "The value of what is not there.", Always: true,
		Place: Place{NoRoom: true, Any: func(*Ctx) Value { return Value{} }}})
}
