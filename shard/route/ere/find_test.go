package ere

import (
	"fmt"
	"regexp"
	"testing"
)

// found is what a Finder finds in text, as FindAllSubmatchIndex writes it.
func found(f *Finder, re *regexp.Regexp, text string) [][]int {
	var all [][]int
	for s := f.Scan(re, []byte(text)); s.Next(); {
		var at []int
		for i := range min(2*re.NumSubexp()+2, len(s.At)) {
			at = append(at, int(s.At[i]))
		}
		all = append(all, at)
	}
	return all
}

// wanted is the same by package regexp.
func wanted(re *regexp.Regexp, text string) [][]int {
	all := re.FindAllSubmatchIndex([]byte(text), -1)
	for i := range all {
		all[i] = all[i][:min(len(all[i]), 2*Groups)]
	}
	return all
}

// TestFinderIsRegexp: places of matches and of groups, of whatever pattern, are those of package
// regexp.
func TestFinderIsRegexp(t *testing.T) {
	texts := []string{"", "a", "ab", "abab", "xabx", "\n", "a\nb\n", "b\r\na", "aaa bbb",
		"sip:bob@example.org:5060;lr", "äö\xff\xe2x",
		"Contact: <sip:a@b>\r\nContact: <sip:c@d>\r\n"}
	patterns := []string{"", "a", "a*", "(a|ab)(b|)", "(a*)(ab)*", "^", "$", "^a", "a$", "^$",
		"(^|b)a", `\ba`, `a\b`, `\B`, "(a)|(b)", "(a|b)*", "((a)(b)?)*", "a{2,3}", ".", "(.)(.)",
		"[^a]", "[[:alpha:]]+", "(x*)*", "(a|ab|abab)", "(a|ab)(c|bcd)*", "<sip:([^@>]+)@([^>]*)>",
		"^Contact: *<(.*)>", "ä", "(.)ö", `\<b`, "(((((((((((a)))))))))))",
		"sip:([^@]*)@([^:;]*)(:[0-9]+)?(;.*)?$"}
	f := &Finder{}
	for _, pattern := range patterns {
		for _, how := range []Flags{0, IgnoreCase, Newline, IgnoreCase | Newline} {
			re, err := Compile(pattern, how)
			if err != nil {
				t.Fatalf("%s: %v", pattern, err)
			}
			for _, text := range texts {
				if got, want := fmt.Sprint(found(f, re, text)), fmt.Sprint(wanted(re, text)); got != want {
					t.Errorf("%q, flags %d, in %q: %s, want %s", pattern, how, text, got, want)
				}
			}
		}
	}
}

// FuzzFinder is TestFinderIsRegexp with patterns and texts that nobody thought of.
func FuzzFinder(f *testing.F) {
	f.Add("(a|ab)(c|bcd)*", "abcd", uint8(0))
	f.Add("^Contact: *<(.*)>$", "Contact: <a>\r\n", uint8(3))
	finder := &Finder{}
	f.Fuzz(func(t *testing.T, pattern, text string, how uint8) {
		if len(pattern) > 100 || len(text) > 300 {
			return
		}
		re, err := Compile(pattern, Flags(how)&(IgnoreCase|Newline))
		if err != nil {
			return
		}
		if got, want := fmt.Sprint(found(finder, re, text)), fmt.Sprint(wanted(re, text)); got != want {
			t.Errorf("%q in %q: %s, want %s", pattern, text, got, want)
		}
	})
}

// TestFinderAllocatesNothing, and one too large for it still finds what there is.
func TestFinderAllocatesNothing(t *testing.T) {
	f := &Finder{}
	re, err := Compile("sip:([^@>]+)@([a-z.]+)", IgnoreCase)
	if err != nil {
		t.Fatal(err)
	}
	text, matches := []byte("From: <sip:alice@example.org>, <sip:bob@example.com>"), 0
	look := func() {
		for s := f.Scan(re, text); s.Next(); {
			matches++
		}
	}
	if look(); matches != 2 {
		t.Fatalf("%d matches, want 2", matches)
	}
	if n := testing.AllocsPerRun(100, look); n != 0 {
		t.Errorf("%.1f allocations, want none", n)
	}
	large, err := Compile("((a|b){200}(c|d){200})", 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(found(f, large, "xabc")), fmt.Sprint(wanted(large, "xabc")); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func BenchmarkFinder(b *testing.B) {
	re, err := Compile("Contact: *<sip:([^@>]+)@", Newline)
	if err != nil {
		b.Fatal(err)
	}
	text := []byte("From: \"Alice\" <sip:alice@127.0.0.1:6000>;tag=f0123456789abcdef\r\n" +
		"To: <sip:bob@127.0.0.1:7000>\r\nContact: <sip:alice@127.0.0.1:6000>\r\n" +
		"Allow: INVITE, ACK\r\n")
	b.Run("Finder", func(b *testing.B) {
		f := &Finder{}
		b.ReportAllocs()
		for b.Loop() {
			if s := f.Scan(re, text); !s.Next() || s.At[2] == s.At[3] {
				b.Fatal("no match")
			}
		}
	})
	b.Run("regexp", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if at := re.FindSubmatchIndex(text); at == nil {
				b.Fatal("no match")
			}
		}
	})
}
