package messages

import "strings"

// Row is one header row.
type Row struct {
	Header string // its long name, "Via"
	Name   string // as written: "v", "VIA"
	// its values, or the one value, each without white space around it but with that inside
	Values []string
	Line   string // all of it, with its line end and those of its folds
}

// Message is a message in parts.
type Message struct {
	Start       string // without line end
	Method, URI string // of a request
	Status      int    // of a response; 0 means a request
	Rows        []Row
	Body        string
}

// Bytes are the message as sent.
func (m *Message) Bytes() []byte {
	var b strings.Builder
	b.WriteString(m.Start + "\r\n")
	for _, r := range m.Rows {
		b.WriteString(r.Line)
	}
	b.WriteString("\r\n" + m.Body)
	return []byte(b.String())
}

// All are the values of a header, given by its long name, over all rows.
func (m *Message) All(header string) (values []string) {
	for _, r := range m.Rows {
		if r.Header == header {
			values = append(values, r.Values...)
		}
	}
	return values
}

// Get is the first value of a header, "" if there is none.
func (m *Message) Get(header string) string {
	if v := m.All(header); len(v) > 0 {
		return v[0]
	}
	return ""
}

// compact are the one-letter names (RFC 3261 §7.3.3, and the RFCs of the event, transfer, session
// timer and caller preference extensions).
var compact = map[string]string{
	"Via": "v", "From": "f", "To": "t", "Call-ID": "i", "Contact": "m", "Content-Length": "l",
	"Content-Type": "c", "Content-Encoding": "e",
	"Subject": "s", "Supported": "k", "Event": "o", "Allow-Events": "u", "Refer-To": "r",
	"Referred-By": "b", "Session-Expires": "x",
	"Accept-Contact": "a", "Reject-Contact": "j", "Request-Disposition": "d", "Identity": "y",
}

// Long is the long name of a header, in the spelling of the RFC where this package knows it.
func Long(name string) string {
	for long, short := range compact {
		if strings.EqualFold(name, short) || strings.EqualFold(name, long) {
			return long
		}
	}
	for _, known := range []string{"CSeq", "Max-Forwards", "Route", "Record-Route", "Require",
		"Proxy-Require", "Allow", "Accept", "User-Agent", "Server", "Expires",
		"Date", "Timestamp", "Organization", "Priority", "Warning", "Retry-After", "Authorization",
		"Proxy-Authenticate", "WWW-Authenticate", "Max-Breadth"} {
		if strings.EqualFold(name, known) {
			return known
		}
	}
	return name
}

// lists are the headers whose rows may be joined with commas, as far as this package splits them.
var lists = map[string]bool{
	"Via": true, "Route": true, "Record-Route": true, "Contact": true, "Supported": true,
	"Allow": true,
}

// Read takes a message apart without judging it. Lines may end in a bare LF.
func Read(b []byte) *Message {
	m := &Message{}
	text := string(b)
	cut := func() (line, whole string) {
		whole, text = text, ""
		if i := strings.IndexByte(whole, '\n'); i >= 0 {
			whole, text = whole[:i+1], whole[i+1:]
		}
		return strings.TrimRight(whole, "\r\n"), whole
	}
	m.Start, _ = cut()
	if after, ok := strings.CutPrefix(m.Start, "SIP/2.0 "); ok {
		for _, c := range after[:min(3, len(after))] {
			m.Status = 10*m.Status + int(c-'0')
		}
	} else if f := strings.Split(m.Start, " "); len(f) == 3 {
		m.Method, m.URI = f[0], f[1]
	}
	for text != "" {
		line, whole := cut()
		switch {
		case line == "":
			m.Body, text = text, ""
		case (line[0] == ' ' || line[0] == '\t') && len(m.Rows) > 0:
			m.Rows[len(m.Rows)-1].Line += whole
		default:
			m.Rows = append(m.Rows, Row{Line: whole})
		}
	}
	for i := range m.Rows {
		r := &m.Rows[i]
		name, value, _ := strings.Cut(r.Line, ":")
		r.Name = strings.TrimRight(name, " \t")
		r.Header = Long(r.Name)
		r.Values = []string{strings.Trim(value, " \t\r\n")}
		if lists[r.Header] {
			r.Values = Split(r.Values[0])
		}
	}
	return m
}

// Split takes a list apart at its commas outside of quotes and brackets.
func Split(list string) (values []string) {
	var quoted, escaped, bracketed bool
	from := 0
	for i := range len(list) {
		switch c := list[i]; {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"' && !bracketed:
			quoted = !quoted
		case quoted:
		case c == '<' || c == '>':
			bracketed = c == '<'
		case c == ',' && !bracketed:
			values = append(values, strings.Trim(list[from:i], " \t\r\n"))
			from = i + 1
		}
	}
	return append(values, strings.Trim(list[from:], " \t\r\n"))
}

// Params are the parameters of a value behind its name-addr or sent-by, in order, each without the
// white space around its parts: "branch=z9hG4bK1", "lr".
func Params(value string) (params []string) {
	var quoted, escaped, bracketed bool
	var b strings.Builder
	in := false
	for i := range len(value) {
		c := value[i]
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"' && !bracketed:
			quoted = !quoted
		case quoted:
		case c == '<' || c == '>':
			bracketed = c == '<'
			continue
		case c == ';' && !bracketed:
			if in {
				params = append(params, b.String())
			}
			b.Reset()
			in = true
			continue
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			continue
		}
		if in {
			b.WriteByte(c)
		}
	}
	if in {
		params = append(params, b.String())
	}
	return params
}

// Param is the value of a parameter; found tells whether it is there.
func Param(value, name string) (v string, found bool) {
	for _, p := range Params(value) {
		if n, v, _ := strings.Cut(p, "="); strings.EqualFold(n, name) {
			return v, true
		}
	}
	return "", false
}
