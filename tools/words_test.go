package tools

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// steps are the packages on the packet's way: their documents begin with their step, so that a
// reader finds where a packet is.
var steps = map[string]*regexp.Regexp{
	"netio":       regexp.MustCompile(`^Package netio is steps 1 and 6 of `),
	"parser":      regexp.MustCompile(`^Package parser is step 2 of `),
	"shard/txn":   regexp.MustCompile(`^Package txn is step 3 of `),
	"shard/route": regexp.MustCompile(`^Package route is step 4 of `),
	"shard/proxy": regexp.MustCompile(`^Package proxy is step 5 of `),
}

func TestPackageDocs(t *testing.T) {
	seen := 0
	for _, p := range packages(t) {
		rel := strings.TrimPrefix(p.ImportPath, module)
		switch want := steps[rel]; {
		case p.Doc == "":
			t.Errorf("%s has no package document: say its step, its purpose, who owns what, and when not to use it",
				p.ImportPath)
		case want != nil:
			seen++
			if !want.MatchString(p.Doc) {
				t.Errorf("%s: its document begins %q; begin it with its step: %s", p.ImportPath, p.Doc, want)
			}
		case p.Name != "main" && !strings.HasPrefix(p.Doc, "Package "+p.Name+" "):
			t.Errorf("%s: its document begins %q, not \"Package %s …\"", p.ImportPath, p.Doc, p.Name)
		}
	}
	if seen != len(steps) {
		t.Errorf("found %d of the %d packages on the packet's way: mend the list in tools/words_test.go", seen,
			len(steps))
	}
}

// unwanted are words that no file may hold. They are written in pieces, or this file would hold
// them.
var unwanted = []struct {
	pattern *regexp.Regexp
	goOnly  bool
	instead string
}{
	{regexp.MustCompile("\\b(TO" + "DO|FIX" + "ME|XX" + "X)\\b"), true,
		"do it, or say in plain words what is not there and why"},
	{regexp.MustCompile("(^|[^A-Za-z0-9_.])/(wo" + "rk|fa" + "rm|ro" + "ot|ho" + "me/[a-z])/"), false,
		"the path of one machine: use a relative path or a temporary folder"},
	{regexp.MustCompile("proxy\\.gol" + "ang|registry\\.npm" + "js|deb\\.deb" + "ian"), false,
		"a registry's host: use the ordinary client with its own settings"},
	{regexp.MustCompile("(?i)iss" + "ue #?[0-9]+"), false,
		"a number that means nothing outside one tracker: say what it was about"},
	{regexp.MustCompile("(?i)sub" + "agent|helper ses" + "sion"), false, "a word of the workplace, not of the project"},
}

// findUnwanted gives one line per unwanted word in a file's text.
func findUnwanted(path, text string) (found []string) {
	for n, line := range strings.Split(text, "\n") {
		for _, u := range unwanted {
			if u.goOnly && filepath.Ext(path) != ".go" {
				continue
			}
			if m := u.pattern.FindString(line); m != "" {
				found = append(found, fmt.Sprintf("%s:%d: %q: %s", path, n+1, m, u.instead))
			}
		}
	}
	return found
}

func TestNoUnwantedWords(t *testing.T) {
	for _, path := range files(t) {
		if !isText(path) || path == "LICENSE" {
			continue
		}
		for _, f := range findUnwanted(path, read(t, path)) {
			t.Error(f)
		}
	}
}

func TestUnwantedWordsAreFound(t *testing.T) {
	f := func(path, text string, want int) {
		t.Helper()
		if got := findUnwanted(path, text); len(got) != want {
			t.Errorf("%s %q: found %v, want %d", path, text, got, want)
		}
	}
	f("a.go", "// TO"+"DO: later\n", 1)
	f("a.md", "a TO"+"DO list\n", 0)
	f("a.md", "cd /wo"+"rk/x\n", 1)
	f("a.go", "\"https://proxy.gol"+"ang.org\"\n", 1)
	f("a.go", "// see iss"+"ue #12\n", 1)
	f("a.go", "// network/wire, framework/x\n", 0)
	f("a.go", "// RFC 3261 §17, Timer H\n", 0)
}

const (
	codeLines = 500 // a file of code reads in one sitting
	testLines = 900 // tables of cases may be longer
)

// longFiles may be longer, each for a reason.
var longFiles = map[string]string{}

// columns is how wide a line of code or of a comment may be, a tab counted as one.
const columns = 100

// TestLineWidth: code and comments of Go fit a reader's window. Tests, whose tables have long rows,
// and what is generated need not.
func TestLineWidth(t *testing.T) {
	for _, path := range files(t) {
		text := ""
		if filepath.Ext(path) == ".go" && !strings.HasSuffix(path, "_test.go") {
			text = read(t, path)
		}
		if strings.HasPrefix(text, "// Code generated ") {
			continue
		}
		n := 0
		for line := range strings.Lines(text) {
			n++
			if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > columns &&
				!strings.HasPrefix(line, "//go:generate") {
				t.Errorf("%s:%d is wider than %d columns", path, n, columns)
			}
		}
	}
}

func TestFileLength(t *testing.T) {
	for _, path := range files(t) {
		if filepath.Ext(path) != ".go" {
			continue
		}
		limit := codeLines
		if strings.HasSuffix(path, "_test.go") {
			limit = testLines
		}
		text := read(t, path)
		lines := strings.Count(text, "\n")
		reason, allowed := longFiles[path]
		if strings.HasPrefix(text, "// Code generated ") {
			continue
		}
		if lines > limit && !allowed {
			t.Errorf("%s has %d lines, more than %d: it holds two things; split it, or argue in longFiles of "+
				"tools/words_test.go", path, lines, limit)
		}
		if lines <= limit && allowed {
			t.Errorf("%s has %d lines again: take it out of longFiles (%s)", path, lines, reason)
		}
	}
}
