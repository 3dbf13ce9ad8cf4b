package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valyala/bytebufferpool"
	"golang.org/x/sys/unix"

	"viaduct/shard/route/command"
)

// echoRPC has a method of each kind.
func echoRPC() *RPC {
	r := NewRPC()
	r.Register(
		&Method{Name: "test.echo", Help: "Gives back.",
			Params: []Param{{Name: "a"}, {Name: "n", Kind: Int}, {Name: "b", Optional: true}},
			Call: func(a Args) (any, error) {
				return []any{a.Text(0), a.Int(1, -1), a.Text(2), a.Int(7, -1), a.Len()}, nil
			}},
		&Method{Name: "test.range", Help: "Counts.", Params: command.Words("[#page:1..0x10]"),
			Call: func(a Args) (any, error) { return a.Int(0, -1), nil }},
		&Method{Name: "test.fault", Help: "Fails.", Call: func(Args) (any, error) {
			return nil, fmt.Errorf("wrapped: %w", Faultf(418, "teapot"))
		}},
		&Method{Name: "test.error", Help: "Fails.", Call: func(Args) (any, error) { return nil, errors.New("broken") }},
		&Method{Name: "test.nothing", Help: "Does nothing.", Call: func(Args) (any, error) { return nil, nil }},
		&Method{Name: "test.panic", Help: "Panics.", Call: func(Args) (any, error) { panic("oh") }},
		&Method{Name: "test.html", Help: "Answers <a&b>.", Call: func(Args) (any, error) { return "<a&b>", nil }},
	)
	r.Alias("tset.nothing", "test.nothing")
	return r
}

func TestCall(t *testing.T) {
	r := echoRPC()
	f := func(line, want string) {
		t.Helper()
		if got := string(r.Call(line)); got != want+"\n" {
			t.Errorf("%q: %s want %s", line, got, want)
		}
	}
	f(`test.echo x 5`, `["x",5,"",-1,2]`)
	f(`  test.echo	-x -5  --y `, `["-x",-5,"--y",-1,3]`)
	f(`test.echo "a \"b\" \\ c" 0x1F "" `, `["a \"b\" \\ c",31,"",-1,3]`)
	f(`test.echo "a\n\tb" +7`, `["a\n\tb",7,"",-1,2]`)
	f(`test.echo a"b c"d 007`, `["ab cd",7,"",-1,2]`)
	f(`test.echo x 9223372036854775807`, `["x",9223372036854775807,"",-1,2]`)
	f(`test.range`, `-1`)
	f(`test.range 16`, `16`)
	f(`test.nothing`, `{}`)
	f(`tset.nothing`, `{}`)
	f(`test.html`, `"<a&b>"`)
	f(`system.methodHelp test.echo`, `"Gives back. Usage: test.echo a n [b]"`)
	f(`system.methodSignature test.echo`, `"test.echo a n [b]"`)

	fault := func(line string, code int, want string) {
		t.Helper()
		var got struct{ Error Fault }
		if err := json.Unmarshal(r.Call(line), &got); err != nil || got.Error.Code != code ||
			got.Error.Message != want {
			t.Errorf("%q: %v, want %d - %s", line, &got.Error, code, want)
		}
	}
	fault(``, 400, `no method given; system.listMethods lists them`)
	fault(`""`, 404, `method "" not found; system.listMethods lists them`)
	fault(`test.ecko x 5`, 404, `method "test.ecko" not found; did you mean test.echo?`)
	fault(`Test.Echo x 5`, 404, `method "Test.Echo" not found; did you mean test.echo?`)
	fault(`reboot`, 404, `method "reboot" not found; system.listMethods lists them`)
	fault(`test.echo`, 400, `a is missing; usage: test.echo a n [b]`)
	fault(`test.echo x`, 400, `n is missing; usage: test.echo a n [b]`)
	fault(`test.echo x 1 b c`, 400, `it takes 3 arguments at most, and has 4; usage: test.echo a n [b]`)
	fault(`test.range 1 2`, 400, `it takes one argument, and has 2; usage: test.range [page]`)
	fault(`test.nothing 1`, 400, `it takes no arguments, and has 1; usage: test.nothing`)
	fault(`test.range 0`, 400, `page must be a number from 1 to 16, not 0; usage: test.range [page]`)
	fault(`test.range -1`, 400, `page must be a number from 1 to 16, not -1; usage: test.range [page]`)
	fault(`test.range 0x11`, 400, `page must be a number from 1 to 16, not 0x11; usage: test.range [page]`)
	fault(`test.echo x five`, 400, `n must be a whole number, not "five"; usage: test.echo a n [b]`)
	fault(`test.echo x 0x-5`, 400, `n must be a whole number, not "0x-5"; usage: test.echo a n [b]`)
	fault(`test.echo x 9223372036854775808`, 400,
		`n must be a whole number, not "9223372036854775808"; usage: test.echo a n [b]`)
	fault(`test.echo x 1.5`, 400, `n must be a whole number, not "1.5"; usage: test.echo a n [b]`)
	fault(`test.echo "x 5`, 400, `a quote is open at the end of the line; close it with "`)
	fault(`test.echo "x\`, 400, `the line ends with a backslash; write \\ for one`)
	fault(`test.echo "\x" 5`, 400, `\x means nothing inside quotes; write \", \\, \n or \t`)
	fault(`test.fault`, 418, `teapot`)
	fault(`test.error`, 500, `broken`)
	fault(`system.methodHelp nope`, 404, `method "nope" not found; system.listMethods lists them`)

	names := r.Names()
	if slices.Contains(names, "tset.nothing") || !slices.Contains(names, "test.echo") ||
		!slices.Contains(names, "system.listMethods") || !slices.IsSorted(names) {
		t.Errorf("%q", names)
	}
}

func TestRegisterTwice(t *testing.T) {
	f := func(m *Method) {
		t.Helper()
		defer func() {
			if v := recover(); v == nil || !strings.HasPrefix(fmt.Sprint(v), "BUG: rpc method") {
				t.Errorf("%+v: %v", m, v)
			}
		}()
		echoRPC().Register(m)
	}
	call := func(Args) (any, error) { return nil, nil }
	f(&Method{Name: "test.echo", Help: "x", Call: call})
	f(&Method{Name: "test.new", Call: call})
	f(&Method{Name: "test.new", Help: "x"})
}

// FuzzWords: what a client joins, we split into the same; a line is split into words or refused,
// and the words joined are the line's.
func FuzzWords(f *testing.F) {
	f.Add("a", `b "c" \`, "\n\t")
	f.Add("", "-x", "ü \x00 \xff")
	f.Add(`a "b\"c" d`, `"`, "\r\v\f")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		words := []string{a, b, c}
		line := JoinWords(words)
		if strings.Contains(line, "\n") {
			t.Fatalf("%q is no line", line)
		}
		if got, err := splitWords(line); err != nil || !reflect.DeepEqual(got, words) {
			t.Fatalf("%q: %q %v", line, got, err)
		}
		if got, err := splitWords(a); err == nil {
			if again, err := splitWords(JoinWords(got)); err != nil || !slices.Equal(again, got) {
				t.Fatalf("%q: %q, then %q %v", a, got, again, err)
			}
		}
	})
}

// FuzzCall: whatever the line, the answer is one line of JSON, and a fault has a code and a reason.
func FuzzCall(f *testing.F) {
	f.Add(`test.echo "x" 0x5 y`)
	f.Add(`cfg.set_now_int core debug -5`)
	f.Add(`dst_blocklist.add 192.0.2.1 5060 1 64`)
	f.Add("system.methodHelp \x00\xff")
	r := NewRPC()
	RegisterVars(r, &Vars{})
	RegisterProcess(r, &Process{Name: "v"})
	RegisterBlocklist(r, nil, nil)
	RegisterDNS(r, nil)
	r.Register(echoRPC().methods["test.echo"])
	f.Fuzz(func(t *testing.T, line string) {
		got := r.Call(line)
		if !json.Valid(got) || slices.Index(got, '\n') != len(got)-1 {
			t.Fatalf("%q: %q", line, got)
		}
		var fault struct{ Error *Fault }
		if json.Unmarshal(got, &fault) == nil && fault.Error != nil &&
			(fault.Error.Code < 400 || fault.Error.Message == "") {
			t.Fatalf("%q: %q", line, got)
		}
	})
}

func TestDidYouMean(t *testing.T) {
	f := func(name string, want string, names ...string) {
		t.Helper()
		if got := didYouMean(name, names, "none"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	f("core.uptme", "; did you mean core.uptime?", "core.uptime", "core.version")
	f("CORE.UPTIME", "; did you mean core.uptime?", "core.uptime")
	f("dst_blacklist.vew", "; did you mean dst_blacklist.view?", "dst_blocklist.view", "dst_blacklist.view")
	f("x", "; none", "core.uptime")
	f("", "; none", "core.uptime")
	f("uptime", "; none", "core.version")
	f("ab", "; none")
}

// doors starts a service with an RPC on a socket and a FIFO.
func doors(t *testing.T) (s *StatusService, dir string, logged func() string) {
	t.Helper()
	dir = t.TempDir()
	s, logged = testService(t)
	s.Serve(echoRPC())
	if err := s.ListenUnix(filepath.Join(dir, "s"), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.ListenFIFO(filepath.Join(dir, "f"), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, dir, logged
}

func TestRPCOnSocket(t *testing.T) {
	_, dir, logged := doors(t)
	conn, err := net.Dial("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	f := func(line, want string) {
		t.Helper()
		conn.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := conn.Write([]byte(line + "\n")); err != nil {
			t.Fatal(err)
		}
		if got, err := in.ReadString('\n'); err != nil || strings.TrimSpace(got) != want {
			t.Errorf("%q: %q %v, want %s", line, got, err, want)
		}
	}
	f(`status`, `{"shards":2}`)
	f(`test.echo "a b" 1`, `["a b",1,"",-1,2]`)
	f(`test.panic`, `{"error":{"code":500,"message":"the command failed, see the log"}}`)
	f(`system.methodSignature status`, `"status"`)
	f(`nothing`, `{"error":{"code":404,"message":"method \"nothing\" not found; system.listMethods lists them"}}`)
	for end := time.Now().Add(5 * time.Second); !strings.Contains(logged(),
		"contained a panic"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the log says %q", logged())
		}
	}
}

// On the FIFO an answer goes to the log, or where the last word says.
func TestRPCOnFIFO(t *testing.T) {
	_, dir, logged := doors(t)
	fifo, err := os.OpenFile(filepath.Join(dir, "f"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer fifo.Close()
	reply := filepath.Join(dir, "r")
	if err := unix.Mkfifo(reply, 0o600); err != nil {
		t.Fatal(err)
	}
	answers, err := os.OpenFile(reply, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer answers.Close()
	answers.SetDeadline(time.Now().Add(10 * time.Second))
	in := bufio.NewReader(answers)
	f := func(line, want string) {
		t.Helper()
		if _, err := fifo.WriteString(line + "\n"); err != nil {
			t.Fatal(err)
		}
		if got, err := in.ReadString('\n'); err != nil || strings.TrimSpace(got) != want {
			t.Errorf("%q: %q %v, want %s", line, got, err, want)
		}
	}
	f(`test.echo "a b" 1 >r`, `["a b",1,"",-1,2]`)
	f(`status r`, `{"shards":2}`)
	f(`status >r`, `{"shards":2}`)
	f(`test.echo " >x" 1 >r`, `[" >x",1,"",-1,2]`)
	if _, err := fifo.WriteString("test.echo \"to >log\" 77\n"); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); !strings.Contains(logged(),
		`["to >log",77,"",-1,2]`); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the log says %q", logged())
		}
	}
}

var (
	docMethod = regexp.MustCompile("(?m)^### `([^`]+)`")
	docBlock  = regexp.MustCompile("(?ms)^```\n\\$ viaductctl ([^\n]+)\n")
)

// TestMethodsAreDocumented: docs/rpc.md has every method with its arguments, and no other; its
// examples name methods there are, with as many arguments as they take.
func TestMethodsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/rpc.md")
	if err != nil {
		t.Fatal(err)
	}
	r := everyMethod()
	for name := range commandHelp {
		if help := string(r.Call("system.methodHelp " + name)); !strings.Contains(help, commandHelp[name]) ||
			commandHelp[name] == "" {
			t.Errorf("help for %s: %s", name, help)
		}
	}
	documented := map[string]bool{}
	for _, m := range docMethod.FindAllStringSubmatch(string(text), -1) {
		documented[m[1]] = true
	}
	for _, name := range r.Names() {
		usage := r.methods[name].Usage()
		if !documented[usage] {
			t.Errorf("docs/rpc.md has no heading ### `%s`", usage)
		}
		delete(documented, usage)
	}
	for usage := range documented {
		t.Errorf("docs/rpc.md documents %s, which is no method, or takes other arguments", usage)
	}
	examples := map[string]bool{}
	for _, m := range docBlock.FindAllStringSubmatch(string(text), -1) {
		words, err := splitWords(m[1])
		if err != nil {
			t.Fatal(err)
		}
		method, err := r.method(words[0])
		if err != nil {
			t.Errorf("docs/rpc.md: %v", err)
			continue
		}
		if _, err := method.Read(words[1:]); err != nil {
			t.Errorf("docs/rpc.md: %s: %v", m[1], err)
		}
		examples[words[0]] = true
	}
	for _, name := range r.Names() {
		if !examples[name] {
			t.Errorf("docs/rpc.md shows no example of %s", name)
		}
	}
}

// Call is Answer for a caller that keeps the answer.
func (r *RPC) Call(line string) []byte {
	var b bytebufferpool.ByteBuffer
	r.Answer(&b, line)
	return b.B
}

// everyMethod returns an RPC with all methods of this package, none of which may be called.
func everyMethod() *RPC {
	r := NewRPC()
	RegisterVars(r, &Vars{})
	RegisterProcess(r, &Process{Name: "v"})
	RegisterReload(r, nil, nil)
	RegisterBlocklist(r, nil, nil)
	RegisterTCP(r, func() TCP { return nil })
	RegisterTLS(r, func() TLS { return nil })
	RegisterDNS(r, nil)
	RegisterStatistics(r, nil)
	RegisterTransactions(r, &Transactions{})
	RegisterTraffic(r, &Traffic{})
	RegisterTrace(r, &Trace{})
	s := NewStatusService(Commands{"status": nil, "stats": nil}, nil)
	s.RegisterDoors(r)
	s.Serve(r)
	return r
}
