package balance

import (
	"errors"
	"fmt"
	"strings"
)

// Add returns a table that has one destination more, as if the line "set uri flags priority attrs"
// stood behind the last one of the file. The table itself is untouched. The error says what is
// wrong with the line.
func (tb *Table) Add(set int, uri string, flags, priority int, attrs string) (*Table, error) {
	if i := strings.IndexAny(uri+attrs, "\r\n"); i >= 0 || strings.ContainsAny(uri, " \t#") {
		return nil, fmt.Errorf("%q has a blank, # or the end of a line in it: remove it", uri+" "+attrs)
	}
	if uri == "" {
		return nil, errors.New("the URI is empty")
	}
	text := strings.TrimSuffix(tb.text, "\n")
	last := strings.Count(text, "\n") + 2
	if text == "" {
		last = 1
	} else {
		text += "\n"
	}
	next, err := Parse(tb.name, fmt.Appendf(nil, "%s%d %s %d %d %s\n", text, set, uri, flags, priority,
		attrs), tb.cfg, tb)
	var all *Errors
	if errors.As(err, &all) {
		for _, e := range all.List {
			if e.Line == last {
				return nil, errors.New(e.Text)
			}
		}
	}
	return next, err
}

// Remove returns a table without the destinations of a set that have this URI, and how many those
// were. The table itself is untouched.
func (tb *Table) Remove(set int, uri string) (next *Table, removed int, err error) {
	lines := strings.SplitAfter(tb.text, "\n")
	for _, t := range tb.targets {
		if t.SetID == set && t.URI == uri {
			lines[t.Line-1] = "\n" // the others keep their numbers
			removed++
		}
	}
	if removed == 0 {
		return tb, 0, nil
	}
	next, err = Parse(tb.name, []byte(strings.Join(lines, "")), tb.cfg, tb)
	return next, removed, err
}
