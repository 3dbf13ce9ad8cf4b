package pv

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzParams holds the lists of parameters against a reader that splits the text first, where there
// are no quotes and no white space.
func FuzzParams(f *testing.F) {
	for _, s := range []string{"a=1;b=2;c", "a", "", ";", "a=1;;b", "a==1", "A=1;a=2", "x,y", "a=\"1;2\";b",
		" a = 1 "} {
		f.Add(s, "a", 0)
	}
	f.Fuzz(func(t *testing.T, s, name string, index int) {
		last, ok := lastParam([]byte(s), []byte(name), ';')
		at, ok2 := paramAt([]byte(s), index, ';')
		n, ok3 := countParams([]byte(s), ';')
		if ok != ok2 || ok != ok3 {
			t.Fatalf("%q is a list for some: %v %v %v", s, ok, ok2, ok3)
		}
		if strings.ContainsAny(s+name, "\"' \t\r\n") || strings.Contains(name, "=") {
			return
		}
		body, _, _ := strings.Cut(s, ",")
		items := strings.Split(strings.TrimSuffix(body, ";"), ";")
		if body == "" || body == ";" && n == 0 {
			items = nil
		}
		if body == ";" {
			items = []string{""}
		}
		if n != len(items) {
			t.Fatalf("%q has %d parameters, want %d", s, n, len(items))
		}
		var value, atName string
		for i, item := range items {
			k, v, _ := strings.Cut(item, "=")
			if len(k) == len(name) && bytes.Equal(upper(k), upper(name)) {
				value = v
			}
			if i == index || i == index+len(items) && index < 0 {
				atName = k
			}
		}
		if string(last.value) != value {
			t.Errorf("%q: %q is %q, want %q", s, name, last.value, value)
		}
		if string(at.name) != atName {
			t.Errorf("%q: name %d is %q, want %q", s, index, at.name, atName)
		}
	})
}

// upper writes the letters a to z in upper case.
func upper(s string) []byte {
	b := []byte(s)
	for i, x := range b {
		if x >= 'a' && x <= 'z' {
			b[i] = x - 32
		}
	}
	return b
}

// FuzzTexts holds the pieces against plain versions, and what is encoded against itself decoded.
func FuzzTexts(f *testing.F) {
	f.Add([]byte("a,b,,c"), 2, byte(','))
	f.Add([]byte(""), -1, byte('x'))
	f.Add([]byte("\x00\x00abc"), -3, byte('b'))
	f.Fuzz(func(t *testing.T, b []byte, index int, sep byte) {
		items := bytes.Split(b, []byte{sep})
		i := index
		if i < 0 {
			i += len(items)
		}
		var want []byte
		if i >= 0 && i < len(items) {
			want = items[i]
		}
		if got := selected(b, index, sep); !bytes.Equal(got, want) {
			t.Errorf("item %d of %q by %q is %q, want %q", index, b, sep, got, want)
		}
		if len(b) > 0 {
			lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
			if n := countLines(b); n != len(lines) {
				t.Errorf("%q has %d lines, want %d", b, n, len(lines))
			}
			i := index
			if i < 0 {
				i += len(lines)
			}
			line := ""
			if i >= 0 && i < len(lines) {
				line = strings.TrimSuffix(lines[i], "\r")
			}
			if got := lineAt(b, index); string(got) != line {
				t.Errorf("line %d of %q is %q, want %q", index, b, got, line)
			}
		}
		round := func(what string, enc, dec func(dst, b []byte) ([]byte, bool)) {
			x, ok := enc(nil, b)
			if !ok {
				return
			}
			if y, ok := dec(nil, x); !ok || !bytes.Equal(y, b) {
				t.Errorf("%s of %q is %q, and that %q again, %v", what, b, x, y, ok)
			}
		}
		round("base58", base58, unbase58)
		round("escape.common", escapeCommon, unescapeCommon)
		round("urlencode", func(dst, b []byte) ([]byte, bool) { return percent(dst, b, urlChars, nil) },
			urldecode)
		round("escape.user", func(dst, b []byte) ([]byte, bool) {
			return percent(dst, b, userChars, printable)
		}, unpercent)
		a, ok := splitNameAddr(b)
		if ok && (a.len > len(b) || len(a.name)+len(a.uri) > a.len) {
			t.Errorf("%q: %q and %q are longer than %d", b, a.name, a.uri, a.len)
		}
	})
}
