package shard

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"viaduct/netio"
	"viaduct/shard/proxy"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// streamConfig is stateful.cfg with these listeners.
func streamConfig(t *testing.T, listens string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/stateful.cfg")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(string(b), "listen=udp:127.0.0.1:5060\ndisable_tcp=yes\n", listens, 1)
}

// over makes a test's request one that came by another transport.
func over(proto string, b []byte) []byte {
	return bytes.Replace(b, []byte("SIP/2.0/UDP "), []byte("SIP/2.0/"+proto+" "), 1)
}

// TestNothingLingersOverTCP: Timers D, I, J and K are zero over a reliable transport (RFC 3261
// §17.1.1.2, §17.1.2.2, §17.2.1, §17.2.2): what is over is gone.
func TestNothingLingersOverTCP(t *testing.T) {
	f := newFlow(t, streamConfig(t, "listen=tcp:127.0.0.1:5060\n"), "", 16<<20)
	const caller, callee = "tcp:127.0.0.1:6000", "tcp:127.0.0.1:7000"
	gone := func(what string) {
		t.Helper()
		f.wait(50 * time.Millisecond)
		if n := f.w.tx.Held(); n != 0 {
			t.Errorf("%s: %d transactions are held", what, n)
		}
		if n := f.w.slab.UsedBytes(); n != 0 {
			t.Errorf("%s: %d bytes of the arena are in use", what, n)
		}
	}
	f.receive(caller, over("TCP", request("OPTIONS", "sip:bob@127.0.0.1:7000;transport=tcp", "c1", "1")))
	f.receive(callee, answerTo(f.lastTo[callee+" OPTIONS"], "200 OK", "b", ""))
	gone("a non-INVITE and its final (J, K)")
	invite := over("TCP", request("INVITE", "sip:bob@127.0.0.1:7000;transport=tcp", "c2", "2"))
	f.receive(caller, invite)
	f.receive(callee, answerTo(f.lastTo[callee+" INVITE"], "486 Busy Here", "b", ""))
	if f.lastTo[callee+" ACK"] == nil {
		t.Fatal("no ACK left")
	}
	ack := bytes.Replace(bytes.Replace(invite, []byte("INVITE sip"), []byte("ACK sip"), 1), []byte(" INVITE\r\n"),
		[]byte(" ACK\r\n"), 1)
	f.receive(caller, ack)
	gone("an INVITE, a failure and its ACK (D, I)")
	f.endsClean()
}

// TestFlowsDoNotWaitForTheMachine: timers count from the flow's own time, however long the machine
// took to make the flow.
func TestFlowsDoNotWaitForTheMachine(t *testing.T) {
	f := newFlow(t, streamConfig(t, "listen=udp:127.0.0.1:5060\n"), "", 16<<20)
	f.w.clock.base = f.w.clock.base.Add(-time.Hour) // so much time it took
	f.anew()
	f.receive("127.0.0.1:6000", request("OPTIONS", "sip:bob@127.0.0.1:7000", "c1", "1"))
	if due, ok := f.w.tx.NextDue(); !ok || due > f.now+int64(time.Second) {
		t.Errorf("the first timer fires %v from now, %v", time.Duration(due-f.now), ok)
	}
}

// TestStaleTokenHitsNobody: a failure over a stream may be told when another branch stands in the
// slot.
func TestStaleTokenHitsNobody(t *testing.T) {
	f := newFlow(t, streamConfig(t, "listen=tcp:127.0.0.1:5060\n"), "", 16<<20)
	const caller, callee = "tcp:127.0.0.1:6000", "tcp:127.0.0.1:7000"
	f.receive(caller, over("TCP", request("OPTIONS", "sip:bob@127.0.0.1:7000;transport=tcp", "c1", "1")))
	stale := f.all[len(f.all)-1].token
	f.receive(callee, answerTo(f.lastTo[callee+" OPTIONS"], "200 OK", "b", ""))
	f.wait(50 * time.Millisecond)
	f.receive(caller, over("TCP", request("OPTIONS", "sip:bob@127.0.0.1:7000;transport=tcp", "c2", "2")))
	fresh := f.all[len(f.all)-1].token
	if uint32(stale) != uint32(fresh) {
		t.Fatalf("the slot was not used again: %#x, %#x", stale, fresh)
	}
	f.w.streamsFailed([]streamFailure{{Token: stale}})
	f.endBatch()
	if f.w.tx.Sent(stale) != nil || f.w.tx.Sent(fresh) == nil {
		t.Error("the stale token names a branch, or the fresh one none")
	}
	f.receive(callee, answerTo(f.lastTo[callee+" OPTIONS"], "200 OK", "b", ""))
	if n := f.count("SIP/2.0 200"); n != 2 {
		t.Errorf("%d answers went up, want 2", n)
	}
	f.endsClean()
}

// domainFlow is a Sender that writes down the domain of each message.
type domainFlow struct {
	*flow
	next string
	of   map[string]string // by method and address
	to   string
}

func (d *domainFlow) SetStreamOptions(o txn.StreamOptions, domain []byte) {
	d.flow.SetStreamOptions(o, domain)
	d.next = string(domain)
}
func (d *domainFlow) Begin(listener int, to *netio.Addr, token uint64) {
	d.to = written(to)
	d.flow.Begin(listener, to, token)
}
func (d *domainFlow) End() {
	d.flow.End()
	method, _, _ := strings.Cut(string(d.all[len(d.all)-1].bytes), " ")
	d.of[method+" "+d.to] = d.next
	d.next = ""
}

// TestDomainOfEveryMessage: over TLS a CANCEL, the ACK to a failure and a request to the next
// address are for the same domain as the INVITE (RFC 5922 §7.2): else they would leave by another
// domain's connection to the same address.
func TestDomainOfEveryMessage(t *testing.T) {
	names := map[string][]proxy.Endpoint{}
	for _, a := range []string{"tls:127.0.0.1:7000", "tls:127.0.0.1:7001"} {
		addr, err := read(a)
		if err != nil {
			t.Fatal(err)
		}
		names["bob.example"] = append(names["bob.example"], proxy.Endpoint{Addr: addr, Proto: addr.Proto})
	}
	f := newNamedFlow(t, streamConfig(t, "listen=tls:127.0.0.1:5061\n"), "", names, 16<<20)
	d := &domainFlow{flow: f, of: map[string]string{}}
	f.forget()
	if err := f.w.assemble(d, f, f.settings, f.random); err != nil {
		t.Fatal(err)
	}
	f.tell()
	f.names.asked["bob.example"] = true
	const caller, first, second = "tls:127.0.0.1:6000", "tls:127.0.0.1:7000", "tls:127.0.0.1:7001"
	invite := over("TLS", request("INVITE", "sips:bob@bob.example", "c1", "1"))
	f.receive(caller, invite)
	f.receive(first, answerTo(f.lastTo[first+" INVITE"], "503 Busy", "b", ""))
	f.receive(second, answerTo(f.lastTo[second+" INVITE"], "180 Ringing", "b", ""))
	f.receive(caller, bytes.Replace(bytes.Replace(invite, []byte("INVITE sips"), []byte("CANCEL sips"), 1),
		[]byte(" INVITE\r\n"), []byte(" CANCEL\r\n"), 1))
	f.receive(second, answerTo(f.lastTo[second+" CANCEL"], "200 OK", "b", ""))
	f.receive(second, answerTo(f.lastTo[second+" INVITE"], "487 Request Terminated", "b", ""))
	for _, m := range []string{"INVITE " + first, "ACK " + first, "INVITE " + second, "CANCEL " + second,
		"ACK " + second} {
		if got := d.of[m]; got != "bob.example" {
			t.Errorf("%s is for domain %q", m, got)
		}
	}
	f.endsClean()
}

// TestParkedBytesAreGivenBack: what was parked and ran again counts no more.
func TestParkedBytesAreGivenBack(t *testing.T) {
	addr, _ := read("127.0.0.1:7000")
	f := newNamedFlow(t, streamConfig(t, "listen=udp:127.0.0.1:5060\n"), "",
		map[string][]proxy.Endpoint{"bob.example": {{Addr: addr}}}, 16<<20)
	ack := request("ACK", "sip:bob@bob.example", "c1", "1")
	ack = bytes.Replace(ack, []byte("Call-ID"),
		[]byte("Route: <sip:127.0.0.1:5060;lr>\r\nX-Long: "+strings.Repeat("x", 60000)+"\r\nCall-ID"), 1)
	ack = bytes.Replace(ack, []byte("To: <sip:bob@bob.example>"), []byte("To: <sip:bob@bob.example>;tag=b"), 1)
	for i := range 3 * maxParkedBytes / len(ack) {
		clear(f.names.asked)
		f.receive("127.0.0.1:6000", ack)
		f.resolve()
		if n := len(f.all); n != i+1 {
			t.Fatalf("%d ACKs left after %d", n, i+1)
		}
	}
	if f.w.names.bytes != 0 || len(f.w.names.parked) != 0 {
		t.Errorf("%d messages of %d bytes are parked still", len(f.w.names.parked), f.w.names.bytes)
	}
	f.endsClean()
}

// TestFullMailboxLosesNoRelay: the answer of the resolver comes later then.
func TestFullMailboxLosesNoRelay(t *testing.T) {
	addr, _ := read("127.0.0.1:7000")
	f := newNamedFlow(t, streamConfig(t, "listen=udp:127.0.0.1:5060\n"), "",
		map[string][]proxy.Endpoint{"bob.example": {{Addr: addr}}}, 16<<20)
	f.receive("127.0.0.1:6000", request("INVITE", "sip:bob@bob.example", "c1", "1"))
	for m := (shm.Mail{99}); f.w.mailbox.Post(&m); {
	}
	f.resolve()
	for end := time.Now().Add(10 * time.Second); f.lastTo["127.0.0.1:7000 "+
		"INVITE"] == nil && time.Now().Before(end); time.Sleep(time.Millisecond) {
		f.resolve()
	}
	if f.lastTo["127.0.0.1:7000 INVITE"] == nil {
		t.Error("the relay waits for ever")
	}
	f.receive("127.0.0.1:7000", answerTo(f.lastTo["127.0.0.1:7000 INVITE"], "486 Busy Here", "b", ""))
	f.endsClean()
}
