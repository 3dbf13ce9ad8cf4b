package route

import (
	"encoding/binary"
	"errors"
	"slices"

	"viaduct/parser"
	"viaduct/shard/ask"
	"viaduct/shard/blocklist"
	"viaduct/shard/proxy"
)

// A held run is the state of a run between two steps, written as numbers of variable length:
//
//	program (hash) | step | flags | $rc | waits | steps left | parts … | 0
//
// A part is a byte that says which part it is, and then what that part wrote. To hold something
// more of a run, add a part to heldParts. Only the program that wrote a held run can read it; any
// other program refuses it.

// heldFormat is part of each program's hash. It must change when the format of a held run changes.
const heldFormat = 4

// heldPart writes and reads one part of a held run.
type heldPart struct {
	mark  byte
	write func(c *Ctx, w *heldWriter) // writes nothing if the part is empty
	read  func(c *Ctx, r *heldReader)
}

// heldParts has all parts. A mark is never reused for another part.
var heldParts = [...]heldPart{
	{1, (*Ctx).writeFrames, (*Ctx).readFrames},
	{2, (*Ctx).writeTemps, (*Ctx).readTemps},
	{3, (*Ctx).writeVars, (*Ctx).readVars},
	{4, (*Ctx).writeKept, (*Ctx).readKept},
	{5, (*Ctx).writeOfModules, (*Ctx).readOfModules},
}

// Flags of a held run.
const (
	heldActed = 1 << iota
	heldUnanswered
	heldContinued
)

// errNoRoom says that the arena has no room for a run.
var errNoRoom = errors.New("no room")

// hold writes the run, which stands at the step of w, into its transaction, and asks the question.
func (c *Ctx) hold(w *waiting) error {
	s, q := c.Shard, &c.question
	switch {
	case s.Waits == nil || c.losing() != nil || c.inner && c.kind != BranchRoute ||
		CanWait>>c.kind&1 == 0:
		return ask.ErrNotHere
	case q.Err() != nil:
		return q.Err()
	case c.waits >= ask.MaxWaits:
		return ask.ErrOverloaded
	}
	number, err := s.Waits.Number(q)
	if err != nil {
		return err
	}
	c.waits++
	run := &c.heldWriter
	run.b = c.buf[len(c.buf):]
	if !c.writeHeld(run, w) {
		return ask.ErrTooLong
	}
	h := proxy.HeldRun{Kind: c.kind, Due: s.Core.Now() + int64(q.Within()), Run: run.b}
	if !q.Timed() {
		h.Question = number
	}
	if c.kind == ReplyRoute {
		return c.holdReply(q, number, &h)
	}
	r := c.Request
	if m := r.M.Method; r.IsHTTP() || r.Tx == nil && (m == parser.ACK || m == parser.CANCEL) {
		// Neither has a transaction of its own.
		return s.Waits.Park(q, number, r, run.b)
	}
	if !r.Hold(&h) {
		return errNoRoom
	}
	if q.Timed() {
		return nil
	}
	if err := s.Waits.Ask(q, number, s.Core.WaitingFor(r.Tx)); err != nil {
		r.Unhold()
		return err
	}
	return nil
}

// holdReply holds the run of a reply route with its response.
func (c *Ctx) holdReply(q *ask.Question, number uint64, h *proxy.HeldRun) error {
	s := c.Shard
	if !c.Reply.Hold(c.Tx, c.Branch, h) {
		return errNoRoom
	}
	if q.Timed() {
		return nil
	}
	if err := s.Waits.Ask(q, number, s.Core.WaitingFor(c.Tx)); err != nil {
		c.Reply.Unhold(c.Tx)
		return err
	}
	return nil
}

// writeHeld writes the run. It returns false if the run is longer than maxHeldBytes or than the
// room left in the scratch room.
func (c *Ctx) writeHeld(w *heldWriter, at *waiting) bool {
	for _, i := range at.unset {
		c.temps[c.base+i] = Value{}
	}
	c.live = c.base + at.live
	room := min(cap(w.b), maxHeldBytes)
	w.b = binary.LittleEndian.AppendUint64(w.b, c.prog.hash)
	w.number(uint64(at.at))
	flags := uint64(0)
	if c.Acted {
		flags |= heldActed
	}
	if c.Unanswered {
		flags |= heldUnanswered
	}
	if c.continued {
		flags |= heldContinued
	}
	w.number(flags)
	w.signed(int64(c.Return))
	w.number(uint64(c.waits))
	w.number(uint64(max(c.left, 0)))
	w.number(uint64(c.ReplyIgnore))
	w.number(uint64(c.ScriptFlags))
	for i := range heldParts {
		heldParts[i].write(c, w)
	}
	w.b = append(w.b, 0)
	return len(w.b) <= room
}

// HeldProgram returns the hash of the program that held the run.
func HeldProgram(run []byte) uint64 {
	if len(run) < 8 {
		return 0
	}
	return binary.LittleEndian.Uint64(run)
}

// Resume continues a held run on the request r. It begins at the step that asked and gives that
// step the answer a; without an answer the step asks again. ok is false if another program held the
// run. The run is then unchanged.
func (p *Program) Resume(c *Ctx, r *proxy.Request, kind RouteKind, run []byte,
	a *ask.Answer) (o Outcome, ok bool) {
	return p.resume(c, &atHand{Msg: r.M, Request: r, kind: kind}, run, a)
}

// ResumeReply is Resume for the run of a reply route, which is held with its response.
func (p *Program) ResumeReply(c *Ctx, r *proxy.Reply, h *proxy.HeldReply,
	a *ask.Answer) (o Outcome, ok bool) {
	o, ok = p.resume(c,
		&atHand{Msg: r.M, Reply: r, Tx: h.Tx, Branch: h.Branch, kind: ReplyRoute}, h.Run, a)
	if ok {
		o = c.suspended(o, r, h.Tx)
	}
	return o, ok
}

func (p *Program) resume(c *Ctx, at *atHand, run []byte, a *ask.Answer) (o Outcome, ok bool) {
	if HeldProgram(run) != p.hash {
		return Ended, false
	}
	c.begin(p)
	c.atHand = *at
	c.takeKept()
	h := &c.heldReader
	*h = heldReader{b: run[8:]}
	step := h.number()
	flags := h.number()
	c.Acted, c.Unanswered = flags&heldActed != 0, flags&heldUnanswered != 0
	c.continued = flags&heldContinued != 0
	c.Return, c.waits, c.left = int(h.signed()), int32(h.number()), int32(h.number())
	c.ReplyIgnore = blocklist.Reason(h.number())
	c.ScriptFlags = uint32(h.number())
	for !h.bad {
		mark := h.byte()
		if mark == 0 {
			break
		}
		i := slices.IndexFunc(heldParts[:], func(p heldPart) bool { return p.mark == mark })
		if i < 0 {
			h.bad = true
			break
		}
		heldParts[i].read(c, h)
	}
	if h.bad || !slices.Contains(p.waits, target(step)) {
		c.end()
		return Ended, false
	}
	c.answer = a
	o = p.run(c, target(step), 0)
	c.answer = nil
	c.leaveKept()
	c.end()
	if o != Faulted {
		c.Fault = nil
	}
	return o, true
}

// writeFrames writes the routes around the current one: where each continues, and where its
// temporaries begin.
func (c *Ctx) writeFrames(w *heldWriter) {
	frames := c.frames[c.floor:]
	if len(frames) == 0 {
		return
	}
	w.b = append(w.b, 1)
	w.number(uint64(len(frames)))
	for i := range frames {
		w.signed(int64(frames[i].back))
		w.number(uint64(frames[i].temps - c.lowest))
	}
	w.number(uint64(c.base - c.lowest))
}

func (c *Ctx) readFrames(r *heldReader) {
	n := r.number()
	if n > uint64(c.prog.maxRecursion) {
		r.bad = true
		return
	}
	for range n {
		f := frame{back: target(r.signed()), temps: int32(r.number())}
		if int(f.back) >= len(c.prog.linked) || f.temps < 0 {
			r.bad = true
			return
		}
		c.frames = append(c.frames, f)
	}
	c.base = int32(r.number())
	r.bad = r.bad || c.base < 0 || int64(c.base) > int64(n+1)*int64(c.prog.maxTemps)
}

// writeTemps writes the temporaries in use, those of all routes. A text among them lies in the
// scratch room, and will lie there again.
func (c *Ctx) writeTemps(w *heldWriter) {
	temps := c.temps[c.lowest:c.live]
	if len(temps) == 0 {
		return
	}
	w.b = append(w.b, 2)
	w.number(uint64(len(temps)))
	for i := range temps {
		w.value(&temps[i])
	}
}

// readTemps reads the temporaries. The texts of each route end up behind the mark of the route that
// it calls.
func (c *Ctx) readTemps(r *heldReader) {
	n := r.number()
	if r.bad || n > uint64(c.base+c.prog.maxTemps) {
		r.bad = true
		return
	}
	c.room()
	depth := 0
	for i := range c.temps[:n] {
		for depth < len(c.frames) && int32(i) >= c.baseOf(depth+1) {
			c.frames[depth].mark, c.mark = c.mark, int32(len(c.buf))
			depth++
		}
		v := r.value()
		if !c.keep(&v) {
			r.bad = true
			return
		}
		c.temps[i] = v
	}
	for ; depth < len(c.frames); depth++ {
		c.frames[depth].mark, c.mark = c.mark, int32(len(c.buf))
	}
}

// baseOf returns where the temporaries of the route at a depth begin.
func (c *Ctx) baseOf(depth int) int32 {
	if depth < len(c.frames) {
		return c.frames[depth].temps
	}
	return c.base
}

// writeVars writes the $var() that the run has set.
func (c *Ctx) writeVars(w *heldWriter) {
	if len(c.dirty) == 0 {
		return
	}
	w.b = append(w.b, 3)
	w.number(uint64(len(c.dirty)))
	for _, i := range c.dirty {
		w.number(uint64(i))
		w.value(&c.vars[i].v)
	}
}

func (c *Ctx) readVars(r *heldReader) {
	for n := r.number(); n > 0 && !r.bad; n-- {
		i, v := r.number(), r.value()
		if i >= uint64(c.prog.nvars) || !c.setVar(int32(i), v) {
			r.bad = true
		}
	}
}

// writeKept writes the variables that live as long as the transaction, if the transaction may not
// have them yet.
func (c *Ctx) writeKept(w *heldWriter) {
	if !c.kept.changed || c.kind == BranchRoute {
		return // the transaction has them, or Hold adds those of the relaying run
	}
	n := c.KeptBytes()
	w.b = append(w.b, 4)
	w.number(uint64(n))
	if n > 0 {
		w.b = c.AppendKept(w.b)
	}
}

func (c *Ctx) readKept(r *heldReader) {
	n := r.number()
	if n > uint64(len(r.b)) || !c.ReadKept(r.b[:n]) {
		r.bad = true
		return
	}
	c.kept.changed = true
	r.b = r.b[n:]
}

// HeldState is what a module adds to a held run. Append appends the module's state to b, or nothing
// if there is none. Restore gets those bytes when the run continues, and returns false if they are
// not valid.
type HeldState struct {
	Append  func(c *Ctx, b []byte) []byte
	Restore func(c *Ctx, b []byte) bool
}

// Held makes held runs include s.
func (m *Module) Held(s HeldState) { m.held = append(m.held, s) }

// writeOfModules writes the state of modules, each preceded by its number and its length.
func (c *Ctx) writeOfModules(w *heldWriter) {
	for i := range c.prog.held {
		begin := len(w.b)
		w.b = append(w.b, 5)
		w.number(uint64(i))
		w.b = append(w.b, 0, 0, 0, 0)
		from := len(w.b)
		if w.b = c.prog.held[i].Append(c, w.b); len(w.b) == from {
			w.b = w.b[:begin]
			continue
		}
		binary.LittleEndian.PutUint32(w.b[from-4:], uint32(len(w.b)-from))
	}
}

func (c *Ctx) readOfModules(r *heldReader) {
	i := r.number()
	if r.bad || i >= uint64(len(c.prog.held)) || len(r.b) < 4 {
		r.bad = true
		return
	}
	n := binary.LittleEndian.Uint32(r.b)
	if r.b = r.b[4:]; uint64(n) > uint64(len(r.b)) || !c.prog.held[i].Restore(c, r.b[:n:n]) {
		r.bad = true
		return
	}
	r.b = r.b[n:]
}

// heldWriter writes a held run.
type heldWriter struct{ b []byte }

func (w *heldWriter) number(n uint64) { w.b = binary.AppendUvarint(w.b, n) }

func (w *heldWriter) signed(n int64) { w.b = binary.AppendVarint(w.b, n) }

func (w *heldWriter) value(v *Value) {
	w.b = append(w.b, byte(v.Kind))
	switch v.Kind {
	case intValue:
		w.signed(v.N)
	case strValue:
		w.number(uint64(len(v.S)))
		w.b = append(w.b, v.S...)
	}
}

// heldReader reads a held run. It sets bad if the run does not have the format of heldWriter.
type heldReader struct {
	b   []byte
	bad bool
}

func (r *heldReader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	b := r.b[0]
	r.b = r.b[1:]
	return b
}

func (r *heldReader) number() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *heldReader) signed() int64 {
	n, size := binary.Varint(r.b)
	if size <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *heldReader) value() Value {
	switch valueKind(r.byte()) {
	case intValue:
		return intOf(r.signed())
	case strValue:
		n := r.number()
		if n > uint64(len(r.b)) {
			r.bad = true
			return Value{}
		}
		s := r.b[:n:n]
		r.b = r.b[n:]
		return Value{Kind: strValue, S: s}
	}
	return Value{}
}
