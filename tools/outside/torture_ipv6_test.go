package outside

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// forwardAll sends everything to set 1, dialog or not: what RFC 5118's messages are about is
// whether they can be read.
const forwardAll = `request_route {
	if (!mf_process_maxfwd_header("70")) {
		sl_send_reply("483", "Too Many Hops");
		exit;
	}
	if (!sanity_check("17895", "7")) {
		exit;
	}
	t_check_trans();
	if (!ds_select_dst("1", "0")) {
		sl_send_reply("503", "No destination");
		exit;
	}
	if (!t_relay()) {
		sl_reply_error();
	}
}
`

// ipv6Case is a row of rfc5118/expect.tsv.
type ipv6Case struct {
	name, section, action string
	status                int
	message               []byte
}

func ipv6Cases(t *testing.T) (all []ipv6Case) {
	t.Helper()
	const dir = "testdata/rfc5118"
	b, err := os.ReadFile(filepath.Join(dir, "expect.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimRight(string(b), "\n"), "\n") {
		f := strings.Split(line, "\t")
		if i == 0 {
			continue
		}
		if len(f) != 5 {
			t.Fatalf("line %d of expect.tsv has %d fields", i+1, len(f))
		}
		c := ipv6Case{name: f[0], section: f[1], action: f[2]}
		c.status, _ = strconv.Atoi(f[3])
		if c.message, err = os.ReadFile(filepath.Join(dir, c.name+".dat")); err != nil {
			t.Fatal(err)
		}
		// Of the twelve most have one branch and one Call-ID: each gets a branch of its own, or
		// they would be repetitions of each other.
		c.message = bytes.Replace(c.message, []byte(";branch=z9hG4bK"), fmt.Appendf(nil, ";branch=z9hG4bK%d.", i), 1)
		all = append(all, c)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.dat"))
	if err != nil || len(files) != len(all) || len(all) != 12 {
		t.Fatalf("%d messages, %d rows of expect.tsv, want 12 (%v)", len(files), len(all), err)
	}
	return all
}

// Row 69, RFC 5118: the torture messages about IPv6: eleven pass byte for byte, but for the edits
// of §16.6, and their answers find the way back; one is 400.
func TestRow69RFC5118(t *testing.T) {
	t.Parallel()
	// The answers go to the sender's address and the ports that the Vias name (§18.2.2).
	p := newPlayer(t, setup{program: forwardAll}, start, 5060, 6050, 19823)
	p.counts = true
	for _, c := range ipv6Cases(t) {
		o := p.play(t, c.name, p.sender, c.message)
		bad := func(format string, args ...any) {
			t.Helper()
			t.Errorf("%s (§%s): %s: %s", c.name, c.section, fmt.Sprintf(format, args...), o)
		}
		if o.count() != 1 || len(o.astray) > 0 {
			bad("not one outcome")
			continue
		}
		if c.action == "reject" {
			if len(o.answers) != 1 || o.answers[0].status() != c.status || o.created > 0 {
				bad("want %d and no transaction", c.status)
			}
			continue
		}
		if len(o.forwarded) != 1 {
			bad("want it forwarded")
			continue
		}
		// What the sender wrote into received is not believed (row 52): what is there is the source
		// in its place.
		sent := c.message
		for _, r := range []string{";received=[2001:db8::9:255]", ";received=2001:db8::9:255"} {
			sent = bytes.Replace(sent, []byte(r), nil, 1)
		}
		received, wrong := p.undo(sent, o.forwarded[0], 0)
		if wrong != "" {
			bad("%s", wrong)
		} else if !bytes.Equal(received, sent) {
			bad("it was changed:\n%s\nas received:\n%s", o.forwarded[0].raw, received)
		}
		if o.returned == nil {
			bad("the answer does not come back")
			continue
		}
		want := uint16(5060)
		switch c.name {
		case "mult-ip-in-header":
			want = 6050
		case "ipv4-mapped-ipv6":
			want = 19823
		}
		if o.returnAt != want {
			bad("the answer came to port %d, want %d", o.returnAt, want)
		}
		theirs, back := readMessage(sent, netip.AddrPort{}).all("Via"), o.returned.all("Via")
		if len(theirs) != len(back) || o.returned.branch() != param(theirs[0], "branch") {
			bad("the answer comes back with Vias %q", back)
		}
	}
}

// Row 69, RFC 5118 §4.3, §4.4: a port stands behind the bracket; within it, it is part of an
// address, and leads elsewhere.
func TestRow69PortOfReference(t *testing.T) {
	srv, _, caller, callee := twoSided(t, netip.IPv6Loopback(), setup{program: relay})
	d := caller.requests(srv.addr, "REGISTER", "sip:callee@"+callee.addr.String())
	m := callee.expect("REGISTER")
	if m.uri() != d.uri {
		t.Errorf("the Request-URI arrives as %s", m.uri())
	}
	callee.reply(m, 200, "OK", "callee")
	caller.expect("200")
	caller.requests(srv.addr, "REGISTER", fmt.Sprintf("sip:callee@[::1:%d]", callee.addr.Port()))
	if m := caller.next(beat); m != nil && m.status() < 400 {
		t.Errorf("a port within the brackets gets\n%s", m.raw)
	}
	callee.silence(beat)
}
