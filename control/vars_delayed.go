package control

import "slices"

// Values that wait for cfg.commit.

// delayed is a value that a variable gets at cfg.commit. The variable is looked up then: a reload
// may have made another of that name.
type delayed struct {
	group, name string
	value       any
}

// delay lets a value wait.
func (r *Vars) delay(group, name string, value any) error {
	v, err := r.check(group, name, value)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(v.Group, v.Name)
	r.delayed = append(r.delayed, delayed{v.Group, v.Name, value})
	return nil
}

// forget drops the value that waits for a variable. It returns false if there is none. mu is held.
func (r *Vars) forget(group, name string) bool {
	n := len(r.delayed)
	r.delayed = slices.DeleteFunc(r.delayed, func(d delayed) bool {
		return d.group == group && d.name == name
	})
	return len(r.delayed) < n
}

// commit sets what waits. If one cannot be set, those set before it are set back, and all wait on.
func (r *Vars) commit() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	type done struct {
		v   *Var
		was any
	}
	var all []done
	for _, d := range r.delayed {
		v, err := r.check(d.group, d.name, d.value)
		if err == nil {
			all = append(all, done{v, v.Get()})
			if err = r.put(v, d.value); err == nil {
				continue
			}
		}
		for _, back := range slices.Backward(all) {
			_ = back.v.Set(back.was) // it had this value
		}
		return err
	}
	r.delayed = nil
	return nil
}

// reset sets the variables of a group back to what they were before a command set them.
func (r *Vars) reset(group string) error {
	vars, err := r.group(group)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, value := range r.first {
		v := vars[key[1]]
		if key[0] != group || v == nil || v.Set == nil {
			continue
		}
		if err := v.Set(value); err != nil {
			return Faultf(400, "%s", err)
		}
		delete(r.first, key)
	}
	return nil
}

// waiting is a row of cfg.diff, in Kamailio's words.
type waiting struct {
	Group string `json:"group name"`
	Name  string `json:"variable name"`
	Old   any    `json:"old value"`
	New   any    `json:"new value"`
}

// registerDelayed adds the methods about values that wait.
func registerDelayed(r *RPC, vars *Vars) {
	vars.setters(r, vars.delay, " at the next cfg.commit.", "cfg.set_delayed", "cfg.set_delayed_int",
		"cfg.set_delayed_string")
	group, name := Param{Name: "group"}, Param{Name: "name"}
	r.Register(
		&Method{Name: "cfg.del_delayed", Help: "Drops the value that a variable would get at " +
			"cfg.commit.",
			Params: []Param{group, name},
			Call: func(a Args) (any, error) {
				v, err := vars.find(a.Text(0), a.Text(1))
				if err != nil {
					return nil, err
				}
				vars.mu.Lock()
				defer vars.mu.Unlock()
				if !vars.forget(v.Group, v.Name) {
					return nil, Faultf(404, "no value waits for %s.%s", v.Group, v.Name)
				}
				return nil, nil
			}},
		&Method{Name: "cfg.diff", Help: "Shows what cfg.commit would change.",
			Call: func(Args) (any, error) {
				vars.mu.Lock()
				defer vars.mu.Unlock()
				all := []waiting{}
				for _, d := range vars.delayed {
					row := waiting{Group: d.group, Name: d.name, New: d.value}
					if v, err := vars.find(d.group, d.name); err == nil { // a reload may take it out
						row.Old = v.Get()
					}
					all = append(all, row)
				}
				return all, nil
			}},
		&Method{Name: "cfg.changes", Help: "Shows what was set since the start and is not what it was, " +
			"in the words of the configuration.",
			Call: func(Args) (any, error) { return vars.changed(), nil }},
		&Method{Name: "cfg.commit", Help: "Sets what waits, all of it or nothing.",
			Call: func(Args) (any, error) { return nil, vars.commit() }},
		&Method{Name: "cfg.rollback", Help: "Drops what waits.", Call: func(Args) (any, error) {
			vars.mu.Lock()
			defer vars.mu.Unlock()
			vars.delayed = nil
			return nil, nil
		}},
	)
}
