package main

import (
	"bytes"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"viaduct/control"
)

// fakeServer answers every line with the next answer, and keeps what it was asked.
func fakeServer(t *testing.T, answers ...string) (path string, asked chan string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	asked = make(chan string, len(answers))
	go func() {
		defer close(done)
		for _, a := range answers {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			var line []byte
			for b := make([]byte, 1); len(line) == 0 || line[len(line)-1] != '\n'; line = append(line, b[0]) {
				if _, err := io.ReadFull(conn, b); err != nil {
					break
				}
			}
			asked <- string(line)
			io.WriteString(conn, a)
			conn.Close()
		}
	}()
	return path, asked
}

func TestRun(t *testing.T) {
	f := func(args string, answer string, code int, wantOut, wantErr string) {
		t.Helper()
		path, _ := fakeServer(t, answer)
		var out, errs bytes.Buffer
		got := run(append([]string{"-s", path}, strings.Fields(args)...), "", &out, &errs)
		if got != code || out.String() != wantOut || !strings.HasPrefix(errs.String(), wantErr) ||
			wantErr == "" && errs.Len() > 0 {
			t.Errorf("%s: %d, %q, %q", args, got, out.String(), errs.String())
		}
	}
	f("core.uptime", `{"uptime":5,"now":"x"}`+"\n", 0, "{\n  \"uptime\": 5,\n  \"now\": \"x\"\n}\n", "")
	f("core.version", `"viaduct <1>"`+"\n", 0, "\"viaduct <1>\"\n", "")
	f("x", `[]`+"\n", 0, "[]\n", "")
	f("x", `{"error":{"code":404,"message":"method \"x\" not found"}}`+"\n", 1, "",
		"error: 404 - method \"x\" not found\n")
	f("x", `{"error":"unknown command"}`+"\n", 1, "", "error: 500 - unknown command\n")
	f("reload", `{"error":{"code":500,"message":"v.cfg:1:2: bad\n1 error, configuration is not usable"}}`+"\n", 1, "",
		"v.cfg:1:2: bad\n1 error, configuration is not usable\n")
	f("x", `{"error":5}`+"\n", 0, "{\n  \"error\": 5\n}\n", "") // a value of that name, no fault
	f("x", "SIP/2.0 400\n", 255, "", "viaductctl: the answer is no JSON")
	f("x", "", 255, "", "viaductctl: no answer from ")
	f("x", `{"cut":`, 255, "", "viaductctl: no answer from ")
}

func TestWrongUse(t *testing.T) {
	f := func(args []string, code int, wantOut, wantErr string) {
		t.Helper()
		var out, errs bytes.Buffer
		got := run(args, filepath.Join(t.TempDir(), "nobody"), &out, &errs)
		if got != code || !strings.HasPrefix(out.String(), wantOut) || !strings.HasPrefix(errs.String(), wantErr) ||
			wantOut == "" && out.Len() > 0 || wantErr == "" && errs.Len() > 0 {
			t.Errorf("%q: %d, %q, %q", args, got, out.String(), errs.String())
		}
	}
	f(nil, 255, "", "viaductctl: no method given\nusage: ")
	f([]string{"-h"}, 0, "usage: viaductctl", "")
	f([]string{"-x", "y"}, 255, "", "viaductctl: flag provided but not defined: -x\nusage: ")
	f([]string{"-t", "0", "y"}, 255, "", "viaductctl: -t 0 is out of range, 1 to 3600 seconds\n")
	f([]string{"core.uptime"}, 255, "", "viaductctl: cannot reach viaduct at ")
	f([]string{"x", strings.Repeat("y", control.MaxCommandBytes)}, 255, "", "viaductctl: the call has ")
}

// TestNoAnswerInTime: the command goes on, so that whoever asked is told that it may.
func TestNoAnswerInTime(t *testing.T) {
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "s")) // it never reads
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var out, errs bytes.Buffer
	code := run([]string{"-t", "1", "reload"}, listener.Addr().String(), &out, &errs)
	if want := "in 1s: the command may still be under way, -t waits longer\n"; code != 255 || out.Len() > 0 ||
		!strings.HasSuffix(errs.String(), want) {
		t.Errorf("%d, %q, %q, want 255 and %q", code, out.String(), errs.String(), want)
	}
}

// What follows the method is the method's: a leading - and blanks arrive as they were typed.
func TestArgumentsArrive(t *testing.T) {
	path, asked := fakeServer(t, "{}\n")
	if code := run([]string{"cfg.set_now_int", "core", "debug", "-3", "a b", ""}, path, io.Discard,
		io.Discard); code != 0 {
		t.Fatal(code)
	}
	if got, want := <-asked, "cfg.set_now_int core debug -3 \"a b\" \"\"\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// With the real other side: the socket of the environment, methods, a fault.
func TestWithService(t *testing.T) {
	rpc := control.NewRPC()
	rpc.Register(&control.Method{Name: "test.add", Help: "Adds.",
		Params: []control.Param{{Name: "a", Kind: control.Int}, {Name: "b", Kind: control.Int}},
		Call:   func(a control.Args) (any, error) { return a.Int(0, 0) + a.Int(1, 0), nil }})
	s := control.NewStatusService(control.Commands{}, nil)
	s.Serve(rpc)
	path := filepath.Join(t.TempDir(), "s")
	if err := s.ListenUnix(path, nil); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f := func(args string, code int, wantOut, wantErr string) {
		t.Helper()
		var out, errs bytes.Buffer
		if got := run(strings.Fields(args), path, &out, &errs); got != code || out.String() != wantOut ||
			errs.String() != wantErr {
			t.Errorf("%s: %d, %q, %q", args, got, out.String(), errs.String())
		}
	}
	f("test.add 5 -7", 0, "-2\n", "")
	f("test.add 5", 1, "", "error: 400 - b is missing; usage: test.add a b\n")
	f("test.ad 5 5", 1, "", "error: 404 - method \"test.ad\" not found; did you mean test.add?\n")
}
