package parser

import (
	"bytes"
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
	ended, control                 bool // the headers end; control is told only then
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
	reValue = `[!#-+\--:=?-~\x{80}-\x{10FFFF}]+`
	reName  = `[!#-+\--:?-~\x{80}-\x{10FFFF}]+`
	reQuote = `"(?:[^"\\]|\\.)*"`
	reParam = `;` + reLWS + `(?:` + reName + `)` + reLWS + `(?:=` + reLWS + `(?:` + reQuote + `|` + reValue +
		`)?` + reLWS + `)?`
	reClean       = `[^\x00-\x08\x0a-\x1f\x7f"]|\r\n[ \t]`
	reCleanQuoted = `[^\x00-\x08\x0a-\x1f\x7f"\\]|\\[^\r\n]|\\?\r\n[ \t]`
	reHost        = `[A-Za-z0-9\-._]+|\[[^\]]*\]`
)

var (
	plainRequest  = regexp.MustCompile(`(?s)^(` + reToken + `) ([^ ]+) (?i:sip)/2\.0$`)
	plainOtherReq = regexp.MustCompile(`(?s)^(` + reToken + `) ([^ ]+) (?i:sip)/\d+\.\d+$`)
	plainVersion  = regexp.MustCompile(`^(?i:sip)/(\d+\.\d+) `)
	plainCode     = regexp.MustCompile(`(?s)^(\d+)(?: (.*))?$`)
	plainName     = regexp.MustCompile(`^(` + reToken + `)[ \t]*:`)
	plainOneParam = regexp.MustCompile(`(?s);` + reLWS + `(` + reName + `)` + reLWS + `(?:=` + reLWS + `(` +
		reQuote + `|` + reValue + `)?` + reLWS + `)?`)
	plainVia = regexp.MustCompile(`(?s)^(?i:sip)` + reLWS + `/` + reLWS + reToken + reLWS + `/` + reLWS +
		`(` + reToken + `)` + reLWS1 + `(` + reHost + `)(?:` + reLWS + `:` + reLWS + `(\d+))?` + reLWS + `((?:` +
		reParam + `)*)$`)
	plainBracketed = regexp.MustCompile(`(?s)^((?:` + reQuote + `|[^"<>;])*)<` + reLWS +
		`([^"<>\x00-\x1f\x7f]*[^"<>\x00-\x20\x7f])` + reLWS + `>` + reLWS + `((?:` + reParam + `|;` + reLWS + `(?:` +
		reName + reLWS + `=` + reLWS + `<(?:` + reValue + `)?>` + reLWS + `)?)*)$`)
	plainAddrSpec      = regexp.MustCompile(`(?s)^(` + reValue + `)` + reLWS + `((?:` + reParam + `|;` + reLWS + `)*)$`)
	plainTagInBrackets = regexp.MustCompile(`(?is);` + reLWS + `tag` + reLWS + `=` + reLWS + `<`)
	plainQuoted        = regexp.MustCompile(reQuote)
	plainListed        = regexp.MustCompile(`(?s)^(?:(?:` + reQuote + `|[^"])*,)?` + reLWS +
		`[A-Za-z][A-Za-z0-9+\-.]*:[^\x00-\x20,](?:` + reQuote + `|[^"])*,`)
	plainRow1    = regexp.MustCompile(`^(?s)[^\x00-\x08\x0a-\x1f\x7f]*\r\n`)
	plainRows    = regexp.MustCompile(`(?s)^(?:(?:` + reClean + `|"(?:` + reCleanQuoted + `)*(?:"|\\?))*\r\n)*$`)
	plainAnyURI  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+\-.]*:[!#-;=?-~]+$`)
	plainCSeq    = regexp.MustCompile(`(?s)^(\d+)` + reLWS1 + `(` + reToken + `)$`)
	plainDigits  = regexp.MustCompile(`^\d+$`)
	plainCallID  = regexp.MustCompile(`^[^\n]+$`)
	plainHost    = regexp.MustCompile(`^(?:` + reHost + `)$`)
	plainUser    = regexp.MustCompile("^[A-Za-z0-9\\-_.!~*'()&=+$,;?/%:\\[\\]#^|{}`\\\\]+$")
	plainURITail = regexp.MustCompile(`^([^:;?\[]*|\[[^\]]*\])(?::(\d+))?(;[!#-;=A-~]*)?(\?[!#-;=?-~]*)?$`)
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
	start := p
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
			m.bodyAt, m.ended = next, true
			// The line behind the start line is no fold, whatever it looks like: then the start
			// line has a folded row behind it.
			head := b[start:next]
			first := plainRow1.Find(head)
			m.control = first == nil || !plainRows.Match(head[len(first):])
			return m
		case line[0] == ' ' || line[0] == '\t':
			if p == m.headerStart {
				note(BadHeader)
			}
			if !open {
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
				// No header: left alone, unless it starts like one that forwarding goes by.
				word := regexp.MustCompile(`^(?:` + reToken + `)?`).FindString(string(line))
				switch plainKind(word) {
				case KindVia, KindFrom, KindTo, KindCallID, KindCSeq, KindMaxForwards, KindMaxBreadth, KindRoute,
					KindRecordRoute, KindContact,
					KindContentLength, KindProxyRequire:
					note(BadHeader)
				}
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
			m.rows = append(m.rows, plainRow{line: span(p, next), name: span(p, p+len(name)), value: span(i, max(i, j)),
				kind: plainKind(name)})
		}
		p = next
	}
}

// plainKind knows the names from the list itself.
func plainKind(name string) Kind {
	for k := KindOther + 1; k < NumKinds; k++ {
		for _, known := range headerNames[k] {
			if known != "" && strings.EqualFold(name, known) {
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

// plainSplit cuts a list value at its commas; ok is false if a quote or bracket does not end or an
// element is empty.
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

// plainParams reads a list that has already matched (reParam)*. A name given twice is given with
// its first value, and in doubled.
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
