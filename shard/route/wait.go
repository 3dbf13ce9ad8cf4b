package route

import (
	"slices"

	"viaduct/shard/ask"
	"viaduct/shard/proxy"
	"viaduct/shard/route/syntax"
)

// A function that waits is declared by two Go functions. The first one asks: it fills in a
// question, or it knows the answer already. The second one gets the answer. Between them the run is
// held (held.go), and the shard does other work. The run continues at the step that asked, in this
// process, or after a kill in the next one, where the first function is called again.

// Waits is what a shard does for runs that wait. Its errors say why a question cannot be asked.
type Waits interface {
	// Number returns a number for the next question, or an error if it cannot be asked.
	Number(q *ask.Question) (uint64, error)
	// Ask asks q for the run that is held in the transaction w.
	Ask(q *ask.Question, number uint64, w proxy.Waiting) error
	// Park keeps run, which has no transaction, together with its message, and asks q for it.
	Park(q *ask.Question, number uint64, r *proxy.Request, run []byte) error
	// Continue continues a suspended request. It returns false if there is none.
	Continue(s Suspension) bool
}

// CanWait has the routes in which a run can wait.
const CanWait = InRequest | InFailure | InReply | InBranch

// waiting is a call that may wait, compiled.
type waiting struct {
	ask    func(c *Ctx, q *ask.Question) Result
	answer func(c *Ctx, a *ask.Answer) Result
	at     target  // its step
	live   int32   // how many temporaries of its route are in use
	unset  []int32 // those of them that hold nothing yet
}

// holding is what the compiler tracks for runs that wait.
type holding struct {
	unset   []int32  // the temporaries in use that hold nothing yet
	waiting *waiting // the call being compiled, if it may wait
}

// Waits makes the call being compiled one that may wait. ask fills in the question and returns what
// the question's Ask returns. If it knows the result already, it returns that. answer gets the
// answer, which is valid until it returns.
func (b *Build) Waits(ask func(c *Ctx, q *ask.Question) Result,
	answer func(c *Ctx, a *ask.Answer) Result) Call {
	w := &waiting{ask: ask, answer: answer}
	b.cc.waiting = w
	return w.step
}

// placed records where the step of the call stands, and which temporaries a run that is held there
// has.
func (w *waiting) placed(cc *compiler) {
	w.at, w.live, w.unset = cc.here(), cc.temps, slices.Clone(cc.unset)
	cc.prog.waits = append(cc.prog.waits, w.at)
}

// tellWait warns of the first call that may wait in a file without module tm: what waits has a
// transaction.
func (cc *compiler) tellWait(x *syntax.Call) {
	if cc.waitsTold || cc.loaded["tm"] || cc.inEventRoute || cc.kind&inRequest == 0 {
		return
	}
	cc.waitsTold = true
	cc.ld.warnf(x.Pos, "%s waits, and the request has a transaction from then on: an INVITE gets "+
		"a 100, and repetitions are absorbed, though the file does not load tm", x.Name)
}

// step is the step of the call.
func (w *waiting) step(c *Ctx) Result {
	if c.answer != nil {
		return w.goOn(c)
	}
	c.question.Reset()
	r := w.ask(c, &c.question)
	if r != ask.Pending || !c.question.Asked() {
		return r
	}
	return w.hold(c)
}

// goOn continues the step with the answer. Slow path.
func (w *waiting) goOn(c *Ctx) Result {
	a := c.answer
	c.answer = nil
	return w.answer(c, a)
}

// hold holds the run. If the question cannot be asked, it is answered with the error at once. Slow
// path.
func (w *waiting) hold(c *Ctx) Result {
	err := c.hold(w)
	switch {
	case err == nil:
		c.stop = held
		return 0
	case err == errNoRoom && c.Request != nil && c.Request.NotHeld():
		c.Acted = true
		return 0
	case err == errNoRoom:
		err = ask.ErrOverloaded
	}
	c.refusal.Err = err
	return w.answer(c, &c.refusal)
}

// heldInput is an argument of a call that may wait. It is evaluated when the call asks, and what it
// was then is held with the run, in a temporary: to evaluate it again might do something again.
type heldInput[T any] struct {
	in   Input[T]
	temp int32 // -1 means that there is nothing to hold
}

// hold makes in an argument that is held, if it has to be.
func hold[T any](b *Build, in Input[T]) heldInput[T] {
	h := heldInput[T]{in, -1}
	if _, known := in.Known(); known || in.spent {
		return h
	}
	var v T
	switch any(&v).(type) {
	case *int, *[]byte, *RouteBlock:
	default:
		panic("BUG: " + b.Name() + "() waits and has an argument that cannot be held")
	}
	h.temp = b.cc.temp()
	return h
}

// get evaluates the argument.
func (h *heldInput[T]) get(c *Ctx) (T, Result) {
	v, r := h.in.Get(c)
	if to, ok := any(&v).(*RouteBlock); ok && r > 0 && !to.rt.there {
		return v, -1 // the name is known at load, and no route has it
	}
	if h.temp < 0 || r <= 0 {
		return v, r
	}
	var t Value
	switch p := any(&v).(type) {
	case *int:
		t = intOf(int64(*p))
	case *[]byte:
		t = TextValue(*p)
		if !c.keep(&t) {
			return v, c.failed(&noRoom)
		}
		*p = t.S
	case *RouteBlock:
		t = TextValue(p.name)
	}
	c.temps[c.base+h.temp] = t
	return v, r
}

// held is what get gave, also in a run that was held since.
func (h *heldInput[T]) held(c *Ctx) (v T) {
	if h.in.spent {
		return v
	}
	if h.temp < 0 {
		return h.in.v
	}
	t := &c.temps[c.base+h.temp]
	switch p := any(&v).(type) {
	case *int:
		*p = int(t.N)
	case *[]byte:
		*p = t.S
	case *RouteBlock:
		*p = c.routeBlock(t.S)
	}
	return v
}

// Spent is a, which the answer function of a call that waits does without: it has its zero value
// there, and is not held with the run.
func Spent[T any](a Arg[T]) Arg[T] {
	at := a.at
	a.at = func(b *Build, i int) (Input[T], bool) {
		in, ok := at(b, i)
		in.spent = true
		return in, ok
	}
	return a
}

// Wait1 declares a function with one argument that may wait. Its answer function is given what the
// argument was when the call asked.
func Wait1[A any](m *Module, name string, in Kinds, a Arg[A], doc string,
	f func(c *Ctx, q *ask.Question, a A) Result,
	answer func(c *Ctx, an *ask.Answer, a A) Result) *Function {
	build := func(b *Build) Call {
		x, ok := a.At(b, 0)
		if !ok {
			return nil
		}
		h := hold(b, x)
		return b.Waits(func(c *Ctx, q *ask.Question) Result {
			v, r := h.get(c)
			if r <= 0 {
				return r
			}
			return f(c, q, v)
		}, func(c *Ctx, an *ask.Answer) Result { return answer(c, an, h.held(c)) })
	}
	return waits(m, Func{Name: name, In: in, Args: []AnyArg{a}, Doc: doc, Build: build})
}

// Wait2 declares a function with two arguments that may wait.
func Wait2[A, B any](m *Module, name string, in Kinds, a Arg[A], b Arg[B], doc string,
	f func(c *Ctx, q *ask.Question, a A, b B) Result,
	answer func(c *Ctx, an *ask.Answer, a A, b B) Result) *Function {
	build := func(bd *Build) Call {
		x, ok1 := a.At(bd, 0)
		y, ok2 := b.At(bd, 1)
		if !ok1 || !ok2 {
			return nil
		}
		hx, hy := hold(bd, x), hold(bd, y)
		return bd.Waits(func(c *Ctx, q *ask.Question) Result {
			v, r := hx.get(c)
			if r <= 0 {
				return r
			}
			w, r := hy.get(c)
			if r <= 0 {
				return r
			}
			return f(c, q, v, w)
		}, func(c *Ctx, an *ask.Answer) Result { return answer(c, an, hx.held(c), hy.held(c)) })
	}
	return waits(m, Func{Name: name, In: in, Args: []AnyArg{a, b}, Doc: doc, Build: build})
}

// waits declares f, which may wait.
func waits(m *Module, f Func) *Function {
	waitless := f.In &^ CanWait
	f.In &= CanWait
	d := m.Func(f)
	d.waitless = waitless
	return d
}

// whyWaitless returns why nothing can wait in a route of this kind, and what to write instead.
func whyWaitless(in Kinds) string {
	if in == InOnsend {
		return "the message is written there, and leaves at once; call it before t_relay()"
	}
	return "the transaction of a response is not looked for before it has ended, and nothing else " +
		"could hold the run; call it in an onreply_route[NAME]"
}

// RouteBlock is a route[NAME] that a run may continue with.
type RouteBlock struct {
	rt      *routeCode
	name    []byte      // as the run has it, empty if it is known at load
	tooMany *Diagnostic // what a run reports if it makes too many steps
}

// Block is the name of a route[NAME], which may hold variables. If a run finds no route of that
// name, the call is false.
func Block(name, doc string) Arg[RouteBlock] {
	return newArg(name, doc, func(b *Build, i int) (Input[RouteBlock], bool) {
		f := b.cc.textArg(b.x, i)
		if f == nil {
			return Input[RouteBlock]{}, false
		}
		if f.plain {
			b.cc.refs = append(b.cc.refs, routeRef{name: f.text, pos: b.at(i), late: b.Name()})
			return Input[RouteBlock]{v: RouteBlock{b.cc.routeNamed(f.text), nil, b.cc.tooMany(b.at(i))}},
				true
		}
		b.cc.scratch, b.cc.prog.namesRoutes = true, true
		noSuch := []byte(b.Name() + "() at " + b.at(i).String() + " names a route that is not there")
		return Input[RouteBlock]{read: func(c *Ctx) (RouteBlock, Result) {
			name, r := c.expand(f)
			if r <= 0 {
				return RouteBlock{}, r
			}
			to := c.routeBlock(name)
			if to.rt == nil {
				c.Complain(noSuch)
				return to, -1
			}
			return to, 1
		}}, true
	})
}

// routeBlock returns the route[NAME] of that name. Its rt is nil if there is none.
func (c *Ctx) routeBlock(name []byte) RouteBlock {
	return RouteBlock{c.prog.byName[string(name)], name, &runsOn}
}

// runsOn is what a run reports if it continues with one route after another for ever.
var runsOn = Diagnostic{Text: "the run makes more than " + itoa(maxSteps) + " steps"}

// GoTo makes the run leave the current route and all routes around it, and continue with to. The
// run ends when that route ends. The function must return the result of GoTo.
func (c *Ctx) GoTo(to RouteBlock) Result {
	if !c.spend(to.rt.size) {
		return c.failed(to.tooMany)
	}
	c.frames, c.base, c.mark, c.buf = c.frames[:0], 0, 0, c.buf[:0]
	c.room()
	c.stop, c.jump = jumped, to.rt.entry
	return 0
}
