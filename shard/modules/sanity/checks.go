package sanity

import (
	"viaduct/parser"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
)

// The checks of sanity_check() that §16.3 does not already make for every message (Kamailio 5.6.3).
// 4096 (one tag in From and To) is among those made always.
const (
	checkScheme      = 2
	checkExpires     = 256  // Expires is a number
	checkURIs        = 1024 // parse the URIs named by the second mask
	checkDigest      = 2048 // credentials of Digest are whole
	checkCredentials = 8192 // the same
	ofRequestURI     = 1
	ofFrom           = 2
	ofTo             = 4
	ofContact        = 8
)

// Fault is what a message fails by, and how a request is answered for it.
type Fault struct {
	cause  proxy.Cause
	phrase string // in place of the cause's own, unless it is ""
}

// The faults, with the phrases of Kamailio 5.6.3.
var (
	badScheme      = &Fault{cause: proxy.UnknownScheme}
	badExpires     = malformed("Expires value is illegal")
	noExpires      = malformed("Bad Expires Header")
	badRequestURI  = malformed("Bad Request URI")
	badFrom        = malformed("Invalid From Header")
	badTo          = malformed("Invalid To Header")
	badContact     = malformed("Bad Contact URI")
	badAuth        = malformed("Bad Auth Header")
	badCredentials = malformed("Bad Auth Credentials")
	emptyUser      = malformed("Auth Empty User")
)

func malformed(phrase string) *Fault { return &Fault{cause: proxy.Malformed, phrase: phrase} }

// Check is what sanity_check() looks at. It returns nil for a message that is sane. Version,
// mandatory headers, Via, CSeq, Content-Length and Proxy-Require are checked before the program
// runs, always. A response has no Request-URI; Kamailio fails it if that is to be looked at.
func Check(c *route.Ctx, msgChecks, uriMask uint32) *Fault {
	m := c.Msg
	if msgChecks&checkURIs == 0 {
		uriMask = 0
	}
	if msgChecks&checkExpires != 0 && m.Has(parser.KindExpires) {
		if f := checkExpiresOf(m); f != nil {
			return f
		}
	}
	if (msgChecks&checkScheme != 0 || uriMask&ofRequestURI != 0) && m.IsRequest {
		u, reason := m.RequestURI()
		if reason != parser.OK {
			return badRequestURI
		}
		if u.Scheme == parser.SchemeOther {
			return badScheme
		}
	}
	if m.Method != parser.ACK {
		// An ACK has those of the INVITE and of the 200: see parser.Message.Check.
		if uriMask&ofFrom != 0 {
			if a, reason := m.From(); reason != parser.OK || a.CheckURI(m.Raw) != parser.OK {
				return badFrom
			}
		}
		if uriMask&ofTo != 0 {
			if a, reason := m.To(); reason != parser.OK || a.CheckURI(m.Raw) != parser.OK {
				return badTo
			}
		}
	}
	if uriMask&ofContact != 0 && m.Has(parser.KindContact) {
		if f := checkContacts(m); f != nil {
			return f
		}
	}
	if msgChecks&(checkDigest|checkCredentials) != 0 {
		return checkAuth(m)
	}
	return nil
}

func checkExpiresOf(m *parser.Message) *Fault {
	v := m.Headers[m.First(parser.KindExpires)].Value.Of(m.Raw)
	switch {
	case len(v) == 0:
		return noExpires
	case !digits(v):
		return badExpires
	}
	return nil
}

func checkContacts(m *parser.Message) *Fault {
	for v := m.Values(parser.KindContact); v.Next(); {
		var a parser.NameAddr
		if string(v.Value.Of(m.Raw)) != "*" &&
			(parser.ParseNameAddr(m.Raw, v.Value, &a) != parser.OK ||
				a.CheckURI(m.Raw) != parser.OK) {
			return badContact
		}
	}
	return nil
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}
