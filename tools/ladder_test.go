package tools

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// rungs is the import ladder, highest first: a package may import what stands on a lower rung, and
// its own folder. Packages on one rung do not meet. A folder belongs to the longest prefix that
// names it.
var rungs = [][]string{
	{"cmd"},
	{"control"},
	{"shard", "shard/modules"},
	{"shard/route"},
	{"shard/route/syntax", "control/tlsdomains"},
	{"shard/route/ere"},
	{"shard/route/suggest"},
	{"shard/proxy", "shard/ask"},
	{"shard/balance", "shard/blocklist", "shard/location", "shard/place", "shard/trace"},
	{"shard/txn"},
	{"netio", "parser"},
	{"shm/table"},
	{"shm"},
	{"transport"},
	{"file"},
}

// only narrows the ladder: these folders may import just the ones named.
var only = map[string][]string{
	"netio":               {"shm", "transport"},
	"parser":              {"transport"},
	"transport":           {},
	"file":                {},                                                              // it knows paths and bytes
	"shard/route/syntax":  {"shard/route/suggest", "shard/route/ere", "transport", "file"}, // text and tree know no SIP
	"shard/route/ere":     {},
	"control/tlsdomains":  {"netio", "shard/route/suggest", "file"}, // it knows files and certificates
	"shard/route/suggest": {},
	"shard/place":         {"netio"}, // it measures and decides; it knows no message
	"shard/ask":           {},        // no I/O, and nothing of ours
	"shm/table":           {"shm"},
	"shm":                 {},
	// it measures the built binary from outside; else a change could speed up both sides
	"bench": {"parser"},
}

// outside the ladder: nobody on it may import them.
var outside = []string{"bench", "tools"}

const module = "viaduct/"

// folder gives the ladder's name for an import path of ours, "" for one it does not know.
func folder(path string) string {
	path = strings.TrimPrefix(path, module)
	best := ""
	for _, rung := range append(slices.Clone(rungs), outside) {
		for _, f := range rung {
			if (path == f || strings.HasPrefix(path, f+"/")) && len(f) > len(best) {
				best = f
			}
		}
	}
	return best
}

func rungOf(f string) int {
	return slices.IndexFunc(rungs, func(rung []string) bool { return slices.Contains(rung, f) })
}

// violation says what is wrong with package from importing package to, and what to do about it; ""
// if nothing is.
func violation(from, to string) string {
	if !strings.HasPrefix(to, module) {
		return ""
	}
	a, b := folder(from), folder(to)
	switch {
	case a == "":
		return fmt.Sprintf("%s stands on no rung of the ladder: a new folder needs a decision in docs/design.md and "+
			"a line in tools/ladder_test.go", from)
	case b == "":
		return fmt.Sprintf("%s stands on no rung of the ladder: a new folder needs a decision in docs/design.md and "+
			"a line in tools/ladder_test.go", to)
	case a == b || a == "tools":
		return ""
	case slices.Contains(outside, b):
		return fmt.Sprintf("%s imports %s, which nobody may import: move what is shared down the ladder", from, to)
	}
	if allowed, narrowed := only[a]; narrowed {
		if !slices.Contains(allowed, b) {
			return fmt.Sprintf("%s imports %s, but %s may import only %q of ours: pass what it needs as an argument",
				from, to, a, allowed)
		}
		return ""
	}
	if rungOf(b) <= rungOf(a) {
		return fmt.Sprintf("%s imports %s, which stands on the same or a higher rung: let %s declare an interface "+
			"and the higher package hand it in", from, to, a)
	}
	return ""
}

func TestLadderHolds(t *testing.T) {
	for _, p := range packages(t) {
		if folder(p.ImportPath) == "" {
			t.Errorf("%s stands on no rung of the ladder: a new folder needs a decision in docs/design.md and a line "+
				"in tools/ladder_test.go", p.ImportPath)
		}
		for _, imported := range p.Imports {
			if v := violation(p.ImportPath, imported); v != "" {
				t.Error(v)
			}
		}
	}
}

// The rule itself must notice.
func TestLadderRule(t *testing.T) {
	f := func(from, to, want string) {
		t.Helper()
		if v := violation(module+from, to); (want == "") != (v == "") || !strings.Contains(v, want) {
			t.Errorf("%s → %s: %q, want something with %q", from, to, v, want)
		}
	}
	f("cmd/viaduct", "viaduct/control", "")
	f("cmd/viaduct", "viaduct/shm", "")
	f("shard", "viaduct/shard/route", "")
	f("cmd/viaduct", "viaduct/shard/modules", "")
	f("shard/modules/tm", "viaduct/shard/route", "")
	f("shard/modules/tm", "viaduct/shard/modules/pv", "")
	f("shard/proxy", "viaduct/shard/txn", "")
	f("shard/proxy/plan", "viaduct/shard/proxy", "")
	f("netio", "viaduct/netio/steer", "")
	f("netio", "viaduct/shm", "")
	f("bench/run", "viaduct/bench", "")
	f("bench/run", "viaduct/parser", "")
	f("tools/testreport", "viaduct/shard", "")
	f("parser", "golang.org/x/sys/unix", "")

	f("shm/table", "viaduct/shm", "")
	f("shard/route", "viaduct/shm/table", "")

	f("shm", "viaduct/parser", "may import only")
	f("shm", "viaduct/shm/table", "may import only")
	f("shm/table", "viaduct/netio", "may import only")
	f("netio", "viaduct/shm/table", "may import only")
	f("parser", "viaduct/shm", "may import only")
	f("netio", "viaduct/parser", "may import only")
	f("netio/steer", "viaduct/parser", "may import only")
	f("shard/txn", "viaduct/shard/proxy", "higher rung")
	f("shard/proxy", "viaduct/shard/balance", "")
	f("shard", "viaduct/shard/place", "")
	f("shard/place", "viaduct/netio", "")
	f("shard/place", "viaduct/parser", "may import only")
	f("shard/balance", "viaduct/shard/proxy", "higher rung")
	f("shard/balance", "viaduct/shard/location", "same or a higher rung")
	f("shard/route", "viaduct/shard", "higher rung")
	f("shard/route", "viaduct/shard/modules", "higher rung")
	f("shard", "viaduct/shard/modules/tm", "same or a higher rung")
	f("shard/route/syntax", "viaduct/shard/route/suggest", "")
	f("shard/route/syntax", "viaduct/shard/route", "may import only")
	f("shard/route/syntax", "viaduct/parser", "may import only")
	f("control/tlsdomains", "viaduct/shard/route/suggest", "")
	f("shard", "viaduct/control", "higher rung")
	f("control", "viaduct/cmd/viaduct", "higher rung")
	f("shard", "viaduct/tools", "nobody may import")
	f("cmd/viaduct", "viaduct/bench", "nobody may import")
	f("bench/run", "viaduct/shard", "may import only")
	f("util", "viaduct/shm", "no rung")
	f("shard", "viaduct/util", "no rung")
}
