package route

import (
	"slices"

	"viaduct/shard/ask"
	"viaduct/shard/proxy"
)

// A function that waits is declared by two Go functions. The first asks: it fills in a question, or
// knows the answer already. The second is given the answer. Between them the run is held (held.go)
// and the shard does other work; it goes on at the step that asked, in this process or, after a
// kill, in the next one, where the first function is called again.

// Waits is what a shard does for runs that wait.
type Waits interface {
	// Number is a number for the next question, and an error if it cannot be asked.
	Number(q *ask.Question) (uint64, error)
	// Ask asks q for the run that the transaction w holds.
	Ask(q *ask.Question, number uint64, w proxy.Waiting) error
	// Park keeps run, one without a transaction, with its message, and asks q for it.
	Park(q *ask.Question, number uint64, r *proxy.Request, run []byte) error
	// Continue has a request that is suspended go on. It returns false if there is none.
	Continue(s Suspension) bool
}

// CanWait are the routes in which a run can wait.
const CanWait = InRequest | InFailure | InReply | InBranch

// waiting is a call that may wait.
type waiting struct {
	ask    func(c *Ctx, q *ask.Question) Result
	answer func(c *Ctx, a *ask.Answer) Result
	at     target  // its step
	live   int32   // the temporaries of its route that are in use
	unset  []int32 // of those, the ones that hold nothing yet
}

// holding is what the compiler knows of runs that wait.
type holding struct {
	unset   []int32  // temporaries in use that hold nothing yet
	waiting *waiting // the call being compiled, if it may wait
}

// Waits makes the call that is built one that may wait. ask fills in the question and returns what
// its Ask returns, or the result if that is known. answer is given the answer; the arguments of the
// call can be read again. The answer is valid until it returns.
func (b *Build) Waits(ask func(c *Ctx, q *ask.Question) Result,
	answer func(c *Ctx, a *ask.Answer) Result) Call {
	w := &waiting{ask: ask, answer: answer}
	b.cc.waiting = w
	return w.step
}

// placed notes where the step of the call stands, and what a run that is held there has.
func (w *waiting) placed(cc *compiler) {
	w.at, w.live, w.unset = cc.here(), cc.temps, slices.Clone(cc.unset)
	cc.prog.waits = append(cc.prog.waits, w.at)
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

// goOn is the step with the answer. Slow path.
func (w *waiting) goOn(c *Ctx) Result {
	a := c.answer
	c.answer = nil
	return w.answer(c, a)
}

// hold puts the run off. What cannot be asked has its answer at once. Slow path.
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

// Wait1 declares a function with one argument that may wait.
func Wait1[A any](m *Module, name string, in Kinds, a Arg[A], doc string,
	f func(c *Ctx, q *ask.Question, a A) Result,
	answer func(c *Ctx, an *ask.Answer, a A) Result) *Function {
	build := func(b *Build) Call {
		x, ok := a.At(b, 0)
		if !ok {
			return nil
		}
		return b.Waits(func(c *Ctx, q *ask.Question) Result {
			v, r := x.Get(c)
			if r <= 0 {
				return r
			}
			return f(c, q, v)
		}, func(c *Ctx, an *ask.Answer) Result {
			v, r := x.Get(c)
			if r <= 0 {
				return r
			}
			return answer(c, an, v)
		})
	}
	return m.Func(Func{Name: name, In: in & CanWait, Args: []AnyArg{a}, Doc: doc,
		Build: build}).Soon(in &^ CanWait)
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
		get := func(c *Ctx) (v A, w B, r Result) {
			if v, r = x.Get(c); r > 0 {
				w, r = y.Get(c)
			}
			return v, w, r
		}
		return bd.Waits(func(c *Ctx, q *ask.Question) Result {
			v, w, r := get(c)
			if r <= 0 {
				return r
			}
			return f(c, q, v, w)
		}, func(c *Ctx, an *ask.Answer) Result {
			v, w, r := get(c)
			if r <= 0 {
				return r
			}
			return answer(c, an, v, w)
		})
	}
	return m.Func(Func{Name: name, In: in & CanWait, Args: []AnyArg{a, b}, Doc: doc,
		Build: build}).Soon(in &^ CanWait)
}

// RouteBlock is a route[NAME] that a run may go on with.
type RouteBlock struct {
	rt      *routeCode
	tooMany *Diagnostic
}

// Block is the name of a route[], known at load.
func Block(name, doc string) Arg[*RouteBlock] {
	return newArg(name, doc, func(b *Build, i int) (Input[*RouteBlock], bool) {
		s, ok := b.Known(i, "the name of a route")
		if !ok {
			return Input[*RouteBlock]{}, false
		}
		b.cc.refs = append(b.cc.refs, routeRef{name: s, pos: b.at(i)})
		return Input[*RouteBlock]{v: &RouteBlock{b.cc.routeNamed(s), b.cc.tooMany(b.at(i))}}, true
	})
}

// GoTo leaves the route that runs, and all around it, and goes on with to, behind which the run
// ends. It is what a function returns.
func (c *Ctx) GoTo(to *RouteBlock) Result {
	if !c.spend(to.rt.size) {
		return c.failed(to.tooMany)
	}
	c.frames, c.base, c.mark, c.buf = c.frames[:0], 0, 0, c.buf[:0]
	c.room()
	c.stop, c.jump = jumped, to.rt.entry
	return 0
}
