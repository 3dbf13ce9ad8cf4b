package tlsdomains

import (
	"net/netip"
	"strings"

	"viaduct/shard/route/suggest"
)

// role says on which side of a connection a domain is used.
type role uint8

const (
	server role = iota
	client
)

func (r role) String() string { return [...]string{"server", "client"}[r] }

// section is one [role:address] of a tls.cfg with its settings.
type section struct {
	Settings
	role  role
	kind  kind
	addr  netip.AddrPort // if kind is forAddr
	at    place
	where map[string]place // where each value was written, by the setting's name
}

// kind says which connections a domain is for.
type kind uint8

const (
	forDefault kind = iota // those that no other domain is for
	forAddr                // those to this address: ours for a server, the peer's for a client
	forAny                 // those to any address, by server_name alone
)

// title returns the section's title as its author wrote it.
func (s *section) title() string {
	switch s.kind {
	case forAddr:
		return "[" + s.role.String() + ":" + s.addr.String() + "]"
	case forAny:
		return "[" + s.role.String() + ":any]"
	}
	return "[" + s.role.String() + ":default]"
}

// of returns where the named setting was written, else where its section begins.
func (s *section) of(name string) place {
	if at, ok := s.where[name]; ok {
		return at
	}
	return s.at
}

// parse reads a tls.cfg. There is one setting a line, "name = value"; a value with blanks or # is
// quoted; # begins a comment.
func parse(file, input string, r *report) (sections []*section) {
	var cur *section
	ignored := false // inside a section whose title was wrong
	n := 0
	for line := range strings.Lines(input) {
		n++
		line = strings.TrimRight(line, "\r\n")
		body := strings.TrimLeft(line, " \t")
		at := place{file, n, len(line) - len(body) + 1}
		switch {
		case body == "" || body[0] == '#':
		case body[0] == '[':
			s := title(body, at, r)
			if cur, ignored = s, s == nil; s != nil {
				if sections = append(sections, s); len(sections) > maxDomains {
					r.problem(at, "more than %d domains", maxDomains)
					return sections
				}
			}
		case cur == nil:
			if !ignored {
				r.problem(at, "a setting before the first domain: begin with [server:default] or "+
					"[client:default]")
				ignored = true
			}
		default:
			assign(cur, body, at, r)
		}
	}
	return sections
}

// title reads "[server:10.0.0.1:5061]".
func title(body string, at place, r *report) *section {
	inner, rest, ok := strings.Cut(body[1:], "]")
	// an IPv6 address has brackets of its own
	for strings.Count(inner, "[") > strings.Count(inner, "]") && ok {
		var more string
		more, rest, ok = strings.Cut(rest, "]")
		inner += "]" + more
	}
	if !ok {
		r.problem(at, "the domain's closing ] is missing")
		return nil
	}
	if rest = strings.TrimLeft(rest, " \t"); rest != "" && rest[0] != '#' {
		r.problem(place{at.file, at.line, at.column + len(body) - len(rest)},
			"%q behind the domain: one setting a line, please", rest)
		return nil
	}
	side, which, _ := strings.Cut(inner, ":")
	s := &section{at: at, where: map[string]place{}}
	switch side := strings.TrimSpace(side); strings.ToLower(side) {
	case "server", "srv":
		s.role = server
	case "client", "cli":
		s.role = client
	default:
		r.problem(at, "unknown role %q%s; write [server:…] or [client:…]", side,
			suggest.DidYouMean(side, []string{"server", "client"}))
		return nil
	}
	switch which = strings.TrimSpace(which); strings.ToLower(which) {
	case "default", "def":
		s.kind = forDefault
	case "any", "all":
		s.kind = forAny
	default:
		addr, err := netip.ParseAddrPort(which)
		if err != nil || addr.Port() == 0 {
			r.problem(at, "%q is no address with a port; write [%s:default], [%s:any] or "+
				"[%s:192.0.2.1:5061]", which, s.role, s.role, s.role)
			return nil
		}
		s.kind, s.addr = forAddr, netip.AddrPortFrom(addr.Addr().Unmap().WithZone(""), addr.Port())
	}
	return s
}

// assign reads "name = value" into the section.
func assign(s *section, body string, at place, r *report) {
	name, value, ok := strings.Cut(body, "=")
	name = strings.TrimRight(name, " \t")
	if !ok || name == "" || strings.ContainsAny(name, " \t#\"") {
		r.problem(at, "a setting is written name = value")
		return
	}
	valueAt := at
	rest := strings.TrimLeft(value, " \t")
	valueAt.column += len(body) - len(rest)
	k := findSetting(name)
	// the core's globals have no place here
	if k == nil || strings.HasPrefix(strings.ToLower(name), "tls_") &&
		!strings.EqualFold(name, "tls_method") {
		r.problem(at, "unknown setting %q%s", name, suggest.DidYouMean(name, settingNames()))
		return
	}
	v, problem := word(rest)
	if problem != "" {
		r.problem(valueAt, "%s: %s", name, problem)
		return
	}
	if _, again := s.where[k.name]; again {
		r.warn(at, "%s is set again; the later value counts", k.name)
	}
	s.where[k.name] = valueAt
	if err := k.set(&s.Settings, v); err != nil {
		r.problem(valueAt, "%s: %v", k.name, err)
	}
}

// word reads a value, which is in double quotes, where \" and \\ stand for " and \, or ends at the
// first blank.
func word(in string) (value, problem string) {
	rest := ""
	if in != "" && in[0] == '"' {
		var b strings.Builder
		i := 1
		for ; i < len(in) && in[i] != '"'; i++ {
			if in[i] == '\\' && i+1 < len(in) {
				if i++; in[i] != '"' && in[i] != '\\' {
					return "", `only \" and \\ may follow a backslash`
				}
			}
			b.WriteByte(in[i])
		}
		if i == len(in) {
			return "", "the closing quote is missing"
		}
		value, rest = b.String(), in[i+1:]
	} else {
		i := strings.IndexAny(in, " \t#")
		if i < 0 {
			i = len(in)
		}
		value, rest = in[:i], in[i:]
	}
	if value == "" {
		return "", "the value is missing"
	}
	if rest = strings.TrimLeft(rest, " \t"); rest != "" && rest[0] != '#' {
		return "", "more than one word: put a value with blanks in double quotes"
	}
	return value, ""
}
