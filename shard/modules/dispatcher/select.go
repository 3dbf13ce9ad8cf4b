package dispatcher

import (
	"strconv"

	"viaduct/parser"
	"viaduct/shard/balance"
	"viaduct/shard/route"
)

// selections are the functions that choose destinations.
func selections(m *route.Module, vars *destinationVars, calls *calls, hashes *hashing,
	force *bool) {
	const in = route.InRequest | route.InFailure
	refused := func(c *route.Ctx, uri bool) bool {
		return !uri && !*force && c.HasDstURI()
	}

	set := route.Digits(route.Int("set", 0, 1<<31-1, "the number of the set in the list", route.AsIs))
	algorithm := route.Int("algorithm", 0, 1<<31-1,
		"how to choose: 0, by Call-ID; 1 to 3, by the URI of From, To or the request; 4, in turn; 5, "+
			"by the user of the credentials; 6, at random; 7, by hash_pvar; 8, the first; 9, by weight; "+
			"10, by calls under way; 11, by rweight; 12, all at once; 13, by latency. Not there: 15, by "+
			"priority and weight (nearest: a set for each priority, by ds_select_routes, as in "+
			"\"1=9;2=9\"), and 64, in turn with overload control (nearest: 13)", route.AsIs)
	limit := route.Optional(route.Int("limit", 0, 1<<31-1,
		"how many destinations are kept for failover; 0 means all", route.AsIs), 0)
	args := []route.AnyArg{set, algorithm, limit}
	type chooser func(c *route.Ctx, set int, a balance.Algorithm, key balance.Key, limit int) bool
	type inputs func(set, algorithm, limit route.Input[int]) route.Call
	build := func(choose chooser, plain inputs) func(b *route.Build) route.Call {
		return func(b *route.Build) route.Call {
			set, ok1 := set.At(b, 0)
			algorithm, ok2 := algorithm.At(b, 1)
			limit, ok3 := limit.At(b, 2)
			hash, ok4 := hashes.build(b)
			if !ok1 || !ok2 || !ok3 || !ok4 || !noteSelection(b, set, algorithm, *calls.bits > 0) {
				return nil
			}
			if plain != nil {
				if call := plain(set, algorithm, limit); call != nil {
					return call
				}
			}
			return func(c *route.Ctx) route.Result {
				s, _ := set.Get(c)
				a, _ := algorithm.Get(c)
				l, _ := limit.Get(c)
				alg, key, ok := hash(c, balance.Algorithm(a))
				if !ok || !choose(c, s, alg, key, l) {
					return c.Moved(-1)
				}
				if alg == balance.CallLoad {
					calls.chosen(c)
				}
				vars.list(c)
				return c.Moved(1)
			}
		}
	}
	into := func(uri bool) func(b *route.Build) route.Call {
		choose := func(c *route.Ctx, set int, a balance.Algorithm, key balance.Key, limit int) bool {
			return !refused(c, uri) && c.Request.SelectTargetBy(set, a, key, limit, uri)
		}
		// what most files say, and each call passes
		return build(choose, func(set, algorithm, limit route.Input[int]) route.Call {
			s, ok1 := set.Known()
			n, ok2 := algorithm.Known()
			l, ok3 := limit.Known()
			a := balance.Algorithm(n)
			if !ok1 || !ok2 || !ok3 || *vars.given || !uri && !*force ||
				a == balance.CallLoad || a.Hashes() && a != balance.CallIDHash {
				return nil
			}
			return func(c *route.Ctx) route.Result {
				return c.Moved(route.Truth(c.Request.SelectTarget(s, a, l, uri)))
			}
		})
	}
	m.Func(route.Func{Name: "ds_select_dst", In: in, Args: args, Build: into(false),
		Doc: "Chooses a destination of a set and sets $du to it. False: there is none."})
	m.Func(route.Func{Name: "ds_select_domain", In: in, Args: args, Build: into(true),
		Doc: "Chooses a destination of a set for host and port of the Request-URI. False: there " +
			"is none."})
	m.Func(route.Func{Name: "ds_select", In: in, Args: args,
		Build: build(func(c *route.Ctx, set int, a balance.Algorithm, key balance.Key, limit int) bool {
			return c.Request.ListTargets(set, a, key, limit, false) && c.Request.ChooseFirst(limit)
		}, nil),
		Doc: "Chooses destinations of a set: ds_set_dst takes the first, and ds_next_dst the " +
			"others. False: there is none."}).Soon(route.Anywhere &^ in)

	rules := route.Text("rules", `sets and algorithms, such as "1=4;2=8"`)
	mode := route.Text("mode", `"0" or "d": into $du. "1" or "r": into the Request-URI. "2" or "x": `+
		"as ds_select")
	m.Func(route.Func{Name: "ds_select_routes", In: in, Args: []route.AnyArg{rules, mode, limit},
		Doc: "Chooses destinations of several sets, those of the first set first.",
		Build: func(b *route.Build) route.Call {
			rules, ok1 := rules.At(b, 0)
			mode, ok2 := mode.At(b, 1)
			limit, ok3 := limit.At(b, 2)
			hash, ok4 := hashes.build(b)
			if !ok1 || !ok2 || !ok3 || !ok4 {
				return nil
			}
			return func(c *route.Ctx) route.Result {
				how, r := mode.Get(c)
				if r <= 0 || len(how) == 0 {
					return -1
				}
				first := how[0]
				text, r := rules.Get(c)
				if r <= 0 || !listRules(c, text, hash) {
					return -1
				}
				l, _ := limit.Get(c)
				switch first {
				case '0', 'd', 'D':
					r = route.Truth(!refused(c, false) && c.Request.FirstTarget(l, false))
				case '1', 'r', 'R':
					r = route.Truth(c.Request.FirstTarget(l, true))
				case '2', 'x', 'X':
					r = route.Truth(c.Request.ChooseFirst(l))
				default:
					return -1
				}
				if r > 0 {
					vars.list(c)
				}
				return c.Moved(r)
			}
		}})

	next := func(name, doc string, uri bool, take func(c *route.Ctx) bool) {
		route.Func0(m, name, in, doc, func(c *route.Ctx) route.Result {
			if !vars.failover() || !take(c) {
				vars.none(c)
				return c.Moved(-1)
			}
			calls.moved(c)
			vars.list(c)
			return c.Moved(1)
		})
	}
	next("ds_next_dst", "Sets $du to the next destination of the list that ds_select_dst made. "+
		"False: none is left.", false, func(c *route.Ctx) bool { return c.Request.NextTarget(false) })
	next("ds_next_domain", "The same as ds_next_dst, for what ds_select_domain chose.", true,
		func(c *route.Ctx) bool { return c.Request.NextTarget(true) })
	next("ds_set_dst", "Sets $du again to the destination that was chosen last.", false,
		func(c *route.Ctx) bool { return c.Request.SameTarget(false) })
	next("ds_set_domain", "Writes the chosen destination into the Request-URI again.", true,
		func(c *route.Ctx) bool { return c.Request.SameTarget(true) })

	state := route.ParsedWarn("state", "a state",
		`"a" active, "i" inactive, "d" disabled, "t" trying; a "p" after it: probed`,
		func(s string) (state, odd string) {
			state, ok := dstState(s)
			if !ok {
				odd = `is no state: "a", "i", "d" or "t", and "p" for probing; the call is -1`
			}
			return state, odd
		})
	route.Func1(m, "ds_mark_dst", in, route.Optional(state, "i"),
		"Sets the state of the destination that was used last.",
		func(c *route.Ctx, state string) route.Result {
			if state == "" {
				return -1
			}
			return c.MarkDst(state)
		}).Soon(route.InReplies)
}

// noteSelection holds a choice that is known at load against the algorithms there are, and notes it
// for who has the list.
func noteSelection(b *route.Build, set, algorithm route.Input[int], counts bool) bool {
	a, known := algorithm.Known()
	if !known {
		return true
	}
	if alg := balance.Algorithm(a); !alg.Available() {
		b.Errorf(1, "%s", (&balance.UnavailableError{Algorithm: alg}).Error())
		return false
	} else if alg == balance.CallLoad && !counts {
		b.Errorf(1, "algorithm 10 needs modparam(\"dispatcher\", \"ds_hash_size\", …): the table of "+
			"calls that it counts")
		return false
	}
	sel := route.Selection{Pos: b.Pos(), Set: -1, Algorithm: a}
	if s, known := set.Known(); known {
		sel.Set = s
	}
	b.Selects(sel)
	return true
}

// hash gives the algorithm to use and what it hashes of the request. ok is false if there is no
// such text.
type hash func(c *route.Ctx, a balance.Algorithm) (use balance.Algorithm, key balance.Key, ok bool)

// listRules makes the list of destinations of "set=algorithm;…".
func listRules(c *route.Ctx, rules []byte, hash hash) bool {
	some := false
	for len(rules) > 0 {
		var set, algorithm int64
		var ok1, ok2 bool
		set, rules, ok1 = number(rules, '=')
		algorithm, rules, ok2 = number(rules, ';')
		if !ok1 || !ok2 {
			return false
		}
		a, key, ok := hash(c, balance.Algorithm(algorithm))
		if ok && c.Request.ListTargets(int(set), a, key, 0, some) {
			some = true
		}
	}
	return some
}

// number reads a number that ends at a byte or with the text.
func number(s []byte, end byte) (n int64, rest []byte, ok bool) {
	i := 0
	for i < len(s) && s[i] != end {
		i++
	}
	n, err := strconv.ParseInt(string(s[:i]), 10, 32)
	return n, s[min(i+1, len(s)):], err == nil
}

// hashing is what parameters say about algorithms that hash.
type hashing struct {
	variable *string
	userOnly func() bool
}

// build compiles what the algorithms of a call hash.
func (h *hashing) build(b *route.Build) (hash, bool) {
	var variable *route.Template
	if *h.variable != "" {
		if variable = b.Template(route.WholeCall, *h.variable); variable == nil {
			return nil, false
		}
	}
	userOnly := h.userOnly()
	return func(c *route.Ctx, a balance.Algorithm) (balance.Algorithm, balance.Key, bool) {
		text := c.Msg.CallID()
		switch a {
		case balance.FromHash, balance.ToHash, balance.URIHash:
			text = uriText(c, a, userOnly)
		case balance.UserHash:
			if text = credentialsUser(c); len(text) == 0 {
				return balance.RoundRobin, balance.Key{}, true
			}
		case balance.VariableHash:
			if variable == nil {
				return a, balance.Key{}, false
			}
			text = variable.Expand(c)
		}
		return a, balance.KeyOf(text), len(text) > 0
	}, true
}

// uriText is what algorithms 1 to 3 hash: user, host, and a port that is not the default.
func uriText(c *route.Ctx, a balance.Algorithm, userOnly bool) []byte {
	var u *parser.URI
	switch a {
	case balance.FromHash:
		if f, reason := c.Msg.From(); reason == parser.OK {
			u = c.ParseURI(f.URI.Of(c.Msg.Raw))
		}
	case balance.ToHash:
		if t, reason := c.Msg.To(); reason == parser.OK {
			u = c.ParseURI(t.URI.Of(c.Msg.Raw))
		}
	default:
		u = c.RequestURI()
	}
	if u == nil {
		return nil
	}
	user := u.User.Of(u.Raw)
	if userOnly && len(user) > 0 {
		return user
	}
	b := append(append(c.Room(), user...), u.HostBytes()...)
	if u.Port != 0 && u.Port != 5060 && u.Port != 5061 {
		b = strconv.AppendUint(append(b, ':'), uint64(u.Port), 10)
	}
	return b
}

// credentialsUser is the user of Authorization or Proxy-Authorization.
func credentialsUser(c *route.Ctx) []byte {
	for _, name := range [...]string{"Proxy-Authorization", "Authorization"} {
		if i := c.Msg.HeaderByName(name, 0); i >= 0 {
			if user, ok := quotedParam(c.Msg.Headers[i].Value.Of(c.Msg.Raw), "username"); ok {
				return user
			}
		}
	}
	return nil
}

// quotedParam is the value of name="…" in credentials.
func quotedParam(s []byte, name string) ([]byte, bool) {
	for i := 0; i+len(name)+2 < len(s); i++ {
		if i > 0 && s[i-1] != ' ' && s[i-1] != ',' && s[i-1] != '\t' {
			continue
		}
		if string(s[i:i+len(name)]) != name || s[i+len(name)] != '=' || s[i+len(name)+1] != '"' {
			continue
		}
		v := s[i+len(name)+2:]
		for k := range v {
			if v[k] == '"' {
				return v[:k:k], true
			}
		}
	}
	return nil, false
}
