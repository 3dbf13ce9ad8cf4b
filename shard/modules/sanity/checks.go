package sanity

import (
	"viaduct/parser"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
)

// The checks of sanity_check() that §16.3 step 1 does not already make for every message (Kamailio
// 5.6).
const (
	checkURIs    = 1024 // parse the URIs named by the second mask
	checkExpires = 256  // Expires is a number
	ofRequestURI = 1
	ofFrom       = 2
	ofTo         = 4
	ofContact    = 8
)

// Check is sanity_check(). Version, scheme, mandatory headers, Via, CSeq, Content-Length and
// Proxy-Require are checked before the program runs, always.
func Check(c *route.Ctx, msgChecks, uriMask uint32) int {
	m := c.Msg
	if msgChecks&checkExpires != 0 && m.Has(parser.KindExpires) {
		if v := m.Headers[m.First(parser.KindExpires)].Value.Of(m.Raw); !digits(v) {
			return insane(c, "Bad Expires")
		}
	}
	if msgChecks&checkURIs == 0 {
		return 1
	}
	if uriMask&ofRequestURI != 0 {
		u, reason := m.RequestURI()
		if reason != parser.OK {
			return insane(c, "Bad Request-URI")
		}
		if u.Scheme == parser.SchemeOther {
			return refuse(c, proxy.UnknownScheme, "")
		}
	}
	if m.Method == parser.ACK {
		// It has those of the INVITE and of the 200: see parser.Message.Check.
		uriMask &^= ofFrom | ofTo
	}
	if uriMask&ofFrom != 0 {
		if a, reason := m.From(); reason != parser.OK || a.CheckURI(m.Raw) != parser.OK {
			return insane(c, "Bad From URI")
		}
	}
	if uriMask&ofTo != 0 {
		if a, reason := m.To(); reason != parser.OK || a.CheckURI(m.Raw) != parser.OK {
			return insane(c, "Bad To URI")
		}
	}
	if uriMask&ofContact != 0 && m.Has(parser.KindContact) {
		for v := m.Values(parser.KindContact); v.Next(); {
			var a parser.NameAddr
			if string(v.Value.Of(m.Raw)) != "*" &&
				(parser.ParseNameAddr(m.Raw, v.Value, &a) != parser.OK ||
					a.CheckURI(m.Raw) != parser.OK) {
				return insane(c, "Bad Contact")
			}
		}
	}
	return 1
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

func insane(c *route.Ctx, phrase string) int { return refuse(c, proxy.Malformed, phrase) }

// refuse answers the request that the checks found fault with. A response is only looked at.
func refuse(c *route.Ctx, cause proxy.Cause, phrase string) int {
	if c.Request != nil {
		c.Answered(c.Request.Refuse(cause, phrase, ""))
	}
	return -1
}
