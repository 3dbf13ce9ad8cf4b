package trace

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"viaduct/netio"
	"viaduct/parser"
)

// Filter chooses messages. What is empty lets all pass.
type Filter struct {
	CallID string
	// User is the user of the Request-URI, From or To.
	User string
	// Addr is one end, Port its port; 0 means any.
	Addr netip.Addr
	Port uint16
	// Methods are those of requests, and of the requests that responses answer.
	Methods []string
}

// Words is what ParseFilter takes, for messages.
const Words = "call-id=ID, user=NAME, addr=ADDRESS[:PORT] or method=NAME[,NAME]"

// ParseFilter reads words such as user=bob or addr=192.0.2.1:5060. All of them must fit a message.
// One without a = is a Call-ID if it has an @, an address if it is one, else a user.
func ParseFilter(words []string) (f Filter, err error) {
	for _, w := range words {
		name, value, found := strings.Cut(w, "=")
		if !found {
			name, value = guess(w), w
		}
		if value == "" {
			return f, fmt.Errorf("%q has no value: write %s", w, Words)
		}
		switch strings.ToLower(name) {
		case "call-id":
			f.CallID = value
		case "user":
			f.User = value
		case "addr":
			if f.Addr, f.Port, err = readAddrPort(value); err != nil {
				return f, err
			}
		case "method":
			f.Methods = strings.Split(strings.ToUpper(value), ",")
		default:
			return f, fmt.Errorf("%q is no filter: write %s", w, Words)
		}
	}
	return f, nil
}

func guess(w string) string {
	if strings.Contains(w, "@") {
		return "call-id"
	}
	if _, _, err := readAddrPort(w); err == nil {
		return "addr"
	}
	return "user"
}

func readAddrPort(s string) (netip.Addr, uint16, error) {
	if ip, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return ip.Unmap(), 0, nil
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		return netip.Addr{}, 0, fmt.Errorf("%q is no address: write one such as 192.0.2.1 or "+
			"[2001:db8::1]:5060", s)
	}
	return ap.Addr().Unmap(), ap.Port(), nil
}

// String is the filter as ParseFilter reads it.
func (f *Filter) String() string {
	var words []string
	add := func(name, value string) {
		if value != "" {
			words = append(words, name+"="+value)
		}
	}
	add("call-id", f.CallID)
	add("user", f.User)
	if f.Addr.IsValid() {
		if f.Port != 0 {
			add("addr", netip.AddrPortFrom(f.Addr, f.Port).String())
		} else {
			add("addr", f.Addr.String())
		}
	}
	add("method", strings.Join(f.Methods, ","))
	return strings.Join(words, " ")
}

// ReadsText reports whether Passes needs the message parsed.
func (f *Filter) ReadsText() bool {
	return f.CallID != "" || f.User != "" || len(f.Methods) > 0
}

// Passes reports whether a message passes. m is its text, parsed, nil if that could not be done: it
// then passes a filter that does not read the text.
func (f *Filter) Passes(t *Message, m *parser.Message) bool {
	if f.Addr.IsValid() && !f.end(&t.From) && !f.end(&t.To) {
		return false
	}
	if !f.ReadsText() {
		return true
	}
	if m == nil || f.CallID != "" && string(m.CallID()) != f.CallID {
		return false
	}
	return (f.User == "" || f.names(m)) && (len(f.Methods) == 0 || f.method(m))
}

func (f *Filter) end(a *netio.Addr) bool {
	ap := a.AddrPort()
	return ap.Addr().WithZone("") == f.Addr && (f.Port == 0 || ap.Port() == f.Port)
}

func (f *Filter) names(m *parser.Message) bool {
	var u parser.URI
	is := func() bool { return string(u.User.Of(u.Raw)) == f.User }
	if m.IsRequest && parser.ParseURI(m.Bytes(m.URI), &u) == parser.OK && is() {
		return true
	}
	for _, k := range [...]parser.Kind{parser.KindFrom, parser.KindTo} {
		if i := m.First(k); i >= 0 && m.NameAddrURI(m.Headers[i].Value, &u) == parser.OK && is() {
			return true
		}
	}
	return false
}

func (f *Filter) method(m *parser.Message) bool {
	name := m.MethodBytes()
	if !m.IsRequest {
		cseq, reason := m.CSeq()
		if reason != parser.OK {
			return false
		}
		name = cseq.MethodName.Of(m.Raw)
	}
	for _, want := range f.Methods {
		if bytes.EqualFold(name, []byte(want)) {
			return true
		}
	}
	return false
}
