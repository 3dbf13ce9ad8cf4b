package route

import "fmt"

// Provide offers v to other modules: functions and state that their Go code uses. A module may
// provide each type once.
func Provide[T any](m *Module, v T) { m.provides = append(m.provides, v) }

// Need returns what module name provides of type T, as Kamailio's bind_usrloc() does. If that
// module is not loaded above, an error is reported at this module's loadmodule line, and Need
// returns the zero T. A Define must therefore only hand the value on to its functions or to Ready,
// and not use it.
func Need[T any](m *Module, name string) (v T) {
	if m.load == nil {
		return v // declared only for its names
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

// provided returns what a module provides of type T.
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
