package outside

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"viaduct/tools/messages"
)

// same compares what both proxies sent since the last step. False: they went different ways, and
// the story is over.
func (d *differential) same(step string) bool {
	v, k := d.both[0], d.both[1]
	together := true
	for _, end := range []struct {
		name string
		v, k []*messages.Message
	}{{"caller", v.got.caller, k.got.caller}, {"callee", v.got.callee, k.got.callee}} {
		if a, b := outline(end.v), outline(end.k); a != b {
			d.differ(fmt.Sprintf("outcome: after %s the %s gets %s of Viaduct, %s of Kamailio", step, end.name, a, b),
				"%s\n--- of Viaduct:\n%s--- of Kamailio:\n%s--- the request:\n%s", end.name, texts(end.v), texts(end.k),
				d.both[0].req.Bytes())
			together = false
			continue
		}
		for i := range end.v {
			d.compare(end.v[i], end.k[i])
		}
	}
	return together
}

// outline is what arrived in words: methods and codes.
func outline(all []*messages.Message) string {
	if len(all) == 0 {
		return "nothing"
	}
	var words []string
	for _, m := range all {
		if m.Status > 0 {
			words = append(words, fmt.Sprint(m.Status))
		} else if slices.Contains(messages.Methods, m.Method) && m.Method != "INVITE" {
			words = append(words, "the request")
		} else {
			words = append(words, m.Method)
		}
	}
	return strings.Join(words, " and ")
}

func texts(all []*messages.Message) (s string) {
	for _, m := range all {
		s += string(m.Bytes()) + "\n"
	}
	return s
}

var theirBranch = regexp.MustCompile(`(SIP/2\.0/UDP PROXY[^,]*?;branch=)z9hG4bK[^;,\s]+`)

// normal makes equal what may differ by right: each proxy's address, the branch of its Via
// (§8.1.1.7: unique, otherwise its own business), the tag it adds to To, and its Server row.
func (d *differential) normal(c *contender, m *messages.Message) (start string, rows []string) {
	own := m.Status > 0 && c.own(m)
	for _, r := range m.Rows {
		if own && r.Header == "Server" {
			continue
		}
		line := strings.ReplaceAll(r.Line, c.addr.String(), "PROXY")
		if r.Header == "Via" {
			line = theirBranch.ReplaceAllString(line, "${1}ITS")
		}
		if own && r.Header == "To" {
			if tag, _ := messages.Param(r.Values[0], "tag"); tag != "" && !strings.Contains(c.req.Get("To"), tag) {
				line = strings.Replace(line, tag, "ITS", 1)
			}
		}
		rows = append(rows, line)
	}
	return strings.ReplaceAll(m.Start, c.addr.String(), "PROXY"), rows
}

// own tells whether a response was made by the proxy: what comes while the request has not gone on,
// a 100, and what answers a CANCEL.
func (c *contender) own(m *messages.Message) bool {
	return c.fwd == nil || m.Status == 100 || strings.HasSuffix(m.Get("CSeq"), "CANCEL")
}

// compare puts the differences of two messages of the same outline into classes.
func (d *differential) compare(v, k *messages.Message) {
	kind := "a forwarded request"
	if v.Status == 500 && d.status == 503 {
		d.differ("a 503: Viaduct makes its status 500, Kamailio writes a 500 of its own",
			"\n--- of Viaduct:\n%s\n--- of Kamailio:\n%s", v.Bytes(), k.Bytes())
		return
	}
	switch {
	case v.Status > 0 && d.both[0].own(v):
		kind = "its own response"
	case v.Status > 0:
		kind = "a forwarded response"
	case v.Method == "CANCEL" || v.Method == "ACK" && d.both[0].req.Method == "INVITE":
		kind = "its own " + v.Method
	}
	example := func() string { return fmt.Sprintf("\n--- of Viaduct:\n%s\n--- of Kamailio:\n%s", v.Bytes(), k.Bytes()) }
	vStart, vRows := d.normal(d.both[0], v)
	kStart, kRows := d.normal(d.both[1], k)
	if vStart != kStart {
		name := kind + ": the start line differs"
		if v.Status > 0 && v.Status == k.Status {
			name = kind + ": the reason phrase differs"
		}
		d.differ(name, "%q and %q%s", vStart, kStart, example())
	}
	if v.Body != k.Body {
		d.differ(kind+": the body differs", "%q and %q%s", v.Body, k.Body, example())
	}
	if slices.Equal(vRows, kRows) {
		return
	}
	for _, h := range headers(v, k) {
		d.compareHeader(kind, h, v, k, vRows, kRows, example)
	}
	if a, b := slices.Sorted(slices.Values(vRows)), slices.Sorted(slices.Values(kRows)); slices.Equal(a, b) {
		d.differ(kind+": rows of different headers stand in another order", "%s", example())
	}
}

// headers are the long names of all rows of both, each once.
func headers(v, k *messages.Message) (all []string) {
	for _, m := range []*messages.Message{v, k} {
		for _, r := range m.Rows {
			if !slices.Contains(all, r.Header) {
				all = append(all, r.Header)
			}
		}
	}
	return all
}

// compareHeader compares the rows of one header.
func (d *differential) compareHeader(kind, header string, v, k *messages.Message, vRows, kRows []string,
	example func() string) {
	pick := func(rows []string) (lines []string, values string) {
		for _, line := range rows {
			r := messages.Read([]byte("\r\n" + line + "\r\n")).Rows[0]
			if r.Header == header {
				lines = append(lines, line)
				for _, value := range r.Values {
					values += strings.Join(strings.Fields(value), " ") + "\n"
				}
			}
		}
		return lines, values
	}
	vLines, vValues := pick(vRows)
	kLines, kValues := pick(kRows)
	name := ""
	switch {
	case slices.Equal(vLines, kLines):
		return
	case header == "Via" && sortedParams(vValues) == sortedParams(kValues):
		name = "Via has received or rport at another place"
	case header == "Via" && withoutOurs(vValues) == withoutOurs(kValues):
		name = "Kamailio adds received to another value of the Via row"
	case len(vLines) == 0:
		name = "only Kamailio's has " + header
	case len(kLines) == 0:
		name = "only Viaduct's has " + header
	case vValues == kValues:
		name = header + " has the same values, otherwise written"
	case len(vLines) != len(kLines) && len(strings.Split(vValues, "\n")) != len(strings.Split(kValues, "\n")):
		name = header + " has another number of values"
	default:
		name = header + " has another value"
	}
	if strings.HasPrefix(kind, "its own") && strings.HasPrefix(name, "only Viaduct's") && header != "Content-Length" &&
		header != "Timestamp" {
		name = "Kamailio's lacks a row"
	}
	d.differ(kind+": "+name, "\nViaduct:  %q\nKamailio: %q%s", vLines, kLines, example())
}

var ourParams = regexp.MustCompile(`;(?:received|rport)(?:=[0-9a-f.:]*)?`)

func withoutOurs(values string) string {
	return ourParams.ReplaceAllString(strings.Join(strings.Fields(values), ""), "")
}

// sortedParams writes each value with its parameters in order, however they are spaced.
func sortedParams(values string) string {
	var b strings.Builder
	for _, v := range strings.Split(values, "\n") {
		head, _, _ := strings.Cut(v, ";")
		params := messages.Params(v)
		slices.Sort(params)
		fmt.Fprintf(&b, "%s;%s\n", strings.TrimSpace(head), strings.Join(params, ";"))
	}
	return b.String()
}
