package route

import "fmt"

// Provide says what a module has for others: functions and state that their Go code uses. Each type
// may be provided once.
func Provide[T any](m *Module, v T) { m.provides = append(m.provides, v) }

// Need is what module name provides of that type, as Kamailio's bind_usrloc() is. If it is not
// loaded above, that is an error at this module's loadmodule line, and Need gives the zero T: a
// Define hands it on to its functions, and only they, or Ready, look into it.
func Need[T any](m *Module, name string) (v T) {
	if m.load == nil {
		return v // declared for its names only
	}
	x := m.load.loaded[name]
	if x == nil {
		m.missing = append(m.missing, name)
		return v
	}
	if v, ok := provided[T](x); ok {
		return v
	}
	panic(fmt.Sprintf("BUG: module %s needs a %T, which module %s does not provide", m.name, v,
		name))
}

// Find is what module name provides of that type, if it is loaded, above or below: for Ready and
// for what is compiled behind it.
func Find[T any](m *Module, name string) (v T, ok bool) {
	if m.load == nil || m.load.loaded[name] == nil {
		return v, false
	}
	return provided[T](m.load.loaded[name])
}

// provided is what a module provides of that type.
func provided[T any](m *Module) (v T, ok bool) {
	for _, p := range m.provides {
		if v, ok := p.(T); ok {
			return v, true
		}
	}
	return v, false
}

// Loaded tells whether a module is loaded above this one.
func (m *Module) Loaded(name string) bool { return m.load != nil && m.load.loaded[name] != nil }
