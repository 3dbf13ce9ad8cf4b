// Package dbtext reads tables that are text files, in the format of Kamailio's module db_text, for
// the modules that have their data in tables. A folder is a database, a file in it a table:
//
//	id(int,auto) tprefix(string) tvalue(string,null)
//	1:49:de
//	2:44:uk
//
// The first line names the columns: int, double, string, str or blob, perhaps null (the value may
// be missing) or auto (a number that counts up where none is written). In values, \: is a colon, \\
// a backslash, and there are \n, \r, \t and \0.
//
// A table is read whole, and does not change. Beyond Kamailio's reader, the last line need not end,
// and a value that is not there is an empty text where the column is no number.
package dbtext

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"viaduct/file"
)

// tableBytes is the longest file of a table, some 500,000 rows. Beyond: it is refused.
const tableBytes = 64 << 20

// Table is what a file has.
type Table struct {
	File string
	Rows []Row

	columns []column
}

// column is one of the first line.
type column struct {
	name       string
	kind       byte // i, d or s
	null, auto bool
}

// Row is a line.
type Row struct {
	// Line is its number in the file, for messages.
	Line   int
	values []value
}

type value struct {
	text string
	n    int64
	null bool
}

// Path is the file of a table of a database: url is "text:///path/of/the/folder".
func Path(url, table string) (string, error) {
	dir, ok := strings.CutPrefix(url, "text://")
	if !ok || dir == "" {
		return "", fmt.Errorf("db_url is %q, and there are no databases yet, but for text files: "+
			"write the table into a file of the format of db_text, and \"text:///FOLDER\" here",
			url)
	}
	if strings.ContainsAny(table, "/\x00") || table == "" {
		return "", fmt.Errorf("%q is no name of a table: it is that of a file in %s", table, dir)
	}
	return filepath.Join(dir, table), nil
}

// Read reads a table. Its error names file and line.
func Read(url, table string) (*Table, error) {
	path, err := Path(url, table)
	if err != nil {
		return nil, err
	}
	text, err := file.Read(path, tableBytes)
	if err != nil {
		return nil, fmt.Errorf("cannot read the table: %w", err)
	}
	return parse(path, string(text))
}

func parse(path, text string) (*Table, error) {
	t := &Table{File: path}
	auto := map[int]int64{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		var err error
		if t.columns == nil {
			err = t.head(line)
		} else {
			err = t.add(n, line, auto)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
	if t.columns == nil {
		return nil, fmt.Errorf("%s: the table is empty: its first line names the columns, such as "+
			"id(int,auto) name(string)", path)
	}
	return t, nil
}

// head reads the first line.
func (t *Table) head(line string) error {
	for _, word := range strings.Fields(line) {
		name, inner, ok := strings.Cut(word, "(")
		inner, closed := strings.CutSuffix(inner, ")")
		if !ok || !closed || name == "" {
			return fmt.Errorf("%q is no column: write NAME(TYPE) or NAME(TYPE,null)", word)
		}
		c := column{name: name}
		kind, rest, _ := strings.Cut(inner, ",")
		switch kind {
		case "int":
			c.kind = 'i'
		case "double":
			c.kind = 'd'
		case "string", "str", "blob":
			c.kind = 's'
		default:
			return fmt.Errorf("column %s: there is no type %q; there are int, double, string, "+
				"str and blob", name, kind)
		}
		for _, option := range strings.Split(rest, ",") {
			switch option {
			case "":
			case "null":
				c.null = true
			case "auto":
				c.auto = c.kind == 'i'
			default:
				return fmt.Errorf("column %s: there is no %q; there are null and auto", name,
					option)
			}
		}
		t.columns = append(t.columns, c)
	}
	return nil
}

// add reads a row.
func (t *Table) add(n int, line string, auto map[int]int64) error {
	r := Row{Line: n, values: make([]value, len(t.columns))}
	for i, more := 0, true; more || i < len(t.columns); i++ {
		var text string
		var err error
		if more {
			if text, line, more, err = cut(line); err != nil {
				return err
			}
		}
		if i == len(t.columns) {
			return fmt.Errorf("there are more values than the %d columns: is a colon in one "+
				"of them to be \\:?", len(t.columns))
		}
		c, v := &t.columns[i], &r.values[i]
		v.text, v.null = text, text == ""
		switch {
		case text == "" && c.auto:
			auto[i]++
			v.n, v.null = auto[i], false
			v.text = strconv.FormatInt(v.n, 10)
		case text == "" && c.kind != 's' && !c.null:
			return fmt.Errorf("column %s is a number and has none", c.name)
		case text == "":
		case c.kind == 'i':
			if v.n, err = strconv.ParseInt(strings.TrimSpace(text), 10, 64); err != nil {
				return fmt.Errorf("column %s is %q, which is no number", c.name, text)
			}
			if c.auto {
				auto[i] = max(auto[i], v.n)
			}
		case c.kind == 'd':
			if _, err = strconv.ParseFloat(strings.TrimSpace(text), 64); err != nil {
				return fmt.Errorf("column %s is %q, which is no number", c.name, text)
			}
		}
	}
	t.Rows = append(t.Rows, r)
	return nil
}

// cut takes the first value off a line.
func cut(line string) (text, rest string, more bool, err error) {
	plain := strings.IndexAny(line, ":\\")
	switch {
	case plain < 0:
		return line, "", false, nil
	case line[plain] == ':':
		return line[:plain], line[plain+1:], true, nil
	}
	var b []byte
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == ':':
			return string(b), line[i+1:], true, nil
		case line[i] != '\\':
			b = append(b, line[i])
		default:
			at := -1
			if i++; i < len(line) {
				at = strings.IndexByte(`nrt\:0`, line[i])
			}
			if at < 0 {
				return "", "", false, fmt.Errorf("a backslash stands before n, r, t, 0, a colon " +
					"or a backslash: write \\\\ for the character itself")
			}
			b = append(b, "\n\r\t\\:\x00"[at])
		}
	}
	return string(b), "", false, nil
}

// Column is the number of a column. It returns an error if there is none of that name.
func (t *Table) Column(name string) (int, error) {
	var names []string
	for i, c := range t.columns {
		if c.name == name {
			return i, nil
		}
		names = append(names, c.name)
	}
	return -1, fmt.Errorf("%s:1: there is no column %s; there are %s", t.File, name,
		strings.Join(names, ", "))
}

// Columns are the numbers of columns, in the order of their names.
func (t *Table) Columns(names ...string) ([]int, error) {
	all := make([]int, len(names))
	for i, name := range names {
		var err error
		if all[i], err = t.Column(name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Text is the value of a column as text, Int as a number; one that is missing is "" and 0.
func (r *Row) Text(column int) string { return r.values[column].text }
func (r *Row) Int(column int) int64   { return r.values[column].n }

// IsNull tells whether the value of a column is missing.
func (r *Row) IsNull(column int) bool { return r.values[column].null }

// Errorf is an error about a row.
func (t *Table) Errorf(r *Row, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", t.File, r.Line, fmt.Errorf(format, args...))
}
