package parser

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// verdicts lists what this package says about each message of RFC 4475 that a proxy does not simply
// forward: the Reason of Parse, else of Check. A message that is not listed gives OK.
var verdicts = map[string]Reason{
	"badinv01":   BadVia,
	"clerr":      ShortBody,
	"ncl":        BadContentLength,
	"scalar02":   BadCSeq,
	"scalarlg":   BadCSeq,
	"quotbal":    BadTo,
	"ltgtruri":   BadRequestURI,
	"lwsruri":    BadRequestLine,
	"lwsstart":   BadRequestLine,
	"trws":       BadRequestLine,
	"escruri":    RequestURIHeaders,
	"baddn":      NoHeaderEnd,
	"badvers":    BadVersion,
	"mismatch01": CSeqMethodMismatch,
	"mismatch02": CSeqMethodMismatch,
	"bigcode":    BadStatusCode,
	"badbranch":  EmptyBranch,
	"insuf":      MissingCallID,
	"multi01":    DoubledCallID,
	"mcl01":      ContentLengthDiffers,

	"test": BadRequestLine,
}

// higherLayer lists the messages that expect.tsv wants rejected or dropped although they are well
// formed: for what they mean, not for how they are written. The value is the sight the parser
// offers for the decision.
var higherLayer = map[string]func(m *Message) error{
	"unkscm":  wantScheme("nobodyKnowsThisScheme"), // 416
	"novelsc": wantScheme("soap.beep"),             // 416
	"bext01": func(m *Message) error { // 420
		var got []string
		v := m.Values(KindProxyRequire)
		for v.Next() {
			got = append(got, string(m.Bytes(v.Value)))
		}
		if v.Reason != OK || !slices.Equal(got, []string{"noProxiesSupportThis", "norDoAnyProxiesSupportThis"}) {
			return fmt.Errorf("Proxy-Require gives %q, %v", got, v.Reason)
		}
		return nil
	},
	"zeromf": func(m *Message) error { // 483
		if n, r := m.MaxForwards(); n != 0 || r != OK {
			return fmt.Errorf("Max-Forwards gives %d, %v", n, r)
		}
		return nil
	},
	// Responses that match no transaction (RFC 3261 §18.1.2, RFC 6026 §7.3).
	"unreason": wantStatus(200),
	"noreason": wantStatus(100),
	"bcast":    wantStatus(200),
}

func wantScheme(name string) func(m *Message) error {
	return func(m *Message) error {
		u, r := m.RequestURI()
		if r != OK || u.Scheme != SchemeOther || string(u.SchemeName.Of(u.Raw)) != name {
			return fmt.Errorf("Request-URI gives %v, %v, %q", r, u.Scheme, u.SchemeName.Of(u.Raw))
		}
		return nil
	}
}

func wantStatus(code uint16) func(m *Message) error {
	return func(m *Message) error {
		if m.IsRequest || m.Status != code {
			return fmt.Errorf("status %d", m.Status)
		}
		return nil
	}
}

// notAsExtracted lists columns in which a message with a parse_error_at is read otherwise than
// expect.tsv's lenient reader does, and why.
var notAsExtracted = map[string]string{
	"badinv01:via_count":    "the walk ends at the first empty list element",
	"ncl:content_length":    "a malformed number has no value",
	"scalar02:cseq":         "likewise",
	"scalar02:cseq_method":  "not read behind a malformed number",
	"scalar02:max_forwards": "likewise",
	"scalarlg:cseq":         "likewise",
	"scalarlg:cseq_method":  "not read behind a malformed number",
	"mcl01:content_length":  "two values are none",
	"multi01:call_id":       "the first of two is shown",
	"multi01:cseq":          "likewise",
	"multi01:cseq_method":   "likewise",
	"multi01:from_tag":      "likewise",
	"multi01:to_tag":        "likewise",
	"multi01:max_forwards":  "likewise",
	"test:header_rows":      "the line without a colon is no row",
	"bigcode:start":         "a malformed code has no value",
	"baddn:body_bytes":      "no empty line, no body: expect.tsv says so with '-'",
}

func tortureRows(t *testing.T, dir string) []map[string]string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "expect.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(bytes.NewReader(raw))
	r.Comma = '\t'
	r.LazyQuotes = true
	all, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	for _, rec := range all[1:] {
		row := map[string]string{"dir": dir}
		for i, name := range all[0] {
			row[name] = rec[i]
		}
		rows = append(rows, row)
	}
	return rows
}

func allTorture(t *testing.T) []map[string]string {
	t.Helper()
	rows := tortureRows(t, "testdata/rfc4475")
	if len(rows) != 49 {
		t.Fatalf("%d messages in expect.tsv, RFC 4475 has 49", len(rows))
	}
	return append(rows, tortureRows(t, "testdata/rfc4475/extra")...)
}

// TestTortureFilesAreByteExact catches an editor or a checkout that has touched a line end.
func TestTortureFilesAreByteExact(t *testing.T) {
	sums, err := os.ReadFile("testdata/rfc4475/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(sums)) {
		want, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok || !strings.HasSuffix(name, ".dat") {
			continue
		}
		b, err := os.ReadFile(filepath.Join("testdata/rfc4475", name))
		if err != nil {
			t.Error(err)
			continue
		}
		if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s is not byte-exact: restore it from the RFC's archive, check .gitattributes", name)
		}
		n++
	}
	if n != 51 {
		t.Errorf("%d messages checked, want 51", n)
	}
}

// TestTortureVerdicts holds Parse and Check against what a proxy does with each message in a
// datagram.
func TestTortureVerdicts(t *testing.T) {
	var m Message
	for _, row := range allTorture(t) {
		name := row["name"]
		b, err := os.ReadFile(filepath.Join(row["dir"], name+".dat"))
		if err != nil {
			t.Fatal(err)
		}
		r := m.Parse(b)
		if r == OK {
			r = m.Check()
		}
		if want := verdicts[name]; r != want {
			t.Errorf("%s: %v, want %v", name, r, want)
		}
		actions := strings.Split(row["udp_action"], "|")
		may := func(action string) bool { return slices.Contains(actions, action) }
		sight := higherLayer[name]
		switch {
		case r != OK && (may("reject") || may("drop")):
			codes := strings.Split(row["udp_status"], ",")
			if may("reject") && !slices.Contains(codes, strconv.Itoa(int(r.Status()))) {
				t.Errorf("%s: %v is answered with %d, want one of %v", name, r, r.Status(), codes)
			}
		case r != OK:
			t.Errorf("%s: %v, but it must be %s", name, r, row["udp_action"])
		case may("forward") || may("answer"):
		case sight == nil:
			t.Errorf("%s: passes, but it must be %s: give it a Reason or list it in higherLayer", name,
				row["udp_action"])
		default:
			if err := sight(&m); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestTortureColumns holds every extracted column against expect.tsv.
func TestTortureColumns(t *testing.T) {
	var m Message
	used := map[string]bool{}
	for _, row := range allTorture(t) {
		b, err := os.ReadFile(filepath.Join(row["dir"], row["name"]+".dat"))
		if err != nil {
			t.Fatal(err)
		}
		m.Parse(b)
		for column, got := range columns(&m) {
			want, ok := row[column]
			if !ok {
				t.Fatalf("expect.tsv has no column %s", column)
			}
			want = unescape(want)
			if got == want {
				continue
			}
			exception := row["name"] + ":" + column
			if _, ok := notAsExtracted[exception]; ok && row["parse_error_at"] != "-" {
				used[exception] = true
				continue
			}
			t.Errorf("%s %s: %q, want %q", row["name"], column, got, want)
		}
	}
	for exception := range notAsExtracted {
		if !used[exception] {
			t.Errorf("notAsExtracted lists %s, which agrees", exception)
		}
	}
}

// columns is what m says, in the notation of expect.tsv.
func columns(m *Message) map[string]string {
	text := func(s Span) string {
		if s.Len == 0 {
			return "-"
		}
		return string(m.Bytes(s))
	}
	num := func(n int) string {
		if n < 0 {
			return "-"
		}
		return strconv.Itoa(n)
	}
	count := func(k Kind) string {
		n := 0
		for v := m.Values(k); v.Next(); {
			n++
		}
		return strconv.Itoa(n)
	}
	c := map[string]string{
		"via_count":          count(KindVia),
		"contact_count":      count(KindContact),
		"route_count":        count(KindRoute),
		"record_route_count": count(KindRecordRoute),
		"header_rows":        strconv.Itoa(len(m.Headers)),
		"body_bytes":         strconv.Itoa(len(m.Raw) - int(m.BodyStart)),
		"bytes":              strconv.Itoa(len(m.Raw)),
		"call_id":            "-",
		"cseq":               "-",
		"cseq_method":        "-",
	}
	if m.IsRequest {
		c["kind"], c["start"], c["target"] = "request", text(m.MethodName), text(m.URI)
	} else {
		c["kind"], c["start"], c["target"] = "response", strconv.Itoa(int(m.Status)), text(m.Phrase)
		if m.Phrase.Len == 0 {
			c["target"] = "(empty)"
		}
	}
	if id := m.CallID(); id != nil {
		c["call_id"] = string(id)
	}
	if seq, _ := m.CSeq(); seq.MethodName.Len > 0 {
		c["cseq"], c["cseq_method"] = strconv.Itoa(int(seq.Number)), text(seq.MethodName)
	}
	from, _ := m.From()
	to, _ := m.To()
	c["from_tag"], c["to_tag"] = text(from.Tag), text(to.Tag)
	via, _ := m.TopVia()
	c["top_via_transport"], c["top_via_sent_by"], c["top_branch"] = text(via.TransportName), text(via.SentBy),
		text(via.Branch)
	n, _ := m.MaxForwards()
	c["max_forwards"] = num(n)
	n, _ = m.ContentLength()
	c["content_length"] = num(n)
	return c
}

// unescape undoes the escapes of expect.tsv.
func unescape(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 't':
			out.WriteByte('\t')
		case 'r':
			out.WriteByte('\r')
		case 'n':
			out.WriteByte('\n')
		case 'x':
			n, _ := strconv.ParseUint(s[i+1:i+3], 16, 8)
			out.WriteByte(byte(n))
			i += 2
		default:
			out.WriteByte(s[i])
		}
	}
	return out.String()
}
