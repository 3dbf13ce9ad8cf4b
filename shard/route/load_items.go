package route

import (
	"regexp"
	"strings"

	"viaduct/shard/route/suggest"
)

// compile turns the items, in file order, into settings and a program. Order matters as in Kamailio: a function, a modparam
// needs its loadmodule above it.
func (ld *loader) compile(file string, items []item) (*Program, *Settings) {
	set := DefaultSettings()
	prog := &Program{}
	cc := &compiler{ld: ld, prog: prog, set: set, vars: map[string]int32{}, byName: map[string]*routeCode{},
		defined: map[string]Pos{}, loaded: map[string]bool{}, numbers: map[armKey]int{}, runFor: map[string]kinds{}}
	for i := range items {
		it := &items[i]
		switch it.kind {
		case itemGlobal:
			ld.global(it, set)
		case itemListen:
			set.Core.Listen = append(set.Core.Listen, *it.listen)
		case itemAlias:
			l := it.listen
			set.Core.Alias = append(set.Core.Alias, Alias{Transport: l.Transport, Host: l.Host, Port: l.Port, Pos: l.Pos})
		case itemCustom:
			ld.warnf(it.pos, "%s is kept nowhere yet: $sel(cfg_get.…) is not supported", it.name)
		case itemLoadPath:
			ld.warnf(it.pos, "the module path has no effect: all modules are built in")
		case itemLoadModule:
			cc.loadModule(it)
		case itemModParam:
			cc.modParam(it)
		}
	}
	// Routes come last: xlog's prefix and the limits are known then, wherever in the file they stand. What is loaded is taken
	// at the route's place.
	cc.loaded = map[string]bool{}
	cc.plan(items)
	for i := range items {
		switch it := &items[i]; it.kind {
		case itemLoadModule:
			cc.loaded[moduleName(it.name)] = true
		case itemRoute:
			cc.route(it)
		}
	}
	cc.finish(Pos{file, 1, 1})
	prog.nvars = len(cc.vars)
	prog.maxRecursion, prog.maxLoops = set.Core.MaxRecursion, int64(set.Core.MaxWhileLoops)
	return prog, set
}

// global applies name=value.
func (ld *loader) global(it *item, set *Settings) {
	d := globals[it.name]
	if d == nil {
		ld.errorf(it.pos, "unknown core parameter %s%s", it.name, suggest.DidYouMean(it.name, globalNames()))
		return
	}
	if d.idle != "" {
		ld.warnf(it.pos, "%s has no effect: %s", it.name, d.idle)
		return
	}
	if why := d.check(it.val); why != "" {
		ld.errorf(it.val.pos, "%s %s", it.name, why)
		return
	}
	d.set(set, it.val)
	if unhonoured[it.name] {
		ld.warnf(it.pos, "%s has no effect yet", it.name)
	}
	if d.note != nil {
		if note := d.note(it.val); note != "" {
			ld.warnf(it.pos, "%s %s", it.name, note)
		}
	}
	if it.name == "children" {
		ld.warnf(it.pos, "children has no effect: Viaduct runs one shard per CPU; -n sets how many")
	}
}

func (cc *compiler) loadModule(it *item) {
	name := moduleName(it.name)
	d := modules[name]
	if d == nil {
		if _, ok := known()[name]; ok && name != "core" {
			cc.ld.errorf(it.pos, "module %s is known to Kamailio, not implemented by Viaduct yet", name)
		} else {
			cc.ld.errorf(it.pos, "unknown module %s%s", clip(name), suggest.DidYouMean(name, moduleNames()))
		}
		// Its functions and parameters are reported as what they are, not as missing this module.
		cc.loaded[name] = true
		return
	}
	if cc.loaded[name] {
		cc.ld.warnf(it.pos, "module %s is loaded already", name)
		return
	}
	cc.loaded[name] = true
	cc.set.Modules = append(cc.set.Modules, Module{Name: name, Pos: it.pos})
	switch name {
	case "websocket":
		cc.set.WebSocket.Loaded = true
	case "tls":
		cc.set.TLS.Loaded = true
	}
	if d.idle != "" {
		cc.ld.warnf(it.pos, "module %s has nothing to do: %s", name, d.idle)
	}
}

// modParam applies modparam("module", "name", value). The module may be a pattern, mostly a|b.
func (cc *compiler) modParam(it *item) {
	re, err := regexp.Compile("^(?:" + it.name + ")$")
	if err != nil {
		cc.ld.errorf(it.pos, "%s is no module name", quote(clip(it.name)))
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
	if strings.ContainsAny(it.name, "|*.[(") {
		cc.ld.errorf(it.pos, "no module that is loaded matches %s", quote(clip(it.name)))
		return
	}
	_, theirs := known()[it.name]
	if modules[it.name] == nil && !theirs {
		cc.ld.errorf(it.pos, "unknown module %s%s", clip(it.name), suggest.DidYouMean(it.name, moduleNames()))
		return
	}
	cc.ld.errorf(it.pos, "module %s is not loaded: loadmodule \"%s.so\" must stand above", it.name, it.name)
}

func (cc *compiler) oneParam(module string, it *item) {
	m := modules[module]
	if m == nil {
		return // reported at its loadmodule
	}
	if module == "tm" && it.param == "contacts_avp" {
		cc.contacts = true
	}
	d := m.params[it.param]
	full := module + "." + it.param
	switch {
	case d == nil && known()[module].params[it.param] && m.idle != "":
		cc.ld.warnf(it.paramPos, "%s has no effect: %s", full, m.idle)
	case d == nil && known()[module].params[it.param]:
		cc.ld.errorf(it.paramPos, "%s is known to Kamailio, not implemented by Viaduct yet", full)
	case d == nil:
		cc.ld.errorf(it.paramPos, "module %s has no parameter %s%s", module, quote(clip(it.param)), suggest.DidYouMean(it.param, paramNames(module)))
	default:
		if why := d.check(it.val); why != "" {
			cc.ld.errorf(it.val.pos, "%s %s", full, why)
		} else if d.idle != "" {
			cc.ld.warnf(it.paramPos, "%s has no effect: %s", full, d.idle)
		} else {
			d.set(cc.set, it.val)
			if unhonoured[module+"."+it.param] {
				cc.ld.warnf(it.paramPos, "%s has no effect yet", full)
			}
			if d.note != nil {
				if note := d.note(it.val); note != "" {
					cc.ld.warnf(it.paramPos, "%s %s", full, note)
				}
			}
		}
	}
}

// route compiles one routing block.
func (cc *compiler) route(it *item) {
	kind, ok := it.runKind()
	if why := cc.neverRun(it); why != "" {
		what := it.kindName + "[" + it.name + "]"
		if at, dup := cc.defined[what]; dup {
			cc.ld.errorf(it.pos, "second %s; the first stands at %s", what, at)
			return
		}
		cc.defined[what] = it.pos
		cc.ld.warnf(it.pos, "%s is checked and never run: %s", what, why)
		cc.kind, cc.sub, cc.event = inRequest, nil, it.name // as kamailio -c does
		forwards, selections := cc.prog.usesForward, cc.prog.selections
		cc.block(it.body)
		cc.event, cc.prog.usesForward, cc.prog.selections = "", forwards, selections
		return
	}
	if !ok {
		cc.ld.errorf(it.pos, "%s is not supported yet", it.kindName)
		cc.kind, cc.sub = anywhere, nil
		cc.block(it.body) // its errors are worth knowing all the same
		return
	}
	if it.named && (it.kindName == "request_route" || it.kindName == "reply_route") {
		cc.ld.errorf(it.pos, "%s has no name", it.kindName)
	}
	// what stands in the errors; route without a name is request_route, and so on
	what, rt := it.kindName+"["+it.name+"]", (*routeCode)(nil)
	switch {
	case it.kindName == "route" && !it.unnamed():
		rt = cc.routeNamed(it.name)
	case kind == RequestRoute:
		what, rt = "request_route", &routeCode{name: "request_route"}
	case kind == CoreReplyRoute:
		what, rt = "reply_route", &routeCode{name: "reply_route"}
	case it.unnamed():
		cc.ld.warnf(it.pos, "%s without a name is never run: no function can arm it", it.kindName)
		rt = &routeCode{name: it.kindName}
	default:
		n := cc.numbers[armKey{kind, it.name}]
		if n == 0 {
			return // too many, reported
		}
		rt = (*cc.prog.armable(kind))[n-1]
	}
	if at, dup := cc.defined[what]; dup {
		cc.ld.errorf(it.pos, "second %s; the first stands at %s", what, at)
		return
	}
	cc.defined[what] = it.pos
	cc.kind, cc.sub = 1<<kind, nil
	switch what {
	case "request_route":
		cc.prog.main = rt
	case "reply_route":
		cc.prog.coreReply = rt
	default:
		if it.kindName == "route" {
			cc.sub = rt
		}
	}
	cc.fill(rt, it)
}

// neverRun says why the events of an event route do not reach the script here, "" for those whose absence would be missed.
func (cc *compiler) neverRun(it *item) string {
	if it.kindName != "event_route" {
		return ""
	}
	switch it.name {
	case "xhttp:request":
		if cc.loaded["websocket"] {
			return "Viaduct answers the WebSocket handshake itself, and no other HTTP request"
		}
		return "no HTTP is spoken, and WebSocket needs loadmodule \"websocket.so\""
	case "websocket:closed", "tcp:closed", "tcp:timeout", "tcp:reset":
		return "viaductctl lists connections and counts those that ended"
	}
	return ""
}

func (cc *compiler) fill(rt *routeCode, it *item) {
	rt.tooDeep = Diagnostic{Pos: it.pos, Text: "route(" + rt.name + ") is nested deeper than max_recursive_level"}
	rt.body = cc.block(it.body)
	rt.last = it.body
	cc.prog.routes = append(cc.prog.routes, rt)
}

// finish checks what needs the whole file.
func (cc *compiler) finish(start Pos) {
	var names []string
	for n, rt := range cc.byName {
		if rt.body != nil {
			names = append(names, n)
		}
	}
	for _, r := range cc.refs {
		rt := cc.byName[r.name]
		if rt.body == nil {
			cc.ld.errorf(r.pos, "there is no route[%s]%s", clip(r.name), suggest.DidYouMean(r.name, names))
		} else if r.cond && endsInCall(rt.last) {
			cc.ld.warnf(r.pos, "route[%s] may run off its end, which counts as true; Kamailio takes the value of the last function there: write return",
				r.name)
		}
	}
	for _, rt := range cc.prog.routes {
		rt.last = nil
	}
	if cc.prog.main == nil && len(cc.ld.errs) == 0 {
		cc.ld.errorf(start, "there is no request_route")
	}
}

// endsInCall tells whether the value of a last function call shows as the route's value in Kamailio 5.6.3 (it returns the
// last action's value, though its manual says 1, which is what we do).
func endsInCall(body []stmt) bool {
	if len(body) == 0 {
		return false
	}
	s, ok := body[len(body)-1].(*exprStmt)
	if !ok {
		return false
	}
	_, ok = s.x.(*callExpr)
	return ok
}
