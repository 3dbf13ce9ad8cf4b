package htable

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"viaduct/file"
	"viaduct/shm/table"
)

// line is one of a table's file: "KEY => VALUE". A value that is a whole number is one; in double
// quotes it is a text, as is any other. What stands behind # at the beginning of a line, and an
// empty line, is nothing.
type line struct {
	key  string
	text string
	n    int64
	kind table.Kind
}

// readFile reads the table's file, if it has one.
func (t *htable) readFile() error {
	if t.file == "" {
		return nil
	}
	text, err := file.Read(t.file, fileBytes)
	if err != nil {
		return fmt.Errorf("table %s: %w", t.name, err)
	}
	var lines []line
	in := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; in.Scan(); n++ {
		text := strings.TrimSpace(in.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		l, err := readLine(text)
		if err != nil {
			return fmt.Errorf("table %s: %s:%d: %w", t.name, t.file, n, err)
		}
		lines = append(lines, l)
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("table %s: %s: %w", t.name, t.file, err)
	}
	if len(lines) > t.entries {
		return fmt.Errorf("table %s: %s has %d entries, and the table room for %d: write "+
			"entries=%d",
			t.name, t.file, len(lines), t.entries, len(lines))
	}
	t.first = lines
	return nil
}

func readLine(text string) (l line, err error) {
	key, value, ok := strings.Cut(text, "=>")
	if !ok {
		return l, fmt.Errorf("write KEY => VALUE, not %q", text)
	}
	l.key, l.text, l.kind = strings.TrimSpace(key), strings.TrimSpace(value), table.Text
	if len(l.text) >= 2 && l.text[0] == '"' && l.text[len(l.text)-1] == '"' {
		l.text = l.text[1 : len(l.text)-1]
	} else if n, err := strconv.ParseInt(l.text, 10, 64); err == nil {
		l.n, l.kind = n, table.Int
	}
	if len(l.key) > table.MaxKey || len(l.text) > table.MaxValue {
		return l, fmt.Errorf("a key has %d bytes at most, a value %d", table.MaxKey, table.MaxValue)
	}
	return l, nil
}

// fill puts what the file has into the table.
func (t *htable) fill(now int64) error {
	for i := range t.first {
		l := &t.first[i]
		v := table.Value{Kind: l.kind, Int: l.n, Text: []byte(l.text)}
		if verdict := t.t.Put([]byte(l.key), v, t.terms(now), now); verdict != table.Done {
			return fmt.Errorf("table %s: %s: entry %d does not fit: %v; raise entries", t.name,
				t.file, i+1, verdict)
		}
	}
	return nil
}
