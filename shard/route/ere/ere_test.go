package ere

import "testing"

// TestMatch: what regexec(3) of the GNU C library finds.
func TestMatch(t *testing.T) {
	f := func(pattern, text string, flags Flags, want bool) {
		t.Helper()
		re, err := Compile(pattern, flags)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			return
		}
		if re.MatchString(text) != want {
			t.Errorf("%s and %q: %v (%s)", pattern, text, !want, re)
		}
	}
	f("^sip:b", "sip:bob", 0, true)
	f("^SIP:b", "sip:bob", 0, false)
	f("^SIP:b", "sip:bob", IgnoreCase, true)
	f("b$", "b\n", 0, false)
	f("b$", "b\nc", Newline, true)
	f("^c", "b\nc", 0, false)
	f("^c", "b\nc", Newline, true)
	f("a.c", "a\nc", 0, true)
	f("a.c", "a\nc", Newline, false)
	f("a.c", "a\rc", Newline, true)
	f("a[^x]c", "a\nc", Newline, false)
	f("a[^x]c", "a\nc", 0, true)
	// A backslash in brackets is one.
	f(`^[\.]$`, `\`, 0, true)
	f(`^[^\.]$`, `x`, 0, true)
	f(`^[\d]$`, "d", 0, true)
	f(`^[\d]$`, "5", 0, false)
	f(`^[]x]$`, "]", 0, true)
	f(`^[^]x]$`, "y", 0, true)
	f(`^[a-c-]$`, "-", 0, true)
	f(`^[[:digit:]_]+$`, "5_5", 0, true)
	f(`^[[.-.]x]$`, "-", 0, true)
	f(`^[[=a=]]$`, "a", 0, true)
	f(`^[x^]$`, "^", 0, true)
	f(`^[[]$`, "[", 0, true)
	// Repetitions.
	f(`^a**$`, "aaa", 0, true)
	f(`^a+?$`, "", 0, true)
	f(`^a{2}$`, "aa", 0, true)
	f(`^a{,2}$`, "aaa", 0, false)
	f(`^a{2,}$`, "aaaaa", 0, true)
	f(`^a\{x$`, "a{x", 0, true)
	f(`^a}$`, "a}", 0, true)
	f(`^\+49`, "+49", 0, true)
	// Escapes.
	f(`^\d$`, "d", 0, true)
	f(`^\w+\W\w+$`, "a_1-b", 0, true)
	f(`\<b`, "a b", 0, true)
	f(`a\.b`, "axb", 0, false)
	f(`^(a|b|)$`, "", 0, true)
	f(`^a|b$`, "xb", 0, true)
	f(`^ü+$`, "üü", 0, true)
	f(`)`, ")", 0, true)
}

// TestLongest: of the matches at one place the longest is taken.
func TestLongest(t *testing.T) {
	re, err := Compile("a|ab", 0)
	if err != nil || re.FindString("abc") != "ab" {
		t.Error(re, err)
	}
}

func TestRefused(t *testing.T) {
	f := func(pattern, want string) {
		t.Helper()
		if _, err := Compile(pattern, 0); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", pattern, err, want)
		}
	}
	const nothing = `nothing stands in front of what is repeated: write \+, \*, \? or \{ for the character`
	f("+49", nothing)
	f("^+49", nothing)
	f("(*a)", nothing)
	f("a|*b", nothing)
	f("{2}", nothing)
	f(`\<+`, nothing)
	f("a{x", `invalid content of {}: write \{ for the character`)
	f("(", "missing closing ): `(`")
	f("[a", "missing closing ]: `[a`")
	f(`a\`, "trailing backslash")
	f(`(a)\1`, `back-references such as \1 are not supported`)
	f(`a{3,2}`, "invalid repeat count {3,2}")
	f(`a{256}`, "invalid repeat count {256}")
	f(`[z-a]`, "invalid range end: `[z-a`")
	f(`[[:foo:]]`, "invalid character class: `[:foo:]]`")
}

// FuzzCompile: what is accepted compiles, and nothing panics.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{"a|b", "[^]a-z[:digit:]]{2,3}", `\(x\)*+?`, "((a)(b|c))+", "[[.-.]-z]", "{", "a{,3}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if re, err := Compile(s, 0); err == nil {
			re.MatchString("sip:alice@example.com")
		}
	})
}
