package route

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"viaduct/parser"
)

// fakeHost records calls and answers what the test says. Functions without an answer are true.
type fakeHost struct {
	msg     parser.Message
	ruri    []byte
	duri    []byte
	src     netip.AddrPort
	rcv     netip.AddrPort
	proto   Transport
	level   int
	quiet   bool // record nothing: for timing and allocation tests
	answers map[string]int
	calls   []string

	armed  [CoreReplyRoute]int
	status int // of ReplyStatus
	branch int // of BranchIndex
	flags  uint32

	fakeStreams

	room [4][]byte
	turn int
}

func newFake(t testing.TB, msg string) *fakeHost {
	t.Helper()
	h := &fakeHost{answers: map[string]int{}, proto: UDP, level: 3,
		src: netip.MustParseAddrPort("127.0.0.1:15998"), rcv: netip.MustParseAddrPort("127.0.0.1:5060")}
	if r := h.msg.Parse([]byte(msg)); r != parser.OK {
		t.Fatalf("test message does not parse: %v\n%s", r, msg)
	}
	h.ruri = h.msg.Bytes(h.msg.URI)
	return h
}

func (h *fakeHost) did(name string, args ...any) int {
	if h.quiet {
		return 1
	}
	return h.record(name, args)
}

func (h *fakeHost) record(name string, args []any) int {
	s := make([]string, len(args))
	for i, a := range args {
		s[i] = fmt.Sprint(a)
	}
	h.calls = append(h.calls, name+"("+strings.Join(s, ",")+")")
	if r, ok := h.answers[name]; ok {
		return r
	}
	return 1
}

func (h *fakeHost) Msg() *Message          { return &h.msg }
func (h *fakeHost) RequestURI() []byte     { return h.ruri }
func (h *fakeHost) DstURI() []byte         { return h.duri }
func (h *fakeHost) Source() netip.AddrPort { return h.src }
func (h *fakeHost) Received() netip.AddrPort {
	return h.rcv
}
func (h *fakeHost) Transport() Transport { return h.proto }
func (h *fakeHost) LogLevel() int        { return h.level }

func (h *fakeHost) SetRequestURI(uri []byte) int {
	if r, ok := h.answers["SetRequestURI"]; ok && r < 0 {
		return r
	}
	// A new slice each time, as a Host that keeps versions would: the old view must not change
	// under a reader.
	h.ruri = append(h.fresh(), uri...)
	return 1
}

func (h *fakeHost) SetDstURI(uri []byte) int {
	h.duri = append(h.fresh(), uri...)
	return 1
}

// fresh is room for a URI; a quiet host takes turns, so that it allocates nothing.
func (h *fakeHost) fresh() []byte {
	if !h.quiet {
		return nil
	}
	h.turn = (h.turn + 1) % len(h.room)
	if h.room[h.turn] == nil {
		h.room[h.turn] = make([]byte, 0, 256)
	}
	return h.room[h.turn][:0]
}

func (h *fakeHost) IsMyself(host []byte, port int, proto Transport) bool {
	return string(host) == "127.0.0.1" && (port == 0 || port == 5060) || string(host) == "[::1]" || string(host) == "proxy.example.com"
}

func (h *fakeHost) MaxForwards(limit, _ int) int {
	if h.quiet {
		return 1
	}
	return h.did("MaxForwards", limit)
}

func (h *fakeHost) SanityCheck(m, u uint32) int {
	if h.quiet {
		return 1
	}
	return h.did("SanityCheck", m, u)
}

func (h *fakeHost) Reply(code int, reason string, how StatefulReply) int {
	if h.quiet {
		return 1
	}
	return h.did([]string{"Reply", "ReplyAny", "ReplyTM"}[how], code, reason)
}
func (h *fakeHost) ReplyError() int { return h.did("ReplyError") }
func (h *fakeHost) CheckTrans() int {
	if h.quiet {
		return -1
	}
	return h.did("CheckTrans")
}
func (h *fakeHost) PrecheckTrans() int {
	if h.quiet {
		return -1
	}
	return h.did("PrecheckTrans")
}
func (h *fakeHost) NewTran() int     { return h.did("NewTran") }
func (h *fakeHost) Relay() int       { return h.did("Relay") }
func (h *fakeHost) Forward() int     { return h.did("Forward") }
func (h *fakeHost) RecordRoute() int { return h.did("RecordRoute") }
func (h *fakeHost) LooseRoute() int  { return h.did("LooseRoute") }
func (h *fakeHost) SelectDst(set, alg, limit int, setURI bool) int {
	if h.quiet {
		return 1
	}
	return h.did("SelectDst", set, alg, limit, setURI)
}

func (h *fakeHost) OnFailure(n int) int { return h.arm(FailureRoute, n) }
func (h *fakeHost) OnBranch(n int) int  { return h.arm(BranchRoute, n) }
func (h *fakeHost) OnReply(n int) int   { return h.arm(ReplyRoute, n) }
func (h *fakeHost) Armed(kind RouteKind) int {
	return h.armed[kind]
}

func (h *fakeHost) arm(kind RouteKind, n int) int {
	h.armed[kind] = n
	if h.quiet {
		return 1
	}
	return h.did([]string{"", "OnFailure", "OnBranch", "OnReply"}[kind], n)
}

func (h *fakeHost) AppendBranch(uri []byte, q int) int {
	if h.quiet {
		return 1
	}
	if uri == nil {
		return h.did("AppendBranch", q)
	}
	return h.did("AppendBranch", string(uri), q)
}
func (h *fakeHost) ClearBranches() int { return h.did("ClearBranches") }
func (h *fakeHost) LoadContacts(mode int) int {
	if h.quiet {
		return 1
	}
	return h.did("LoadContacts", mode)
}
func (h *fakeHost) NextContacts() int { return h.did("NextContacts") }
func (h *fakeHost) RelayTo(dst RelayDst, flags RelayFlags) int {
	if h.quiet {
		return 1
	}
	proto, _ := transportName(dst.Proto)
	return h.did("RelayTo", dst.Set, string(proto), string(dst.Host), dst.Port, uint32(flags))
}
func (h *fakeHost) SetFr(frInv, fr time.Duration) int {
	if h.quiet {
		return 1
	}
	return h.did("SetFr", frInv, fr)
}
func (h *fakeHost) ResetFr() int { return h.did("ResetFr") }
func (h *fakeHost) DropReplies(how DropHow) int {
	if h.quiet {
		return 1
	}
	return h.did("DropReplies", uint8(how))
}
func (h *fakeHost) NextDst(setURI bool) int {
	if h.quiet {
		return 1
	}
	return h.did("NextDst", setURI)
}
func (h *fakeHost) MarkDst(state string) int {
	if h.quiet {
		return 1
	}
	return h.did("MarkDst", state)
}
func (h *fakeHost) ReplyStatus() int      { return h.status }
func (h *fakeHost) BranchIndex() int      { return h.branch }
func (h *fakeHost) Cancelled() bool       { return h.answers["Cancelled"] > 0 }
func (h *fakeHost) BranchTimedOut() bool  { return h.answers["BranchTimedOut"] > 0 }
func (h *fakeHost) BranchReplied() bool   { return h.answers["BranchReplied"] > 0 }
func (h *fakeHost) AnyTimeout() bool      { return h.answers["AnyTimeout"] > 0 }
func (h *fakeHost) AnyReplied() bool      { return h.answers["AnyReplied"] > 0 }
func (h *fakeHost) Flags() uint32         { return h.flags }
func (h *fakeHost) SetFlags(flags uint32) { h.flags = flags }

func (h *fakeHost) Log(level int, line []byte) {
	if !h.quiet {
		h.calls = append(h.calls, fmt.Sprintf("log %d %s", level, line))
	}
}

// request is a SIP request with all a script may ask for; kind is "METHOD uri", tag goes into To.
func request(kind, tag string) string {
	method, uri, _ := strings.Cut(kind, " ")
	if tag != "" {
		tag = ";tag=" + tag
	}
	return method + " " + uri + " SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:15998;branch=z9hG4bKabc\r\nMax-Forwards: 70\r\n" +
		"From: \"Alice A\" <sip:alice@a.example.com:5070>;tag=ft1\r\nTo: <sip:bob@b.example.com>" + tag + "\r\nCall-ID: cid-1@x\r\n" +
		"CSeq: 7 " + method + "\r\nUser-Agent: ua/1.0\r\nX-Foo: one\r\nX-Foo:  two \r\nContact: <sip:alice@127.0.0.1:15998>\r\n" +
		"Content-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody"
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
