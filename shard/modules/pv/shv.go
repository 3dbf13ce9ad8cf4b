package pv

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"viaduct/shard/route"
	"viaduct/shard/route/command"
	"viaduct/shm/table"
)

// shared are the variables $shv(name): one value each for all shards, in a table of the arena,
// where it outlives a reload and a kill.
type shared struct {
	first map[string]table.Value // by name: what it begins with
	names []string               // those that the file gives a value or reads, in its order
	t     *table.Table
	full  *route.Counter
}

// sharedVars declares them.
func sharedVars(m *route.Module) {
	s := &shared{first: map[string]table.Value{}}
	m.Each("shvset", s.take,
		"A shared variable and its first value, \"name=i:1\" or \"name=s:text\". A variable that "+
			"exists already, as after a reload, keeps its value.")
	m.Each("varset", func(text string) error {
		name, v, err := typed(text)
		switch {
		case err != nil:
			return err
		case v.Kind == table.Text:
			m.VarBegins(name, route.TextValue(v.Text))
		default:
			m.VarBegins(name, route.IntValue(v.Int))
		}
		return nil
	}, "A $var and its first value for each message, \"name=i:1\" or \"name=s:text\".")
	s.full = m.Count("shv_full",
		"Values of $shv that were not kept because they were too long or there was no room.")
	m.Var(route.Var{Name: "shv", Inner: "name",
		Doc: "A value that all shards share, 0 at first. It outlives a reload. Assigning $null " +
			"makes it an empty text.",
		Compile: func(b *route.VarBuild, inner, _ string) route.Place {
			name := strings.TrimSpace(inner)
			if err := s.add(name); err != nil {
				b.Errorf("$shv(%s): %s", name, err)
				return route.Place{}
			}
			if strings.Contains(name, "$") {
				b.Warnf("$shv(%s) is a variable of just that name: the name is no expression, "+
					"as in Kamailio; $sht of module htable has keys that are", name)
			}
			key := []byte(name)
			return route.Place{
				Any: func(c *route.Ctx) route.Value { return s.get(c, key) },
				Set: func(c *route.Ctx, v route.Value) route.SetResult { return s.set(c, key, v) },
			}
		}})
	m.View("pv.shvGet", "Shows one variable $shv, or all that the file names.",
		command.Words("[name]"),
		func(a command.Args) (any, error) {
			if a.Len() > 0 {
				return s.shown(a.Text(0))
			}
			return s.all()
		})
	m.Command("pv.shvSet", "Sets a variable $shv to an int or a str.",
		command.Words("name", "type", "value"),
		func(a command.Args) (any, error) { return s.order(a.Text(0), a.Text(1), a.Text(2)) })
	m.Open(s.open)
}

// take reads what shvset is given.
func (s *shared) take(text string) error {
	name, v, err := typed(text)
	if err != nil {
		return err
	}
	if err := s.add(name); err != nil {
		return err
	}
	if len(v.Text) > maxSharedText {
		return fmt.Errorf("gives %s a text of %d bytes; %d is the most", name, len(v.Text),
			maxSharedText)
	}
	s.first[name] = v
	return nil
}

// typed reads "name=i:1" and "name=s:text".
func typed(text string) (string, table.Value, error) {
	name, value, ok := strings.Cut(text, "=")
	kind, value, hasKind := strings.Cut(value, ":")
	name, kind = strings.TrimSpace(name), strings.ToLower(strings.TrimSpace(kind))
	if !ok || !hasKind || name == "" || kind != "i" && kind != "s" {
		return "", table.Value{}, fmt.Errorf("is %s; it is written name=i:NUMBER or name=s:TEXT, as in "+
			"\"debug=i:1\"", route.Quote(text))
	}
	if kind == "s" {
		return name, table.String([]byte(value)), nil
	}
	n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
	if err != nil {
		return "", table.Value{}, fmt.Errorf("gives %s the number %s; write a whole number behind i:, "+
			"or s: for a text", name, route.Quote(value))
	}
	return name, table.Number(n), nil
}

// add notes that the file names a variable.
func (s *shared) add(name string) error {
	if _, there := s.first[name]; there {
		return nil
	}
	switch {
	case name == "":
		return errors.New("the name is missing")
	case len(name) > maxSharedName:
		return fmt.Errorf("the name has %d bytes; %d is the most", len(name), maxSharedName)
	case len(s.names) >= maxShared:
		return fmt.Errorf("it is one variable more than the %d that there can be; "+
			"a table of module htable has room for more", maxShared)
	}
	s.names = append(s.names, name)
	s.first[name] = table.Number(0)
	return nil
}

// open takes the table that is there, or makes it, and puts in what is not there yet.
func (s *shared) open(state *route.State) (err error) {
	if len(s.names) == 0 {
		return nil
	}
	// The Config is the same for every file, for with another one a reload would empty the table.
	s.t, err = state.Table("pv/shv", table.Config{Entries: 2 * maxShared, Bytes: sharedBytes,
		MaxKey: maxSharedName, MaxValue: maxSharedText})
	if err != nil {
		return err
	}
	now := table.Now()
	for _, name := range s.names {
		switch verdict := s.t.Insert([]byte(name), s.first[name], table.Terms{}, now); verdict {
		case table.Done, table.Exists:
		default:
			return fmt.Errorf("the table of shared variables has no room for $shv(%s): %v", name,
				verdict)
		}
	}
	return nil
}

// get is the value, copied into the run's room: another shard may change it.
func (s *shared) get(c *route.Ctx, key []byte) route.Value {
	room := c.Room()
	v, verdict := s.t.Get(key, c.NowMs(), room[:min(cap(room), maxSharedText)])
	switch {
	case verdict == table.Short:
		return c.Built(append(room[:cap(room)], 0)) // Slow path: no room, and the run will say so
	case verdict == table.Done && v.Kind == table.Text:
		return c.Built(v.Text)
	}
	return route.IntValue(v.Int)
}

func (s *shared) set(c *route.Ctx, key []byte, v route.Value) route.SetResult {
	value := table.String(v.S) // that of $null is empty
	if v.IsInt() {
		value = table.Number(v.N)
	}
	if s.t.Put(key, value, table.Terms{}, c.NowMs()) != table.Done {
		s.full.Add(c)
		return route.SetRefused
	}
	return route.SetDone
}

// shown1 is a variable as Kamailio's command shows it.
type shown1 struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value any    `json:"value"`
}

var errNoShared = command.Faultf(404, "Variable not found")

// shown is one variable for operators.
func (s *shared) shown(name string) (any, error) {
	if _, there := s.first[name]; !there {
		return nil, errNoShared
	}
	v, verdict := s.t.Get([]byte(name), table.Now(), make([]byte, maxSharedText))
	switch {
	case verdict != table.Done:
		return nil, errNoShared
	case v.Kind == table.Int:
		return shown1{name, "int", v.Int}, nil
	}
	return shown1{name, "string", string(v.Text)}, nil
}

// all are the variables, newest first as Kamailio has them. Its object has a member "shv" for each,
// of which most readers of JSON keep one; here they are a list.
func (s *shared) all() (any, error) {
	items := []map[string]any{}
	for i := len(s.names) - 1; i >= 0; i-- {
		v, err := s.shown(s.names[i])
		if err != nil {
			return nil, err
		}
		items = append(items, map[string]any{"shv": v})
	}
	return map[string]any{"items": items}, nil
}

// order sets a variable for an operator.
func (s *shared) order(name, kind, value string) (any, error) {
	var v table.Value
	switch kind {
	case "int":
		n, err := command.ParseInt(value)
		if err != nil {
			return nil, command.Faultf(500,
				"Missing integer parameter value (Parameters: varname type value)")
		}
		v = table.Number(n)
	case "str":
		v = table.String([]byte(value))
	default:
		return nil, command.Faultf(500, "Unknown parameter type (Types: int or str)")
	}
	if _, there := s.first[name]; !there {
		return nil, errNoShared
	}
	if verdict := s.t.Put([]byte(name), v, table.Terms{}, table.Now()); verdict != table.Done {
		return nil, command.Faultf(500, "the variable cannot take it: %v", verdict)
	}
	return "Ok. Variable set to new value.", nil
}
