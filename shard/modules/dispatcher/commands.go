package dispatcher

import (
	"viaduct/shard/balance"
	"viaduct/shard/route"
	"viaduct/shard/route/command"
)

// What dispatcher.list answers with, in Kamailio's words. What has no attributes has no ATTRS.
type (
	listed struct {
		Sets    int       `json:"NRSETS"`
		Records []aRecord `json:"RECORDS"`
	}
	aRecord struct {
		Set aSet `json:"SET"`
	}
	aSet struct {
		ID      int    `json:"ID"`
		Targets []aDst `json:"TARGETS"`
	}
	aDst struct {
		Dest dest `json:"DEST"`
	}
	dest struct {
		URI      string  `json:"URI"`
		Flags    string  `json:"FLAGS"`
		Priority int     `json:"PRIORITY"`
		Attrs    *attrs  `json:"ATTRS,omitempty"`
		Latency  latency `json:"LATENCY"`
		Runtime  struct {
			Load int `json:"DLGLOAD"`
		} `json:"RUNTIME"`
	}
	attrs struct {
		Body    string  `json:"BODY"`
		DUID    *string `json:"DUID"`
		MaxLoad int     `json:"MAXLOAD"`
		Weight  int     `json:"WEIGHT"`
		RWeight int     `json:"RWEIGHT"`
		Socket  *string `json:"SOCKET"`
		Name    *string `json:"SOCKNAME"`
		Proxy   *string `json:"OBPROXY"`
	}
	latency struct {
		Avg     float64 `json:"AVG"`
		Std     float64 `json:"STD"`
		Est     float64 `json:"EST"`
		Max     int64   `json:"MAX"`
		Timeout uint64  `json:"TIMEOUT"`
	}
)

// operated is what the commands act on.
type operated struct{ state *route.State }

// table returns the destination sets. Its error is a fault.
func (x *operated) table() (*balance.Table, error) {
	if t := x.state.Destinations.Targets(); t != nil {
		return t, nil
	}
	return nil, command.Faultf(500, "No Destination Sets")
}

// commands declares dispatcher.*, all but dispatcher.reload, which reads a file of the process.
// Answers are Kamailio's, and a fault begins with its words.
func commands(m *route.Module) {
	x := &operated{}
	m.Open(func(s *route.State) error { x.state = s; return nil })

	m.View("dispatcher.list", "Shows the destination sets, each destination with its state, "+
		"latency and calls.", nil, func(command.Args) (any, error) { return x.list() })
	states := command.Words("state", "#set", "address")
	m.Command("dispatcher.set_state", "Orders the state of a destination by its URI, or of all of a "+
		"set by all: a active, i inactive, t trying, d disabled; p behind it for probes.", states,
		func(a command.Args) (any, error) {
			uri := a.Text(2)
			return x.order(a.Text(0), int(a.Int(1, 0)), uri == "all",
				func(t *balance.Target) bool { return uri == "all" || t.URI == uri })
		})
	states = command.Words("state", "#set", "duid")
	m.Command("dispatcher.set_duid_state", "Orders the state of a destination by its duid.", states,
		func(a command.Args) (any, error) {
			return x.order(a.Text(0), int(a.Int(1, 0)), false,
				func(t *balance.Target) bool { return t.Attrs.DUID == a.Text(2) })
		})
	m.Command("dispatcher.ping_active", "Tells whether destinations are probed, or switches it on "+
		"(1) or off (0) until the next start. While it is off, calls try what was lost.",
		command.Words("[#state:0..1]"), func(a command.Args) (any, error) { return x.ping(a), nil })
	m.Command("dispatcher.add", "Adds a destination until the list is read again.",
		command.Words("#set:0..0x7fffffff", "address", "[#flags:0..63]",
			"[#priority:-2147483648..2147483647]", "[attrs]"),
		func(a command.Args) (any, error) { return x.add(a) })
	m.Command("dispatcher.remove", "Removes a destination until the list is read again.",
		command.Words("#set", "address"),
		func(a command.Args) (any, error) { return x.remove(int(a.Int(0, 0)), a.Text(1)) })
	m.View("dispatcher.hash", "Computes the hash that Kamailio makes of one or two texts, and the "+
		"slot of so many. No algorithm here selects by it.",
		command.Words("#slots:0..0x7fffffff", "value", "[value2]"),
		func(a command.Args) (any, error) {
			hash := balance.KamailioHash(a.Text(1), a.Text(2))
			if a.Len() == 2 {
				hash = balance.KamailioHash(a.Text(1))
			}
			slot := uint32(0)
			if n := uint32(a.Int(0, 0)); n > 0 {
				slot = hash % n
			}
			return struct {
				Hash uint32 `json:"hashid"`
				Slot uint32 `json:"slot"`
			}{hash, slot}, nil
		})
}

func (x *operated) list() (any, error) {
	table, err := x.table()
	if err != nil {
		return nil, err
	}
	all := listed{Sets: len(table.Sets()), Records: []aRecord{}}
	for _, s := range table.Sets() {
		row := aSet{ID: s.ID, Targets: []aDst{}}
		for _, t := range s.Targets {
			row.Targets = append(row.Targets, aDst{show(t)})
		}
		all.Records = append(all.Records, aRecord{row})
	}
	return all, nil
}

// order gives those of a set that match a state. Without a match it fails, unless all are meant.
func (x *operated) order(state string, set int, all bool,
	match func(t *balance.Target) bool) (any, error) {
	table, err := x.table()
	if err != nil {
		return nil, err
	}
	to, ok := balance.ParseMark(state)
	if !ok {
		return nil, command.Faultf(500, "Unknown State Value: %q is none of a, i, t and d, with or "+
			"without p behind it", state)
	}
	s := table.Set(set)
	if s == nil {
		return nil, command.Faultf(500, "State Update Failed: there is no set %d", set)
	}
	found := false
	for _, t := range s.Targets {
		if match(t) {
			found = true
			x.state.Destinations.Order(t, to)
		}
	}
	if !found && !all {
		return nil, command.Faultf(500, "State Update Failed: set %d has no such destination", set)
	}
	return "Ok. Dispatcher state updated.", nil
}

// ping is dispatcher.ping_active.
func (x *operated) ping(a command.Args) any {
	answer := struct {
		New *int `json:"NewPingState,omitempty"`
		Old int  `json:"OldPingState"`
	}{}
	if x.state.Destinations.Pinging() {
		answer.Old = 1
	}
	if a.Len() > 0 {
		to := int(a.Int(0, 0))
		x.state.Destinations.SetPinging(to != 0)
		answer.New = &to
	}
	return answer
}

func (x *operated) add(a command.Args) (any, error) {
	err := x.state.Destinations.EditTargets(func(t *balance.Table) (*balance.Table, error) {
		return t.Add(int(a.Int(0, 0)), a.Text(1), int(a.Int(2, 0)), int(a.Int(3, 0)), a.Text(4))
	})
	if err != nil {
		return nil, command.Faultf(500, "Adding dispatcher dst failed: %v", err)
	}
	return "Ok. Dispatcher destination added.", nil
}

func (x *operated) remove(set int, uri string) (any, error) {
	removed := 0
	err := x.state.Destinations.EditTargets(func(t *balance.Table) (next *balance.Table, err error) {
		next, removed, err = t.Remove(set, uri)
		return next, err
	})
	switch {
	case err != nil:
		return nil, command.Faultf(500, "Removing dispatcher dst failed: %v", err)
	case removed == 0: // Kamailio: "Ok."
		return nil, command.Faultf(404, "Removing dispatcher dst failed: set %d has no such destination",
			set)
	}
	return "Ok. Dispatcher destination removed.", nil
}

// show is the row of a destination.
func show(t *balance.Target) (d dest) {
	d.URI, d.Flags, d.Priority = t.URI, t.State().String(), t.Priority
	d.Runtime.Load = t.Load()
	l := t.Latency()
	d.Latency = latency{l.AvgMs, l.StdMs, l.EstMs, l.MaxMs, l.Timeouts}
	if a := &t.Attrs; a.Body != "" {
		d.Attrs = &attrs{Body: a.Body, DUID: orNull(a.DUID), MaxLoad: a.MaxLoad, RWeight: a.RWeight,
			Socket: orNull(a.Socket), Name: orNull(a.SocketName), Proxy: orNull(a.OBProxy)}
		if a.HasWeight {
			d.Attrs.Weight = a.Weight
		}
	}
	return d
}

// orNull is null for an empty text.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
