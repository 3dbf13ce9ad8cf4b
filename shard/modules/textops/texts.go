package textops

import (
	"bytes"
	"regexp"
	"time"

	"viaduct/parser"
	"viaduct/shard/route"
)

// texts declares the functions that compare texts, and those that are about dates and privacy.
func texts(m *route.Module) {
	a, b := route.Text("text", "a text"), route.Text("other", "another one")
	compare := func(name, doc string, f func(a, b []byte) route.Result) {
		route.Func2(m, name, route.Anywhere, a, b, doc,
			func(_ *route.Ctx, a, b []byte) route.Result { return f(a, b) })
	}
	compare("cmp_str", "Tells whether two texts are equal. -2: the first one is less, -1: it is "+
		"greater.", func(a, b []byte) route.Result { return order(bytes.Compare(a, b)) })
	compare("cmp_istr", "The same as cmp_str, ignoring case.",
		func(a, b []byte) route.Result { return order(compareFold(a, b)) })
	compare("starts_with", "Tells whether a text begins with another one. -2: it begins with less, "+
		"-1: with more, or it is shorter.", func(a, b []byte) route.Result {
		if len(a) < len(b) {
			return -1
		}
		return order(bytes.Compare(a[:len(b)], b))
	})
	compare("ends_with", "Tells whether a text ends with another one. -2: it ends with less, -1: "+
		"with more, or it is shorter.", func(a, b []byte) route.Result {
		if len(a) < len(b) {
			return -1
		}
		return order(bytes.Compare(a[len(a)-len(b):], b))
	})
	route.Func2(m, "str_find", route.Anywhere, a, b,
		"Returns where a text contains another one, counted from 1; false if it does not.",
		func(_ *route.Ctx, text, part []byte) route.Result {
			return found(bytes.Index(text, part))
		})
	route.Func2(m, "str_ifind", route.Anywhere, a, b, "The same as str_find, ignoring case.",
		func(_ *route.Ctx, text, part []byte) route.Result { return found(indexFold(text, part)) })
	list := route.Text("list", "the words")
	sep := route.Parsed("separator", "one character", "is no single character",
		"the separator",
		func(s string) (byte, bool) { return (s + "x")[0], len(s) == 1 })
	route.Func3(m, "in_list", route.Anywhere, a, list, sep,
		"Tells whether a text is one of the words of a list.",
		func(_ *route.Ctx, word, list []byte, sep byte) route.Result {
			return route.Truth(anyWord(list, sep,
				func(w []byte) bool { return bytes.Equal(w, word) }))
		})
	route.Func3(m, "in_list_prefix", route.Anywhere, a, list, sep,
		"Tells whether a text begins with one of the words of a list.",
		func(_ *route.Ctx, text, list []byte, sep byte) route.Result {
			return route.Truth(len(list) > 0 && anyWord(list, sep,
				func(w []byte) bool { return bytes.HasPrefix(text, w) }))
		})
	m.Func(route.Func{Name: "regex_substring", In: route.Anywhere,
		Args: []route.AnyArg{a, computed("re", "a pattern"),
			route.Int("index", 0, 9, "which group; 0: the whole match"),
			route.Int("most", 1, 10, "how many groups there may be"),
			route.Writable("result", "the variable for the text")},
		Doc: "Stores what a pattern matches, or one of its groups, in " +
			"a variable. -2: the pattern does not match.", Build: substring})

	date := func(c *route.Ctx) []byte {
		return append(time.Now().UTC().AppendFormat(append(c.Room(), "Date: "...),
			"Mon, 02 Jan 2006 15:04:05 GMT"), crlf...)
	}
	route.Func0(m, "append_time", route.InRequest|route.InFailure,
		"Adds a Date row to each response to this request that is made here from now on.",
		func(c *route.Ctx) route.Result {
			return route.Truth(c.Request.AppendToReply(date(c)))
		}).Soon(route.InBranch)
	route.Func0(m, "append_time_to_request", route.Anywhere,
		"Adds a Date row after the first row of the message.",
		func(c *route.Ctx) route.Result {
			if len(c.Msg.Headers) == 0 {
				return -1
			}
			return c.Insert(c.Msg.Headers[0].Line.End(), date(c))
		})
	kind := route.Enum("type", "a privacy value", "is no privacy value",
		"what is asked for (RFC 3323 §4.2)",
		route.Word[string]{Word: "user", Value: "user"},
		route.Word[string]{Word: "header", Value: "header"},
		route.Word[string]{Word: "session", Value: "session"},
		route.Word[string]{Word: "none", Value: "none"},
		route.Word[string]{Word: "critical", Value: "critical"},
		route.Word[string]{Word: "id", Value: "id"},
		route.Word[string]{Word: "history", Value: "history"})
	route.Func1(m, "is_privacy", route.Anywhere, kind, "Tells whether the Privacy header asks for "+
		"that.",
		func(c *route.Ctx, kind string) route.Result {
			for i := c.Msg.First(parser.KindPrivacy); i >= 0; i = c.Msg.Next(i) {
				if anyWord(c.Msg.Bytes(c.Msg.Headers[i].Value), ';', func(w []byte) bool {
					return foldASCII(w, []byte(kind))
				}) {
					return 1
				}
			}
			return -1
		})
}

// foldASCII tells whether two texts are the same but for the case of ASCII's letters.
func foldASCII(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i, x := range a {
		y := b[i]
		if x != y && (x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z') {
			return false
		}
	}
	return true
}

// found is the result for what was found at an index, or below 0 nowhere.
func found(at int) route.Result {
	if at < 0 {
		return -1
	}
	return at + 1
}

func indexFold(text, part []byte) int {
	for i := 0; i+len(part) <= len(text); i++ {
		if foldASCII(text[i:i+len(part)], part) {
			return i
		}
	}
	return -1
}

// anyWord tells whether is says so of one word of a list.
func anyWord(list []byte, sep byte, is func(word []byte) bool) bool {
	for more := true; more; {
		word := list
		if i := bytes.IndexByte(list, sep); i >= 0 {
			word, list = list[:i], list[i+1:]
		} else {
			more = false
		}
		if is(bytes.TrimSpace(word)) {
			return true
		}
	}
	return false
}

// substring is regex_substring.
func substring(b *route.Build) route.Call {
	text, ok1 := route.Text("text", "a text").At(b, 0)
	re, ok2 := computed("re", "a pattern").At(b, 1)
	index, ok3 := route.Int("index", 0, 9, "which group; 0: the whole match").At(b, 2)
	most, ok4 := route.Int("most", 1, 10, "how many groups there may be").At(b, 3)
	dst, ok5 := route.Writable("result", "the variable for the text").At(b, 4)
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 {
		return nil
	}
	return func(c *route.Ctx) route.Result {
		s, r := text.Get(c)
		if r <= 0 {
			return r
		}
		re, r := re.Get(c)
		if r <= 0 {
			return r
		}
		i, r := index.Get(c)
		if r <= 0 {
			return r
		}
		n, r := most.Get(c)
		if r <= 0 {
			return r
		}
		place, _ := dst.Get(c)
		return submatch(c, s, re, i, n, place)
	}
}

func submatch(c *route.Ctx, s []byte, re *regexp.Regexp, i, most int,
	dst *route.Place) route.Result {
	found := c.Scan(re, s)
	at := &found.At
	switch {
	case i >= most:
		return -1
	case !found.Next():
		return -2
	case 2*i >= len(at) || at[2*i] < 0:
		return -1
	}
	return dst.Put(c, route.TextValue(s[at[2*i]:at[2*i+1]]))
}

// order is the result of comparing two texts.
func order(n int) route.Result {
	switch {
	case n == 0:
		return 1
	case n < 0:
		return -2
	}
	return -1
}

// compareFold is bytes.Compare without regard to the case of ASCII letters.
func compareFold(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if x, y := lower(a[i]), lower(b[i]); x != y {
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	return c
}
