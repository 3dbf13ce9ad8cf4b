package parser

import (
	"bytes"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// The plain reader: the same grammar as regular expressions, one line at a time, with strings.
// It is slow, and written for the reader; the fuzz tests hold the fast one against it.

type plainRow struct {
	line, name, value Span
	kind              Kind
	folded            bool
}

type plainMessage struct {
	raw                            []byte
	reason                         Reason
	isRequest                      bool
	method, uri, phrase            string
	status                         int
	headerStart, headerEnd, bodyAt int
	rows                           []plainRow
}

const (
	reLWS   = `(?:[ \t\n]|\r\n)*`
	reLWS1  = `(?:[ \t\n]|\r\n)+`
	reToken = "[A-Za-z0-9\\-.!%*_+`'~]+"
	reValue = `[!#-+\--:=?-~]+`
	reQuote = `"(?:[^"\\]|\\.)*"`
	reParam = `;` + reLWS + `(?:` + reToken + `)` + reLWS + `(?:=` + reLWS + `(?:` + reQuote + `|` + reValue + `)` + reLWS + `)?`
	reHost  = `[A-Za-z0-9\-._]+|\[[^\]]*\]`
)

var (
	plainRequest   = regexp.MustCompile(`(?s)^(` + reToken + `) ([^ ]+) (?i:sip)/2\.0$`)
	plainOtherReq  = regexp.MustCompile(`(?s)^(` + reToken + `) ([^ ]+) (?i:sip)/\d+\.\d+$`)
	plainVersion   = regexp.MustCompile(`^(?i:sip)/(\d+\.\d+) `)
	plainCode      = regexp.MustCompile(`(?s)^(\d+)(?: (.*))?$`)
	plainName      = regexp.MustCompile(`^(` + reToken + `)[ \t]*:`)
	plainOneParam  = regexp.MustCompile(`(?s);` + reLWS + `(` + reToken + `)` + reLWS + `(?:=` + reLWS + `(` + reQuote + `|` + reValue + `)` + reLWS + `)?`)
	plainVia       = regexp.MustCompile(`(?s)^(?i:sip)` + reLWS + `/` + reLWS + reToken + reLWS + `/` + reLWS + `(` + reToken + `)` + reLWS1 + `(` + reHost + `)(?:` + reLWS + `:` + reLWS + `(\d+))?` + reLWS + `((?:` + reParam + `)*)$`)
	plainBracketed = regexp.MustCompile(`(?s)^(?:(` + reQuote + `)` + reLWS + `|((?:` + reToken + reLWS + `)*))<([^>]*)>` + reLWS + `((?:` + reParam + `)*)$`)
	plainAddrSpec  = regexp.MustCompile(`(?s)^([!#-+\--:=?-~]+)` + reLWS + `((?:` + reParam + `)*)$`)
	plainAnyURI    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+\-.]*:[!#-;=?-~]+$`)
	plainCSeq      = regexp.MustCompile(`(?s)^(\d+)` + reLWS1 + `(` + reToken + `)$`)
	plainDigits    = regexp.MustCompile(`^\d+$`)
	plainVisible   = regexp.MustCompile(`^[!-~]+$`)
	plainHost      = regexp.MustCompile(`^(?:` + reHost + `)$`)
	plainUser      = regexp.MustCompile("^[A-Za-z0-9\\-_.!~*'()&=+$,;?/%:\\[\\]#^|{}`\\\\]+$")
	plainURITail   = regexp.MustCompile(`^([^:;?\[]*|\[[^\]]*\])(?::(\d+))?(;[!#-;=A-~]*)?(\?[!#-;=?-~]*)?$`)
)

// plainTrim drops linear white space at both ends of b[i:j].
func plainTrim(b []byte, i, j int) (int, int) {
	s := string(b[i:j])
	for {
		t := strings.TrimPrefix(strings.TrimLeft(s, " \t\n"), "\r\n")
		if t == s {
			break
		}
		s = t
	}
	i = j - len(s)
	for {
		t := strings.TrimRight(s, " \t")
		if lf := strings.TrimSuffix(t, "\n"); lf != t {
			t = strings.TrimSuffix(lf, "\r")
		}
		if t == s {
			return i, i + len(s)
		}
		s = t
	}
}

func plainParse(b []byte) *plainMessage {
	m := &plainMessage{raw: b, bodyAt: len(b)}
	if len(b) > MaxMessageBytes {
		m.reason = TooLarge
		return m
	}
	p := len(b) - len(bytes.TrimLeft(b, "\r\n"))
	if p == len(b) || len(bytes.Trim(b[p:], "\x00")) == 0 {
		m.reason = Empty
		return m
	}
	m.reason = OK
	note := func(r Reason) {
		if m.reason == OK {
			m.reason = r
		}
	}
	cut := func(p int) (line []byte, next int, whole bool) {
		lf := bytes.IndexByte(b[p:], '\n')
		if lf < 0 {
			return b[p:], len(b), false
		}
		return bytes.TrimSuffix(b[p:p+lf], []byte("\r")), p + lf + 1, true
	}
	line, p, _ := cut(p)
	note(m.startLine(string(line)))
	m.headerStart = p
	open := false // a fold may follow
	for {
		line, next, whole := cut(p)
		m.headerEnd = p
		switch {
		case !whole:
			note(NoHeaderEnd)
			return m
		case len(line) == 0:
			m.bodyAt = next
			return m
		case line[0] == ' ' || line[0] == '\t':
			if !open {
				note(BadHeader)
				break
			}
			r := &m.rows[len(m.rows)-1]
			r.folded = true
			r.line = span(int(r.line.Off), next)
			i, j := plainTrim(b, int(r.name.Off)+bytes.IndexByte(b[r.name.Off:], ':')+1, p+len(line))
			if i == j {
				// Nothing but white space: the place is a matter of taste.
				i = int(r.value.Off)
				j = i
			}
			r.value = span(i, j)
		default:
			match := plainName.FindSubmatch(line)
			if open = match != nil; !open {
				note(BadHeader)
				break
			}
			if len(m.rows) == MaxHeaders {
				note(TooManyHeaders)
				return m
			}
			name := string(match[1])
			i := p + len(match[0])
			i += len(b[i:p+len(line)]) - len(bytes.TrimLeft(b[i:p+len(line)], " \t"))
			j := p + len(bytes.TrimRight(b[p:p+len(line)], " \t"))
			m.rows = append(m.rows, plainRow{line: span(p, next), name: span(p, p+len(name)), value: span(i, max(i, j)), kind: plainKind(name)})
		}
		p = next
	}
}

// plainKind knows the names from the list itself.
func plainKind(name string) Kind {
	for k := KindOther + 1; k < NumKinds; k++ {
		for _, known := range headerNames[k] {
			if known != "" && strings.ToLower(name) == strings.ToLower(known) {
				return k
			}
		}
	}
	return KindOther
}

func (m *plainMessage) startLine(line string) Reason {
	if len(line) >= 4 && strings.EqualFold(line[:4], "sip/") {
		v := plainVersion.FindStringSubmatch(line)
		if v == nil {
			return BadStatusLine
		}
		if v[1] != "2.0" {
			return BadVersion
		}
		c := plainCode.FindStringSubmatch(line[len(v[0]):])
		if c == nil {
			return BadStatusLine
		}
		m.phrase = c[2]
		if n, _ := strconv.Atoi(c[1]); len(c[1]) == 3 && n >= MinStatus && n <= MaxStatus {
			m.status = n
			return OK
		}
		return BadStatusCode
	}
	m.isRequest = true
	if r := plainRequest.FindStringSubmatch(line); r != nil {
		m.method, m.uri = r[1], r[2]
		return OK
	}
	if r := plainOtherReq.FindStringSubmatch(line); r != nil {
		m.method, m.uri = r[1], r[2]
		return BadVersion
	}
	m.method = regexp.MustCompile(`^(?:` + reToken + `)?`).FindString(line)
	return BadRequestLine
}

func (m *plainMessage) of(k Kind) (rows []plainRow) {
	for _, r := range m.rows {
		if r.kind == k {
			rows = append(rows, r)
		}
	}
	return rows
}

// plainSplit cuts a list value at its commas; ok is false if a quote or bracket does not end or an element is empty.
func plainSplit(v string) (values []string, ok bool) {
	var quoted, escaped, angle bool
	start := 0
	for i := range len(v) {
		switch c := v[i]; {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case quoted:
			quoted = c != '"'
		case angle:
			angle = c != '>'
		case c == '"':
			quoted = true
		case c == '<':
			angle = true
		case c == ',':
			values = append(values, v[start:i])
			start = i + 1
		}
	}
	values = append(values, v[start:])
	for i := range values {
		a, e := plainTrim([]byte(values[i]), 0, len(values[i]))
		values[i] = values[i][a:e]
		if a == e {
			return values[:i], false
		}
	}
	if quoted || angle {
		return values[:len(values)-1], false
	}
	return values, true
}

// plainParams reads a list that has already matched (reParam)*. A name given twice is given with its first value, and in doubled.
func plainParams(s string) (params map[string]string, doubled map[string]bool) {
	params, doubled = map[string]string{}, map[string]bool{}
	for _, p := range plainOneParam.FindAllStringSubmatch(s, -1) {
		name := strings.ToLower(p[1])
		if _, ok := params[name]; ok {
			doubled[name] = true
			continue
		}
		params[name] = p[2]
	}
	return params, doubled
}

type plainViaValue struct {
	transport, host, branch, received, maddr string
	port, rport, ttl                         int
	hasRPort                                 bool
}

func plainParseVia(s string) (v plainViaValue, ok bool) {
	f := plainVia.FindStringSubmatch(s)
	if f == nil {
		return v, false
	}
	v.transport, v.host = f[1], f[2]
	if !plainIsHost(v.host) {
		return v, false
	}
	if f[3] != "" {
		n, err := strconv.ParseUint(f[3], 10, 16)
		if err != nil || n == 0 {
			return v, false
		}
		v.port = int(n)
	}
	p, doubled := plainParams(f[4])
	for _, name := range []string{"branch", "received", "maddr", "rport"} {
		value, has := p[name]
		if doubled[name] || has && value == "" && name != "rport" {
			return v, false
		}
	}
	v.branch, v.received, v.maddr = p["branch"], p["received"], p["maddr"]
	rport, has := p["rport"]
	if v.hasRPort = has; rport != "" {
		n, err := strconv.ParseUint(rport, 10, 16)
		if err != nil || n == 0 || !plainDigits.MatchString(rport) {
			return v, false
		}
		v.rport = int(n)
	}
	for _, q := range plainOneParam.FindAllStringSubmatch(f[4], -1) {
		if strings.EqualFold(q[1], "ttl") {
			n, err := strconv.ParseUint(q[2], 10, 8)
			if err != nil || !plainDigits.MatchString(q[2]) {
				return v, false
			}
			v.ttl = int(n)
		}
	}
	return v, true
}

func plainIsHost(h string) bool {
	if !plainHost.MatchString(h) {
		return false
	}
	if h[0] != '[' {
		return true
	}
	ip, err := netip.ParseAddr(h[1 : len(h)-1])
	return err == nil && ip.Is6() && ip.Zone() == ""
}

type plainNameAddrValue struct {
	display, uri, tag string
	bracket           bool
}

func plainParseNameAddr(s string) (a plainNameAddrValue, ok bool) {
	var params string
	if f := plainBracketed.FindStringSubmatch(s); f != nil {
		_, e := plainTrim([]byte(f[1]+f[2]), 0, len(f[1]+f[2]))
		a = plainNameAddrValue{display: (f[1] + f[2])[:e], uri: f[3], bracket: true}
		params = f[4]
	} else if f := plainAddrSpec.FindStringSubmatch(s); f != nil {
		a.uri = f[1]
		params = f[2]
	} else {
		return a, false
	}
	if !plainAnyURI.MatchString(a.uri) {
		return a, false
	}
	p, doubled := plainParams(params)
	tag, has := p["tag"]
	if has && tag == "" || doubled["tag"] {
		return a, false
	}
	a.tag = tag
	return a, true
}

type plainURIValue struct {
	scheme, user, password, host, params, headers string
	port                                          int
	hasHeaders                                    bool
}

func plainParseURI(s string) (u plainURIValue, ok bool) {
	if !plainAnyURI.MatchString(s) && !strings.Contains(s, "@") {
		return u, false
	}
	scheme, rest, found := strings.Cut(s, ":")
	if !found || !plainAnyURI.MatchString(scheme+":x") {
		return u, false
	}
	u.scheme = strings.ToLower(scheme)
	switch u.scheme {
	case "sip", "sips":
	case "tel":
		number, params, semi := strings.Cut(rest, ";")
		u.user = number
		if semi {
			u.params = ";" + params
		}
		return u, number != "" && plainAnyURI.MatchString(s)
	default:
		return u, plainAnyURI.MatchString(s)
	}
	if user, hostport, at := strings.Cut(rest, "@"); at {
		rest = hostport
		var colon bool
		if !plainUser.MatchString(user) {
			return u, false
		}
		if u.user, u.password, colon = strings.Cut(user, ":"); colon && u.user == "" {
			return u, false
		}
	}
	if strings.Contains(rest, "@") {
		return u, false
	}
	f := plainURITail.FindStringSubmatch(rest)
	if f == nil || !plainIsHost(f[1]) {
		return u, false
	}
	u.host, u.params = f[1], f[3]
	if f[2] != "" {
		n, err := strconv.ParseUint(f[2], 10, 16)
		if err != nil || n == 0 {
			return u, false
		}
		u.port = int(n)
	}
	if u.hasHeaders = f[4] != ""; u.hasHeaders {
		u.headers = f[4][1:]
	}
	return u, true
}

// check is what Check must say.
func (m *plainMessage) check() Reason {
	text := func(r plainRow) string { return string(r.value.Of(m.raw)) }
	single := func(k Kind, missing Reason, good func(v string) bool) Reason {
		rows := m.of(k)
		switch {
		case len(rows) == 0:
			return missing
		case len(rows) > 1:
			return missing + 1
		case !good(text(rows[0])):
			return missing + 2
		}
		return OK
	}
	vias := m.of(KindVia)
	if len(vias) == 0 {
		return MissingVia
	}
	top, ok := m.topVia()
	if !ok {
		return BadVia
	}
	if r := single(KindCallID, MissingCallID, plainVisible.MatchString); r != OK {
		return r
	}
	var method string
	r := single(KindCSeq, MissingCSeq, func(v string) bool {
		f := plainCSeq.FindStringSubmatch(v)
		if f == nil {
			return false
		}
		method = f[2]
		_, err := strconv.ParseUint(f[1], 10, 32)
		return err == nil
	})
	if r != OK {
		return r
	}
	if m.isRequest && method != m.method {
		return CSeqMethodMismatch
	}
	nameAddr := func(v string) bool { _, ok := plainParseNameAddr(v); return ok }
	if r := single(KindFrom, MissingFrom, nameAddr); r != OK {
		return r
	}
	if r := single(KindTo, MissingTo, nameAddr); r != OK {
		return r
	}
	if m.isRequest {
		mf := m.of(KindMaxForwards)
		if len(mf) > 1 {
			return DoubledMaxForwards
		}
		if len(mf) == 1 {
			if n, err := strconv.ParseUint(text(mf[0]), 10, 64); err != nil || n > 255 || !plainDigits.MatchString(text(mf[0])) {
				return BadMaxForwards
			}
		}
		u, ok := plainParseURI(m.uri)
		if !ok {
			return BadRequestURI
		}
		if u.hasHeaders {
			return RequestURIHeaders
		}
		if top.branch == "z9hG4bK" {
			return EmptyBranch
		}
	}
	length := -1
	for _, row := range m.of(KindContentLength) {
		n, err := strconv.ParseUint(text(row), 10, 31)
		if err != nil || !plainDigits.MatchString(text(row)) {
			return BadContentLength
		}
		if length >= 0 && length != int(n) {
			return ContentLengthDiffers
		}
		length = int(n)
	}
	if length > len(m.raw)-m.bodyAt {
		return ShortBody
	}
	return OK
}

// topVia reads the first value of the first Via row: it has to be well formed, and so has the comma behind it.
func (m *plainMessage) topVia() (plainViaValue, bool) {
	v := string(m.of(KindVia)[0].value.Of(m.raw))
	values, ok := plainSplit(v)
	if len(values) == 0 {
		return plainViaValue{}, false
	}
	if len(values) == 1 && !ok {
		// Something is wrong behind the first value. If it is more than an empty element or the end, the
		// second value only is malformed, which is nobody's business yet.
		_, rest, _ := strings.Cut(v[strings.Index(v, values[0])+len(values[0]):], ",")
		a, e := plainTrim([]byte(rest), 0, len(rest))
		if a == e || rest[a] == ',' {
			return plainViaValue{}, false
		}
	}
	return plainParseVia(values[0])
}
