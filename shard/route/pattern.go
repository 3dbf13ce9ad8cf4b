package route

import (
	"fmt"
	"regexp"

	"viaduct/shard/route/ere"
)

// PatternFlag changes the meaning of a regular expression.
type PatternFlag uint8

const (
	// Cased makes the case of letters matter (without REG_ICASE).
	Cased PatternFlag = 1 << iota
	// Lines makes ^ and $ match at each line, and . not match a line feed (REG_NEWLINE).
	Lines
)

// CompilePattern compiles a POSIX extended regular expression (regcomp(3)). Of several matches that
// begin at the same place, it finds the longest. See package ere.
func CompilePattern(s string, flags PatternFlag) (*regexp.Regexp, error) {
	if len(s) > maxPatternBytes {
		return nil, fmt.Errorf("a pattern of %d bytes is too long: %d are possible", len(s),
			maxPatternBytes)
	}
	var how ere.Flags
	if flags&Cased == 0 {
		how |= ere.IgnoreCase
	}
	if flags&Lines != 0 {
		how |= ere.Newline
	}
	re, err := ere.Compile(s, how)
	if err != nil {
		return nil, fmt.Errorf("bad pattern: %v", err)
	}
	return re, nil
}

// Scan looks for all matches of re in text. It allocates nothing for a pattern that the shard has
// met before. text must not change during the scan.
func (c *Ctx) Scan(re *regexp.Regexp, text []byte) ere.Scan { return c.finder.Scan(re, text) }

// patternKey is a pattern that a shard has compiled.
type patternKey struct {
	text  string
	flags PatternFlag
}

// CachedPattern compiles the pattern text, and returns nil if it is not valid. A shard keeps the
// patterns it has met, the bad ones too, so that a script that makes the same patterns again and
// again compiles each once.
func (c *Ctx) CachedPattern(text []byte, flags PatternFlag) *regexp.Regexp {
	if re, ok := c.patterns[patternKey{string(text), flags}]; ok {
		return re
	}
	// Slow path: not met yet.
	re, err := CompilePattern(string(text), flags)
	if err != nil {
		re = nil
	}
	if len(text) > maxPatternBytes {
		return nil
	}
	if len(c.patterns) >= maxPatterns {
		clear(c.patterns)
	}
	c.patterns[patternKey{string(text), flags}] = re
	return re
}
