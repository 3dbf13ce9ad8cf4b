package main

import (
	"bytes"
	"fmt"
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
		got := run(append([]string{"-s", path}, strings.Fields(args)...),
			&console{out: &out, err: &errs})
		if got != code || out.String() != wantOut || !strings.HasPrefix(errs.String(), wantErr) ||
			wantErr == "" && errs.Len() > 0 {
			t.Errorf("%s: %d, %q, %q", args, got, out.String(), errs.String())
		}
	}
	f("core.uptime", `{"uptime":5,"now":"x"}`+"\n", 0, "{\n  \"uptime\": 5,\n  \"now\": \"x\"\n}\n", "")
	f("core.version", `"viaduct <1>"`+"\n", 0, "\"viaduct <1>\"\n", "")
	f("x", `[]`+"\n", 0, "[]\n", "")
	f("x", `{"error":{"code":404,"message":"method \"x\" not found"}}`+"\n", 3, "",
		"error: 404 - method \"x\" not found\n")
	f("x", `{"error":"unknown command"}`+"\n", 3, "", "error: 500 - unknown command\n")
	f("reload", `{"error":{"code":500,"message":"v.cfg:1:2: bad\n1 error, configuration is not usable"}}`+"\n", 3, "",
		"v.cfg:1:2: bad\n1 error, configuration is not usable\n")
	f("x", `{"error":5}`+"\n", 0, "{\n  \"error\": 5\n}\n", "") // a value of that name, no fault
	f("x", "SIP/2.0 400\n", 3, "", "viaductctl: the answer is no JSON")
	f("x", "", 2, "", "viaductctl: no answer from ")
	f("x", `{"cut":`, 2, "", "viaductctl: no answer from ")
}

func TestWrongUse(t *testing.T) {
	f := func(args []string, code int, wantOut, wantErr string) {
		t.Helper()
		var out, errs bytes.Buffer
		got := run(args, &console{out: &out, err: &errs,
			socket: filepath.Join(t.TempDir(), "nobody")})
		if got != code || !strings.HasPrefix(out.String(), wantOut) || !strings.HasPrefix(errs.String(), wantErr) ||
			wantOut == "" && out.Len() > 0 || wantErr == "" && errs.Len() > 0 {
			t.Errorf("%q: %d, %q, %q", args, got, out.String(), errs.String())
		}
	}
	f(nil, 255, "", "viaductctl: no verb or method given\nusage: ")
	f([]string{"-h"}, 0, "usage: viaductctl", "")
	f([]string{"-x", "y"}, 255, "", "viaductctl: flag provided but not defined: -x\nusage: ")
	f([]string{"-t", "0", "y"}, 255, "", "viaductctl: -t 0 is out of range, 1 to 3600 seconds\n")
	f([]string{"drop"}, 255, "", "viaductctl: usage: viaductctl drop call-id|user|uri\n")
	f([]string{"down", "now"}, 255, "", "viaductctl: usage: viaductctl down\n")
	f([]string{"-json", "-table", "status"}, 255, "", "viaductctl: --json and --table exclude each other\n")
	f([]string{"completion", "csh"}, 255, "", "viaductctl: usage: viaductctl completion bash|zsh|fish\n")
	f([]string{"completion", "fish"}, 0, "complete -c viaductctl", "")
	f([]string{"--version"}, 0, "viaductctl "+version, "")
	f([]string{"core.uptime"}, 2, "", "viaductctl: cannot reach viaduct at ")
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
	code := run([]string{"-t", "1", "reload"},
		&console{out: &out, err: &errs, socket: listener.Addr().String()})
	if want := "in 1s: the command may still be under way, -t waits longer\n"; code != 1 || out.Len() > 0 ||
		!strings.HasSuffix(errs.String(), want) {
		t.Errorf("%d, %q, %q, want 1 and %q", code, out.String(), errs.String(), want)
	}
}

// What follows the method is the method's: a leading - and blanks arrive as they were typed.
func TestArgumentsArrive(t *testing.T) {
	path, asked := fakeServer(t, "{}\n")
	if code := run([]string{"cfg.set_now_int", "core", "debug", "-3", "a b", ""},
		&console{out: io.Discard, err: io.Discard, socket: path}); code != 0 {
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
		if got := run(strings.Fields(args), &console{out: &out, err: &errs, socket: path}); got != code || out.String() != wantOut ||
			errs.String() != wantErr {
			t.Errorf("%s: %d, %q, %q", args, got, out.String(), errs.String())
		}
	}
	f("test.add 5 -7", 0, "-2\n", "")
	f("test.add 5", 3, "", "error: 400 - b is missing; usage: test.add a b\n")
	f("test.ad 5 5", 3, "", "error: 404 - method \"test.ad\" not found; did you mean test.add?\n")
}

// TestVerbs: a verb is a method, with what it puts in front of the arguments.
func TestVerbs(t *testing.T) {
	f := func(args, asked string) {
		t.Helper()
		path, got := fakeServer(t, "{}\n")
		if code := run(strings.Fields(args), &console{out: io.Discard, err: io.Discard,
			socket: path}); code != 0 {
			t.Fatal(args, code)
		}
		if line := strings.TrimSpace(<-got); line != asked {
			t.Errorf("%s asks %q, want %q", args, line, asked)
		}
	}
	f("calls", "viaduct.calls")
	f("calls alice", "viaduct.calls alice")
	f("drain 1 sip:127.0.0.1:5070", "dispatcher.set_state d 1 sip:127.0.0.1:5070")
	f("drain 1 all", "dispatcher.set_state d 1 all")
	f("undrain 1 gw1", "dispatcher.set_duid_state a 1 gw1")
	f("ping off", "dispatcher.ping_active 0")
	f("verbose -1", "cfg.set_now_int core debug -1")
	f("down", "core.kill 15")
	f("dump", "viaduct.config")
}

// TestTables: an answer as people see it.
func TestTables(t *testing.T) {
	f := func(answer, want string) {
		t.Helper()
		if got := string(people([]byte(answer), false)); got != want {
			t.Errorf("%s:\n%swant\n%s", answer, got, want)
		}
	}
	f(`{}`, "done\n")
	f(`"two\nlines\n"`, "two\nlines\n")
	f("\"red \\u001b[31m\"", "red .[31m\n")
	f(`["a", 2, null, true]`, "a\n2\n\nyes\n")
	f(`[]`, "")
	f(`{"name":"v","uptime":12,"listen":["udp:1","tcp:2"]}`,
		"name    v\nuptime  12\nlisten\n  udp:1\n  tcp:2\n")
	f(`[{"id":1,"who":"alice","x":{"in":5,"out":""}},{"id":20,"who":"bo","tags":["a","b"]}]`,
		"id  who    x.in  tags\n 1  alice     5\n20  bo           a b\n")
	f(`{"N":1,"SETS":[{"SET":{"ID":1,"TARGETS":[{"DEST":{"URI":"sip:a","FLAGS":"AX"}}]}}]}`,
		"N  1\nSETS\n  ID  1\n  TARGETS\n    URI    FLAGS\n    sip:a  AX\n")
	wide, lines := "", ""
	for i := range manyColumns + 1 { // too many for one line each
		wide += fmt.Sprintf(`,"long%02d":%d`, i, i)
		lines += fmt.Sprintf("long%02d  %2d  %2d\n", i, i, i)
	}
	f(`[{`+wide[1:]+`},{`+wide[1:]+`}]`, lines)
	if got := string(people([]byte(`[{"a":1}]`), true)); got != "\x1b[1ma\x1b[0m\n1\n" {
		t.Errorf("%q", got)
	}
}
