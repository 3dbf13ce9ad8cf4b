package route

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"viaduct/netio"
	"viaduct/netio/stream"
	"viaduct/netio/stream/wslayer"
	"viaduct/parser"
	"viaduct/shard/blocklist"
	"viaduct/shard/proxy"
	"viaduct/shard/route/routetest"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// bench is a message on the real thing, and a list of what a program did about it: its lines, what
// it asked of connections, and after each step what that changed in the proxy.Request and what it
// sent.
type bench struct {
	*routetest.Bench
	t     testing.TB
	c     *Ctx
	prog  *Program // the one that runs, watched
	msg   parser.Message
	src   netio.Addr
	level int
	quiet bool // lists nothing: for timing and allocation tests
	calls []string
	conn  uint64
	tls   *stream.TLSInfo
	// ready is called when the request has begun.
	ready func(r *proxy.Request)

	status     string // of the response that a failure route is for
	ruri, duri []byte // as they were when the run had ended
}

func newBench(t testing.TB, msg string) *bench {
	t.Helper()
	h := &bench{Bench: routetest.New(t), t: t, level: 3, status: "486 Busy Here"}
	h.from(UDP, "127.0.0.1:15998")
	if r := h.msg.Parse([]byte(msg)); r != parser.OK {
		t.Fatalf("test message does not parse: %v\n%s", r, msg)
	}
	arena, err := shm.Create(shm.Config{Bytes: 8 << 20, Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { arena.Close() })
	cfg := blocklist.DefaultConfig()
	cfg.Init, cfg.Use = true, true
	list, err := blocklist.New(arena, cfg)
	if err != nil {
		t.Fatal(err)
	}
	h.c = NewCtx(&Shard{Core: h.Core, Listeners: Listeners(h.Listeners), Conns: h, Log: h, Blocked: list})
	return h
}

// from makes the message one that came over proto from addr.
func (h *bench) from(proto Transport, addr string) *bench {
	h.src = netio.AddrFrom(netip.MustParseAddrPort(addr))
	h.src.Proto = proto
	return h
}

// begin begins on the message.
func (h *bench) begin() *proxy.Request {
	h.Bench.Quiet = h.quiet
	h.c.Shard.Blocked.DeleteAll()
	r := h.Begin(&h.msg, &h.src)
	if h.ready != nil {
		h.ready(r)
	}
	h.Bench.Quiet = h.quiet
	h.Sent = h.Sent[:0]
	return r
}

// request runs the request_route of p on it.
func (h *bench) request(p *Program) Outcome {
	r := h.begin()
	if !h.quiet {
		p = h.watched(p)
	}
	h.prog = p
	o := p.Request(h.c, r)
	if h.quiet {
		return o
	}
	h.ruri, h.duri = append([]byte(nil), r.RequestURI()...), append([]byte(nil), r.DstURI()...)
	return o
}

// run runs route n of a kind: a failure route when the branch that was sent has ended with
// h.status, a reply route on a 183 to it, both in the course of a transaction.
func (h *bench) run(p *Program, kind RouteKind, n int) (o Outcome) {
	w := p
	if !h.quiet {
		w = h.watched(p)
	}
	status := h.status
	ran := false
	end := func(r *proxy.Request) {
		ran = true
		h.ruri, h.duri = append(h.ruri[:0], r.RequestURI()...), append(h.duri[:0], r.DstURI()...)
	}
	h.Failure = func(r *proxy.Request, _ int) { o = w.Failure(h.c, r, n); end(r) }
	h.Branch = func(r *proxy.Request, _ int) bool { o = w.Branch(h.c, r, n); end(r); return true }
	h.Reply = func(tx *txn.Tx, br *txn.Branch, m *parser.Message, _ int) bool {
		o, ran = w.Reply(h.c, &h.Core.Reply, m, tx, br, n), true
		return true
	}
	if kind == RequestRoute {
		return h.request(p)
	}
	if kind == CoreReplyRoute {
		return w.CoreReply(h.c, h.Respond(&h.msg, &h.src))
	}
	r := h.begin()
	r.Arm(kind, 1)
	h.Bench.Quiet = false
	if !r.Relay() {
		h.t.Fatal("not relayed")
	}
	switch kind {
	case FailureRoute:
		h.Answer(h.t, status)
	case ReplyRoute:
		h.Answer(h.t, "183 Session Progress")
	}
	if !ran {
		h.t.Fatalf("the route of kind %d did not run", kind)
	}
	return o
}

// repeatable is a run that can be made again and again. A failure route and a branch route work on
// the request as it is once it was relayed and its branch was answered, a reply route on that
// answer.
func (h *bench) repeatable(p *Program, kind RouteKind, n int) func() Outcome {
	h.quiet = true
	r := &h.Core.Request
	switch kind {
	case RequestRoute:
		return func() Outcome { return h.request(p) }
	case CoreReplyRoute:
		h.Respond(&h.msg, &h.src)
		return func() Outcome { return p.CoreReply(h.c, &h.Core.Reply) }
	}
	h.begin()
	h.Bench.Quiet = false
	r.Relay()
	tx, br := r.Tx, (*txn.Branch)(nil)
	h.Table.Branches(tx, func(b *txn.Branch) bool { br = b; return false })
	h.Answer(h.t, "183 Session Progress")
	h.Bench.Quiet = true
	switch kind {
	case FailureRoute:
		return func() Outcome {
			h.Core.Release()
			r.ClearBranches()
			return p.Failure(h.c, r, n)
		}
	case BranchRoute:
		return func() Outcome {
			h.Core.Release()
			r.SetRequestURI(h.msg.Bytes(h.msg.URI))
			return p.Branch(h.c, r, n)
		}
	}
	return func() Outcome { h.Core.Release(); return p.Reply(h.c, &h.Core.Reply, h.Core.Reply.M, tx, br, n) }
}

// watched is p with each step looked at.
func (h *bench) watched(p *Program) *Program {
	return p.Around(func(do func() Result) Result {
		before, sent := h.decided(), len(h.Sent)
		r := do()
		for i, d := range h.decided() {
			if d != before[i] && d != "" {
				h.calls = append(h.calls, d)
			}
		}
		for _, s := range h.Sent[sent:] {
			line, _, _ := strings.Cut(string(s.Text), "\r\n")
			if status, ok := strings.CutPrefix(line, "SIP/2.0 "); ok {
				code, phrase, _ := strings.Cut(status, " ")
				h.calls = append(h.calls, "Reply("+code+","+phrase+")")
			} else {
				verb := "Relay("
				if h.Core.Request.Tx == nil {
					verb = "Forward(" // also t_relay() of an ACK
				}
				h.calls = append(h.calls, verb+strings.ToLower(s.To.Proto.String())+":"+s.To.String()+")")
			}
		}
		return r
	})
}

// contactEdit returns what an edit takes and puts in its place. Of an insertion into the URI of a
// Contact it returns the URI before and after.
func (h *bench) contactEdit(e *proxy.Edit) (was, is []byte) {
	m := h.c.Msg
	was, is = m.Bytes(e.Old), e.Text
	for v := m.Values(parser.KindContact); len(was) == 0 && v.Next(); {
		var a parser.NameAddr
		if parser.ParseNameAddr(m.Raw, v.Value, &a) == parser.OK && e.Old.Off >= a.URI.Off && e.Old.Off <= a.URI.End() {
			was = m.Bytes(a.URI)
			is = slices.Concat(was[:e.Old.Off-a.URI.Off], is, was[e.Old.Off-a.URI.Off:])
		}
	}
	return was, is
}

// decided are the decisions about the request and the response, each as the call that makes it.
func (h *bench) decided() (list []string) {
	edits := func(made []proxy.Edit) string {
		var s []string
		for _, e := range made {
			was, is := h.contactEdit(&e)
			s = append(s, fmt.Sprintf("Edit(%s,%s)", was, is))
		}
		return strings.Join(s, "|")
	}
	blocked := ""
	addr := *h.c.Source()
	proto := addr.Proto
	addr.Proto = 0
	if e, ok := h.c.Shard.Blocked.Look(proto, &addr, h.Core.Now()/1e6); ok {
		blocked = fmt.Sprintf("BlockSource(%v)", time.Duration(e.ExpiresMs*1e6-h.Core.Now()))
	}
	r := h.c.Request
	if r == nil {
		return []string{edits(h.Core.Reply.Edits()), blocked}
	}
	add := func(there bool, format string, args ...any) {
		if there {
			list = append(list, fmt.Sprintf(format, args...))
		} else {
			list = append(list, "")
		}
	}
	d := r.Decided()
	add(true, "OnFailure(%d)", r.Armed(FailureRoute))
	add(true, "OnBranch(%d)", r.Armed(BranchRoute))
	add(true, "OnReply(%d)", r.Armed(ReplyRoute))
	add(true, "SetFr(%v,%v)", d.FrInv, d.Fr)
	add(d.Targets > 0, "AppendBranch(%s,%d) %d", d.LastURI, d.LastQ, d.Targets)
	add(d.MaxForwards >= 0, "MaxForwards(%d)", d.MaxForwards)
	add(d.RecordRoute, "RecordRoute()")
	leads := r.DstURI()
	if leads == nil {
		leads = r.RequestURI()
	}
	add(d.Chosen, "SelectDst(%s)", leads)
	add(d.ShownHost != nil || d.ShownPort != 0, "SetAdvertised(%s,%d)", d.ShownHost, d.ShownPort)
	add(d.Path != nil, "AddPath(%s)", d.Path)
	add(d.ReplyRows != nil, "AppendToReply(%s)", d.ReplyRows)
	add(d.RPort, "AddLocalRPort()")
	add(d.Symmetric, "ForceRPort()")
	add(d.Options != 0, "AddStreamOptions(%d)", d.Options)
	add(d.ReplyOptions != 0, "AddReplyOptions(%d)", d.ReplyOptions)
	add(true, "SetBlockIgnore(%d)", r.Ignored())
	add(true, "ForceSocket(%d)", r.Forced())
	return append(list, edits(d.Edits), blocked)
}

func (h *bench) LogLevel() int { return h.level }

func (h *bench) Log(level int, line []byte) {
	if !h.quiet {
		h.calls = append(h.calls, fmt.Sprintf("log %d %s", level, line))
	}
}

// did lists what was asked of a connection.
func (h *bench) did(name string, args ...any) bool {
	s := make([]string, len(args))
	for i, a := range args {
		s[i] = fmt.Sprint(a)
	}
	h.calls = append(h.calls, name+"("+strings.Join(s, ",")+")")
	return true
}

func (h *bench) State(conn uint64) stream.ConnState {
	if h.quiet || h.did("ConnState", conn) {
		return stream.ConnUp
	}
	return stream.ConnGone
}

func (h *bench) Find(int, *netio.Addr) uint64 { return h.conn }

func (h *bench) SetLifetime(conn uint64, d time.Duration) bool {
	return h.quiet || h.did("SetConnLifetime", conn, d)
}

func (h *bench) SetKeepAlive(conn uint64, idle time.Duration, count int, interval time.Duration) bool {
	return h.quiet || h.did("SetConnKeepalive", conn, idle, count, interval)
}

func (h *bench) CloseGracefully(conn uint64, status int, reason []byte) bool {
	return h.quiet || h.did("CloseConn", conn, status, string(reason))
}

func (h *bench) AliasOf(conn uint64, port uint16) bool {
	return h.quiet || h.did("AliasConn", conn, port)
}

func (h *bench) TLSInfo(uint64) *stream.TLSInfo { return h.tls }
func (h *bench) AnswerHTTP(id uint64, _ uint32, response []byte, last bool) bool {
	return h.did("AnswerHTTP", id, string(response), last)
}
func (h *bench) UpgradeHTTP(id uint64, _ uint32, response []byte, _ *wslayer.Request) bool {
	return h.did("UpgradeHTTP", id, string(response))
}
func (h *bench) WebSocket(uint64) *wslayer.Config { return &wslayer.Config{} }

// request is a SIP request with all a script may ask for; kind is "METHOD uri", tag goes into To.
func request(kind, tag string) string {
	method, uri, _ := strings.Cut(kind, " ")
	if tag != "" {
		tag = ";tag=" + tag
	}
	return method + " " + uri +
		" SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:15998;branch=z9hG4bKabc\r\nMax-Forwards: 70\r\n" +
		"From: \"Alice A\" <sip:alice@a.example.com:5070>;tag=ft1\r\nTo: <sip:bob@b.example.com>" + tag +
		"\r\nCall-ID: cid-1@x\r\n" +
		"CSeq: 7 " + method + "\r\nUser-Agent: ua/1.0\r\nX-Foo: one\r\nX-Foo:  two \r\nContact: " +
		"<sip:alice@127.0.0.1:15998>\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody"
}

// fuzzSeeds are the configuration files of testdata and the default one.
func fuzzSeeds(t testing.TB) []string {
	t.Helper()
	seeds := []string{string(Default())}
	for _, pattern := range []string{"testdata/peers/*.cfg", "testdata/accept/*.cfg", "testdata/refuse/*.cfg"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no files at %s: %v", pattern, err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			seeds = append(seeds, string(b))
		}
	}
	return seeds
}

// withVars adds to modules of a test what has the variables.
func withVars(list ...Declared) []Declared {
	for _, d := range testModules {
		if d.Name == "pv" {
			list = append(list, d)
		}
	}
	return list
}
