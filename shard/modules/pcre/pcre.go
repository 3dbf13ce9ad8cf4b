// Package pcre matches Perl's regular expressions, as Kamailio's modules dialplan and regex do with
// PCRE: bytes without UTF-8, and the first of several matches, not the longest.
//
// Whether a pattern matches is for Go's regexp to say, in time linear to the text, where its syntax
// has all of the pattern. Patterns that look around or back at a group, and the places of groups,
// are for regexp2, which backtracks: its time is bounded. What PCRE has and neither knows is
// refused when the pattern is compiled: \K, \G, \C, \X, recursion and verbs.
//
// When not to use it: for POSIX expressions, which most of Kamailio has (package ere).
package pcre

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
)

// Flags say how a pattern is meant.
type Flags uint8

const (
	// Caseless: the case of letters does not count (PCRE_CASELESS).
	Caseless Flags = 1 << iota
	// Multiline: ^ and $ match at each line (PCRE_MULTILINE).
	Multiline
	// DotAll: a dot matches a line feed (PCRE_DOTALL).
	DotAll
	// Extended: white space in the pattern does not count, nor what follows # (PCRE_EXTENDED).
	Extended
)

// Pattern is a compiled pattern. Any number of goroutines may use it.
type Pattern struct {
	text   string
	full   *regexp2.Regexp
	fast   *regexp.Regexp // nil: regexp has not all of it
	groups int
}

// String is the pattern as it was written.
func (p *Pattern) String() string { return p.text }

// Groups is how many groups there are, the whole left out.
func (p *Pattern) Groups() int { return p.groups }

// clock sets how exactly regexp2 looks at the time.
var clock = sync.OnceFunc(func() { regexp2.SetTimeoutCheckPeriod(checkEvery) })

// Compile compiles a pattern.
func Compile(s string, flags Flags) (*Pattern, error) {
	if len(s) > maxPatternBytes {
		return nil, fmt.Errorf("a pattern of %d bytes is too long: %d are possible", len(s),
			maxPatternBytes)
	}
	text, err := translate(s, flags)
	if err != nil {
		return nil, err
	}
	clock()
	// Capture order: .NET, whose syntax regexp2 has, counts groups with names last.
	how := []regexp2.CompileOption{regexp2.RE2, regexp2.OptionMaintainCaptureOrder()}
	inline := ""
	for _, f := range []struct {
		flag   Flags
		option regexp2.RegexOptions
		letter string
	}{
		{Caseless, regexp2.IgnoreCase, "i"}, {Multiline, regexp2.Multiline, "m"},
		{DotAll, regexp2.Singleline, "s"}, {Extended, regexp2.IgnorePatternWhitespace, "x"},
	} {
		if flags&f.flag != 0 {
			how = append(how, f.option)
			inline += f.letter
		}
	}
	p := &Pattern{text: s}
	if p.full, err = regexp2.Compile(text, how...); err != nil {
		return nil, fmt.Errorf("bad pattern %q: %s", s,
			strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	p.full.MatchTimeout = longest
	p.groups = len(p.full.GetGroupNumbers()) - 1
	if inline != "" {
		inline = "(?" + inline + ")"
	}
	if text, ok := forGo(s); ok {
		p.fast, _ = regexp.Compile(inline + text)
	}
	return p, nil
}

// forGo is the pattern for package regexp. It returns false for what that would take for something
// else.
func forGo(s string) (string, bool) {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] >= utf8.RuneSelf:
			return "", false
		case s[i] == '\\' && i+1 < len(s):
			if i++; strings.IndexByte("vsS", s[i]) >= 0 {
				return "", false // \s has the vertical tab in PCRE
			}
		}
	}
	return s, true
}

var errNot = errors.New("\\K, \\G, \\C, \\X, recursion and verbs such as (*SKIP) are not " +
	"possible here: write the pattern without them")

// translate writes a pattern of PCRE for regexp2, a character for each byte.
func translate(s string, flags Flags) (string, error) {
	var out []rune
	class := false
	lines := flags&Multiline != 0 || inlineM.MatchString(s)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
			if s[i] == 'Q' {
				end := strings.Index(s[i:], `\E`)
				if end < 0 {
					end = len(s) - i
				}
				for _, b := range []byte(s[i+1 : i+end]) {
					out = append(out, []rune(regexp2.Escape(string(rune(b))))...)
				}
				i += end + 1
				continue
			}
			piece, ok := escaped(s[i], class)
			if !ok {
				return "", errNot
			}
			out = append(out, []rune(piece)...)
		case class && c == '[' && i+1 < len(s) && s[i+1] == ':' && strings.Contains(s[i:], ":]"):
			end := strings.Index(s[i:], ":]") + 2
			out = append(out, []rune(s[i:i+end])...)
			i += end - 1
		case class && c == '[':
			out = append(out, '\\', '[') // regexp2 subtracts classes
		case class:
			class = c != ']'
			out = append(out, rune(c))
		case c == '[':
			class = true
			out = append(out, '[')
			if strings.HasPrefix(s[i+1:], "^") {
				out = append(out, '^')
				i++
			}
			if strings.HasPrefix(s[i+1:], "]") { // the first one is a character
				out = append(out, '\\', ']')
				i++
			}
		case c == '$' && !lines:
			out = append(out, []rune(`(?=\n?\z)`)...)
		case c == '(' && notHere.MatchString(s[i:]):
			return "", errNot
		default:
			out = append(out, rune(c))
		}
	}
	return string(out), nil
}

var (
	inlineM = regexp.MustCompile(`\(\?[a-z]*m[a-zA-Z-]*[:)]`)
	notHere = regexp.MustCompile(`^\((\*|\?R\)|\?[+-]?[0-9]|\?&|\?P>|\?\||\?C)`)
)

// escaped is what stands behind a backslash. False: it is not possible.
func escaped(c byte, class bool) (string, bool) {
	within := map[byte]string{'h': ` \t\xa0`, 'v': `\n\x0b\f\r\x85`, 's': ` \t\n\x0b\f\r`}
	switch c {
	case 'K', 'G', 'C', 'X':
		return "", false
	case 'h', 'v', 's':
		if class {
			return within[c], true
		}
		return "[" + within[c] + "]", true
	case 'H', 'V', 'S':
		if class && c != 'S' {
			return "", false
		} else if class {
			return `\S`, true
		}
		return "[^" + within[c|0x20] + "]", true
	case 'N':
		return `[^\n]`, !class
	case 'R':
		return `(?>\r\n|[\n\x0b\f\r\x85])`, !class
	case 'Z':
		return `(?=\n?\z)`, !class
	}
	return `\` + string(rune(c)), true
}
