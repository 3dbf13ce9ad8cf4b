package siputils

import (
	"bytes"

	"viaduct/parser"
	"viaduct/shard/route"
)

// maxE164 is the most digits of an E.164 number.
const maxE164 = 15

// texts declares the functions that look at texts.
func texts(m *route.Module) {
	text := route.Text("text", "the text to examine")
	is := func(name, doc string, f func(b []byte) route.Result) {
		route.Func1(m, name, route.Anywhere, text, doc,
			func(_ *route.Ctx, b []byte) route.Result { return f(b) })
	}
	route.Func1(m, "is_e164", route.InRequest|route.InFailure, text,
		"Tells whether a text is an E.164 number: a plus and 2 to 15 digits.",
		func(_ *route.Ctx, b []byte) route.Result { return route.Truth(isE164(b)) })
	is("is_tel_number", "Tells whether a text has only digits after an optional plus. -2: it has "+
		"others.",
		func(b []byte) route.Result { return verdict(allDigits(bytes.TrimPrefix(b, []byte("+")))) })
	is("is_numeric", "Tells whether a text has only digits. -2: it has others.",
		func(b []byte) route.Result { return verdict(allDigits(b)) })
	is("is_alphanum", "Tells whether a text has only ASCII digits and letters. -2: it is empty, "+
		"-3: it has others.",
		func(b []byte) route.Result { return alphanum(b, nil) })
	route.Func2(m, "is_alphanumex", route.Anywhere, text,
		route.Text("more", "the other bytes that are allowed"),
		"The same as is_alphanum, with more bytes allowed.",
		func(_ *route.Ctx, b, more []byte) route.Result { return alphanum(b, more) })
	uri := route.Text("uri", "a URI")
	route.Func1(m, "is_uri", route.Anywhere, uri,
		"Tells whether a text is a sip, sips, tel or urn URI.",
		func(_ *route.Ctx, b []byte) route.Result {
			if len(b) > 4 && foldPrefix(b, "urn:") {
				return 1
			}
			var u parser.URI
			return route.Truth(parser.ParseURI(b, &u) == parser.OK && u.Scheme != parser.SchemeOther)
		})
	route.Func1(m, "is_uri_user_e164", route.Anywhere, uri,
		"Tells whether the user of a URI is an E.164 number.",
		func(c *route.Ctx, b []byte) route.Result {
			u := c.ParseURI(b)
			return route.Truth(u != nil && isE164(u.UserBytes()))
		})
}

// verdict is 1, or where the answer is no -2, as in Kamailio.
func verdict(yes bool) route.Result {
	if yes {
		return 1
	}
	return -2
}

func foldPrefix(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && sameFold(b[:len(prefix)], prefix)
}

func allDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

func isE164(b []byte) bool {
	return len(b) > 2 && len(b) <= maxE164+1 && b[0] == '+' && allDigits(b[1:])
}

func alphanum(b, more []byte) route.Result {
	for _, c := range b {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && bytes.IndexByte(more, c) < 0 {
			return -3
		}
	}
	return verdict(len(b) > 0)
}
