package shard

import (
	"bytes"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/tools/txtar"

	"viaduct/netio"
	"viaduct/netio/stream"
	"viaduct/shard/balance"
	"viaduct/shard/blocklist"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// Call flows are text: testdata/flows/*.txtar, one story each. A flow runs one
// shard without sockets on a clock of its own. Its steps are the archive's files:
//
//	names                           what names lead to, "NAME ADDRESS…" a line; each is unknown
//	                                until it was asked for and resolved; a name alone: its servers
//	                                do not answer
//	resolved                        the resolver's answers arrive
//	list ADDRESS                    the destination blocklist has it from now on
//	broken ADDRESS [written]        the last message sent to ADDRESS over a stream could not be
//	                                delivered, or its connection broke once it had taken it
//	config                          the routing program (default: lb.cfg); targets: the dispatcher
//	                                list
//	in FROM                         a datagram arrives from that address
//	answer FROM STATUS PHRASE       the end at FROM answers the last request sent to it; the body is
//	                                further header lines
//	answer FROM STATUS PHRASE to M  the same for the last request of method M
//	wait DURATION                   time passes; timers fire when due
//	asked TEXT                      a run asked that, with ask() of the module flowask (see
//	                                asked_test.go)
//	answered N [TEXT]               the oldest question is answered
//	restart                         the process is killed and another attaches its arena; the body,
//	                                if there is one, is its routing program
//	reload                          the routing program is replaced by the one that follows;
//	                                transactions keep theirs
//	anew                            the process is killed and another begins, with an arena of its
//	                                own
//	icmp ADDRESS                    the last datagram sent to ADDRESS comes back as port unreachable
//	out TO [noconnect] [close] [+TIME]  what must leave next, what it asks of its stream, and when
//	                                    since the last step that was no out
//	logged                          the lines that the program has logged since the last such step;
//	                                a timestamp is written T
//	silence                         nothing left since (written by hand where it is the point)
//
// Branches of ours are written {B1}, {B2}… in the order they appear, in both
// directions, and From tags of ours {tag}. With -update the out and logged steps are written anew: review
// the diff.
var update = flag.Bool("update", false, "rewrite the out and logged steps of testdata/flows")

// flowListBytes is the size of the destination blocklist, which each new flow clears and each restart
// walks: room for 255 entries.
const flowListBytes = 16 << 10

const flowStart = int64(1000 * time.Second)

// flow is a running story.
type flow struct {
	t        testing.TB
	w        *worker
	sent     []sentDatagram // not yet taken by an out step
	lastTo   map[string][]byte
	branches []string // by number - 1
	stepAt   int64
	now      int64
	rnd      uint64
	settings *route.Settings
	first    *generation // before the first reload; nil: there was none

	// called wherever package contain_test injects faults; nil: nowhere
	point    func()
	refuse   func(sentDatagram) unix.Errno // what becomes of a datagram; 0, or nil: it leaves
	failures []netio.SendFailure           // not yet told
	equip    func()                        // called with each new worker, restarts included
	all      []sentDatagram                // everything that left
	arrived  [][]byte                      // everything that was received
	names    *flowNames
	service  *flowService
	lenient  bool              // what is asked need not be what the flow says
	open     bool              // a datagram was begun
	options  txn.StreamOptions // of the next one
	conns    *flowConns
	faulty   bool          // panics are the test's own
	timeless bool          // out steps are compared without their times
	held     []heldSegment // queued by reference in this batch
	arenas   []*shm.Arena  // of all processes: what was opened in one may be used after a restart
	counting bool          // what leaves is only counted
	counted  int           // how many messages, while counting
}

// heldSegment is bytes that must stay as they are until the batch is flushed, and what they were.
type heldSegment struct{ at, was []byte }

type sentDatagram struct {
	to        string
	by        int               // the listener
	options   txn.StreamOptions // of its stream
	at        int64
	bytes     []byte
	token     uint64
	stateless bool // a response of ours to a request without a transaction
}

// flow is the worker's Sender and Egress.
func (f *flow) Begin(listener int, to *netio.Addr, token uint64) {
	if f.counting {
		return
	}
	f.inject()
	if f.open {
		f.t.Error("a datagram begins before the end of another")
	}
	f.open = true
	if f.w.shared.listeners[listener].Proto != to.Proto {
		f.t.Errorf("to %s by %s leaves by a listener of %s", to, to.Proto, f.w.shared.listeners[listener].Proto)
	}
	f.sent = append(f.sent, sentDatagram{to: written(to), by: listener, at: f.now, token: token, options: f.options})
	f.options = 0
}

// Abandon forgets the datagram that was begun, as netio.Port does.
func (f *flow) Abandon() {
	if f.open {
		f.open, f.sent = false, f.sent[:len(f.sent)-1]
	}
	f.options = 0
}

// SetStreamOptions is for the datagram begun next.
func (f *flow) SetStreamOptions(o txn.StreamOptions, _ []byte) { f.options = o }

// written is an address as the steps have it: "tcp:" and its like in front of one that is not
// UDP's.
func written(a *netio.Addr) string {
	if a.Proto == netio.UDP {
		return a.String()
	}
	return strings.ToLower(a.Proto.String()) + ":" + a.String()
}

// read is the way back.
func read(text string) (netio.Addr, error) {
	var proto netio.Proto
	for p := netio.TCP; p <= netio.WSS; p++ {
		if rest, ok := strings.CutPrefix(text, strings.ToLower(p.String())+":"); ok {
			text, proto = rest, p
		}
	}
	ap, err := netip.ParseAddrPort(text)
	a := netio.AddrFrom(ap)
	a.Proto = proto
	return a, err
}

// flowNames is the flow's Resolver: a name is unknown until it was asked for and the answers came.
type flowNames struct {
	known   map[string][]proxy.Endpoint
	asked   map[string]bool // answered already
	waiting []func()
	names   []string
}

func (n *flowNames) Lookup(q *proxy.NameQuery, out []proxy.Endpoint) (int, proxy.Answer) {
	name := strings.ToLower(string(q.Host))
	switch list, known := n.known[name]; {
	case !n.asked[name]:
		return 0, proxy.Unknown
	case !known:
		return 0, proxy.Nowhere
	case len(list) == 0:
		return 0, proxy.Failed
	default:
		return copy(out, list), proxy.Resolved
	}
}

func (n *flowNames) Ask(q *proxy.NameQuery, done func()) bool {
	n.names = append(n.names, strings.ToLower(string(q.Host)))
	n.waiting = append(n.waiting, done)
	return true
}

// resolve lets the answers to all questions arrive.
func (f *flow) resolve() {
	n := f.names
	for _, name := range n.names {
		n.asked[name] = true
	}
	waiting := n.waiting
	n.names, n.waiting = nil, nil
	for _, done := range waiting {
		done()
	}
	for f.w.takeMail() > 0 {
		f.endBatch()
	}
}

// inject is called at each point where a fault may be put.
func (f *flow) inject() {
	if f.point != nil {
		f.point()
	}
}
func (f *flow) Append(b []byte) {
	if f.counting {
		return
	}
	f.inject()
	d := &f.sent[len(f.sent)-1]
	d.bytes = append(d.bytes, b...)
	f.held = append(f.held, heldSegment{b, bytes.Clone(b)})
}
func (f *flow) End() {
	if f.counting {
		f.counted++
		return
	}
	f.inject()
	f.open = false
	d := f.sent[len(f.sent)-1]
	d.stateless = (f.w.step == stepRequest || f.w.step == stepDecide) && f.w.core.Request.Tx == nil
	if f.refuse != nil {
		if errno := f.refuse(d); errno != 0 {
			f.sent = f.sent[:len(f.sent)-1]
			f.failures = append(f.failures, netio.SendFailure{Token: d.token, Errno: errno})
			return
		}
	}
	f.all = append(f.all, d)
	f.lastTo[d.to] = d.bytes
	method, _, _ := strings.Cut(string(d.bytes), " ")
	f.lastTo[d.to+" "+method] = d.bytes
}
func (f *flow) Egress(to *netio.Addr, by int) int {
	fits := func(l *netio.Listener) bool { return l.Addr.Family == to.Family && l.Proto == to.Proto }
	if by >= 0 && fits(f.w.shared.listeners[by]) {
		return by
	}
	for i, l := range f.w.shared.listeners {
		if fits(l) {
			return i
		}
	}
	return -1
}

// newFlow makes a worker on its own clock, with room for arenaBytes.
func newFlow(t testing.TB, config, targets string, arenaBytes int64) *flow {
	t.Helper()
	return newNamedFlow(t, config, targets, nil, arenaBytes)
}

// newNamedFlow is newFlow with a resolver that knows names; nil: without one.
func newNamedFlow(t testing.TB, config, targets string, names map[string][]proxy.Endpoint, arenaBytes int64) *flow {
	t.Helper()
	service := &flowService{}
	program, settings := loadFlow(t, config, service)
	arena, err := shm.Create(shm.Config{Bytes: arenaBytes, Shards: 1, Layout: Layout()})
	if err != nil {
		t.Fatal(err)
	}
	f := &flow{t: t, lastTo: map[string][]byte{}, now: flowStart, stepAt: flowStart, settings: settings,
		service: service, arenas: []*shm.Arena{arena}}
	t.Cleanup(f.close)
	f.names = &flowNames{known: names, asked: map[string]bool{}}
	sh := &shared{logger: slog.New(slog.DiscardHandler), lines: make(chan queuedLine, 64), random: f.random}
	for i, l := range settings.Core.Listen {
		ap, ok := l.Addr(5060)
		if !ok {
			t.Fatalf("listen %q is no address", l.Host)
		}
		a := netio.AddrFrom(ap)
		proto := l.Transport
		sentBy := a.String()
		if l.AdvertiseHost != "" {
			sentBy = l.AdvertiseHost
			if l.AdvertisePort != 0 {
				sentBy += ":" + strconv.Itoa(int(l.AdvertisePort))
			}
		}
		sh.listeners = append(sh.listeners, &netio.Listener{
			Index: i, Proto: proto, Addr: a, SentBy: []byte(sentBy), AdvertiseHost: l.AdvertiseHost,
			AdvertisePort: l.AdvertisePort, Name: l.Name,
		})
	}
	if names != nil {
		sh.resolver = f.names
	}
	if targets != "" {
		tb, err := parseTargets(targets)
		if err != nil {
			t.Fatal(err)
		}
		sh.tables.Store(tb)
	}
	cfg := blocklist.DefaultConfig()
	cfg.Init, cfg.MemBytes = true, flowListBytes
	if sh.list, err = blocklist.New(arena, cfg); err != nil {
		t.Fatal(err)
	}
	f.w = &worker{
		shards: 1, arena: arena, doorbell: arena.Doorbell(0), shared: sh, program: program,
		clock: clock{time.Now(), flowStart}, batchAt: f.now,
	}
	f.openProgram()
	if err := f.w.assemble(f, f, settings, f.random); err != nil {
		t.Fatal(err)
	}
	f.conns = &flowConns{ids: map[netio.Addr]uint64{}}
	f.connect()
	f.tell()
	return f
}

// close gives back what the flow has outside the Go heap. It may be called twice.
func (f *flow) close() {
	if f.w != nil && f.w.tx != nil {
		f.forget()
	}
	for _, arena := range f.arenas {
		if err := arena.Close(); err != nil {
			f.t.Error(err)
		}
	}
	f.arenas = nil
}

// forget ends the transaction table of a worker that another follows.
func (f *flow) forget() {
	if err := f.w.tx.Close(); err != nil {
		f.t.Error(err)
	}
}

// parseTargets reads a dispatcher list. No name in it is resolved at load.
func parseTargets(text string) (*balance.Table, error) {
	return balance.Parse("targets", []byte(text), balance.Config{Resolver: func(host string) ([]netip.Addr, error) {
		return nil, fmt.Errorf("no flow resolves %s at load", host)
	}}, nil)
}

// list puts addresses on the destination blocklist, for ever.
func (f *flow) list(addresses ...string) {
	f.t.Helper()
	if err := f.w.shared.list.Enable(true); err != nil {
		f.t.Fatal(err)
	}
	for _, text := range addresses {
		a, err := read(text)
		if err != nil {
			f.t.Fatalf("listed: %v", err)
		}
		proto := a.Proto
		a.Proto = 0
		f.w.shared.list.AddWaiting(proto, &a, blocklist.Cause{Reasons: blocklist.Permanent, Owner: "test"}, f.now/1e6)
	}
}

// openProgram readies the program for the arena.
func (f *flow) openProgram() {
	f.t.Helper()
	if err := f.w.program.Open(&route.State{Shards: 1, Arena: f.w.arena}); err != nil {
		f.t.Fatal(err)
	}
}

// connect lets the worker ask for connections.
func (f *flow) connect() {
	f.w.conns, f.w.aliases = f.conns, f.settings.Stream.AcceptAliases
	f.w.ctx.Shard.Conns = f.conns
}

// restart does what a new process does with the arena of one that was killed: it
// attaches, recovers, and rebuilds what is not kept.
func (f *flow) restart(config string) {
	f.t.Helper()
	program := f.w.program
	if config != "" {
		f.first = &generation{program: program, settings: f.settings}
		program, f.settings = loadFlow(f.t, config, f.service)
	}
	f.service.asked, f.service.checked = nil, 0 // those questions died with their process
	fd, err := unix.Dup(int(f.w.arena.File().Fd()))
	if err != nil {
		f.t.Fatal(err)
	}
	arena, err := shm.AttachFile(os.NewFile(uintptr(fd), "arena"), Layout())
	if err != nil {
		f.t.Fatal(err)
	}
	f.arenas = append(f.arenas, arena)
	if _, err := arena.Recover(func(owner, part shm.Off) bool { return txn.Holds(arena, owner, part) }); err != nil {
		f.t.Fatal(err)
	}
	held := f.w.tx.Held()
	f.forget()
	f.w = &worker{
		shards: 1, arena: arena, doorbell: arena.Doorbell(0), shared: f.w.shared, program: program, clock: f.w.clock,
		batchAt: f.now,
	}
	f.openProgram()
	if err := f.w.assemble(f, f, f.settings, f.random); err != nil {
		f.t.Fatal(err)
	}
	f.connect()
	f.tell()
	if f.equip != nil {
		f.equip()
	}
	if n := f.w.tx.Rebuild(); n != held {
		f.t.Errorf("%d transactions were taken over, want %d", n, held)
	}
	f.names.waiting, f.names.names = nil, nil // those questions died with their process
	f.w.core.Recover()
	f.w.core.AskAgain()
	f.endBatch()
}

// reload does what a shard does with the generation that Server.Reload makes of a configuration.
func (f *flow) reload(config string) {
	f.t.Helper()
	program, settings := loadFlow(f.t, config, f.service)
	if err := program.Open(&route.State{Shards: 1, Arena: f.w.arena}); err != nil {
		f.t.Fatalf("reload: %v", err)
	}
	if f.first == nil {
		f.first = &generation{program: f.w.program, settings: f.settings}
	}
	f.put(program, settings, append(slices.Clip(f.w.kept), f.w.program))
}

// put makes a generation the one of the worker.
func (f *flow) put(program *route.Program, settings *route.Settings, kept []*route.Program) {
	g := &generation{serial: f.w.taken.Load() + 1, program: program, settings: settings, kept: kept}
	f.settings = settings
	f.w.shared.gen.Store(g)
	f.w.take(g)
	f.connect()
}

// anew does what a process does that knows nothing of the one before.
func (f *flow) anew() {
	f.t.Helper()
	arena, err := shm.Create(shm.Config{Bytes: int64(f.w.arena.TotalBytes()), Shards: 1, Layout: Layout()})
	if err != nil {
		f.t.Fatal(err)
	}
	f.arenas = append(f.arenas, arena)
	f.forget()
	f.w.shared.life++
	f.w = &worker{
		shards: 1, arena: arena, doorbell: arena.Doorbell(0), shared: f.w.shared, program: f.w.program,
		clock: f.w.clock, batchAt: f.now,
	}
	f.openProgram()
	if err := f.w.assemble(f, f, f.settings, f.random); err != nil {
		f.t.Fatal(err)
	}
	f.connect()
	f.tell()
	if f.equip != nil {
		f.equip()
	}
	f.names.waiting, f.names.names = nil, nil
}

func (f *flow) random() uint64 {
	f.inject()
	f.rnd++
	return f.rnd * 0x9e3779b97f4a7c15
}

func (f *flow) tell() {
	f.w.tx.SetNow(f.now)
	f.w.core.SetNow(f.now)
}

// receive lets a datagram arrive and ends the batch.
func (f *flow) receive(from string, b []byte) {
	src, err := read(from)
	if err != nil {
		f.t.Fatalf("address %q: %v", from, err)
	}
	f.arrived = append(f.arrived, b)
	listener := uint16(0)
	for i, l := range f.w.shared.listeners {
		if l.Addr.Family == src.Family && l.Proto == src.Proto {
			listener = uint16(i)
			break
		}
	}
	p := &netio.Packet{Data: b, Src: src, Listener: listener}
	if src.Proto.Reliable() {
		f.w.streamed(p, f.conns.arrive(&src), stream.Whole)
	} else {
		f.w.datagram(p)
	}
	f.endBatch()
	f.takeMail()
}

// takeMail handles what the shard was told, by itself or by others.
func (f *flow) takeMail() {
	for f.w.takeMail() > 0 {
		f.endBatch()
	}
}

// wait lets time pass, millisecond by millisecond while timers are due.
func (f *flow) wait(d time.Duration) {
	end := f.now + int64(d)
	for f.now < end {
		next := end
		if due, ok := f.w.tx.NextDue(); ok {
			next = min(next, max(due, f.now+1))
		}
		next = min(next, max(f.w.asks.due, f.now+1))
		f.now = next
		f.tell()
		for again := true; again; again = f.w.timersLeft {
			f.w.expire()
		}
		f.w.expireParked(f.now)
		f.endBatch()
	}
}

// endBatch does what flush does behind the sockets, and what was left for later.
func (f *flow) endBatch() {
	f.w.doPosted()
	for range sendRounds {
		failures := f.failures
		f.failures = nil
		if !f.w.sendsFailed(failures) {
			break
		}
	}
	for _, h := range f.held {
		if !bytes.Equal(h.at, h.was) {
			f.t.Errorf("queued bytes changed before they were flushed: %q, now %q", h.was, h.at)
		}
	}
	f.held = f.held[:0]
	f.w.reclaim()
}

// unreachable gives an ICMP error for the last datagram sent to an address.
func (f *flow) unreachable(to string) {
	b := f.lastTo[to]
	if b == nil {
		f.t.Fatalf("icmp: nothing was sent to %s", to)
	}
	f.w.notDelivered(b[:min(len(b), 520)])
	f.endBatch()
}

var ourBranch = regexp.MustCompile(`z9hG4bKt[0-9a-f]{44}`)

// ourTag is the From tag of a request that is made here.
var ourTag = regexp.MustCompile(`;tag=[0-9a-f]{16}\b`)

// name writes our branches as {B1}, {B2}…, and the tags of requests made here as {tag}.
func (f *flow) name(b []byte) string {
	text := ourTag.ReplaceAllString(strings.ReplaceAll(string(b), "\r\n", "\n"), ";tag={tag}")
	return ourBranch.ReplaceAllStringFunc(text, func(s string) string {
		for i, known := range f.branches {
			if known == s {
				return fmt.Sprintf("{B%d}", i+1)
			}
		}
		f.branches = append(f.branches, s)
		return fmt.Sprintf("{B%d}", len(f.branches))
	})
}

// unname is the way back, with the wire's line ends.
func (f *flow) unname(text string) []byte {
	for i, s := range f.branches {
		text = strings.ReplaceAll(text, fmt.Sprintf("{B%d}", i+1), s)
	}
	if strings.Contains(text, "{B") {
		f.t.Fatalf("a branch is used before it was sent:\n%s", text)
	}
	return []byte(strings.ReplaceAll(text, "\n", "\r\n"))
}

// answerTo makes a response to a request as a user agent would.
func answerTo(req []byte, status, tag, more string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "SIP/2.0 %s\r\n", status)
	for _, line := range strings.Split(string(req), "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		switch strings.ToLower(name) {
		case "via", "v", "from", "f", "call-id", "i", "cseq", "record-route":
			b.WriteString(line + "\r\n")
		case "to", "t":
			if !strings.Contains(line, "tag=") && !strings.HasPrefix(status, "100") {
				line += ";tag=" + tag
			}
			b.WriteString(line + "\r\n")
		}
	}
	b.WriteString(strings.ReplaceAll(more, "\n", "\r\n") + "Content-Length: 0\r\n\r\n")
	return b.Bytes()
}

// step runs one step that is no out.
func (f *flow) step(name, body string) {
	words := strings.Fields(name)
	f.stepAt = f.now
	switch words[0] {
	case "in":
		f.receive(words[1], f.unname(body))
	case "answer":
		key := words[1]
		if n := len(words); words[n-2] == "to" {
			key, words = key+" "+words[n-1], words[:n-2]
		}
		req := f.lastTo[key]
		if req == nil {
			f.t.Fatalf("%s: nothing was sent there", name)
		}
		f.receive(words[1], answerTo(req, strings.Join(words[2:], " "), "uas"+words[1][len(words[1])-1:], body))
	case "wait":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			f.t.Fatal(err)
		}
		f.wait(d)
	case "icmp":
		f.unreachable(words[1])
	case "resolved":
		f.resolve()
	case "asked":
		f.wasAsked(strings.Join(words[1:], " "))
	case "answered":
		f.answered(words[1:])
	case "broken":
		for i := len(f.all) - 1; ; i-- {
			if i < 0 {
				f.t.Fatalf("%s: nothing was sent there", name)
			}
			if f.all[i].to == words[1] && f.all[i].token != 0 {
				f.w.streamsFailed([]streamFailure{{Token: f.all[i].token, Written: len(words) > 2}})
				f.endBatch()
				break
			}
		}
	case "restart":
		f.restart(body)
	case "anew":
		f.anew()
	case "reload":
		f.reload(body)
	case "list":
		f.list(words[1])
	default:
		f.t.Fatalf("no such step: %q", name)
	}
}

// next takes the oldest datagram sent, as an out step; ok is false if there is
// none.
func (f *flow) next() (name, body string, ok bool) {
	if len(f.sent) == 0 {
		return "", "", false
	}
	d := f.sent[0]
	f.sent = f.sent[1:]
	name = "out " + d.to
	if d.options&txn.NoConnect != 0 {
		name += " noconnect"
	}
	if d.options&txn.CloseAfter != 0 {
		name += " close"
	}
	if late := time.Duration(d.at - f.stepAt).Round(10 * time.Millisecond); late > 0 && !f.timeless {
		name += " +" + late.String()
	}
	return name, f.name(d.bytes), true
}

func TestFlows(t *testing.T) {
	files, err := filepath.Glob("testdata/flows/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no flows: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			f, out := runFlow(t, a, -1, true)
			f.endsClean()
			if *update {
				if err := os.WriteFile(file, txtar.Format(out), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestFlowsWithoutRoom runs each flow again and again, the arena refusing the
// first slot asked for, then the second, and so on until none is refused: no
// panic, no leak, whatever is missing.
func TestFlowsWithoutRoom(t *testing.T) {
	files, _ := filepath.Glob("testdata/flows/*.txtar")
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			anew := slices.ContainsFunc(a.Files, func(s txtar.File) bool { return s.Name == "anew" })
			f := newStory(t, a)
			for n := 0; ; n++ {
				if n > 0 && anew { // what a process owed ended with it
					f.close()
					f = newStory(t, a)
				} else if n > 0 {
					f.again(a)
				}
				f.w.slab.Refuse(n)
				f.w.count[txn.CountArenaFull] = 0
				f.play(a, false)
				full := f.w.count[txn.CountArenaFull]
				f.endsClean()
				if full == 0 {
					break
				}
				if n > 200 {
					t.Fatal("the flow never runs out of slots to refuse")
				}
			}
		})
	}
}

// runFlow runs a story. With compare its out steps must match; the archive
// returned has those that left. refuse is the slot the arena refuses, -1: none.
func runFlow(t *testing.T, a *txtar.Archive, refuse int, compare bool) (*flow, *txtar.Archive) {
	f := newStory(t, a)
	f.w.slab.Refuse(refuse)
	return f, f.play(a, compare)
}

// newStory is the flow of a story before its first step.
func newStory(t *testing.T, a *txtar.Archive) *flow {
	config, targets, names := flowFiles(t, a)
	return newNamedFlow(t, config, targets, names, storyBytes)
}

// storyBytes is the arena of a story: room for the tables of modules that some have. The larger it
// is, the larger the index of transactions, which is made anew with each restart.
const storyBytes = 10 << 20

func (f *flow) knows(text string) bool {
	for i := range f.branches {
		text = strings.ReplaceAll(text, fmt.Sprintf("{B%d}", i+1), "")
	}
	return !strings.Contains(text, "{B")
}

// endsClean lets every timer run out and checks that nothing is left.
func (f *flow) endsClean() {
	f.t.Helper()
	f.wait(2000 * time.Second)
	if n := f.w.tx.Held(); n != 0 {
		f.t.Errorf("%d transactions are left", n)
	}
	if n := f.w.tx.Unanswered(); n != 0 {
		f.t.Errorf("%d transactions are counted as unanswered", n)
	}
	if list := f.w.tx.Programs(0); len(list) != 0 {
		f.t.Errorf("programs %x are counted as needed", list)
	}
	f.unasked()
	if n := f.w.slab.UsedBytes(); n != 0 {
		f.w.slab.Walk(func(off shm.Off, h *shm.Header) bool {
			f.t.Errorf("left in the arena: slot %#x, kind %#x, owner %#x", off, h.Kind, h.Owner)
			return true
		})
		f.t.Errorf("%d bytes of the arena are left", n)
	}
	if n := f.w.count[CountPanics]; n != 0 && !f.faulty {
		f.t.Errorf("%d panics", n)
	}
}

// readDefault reads the default configuration once, for all the variants of all flows.
var readDefault = sync.OnceValues(func() ([]byte, error) { return os.ReadFile("testdata/lb.cfg") })

func defaultConfig(t testing.TB) string {
	b, err := readDefault()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const defaultTargets = "1 sip:127.0.0.1:7000\n1 sip:127.0.0.1:7001\n"
