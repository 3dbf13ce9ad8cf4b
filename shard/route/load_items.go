package route

import (
	"regexp"
	"slices"
	"strings"

	"viaduct/shard/route/suggest"
	"viaduct/shard/route/syntax"
)

// compile turns the items, in file order, into settings and a program. As in Kamailio, order
// matters: a function or a modparam needs its loadmodule above it.
func (ld *loader) compile(file *syntax.File, list []Declared) (*Program, *Settings) {
	items := withRouteZero(ld.joined(file.Items))
	set := DefaultSettings()
	prog := &Program{defines: file.Defines}
	cc := &compiler{ld: ld, prog: prog, set: set, vars: map[string]int32{},
		byName: map[string]*routeCode{}, flags: map[string]int{}, custom: map[string]Value{},
		bareAVPs: map[string]bool{},
		defined:  map[string]Pos{}, loaded: map[string]bool{}, absences: absences{},
		defs: newDefs(list, set), numbers: map[armKey]int{}, runFor: map[string]kinds{},
		defines: file.Defines}
	cc.sets, cc.reads = map[int32]kinds{}, map[int32]*varReads{}
	prog.core, _ = provided[*coreEvents](cc.defs.loaded[core])
	for i := range items {
		it := &items[i]
		switch it.Kind {
		case syntax.SettingItem:
			cc.global(it)
		case syntax.ListenItem:
			set.Core.Listen = append(set.Core.Listen, listenOn(it.Socket))
		case syntax.AliasItem:
			l := listenOn(it.Socket)
			set.Core.Alias = append(set.Core.Alias,
				Alias{Transport: l.Transport, Host: l.Host, Port: l.Port, Pos: l.Pos})
		case syntax.CustomItem:
			cc.customSetting(it)
		case syntax.FlagItem:
			cc.nameFlag(it)
		case syntax.AVPFlagItem:
			ld.warnf(it.Pos, "avpflags has no effect: AVPs have no flags")
		case syntax.LoadPathItem:
			ld.warnf(it.Pos, "the module path has no effect: all modules are built in")
		case syntax.LoadModuleItem:
			cc.loadModule(it)
		case syntax.ModParamItem:
			cc.modParam(it)
		}
	}
	cc.readyAll()
	cc.prefixLines(items)
	// Routes come last, because the prefix of xlog and the limits may stand anywhere in the file. A
	// route can use the modules that are loaded above it.
	cc.loaded = map[string]bool{}
	cc.plan(items)
	for i := range items {
		switch it := &items[i]; it.Kind {
		case syntax.LoadModuleItem:
			cc.loaded[syntax.ModuleName(it.Name)] = true
		case syntax.RouteItem:
			cc.route(it)
		}
	}
	cc.tellAbsent()
	cc.warnLives()
	prog.maxRecursion, prog.maxLoops = set.Core.MaxRecursion, int64(set.Core.MaxWhileLoops)
	cc.finish(Pos{File: file.Name, Line: 1, Col: 1})
	prog.keepVarNames(cc.vars)
	cc.begun()
	prog.keepRefused = set.Stream.KeepRefused
	return prog, set
}

// joined joins the unnamed routes of one kind into one, as Kamailio runs them: each continues where
// the one before it ends.
func (ld *loader) joined(items []syntax.Item) []syntax.Item {
	first := map[RouteKind]int{}
	out := items[:0:0]
	for _, it := range items {
		kind, ok := runKind(&it)
		if it.Kind != syntax.RouteItem || !ok || !it.Unnamed() || it.Word == "event_route" {
			out = append(out, it)
			continue
		}
		i, there := first[kind]
		if !there {
			first[kind] = len(out)
			out = append(out, it)
			continue
		}
		ld.warnf(it.Pos, "second %s: it goes on where the one at %s ends", it.Word, out[i].Pos)
		out[i].Body = append(out[i].Body[:len(out[i].Body):len(out[i].Body)], it.Body...)
	}
	return out
}

// withRouteZero adds what route(0) calls: the body of request_route as a route of its own. It adds
// nothing if no route does so.
func withRouteZero(items []syntax.Item) []syntax.Item {
	main, called := -1, false
	for i := range items {
		it := &items[i]
		if it.Kind != syntax.RouteItem {
			continue
		}
		if k, ok := runKind(it); ok && k == RequestRoute && it.Unnamed() && it.Word != "event_route" {
			main = i
		}
		w := callees{}
		w.stmts(it.Body)
		called = called || slices.ContainsFunc(w.found, func(c callee) bool { return c.name == "0" })
	}
	if main < 0 || !called {
		return items
	}
	zero := items[main]
	zero.Word, zero.Name, zero.Named, zero.Called = "route", "0", true, true
	return append(items, zero)
}

// prefixLines compiles log_prefix.
func (cc *compiler) prefixLines(items []syntax.Item) {
	for i := range items {
		it := &items[i]
		if it.Kind == syntax.SettingItem && it.Name == "log_prefix" &&
			it.Val.Kind == syntax.StrLiteral && it.Val.Str == cc.set.Core.LogPrefix &&
			it.Val.Str != "" {
			cc.prog.logPrefix = cc.format(it.Val.Pos, it.Val.Str)
		}
	}
}

// customSetting stores group.name = value for $sel(cfg_get.group.name).
func (cc *compiler) customSetting(it *syntax.Item) {
	name := strings.ToLower(it.Name)
	if _, dup := cc.custom[name]; dup {
		cc.ld.errorf(it.Pos, "%s is set already", clip(it.Name))
		return
	}
	v := intOf(it.Val.Num)
	if it.Val.Kind != syntax.IntLiteral {
		v = Value{Kind: strValue, S: []byte(it.Val.Str)}
	}
	cc.custom[name] = v
}

// global applies a core parameter, name=value.
func (cc *compiler) global(it *syntax.Item) {
	d := cc.defs.get(core).params[it.Name]
	if d == nil {
		if o := other(useSetting, core, it.Name); o != nil {
			cc.ld.survey.add(Use{Kind: useSetting, Name: it.Name, Module: core, Fate: Missing,
				Note: o.instead}, it.Pos)
			cc.ld.errorf(it.Pos, "core parameter %s is %s", it.Name, o)
			return
		}
		cc.ld.errorf(it.Pos, "unknown core parameter %s%s", it.Name,
			suggest.DidYouMean(it.Name, coreNames()))
		return
	}
	if n, ok := levelWords[it.Val.Str]; ok && it.Val.Kind == syntax.WordLiteral && !d.any {
		it.Val.Kind, it.Val.Num = syntax.IntLiteral, int64(n) // debug=L_INFO
	}
	cc.noteParam(d, Use{Kind: useSetting, Name: it.Name, Module: core}, it.Pos)
	defer cc.refused(useSetting, it.Name, core, it.Pos, cc.unclaimed())
	cc.setParam(d, it, it.Pos, it.Name)
}

// noteParam notes that the file sets a parameter that exists here.
func (cc *compiler) noteParam(d *paramDef, u Use, pos Pos) {
	switch {
	case d.idle != "":
		u.Fate, u.Note = Idle, d.idle
	case d.notYet:
		u.Fate, u.Note = Idle, "nothing acts on it yet"
	}
	cc.ld.survey.add(u, pos)
}

// setParam sets a parameter, which messages call name.
func (cc *compiler) setParam(d *paramDef, it *syntax.Item, pos Pos, name string) {
	if d.kind == numberParam && d.min == 0 && d.max == 1 && it.Val.Kind == syntax.IntLiteral &&
		it.Val.Num>>1 != 0 { // as in C
		cc.ld.warnf(it.Val.Pos, "%s is %d, and taken as 1", name, it.Val.Num)
		it.Val.Num = 1
	}
	if why := d.check(it.Val); why != "" {
		cc.ld.errorf(it.Val.Pos, "%s %s", name, why)
		return
	}
	if d.idle != "" {
		cc.ld.warnf(pos, "%s has no effect: %s", name, d.idle)
		return
	}
	d.set(it.Val)
	if d.notYet {
		cc.ld.warnf(pos, "%s has no effect yet", name)
	}
	if d.note != nil {
		if note := d.note(it.Val); note != "" {
			cc.ld.warnf(pos, "%s %s", name, note)
		}
	}
}

func (cc *compiler) loadModule(it *syntax.Item) {
	name := syntax.ModuleName(it.Name)
	if !cc.defs.has(name) {
		switch o := other(useModule, "-", name); {
		case moduleKnown(name):
			u, why := Use{Kind: useModule, Name: name, Module: name, Fate: Missing},
				"known to Kamailio, not implemented by Viaduct yet"
			if o != nil {
				u.Note, why = o.instead, o.String()
			}
			cc.ld.survey.add(u, it.Pos)
			cc.ld.errorf(it.Pos, "module %s is %s", name, why)
			if cc.absences[name] == nil {
				cc.absent(name, it.Pos)
			}
		default:
			cc.ld.errorf(it.Pos, "unknown module %s%s", clip(name),
				suggest.DidYouMean(name, cc.moduleNames()))
		}
		// Its functions and parameters are reported as what they are, not as missing this module.
		cc.loaded[name] = true
		return
	}
	if cc.loaded[name] {
		cc.ld.warnf(it.Pos, "module %s is loaded already", name)
		return
	}
	cc.loaded[name] = true
	cc.set.Modules = append(cc.set.Modules, LoadModule{Name: name, Pos: it.Pos})
	m := cc.defs.load(name, cc.set)
	u := Use{Kind: useModule, Name: name, Module: name}
	if m.def.idle != "" {
		u.Fate, u.Note = Idle, m.def.idle
	}
	cc.ld.survey.add(u, it.Pos)
	if m.def.idle != "" {
		cc.ld.warnf(it.Pos, "module %s has nothing to do: %s", name, m.def.idle)
	}
	for _, other := range m.missing {
		cc.ld.errorf(it.Pos, "module %s needs loadmodule \"%s.so\" above this line", name, other)
	}
}

// modParam applies modparam("module", "name", value). The module may be a pattern, usually a|b.
func (cc *compiler) modParam(it *syntax.Item) {
	re, err := regexp.Compile("^(?:" + it.Name + ")$")
	if err != nil {
		cc.ld.errorf(it.Pos, "%s is no module name", quote(clip(it.Name)))
		return
	}
	matched := false
	for _, m := range sortedKeys(cc.loaded) {
		if re.MatchString(m) {
			matched = true
			cc.oneParam(m, it) // each one that matches must have it (5.6.3)
		}
	}
	if matched {
		return
	}
	if strings.ContainsAny(it.Name, "|*.[(") {
		cc.ld.errorf(it.Pos, "no module that is loaded matches %s", quote(clip(it.Name)))
		return
	}
	if !cc.defs.has(it.Name) && !moduleKnown(it.Name) {
		cc.ld.errorf(it.Pos, "unknown module %s%s", clip(it.Name),
			suggest.DidYouMean(it.Name, cc.moduleNames()))
		return
	}
	cc.ld.errorf(it.Pos, "module %s is not loaded: loadmodule \"%s.so\" must stand above", it.Name,
		it.Name)
}

func (cc *compiler) oneParam(module string, it *syntax.Item) {
	m := cc.defs.get(module)
	if m == nil { // reported at its loadmodule
		if moduleKnown(module) {
			cc.ld.survey.add(Use{Kind: useParam, Name: it.Param, Module: module, Fate: Missing},
				it.ParamPos)
		}
		return
	}
	if l := cc.defs.loaded[module]; l != nil && l.given[it.Param] != nil {
		*l.given[it.Param] = true
	}
	d := m.params[it.Param]
	full := module + "." + it.Param
	theirs, o := known()[module].params[it.Param], other(useParam, module, it.Param)
	u := Use{Kind: useParam, Name: it.Param, Module: module}
	switch {
	case d == nil && m.idle != "" && (theirs || o != nil):
		u.Fate, u.Note = Idle, m.idle
		cc.ld.survey.add(u, it.ParamPos)
		cc.ld.warnf(it.ParamPos, "%s has no effect: %s", full, m.idle)
	case d == nil && theirs:
		u.Fate = Missing
		cc.ld.survey.add(u, it.ParamPos)
		cc.ld.errorf(it.ParamPos, "%s is known to Kamailio, not implemented by Viaduct yet", full)
	case d == nil && o != nil:
		u.Fate, u.Note = Missing, o.instead
		cc.ld.survey.add(u, it.ParamPos)
		cc.ld.errorf(it.ParamPos, "%s is %s", full, o)
	case d == nil:
		cc.ld.errorf(it.ParamPos, "module %s has no parameter %s%s", module, quote(clip(it.Param)),
			suggest.DidYouMean(it.Param, cc.paramNames(module)))
	default:
		cc.noteParam(d, u, it.ParamPos)
		defer cc.refused(useParam, it.Param, module, it.ParamPos, cc.unclaimed())
		cc.setParam(d, it, it.ParamPos, full)
	}
}

// route compiles one routing block.
func (cc *compiler) route(it *syntax.Item) {
	kind, ok := runKind(it)
	cc.ends, cc.leave, cc.inEventRoute = routeEnds{}, outside, it.Word == "event_route"
	event, why := cc.eventOf(it)
	if why != "" {
		what := it.Word + "[" + it.Name + "]"
		if at, dup := cc.defined[what]; dup {
			cc.ld.errorf(it.Pos, "second %s; the first stands at %s", what, at)
			cc.unrun(it)
			return
		}
		cc.defined[what] = it.Pos
		cc.ld.warnf(it.Pos, "%s is checked and never run: %s", what, why)
		cc.kind, cc.sub, cc.event = inRequest, nil, it.Name // as kamailio -c does
		forwards, selections := cc.prog.usesForward, cc.prog.selections
		cc.routeBody(it.Body)
		cc.event, cc.prog.usesForward, cc.prog.selections = "", forwards, selections
		return
	}
	if it.Word == "event_route" {
		ok = event != nil
	} else if !ok {
		cc.ld.errorf(it.Pos, "%s is not supported yet", it.Word)
	}
	if !ok {
		cc.unrun(it)
		return
	}
	if it.Named && (it.Word == "request_route" || it.Word == "reply_route") {
		cc.ld.errorf(it.Pos, "%s has no name", it.Word)
	}
	// what is the name in error messages; an unnamed route is request_route, and so on
	what, rt := it.Word+"["+it.Name+"]", (*routeCode)(nil)
	switch {
	case it.Word == "route" && !it.Unnamed():
		rt = cc.routeNamed(it.Name)
	case event != nil:
		rt = cc.newRoute(what)
		if k, name, ok := armedBy(it); ok {
			n := cc.numbers[armKey{k, name}]
			if n == 0 {
				return // too many, reported
			}
			rt = (*cc.prog.armable(k))[n-1]
		}
		event.rt, event.prog = rt, cc.prog
		cc.also = event.also
	case kind == RequestRoute:
		what, rt = "request_route", cc.newRoute("request_route")
	case kind == CoreReplyRoute:
		what, rt = "reply_route", cc.newRoute("reply_route")
	case kind == OnsendRoute && !it.Unnamed():
		cc.ld.warnf(it.Pos, "%s is never run: what is sent meets onsend_route without a name", what)
		rt = cc.newRoute(what)
	case kind == OnsendRoute:
		what, rt = "onsend_route", cc.newRoute("onsend_route")
	case it.Unnamed():
		cc.ld.warnf(it.Pos, "%s without a name is never run: no function can arm it", it.Word)
		rt = cc.newRoute(it.Word)
	default:
		n := cc.numbers[armKey{kind, it.Name}]
		if n == 0 {
			return // too many, reported
		}
		rt = (*cc.prog.armable(kind))[n-1]
		if rt == cc.prog.strayReply {
			cc.also = InCoreReply
		}
	}
	if at, dup := cc.defined[what]; dup {
		cc.ld.errorf(it.Pos, "second %s; the first stands at %s", what, at)
		cc.unrun(it)
		return
	}
	cc.defined[what] = it.Pos
	cc.kind, cc.sub = 1<<kind, nil
	switch what {
	case "request_route":
		cc.prog.main = rt
	case "reply_route":
		cc.prog.coreReply = rt
	case "onsend_route":
		cc.prog.onsend = rt
	default:
		if it.Word == "route" {
			cc.sub = rt
		}
	}
	cc.fill(rt, it)
	cc.also = 0
}

// eventOf returns the event of an event route. If there is none, why says why the route never
// runs.
func (cc *compiler) eventOf(it *syntax.Item) (e *Event, why string) {
	if it.Word != "event_route" {
		return nil, ""
	}
	if why := cc.neverRun(it); why != "" {
		return nil, why
	}
	return cc.eventNamed(it)
}

// neverRun returns why the event of an event route is never raised here on purpose. It returns ""
// for all other events.
func (cc *compiler) neverRun(it *syntax.Item) string {
	if it.Word != "event_route" {
		return ""
	}
	switch it.Name {
	case "tcp:closed", "tcp:timeout", "tcp:reset":
		return "viaductctl lists connections and counts those that ended"
	case "sl:filtered-ack":
		return "an ACK to an answer without a transaction is counted and taken in silence"
	case "core:msg-received":
		if !cc.prog.core.mode {
			return "it needs received_route_mode=1"
		}
	}
	return ""
}

func (cc *compiler) fill(rt *routeCode, it *syntax.Item) {
	rt.tooDeep = []byte(it.Pos.String() + ": route(" + rt.name +
		") is nested deeper than max_recursive_level")
	rt.start = cc.here()
	cc.inRoute, cc.inlinings = rt.name, nil
	targets, waits := len(cc.targets), len(cc.prog.waits)
	cc.define(rt.label, cc.routeBody(it.Body))
	rt.size, rt.there = int32(cc.here()-rt.start), true
	rt.calls = cc.inlinings // each of them has one of the targets
	rt.frameless = len(cc.targets)-targets == len(rt.calls) && len(cc.prog.waits) == waits
	cc.prog.routes = append(cc.prog.routes, rt)
	rt.number = int32(len(cc.prog.routes))
}

// finish checks what needs the whole file, and links the program if there were no errors.
func (cc *compiler) finish(start Pos) {
	var names []string
	for n, rt := range cc.byName {
		if rt.there {
			names = append(names, n)
		}
	}
	for _, r := range cc.refs {
		rt := cc.byName[r.name]
		switch {
		case rt.there:
		case r.late != "":
			cc.ld.warnf(r.pos, "%s: there is no route[%s]%s, and the call is -1", r.late, clip(r.name),
				suggest.DidYouMean(r.name, names))
		default:
			cc.ld.errorf(r.pos, "there is no route[%s]%s", clip(r.name),
				suggest.DidYouMean(r.name, names))
		}
	}
	if cc.prog.main == nil && len(cc.ld.Errors) == 0 {
		cc.ld.errorf(start, "there is no request_route")
	}
	if len(cc.ld.Errors) > 0 {
		return
	}
	cc.link()
}
