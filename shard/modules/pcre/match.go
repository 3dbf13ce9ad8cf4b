package pcre

import (
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
)

// Matcher matches, one text after another, and allocates nothing once it has seen the longest. One
// goroutine uses it at a time.
type Matcher struct {
	// At is where the last match is, group by group: 2n begins group n and 2n+1 ends it, -1 if it
	// took no part.
	At []int

	runes []rune
	cache map[key]*Pattern
	p     *Pattern
	found bool
	yield func(regexp2.MatchView) bool
}

// key is a pattern that a script has made.
type key struct {
	text  string
	flags Flags
}

// Match tells whether p matches somewhere in text.
func (m *Matcher) Match(p *Pattern, text []byte) bool {
	if p.fast != nil && alike(text) {
		return p.fast.Match(text)
	}
	return m.Find(p, text)
}

// alike tells whether a text is one of which regexp says what PCRE says: bytes are characters, and
// $ is not in front of a last line feed.
func alike(text []byte) bool {
	for _, c := range text {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return len(text) == 0 || text[len(text)-1] != '\n'
}

// Find finds the first match and writes the places of its groups to At.
func (m *Matcher) Find(p *Pattern, text []byte) bool {
	m.runes = m.runes[:0]
	for _, c := range text {
		m.runes = append(m.runes, rune(c))
	}
	if m.yield == nil {
		m.yield = m.take
	}
	m.p, m.found = p, false
	if err := p.full.FindRunesMatches(m.runes, 0, m.yield); err != nil {
		return m.findSlowly(p, text)
	}
	return m.found
}

// findSlowly is the slow path of a match that takes too long: what regexp finds, if it knows the
// pattern.
func (m *Matcher) findSlowly(p *Pattern, text []byte) bool {
	if p.fast == nil || !alike(text) {
		return false
	}
	at := p.fast.FindSubmatchIndex(text)
	m.At = append(m.At[:0], at...)
	return at != nil
}

// take takes the places of a match.
func (m *Matcher) take(v regexp2.MatchView) bool {
	m.found = true
	m.At = m.At[:0]
	for i := range m.p.groups + 1 {
		from, n, ok := v.GroupRange(i)
		if !ok {
			from, n = -1, 0
		}
		m.At = append(m.At, from, from+n)
	}
	return false
}

// Group is what group n matched in text, nothing if it took no part.
func (m *Matcher) Group(text []byte, n int) []byte {
	if 2*n+1 >= len(m.At) || m.At[2*n] < 0 {
		return nil
	}
	from, to := m.At[2*n], m.At[2*n+1]
	return text[from:to:to]
}

// Cached is the pattern text compiled, nil if it is none. Those it has met are kept, the bad ones
// too, so that a script that makes the same ones again and again compiles each once.
func (m *Matcher) Cached(text []byte, flags Flags) *Pattern {
	if p, ok := m.cache[key{string(text), flags}]; ok {
		return p
	}
	// Slow path: not met yet.
	if len(text) > maxPatternBytes {
		return nil
	}
	p, err := Compile(string(text), flags)
	if err != nil {
		p = nil
	}
	if m.cache == nil || len(m.cache) >= maxCached {
		m.cache = map[key]*Pattern{}
	}
	m.cache[key{string(text), flags}] = p
	return p
}
