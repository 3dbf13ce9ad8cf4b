package ere

import (
	"bytes"
	"regexp"
	"regexp/syntax"
	"unicode/utf8"
)

// maxFinderInsts is the largest program that a Finder runs itself, in instructions. It bounds the
// memory of a Finder, to some 180 KiB. Beyond: package regexp does the work, and allocates.
const maxFinderInsts = 1024

// maxFinderPatterns is how many patterns a Finder keeps. Beyond: it forgets all of them.
const maxFinderPatterns = 256

// Groups is how many groups a Scan reports, \0 to \9.
const Groups = 10

// Finder finds where patterns and their groups match. It allocates nothing for a pattern that it
// has met before, whereas package regexp allocates the slices that it returns. For a pattern that
// Compile made, it finds the same as FindAllSubmatchIndex. Only one goroutine may use it at a time.
//
// It runs the threads of a program side by side (Pike's machine), as package regexp does where it
// must, in time linear to the text.
type Finder struct {
	programs  map[*regexp.Regexp]*program
	run, next queue
	at        places // of the current thread
	match     places
}

// places has where groups begin and end. Both are below 0 for a group that did not take part.
type places [2 * Groups]int32

// program is a pattern as a Finder runs it.
type program struct {
	prog    *syntax.Prog // nil if it is too large
	re      *regexp.Regexp
	prefix  []byte // what every match begins with
	asserts bool   // has \b, ^ or $
	atLine  bool   // every match begins a line
}

// queue has the threads at one place of the text, each once, in the order of their priority.
type queue struct {
	sparse  []uint16 // by instruction: its index in threads, if that entry has the same pc
	threads []thread
}

type thread struct {
	pc uint16
	at places
}

// Scan is a search in one text, from left to right.
type Scan struct {
	// At is where the match is, group by group. At[2n] is the start of group n and At[2n+1] its
	// end. Both are -1 if the group did not take part.
	At [2 * Groups]int32

	f    *Finder
	p    *program
	text []byte
	pos  int
	last int // end of the previous match
	all  [][]int
}

// Scan begins a search of re in text, which must not change during the search.
func (f *Finder) Scan(re *regexp.Regexp, text []byte) Scan {
	p := f.programs[re]
	if p == nil {
		p = f.meet(re)
	}
	s := Scan{f: f, p: p, text: text, last: -1}
	switch {
	case p.prog == nil:
		s.all = re.FindAllSubmatchIndex(text, -1)
	// Most texts do not match, and package regexp finds that out faster.
	case len(p.prefix) == 0 && !p.atLine && !re.Match(text):
		s.pos = len(text) + 1
	}
	return s
}

// meet compiles a pattern that the Finder has not met yet. Slow path.
func (f *Finder) meet(re *regexp.Regexp) *program {
	if f.programs == nil || len(f.programs) >= maxFinderPatterns {
		f.programs = map[*regexp.Regexp]*program{}
	}
	p := &program{re: re}
	f.programs[re] = p
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return p // not one that Compile made
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil || len(prog.Inst) > maxFinderInsts {
		return p
	}
	prefix, _ := re.LiteralPrefix()
	p.prog, p.prefix = prog, []byte(prefix)
	first := &prog.Inst[prog.Start]
	p.atLine = first.Op == syntax.InstEmptyWidth &&
		syntax.EmptyOp(first.Arg)&syntax.EmptyBeginLine != 0
	for i := range prog.Inst {
		p.asserts = p.asserts || prog.Inst[i].Op == syntax.InstEmptyWidth
	}
	for _, q := range []*queue{&f.run, &f.next} {
		if n := len(prog.Inst); n > len(q.sparse) {
			q.sparse, q.threads = make([]uint16, n), make([]thread, 0, n)
		}
	}
	return p
}

// Next finds the next match. It returns false if there is none. An empty match right behind another
// match does not count.
func (s *Scan) Next() bool {
	if s.p.prog == nil {
		if len(s.all) == 0 {
			return false
		}
		for i := range s.At {
			s.At[i] = -1
			if i < len(s.all[0]) {
				s.At[i] = int32(s.all[0][i])
			}
		}
		s.all = s.all[1:]
		return true
	}
	for s.pos <= len(s.text) && s.f.find(s.p, s.text, s.pos) {
		s.At = s.f.match
		start, end := int(s.At[0]), int(s.At[1])
		adjacent := start == end && start == s.last
		if end > s.pos {
			s.pos = end
		} else {
			_, n := utf8.DecodeRune(s.text[s.pos:])
			s.pos += max(n, 1)
		}
		s.last = end
		if !adjacent {
			return true
		}
	}
	return false
}

// find finds the leftmost match that begins at pos or later, and of those that begin there the
// longest.
func (f *Finder) find(p *program, text []byte, pos int) bool {
	f.run.threads, f.next.threads = f.run.threads[:0], f.next.threads[:0]
	matched := false
	for {
		if len(f.run.threads) == 0 {
			if matched {
				return true
			}
			if p.atLine && pos > 0 && text[pos-1] != '\n' {
				i := bytes.IndexByte(text[pos:], '\n')
				if i < 0 {
					return false
				}
				pos += i + 1
			}
			if len(p.prefix) > 0 {
				i := bytes.Index(text[pos:], p.prefix)
				if i < 0 {
					return false
				}
				pos += i
			}
		}
		if !matched && (len(p.prefix) == 0 || bytes.HasPrefix(text[pos:], p.prefix)) {
			for i := range f.at {
				f.at[i] = -1
			}
			f.at[0] = int32(pos)
			f.add(&f.run, p, uint32(p.prog.Start), int32(pos), p.around(text, pos))
		}
		r, n := rune(-1), 0
		if pos < len(text) {
			if r, n = rune(text[pos]), 1; r >= utf8.RuneSelf {
				r, n = utf8.DecodeRune(text[pos:])
			}
		}
		around := p.around(text, pos+n)
		for i := range f.run.threads {
			t := &f.run.threads[i]
			in := &p.prog.Inst[t.pc]
			switch in.Op {
			case syntax.InstMatch:
				if !matched || t.at[0] < f.match[0] ||
					t.at[0] == f.match[0] && f.match[1] < int32(pos) {
					f.match = t.at
					f.match[1] = int32(pos)
					matched = true
				}
				continue
			case syntax.InstRune1:
				if r != in.Rune[0] {
					continue
				}
			case syntax.InstRune, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
				if n == 0 || !in.MatchRune(r) {
					continue
				}
			default:
				continue // done when it was added
			}
			if matched && f.match[0] < t.at[0] {
				continue
			}
			f.at = t.at
			f.add(&f.next, p, in.Out, int32(pos+n), around)
		}
		if n == 0 {
			return matched
		}
		pos += n
		f.run, f.next = f.next, f.run
		f.next.threads = f.next.threads[:0]
	}
}

// around returns which conditions hold between the characters before and at pos, such as the start
// of a line.
func (p *program) around(text []byte, pos int) syntax.EmptyOp {
	if !p.asserts {
		return 0
	}
	before, at := rune(-1), rune(-1)
	if pos > 0 {
		before, _ = utf8.DecodeLastRune(text[:pos])
	}
	if pos < len(text) {
		at, _ = utf8.DecodeRune(text[pos:])
	}
	return syntax.EmptyOpContext(before, at)
}

// add adds a thread at pc with the places f.at, and the threads that it leads to without reading a
// character.
func (f *Finder) add(q *queue, p *program, pc uint32, pos int32, around syntax.EmptyOp) {
	if i := int(q.sparse[pc]); i < len(q.threads) && uint32(q.threads[i].pc) == pc {
		return
	}
	n := len(q.threads)
	q.sparse[pc] = uint16(n)
	q.threads = q.threads[:n+1]
	q.threads[n].pc = uint16(pc)
	in := &p.prog.Inst[pc]
	switch in.Op {
	case syntax.InstAlt, syntax.InstAltMatch:
		f.add(q, p, in.Out, pos, around)
		f.add(q, p, in.Arg, pos, around)
	case syntax.InstEmptyWidth:
		if syntax.EmptyOp(in.Arg)&^around == 0 {
			f.add(q, p, in.Out, pos, around)
		}
	case syntax.InstNop:
		f.add(q, p, in.Out, pos, around)
	case syntax.InstCapture:
		if in.Arg >= uint32(len(f.at)) {
			f.add(q, p, in.Out, pos, around)
			return
		}
		was := f.at[in.Arg]
		f.at[in.Arg] = pos
		f.add(q, p, in.Out, pos, around)
		f.at[in.Arg] = was
	default:
		q.threads[n].at = f.at
	}
}
