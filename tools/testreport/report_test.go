package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	f := func(events, want string, ok bool) {
		t.Helper()
		var out bytes.Buffer
		r := newReport(&out)
		for _, line := range strings.Split(strings.TrimSpace(events), "\n") {
			r.line([]byte(strings.TrimSpace(line)))
		}
		r.finish(nil)
		if got := out.String(); !strings.HasSuffix(got, want) || r.ok() != ok {
			t.Errorf("printed\n%s\nok=%v, want it to end with\n%s\nok=%v", got, r.ok(), want, ok)
		}
	}
	// Leaves are counted, not their parent.
	f(`{"Action":"run","Package":"p","Test":"A"}
	   {"Action":"run","Package":"p","Test":"A/x"}
	   {"Action":"pass","Package":"p","Test":"A/x"}
	   {"Action":"run","Package":"p","Test":"A/y"}
	   {"Action":"pass","Package":"p","Test":"A/y"}
	   {"Action":"pass","Package":"p","Test":"A"}
	   {"Action":"pass","Package":"p","Elapsed":0.2}`,
		"ok    p (2 tests, 0.2 s)\n\n2 passed, 0 failed, 0 skipped\n", true)
	// A skip shows its reason.
	f(`{"Action":"run","Package":"p","Test":"A"}
	   {"Action":"pass","Package":"p","Test":"A"}
	   {"Action":"output","Package":"p","Test":"B","Output":"    b_test.go:3: needs root\n"}
	   {"Action":"skip","Package":"p","Test":"B"}
	   {"Action":"pass","Package":"p","Elapsed":0.2}`,
		"ok    p (1 test, 0.2 s)\n\nskipped:\n      p B: needs root\n\n1 passed, 0 failed, 1 skipped\n", true)
	// A failed subtest is one failure, and its output is shown.
	f(`{"Action":"run","Package":"p","Test":"A"}
	   {"Action":"run","Package":"p","Test":"A/x"}
	   {"Action":"output","Package":"p","Test":"A/x","Output":"    a_test.go:9: got 1\n"}
	   {"Action":"fail","Package":"p","Test":"A/x"}
	   {"Action":"fail","Package":"p","Test":"A"}
	   {"Action":"fail","Package":"p","Elapsed":0.1}`,
		"FAIL  p (0.1 s)\n          a_test.go:9: got 1\n\nfailed:\n      p A/x\n\n0 passed, 1 failed, 0 skipped\n",
		false)
	// A package that does not build fails although no test did.
	f(`{"Action":"build-output","ImportPath":"p [p.test]","Output":"p.go:1: syntax error\n"}
	   {"Action":"build-fail","ImportPath":"p [p.test]"}
	   {"Action":"fail","Package":"p","FailedBuild":"p [p.test]"}`,
		"FAIL  p: does not build\n      p.go:1: syntax error\n\nfailed:\n      p: does not build\n\n"+
			"0 passed, 1 failed, 0 skipped\n", false)
	// A test under which the process ended (panic, os.Exit) failed.
	f(`{"Action":"run","Package":"p","Test":"A"}
	   {"Action":"output","Package":"p","Test":"A","Output":"panic: BUG\n"}
	   {"Action":"fail","Package":"p","Elapsed":0.1}`,
		"failed:\n      p A\n\n0 passed, 1 failed, 0 skipped\n", false)
	// The stream ended in the middle.
	f(`{"Action":"run","Package":"p","Test":"A"}`, "0 passed, 1 failed, 0 skipped\n", false)
	// What go says outside the stream is not lost, and nothing run is no success.
	f(`go: cannot find main module`, "go: cannot find main module\nno test ran\n\n0 passed, 0 failed, 0 skipped\n",
		false)
}
