package route

// Core is what a file has without any loadmodule line, declared as a module declares itself.
var Core = Declared{Name: "core", Define: defineCore}

func defineCore(m *Module) {
	for _, name := range []string{"rc", "retcode", "?"} {
		m.Var(Var{Name: name, Doc: "What the last function or route returned.", Always: true,
			Place: Place{NoRoom: true,
				Int: func(c *Ctx) (int64, bool) { return int64(c.Return), true }}})
	}
	m.Var(Var{Name: "null", Doc: "The value of what is not there.", Always: true,
		Place: Place{NoRoom: true, Any: func(*Ctx) Value { return Value{} }}})
}
