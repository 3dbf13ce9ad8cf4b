package route

import (
	"bytes"

	"viaduct/parser"
)

// FromOrTo is the From or To header of the current message: where its name and URI stand, and the
// text that they leave with.
type FromOrTo struct {
	at   parser.Span     // in the message
	text []byte          // the name and URI that will be sent
	is   parser.NameAddr // text, parsed
}

// FromOrTo reads From or To, including what the run has changed in it. It returns false if the
// header is missing or malformed.
func (c *Ctx) FromOrTo(kind parser.Kind) (w FromOrTo, ok bool) {
	if w.at, ok = c.Msg.FromOrToAddress(kind); !ok {
		return w, false
	}
	if c.Request == nil {
		w.text, ok = c.Reply.Edited(w.at)
	} else {
		w.text, ok = c.Request.Edited(w.at)
	}
	if !ok {
		w.text = c.Msg.Bytes(w.at)
	}
	return w, parseFromOrTo(w.text, &w.is)
}

func parseFromOrTo(text []byte, a *parser.NameAddr) bool {
	at := len(text) - len(bytes.TrimLeft(text, " \t\r\n")) // where a name was taken away
	s := parser.Span{Off: uint32(at), Len: uint32(len(text) - at)}
	return parser.ParseNameAddr(text, s, a) == parser.OK
}

// URI returns the URI that will be sent.
func (w *FromOrTo) URI() []byte { return w.is.URI.Of(w.text) }

// Text returns the name and URI that will be sent, without parameters.
func (w *FromOrTo) Text() []byte { return w.text }

// SetFromOrTo gives From or To another name, another URI, or both. A nil argument leaves that part
// as it is, and an empty name removes the name. It returns -1 if the header would then read as
// something else: if uri is not a URI, or name has an unmatched quote.
func (c *Ctx) SetFromOrTo(kind parser.Kind, name, uri []byte) Result {
	return c.setFromOrTo(kind, name, uri, false)
}

// setFromOrTo is SetFromOrTo. If bare is set, the white space in front of the URI is removed too.
func (c *Ctx) setFromOrTo(kind parser.Kind, name, uri []byte, bare bool) Result {
	w, ok := c.FromOrTo(kind)
	if !ok {
		return -1
	}
	b := c.Room()
	if len(w.text)+len(name)+len(uri)+4 > cap(b) {
		return -1
	}
	if name == nil {
		name = w.is.Display.Of(w.text)
	}
	if uri == nil {
		uri = w.URI()
	}
	switch {
	case !w.is.Bracket && len(name) == 0 && !bytes.ContainsAny(uri, ";?,"):
		b = append(b, uri...)
	case !w.is.Bracket || w.is.Display.Len == 0 && len(name) > 0:
		if b = append(b, name...); len(name) > 0 {
			b = append(b, ' ')
		}
		b = append(append(append(b, '<'), uri...), '>')
	default: // the white space stays
		b = append(append(b, name...), w.text[w.is.Display.End():w.is.URI.Off]...)
		b = append(append(b, uri...), w.text[w.is.URI.End():]...)
		if bare {
			b = bytes.TrimLeft(b, " \t\r\n")
		}
	}
	var a parser.NameAddr
	if !parseFromOrTo(b, &a) || a.Params.Len > 0 || a.CheckURI(b) != parser.OK ||
		!bytes.Equal(a.URI.Of(b), uri) || !bytes.Equal(a.Display.Of(b), bytes.TrimSpace(name)) {
		return -1
	}
	return c.Edit(w.at, b)
}

// SetFromOrToURI assigns to the URI of From or To. $null leaves it as it is, as in Kamailio.
func (c *Ctx) SetFromOrToURI(kind parser.Kind, v Value) SetResult {
	if !v.IsText() {
		return refusedUnless(v.IsNull())
	}
	return refusedUnless(len(v.S) > 0 && c.SetFromOrTo(kind, nil, v.S) > 0)
}

// SetFromOrToName assigns to the name of From or To. $null removes it.
func (c *Ctx) SetFromOrToName(kind parser.Kind, v Value) SetResult {
	if !v.IsText() && !v.IsNull() {
		return SetRefused
	}
	name := v.S
	if name == nil {
		name = []byte{}
	}
	return refusedUnless(c.setFromOrTo(kind, name, nil, v.IsNull()) > 0)
}

// SetFromOrToPart assigns to the user or the host of the URI of From or To. $null or an empty text
// removes the user; a host cannot be removed.
func (c *Ctx) SetFromOrToPart(kind parser.Kind, which URIPart, v Value) SetResult {
	w, ok := c.FromOrTo(kind)
	if !ok || !v.IsText() && !v.IsNull() {
		return SetRefused
	}
	var u parser.URI
	if parser.ParseURI(w.URI(), &u) != parser.OK || u.Scheme == parser.SchemeOther {
		return SetRefused
	}
	old, text := u.Host, v.S
	if which == UserPart {
		old = u.User
		end := u.Password.End()
		switch colon := u.SchemeName.End() + 1; {
		case u.Scheme == parser.TEL:
		case old.Len == 0 && len(text) == 0:
			return SetDone
		case old.Len == 0:
			old.Off = colon
			b := append(append(c.Room(), text...), '@')
			text = c.Built(b).S
		case len(text) == 0:
			if u.Password.Len == 0 {
				end = old.End()
			}
			old.Len = end + 1 - old.Off // the "@" too
		}
	}
	if which != UserPart && (len(text) == 0 || old.Len == 0) {
		return SetRefused
	}
	b := append(append(c.Room(), u.Raw[:old.Off]...), text...)
	uri := c.Built(append(b, u.Raw[old.End():]...))
	var is parser.URI
	if uri.IsNull() || parser.ParseURI(uri.S, &is) != parser.OK ||
		which != UserPart && is.Port != u.Port {
		return SetRefused
	}
	return refusedUnless(c.SetFromOrTo(kind, nil, uri.S) > 0)
}

func refusedUnless(ok bool) SetResult {
	if !ok {
		return SetRefused
	}
	return SetDone
}
