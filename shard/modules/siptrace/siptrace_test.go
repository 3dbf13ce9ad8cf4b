package siptrace

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/modules/moduletest"
	"viaduct/shard/route"
)

func addr(s string) *netio.Addr {
	a := netio.AddrFrom(netip.MustParseAddrPort(s))
	return &a
}

// TestHEP: packets byte for byte. Those over IPv4 are what Kamailio 5.6.3 sends.
func TestHEP(t *testing.T) {
	const at = 1796134204_640127_000 // ns
	tls := *addr("[2001:db8::1]:5061")
	tls.Proto = netio.TLS
	f := func(h hep, x packet, want string) {
		t.Helper()
		x.at = at
		got := hex.EncodeToString(h.append(nil, &x))
		if want = strings.ReplaceAll(want, " ", ""); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	four := packet{from: addr("127.0.0.1:5071"), to: addr("127.0.0.1:5060"), kind: kindSIP,
		text: []byte("INVITE")}
	f(hep{version: 1}, four, "01 10 02 11 13cf 13c4 7f000001 7f000001 494e56495445")
	f(hep{version: 2, capture: 1}, four,
		"02 10 02 11 13cf 13c4 7f000001 7f000001 3cd50e6b 7fc40900 0100 0000 494e56495445")
	six := packet{from: &tls, to: addr("[2001:db8::2]:5061"), kind: kindSIP, text: []byte("A")}
	f(hep{version: 1}, six, "01 28 0a 06 13c5 13c5 20010db8000000000000000000000001 "+
		"20010db8000000000000000000000002 41")
	f(hep{version: 3, capture: 234}, four, "48455033 0069 0000 0001 0007 02 0000 0002 0007 11 "+
		"0000 0003 000a 7f000001 0000 0004 000a 7f000001 0000 0007 0008 13cf 0000 0008 0008 13c4 "+
		"0000 0009 000a 6b0ed53c 0000 000a 000a 0009c47f 0000 000b 0007 01 0000 000c 000a 000000ea "+
		"0000 000f 000c 494e56495445")
	four.kind, four.correlation = kindLog, []byte("id")
	f(hep{version: 3, key: []byte("pw")}, four, "48455033 0079 0000 0001 0007 02 0000 0002 0007 11 "+
		"0000 0003 000a 7f000001 0000 0004 000a 7f000001 0000 0007 0008 13cf 0000 0008 0008 13c4 "+
		"0000 0009 000a 6b0ed53c 0000 000a 000a 0009c47f 0000 000b 0007 64 0000 000c 000a 00000000 "+
		"0000 0011 0008 6964 0000 000e 0008 7077 0000 000f 000c 494e56495445")

	long := packet{from: addr("127.0.0.1:1"), to: addr("127.0.0.1:2"), text: make([]byte, 1<<17),
		correlation: make([]byte, 1000)}
	for v := 1; v <= 3; v++ {
		h := hep{version: v}
		if n := len(h.append(nil, &long)); n != maxPacket {
			t.Errorf("HEP %d of a long text has %d bytes", v, n)
		}
	}
}

// text is a message of a call.
func text(first, callID string, cseq int, method string) []byte {
	return fmt.Appendf(nil, "%s\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n"+
		"To: <sip:b@h>\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContent-Length: 0\r\n\r\n", first, callID, cseq,
		method)
}

// TestWatch: what belongs to a transaction and to a dialog, and for how long.
func TestWatch(t *testing.T) {
	w := newWatch(0)
	now := int64(0)
	add := func(b []byte, x watched) {
		t.Helper()
		var m parser.Message
		if r := m.Parse(b); r != parser.OK {
			t.Fatal(r)
		}
		if !w.add(&m, x, now) {
			t.Error("no room")
		}
	}
	f := func(now int64, first, callID string, cseq int, method string, want bool) {
		t.Helper()
		if _, got := w.find(text(first, callID, cseq, method), now); got != want {
			t.Errorf("%s of %s is watched: %v", first, callID, got)
		}
	}
	const invite, ack, ok = "INVITE sip:b@h SIP/2.0", "ACK sip:b@h SIP/2.0", "SIP/2.0 200 OK"
	f(0, invite, "tx", 1, "INVITE", false)
	add(text(invite, "tx", 1, "INVITE"), watched{})
	f(1, "SIP/2.0 180 Ringing", "tx", 1, "INVITE", true)
	f(1, "CANCEL sip:b@h SIP/2.0", "tx", 1, "CANCEL", true)
	f(1, ack, "tx", 1, "ACK", true) // of a failure
	f(1, "BYE sip:b@h SIP/2.0", "tx", 2, "BYE", false)
	f(1, invite, "other", 1, "INVITE", false)
	f(2, ok, "tx", 1, "INVITE", true)
	f(2, ack, "tx", 1, "ACK", false)
	f(2, "nonsense", "tx", 1, "INVITE", false)
	add(text(invite, "all", 1, "INVITE"), watched{dialog: true})
	f(3, ok, "all", 1, "INVITE", true)
	f(3, ack, "all", 1, "ACK", true)
	f(3, "BYE sip:b@h SIP/2.0", "all", 2, "BYE", true)
	f(3+txIdleMs+1, ok, "tx", 1, "INVITE", false)
	f(4+txIdleMs, ok, "all", 2, "BYE", true)
	f(5+txIdleMs+dialogIdleMs, ok, "all", 2, "BYE", false)

	now = 10 + txIdleMs + dialogIdleMs
	for i := range maxWatched {
		add(text(invite, fmt.Sprint(i), 1, "INVITE"), watched{})
	}
	var m parser.Message
	m.Parse(text(invite, "one too many", 1, "INVITE"))
	if w.add(&m, watched{}, now+1) {
		t.Error("there is room for one too many")
	}
	if !w.add(&m, watched{}, now+2*txIdleMs) {
		t.Error("what is idle keeps its room")
	}
}

func TestMistakes(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "siptrace", Define: Define})
	f := func(param, value, want string) {
		t.Helper()
		b.Head = `modparam("siptrace", "` + param + `", ` + value + ")"
		b.Fails("exit;", want)
	}
	f("duplicate_uri", `"nonsense"`,
		`siptrace.duplicate_uri is no SIP URI: write one such as "sip:192.0.2.1:9060"`)
	f("hep_version", "4", "siptrace.hep_version is 4; the range is 1..3")
	f("trace_flag", "33", "siptrace.trace_flag is 33; the range is 0..31")
	b.Head = ""
	b.Fails(`sip_trace("sip:192.0.2.1", "x", "q");`, `sip_trace: the mode is m, t or d, not "q"`)
}

// TestOff: nothing is traced while tracing is off, and there must be a collector.
func TestOff(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "siptrace", Define: Define})
	f := func(head, call, want string) {
		t.Helper()
		b.Head = head
		if got := b.Value("$var(r) = "+call+";", "$var(r)"); got != want {
			t.Errorf("%s: %s gives %s", head, call, got)
		}
	}
	const on, to = `modparam("siptrace", "trace_on", 1)`,
		`modparam("siptrace", "duplicate_uri", "sip:127.0.0.1:9")`
	f(to, `sip_trace()`, "-1")
	f(on, `sip_trace()`, "-1")
	f(on, `sip_trace("sip:collector.example.com")`, "-1")
	f(on+to, `sip_trace("nonsense")`, "-1")
	f(on+to, `hlog("x")`, "-1")
	f(on+to, `sip_trace_mode("x")`, "-1")
	f(on+to, `sip_trace()`, "1")
	f(on, `sip_trace("sip:127.0.0.1:9", "id", "t")`, "1")
	f(on+to+`modparam("siptrace", "hep_version", 3)`, `hlog("x", "y")`, "1")
}

// TestNothingAllocated: a copy costs no allocation.
func TestNothingAllocated(t *testing.T) {
	h, x := hep{version: 3}, packet{from: addr("127.0.0.1:5071"), to: addr("127.0.0.1:5060"),
		text: bytes.Repeat([]byte("x"), 800)}
	out := make([]byte, 0, maxPacket)
	s, err := netio.OpenCopies(netip.MustParseAddrPort("0.0.0.0:0"))
	if err != nil {
		t.Fatal(err)
	}
	to := netio.NewCopyTo(netip.MustParseAddrPort("127.0.0.1:9"))
	if n := testing.AllocsPerRun(100, func() { s.Send(to, h.append(out, &x)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
