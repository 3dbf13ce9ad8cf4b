// Package ere compiles the patterns of Kamailio's language: POSIX extended regular expressions as
// regcomp(3) of the GNU C library accepts them (IEEE 1003.1 §9.4). It translates them into the
// syntax of package regexp, which runs in time linear to the text. It refuses back-references,
// which cannot run in linear time.
//
// When not to use it: for anything but patterns of a configuration file.
package ere

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// MaxPattern is the longest pattern in bytes. A longer one is refused, because a pattern may come
// from a message.
const MaxPattern = 4096

// Flags say how a pattern is matched.
type Flags uint8

const (
	// IgnoreCase is REG_ICASE.
	IgnoreCase Flags = 1 << iota
	// Newline is REG_NEWLINE: ^ and $ match at each line, and neither a dot nor [^…] matches a line
	// feed.
	Newline
)

// Compile compiles pattern. As with regexec(3), the result finds the leftmost match, and of those
// that begin there the longest.
func Compile(pattern string, flags Flags) (*regexp.Regexp, error) {
	s, err := translate(pattern, flags)
	if err != nil {
		return nil, err
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return nil, fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	re.Longest()
	return re, nil
}

// reader translates a pattern from left to right.
type reader struct {
	src   string
	at    int
	out   strings.Builder
	flags Flags
	depth int // of open parentheses
}

func translate(pattern string, flags Flags) (string, error) {
	if len(pattern) > MaxPattern {
		return "", fmt.Errorf("longer than %d bytes", MaxPattern)
	}
	r := &reader{src: pattern, flags: flags}
	switch flags {
	case 0:
		r.out.WriteString("(?s)")
	case IgnoreCase:
		r.out.WriteString("(?is)")
	case Newline:
		r.out.WriteString("(?m)")
	default:
		r.out.WriteString("(?im)")
	}
	if err := r.branches(); err != nil {
		return "", err
	}
	return r.out.String(), nil
}

func (r *reader) more() bool { return r.at < len(r.src) }

// branches reads pieces up to the closing parenthesis or the end.
func (r *reader) branches() error {
	for r.more() {
		if c := r.src[r.at]; c == ')' && r.depth > 0 {
			return nil
		} else if c == '|' {
			r.out.WriteByte('|')
			r.at++
			continue
		}
		if err := r.piece(); err != nil {
			return err
		}
	}
	return nil
}

// piece reads an atom and its repetitions. Package regexp allows one repetition only, and gives a ?
// behind it another meaning. So what is repeated again is put into a group.
func (r *reader) piece() error {
	before := r.out.String()
	r.out.Reset()
	repeatable, err := r.atom()
	if err != nil {
		return err
	}
	atom := r.out.String()
	r.out.Reset()
	for n := 0; r.more(); n++ {
		op, length, err := r.repetition()
		if err != nil {
			return err
		}
		if length == 0 {
			break
		}
		r.at += length
		if !repeatable {
			return errRepeated
		}
		if n > 0 {
			atom = "(?:" + atom + ")"
		}
		atom += op
		if len(atom) > 4*MaxPattern {
			return fmt.Errorf("too many repetitions")
		}
	}
	r.out.WriteString(before)
	r.out.WriteString(atom)
	return nil
}

// repetition returns the repetition operator at the current place in the syntax of package regexp,
// and its length in the pattern. The length is 0 if there is none.
func (r *reader) repetition() (op string, length int, err error) {
	s := r.src[r.at:]
	switch s[0] {
	case '*', '+', '?':
		return s[:1], 1, nil
	case '{':
		return interval(s)
	}
	return "", 0, nil
}

// errRepeated is the error for patterns such as "+49" and "^+49", which regcomp(3) refuses too.
var errRepeated = errors.New("nothing stands in front of what is repeated: write \\+, \\*, \\? " +
	"or \\{ for the character")

// interval reads {n}, {n,}, {n,m} and {,m}.
func interval(s string) (op string, length int, err error) {
	low, n := digits(s[1:])
	n++
	high, comma := low, false
	if n < len(s) && s[n] == ',' {
		var m int
		comma = true
		high, m = digits(s[n+1:])
		n += 1 + m
	}
	if n >= len(s) || s[n] != '}' || low < 0 && (!comma || high < 0) {
		return "", 0, errors.New("invalid content of {}: write \\{ for the character")
	}
	if low < 0 {
		low = 0
	}
	if low > 255 || high > 255 || high >= 0 && high < low {
		return "", 0, fmt.Errorf("invalid repeat count %s", s[:n+1])
	}
	switch {
	case !comma:
		op = fmt.Sprintf("{%d}", low)
	case high < 0:
		op = fmt.Sprintf("{%d,}", low)
	default:
		op = fmt.Sprintf("{%d,%d}", low, high)
	}
	return op, n + 1, nil
}

// digits reads a number and returns it with its length. It returns -1 if there is none.
func digits(s string) (v, n int) {
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		v = min(v*10+int(s[n]-'0'), 1<<16)
		n++
	}
	if n == 0 {
		return -1, 0
	}
	return v, n
}

// atom translates one atom. It returns false if the atom cannot be repeated.
func (r *reader) atom() (repeatable bool, err error) {
	c := r.src[r.at]
	switch c {
	case '(':
		r.at++
		r.depth++
		r.out.WriteByte('(')
		if err := r.branches(); err != nil {
			return false, err
		}
		if !r.more() {
			return false, fmt.Errorf("missing closing ): `%s`", r.src)
		}
		r.at++
		r.depth--
		r.out.WriteByte(')')
		return true, nil
	case '[':
		return true, r.bracket()
	case '\\':
		return r.escape()
	case '^', '$':
		r.at++
		if c == '$' && r.flags&Newline == 0 {
			r.out.WriteString(`\z`) // the same as $ without (?m), but plainer
			return false, nil
		}
		r.out.WriteByte(c)
		return false, nil
	case '.':
		r.at++
		r.out.WriteByte('.')
		return true, nil
	case '*', '+', '?', '{':
		return false, errRepeated
	}
	n := runeLen(r.src[r.at:])
	r.out.WriteString(regexp.QuoteMeta(r.src[r.at : r.at+n]))
	r.at += n
	return true, nil
}

// escape reads a backslash and what follows it: an operator of the GNU library, or a character that
// stands for itself. So \d is the letter d.
func (r *reader) escape() (repeatable bool, err error) {
	if r.at+1 >= len(r.src) {
		return false, fmt.Errorf("trailing backslash")
	}
	c := r.src[r.at+1]
	r.at += 2
	switch c {
	case 'w', 'W', 's', 'S':
		r.out.WriteByte('\\')
		r.out.WriteByte(c)
		return true, nil
	case 'b', 'B':
		r.out.WriteByte('\\')
		r.out.WriteByte(c)
		return false, nil
	case '<', '>':
		r.out.WriteString(`\b`)
		return false, nil
	case '`':
		r.out.WriteString(`\A`)
		return false, nil
	case '\'':
		r.out.WriteString(`\z`)
		return false, nil
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return false, fmt.Errorf("back-references such as \\%c are not supported", c)
	}
	r.at--
	n := runeLen(r.src[r.at:])
	r.out.WriteString(regexp.QuoteMeta(r.src[r.at : r.at+n]))
	r.at += n
	return true, nil
}

// bracket reads [ … ]. In it a backslash is an ordinary character, and so is a ] at the start.
func (r *reader) bracket() error {
	start := r.at
	r.at++
	r.out.WriteByte('[')
	not := false
	if r.more() && r.src[r.at] == '^' {
		not = true
		r.out.WriteByte('^')
		r.at++
	}
	for first := true; ; first = false {
		if !r.more() {
			return fmt.Errorf("missing closing ]: `%s`", r.src[start:])
		}
		s := r.src[r.at:]
		if s[0] == ']' && !first {
			break
		}
		if strings.HasPrefix(s, "[:") {
			i := strings.Index(s, ":]")
			if i < 0 || !classes[s[2:i]] {
				return fmt.Errorf("invalid character class: `%s`", s)
			}
			r.out.WriteString(s[:i+2])
			r.at += i + 2
			continue
		}
		lo, err := r.member()
		if err != nil {
			return err
		}
		if s := r.src[r.at:]; len(s) > 1 && s[0] == '-' && s[1] != ']' {
			r.at++
			hi, err := r.member()
			if err != nil {
				return err
			}
			if hi < lo {
				return fmt.Errorf("invalid range end: `%s`", r.src[start:r.at])
			}
			writeMember(&r.out, lo)
			r.out.WriteByte('-')
			writeMember(&r.out, hi)
			continue
		}
		writeMember(&r.out, lo)
	}
	if not && r.flags&Newline != 0 {
		r.out.WriteString(`\n`)
	}
	r.out.WriteByte(']')
	r.at++
	return nil
}

// member reads one character of a bracket: itself, [.c.] or [=c=].
func (r *reader) member() (string, error) {
	s := r.src[r.at:]
	if len(s) > 1 && s[0] == '[' && (s[1] == '.' || s[1] == '=') {
		i := strings.Index(s[2:], s[1:2]+"]")
		if i < 0 || i != runeLen(s[2:]) {
			return "", fmt.Errorf("invalid collating element: `%s`", s)
		}
		r.at += i + 4
		return s[2 : 2+i], nil
	}
	n := runeLen(s)
	r.at += n
	return s[:n], nil
}

func writeMember(b *strings.Builder, s string) {
	if strings.ContainsAny(s, `\]^-[&~`) {
		b.WriteByte('\\')
	}
	b.WriteString(s)
}

var classes = map[string]bool{"alpha": true, "digit": true, "alnum": true, "upper": true,
	"lower": true, "space": true, "blank": true,
	"punct": true, "print": true, "graph": true, "cntrl": true, "xdigit": true}

// runeLen returns the length of the UTF-8 sequence that s starts with, at least 1.
func runeLen(s string) int {
	n := 1
	for s[0] >= 0x80 && n < len(s) && n < 4 && s[n]&0xC0 == 0x80 {
		n++
	}
	return n
}
