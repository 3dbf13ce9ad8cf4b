package htable

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"

	"viaduct/file"
	"viaduct/shm/table"
)

// line is one of a table's file: "KEY => VALUE". A value that is a whole number is one; in double
// quotes it is a text, as is any other. What stands behind # at the beginning of a line, and an
// empty line, is nothing. It is valid until the next one is read.
type line struct {
	key   []byte
	value table.Value
}

// eachLine reads the table's file, if it has one, and calls f for each line that says something.
// Nothing of the file is kept.
func (t *htable) eachLine(f func(l *line) error) error {
	if t.file == "" {
		return nil
	}
	r, err := file.Open(t.file, fileBytes)
	if err != nil {
		return fmt.Errorf("table %s: %w", t.name, err)
	}
	defer r.Close()
	in := bufio.NewScanner(r)
	for n := 1; in.Scan(); n++ {
		text := bytes.TrimSpace(in.Bytes())
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		l, err := readLine(text)
		if err == nil {
			err = f(&l)
		}
		if err != nil {
			return fmt.Errorf("table %s: %s:%d: %w", t.name, t.file, n, err)
		}
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("table %s: %s: %w", t.name, t.file, err)
	}
	return nil
}

// checkFile tells what is wrong with the file. The table has room for so many entries.
func (t *htable) checkFile(room int) error {
	n := 0
	err := t.eachLine(func(*line) error { n++; return nil })
	if err == nil && n > room {
		err = fmt.Errorf("table %s: %s has %d entries, and the table room for %d: write entries=%d",
			t.name, t.file, n, room, n)
	}
	return err
}

func readLine(text []byte) (l line, err error) {
	key, value, ok := bytes.Cut(text, []byte("=>"))
	if !ok {
		return l, fmt.Errorf("write KEY => VALUE, not %q", text)
	}
	l.key, value = bytes.TrimSpace(key), bytes.TrimSpace(value)
	if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
		value = value[1 : n-1]
		l.value = table.String(value)
	} else if n, ok := number(value); ok {
		l.value = table.Number(n)
	} else {
		l.value = table.String(value)
	}
	if len(l.key) > table.MaxKey || len(value) > table.MaxValue {
		return l, fmt.Errorf("a key has %d bytes at most, a value %d", table.MaxKey, table.MaxValue)
	}
	return l, nil
}

// number reads a value that is a whole number.
func number(b []byte) (n int64, ok bool) {
	if len(b) == 0 || b[0] > '9' { // so that ParseInt makes no error for most texts
		return 0, false
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	return n, err == nil
}

// fill puts what the file has into the table.
func (t *htable) fill(now int64) error {
	return t.eachLine(func(l *line) error {
		if verdict := t.t.Put(l.key, l.value, t.terms(now), now); verdict != table.Done {
			return fmt.Errorf("this entry does not fit: %v; raise entries", verdict)
		}
		return nil
	})
}
