package outside

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// compared are the lines that a script writes with "cmp: " before them.
var compared = regexp.MustCompile(`(?m)cmp: ([^"\n]*?)(?:\\n|"|$)`)

// said waits for the script's last line and gives them all, sorted: each begins with the number of
// its step, and the entries that an iterator meets have no order.
func (s *server) said(t *testing.T) (lines []string) {
	t.Helper()
	s.waitLine(t, 0, "cmp: the end")
	for _, m := range compared.FindAllStringSubmatch(s.text(), -1) {
		lines = append(lines, strings.TrimSpace(m[1]))
	}
	slices.Sort(lines)
	return lines
}

// Every variable and function of module htable gives what Kamailio's gives, but for what is known:
// see docs/htable.md.
func TestHtableLikeKamailio(t *testing.T) {
	needs(t, "kamailio", "kamailio")
	t.Parallel()
	b, err := os.ReadFile(filepath.Join("testdata", "htable.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	const last = `loadmodule "dispatcher.so"`
	tables := last + `
loadmodule "xlog.so"
loadmodule "htable.so"
modparam("htable", "htable", "a=>size=4;")
modparam("htable", "htable", "b=>size=8;autoexpire=20;")
modparam("htable", "htable", "c=>size=4;autoexpire=100;initval=0;updateexpire=0;")
modparam("htable", "htable", "d=>size=3;autoexpire=3;initval=7;updateexpire=1")
modparam("htable", "htable", "e=>size=4;initval=5;")
`
	var got [2][]string
	for i, serve := range []func(*testing.T, setup) *server{start, startKamailio} {
		srv := serve(t, setup{program: string(b), edits: []string{last, tables}})
		newPeer(t, "the caller").requests(srv.addr, "OPTIONS", "sip:x@example.com")
		got[i] = srv.said(t)
	}
	for i := range min(len(got[0]), len(got[1])) {
		if got[0][i] != got[1][i] {
			t.Errorf("line %d is %q, of Kamailio %q", i, got[0][i], got[1][i])
		}
	}
	if len(got[0]) != len(got[1]) || len(got[0]) < 80 || slices.Contains(got[0], "") {
		t.Errorf("%d lines, of Kamailio %d", len(got[0]), len(got[1]))
	}
}
