package balance

import (
	"net/netip"
	"strconv"
	"strings"

	"viaduct/transport"
)

// setURI takes a destination URI apart into t. On failure at is the offset in s of what is wrong
// and advice says what to write. The grammar is RFC 3261 §25.1 without what a destination cannot
// have: headers (§19.1.2 forbids them in a Request-URI), angle brackets, a method parameter. It is
// not the parser package's: that one reads packets, and answers with a reason to count; an operator
// wants a column and advice.
func (t *Target) setURI(s string) (at int, advice string) {
	scheme, rest, found := strings.Cut(s, ":")
	switch {
	case found && strings.EqualFold(scheme, "sip"):
	case found && strings.EqualFold(scheme, "sips"):
		t.Secure = true
	case strings.HasPrefix(s, "<"):
		return 0, "unexpected \"<\": write the bare URI"
	case found && !strings.ContainsAny(scheme, ".@[0123456789") &&
		strings.Trim(rest, "0123456789") != "":
		return 0, "scheme " + quote(scheme) + " cannot be a destination: write sip:host:port"
	default:
		return 0, quote(s) + " is not a SIP URI: write " + quote("sip:"+s)
	}
	pos := len(scheme) + 1
	if i := strings.IndexAny(rest, `<>"?`); i >= 0 {
		if rest[i] == '?' {
			return pos + i, "a destination has no headers: end the URI before the ?"
		}
		return pos + i, "unexpected " + quote(rest[i:i+1]) + ": write the bare URI"
	}
	// A user part may hold semicolons (§25.1 user-unreserved), hence the @ is looked for first.
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		if i == 0 {
			return pos, "nothing stands before the @: remove it or write a user"
		}
		t.User, rest, pos = rest[:i], rest[i+1:], pos+i+1
	}
	hostport, params, _ := strings.Cut(rest, ";")
	if at, advice := t.setHostPort(hostport); advice != "" {
		return pos + at, advice
	}
	pos += len(hostport) + 1
	t.Transport = transport.UDP
	if t.Secure {
		t.Transport = transport.TLS // §19.1.2: sips over anything is TLS on that
	}
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		if strings.EqualFold(name, "transport") {
			tr, ok := transport.Named(value)
			if !ok {
				return pos, "transport " +
					quote(value) + " is unknown: write udp, tcp, tls, ws, wss or sctp"
			}
			if t.Secure && tr == transport.UDP {
				return pos, "a sips URI cannot use udp: write sip: or transport=tls"
			}
			if t.Secure && tr == transport.TCP {
				tr = transport.TLS
			}
			t.Transport = tr
		} else {
			t.params += ";" + param
		}
		pos += len(param) + 1
	}
	if params == "" {
		t.params = ""
	}
	if t.Port == 0 {
		t.Port = 5060
		if t.Transport == transport.TLS || t.Transport == transport.WSS {
			t.Port = 5061
		}
	}
	return 0, ""
}

func (t *Target) setHostPort(s string) (at int, advice string) {
	host, port, hasPort := s, "", false
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return 0, "the IPv6 address has no closing bracket: write [address]:port"
		}
		ip, err := netip.ParseAddr(s[1:end])
		if err != nil || !ip.Is6() {
			return 1, quote(s[1:end]) + " is not an IPv6 address"
		}
		host = s[:end+1]
		if after := s[end+1:]; after != "" {
			if after[0] != ':' {
				return end + 1, "unexpected " +
					quote(after) + " after the address: write [address]:port"
			}
			port, hasPort = after[1:], true
		}
		t.Host = ip.String()
	} else {
		host, port, hasPort = strings.Cut(s, ":")
		if strings.Contains(port, ":") {
			return 0, "an IPv6 address stands in brackets: write [" + s + "]"
		}
		if at, advice := checkHost(host); advice != "" {
			return at, advice
		}
		t.Host = strings.ToLower(host)
	}
	if !hasPort {
		return 0, ""
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return len(host) + 1, quote(port) + " is not a port: write a number from 1 to 65535"
	}
	t.Port = uint16(n)
	return 0, ""
}

// checkHost accepts an IPv4 address or a host name (RFC 3261 §25.1, and the underscore that real
// names carry).
func checkHost(host string) (at int, advice string) {
	if host == "" {
		return 0, "the host is missing: write sip:host or sip:host:port"
	}
	if len(host) > 253 {
		return 0, "the host name is longer than the 253 bytes DNS allows"
	}
	for i := range len(host) {
		c := host[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.',
			c == '_':
		default:
			return i, quote(host[i:i+1]) + " cannot stand in a host name"
		}
	}
	// A name whose last label is a number is meant as an address (RFC 3261 §25.1: toplabel begins
	// with a letter).
	last := strings.TrimSuffix(host, ".")
	last = last[strings.LastIndexByte(last, '.')+1:]
	if last == "" {
		return 0, quote(host) + " is not a host name"
	}
	if last[0] >= '0' && last[0] <= '9' {
		if _, err := netip.ParseAddr(host); err != nil {
			return 0, quote(host) + " is not an IPv4 address"
		}
	}
	return 0, ""
}

func quote(s string) string {
	const longest = 80
	if len(s) > longest {
		s = s[:longest] + "…"
	}
	return strconv.Quote(s)
}
