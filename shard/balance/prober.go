package balance

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ProbeMode is ds_probing_mode.
type ProbeMode int

// The probing modes. None probes a target that is Disabled, NoPing or NoDNS.
const (
	ProbeFlagged     ProbeMode = 0 // those with Probing; a good answer clears it
	ProbeAll         ProbeMode = 1 // all; an answer sets Probing, for the display
	ProbeInactive    ProbeMode = 2 // those both Inactive and Probing; a good answer clears Probing
	ProbeOnlyFlagged ProbeMode = 3 // those with Probing, which stays
)

// ProbeConfig is what the dispatcher module's ds_ping parameters say, which bind its fields.
type ProbeConfig struct {
	// ds_ping_interval: from one probe of a target to the next; 0 means no regular probing
	Interval time.Duration
	Mode     ProbeMode // ds_probing_mode
	Method   string    // ds_ping_method; "": OPTIONS
	From     string    // ds_ping_from, a URI; "": sip:dispatcher@localhost

	// Timeout is ds_ping_fr_timer: how long to wait for an answer. 0 means 4 s, in which a request
	// over UDP is sent four times. Kamailio waits for tm's 30 s then, and notices a dead target ten
	// calls too late.
	Timeout time.Duration

	// Recover is ds_recover_interval, a parameter of Viaduct's own: how often a target that went
	// down by observation is probed, whatever Interval and Mode say, since otherwise nothing would
	// ever bring it back. 0 means 10 s; negative means never.
	Recover time.Duration

	// UserAgent is a whole header row without CRLF, of user_agent_header; "" for none
	UserAgent string

	// ReplyCodes is ds_ping_reply_codes: the codes that are good besides 2xx.
	ReplyCodes ReplyCodes
}

// Validate says which field is out of its range.
func (c *ProbeConfig) Validate() error {
	switch {
	case c.Interval != 0 && c.Interval < minPeriod:
		return fmt.Errorf("ds_ping_interval is %v: write 0 (off) or at least %v", c.Interval,
			minPeriod)
	case c.Timeout != 0 && c.Timeout < minPeriod:
		return fmt.Errorf("ds_ping_fr_timer is %v: write 0 (4 s) or at least %v", c.Timeout,
			minPeriod)
	case c.Recover > 0 && c.Recover < minPeriod:
		return fmt.Errorf("ds_recover_interval is %v: write 0 (10 s), a negative number (never) "+
			"or at least %v", c.Recover, minPeriod)
	case c.Mode < ProbeFlagged || c.Mode > ProbeOnlyFlagged:
		return fmt.Errorf("ds_probing_mode is %d: write 0, 1, 2 or 3", c.Mode)
	case strings.ContainsAny(c.Method, " \t\r\n"):
		return fmt.Errorf("ds_ping_method is %q: write a SIP method", c.Method)
	case c.From != "":
		if _, advice := new(Target).setURI(c.From); advice != "" {
			return fmt.Errorf("ds_ping_from: %s", advice)
		}
	}
	return nil
}

// ReplyCodes is a set of response codes, 100 to 699.
type ReplyCodes [(600 + 63) / 64]uint64

// ParseReplyCodes reads ds_ping_reply_codes, for example "class=2;code=403;code=488;class=3". The
// error does not name the parameter.
func ParseReplyCodes(s string) (ReplyCodes, error) {
	var rc ReplyCodes
	for part := range strings.SplitSeq(s, ";") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, err := strconv.Atoi(strings.TrimSpace(value))
		switch name = strings.TrimSpace(name); {
		case name == "class" && err == nil && n >= 1 && n <= 6:
			for code := n * 100; code < n*100+100; code++ {
				rc.add(code)
			}
		case name == "code" && err == nil && n >= 100 && n <= 699:
			rc.add(n)
		default:
			return ReplyCodes{}, fmt.Errorf("%q: write class=1 to class=6 or code=100 to "+
				"code=699, separated by semicolons", part)
		}
	}
	return rc, nil
}

func (rc *ReplyCodes) add(code int) { rc[(code-100)/64] |= 1 << ((code - 100) % 64) }

// Has reports whether code is in the set.
func (rc *ReplyCodes) Has(code int) bool {
	return code >= 100 && code <= 699 && rc[(code-100)/64]>>((code-100)%64)&1 != 0
}

// Probe is one request to send to Target.PingAddr, from Target.Attrs.PingSocket if there is one,
// else from its Socket.
type Probe struct {
	Target *Target
	ID     uint64 // names the probe; never 0
	Resend bool   // a retransmission: the same bytes again
}

// AppendCallID appends the probe's Call-ID. It differs for each probe.
func (p *Prober) AppendCallID(dst []byte, id uint64) []byte {
	dst = appendID(dst, id)
	start := len(dst) - 16
	if p.OwnCallID == nil {
		return append(dst, "@viaduct"...)
	}
	// Each try is a coin with as many sides as shards; a thousand in vain means that the hash or
	// the predicate is broken.
	for try := range uint64(1000) {
		dst = strconv.AppendUint(append(dst[:start+16], '-'), try, 36)
		dst = append(dst, "@viaduct"...)
		if p.OwnCallID(dst[start:]) {
			return dst
		}
	}
	panic(fmt.Sprintf("BUG: no Call-ID of %x belongs to this shard", id))
}

// AppendRequest appends the whole request. sentBy (host or host:port) and branch go into the Via;
// branch must begin with z9hG4bK (RFC 3261 §8.1.1.7). The same probe gives the same bytes, so a
// retransmission need not be kept.
func (p *Prober) AppendRequest(dst []byte, pr Probe, sentBy, branch []byte) []byte {
	t := pr.Target
	from := p.cfg.From
	if t.Attrs.PingFrom != "" {
		from = t.Attrs.PingFrom
	}
	dst = append(append(dst, p.cfg.Method...), ' ')
	dst = append(append(dst, t.URI...), " SIP/2.0\r\nVia: SIP/2.0/"...)
	dst = append(append(dst, t.PingTransport.String()...), ' ')
	dst = append(append(dst, sentBy...), ";branch="...)
	dst = append(append(dst, branch...), "\r\nMax-Forwards: 70\r\nFrom: <"...)
	dst = append(append(dst, from...), ">;tag="...)
	dst = append(appendID(dst, pr.ID), "\r\nTo: <"...)
	dst = append(append(dst, t.URI...), ">\r\nCall-ID: "...)
	dst = append(p.AppendCallID(dst, pr.ID), "\r\nCSeq: 1 "...)
	dst = append(append(dst, p.cfg.Method...), "\r\n"...)
	if p.cfg.UserAgent != "" {
		dst = append(append(dst, p.cfg.UserAgent...), "\r\n"...)
	}
	return append(dst, "Accept: application/sdp\r\nContent-Length: 0\r\n\r\n"...)
}

func appendID(dst []byte, id uint64) []byte {
	var b [8]byte
	for i := range b {
		b[i] = byte(id >> (56 - 8*i))
	}
	return hex.AppendEncode(dst, b[:])
}

// ParseProbeID reads the id of a probe back from the From tag or the Call-ID of a response.
func ParseProbeID(s []byte) (id uint64, ok bool) {
	if len(s) < 16 || len(s) > 16 && s[16] != '@' && s[16] != '-' {
		return 0, false
	}
	var b [8]byte
	if _, err := hex.Decode(b[:], s[:16]); err != nil {
		return 0, false
	}
	for _, c := range b {
		id = id<<8 | uint64(c)
	}
	return id, id != 0
}
