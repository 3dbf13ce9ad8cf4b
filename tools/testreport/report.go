package main

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strings"
)

// event is one line of `go test -json` (see `go doc test2json`); only what the report needs.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build-output and build-fail
	Test        string
	Elapsed     float64 // seconds
	Output      string
	FailedBuild string // import path whose build failed, on a package's fail event
}

// test is one test or subtest.
type test struct {
	name   string
	output []string
	result string // pass, fail, skip; "" while it runs
	parent bool   // has subtests: they are counted, it is not
}

// pkg is one package while and after its tests run.
type pkg struct {
	name   string
	tests  map[string]*test
	output []string // lines that belong to no test
}

// report collects events and prints as packages end.
type report struct {
	out      io.Writer
	packages map[string]*pkg
	build    map[string][]string // compiler output by import path
	skips    []string
	failures []string // names, repeated before the closing line

	passed, failed, skipped int
}

func newReport(out io.Writer) *report {
	return &report{out: out, packages: map[string]*pkg{}, build: map[string][]string{}}
}

// line takes one line of input. What is not an event (an error of go itself) is shown as it is.
func (r *report) line(text []byte) {
	var e event
	if len(text) == 0 || text[0] != '{' || json.Unmarshal(text, &e) != nil {
		fmt.Fprintf(r.out, "%s\n", text)
		return
	}
	switch e.Action {
	case "build-output":
		r.build[e.ImportPath] = append(r.build[e.ImportPath], e.Output)
		return
	case "build-fail":
		return // the package's own fail event follows
	}
	if e.Package == "" {
		return
	}
	p := r.packages[e.Package]
	if p == nil {
		p = &pkg{name: e.Package, tests: map[string]*test{}}
		r.packages[e.Package] = p
	}
	if e.Test == "" {
		r.packageEvent(p, e)
		return
	}
	t := p.tests[e.Test]
	if t == nil {
		t = &test{name: e.Test}
		p.tests[e.Test] = t
		for at := strings.LastIndexByte(e.Test,
			'/'); at > 0; at = strings.LastIndexByte(e.Test[:at], '/') {
			if parent := p.tests[e.Test[:at]]; parent != nil {
				parent.parent = true
			}
		}
	}
	switch e.Action {
	case "output":
		t.output = append(t.output, e.Output)
	case "pass", "fail", "skip":
		t.result = e.Action
	}
}

func (r *report) packageEvent(p *pkg, e event) {
	switch e.Action {
	case "output":
		p.output = append(p.output, e.Output)
	case "pass", "skip", "fail":
		r.packageEnd(p, e)
		delete(r.packages, p.name)
	}
}

// packageEnd counts a package's tests and prints its line, and what failed in it.
func (r *report) packageEnd(p *pkg, e event) {
	names := make([]string, 0, len(p.tests))
	for name := range p.tests {
		names = append(names, name)
	}
	sort.Strings(names)
	var bad []*test
	ran := 0
	for _, name := range names {
		t := p.tests[name]
		switch {
		case t.result == "skip":
			r.skipped++
			r.skips = append(r.skips, fmt.Sprintf("%s %s: %s", p.name, name, skipReason(t.output)))
			continue
		case t.result == "pass" && !t.parent:
			r.passed++
		case t.result == "pass":
			continue
		case t.parent && failedBelow(p, name):
			bad = append(bad, t) // its own lines may matter; the subtest is what counts as failed
			continue
		default: // fail, or never ended: a panic, a time-out or os.Exit under it
			r.failed++
			bad = append(bad, t)
			r.failures = append(r.failures, p.name+" "+name)
		}
		ran++
	}
	switch {
	case e.Action == "fail" && len(bad) == 0: // does not build, or TestMain failed
		r.failed++
		what := "package failed"
		if e.FailedBuild != "" {
			what = "does not build"
			p.output = append(r.build[e.FailedBuild], p.output...)
		}
		r.failures = append(r.failures, p.name+": "+what)
		fmt.Fprintf(r.out, "FAIL  %s: %s\n", p.name, what)
		r.indent(p.output)
	case e.Action == "fail":
		fmt.Fprintf(r.out, "FAIL  %s (%.1f s)\n", p.name, e.Elapsed)
		for _, t := range bad {
			r.indent(t.output)
		}
		r.indent(p.output)
	case len(p.tests) > 0:
		fmt.Fprintf(r.out, "ok    %s (%s, %.1f s)\n", p.name, plural(ran, "test"), e.Elapsed)
	}
}

// failedBelow reports whether a subtest of the test failed or never ended.
func failedBelow(p *pkg, name string) bool {
	for sub, t := range p.tests {
		if strings.HasPrefix(sub, name+"/") && t.result != "pass" && t.result != "skip" {
			return true
		}
	}
	return false
}

// indent prints output under a package's line, without the marks of the test runner itself.
func (r *report) indent(lines []string) {
	for _, line := range lines {
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || trimmed == "PASS" || trimmed == "FAIL" ||
			strings.HasPrefix(trimmed, "=== ") {
			continue
		}
		fmt.Fprintf(r.out, "      %s\n", strings.TrimRight(line, "\n"))
	}
}

// reasonLine matches what t.Skip logs: "    file.go:12: reason".
var reasonLine = regexp.MustCompile(`^\s+\S+\.go:\d+: (.*)`)

func skipReason(output []string) string {
	reason := "no reason given"
	for _, line := range output {
		if m := reasonLine.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil {
			reason = m[1]
		}
	}
	return reason
}

// finish prints the packages that never ended, the skipped tests, the failures once more, and the
// closing line.
func (r *report) finish(readErr error) {
	if readErr != nil {
		r.failed++
		r.failures = append(r.failures, fmt.Sprintf("cannot read the test events: %v", readErr))
	}
	open := make([]string, 0, len(r.packages))
	for name := range r.packages {
		open = append(open, name)
	}
	sort.Strings(open)
	for _, name := range open {
		r.packageEnd(r.packages[name], event{Action: "fail"})
	}
	if len(r.skips) > 0 {
		fmt.Fprintf(r.out, "\nskipped:\n")
		for _, s := range r.skips {
			fmt.Fprintf(r.out, "      %s\n", s)
		}
	}
	if len(r.failures) > 0 {
		fmt.Fprintf(r.out, "\nfailed:\n")
		for _, f := range r.failures {
			fmt.Fprintf(r.out, "      %s\n", f)
		}
	}
	if r.passed+r.failed == 0 {
		fmt.Fprintf(r.out, "no test ran\n")
	}
	fmt.Fprintf(r.out, "\n%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
}

// ok reports whether the run may count as a success.
func (r *report) ok() bool { return r.failed == 0 && r.passed > 0 }
