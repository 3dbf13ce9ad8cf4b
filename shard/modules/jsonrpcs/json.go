package jsonrpcs

import (
	"bytes"
	"encoding/json"
	"strings"
)

// request is a request of JSON-RPC 2.0.
type request struct {
	method string
	words  []string
	id     json.RawMessage // nil means there is none
	wrong  string          // what is wrong with it, if it is JSON
	// replyName is the FIFO that the answer goes to, where it came by one.
	replyName string
}

// parse reads a request. It returns false if b is no JSON.
func parse(b []byte) (*request, bool) {
	var in struct {
		Version json.RawMessage `json:"jsonrpc"`
		Method  json.RawMessage `json:"method"`
		Params  json.RawMessage `json:"params"`
		ID      json.RawMessage `json:"id"`
		Reply   json.RawMessage `json:"reply_name"`
	}
	if !json.Valid(b) {
		return nil, false
	}
	q := &request{}
	if b = bytes.TrimSpace(b); b[0] != '{' || json.Unmarshal(b, &in) != nil {
		q.wrong = "A request is one JSON object; batches are not taken"
		return q, true
	}
	_ = json.Unmarshal(in.Reply, &q.replyName) // what is no text names no FIFO
	switch id := bytes.TrimSpace(in.ID); {
	case len(id) == 0:
	case id[0] == '{' || id[0] == '[':
		q.wrong = "The id is a text or a number"
	default:
		q.id = id
	}
	var version string
	switch {
	case q.wrong != "":
	case json.Unmarshal(in.Version, &version) != nil || version != "2.0":
		q.wrong = `"jsonrpc" must be "2.0"`
	case json.Unmarshal(in.Method, &q.method) != nil || q.method == "":
		q.wrong = `"method" must be the name of a command; system.listMethods lists them`
	default:
		q.words, q.wrong = words(in.Params)
	}
	return q, true
}

// words are the parameters, by their order: those of an object too, as in Kamailio.
func words(params json.RawMessage) (list []string, wrong string) {
	params = bytes.TrimSpace(params)
	if len(params) == 0 || string(params) == "null" {
		return nil, ""
	}
	if params[0] != '[' && params[0] != '{' {
		return nil, `"params" is an array or an object`
	}
	d := json.NewDecoder(bytes.NewReader(params))
	d.UseNumber()
	_, _ = d.Token()
	for d.More() {
		if params[0] == '{' {
			_, _ = d.Token() // the name
		}
		t, err := d.Token()
		switch v := t.(type) {
		case string:
			list = append(list, v)
		case json.Number:
			list = append(list, v.String())
		case bool:
			list = append(list, map[bool]string{true: "1", false: "0"}[v])
		default:
			return nil, "A parameter is a text, a number, true or false"
		}
		if err != nil {
			return nil, "The parameters cannot be read"
		}
	}
	return list, ""
}

// idMember is the id as the last member of an answer.
func (q *request) idMember() []byte {
	if q.id == nil {
		return nil
	}
	return append([]byte(`,"id":`), q.id...)
}

// appendString appends a text as JSON has it, with < > & as they are.
func appendString(b []byte, s string) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string has no error
	return append(b, bytes.TrimSpace(buf.Bytes())...)
}

func oneLine(s string) string { return strings.NewReplacer("\r", " ", "\n", " ").Replace(s) }

// format is compact JSON, or with pretty the form of Kamailio's answers: members of objects have
// lines of their own and a tab in front of the value, elements of arrays have not.
func format(in []byte, pretty bool) []byte {
	var compact bytes.Buffer
	if json.Compact(&compact, in) != nil || !pretty {
		return compact.Bytes()
	}
	var out []byte
	var open []byte // the brackets around
	line := func(depth int) {
		out = append(out, '\n')
		out = append(out, bytes.Repeat([]byte("\t"), depth)...)
	}
	quoted := false
	b := compact.Bytes()
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case quoted:
			out = append(out, c)
			if c == '\\' {
				i++
				out = append(out, b[i])
			} else if c == '"' {
				quoted = false
			}
			continue
		case c == '"':
			quoted = true
			out = append(out, c)
		case c == '{':
			open = append(open, c)
			out = append(out, c)
			if b[i+1] != '}' {
				line(len(open))
			}
		case c == '[':
			open = append(open, c)
			out = append(out, c)
		case c == '}':
			open = open[:len(open)-1]
			line(len(open))
			out = append(out, c)
		case c == ']':
			open = open[:len(open)-1]
			out = append(out, c)
		case c == ':':
			out = append(out, ":\t"...)
		case c == ',' && open[len(open)-1] == '{':
			out = append(out, c)
			line(len(open))
		case c == ',':
			out = append(out, ", "...)
		default:
			out = append(out, c)
		}
	}
	return out
}
