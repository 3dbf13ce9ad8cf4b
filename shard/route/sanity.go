package route

import (
	"viaduct/parser"
	"viaduct/shard/proxy"
)

// The checks of sanity_check() that §16.3 step 1 does not already make for every
// message (Kamailio 5.6, module sanity).
const (
	sanityURIs     = 1024 // parse the URIs named by the second mask
	sanityExpires  = 256  // Expires is a number
	sanityURIRURI  = 1
	sanityURIFrom  = 2
	sanityURITo    = 4
	sanityURICntct = 8
)

// sanityChecks is sanity_check(). Version, scheme, mandatory headers, Via, CSeq, Content-Length and
// Proxy-Require are checked before the program runs, always.
func (c *Ctx) sanityChecks(msgChecks, uriChecks uint32) int {
	m := c.Msg
	if msgChecks&sanityExpires != 0 && m.Has(parser.KindExpires) {
		if v := m.Headers[m.First(parser.KindExpires)].Value.Of(m.Raw); !digits(v) {
			return c.insane("Bad Expires")
		}
	}
	if msgChecks&sanityURIs == 0 {
		return 1
	}
	if uriChecks&sanityURIRURI != 0 {
		u, reason := m.RequestURI()
		if reason != parser.OK {
			return c.insane("Bad Request-URI")
		}
		if u.Scheme == parser.SchemeOther {
			return c.refuse(proxy.UnknownScheme, "")
		}
	}
	if uriChecks&sanityURIFrom != 0 {
		if a, reason := m.From(); reason != parser.OK || a.CheckURI(m.Raw) != parser.OK {
			return c.insane("Bad From URI")
		}
	}
	if uriChecks&sanityURITo != 0 {
		if a, reason := m.To(); reason != parser.OK || a.CheckURI(m.Raw) != parser.OK {
			return c.insane("Bad To URI")
		}
	}
	if uriChecks&sanityURICntct != 0 && m.Has(parser.KindContact) {
		for v := m.Values(parser.KindContact); v.Next(); {
			var a parser.NameAddr
			if string(v.Value.Of(m.Raw)) != "*" && (parser.ParseNameAddr(m.Raw, v.Value, &a) != parser.OK || a.CheckURI(m.Raw) != parser.OK) {
				return c.insane("Bad Contact")
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

func (c *Ctx) insane(phrase string) int { return c.refuse(proxy.Malformed, phrase) }

// refuse answers the request that the checks found fault with. A response is only looked at.
func (c *Ctx) refuse(cause proxy.Cause, phrase string) int {
	if c.Request != nil {
		c.answered(c.Request.Refuse(cause, phrase, ""))
	}
	return -1
}
