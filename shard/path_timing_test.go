package shard

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"viaduct/netio"
	"viaduct/shard/balance"
	"viaduct/shard/modules"
	"viaduct/shard/route"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// caller plays both ends of calls through one worker without sockets, out of
// templates, so that what is measured and counted is the whole path from
// datagram to send queue and nothing else.
type caller struct {
	tb      testing.TB
	w       *worker
	arena   *shm.Arena
	now     int64
	n       int
	uac     netio.Addr
	uas     netio.Addr
	last    []byte // the last datagram queued
	buf     []byte
	packets struct{ in, out int }
}

func (c *caller) Begin(int, *netio.Addr, uint64) { c.last = c.last[:0]; c.packets.out++ }
func (c *caller) Append(b []byte)                { c.last = append(c.last, b...) }
func (c *caller) End()                           {}

func (c *caller) SetStreamOptions(txn.StreamOptions, []byte) {}
func (c *caller) Abandon()                                   {}

func (c *caller) Egress(*netio.Addr, int) int { return 0 }

func newCaller(tb testing.TB, config string) *caller { return newCallerWith(tb, config, 256<<20, 0) }

// newCallerWith is newCaller with an arena of that size and a log of that level.
func newCallerWith(tb testing.TB, config string, arenaBytes int64, logLevel int) *caller {
	tb.Helper()
	text, err := os.ReadFile("testdata/" + config)
	if err != nil {
		tb.Fatal(err)
	}
	program, settings, _, err := route.Load(config, text, route.Options{Modules: modules.All})
	if err != nil {
		tb.Fatal(err)
	}
	arena, err := shm.Create(shm.Config{Bytes: arenaBytes, Shards: 1, Layout: Layout(), Prefault: true})
	if err != nil {
		tb.Fatal(err)
	}
	targets, err := balance.Parse("targets",
		[]byte("1 sip:127.0.0.1:7000\n1 sip:127.0.0.1:7001\n1 sip:127.0.0.1:7002\n1 sip:127.0.0.1:7003\n"),
		balance.Config{}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	c := &caller{tb: tb, arena: arena, now: int64(time.Hour), buf: make([]byte, 0, 4096), last: make([]byte, 0, 4096)}
	c.uac, c.uas = netio.Addr{IP: [16]byte{127, 0, 0, 1}, Port: 6000, Family: 4},
		netio.Addr{IP: [16]byte{127, 0, 0, 1}, Port: 7000, Family: 4}
	me := netio.Addr{IP: [16]byte{127, 0, 0, 1}, Port: 5060, Family: 4}
	tb.Cleanup(c.close)
	sh := &shared{life: 0xabcdef, logger: slog.New(slog.DiscardHandler), lines: make(chan queuedLine, 256),
		listeners: []*netio.Listener{{Addr: me, SentBy: []byte("127.0.0.1:5060")}}}
	sh.logLevel.Store(int64(logLevel))
	sh.tables.Store(targets)
	c.w = &worker{shards: 1, arena: arena, shared: sh, program: program, clock: clock{time.Now(), c.now},
		batchAt: c.now}
	if err := program.Open(&route.State{Shards: 1, Arena: arena}); err != nil {
		tb.Fatal(err)
	}
	if err := c.w.assemble(c, c, settings, newRandom()); err != nil {
		tb.Fatal(err)
	}
	return c
}

// close gives back what the caller has outside the Go heap. It may be called twice.
func (c *caller) close() {
	if c.w != nil && c.w.tx != nil {
		c.w.tx.Close()
	}
	c.arena.Close()
}

const callSDP = "v=0\r\no=user1 53655765 2353687637 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n" +
	"m=audio 6000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n" +
	"a=rtpmap:101 telephone-event/8000\r\n"

var (
	tmplInvite = []byte("INVITE sip:service@127.0.0.1:7000 SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bK-00000000-1\r\n" +
		"From: caller <sip:caller@127.0.0.1:6000>;tag=00000000c\r\nTo: service <sip:service@127.0.0.1:5060>\r\n" +
		"Call-ID: 1-00000000@127.0.0.1\r\nCSeq: 1 INVITE\r\nContact: <sip:caller@127.0.0.1:6000>\r\n" +
		"Max-Forwards: 70\r\nSubject: Performance Test\r\nContent-Type: application/sdp\r\nContent-Length: " +
		fmt.Sprint(len(callSDP)) + "\r\n\r\n" + callSDP)
	tmplAck = []byte("ACK sip:service@127.0.0.1:7000 SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bK-00000000-2\r\nRoute: <sip:127.0.0.1:5060;lr>\r\n" +
		"From: caller <sip:caller@127.0.0.1:6000>;tag=00000000c\r\n" +
		"To: service <sip:service@127.0.0.1:5060>;tag=00000000s\r\nCall-ID: 1-00000000@127.0.0.1\r\nCSeq: 1 ACK\r\n" +
		"Contact: <sip:caller@127.0.0.1:6000>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n")
	tmplBye = []byte("BYE sip:service@127.0.0.1:7000 SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bK-00000000-3\r\nRoute: <sip:127.0.0.1:5060;lr>\r\n" +
		"From: caller <sip:caller@127.0.0.1:6000>;tag=00000000c\r\n" +
		"To: service <sip:service@127.0.0.1:5060>;tag=00000000s\r\nCall-ID: 1-00000000@127.0.0.1\r\nCSeq: 2 BYE\r\n" +
		"Contact: <sip:caller@127.0.0.1:6000>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n")
	tailReply = "Via: SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bK-00000000-%d\r\n" +
		"From: caller <sip:caller@127.0.0.1:6000>;tag=00000000c\r\n" +
		"To: service <sip:service@127.0.0.1:5060>;tag=00000000s\r\nCall-ID: 1-00000000@127.0.0.1\r\nCSeq: %s\r\n" +
		"Record-Route: <sip:127.0.0.1:5060;lr>\r\nContact: <sip:127.0.0.1:7000;transport=UDP>\r\n"
	tmpl180 = []byte(fmt.Sprintf(tailReply, 1, "1 INVITE") + "Content-Length: 0\r\n\r\n")
	tmpl200 = []byte(fmt.Sprintf(tailReply, 1, "1 INVITE") + "Content-Type: application/sdp\r\nContent-Length: " +
		fmt.Sprint(len(callSDP)) + "\r\n\r\n" + callSDP)
	tmplByeOK = []byte(fmt.Sprintf(tailReply, 3, "2 BYE") + "Content-Length: 0\r\n\r\n")
)

// number writes the call's number in the place of each "00000000".
func (c *caller) number(b []byte) {
	var d [8]byte
	for i, v := len(d)-1, c.n; i >= 0; i, v = i-1, v/10 {
		d[i] = byte('0' + v%10)
	}
	for {
		i := bytes.Index(b, []byte("00000000"))
		if i < 0 {
			return
		}
		copy(b[i:], d[:])
		b = b[i+8:]
	}
}

func (c *caller) arrive(from *netio.Addr) {
	c.packets.in++
	p := netio.Packet{Data: c.buf, Src: *from}
	c.w.datagram(&p)
	c.w.reclaim()
}

func (c *caller) request(tmpl []byte) {
	c.buf = append(c.buf[:0], tmpl...)
	c.number(c.buf)
	c.arrive(&c.uac)
}

// reply answers what was forwarded last.
func (c *caller) reply(status string, tmpl []byte) {
	via := c.last[bytes.Index(c.last, []byte("\r\n"))+2:]
	via = via[:bytes.Index(via, []byte("\r\n"))+2]
	c.buf = append(c.buf[:0], status...)
	c.buf = append(c.buf, via...)
	c.buf = append(c.buf, tmpl...)
	c.number(c.buf)
	c.arrive(&c.uas)
}

func (c *caller) expect(start string) {
	if !bytes.HasPrefix(c.last, []byte(start)) {
		c.tb.Fatalf("call %d: want %q to leave, got:\n%s\ndropped: %v", c.n, start, c.last,
			c.w.count[dropBase:refuseBase])
	}
}

// call is one call, six datagrams forwarded and one 100.
func (c *caller) call() {
	c.n = (c.n + 1) % 99999999
	c.now += 300_000 // 3,300 calls/s: 32 s of ended transactions stay around
	c.w.tx.SetNow(c.now)
	c.w.core.SetNow(c.now)
	c.request(tmplInvite)
	c.expect("INVITE ")
	c.reply("SIP/2.0 180 Ringing\r\n", tmpl180)
	c.expect("SIP/2.0 180")
	c.replyAgain("SIP/2.0 200 OK\r\n", tmpl200)
	c.expect("SIP/2.0 200")
	c.request(tmplAck)
	c.expect("ACK ")
	c.request(tmplBye)
	c.expect("BYE ")
	c.reply("SIP/2.0 200 OK\r\n", tmplByeOK)
	c.expect("SIP/2.0 200")
	c.w.tx.Expire(timersPerRound)
	c.w.reclaim()
}

// replyAgain answers with the Via of the reply before.
func (c *caller) replyAgain(status string, tmpl []byte) {
	via := c.buf[bytes.Index(c.buf, []byte("\r\n"))+2:]
	n := bytes.Index(via, []byte("\r\n")) + 2
	var keep [128]byte
	n = copy(keep[:], via[:n])
	c.buf = append(c.buf[:0], status...)
	c.buf = append(c.buf, keep[:n]...)
	c.buf = append(c.buf, tmpl...)
	c.number(c.buf)
	c.arrive(&c.uas)
}

// callConfigs are the files that calls are measured with: those of the benchmark, and below them
// those of its scenario language, as they stand there.
var callConfigs = []string{"lb.cfg", "stateful.cfg", "stateless.cfg",
	"../../bench/peers/stock.cfg", "../../bench/peers/sbc.cfg", "../../bench/peers/htable.cfg"}

// TestCallAllocatesNothing: the promise of the whole path, timers included, once
// buffers have grown to their size.
func TestCallAllocatesNothing(t *testing.T) {
	for _, config := range callConfigs {
		if raceDetector && strings.HasPrefix(config, "../../") {
			continue // their programs have patterns
		}
		c := newCaller(t, config)
		for range 2000 {
			c.call()
		}
		if n := testing.AllocsPerRun(2000, c.call); n != 0 {
			t.Errorf("%s: %.2f heap allocations per call, want none", config, n)
		}
		c.close()
	}
}

// BenchmarkCall is one call through parser, transactions, routing program and
// proxy: six datagrams in, seven out. The kernel's part is not in it.
func BenchmarkCall(b *testing.B) {
	for _, config := range callConfigs {
		b.Run(path.Base(config), func(b *testing.B) {
			c := newCaller(b, config)
			for range 1000 {
				c.call()
			}
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				c.call()
			}
		})
	}
}

// forkCall is a call whose first target is busy; a failure route sends it on to two others, the
// last of which answers, and the CANCEL of the other waits for its provisional.
func (c *caller) forkCall() {
	c.n = (c.n + 1) % 99999999
	c.now += 300_000
	c.w.tx.SetNow(c.now)
	c.w.core.SetNow(c.now)
	c.request(tmplInvite)
	c.expect("INVITE ")
	c.reply("SIP/2.0 486 Busy Here\r\n", tmpl180)
	c.expect("INVITE ")
	c.reply("SIP/2.0 180 Ringing\r\n", tmpl180)
	c.expect("SIP/2.0 180")
	c.replyAgain("SIP/2.0 200 OK\r\n", tmpl200)
	c.expect("SIP/2.0 200")
	c.w.tx.Expire(timersPerRound)
	c.w.reclaim()
}

// TestForkedCallAllocatesNothing: nor does a call with a saved request, a failure, a branch and a
// reply route.
func TestForkedCallAllocatesNothing(t *testing.T) {
	c := newCaller(t, "fork.cfg")
	for range 2000 {
		c.forkCall()
	}
	if n := testing.AllocsPerRun(2000, c.forkCall); n != 0 {
		t.Errorf("%.2f heap allocations per call, want none", n)
	}
}
