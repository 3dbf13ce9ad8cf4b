// Package jsonrpc reads requests of JSON-RPC 2.0.
package jsonrpc

import (
	"bytes"
	"encoding/json"
)

// Request is a request of JSON-RPC 2.0.
type Request struct {
	Method string
	Words  []string        // the parameters in their order, those of an object too, as in Kamailio
	ID     json.RawMessage // nil means there is none
	Wrong  string          // what is wrong with it, if it is JSON
	// ReplyName is the FIFO that the answer goes to, where it came by one (Kamailio's member
	// reply_name).
	ReplyName string
}

// Parse reads a request. It returns false if b is no JSON.
func Parse(b []byte) (*Request, bool) {
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
	q := &Request{}
	if b = bytes.TrimSpace(b); b[0] != '{' || json.Unmarshal(b, &in) != nil {
		q.Wrong = "A request is one JSON object; batches are not taken"
		return q, true
	}
	_ = json.Unmarshal(in.Reply, &q.ReplyName) // what is no text names no FIFO
	switch id := bytes.TrimSpace(in.ID); {
	case len(id) == 0:
	case id[0] == '{' || id[0] == '[':
		q.Wrong = "The id is a text or a number"
	default:
		q.ID = id
	}
	var version string
	switch {
	case q.Wrong != "":
	case json.Unmarshal(in.Version, &version) != nil || version != "2.0":
		q.Wrong = `"jsonrpc" must be "2.0"`
	case json.Unmarshal(in.Method, &q.Method) != nil || q.Method == "":
		q.Wrong = `"method" must be the name of a command; system.listMethods lists them`
	default:
		q.Words, q.Wrong = words(in.Params)
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
