package textops

import (
	"bytes"
	"regexp"

	"viaduct/parser"
	"viaduct/shard/route"
)

// part is which of a message a function looks at.
type part uint8

const (
	whole   part = iota // all of it
	behind              // all but the first line
	heads               // the headers
	theBody             // the body
)

// of is that part of the message at hand, and where it begins.
func (p part) of(c *route.Ctx) ([]byte, uint32) {
	m := c.Msg
	end := m.BodyStart + uint32(len(m.Body()))
	switch p {
	case behind:
		return m.Raw[m.HeaderStart:end], m.HeaderStart
	case heads:
		return m.Raw[m.HeaderStart:m.BodyStart], m.HeaderStart
	case theBody:
		return m.Raw[m.BodyStart:end], m.BodyStart
	}
	return m.Raw[m.StartLine.Off:end], m.StartLine.Off
}

// searches declares the functions that look for patterns and texts, and those that replace them.
func searches(m *route.Module) {
	re := pattern("re", "what to look for")
	search := func(name string, p part, doc string) {
		route.Func1(m, name, route.Anywhere, re, doc,
			func(c *route.Ctx, re *regexp.Regexp) route.Result {
				b, _ := p.of(c)
				return route.Truth(re.Match(b))
			})
	}
	search("search", whole, "Tells whether a pattern matches somewhere in the message.")
	search("search_body", theBody, "Tells whether a pattern matches somewhere in the body.")
	which := route.Enum("which", `"a", "f" or "l"`, "is none of a, f, l",
		"all headers of the name (a), the first (f) or the last (l)",
		route.Word[byte]{Word: "a", Value: 'a'}, route.Word[byte]{Word: "f", Value: 'f'},
		route.Word[byte]{Word: "l", Value: 'l'})
	route.Func3(m, "search_hf", route.Anywhere, header(nameDoc), re, route.Optional(which, 'a'),
		"Tells whether a pattern matches in a header of a name.",
		func(c *route.Ctx, name string, re *regexp.Regexp, which byte) route.Result {
			for i := pick(c, name, which, -1); i >= 0; i = pick(c, name, which, i) {
				if re.Match(c.Msg.Bytes(c.Msg.FieldBody(&c.Msg.Headers[i]))) {
					return 1
				}
			}
			return -1
		})
	route.Func2(m, "search_str", route.Anywhere, route.Text("text", "the text to examine"),
		computed("re", "what to look for"),
		"Tells whether a pattern matches a text.",
		func(c *route.Ctx, text []byte, re *regexp.Regexp) route.Result {
			return route.Truth(re.Match(text))
		})

	text := route.Name("text", "a text", "the new text, taken literally")
	edit := func(name string, p part, all, keep bool, doc string) {
		re := re
		if name == "replace_body_atonce" {
			re = patternOf("re", "what to look for", 0)
		}
		route.Func2(m, name, route.Anywhere, re, text, doc,
			func(c *route.Ctx, re *regexp.Regexp, text string) route.Result {
				return replace(c, p, re, text, all, keep)
			})
	}
	edit("search_append", behind, false, true,
		"Adds a text after the first match of a pattern in headers or body.")
	edit("search_append_body", theBody, false, true, "The same as search_append, for the body.")
	edit("replace", behind, false, false,
		"Replaces the first match of a pattern in headers or body by a text.")
	edit("replace_hdrs", heads, false, false, "The same as replace, for the headers.")
	edit("replace_body", theBody, false, false, "The same as replace, for the body.")
	edit("replace_all", behind, true, false,
		"Replaces each match of a pattern in headers and body by a text.")
	edit("replace_body_all", theBody, true, false,
		"The same as replace_all, for the body; ^ matches the beginning of what is left.")
	edit("replace_body_atonce", theBody, true, false, "The same as replace_all, for the body as one "+
		"text: a dot and [^…] match line ends as well, ^ and $ only where the text begins and ends.")
	all := route.ParsedWarn("mode", `"a" or "f"`, "all (a), or the first (f)",
		func(s string) (bool, string) {
			if s != "a" && s != "f" {
				return true, "is none of a, f, and counts as a"
			}
			return s == "a", ""
		})
	plain := func(name string, p part, doc string) {
		route.Func3(m, name, route.Anywhere, route.Text("match", "what to look for"),
			route.Text("text", "the new text"),
			all, doc,
			func(c *route.Ctx, match, text []byte, all bool) route.Result {
				return max(replaceText(c, p, match, text, all), 1)
			})
	}
	plain("replace_str", behind, "Replaces a text by another one in headers and body. It is true "+
		"also if there is none.")
	plain("replace_hdrs_str", heads, "The same as replace_str, for the headers.")
	plain("replace_body_str", theBody, "The same as replace_str, for the body.")
}

// pick is the next row of a name behind row i, of all of them or the first or last only. It is -1
// if there is none.
func pick(c *route.Ctx, name string, which byte, i int) int {
	switch {
	case which == 'a':
		return c.Msg.HeaderByName(name, i+1)
	case i >= 0:
		return -1
	case which == 'f':
		return c.Msg.HeaderByName(name, 0)
	}
	for next := c.Msg.HeaderByName(name, 0); next >= 0; next = c.Msg.HeaderByName(name, i+1) {
		i = next
	}
	return i
}

func replace(c *route.Ctx, p part, re *regexp.Regexp, text string, all, keep bool) route.Result {
	b, off := p.of(c)
	s := c.Scan(re, b)
	if !s.Next() {
		return -1
	}
	with := append(c.Room(), text...)
	for more := true; more; more = all && s.Next() {
		old := parser.Span{Off: off + uint32(s.At[0]), Len: uint32(s.At[1] - s.At[0])}
		if keep {
			old = parser.Span{Off: old.End()}
		} else if old.Len == 0 {
			return -1
		}
		if r := c.Edit(old, with); r <= 0 {
			return r
		}
	}
	return 1
}

func replaceText(c *route.Ctx, p part, match, text []byte, all bool) route.Result {
	b, off := p.of(c)
	found := route.Result(-1)
	for i := bytes.Index(b, match); i >= 0 && len(match) > 0; i = bytes.Index(b, match) {
		if r := c.Edit(parser.Span{Off: off + uint32(i), Len: uint32(len(match))}, text); r <= 0 {
			return r
		}
		if found = 1; !all {
			break
		}
		b, off = b[i+len(match):], off+uint32(i+len(match))
	}
	return found
}
