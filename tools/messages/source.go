package messages

import (
	"hash/fnv"
	"math/rand/v2"
)

// Source is where the choices come from: bytes, one a choice, then a generator seeded by them. A
// zero byte chooses what is plain.
type Source struct {
	data []byte
	rng  *rand.Rand
	odd  int // per cent of the free choices that are taken, see Restyle
}

// FromBytes makes choices from a fuzz input.
func FromBytes(b []byte) *Source {
	h := fnv.New64a()
	h.Write(b)
	s := FromSeed(h.Sum64())
	s.data = b
	return s
}

// FromSeed makes choices from a seed.
func FromSeed(seed uint64) *Source {
	return &Source{rng: rand.New(rand.NewPCG(seed, 0x5ca1ab1e))}
}

// N is a number below n, which is at most 256.
func (s *Source) N(n int) int {
	if len(s.data) > 0 {
		v := int(s.data[0]) * n / 256
		s.data = s.data[1:]
		return v
	}
	return s.rng.IntN(n)
}

// Chance is true in that many per cent of cases.
func (s *Source) Chance(percent int) bool { return s.N(100) >= 100-percent }

// One is one of the texts.
func (s *Source) One(texts ...string) string { return texts[s.N(len(texts))] }

// Text is a text of least to most characters of the alphabet.
func (s *Source) Text(alphabet string, least, most int) string {
	b := make([]byte, least+s.N(most-least+1))
	for i := range b {
		b[i] = alphabet[s.N(len(alphabet))]
	}
	return string(b)
}

// Restyle chooses how odd the spelling of the next message is: one in three has nothing odd.
func (s *Source) Restyle() { s.odd = [...]int{0, 8, 35}[s.N(3)] }

// freely is true where the message at hand takes a freedom of the grammar.
func (s *Source) freely() bool { return s.odd > 0 && s.Chance(s.odd) }

// sws is SWS of §25.1: nothing, blanks, or a fold.
func (s *Source) sws() string {
	if !s.freely() {
		return ""
	}
	return s.lws()
}

// lws is LWS: at least one blank.
func (s *Source) lws() string {
	if !s.freely() {
		return " "
	}
	return s.One(" ", "  ", "\t", " \t ", "\r\n ", " \r\n\t", "\r\n  ")
}

// around puts SWS on both sides of a separator.
func (s *Source) around(sep string) string { return s.sws() + sep + s.sws() }

// recase spells a text without regard to case.
func (s *Source) recase(text string) string {
	if !s.freely() {
		return text
	}
	b := []byte(text)
	for i, c := range b {
		if ('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') && s.N(2) == 1 {
			b[i] = c ^ 0x20
		}
	}
	return string(b)
}
