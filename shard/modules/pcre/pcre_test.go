package pcre

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestFind(t *testing.T) {
	var m Matcher
	f := func(pattern string, flags Flags, text, want string) {
		t.Helper()
		p, err := Compile(pattern, flags)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			return
		}
		got := "no"
		if m.Find(p, []byte(text)) {
			got = ""
			for i := range p.Groups() + 1 {
				got += fmt.Sprintf("|%s", m.Group([]byte(text), i))
			}
		}
		if got != want {
			t.Errorf("%s in %q is %s, want %s", pattern, text, got, want)
		}
		if m.Match(p, []byte(text)) != (want != "no") {
			t.Errorf("Match is another for %s in %q", pattern, text)
		}
	}
	f(`^00([1-9]\d+)$`, 0, "0049", "|0049|49")
	f(`a|ab`, 0, "xab", "|a") // the first, not the longest
	f(`(a)?(b)`, 0, "b", "|b||b")
	f(`(?<n>a)(b)`, 0, "ab", "|ab|a|b")
	f(`(?P<n>a)(b)`, 0, "ab", "|ab|a|b")
	f(`(?<=f)oo`, 0, "foo", "|oo")
	f(`^(?!00)\d+$`, 0, "0049", "no")
	f(`(.)\1`, 0, "abba", "|bb|b")
	f(`a++b`, 0, "aab", "|aab")
	f(`HELLO`, Caseless, "hello", "|hello")
	f(`(?i)HELLO`, 0, "hello", "|hello")
	f(`^b$`, 0, "a\nb\nc", "no")
	f(`^b$`, Multiline, "a\nb\nc", "|b")
	f(`(?m)^b$`, 0, "a\nb\nc", "|b")
	f(`a.b`, 0, "a\nb", "no")
	f(`a.b`, DotAll, "a\nb", "|a\nb")
	f("a b # c", Extended, "ab", "|ab")
	f(`b$`, 0, "b\n", "|b") // in front of a last line feed
	f(`b\z`, 0, "b\n", "no")
	f(`b\Z`, 0, "b\n", "|b")
	f(`^..$`, 0, "é", "|é") // bytes
	f(`^é+$`, 0, "é", "|é")
	f(`\w`, 0, "é", "no")
	f(`[[:digit:]-]+`, 0, "a1-2", "|1-2")
	f(`[]a]+`, 0, "x]a", "|]a")
	f(`[^]a]+`, 0, "]ax", "|x")
	f(`[a[]+`, 0, "[a", "|[a")
	f(`[[:alpha:][]+`, 0, "1[a", "|[a")
	f(`\Q(a\E.`, 0, "(ab", "|(ab")
	f(`\h+`, 0, "a \tb", "| \t")
	f(`a\Rb`, 0, "a\r\nb", "|a\r\nb")
	f(`[\s,]+`, 0, "a, \vb", "|, \v")
	f(`\x41{2}\/\@`, 0, "AA/@", "|AA/@")
	f(`a{,2}`, 0, "aa{,2}", "|a{,2}")
	f(``, 0, "x", "|")
}

func TestRefused(t *testing.T) {
	f := func(pattern, want string) {
		t.Helper()
		if _, err := Compile(pattern, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", pattern, err, want)
		}
	}
	f(`a(`, "missing closing )")
	f(`a\Kb`, "not possible")
	f(`(a(?R)?)`, "not possible")
	f(`(a)(?1)`, "not possible")
	f(`(*SKIP)a`, "not possible")
	f(`(?|(a)|(b))`, "not possible")
	f(`[\H]`, "not possible")
	f(strings.Repeat("a", maxPatternBytes+1), "too long")
}

// TestBounded: a pattern that backtracks without end takes its time and no more, and where regexp
// knows it, there is an answer all the same.
func TestBounded(t *testing.T) {
	var m Matcher
	text := []byte(strings.Repeat("a", 40) + "b")
	for pattern, want := range map[string]bool{`^(a+)+$`: false, `^(a|aa)+(b)$`: true,
		`^(?:(?:a|aa)+)+(?!b)$`: false} {
		p, err := Compile(pattern, 0)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if got := m.Find(p, text); got != want {
			t.Errorf("%s is %v", pattern, got)
		}
		if d := time.Since(began); d > 50*longest {
			t.Errorf("%s took %v", pattern, d)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	var m Matcher
	p, err := Compile(`^00([1-9]\d+)$`, 0)
	if err != nil {
		b.Fatal(err)
	}
	text := []byte("00493012345")
	b.Run("groups", func(b *testing.B) {
		for b.Loop() {
			if !m.Find(p, text) {
				b.Fatal("no match")
			}
		}
	})
	b.Run("match", func(b *testing.B) {
		for b.Loop() {
			if !m.Match(p, text) {
				b.Fatal("no match")
			}
		}
	})
}
