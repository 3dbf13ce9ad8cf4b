package route

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// placed fails unless each finding has a text and a place inside the file, in order.
func placed(t *testing.T, src string, found []Diagnostic) {
	t.Helper()
	lines := strings.Split(src, "\n")
	last := Pos{}
	for _, d := range found {
		if d.Pos.File != "x.cfg" || d.Text == "" || d.Pos.Line < 1 || d.Pos.Line > len(lines) || d.Pos.Col < 1 ||
			d.Pos.Col > len(lines[d.Pos.Line-1])+1 {
			t.Fatalf("%+v lies outside of the file of %d lines\n%q", d, len(lines), src)
		}
		if d.Pos.Line < last.Line || d.Pos.Line == last.Line && d.Pos.Col < last.Col {
			t.Fatalf("%v is listed behind %v\n%q", d, last, src)
		}
		last = d.Pos
	}
}

// FuzzLoad runs whatever loads: neither Load nor a run may panic, every finding has its place in
// the file and a text, the errors stand in the order of the file, and a run leaves nothing behind
// in the context.
func FuzzLoad(f *testing.F) {
	for _, s := range fuzzSeeds(f) {
		f.Add(s)
	}
	h := newBench(f, request("INVITE sip:bob@127.0.0.1:5060;transport=tcp", "t1"))
	rh := newBench(f, response("183 Early", "INVITE"))
	h.quiet, rh.quiet = true, true
	c := h.c
	f.Fuzz(func(t *testing.T, src string) {
		p, s, warns, err := Load("x.cfg", []byte(src), Options{ReadFile: func(string) ([]byte, error) {
			return nil, fmt.Errorf("no file")
		}, Modules: testModules})
		if (err == nil) != (p != nil && s != nil) {
			t.Fatalf("program %v, settings %v, error %v", p, s, err)
		}
		var list ErrorList
		if err != nil && (!errors.As(err, &list) || len(list) == 0) {
			t.Fatalf("%#v is no list of errors", err)
		}
		placed(t, src, list)
		placed(t, src, warns)
		if err != nil {
			return
		}
		p.maxLoops = min(max(p.maxLoops, 1), 10) // 0 means forever, and nested loops multiply
		p.maxRecursion = min(p.maxRecursion, 8)
		if o := h.request(p); o == Ended && (len(c.buf) != 0 || len(c.frames) != 0 || c.base != 0) {
			t.Fatalf("a run left %d bytes of scratch room and %d routes behind", len(c.buf), len(c.frames))
		}
		h.t = t
		rep := h.Respond(&rh.msg, &rh.src)
		p.Reply(c, rep, rep.M, nil, nil, 1)
		p.CoreReply(c, rep)
		h.run(p, FailureRoute, 1)
		h.run(p, BranchRoute, 1)
		if c.Msg != nil || len(c.dirty) != 0 {
			t.Fatal("a run left something behind")
		}
	})
}
