package binrpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Reply returns the packet for an answer, which is JSON as for the other clients. Members keep
// their order. The elements of a list at the top level follow one another. A list of objects inside
// becomes one structure with the members of all, as in Kamailio ("SET" once for each set). Reply
// fails if answer is no JSON, or longer than a client reads.
func (q *Request) Reply(answer []byte) ([]byte, error) {
	w := writer{in: json.NewDecoder(bytes.NewReader(answer))}
	w.in.UseNumber()
	t, err := w.in.Token()
	if err != nil {
		return nil, err
	}
	if t == json.Delim('[') {
		err = w.elements(0)
	} else {
		err = w.value(t, 0)
	}
	if err != nil {
		return nil, err
	}
	if len(w.out) > MaxReply {
		return nil, fmt.Errorf("the answer has %d bytes, and %d fit: ask for less, or with viaductctl",
			len(w.out), MaxReply)
	}
	return packet(reply, q.cookie, w.out), nil
}

// writer turns JSON into records.
type writer struct {
	in  *json.Decoder
	out []byte
}

// value writes the value that begins with t.
func (w *writer) value(t json.Token, depth int) error {
	if depth > maxDepth {
		return errors.New("the answer has too many levels")
	}
	switch v := t.(type) {
	case nil:
		w.out = appendText(w.out, textTag, "<null string>") // as Kamailio shows an absent value
	case bool:
		n := int64(0)
		if v {
			n = 1
		}
		w.out = appendInt(w.out, n)
	case string:
		// A zero would end the text for its reader.
		w.out = appendText(w.out, textTag, strings.ReplaceAll(v, "\x00", `\0`))
	case json.Number:
		w.number(v)
	case json.Delim:
		if v == '{' {
			return w.between(structTag, func() error { return w.members(depth + 1) })
		}
		return w.list(depth)
	}
	return nil
}

func (w *writer) number(v json.Number) {
	if n, err := v.Int64(); err == nil {
		w.out = appendInt(w.out, n)
	} else if f, err := v.Float64(); err == nil {
		w.out = appendFloat(w.out, f)
	} else {
		w.out = appendText(w.out, textTag, v.String())
	}
}

// between writes what f writes between the two marks of a structure or an array.
func (w *writer) between(t tag, f func() error) error {
	w.out = append(w.out, byte(t))
	err := f()
	w.out = append(w.out, lengthBit|byte(t))
	return err
}

// members writes the members of an object up to its end.
func (w *writer) members(depth int) error {
	for w.in.More() {
		name, err := w.in.Token()
		if err != nil {
			return err
		}
		w.out = appendText(w.out, nameTag, name.(string))
		if err := w.next(depth); err != nil {
			return err
		}
	}
	_, err := w.in.Token()
	return err
}

// next writes the value that comes next.
func (w *writer) next(depth int) error {
	t, err := w.in.Token()
	if err != nil {
		return err
	}
	return w.value(t, depth)
}

// elements writes the values of a list up to its end, one behind the other.
func (w *writer) elements(depth int) error {
	for w.in.More() {
		if err := w.next(depth); err != nil {
			return err
		}
	}
	_, err := w.in.Token()
	return err
}

// list writes a list inside another value: one structure with the members of all its objects, or an
// array if its elements are no objects.
func (w *writer) list(depth int) error {
	if !w.in.More() {
		_, err := w.in.Token()
		w.out = append(w.out, byte(structTag), lengthBit|byte(structTag))
		return err
	}
	t, err := w.in.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return w.between(arrayTag, func() error {
			if err := w.value(t, depth+1); err != nil {
				return err
			}
			return w.elements(depth + 1)
		})
	}
	return w.between(structTag, func() error {
		if err := w.members(depth + 1); err != nil {
			return err
		}
		for w.in.More() {
			t, err := w.in.Token()
			if err != nil {
				return err
			}
			if t == json.Delim('{') {
				err = w.members(depth + 1)
			} else {
				w.out = appendText(w.out, nameTag, "")
				err = w.value(t, depth+1)
			}
			if err != nil {
				return err
			}
		}
		_, err := w.in.Token()
		return err
	})
}
