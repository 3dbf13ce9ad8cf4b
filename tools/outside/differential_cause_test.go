package outside

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"viaduct/tools/messages"
)

// A difference is traced to its causes by playing the story again with more and more in our
// messages spelt plainly, until the difference goes away.

// aspects are the things, from the least to the whole.
var aspects = []struct {
	name string
	of   func(r *messages.Row)
}{
	{"the spelling of the name", func(r *messages.Row) { r.Line = r.Header + ":" + afterColon(r.Line) }},
	{"white space behind the colon",
		func(r *messages.Row) { r.Line = r.Header + ": " + strings.TrimLeft(afterColon(r.Line), " \t\r\n") }},
	{"a fold", func(r *messages.Row) { r.Line = outsideQuotes(r.Line, foldRun, " ") + "\r\n" }},
	{"white space at a separator",
		func(r *messages.Row) { r.Line = outsideQuotes(r.Line, blanksAround, "$1") + "\r\n" }},
	{"an apostrophe that begins a value",
		func(r *messages.Row) { r.Line = outsideQuotes(r.Line, apostrophe, "${1}x") + "\r\n" }},
	{"a quoted pair", func(r *messages.Row) { r.Line = inQuotes(r.Line, quotedPair, "x") }},
	{"letters beyond ASCII", func(r *messages.Row) { r.Line = inQuotes(r.Line, beyondASCII, "x") }},
	{"an empty quoted string", func(r *messages.Row) { r.Line = inQuotes(r.Line, emptyQuotes, `"q"`) }},
	{"punctuation in a quoted string", func(r *messages.Row) { r.Line = inQuotes(r.Line, punctuation, "x") }},
	{"a quoted string", func(r *messages.Row) { r.Line = quotedRun.ReplaceAllString(r.Line, `"q"`) }},
	{"a display name of tokens", func(r *messages.Row) { r.Line = tokensRun.ReplaceAllString(r.Line, "$1 <") }},
	{"a password", func(r *messages.Row) { r.Line = passwordRun.ReplaceAllString(r.Line, "$1@") }},
	{"a user part", func(r *messages.Row) { r.Line = userRun.ReplaceAllString(r.Line, "${1}bob@") }},
	{"several values in a row", func(r *messages.Row) {
		r.Line = r.Header + ": " + strings.Join(r.Values, "\r\n"+r.Header+": ") + "\r\n"
	}},
	{"parameters", func(r *messages.Row) { r.Line = genericParams.ReplaceAllString(r.Line, "") }},
	{"an address without brackets", func(r *messages.Row) {
		if i := strings.Index(r.Line, "sip"); i > 0 && !strings.Contains(r.Line, "<") {
			r.Line = bareURI.ReplaceAllString(r.Line, "<$1>")
		}
	}},
	{"all of it", func(r *messages.Row) { r.Line = plainRow(r) }},
	{"its presence", func(r *messages.Row) { r.Line = "" }},
}

var (
	foldRun       = regexp.MustCompile(`[ \t]*\r\n[ \t]+`)
	blanksAround  = regexp.MustCompile(`[ \t\r\n]*([;=,/<])[ \t\r\n]*`)
	quotedRun     = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	apostrophe    = regexp.MustCompile(`(=\s*)'`)
	quotedPair    = regexp.MustCompile(`\\.`)
	beyondASCII   = regexp.MustCompile(`[^\x00-\x7f]+`)
	emptyQuotes   = regexp.MustCompile(`^""$`)
	punctuation   = regexp.MustCompile(`[<>,;]`)
	tokensRun     = regexp.MustCompile(`([:,])[^",<;]*<`)
	passwordRun   = regexp.MustCompile(`(?i)(sips?:[^@:>]*):[^@>]*@`)
	userRun       = regexp.MustCompile(`(?i)(sips?:)[^@>]*@`)
	genericParams = regexp.MustCompile(`\s*;\s*(?:x|foo|a\.b|reg-id|x-y_z|\+sip\.instance|N)\d+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]+))?`)
	bareURI       = regexp.MustCompile(`(sips?:[^;,\s]+)`)
)

func afterColon(line string) string { _, after, _ := strings.Cut(line, ":"); return after }

// outsideQuotes replaces in what stands outside of quoted strings, the last line end aside.
func outsideQuotes(line string, re *regexp.Regexp, with string) string {
	line = strings.TrimSuffix(line, "\r\n")
	var b strings.Builder
	for {
		q := quotedRun.FindStringIndex(line)
		if q == nil {
			return b.String() + re.ReplaceAllString(line, with)
		}
		b.WriteString(re.ReplaceAllString(line[:q[0]], with) + line[q[0]:q[1]])
		line = line[q[1]:]
	}
}

// inQuotes replaces in the quoted strings.
func inQuotes(line string, re *regexp.Regexp, with string) string {
	return quotedRun.ReplaceAllStringFunc(line, func(q string) string { return re.ReplaceAllString(q, with) })
}

// plainRow is the row as an everyday user agent would write it.
func plainRow(r *messages.Row) string {
	v := strings.Join(r.Values, ", ")
	v = outsideQuotes(v, foldRun, " ")
	v = outsideQuotes(v, blanksAround, "$1")
	switch r.Header {
	case "From", "To":
		plain := "<sip:bob@example.com>"
		if tag, ok := messages.Param(v, "tag"); ok {
			plain += ";tag=" + tag
		}
		v = plain
	case "Call-ID":
		v = regexp.MustCompile(`^d\d+r\d+x`).FindString(v)
	case "Contact":
		v = "<sip:bob@example.com>"
	case "Max-Forwards", "CSeq":
		v = strings.Join(strings.Fields(v), " ")
		if n := len(v) - 1; n > 0 {
			v = strings.TrimLeft(v[:n], "0") + v[n:]
		}
	case "Via", "Route", "Record-Route", "Content-Length":
		v = genericParams.ReplaceAllString(quotedRun.ReplaceAllString(v, `"q"`), "")
	case "Content-Type":
		v = "text/plain"
	default:
		v = "plain"
	}
	return r.Header + ": " + v + "\r\n"
}

// causes names what makes the difference of that name in the story, each with the difference: "…
// [Via: a quoted pair]". A row is a cause if it makes the difference while all others of its
// message are plain; there may be several.
func (d *differential) causes(seed uint64, name string) (all []string) {
	d.t.Helper()
	found := d.found
	defer func() { d.change, d.found = nil, found }()
	shows := func(change func(n int, m *messages.Message)) bool {
		d.change = change
		d.play(seed)
		_, shows := d.found[name]
		return shows
	}
	if !shows(nil) {
		return []string{name + " [not every time]"}
	}
	total := d.made
	for which := range total {
		var headers []string
		// keep plays the story with the message plain but for the rows of one header ("": the start
		// line), of which one aspect may be plain too.
		keep := func(header string, of func(r *messages.Row)) bool {
			return shows(func(i int, m *messages.Message) {
				if i != which {
					return
				}
				for j := range m.Rows {
					r := &m.Rows[j]
					if !slices.Contains(headers, r.Header) {
						headers = append(headers, r.Header)
					}
					switch {
					case r.Header != header:
						r.Line = plainRow(r)
					case of != nil:
						of(r)
					}
				}
				if header != "" {
					d.plainStart(m)
				}
			})
		}
		if keep("no header", nil) {
			continue // it is not this message
		}
		if keep("", nil) {
			all = append(all, name+" [the start line]")
		}
		for _, h := range slices.Clone(headers) {
			if !keep(h, nil) {
				continue
			}
			what := "all of it"
			for _, a := range aspects {
				if !keep(h, a.of) {
					what = a.name
					break
				}
			}
			all = append(all, fmt.Sprintf("%s [%s: %s]", name, h, what))
		}
		if len(all) == 0 {
			all = append(all, name+" [several rows together]")
		}
		return all
	}
	return []string{name}
}

// plainStart takes what is optional out of the Request-URI.
func (d *differential) plainStart(m *messages.Message) {
	if m.Status > 0 {
		m.Start = fmt.Sprintf("SIP/2.0 %d OK", m.Status)
		return
	}
	uri := strings.ToLower(m.URI[:4]) + m.URI[4:]
	if scheme, rest, ok := strings.Cut(uri, ":"); ok && strings.Contains(rest, "@") {
		uri = scheme + ":bob@" + rest[strings.LastIndexByte(rest, '@')+1:]
	}
	uri, _, _ = strings.Cut(uri, ";")
	m.URI = uri
	m.Start = m.Method + " " + uri + " SIP/2.0"
}
