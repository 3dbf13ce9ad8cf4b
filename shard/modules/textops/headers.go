package textops

import (
	"bytes"
	"regexp"

	"viaduct/shard/route"
)

// pattern is a POSIX extended regular expression as the file has it: no variables, no case, and ^
// and $ match at each line.
func pattern(name, doc string) route.Arg[*regexp.Regexp] {
	return patternOf(name, doc, route.Lines)
}

// ofNames is pattern for names of header fields. They have no line feed, so nothing is different
// without lines, but package regexp: "^X-" takes it a fifth of the time then.
func ofNames(name, doc string) route.Arg[*regexp.Regexp] { return patternOf(name, doc, 0) }

// computedOfNames is ofNames with variables.
func computedOfNames(name, doc string) route.Arg[*regexp.Regexp] { return route.Pattern(name, doc) }

// patternOf is a pattern as the file has it, matched as how says.
func patternOf(name, doc string, how route.PatternFlag) route.Arg[*regexp.Regexp] {
	return route.Parsed(name, "a pattern", "is no extended regular expression (POSIX)", doc,
		func(s string) (*regexp.Regexp, bool) {
			re, err := route.CompilePattern(s, how)
			return re, err == nil
		})
}

// computed is a pattern that holds variables.
func computed(name, doc string) route.Arg[*regexp.Regexp] {
	return route.Lenient(route.Pattern(name, doc, route.Lines), -1)
}

// header is the name of a header field.
func header(doc string) route.Arg[string] {
	return route.Lenient(route.Parsed("hname", "the name of a header field",
		"is no name of a header field, write one without a colon, such as \"X-Side\"", doc,
		func(s string) (string, bool) { return s, route.IsToken(s) }), -1)
}

const nameDoc = "the name of a header field, or its compact form"

// headers declares the functions that add, remove and look for rows.
func headers(m *route.Module) {
	m.Func(route.Func{Name: "append_hf", In: route.Anywhere,
		Args: []route.AnyArg{rowsArg, route.Optional(header(nameDoc), "")},
		Doc:  "Adds rows at the end of the headers, or after the last row of a name.",
		Build: func(b *route.Build) route.Call {
			return addRows(b, true)
		}})
	m.Func(route.Func{Name: "insert_hf", In: route.Anywhere,
		Args: []route.AnyArg{rowsArg, route.Optional(header(nameDoc), "")},
		Doc:  "Adds rows in front of all headers but our Via, or of the last one of a name.",
		Build: func(b *route.Build) route.Call {
			return addRows(b, false)
		}})
	prefix := route.Text("prefix", "the name of a header field, with its colon")
	suffix := route.Text("suffix", "the text after the URI")
	route.Func2(m, "append_urihf", route.InRequest|route.InFailure|route.InBranch, prefix, suffix,
		"Adds a row with the Request-URI in it.",
		func(c *route.Ctx, prefix, suffix []byte) route.Result {
			row := append(append(append(c.Room(), prefix...), c.Request.RequestURI()...), suffix...)
			c.Built(row)
			return c.InsertRows(c.Msg.HeaderEnd, row)
		})

	route.Func1(m, "remove_hf", route.Anywhere, header(nameDoc),
		"Removes all headers of a name. False: there is none.",
		func(c *route.Ctx, name string) route.Result { return removeNamed(c, name) })
	named := route.Phrase("hname", "the name of a header field")
	route.Func1(m, "remove_hf_pv", route.Anywhere, named,
		"The same as remove_hf, with variables, and true also if there is none.",
		func(c *route.Ctx, name string) route.Result {
			if !route.IsToken(name) {
				return -1
			}
			return max(removeNamed(c, name), 1)
		})
	re := "the pattern for the names"
	remove := func(c *route.Ctx, re *regexp.Regexp) route.Result {
		return removeMatching(c, re, nil)
	}
	route.Func1(m, "remove_hf_re", route.Anywhere, ofNames("re", re),
		"Removes all headers whose names match.", remove)
	route.Func1(m, "remove_hf_re_pv", route.Anywhere, computedOfNames("re", re),
		"The same as remove_hf_re, with variables.", remove)
	skip := "the pattern for the names to keep"
	route.Func2(m, "remove_hf_exp", route.Anywhere, ofNames("re", re), ofNames("skip", skip),
		"Removes all headers whose names match the first pattern and not the second.",
		removeMatching)
	route.Func2(m, "remove_hf_exp_pv", route.Anywhere, computedOfNames("re", re),
		computedOfNames("skip", skip), "The same as remove_hf_exp, with variables.", removeMatching)
	route.Func2(m, "remove_hf_idx", route.Anywhere, header(nameDoc),
		route.Int("index", -1<<15, 1<<15,
			"which of them, from 0; below 0: from the last, which is -1", route.AsIs),
		"Removes one header of a name.", removeIndex)
	op := route.Lenient(route.Enum("op", "an operator",
		"is no operator: it is eq, ne, sw, in, re or fm", "eq, ne, sw, in, re or fm", operators...), -1)
	route.Func3(m, "remove_hf_match", route.Anywhere, header(nameDoc), op,
		route.Text("value", "what the value is compared with"),
		"Removes the headers of a name whose value equals a text (eq), differs from it (ne), "+
			"starts with it (sw), contains it (in), or matches it (re, or fm "+
			"as fnmatch). -2: there is none.", removeMatch)

	route.Func1(m, "is_present_hf", route.Anywhere, header(nameDoc),
		"Tells whether there is a header of the name.",
		func(c *route.Ctx, name string) route.Result {
			return route.Truth(c.Msg.HeaderByName(name, 0) >= 0)
		})
	route.Func1(m, "is_present_hf_pv", route.Anywhere, named, "The same as is_present_hf, with "+
		"variables.",
		func(c *route.Ctx, name string) route.Result {
			return route.Truth(c.Msg.HeaderByName(name, 0) >= 0)
		})
	present := func(c *route.Ctx, re *regexp.Regexp) route.Result {
		for i := range c.Msg.Headers {
			if re.Match(c.Msg.Bytes(c.Msg.Headers[i].Name)) {
				return 1
			}
		}
		return -1
	}
	route.Func1(m, "is_present_hf_re", route.Anywhere, ofNames("re", re),
		"Tells whether there is a header whose name matches.", present)
	route.Func1(m, "is_present_hf_re_pv", route.Anywhere, computedOfNames("re", re),
		"The same as is_present_hf_re, with variables.", present)
}

var rowsArg = route.Text("rows", `whole header rows, such as "X-Side: out\r\n"`)

// addRows is append_hf or insert_hf.
func addRows(b *route.Build, behind bool) route.Call {
	rows, ok := rowsArg.At(b, 0)
	if !ok {
		return nil
	}
	if s, known := rows.Known(); known && !isRows(s) {
		b.Warnf(0, `%s: %s is no header row such as "X-Side: out\r\n", and the call is false`,
			b.Name(), route.Quote(string(s)))
	}
	name, ok := route.Optional(header(nameDoc), "").At(b, 1)
	if !ok {
		return nil
	}
	beside, _ := name.Known()
	return func(c *route.Ctx) route.Result {
		text, r := rows.Get(c)
		if r <= 0 {
			return r
		}
		at := c.Msg.HeaderStart
		if behind {
			at = c.Msg.HeaderEnd
		}
		if beside != "" {
			last := -1
			for i := c.Msg.HeaderByName(beside, 0); i >= 0; i = c.Msg.HeaderByName(beside, i+1) {
				last = i
				if !behind {
					break
				}
			}
			if last >= 0 {
				at = c.Msg.Headers[last].Line.Off
				if behind {
					at = c.Msg.Headers[last].Line.End()
				}
			}
		}
		return c.InsertRows(at, text)
	}
}

// isRows tells whether InsertRows takes b.
func isRows(b []byte) bool {
	return route.HeaderRows(bytes.TrimSuffix(bytes.TrimSuffix(b, lf), cr))
}

var cr, lf, crlf = []byte("\r"), []byte("\n"), []byte("\r\n")

// removeNamed takes out all rows of a name.
func removeNamed(c *route.Ctx, name string) route.Result {
	found := route.Result(-1)
	for i := c.Msg.HeaderByName(name, 0); i >= 0; i = c.Msg.HeaderByName(name, i+1) {
		if r := c.Edit(c.Msg.Headers[i].Line, nil); r <= 0 {
			return r
		}
		found = 1
	}
	return found
}

func removeMatching(c *route.Ctx, re, skip *regexp.Regexp) route.Result {
	found := route.Result(-1)
	for i := range c.Msg.Headers {
		h := &c.Msg.Headers[i]
		if name := c.Msg.Bytes(h.Name); !re.Match(name) || skip != nil && skip.Match(name) {
			continue
		}
		if r := c.Edit(h.Line, nil); r <= 0 {
			return r
		}
		found = 1
	}
	return found
}

func removeIndex(c *route.Ctx, name string, index int) route.Result {
	fromEnd := index < 0
	if fromEnd {
		for i := c.Msg.HeaderByName(name, 0); i >= 0; i = c.Msg.HeaderByName(name, i+1) {
			index++
		}
	}
	for i := c.Msg.HeaderByName(name, 0); i >= 0; i = c.Msg.HeaderByName(name, i+1) {
		if index == 0 {
			return c.Edit(c.Msg.Headers[i].Line, nil)
		}
		index--
	}
	if fromEnd {
		return 1
	}
	return 2 // both are true, as in Kamailio
}

// An operator of remove_hf_match tells whether a value is meant.
type operator func(c *route.Ctx, value, with []byte) bool

var operators = []route.Word[operator]{
	{Word: "eq", Value: func(_ *route.Ctx, v, with []byte) bool { return bytes.Equal(v, with) }},
	{Word: "ne", Value: func(_ *route.Ctx, v, with []byte) bool { return !bytes.Equal(v, with) }},
	{Word: "sw", Value: func(_ *route.Ctx, v, with []byte) bool {
		return bytes.HasPrefix(v, with)
	}},
	{Word: "in", Value: func(_ *route.Ctx, v, with []byte) bool { return bytes.Contains(v, with) }},
	{Word: "re", Value: func(c *route.Ctx, v, with []byte) bool {
		re := c.CachedPattern(with, route.Lines)
		return re != nil && re.Match(v)
	}},
	{Word: "fm", Value: func(_ *route.Ctx, v, with []byte) bool {
		return route.Fnmatch(with, v, false)
	}},
}

func removeMatch(c *route.Ctx, name string, is operator, with []byte) route.Result {
	found := route.Result(-2)
	for i := c.Msg.HeaderByName(name, 0); i >= 0; i = c.Msg.HeaderByName(name, i+1) {
		h := &c.Msg.Headers[i]
		if !is(c, c.Msg.Bytes(c.Msg.FieldBody(h)), with) {
			continue
		}
		if r := c.Edit(h.Line, nil); r <= 0 {
			return r
		}
		found = 1
	}
	return found
}
