package jsonrpcs

import (
	"bytes"
	"encoding/json"
	"strings"

	"viaduct/shard/route/command/jsonrpc"
)

// idMember is the id as the last member of an answer.
func idMember(q *jsonrpc.Request) []byte {
	if q.ID == nil {
		return nil
	}
	return append([]byte(`,"id":`), q.ID...)
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
