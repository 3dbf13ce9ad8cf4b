package balance

import (
	"fmt"
	"strconv"
	"strings"

	"viaduct/transport"
)

// The file, one target a line, columns separated by blanks and tabs, the last three optional:
//
//	setid  uri                            flags  priority  attrs
//	1      sip:192.0.2.10:5060            0      10        weight=50;duid=a
//	1      sip:[2001:db8::1];transport=udp 0x8   5         # probed
//
// flags is decimal or 0x hexadecimal. A # begins a comment except inside attrs, where Kamailio
// takes it as text. Where Kamailio skips a bad line with a warning, or reads a wrong column as 0,
// we report an error: half a destination set is found out at the next busy hour.

// LineError is one thing wrong in the file.
type LineError struct {
	File string
	Line int // from 1
	Col  int // in bytes, from 1
	Text string
}

// Error gives file:line:col: text.
func (e *LineError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Text)
}

// Errors is everything wrong in the file, in file order.
type Errors struct {
	List []*LineError // at most MaxErrors
	More int          // further errors that are not in List
}

// Error gives one error a line.
func (e *Errors) Error() string {
	var b strings.Builder
	for i, le := range e.List {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(le.Error())
	}
	if e.More > 0 {
		fmt.Fprintf(&b, "\nand %d more errors", e.More)
	}
	return b.String()
}

// Unwrap gives the single errors.
func (e *Errors) Unwrap() []error {
	errs := make([]error, len(e.List))
	for i, le := range e.List {
		errs[i] = le
	}
	return errs
}

// reader parses one file.
type reader struct {
	name    string
	errs    Errors
	targets []*Target
	line    int
}

func (r *reader) fail(col int, format string, args ...any) {
	r.failAt(r.line, col, format, args...)
}

func (r *reader) failAt(line, col int, format string, args ...any) {
	if len(r.errs.List) == MaxErrors {
		r.errs.More++
		return
	}
	r.errs.List = append(r.errs.List,
		&LineError{File: r.name, Line: line, Col: col, Text: fmt.Sprintf(format, args...)})
}

func (r *reader) read(text string) {
	// editors on Windows write it; it means nothing in UTF-8
	text = strings.TrimPrefix(text, "\ufeff")
	for line := range strings.Lines(text) {
		r.line++
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if len(line) > MaxLineBytes {
			r.fail(MaxLineBytes+1, "line of %d bytes: shorten it to %d", len(line), MaxLineBytes)
			continue
		}
		if i := strings.IndexFunc(line, func(c rune) bool {
			return c < ' ' && c != '\t' || c == 0x7f
		}); i >= 0 {
			r.fail(i+1, "control character %#02x: remove it", line[i])
			continue
		}
		if t := r.target(line); t != nil {
			if len(r.targets) == MaxTargets {
				r.fail(1, "more than %d targets: split the file between instances", MaxTargets)
				return
			}
			r.targets = append(r.targets, t)
		}
	}
}

// column cuts the next column off line at pos: its text, its offset, and where to go on. Text is
// empty at the end of the line and at a comment.
func column(line string, pos int) (text string, at, next int) {
	for pos < len(line) && (line[pos] == ' ' || line[pos] == '\t') {
		pos++
	}
	end := pos
	for end < len(line) && line[end] != ' ' && line[end] != '\t' && line[end] != '#' {
		end++
	}
	return line[pos:end], pos, end
}

// target parses a line. It returns nil if it is empty, a comment, or bad (then reported).
func (r *reader) target(line string) *Target {
	set, at, pos := column(line, 0)
	if set == "" {
		return nil
	}
	before := len(r.errs.List) + r.errs.More
	t := &Target{Line: r.line}
	id, err := strconv.ParseUint(set, 10, 31)
	if err != nil {
		r.fail(at+1, "%s is not a set id: write a number from 0 to %d", quote(set), MaxSetID)
	}
	t.SetID = int(id)

	uri, at, pos := column(line, pos)
	if uri == "" {
		r.fail(at+1, "the URI is missing: write set id, URI, flags, priority, attributes")
		return nil
	}
	t.URI = uri
	if off, advice := t.setURI(uri); advice != "" {
		r.fail(at+off+1, "%s", advice)
	}

	if flags, at, next := column(line, pos); flags != "" {
		pos = next
		t.Flags = r.flags(flags, at)
	}
	if prio, at, next := column(line, pos); prio != "" {
		pos = next
		n, err := strconv.ParseInt(prio, 10, 64)
		if err != nil || n > MaxPriority || n < -MaxPriority {
			r.fail(at+1, "%s is not a priority: write a whole number, higher comes first%s",
				quote(prio), misplaced(prio, "0"))
		}
		t.Priority = int(n)
	}

	// Attributes run to the next blank; a # in them is text.
	attrs, at, _ := column(line, pos)
	if at < len(line) && (attrs != "" || line[at] != '#') {
		attrs, _, _ = strings.Cut(line[at:], " ")
		attrs, _, _ = strings.Cut(attrs, "\t")
		pos = at + len(attrs)
		if extra, at, _ := column(line, pos); extra != "" {
			r.fail(at+1, "unexpected %s: the attributes end at the first blank; write them "+
				"without blanks", quote(extra))
		}
	} else {
		attrs = ""
	}
	r.attrs(attrs, at, &t.Attrs)
	if len(r.errs.List)+r.errs.More != before {
		return nil
	}
	return t
}

// misplaced adds the likeliest cause to an error about a number column.
func misplaced(text, zeros string) string {
	if strings.Contains(text, "=") {
		return "; attributes are the fifth column: write " + quote(zeros+" "+text)
	}
	return ""
}

func (r *reader) flags(s string, at int) State {
	digits, base := s, 10
	if rest, ok := strings.CutPrefix(strings.ToLower(s), "0x"); ok {
		digits, base = rest, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil {
		r.fail(at+1, "%s is not a flags number: write a decimal or 0x number%s", quote(s),
			misplaced(s, "0 0"))
		return 0
	}
	if unknown := n &^ uint64(StateMask); unknown != 0 {
		r.fail(at+1, "flags %s: %d is unknown; add up 1 inactive, 2 trying, 4 disabled, 8 "+
			"probing, 16 no DNS, 32 no ping", s, unknown)
	}
	return State(n) & StateMask
}

// attrs parses the fifth column, which begins at offset at.
func (r *reader) attrs(body string, at int, a *Attrs) {
	*a = Attrs{Body: body, Weight: 1, OCMax: 100}
	for len(body) > 0 {
		end := attrEnd(body)
		r.attr(body[:end], at, a)
		skip := min(end+1, len(body))
		body, at = body[skip:], at+skip
	}
	if a.OCMin > a.OCMax {
		r.fail(at+1, "ocmin=%d is above ocmax=%d", a.OCMin, a.OCMax)
	}
}

// attrEnd finds the semicolon that ends the first attribute; one inside quotes does not.
func attrEnd(s string) int {
	quoted := false
	for i := range len(s) {
		switch s[i] {
		case '"':
			quoted = !quoted
		case ';':
			if !quoted {
				return i
			}
		}
	}
	return len(s)
}

func (r *reader) attr(s string, at int, a *Attrs) {
	name, value, _ := strings.Cut(s, "=")
	valueAt := at + len(name) + 1
	if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
		value, valueAt = value[1:n-1], valueAt+1
	}
	number := func(to *int, low, high int) bool {
		n, err := strconv.Atoi(value)
		if err != nil || n < low || n > high {
			r.fail(valueAt+1, "%s=%s: write a number from %d to %d", name, value, low, high)
			return false
		}
		*to = n
		return true
	}
	socket := func(to *string) {
		if advice := checkSocket(value); advice != "" {
			r.fail(valueAt+1, "%s: %s", name, advice)
		}
		*to = value
	}
	uri := func(to *string) *Target {
		t := new(Target)
		if off, advice := t.setURI(value); advice != "" {
			r.fail(valueAt+off+1, "%s: %s", name, advice)
		}
		*to = value
		return t
	}
	switch strings.ToLower(name) {
	case "duid":
		a.DUID = value
	case "maxload":
		number(&a.MaxLoad, 0, 1<<31-1)
	case "weight":
		a.HasWeight = number(&a.Weight, 0, MaxWeight)
	case "rweight":
		number(&a.RWeight, 1, 100)
	case "socket":
		socket(&a.Socket)
	case "sockname":
		a.SocketName = value
	case "ping_socket":
		socket(&a.PingSocket)
	case "ping_from":
		uri(&a.PingFrom)
	case "obproxy":
		a.proxy = uri(&a.OBProxy)
	case "latency":
		number(&a.LatencyMs, 0, 1<<31-1)
	case "ocmin":
		number(&a.OCMin, 0, 100)
	case "ocmax":
		number(&a.OCMax, 1, 100)
	case "ocrate":
		number(&a.OCRate, 0, 100)
	case "cc":
		number(&a.CC, 0, 1)
	case "connect_timeout":
		number(&a.ConnectTimeoutMs, 1, 600000)
	case "send_timeout":
		number(&a.SendTimeoutMs, 1, 600000)
	}
}

// checkSocket wants proto:host:port or proto:host, as in a listen line.
func checkSocket(s string) (advice string) {
	const form = "write proto:host:port as in the listen line, for example udp:192.0.2.1:5060"
	proto, rest, ok := strings.Cut(s, ":")
	if _, known := transport.Named(proto); !ok || !known {
		return quote(s) + " is not a socket: " + form
	}
	if _, advice := new(Target).setHostPort(rest); advice != "" {
		return advice + "; " + form
	}
	return ""
}
