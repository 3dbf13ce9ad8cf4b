package route

import (
	"strings"

	"viaduct/parser"
	"viaduct/shard/balance"
	"viaduct/shard/route/suggest"
	"viaduct/shard/route/syntax"
)

// funcDef is one function a script can call. build is given a call whose number of arguments fits.
type funcDef struct {
	min, max int
	build    func(cc *compiler, x *syntax.Call) callFn
	// soon says that calls with this many arguments or more are Kamailio's and not ours yet; 0: none.
	soon int
	// in is where it may be called, 0: anywhere; soonIn is where Kamailio lets it be called and we not yet. Measured with 5.6.3.
	in, soonIn kinds
}

// only keeps a function to the routes of in.
func (d *funcDef) only(in kinds) *funcDef { d.in = in; return d }

// later names the routes the function may be called in by Kamailio and not here yet.
func (d *funcDef) later(in kinds) *funcDef { d.soonIn = in; return d }

// host is a function without arguments. f is the code itself: one indirection less than a method value.
func host(f callFn) *funcDef {
	return &funcDef{build: func(*compiler, *syntax.Call) callFn { return f }}
}

// The functions by module. Those of known.txt only are Kamailio's and not ours yet.
var (
	tmFuncs, tmxFuncs, slFuncs, rrFuncs, maxfwdFuncs, siputilsFuncs map[string]*funcDef
	textopsFuncs, sanityFuncs, dispatcherFuncs, xlogFuncs, kexFuncs map[string]*funcDef
	corexFuncs, coreFuncs                                           map[string]*funcDef
)

// defineFuncs fills them. It is no variable initializer since what builds a call looks functions up in these very tables.
func defineFuncs() {
	tmFuncs = map[string]*funcDef{
		"t_relay":           (&funcDef{max: 2, build: relay}).only(inRequest | inFailure),
		"t_relay_to":        (&funcDef{max: 2, build: relayTo}).only(inRequest | inFailure),
		"t_relay_to_udp":    (&funcDef{max: 2, build: relayOver(UDP)}).only(inRequest | inFailure),
		"t_relay_to_tcp":    (&funcDef{max: 2, build: relayOver(TCP)}).only(inRequest | inFailure),
		"t_relay_to_tls":    (&funcDef{max: 2, build: relayOver(TLS)}).only(inRequest | inFailure),
		"t_relay_to_sctp":   (&funcDef{max: 2, build: relayOver(SCTP)}).only(inRequest | inFailure),
		"t_check_trans":     host(func(c *Ctx) int { return truth(c.Request.Invite != nil) }).only(inRequest).later(inBranch | inReplies),
		"t_newtran":         host(func(c *Ctx) int { return truth(c.Request.NewTransaction()) }).only(inRequest),
		"t_reply":           (&funcDef{min: 2, max: 2, build: reply(InTransaction)}).only(inRequest | inFailure).later(inReplies),
		"t_send_reply":      (&funcDef{min: 2, max: 2, build: reply(IfTransaction)}).only(inRequest | inFailure).later(inReplies),
		"t_on_failure":      (&funcDef{min: 1, max: 1, build: arm(FailureRoute)}).only(inTransaction &^ inReply).later(inReply),
		"t_on_branch":       (&funcDef{min: 1, max: 1, build: arm(BranchRoute)}).only(inRequest | inFailure),
		"t_on_reply":        (&funcDef{min: 1, max: 1, build: arm(ReplyRoute)}).only(inTransaction &^ inReply).later(inReply),
		"t_is_set":          {min: 1, max: 1, build: isSet},
		"t_check_status":    (&funcDef{min: 1, max: 1, build: checkStatus}).only(anywhere &^ inBranch),
		"t_get_status_code": {build: statusCode},
		"t_drop_replies":    (&funcDef{max: 1, build: dropReplies}).only(inFailure),
		"t_set_fr":          (&funcDef{min: 1, max: 2, build: setFr}).only(inTransaction),
		"t_reset_fr":        host(func(c *Ctx) int { c.Request.ResetFinalTimers(); return 1 }).only(inTransaction &^ inReply).later(inReply),
		"t_load_contacts":   (&funcDef{max: 1, build: loadContacts}).only(inRequest | inFailure),
		"t_next_contacts":   host(func(c *Ctx) int { return c.moved(c.nextContacts()) }).only(inRequest | inFailure),
		"t_is_canceled":     host(func(c *Ctx) int { return truth(c.cancelled()) }).only(inTransaction),
		"t_branch_timeout":  host(func(c *Ctx) int { return truth(c.Request.BestTimedOut()) }).only(inRequest | inFailure),
		"t_branch_replied":  host(func(c *Ctx) int { return truth(c.Request.BestReplied()) }).only(inRequest | inFailure),
		"t_any_timeout":     host(func(c *Ctx) int { return truth(c.Request.AnyTimedOut()) }).only(inTransaction &^ inReply).later(inReply),
		"t_any_replied":     host(func(c *Ctx) int { return truth(c.Request.AnyReplied()) }).only(inTransaction &^ inReply).later(inReply),
	}
	tmxFuncs = map[string]*funcDef{
		"t_precheck_trans":   host(func(*Ctx) int { return -1 }).only(inRequest),
		"t_is_request_route": {build: isRunFor(inRequest)},
		"t_is_failure_route": {build: isRunFor(inFailure)},
		"t_is_branch_route":  {build: isRunFor(inBranch)},
		"t_is_reply_route":   {build: isRunFor(inReplies)},
	}
	slFuncs = map[string]*funcDef{
		"sl_send_reply":  (&funcDef{min: 2, max: 2, build: reply(Stateless)}).only(inRequest),
		"send_reply":     (&funcDef{min: 2, max: 2, build: reply(IfTransaction)}).only(inRequest | inFailure).later(inReplies),
		"sl_reply_error": host(func(c *Ctx) int { return c.answered(c.Request.ReplyError()) }).only(inRequest),
	}
	rrFuncs = map[string]*funcDef{
		"record_route": (&funcDef{soon: 1, build: host(func(c *Ctx) int { c.Request.RecordRoute(); return 1 }).build}).
			only(inRequest | inFailure).later(inBranch),
		"loose_route": host(func(c *Ctx) int { return c.moved(c.looseRoute()) }).only(inRequest),
	}
	maxfwdFuncs = map[string]*funcDef{"mf_process_maxfwd_header": (&funcDef{min: 1, max: 1, build: maxForwards}).only(inRequest)}
	siputilsFuncs = map[string]*funcDef{
		"has_totag":     {build: hasToTag},
		"is_request":    {build: isRequest(true)},
		"is_reply":      {build: isRequest(false)},
		"options_reply": (&funcDef{build: optionsReply}).only(inRequest),
	}
	textopsFuncs = map[string]*funcDef{
		"is_method":       {min: 1, max: 1, build: isMethod},
		"append_to_reply": (&funcDef{min: 1, max: 1, build: appendToReply}).only(inRequest | inFailure).later(inBranch),
	}
	sanityFuncs = map[string]*funcDef{"sanity_check": (&funcDef{max: 2, build: sanityCheck}).only(inRequest | inReplies)}
	dispatcherFuncs = map[string]*funcDef{
		"ds_select_dst":    (&funcDef{min: 2, max: 3, build: selectDst(false)}).only(inRequest | inFailure),
		"ds_select_domain": (&funcDef{min: 2, max: 3, build: selectDst(true)}).only(inRequest | inFailure),
		"ds_next_dst":      host(func(c *Ctx) int { return c.moved(truth(c.Request.NextTarget(false))) }).only(inRequest | inFailure),
		"ds_next_domain":   host(func(c *Ctx) int { return c.moved(truth(c.Request.NextTarget(true))) }).only(inRequest | inFailure),
		"ds_mark_dst":      (&funcDef{max: 1, build: markDst}).only(inRequest | inFailure).later(inReplies),
	}
	kexFuncs = map[string]*funcDef{
		"is_myself":   {min: 1, max: 1, build: isMyself},
		"setdsturi":   {min: 1, max: 1, build: setDstFunc},
		"resetdsturi": {build: resetDst},
		"isdsturiset": {build: isDstSet},
	}
	corexFuncs = map[string]*funcDef{"append_branch": (&funcDef{max: 2, build: appendBranch}).only(inRequest | inFailure)}
	coreFuncs = map[string]*funcDef{
		"forward":    (&funcDef{max: 2, build: forward}).only(inRequest),
		"log":        {min: 1, max: 2, build: logFunc},
		"revert_uri": {build: revertURI},
		"userphone":  {build: addUserPhone},
		"strip":      {min: 1, max: 1, build: strip(false)},
		"strip_tail": {min: 1, max: 1, build: strip(true)},
		"prefix":     {min: 1, max: 1, build: editURI(prefixUser)},

		"clear_branches": host(func(c *Ctx) int { c.Request.ClearBranches(); return 1 }).only(inRequest | inFailure).later(inBranch | inReplies),
		"setflag":        {min: 1, max: 1, build: setFlag},
		"resetflag":      {min: 1, max: 1, build: resetFlag},
		"isflagset":      {min: 1, max: 1, build: isFlagSet},
	}
	for names, d := range map[string]*funcDef{
		"seturi rewriteuri":                            {min: 1, max: 1, build: rewriteURI},
		"sethost seth rewritehost":                     {min: 1, max: 1, build: editURI(newHost)},
		"sethostport sethp rewritehostport":            {min: 1, max: 1, build: editURI(newHostPort)},
		"sethostporttrans sethpt rewritehostporttrans": {min: 1, max: 1, build: editURI(newHostPortTrans)},
		"setuser setu rewriteuser":                     {min: 1, max: 1, build: editURI(newUser)},
		"setuserpass setup rewriteuserpass":            {min: 1, max: 1, build: editURI(newUserPass)},
		"setport setp rewriteport":                     {min: 1, max: 1, build: editURI(newPort)},
	} {
		for _, n := range strings.Fields(names) {
			coreFuncs[n] = d
		}
	}
	defineStreamFuncs()
	xlogFuncs = map[string]*funcDef{"xlog": {min: 1, max: 2, build: xlogFunc}}
	for n, level := range xlogLevels {
		xlogFuncs[n] = &funcDef{min: 1, max: 1, build: xlogAt(level)}
	}
}

// call compiles f(args), with no where its step leads when it fails; nil after an error.
func (cc *compiler) call(x *syntax.Call, no target) callFn {
	d := cc.lookup(x)
	if d == nil || !cc.mayCall(x, d) {
		return nil
	}
	n := len(x.Args)
	switch {
	case d.soon > 0 && n >= d.soon:
		cc.ld.errorf(x.Pos, "%s with %s is known to Kamailio, not implemented by Viaduct yet", x.Name, count(n, "argument"))
		return nil
	case n < d.min || n > d.max:
		want := count(d.min, "argument")
		if d.max > d.min {
			want = itoa(int64(d.min)) + " to " + count(d.max, "argument")
		}
		cc.ld.errorf(x.Pos, "%s takes %s, not %d", x.Name, want, n)
		return nil
	}
	cc.guard(x, d, no)
	f := d.build(cc, x)
	if x.Name == "is_method" && f != nil {
		return cc.quickMethod(x, f)
	}
	return f
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return itoa(int64(n)) + " " + what + "s"
}

// lookup finds the function among the core's and the loaded modules'; otherwise it says why there is none.
func (cc *compiler) lookup(x *syntax.Call) *funcDef {
	if statelessForwards[x.Name] {
		cc.prog.usesForward = true
	}
	if d := coreFuncs[x.Name]; d != nil {
		return d
	}
	for m := range cc.loaded {
		if d := modules[m]; d != nil && d.funcs[x.Name] != nil {
			return d.funcs[x.Name]
		}
	}
	for _, m := range sortedKeys(modules) {
		if modules[m].funcs[x.Name] != nil {
			cc.ld.errorf(x.Pos, "%s needs loadmodule \"%s.so\" before this line", x.Name, m)
			return nil
		}
	}
	if m := knownFunc(x.Name, cc.loaded); m != "" {
		where := " (module " + m + ")"
		if m == "core" {
			where = ""
		}
		cc.ld.errorf(x.Pos, "%s%s is known to Kamailio, not implemented by Viaduct yet", x.Name, where)
		return nil
	}
	names := append(allFuncNames(), sortedKeys(coreFuncs)...)
	cc.ld.errorf(x.Pos, "unknown function %s%s", x.Name, suggest.DidYouMean(x.Name, append(names, "route", "exit", "return", "drop")))
	return nil
}

// allFuncNames are all functions of all modules, ours and Kamailio's.
func allFuncNames() []string {
	set := map[string]bool{}
	for _, m := range modules {
		for n := range m.funcs {
			set[n] = true
		}
	}
	for _, k := range known() {
		for n := range k.funcs {
			set[n] = true
		}
	}
	return sortedKeys(set)
}

// routeConst is the target of route(NAME) with a name known at load; nil for other calls.
func (cc *compiler) routeConst(x *syntax.Call, cond bool) *routeCode {
	name, ok := routeArg(x)
	if !ok {
		return nil
	}
	cc.refs = append(cc.refs, routeRef{name: name, pos: x.Args[0].At(), cond: cond})
	return cc.routeNamed(name)
}

// routeNamed gives the code cell of a route, which may be filled later.
func (cc *compiler) routeNamed(name string) *routeCode {
	rt := cc.byName[name]
	if rt == nil {
		rt = cc.newRoute(name)
		cc.byName[name] = rt
	}
	return rt
}

// intArg is argument i as a number: known at load, or computed. Numbers may stand in quotes, as in ds_select_dst("1", "4").
type intArg struct {
	n   int
	val valFn // nil: n is known
}

func (a *intArg) get(c *Ctx) int {
	if a.val == nil {
		return a.n
	}
	v := a.val(c)
	return int(v.int())
}

func (cc *compiler) intArg(x *syntax.Call, i int, what string, min, max int64) (intArg, bool) {
	e := x.Args[i]
	if v, ok := constant(e); ok {
		n := v.int()
		if s, isStr := e.(*syntax.Str); isStr {
			if strings.HasPrefix(s.S, "$") {
				f := cc.format(s.Pos, s.S)
				if f == nil {
					return intArg{}, false
				}
				if len(f.parts) == 2 && len(f.parts[0].text) == 0 && len(f.parts[1].text) == 0 {
					return intArg{val: f.parts[0].pv.value()}, true
				}
			}
			if itoa(n) != s.S {
				cc.ld.errorf(s.Pos, "%s wants a number for %s, not %s", x.Name, what, quote(clip(s.S)))
				return intArg{}, false
			}
		}
		if n < min || n > max {
			cc.ld.errorf(e.At(), "%s: %s is %d; the range is %d..%d", x.Name, what, n, min, max)
			return intArg{}, false
		}
		return intArg{n: int(n)}, true
	}
	return intArg{val: cc.argument(x, i)}, true
}

// textArg is argument i as text with variables.
func (cc *compiler) textArg(x *syntax.Call, i int) *format {
	switch e := x.Args[i].(type) {
	case *syntax.Str:
		return cc.format(e.Pos, e.S)
	case *syntax.Int:
		s := itoa(e.N)
		return &format{text: s, plain: true, parts: []formatPart{{text: []byte(s)}}}
	case *syntax.Var:
		if pv := cc.pv(e); pv != nil {
			return &format{parts: []formatPart{{pv: pv}, {}}}
		}
		return nil
	}
	// Any other expression: its value is printed.
	val := cc.argument(x, i)
	return &format{parts: []formatPart{{pv: &pvCode{any: val}}, {}}}
}

func truth(b bool) int {
	if b {
		return 1
	}
	return -1
}

// reply builds sl_send_reply and its kin.
func reply(how StatefulReply) func(cc *compiler, x *syntax.Call) callFn {
	return func(cc *compiler, x *syntax.Call) callFn {
		code, ok := cc.intArg(x, 0, "the code", 100, 699)
		phrase := cc.textArg(x, 1)
		if !ok || phrase == nil {
			return nil
		}
		if code.val == nil && phrase.plain {
			n, s := code.n, phrase.text
			return func(c *Ctx) int { return c.reply(n, s, how) }
		}
		cc.scratch = true
		return func(c *Ctx) int {
			n := code.get(c)
			if n < 100 || n > 699 {
				n = 500
			}
			start := len(c.buf)
			if !phrase.plain {
				phrase.appendScratch(c, min(start+maxReasonBytes, cap(c.buf)))
			}
			if phrase.plain {
				return c.reply(n, phrase.text, how)
			}
			return c.reply(n, c.reason(c.buf[start:]), how)
		}
	}
}

func maxForwards(cc *compiler, x *syntax.Call) callFn {
	limit, ok := cc.intArg(x, 0, "the limit", 1, 255)
	if !ok {
		return nil
	}
	if limit.val == nil {
		n := limit.n
		return func(c *Ctx) int { return c.maxForwards(n) }
	}
	return func(c *Ctx) int {
		n := limit.get(c)
		return c.maxForwards(min(max(n, 1), 255))
	}
}

func sanityCheck(cc *compiler, x *syntax.Call) callFn {
	msg, uri := intArg{n: int(cc.set.Sanity.DefaultMsgChecks)}, intArg{n: int(cc.set.Sanity.DefaultURIChecks)}
	ok := true
	if len(x.Args) > 0 {
		msg, ok = cc.intArg(x, 0, "the checks", 0, 1<<32-1)
	}
	if len(x.Args) > 1 && ok {
		uri, ok = cc.intArg(x, 1, "the URI checks", 0, 1<<32-1)
	}
	if !ok {
		return nil
	}
	if msg.val == nil && uri.val == nil {
		m, u := uint32(msg.n), uint32(uri.n)
		return func(c *Ctx) int { return c.sanityChecks(m, u) }
	}
	return func(c *Ctx) int {
		m, u := msg.get(c), uri.get(c)
		return c.sanityChecks(uint32(m), uint32(u))
	}
}

func selectDst(setURI bool) func(cc *compiler, x *syntax.Call) callFn {
	return func(cc *compiler, x *syntax.Call) callFn {
		set, ok1 := cc.intArg(x, 0, "the set", 0, 1<<31-1)
		alg, ok2 := cc.intArg(x, 1, "the algorithm", 0, 1<<31-1)
		limit, ok3 := intArg{}, true
		if len(x.Args) > 2 {
			limit, ok3 = cc.intArg(x, 2, "the limit", 0, 1<<31-1)
		}
		if !ok1 || !ok2 || !ok3 {
			return nil
		}
		if a := balance.Algorithm(alg.n); alg.val == nil && !a.Available() {
			cc.ld.errorf(x.Args[1].At(), "%s", (&balance.UnavailableError{Algorithm: a}).Error())
			return nil
		}
		if alg.val == nil {
			sel := Selection{Pos: x.Pos, Set: -1, Algorithm: alg.n}
			if set.val == nil {
				sel.Set = set.n
			}
			cc.prog.selections = append(cc.prog.selections, sel)
		}
		if set.val == nil && alg.val == nil && limit.val == nil {
			s, a, l := set.n, alg.n, limit.n
			return func(c *Ctx) int { return c.moved(truth(c.Request.SelectTarget(s, balance.Algorithm(a), l, setURI))) }
		}
		return func(c *Ctx) int {
			s, a, l := set.get(c), alg.get(c), limit.get(c)
			return c.moved(truth(c.Request.SelectTarget(s, balance.Algorithm(a), l, setURI)))
		}
	}
}

// hasToTag is has_totag(): the request belongs to a dialog (RFC 3261 §12.2).
func hasToTag(*compiler, *syntax.Call) callFn {
	return func(c *Ctx) int {
		to, r := c.Msg.To()
		if r == parser.OK && to.Tag.Len > 0 {
			return 1
		}
		return -1
	}
}

func isRequest(want bool) func(cc *compiler, x *syntax.Call) callFn {
	return func(*compiler, *syntax.Call) callFn {
		return func(c *Ctx) int { return truth(c.Msg.IsRequest == want) }
	}
}
