package outside

import (
	be "encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// collector is what Homer is: it takes packets of HEP 3.
type collector struct{ conn *net.UDPConn }

func newCollector(t *testing.T) *collector {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &collector{conn}
}

// seen takes what arrives until nothing has for that long: "SOURCE>DESTINATION FIRST LINE", the
// ports of the ends.
func (c *collector) seen(t *testing.T, quiet time.Duration) (lines []string) {
	t.Helper()
	b := make([]byte, 1<<16)
	for {
		c.conn.SetReadDeadline(time.Now().Add(quiet))
		n, err := c.conn.Read(b)
		if err != nil {
			return lines
		}
		p := b[:n]
		if n < 6 || string(p[:4]) != "HEP3" || int(be.BigEndian.Uint16(p[4:])) != n {
			t.Fatalf("no packet of HEP 3: %q", p)
		}
		chunk := map[uint16][]byte{}
		for p = p[6:]; len(p) > 0; {
			length := be.BigEndian.Uint16(p[4:])
			chunk[be.BigEndian.Uint16(p[2:])] = p[6:length]
			p = p[length:]
		}
		first, _, _ := strings.Cut(string(chunk[15]), "\r\n")
		lines = append(lines, fmt.Sprintf("%d>%d %s", be.BigEndian.Uint16(chunk[7]),
			be.BigEndian.Uint16(chunk[8]), first))
	}
}

// TestSiptrace: a collector sees a call as it came and left, until it is told off, and whether it is
// there or not the calls go on.
func TestSiptrace(t *testing.T) {
	if *against == "kamailio" {
		t.Skip("the module of this proxy")
	}
	t.Parallel()
	c := newCollector(t)
	callee := newPeer(t, "a callee")
	socket := filepath.Join(t.TempDir(), "sock")
	srv := start(t, setup{shards: 2, targets: []netip.AddrPort{callee.addr},
		edits: params(`loadmodule "siptrace.so"`,
			`modparam("siptrace", "trace_on", 1)`, `modparam("siptrace", "trace_mode", 1)`,
			`modparam("siptrace", "trace_to_database", 0)`,
			`modparam("siptrace", "hep_mode_on", 1)`, `modparam("siptrace", "hep_version", 3)`,
			fmt.Sprintf(`modparam("siptrace", "duplicate_uri", "sip:%s")`, c.conn.LocalAddr())),
		flags: []string{"-x", socket}})
	caller := newPeer(t, "a caller")
	caller.invites(srv.addr).ringsAt(callee)
	in := fmt.Sprintf("%d>%d ", caller.addr.Port(), srv.addr.Port())
	out := fmt.Sprintf("%d>%d ", srv.addr.Port(), callee.addr.Port())
	lines := c.seen(t, time.Second)
	for _, want := range []string{in + "INVITE sip:", out + "INVITE sip:"} {
		if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, want) }) {
			t.Errorf("the collector did not see %s among %q", want, lines)
		}
	}
	ringing := 0
	for _, l := range lines {
		if strings.HasSuffix(l, "SIP/2.0 180 Ringing") {
			ringing++
		}
	}
	if ringing != 2 {
		t.Errorf("the collector saw %d of the 2 sides of the 180: %q", ringing, lines)
	}
	if answer, fault := srv.rpc(t, socket, "siptrace.status off"); answer != "Disabled" {
		t.Errorf("siptrace.status off says %v, %s", answer, fault)
	}
	caller.invites(srv.addr).ringsAt(callee)
	if lines := c.seen(t, 300*time.Millisecond); len(lines) != 0 {
		t.Errorf("the collector saw %q behind siptrace.status off", lines)
	}
	if answer, fault := srv.rpc(t, socket, "siptrace.status on"); answer != "Enabled" {
		t.Errorf("siptrace.status on says %v, %s", answer, fault)
	}
	c.conn.Close()
	for range 20 {
		caller.invites(srv.addr).ringsAt(callee)
	}
}
