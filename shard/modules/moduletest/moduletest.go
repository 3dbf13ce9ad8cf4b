// Package moduletest runs scripts in the tests of modules, on the bench of package routetest: a
// real proxy.Core on a real arena. It is imported by tests alone.
package moduletest

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/modules/pv"
	"viaduct/shard/route"
	"viaduct/shard/route/routetest"
)

// Bench is a message and the modules that a script about it may use.
type Bench struct {
	*routetest.Bench
	// Head stands above the routes: modparam lines. All modules are loaded before. What module pv
	// has for files that do not load it is there in any case.
	Head string
	// Lines are what the last run logged, without level.
	Lines []string
	Ctx   *route.Ctx

	t       testing.TB
	modules []route.Declared // that are loaded
	all     []route.Declared
	msg     parser.Message
	src     netio.Addr
	seen    []route.Value
	state   *route.State
}

// Request is the message that a Bench has at first.
const Request = "INVITE sip:bob:pw@b.example.com:5080;user=phone?X=1 SIP/2.0\r\n" +
	"Via: SIP/2.0/UDP 127.0.0.1:15998;branch=z9hG4bKabc\r\nMax-Forwards: 70\r\n" +
	"From: \"Alice A\" <sip:alice@a.example.com:5070>;tag=ft1\r\nTo: <sip:bob@b.example.com>\r\n" +
	"Call-ID: cid-1@x\r\nCSeq: 7 INVITE\r\nUser-Agent: ua/1.0\r\nX-Foo: one\r\nX-Foo:  two \r\n" +
	"Contact: <sip:alice@127.0.0.1:15998>\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n" +
	"\r\nbody"

// New makes a Bench.
func New(t testing.TB, modules ...route.Declared) *Bench {
	t.Helper()
	b := &Bench{
		Bench: routetest.New(t), t: t,
		src: netio.AddrFrom(netip.MustParseAddrPort("127.0.0.1:15998")),
	}
	b.modules = append(b.modules, modules...)
	b.modules = append(b.modules, route.Declared{Name: "moduletest", Define: b.define})
	b.all = b.modules
	if !slices.ContainsFunc(modules, func(d route.Declared) bool { return d.Name == "pv" }) {
		b.all = append(slices.Clip(b.modules), route.Declared{Name: "pv", Define: pv.Define})
	}
	b.Ctx = route.NewCtx(&route.Shard{Core: b.Core, Listeners: route.Listeners(b.Listeners),
		Log: (*log)(b)})
	b.Message(Request)
	return b
}

// define is a module with a function that looks at a value.
func (b *Bench) define(m *route.Module) {
	route.Func1(m, "see", route.Anywhere, route.Any("value", "what is looked at"),
		"Looks at a value.",
		func(_ *route.Ctx, v route.Value) route.Result {
			v.S = append([]byte(nil), v.S...)
			b.seen = append(b.seen, v)
			return 1
		})
}

// Message makes text the message that scripts are run on.
func (b *Bench) Message(text string) {
	b.t.Helper()
	if r := b.msg.Parse([]byte(text)); r != parser.OK {
		b.t.Fatalf("the message does not parse: %v\n%s", r, text)
	}
}

// State is what all that is loaded on this bench opens with: each Load is a reload.
func (b *Bench) State() *route.State {
	if b.state == nil {
		b.state = &route.State{Shards: 1, Arena: b.Arena}
	}
	return b.state
}

// Msg is the message, Source where it came from: for Begin.
func (b *Bench) Msg() *parser.Message { return &b.msg }
func (b *Bench) Source() *netio.Addr  { return &b.src }

// Load loads a file of Head and what follows it. It readies the program for a server.
func (b *Bench) Load(body string) (*route.Program, route.Warnings, error) {
	b.t.Helper()
	src := ""
	for _, m := range b.modules {
		src += "loadmodule \"" + m.Name + ".so\" "
	}
	p, set, w, err := route.Load("x.cfg", []byte(src+b.Head+"\n"+body), route.Options{Modules: b.all})
	if err != nil {
		return nil, w, err
	}
	config := b.Config
	config.Settings = set.Proxy
	b.Core.Configure(config)
	return p, w, p.Open(b.State())
}

// Run runs body as request_route. The outcome and $rc are what it says.
func (b *Bench) Run(body string) (route.Outcome, int) {
	b.t.Helper()
	p, _, err := b.Load("request_route {\n" + body + "\n}\n")
	if err != nil {
		b.t.Fatalf("%s: %v", body, err)
	}
	b.Lines, b.seen = nil, nil
	o := p.Request(b.Ctx, b.Begin(&b.msg, &b.src))
	return o, b.Ctx.Return
}

// Value is what an expression is behind the statements of before: a number as it is, a text in
// single quotes, or null.
func (b *Bench) Value(before, x string) string {
	b.t.Helper()
	o, _ := b.Run(before + "\nsee(" + x + ");")
	if len(b.seen) != 1 {
		return fmt.Sprintf("nothing: the run ended as %d, %v", o, b.Ctx.Fault)
	}
	switch v := b.seen[0]; {
	case v.IsNull():
		return "null"
	case v.IsInt():
		return strconv.FormatInt(v.Int(), 10)
	default:
		return "'" + string(v.S) + "'"
	}
}

// Fails wants a file that cannot be loaded: request_route with body gives an error with that text,
// of which line and column are left out.
func (b *Bench) Fails(body, want string) {
	b.t.Helper()
	_, _, err := b.Load("request_route {\n" + body + "\n}\n")
	got := fmt.Sprint(err)
	if err != nil {
		_, got, _ = strings.Cut(got, ": ")
	}
	if got != want {
		b.t.Errorf("%s gives %s, want %s", body, got, want)
	}
}

// log takes the lines of a run.
type log Bench

func (l *log) LogLevel() int { return 3 }

func (l *log) Log(_ int, line []byte) { l.Lines = append(l.Lines, string(line)) }
