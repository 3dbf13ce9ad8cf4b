package uac

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"

	"viaduct/parser"
	"viaduct/shard/modules/rr"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
)

// replacing shows who calls, and who is called, under another name. The other side answers with
// that name, and uses it within the dialog; there it becomes the first one again, in responses by
// what the transaction keeps of its request, and in requests by a parameter of our Record-Route:
//
//	alice ─ From: alice ─→ here ─ From: anon, Record-Route: …;vsf=alice^anon ─→ bob
//	alice ←─ From: alice ─ here ←─ From: anon ─ bob                                a response
//	alice ←─ To: alice ─── here ←─ To: anon, Route: …;vsf=alice^anon ─ bob         a request
//
// The parameter is what both URIs are by an exclusive or, so that either gives the other one. It is
// written as Kamailio does, which may have set up the call.
type replacing struct {
	mode           *string
	fromParam      *string
	toParam        *string
	passwd         *string
	fromAVP, toAVP *string
}

// The modes of restoring.
const (
	restoreNone   = "none"
	restoreManual = "manual"
	restoreAuto   = "auto"
)

func (u *replacing) define(m *route.Module) {
	u.mode = m.OneOf("restore_mode", restoreAuto,
		"How the replaced URI is restored. auto: in responses, and in requests within the dialog "+
			"by loose_route(). manual: in responses, and in requests by uac_restore_from() and "+
			"uac_restore_to(). none: not at all.",
		restoreNone, restoreManual, restoreAuto)
	u.fromParam = m.Text("rr_from_store_param", "vsf",
		"The parameter of Record-Route that holds the From URI.")
	u.toParam = m.Text("rr_to_store_param", "vst", "The same for the To URI.")
	u.passwd = m.Text("restore_passwd", "",
		"The password that makes these parameters unreadable to others.")
	u.fromAVP = m.Text("restore_from_avp", "",
		"The variable for name and URI of From as received.")
	u.toAVP = m.Text("restore_to_avp", "", "The same for To.")
	m.IdleInt("the URIs are kept in Record-Route, as there are no dialogs yet", "restore_dlg")
	m.Ready(func() error {
		switch {
		case *u.mode == restoreAuto && !m.Loaded("rr"):
			return errors.New(`restore_mode "auto" needs loadmodule "rr.so" above this line; ` +
				`or set it to "none"`)
		case !route.IsToken(*u.fromParam) || !route.IsToken(*u.toParam):
			return errors.New("rr_from_store_param and rr_to_store_param must be names of " +
				"parameters")
		case strings.EqualFold(*u.fromParam, *u.toParam):
			return errors.New("rr_from_store_param and rr_to_store_param must differ")
		}
		return nil
	})

	u.functions(m, "from", "From", &fromHeader)
	u.functions(m, "to", "To", &toHeader)
}

// header is From or To.
type header struct {
	kind     parser.Kind
	restored proxy.Restores
}

var (
	fromHeader = header{parser.KindFrom, proxy.RestoreFrom}
	toHeader   = header{parser.KindTo, proxy.RestoreTo}
)

// uri is the URI as it came, of a header that is there.
func (h *header) uri(c *route.Ctx) []byte {
	a, _ := c.Msg.FromOrTo(h.kind)
	return c.Msg.Bytes(a.URI)
}

func (u *replacing) functions(m *route.Module, name, row string, h *header) {
	display := route.Text("display",
		`the new name, with quotes if it needs them; "", or a variable without a value: none`)
	uri := route.Text("uri", `the new URI; "": the one received`)
	m.Func(route.Func{Name: "uac_replace_" + name, In: route.InRequest | route.InBranch,
		Args: []route.AnyArg{display, route.Optional(uri, nil)},
		Doc: "Sends the request with another name and URI in " + row + "; a single argument is " +
			"the URI. False: it was replaced before, or the result would not be a valid " + row + ".",
		Build: func(b *route.Build) route.Call {
			avp, ok := u.avp(b, h)
			first, ok1 := display.At(b, 0)
			second, ok2 := route.Optional(uri, nil).At(b, 1)
			if !ok || !ok1 || !ok2 {
				return nil
			}
			both := b.Args() == 2
			return func(c *route.Ctx) route.Result {
				display, r1 := first.Get(c)
				uri, r2 := second.Get(c)
				if r := min(r1, r2); r <= 0 {
					return r
				}
				if !both {
					display, uri = nil, display
				} else if display == nil || string(display) == "<null>" {
					display = empty // a variable without a value is no name
				}
				return u.replace(c, h, display, uri, avp)
			}
		}}).ThroughRoutes(route.InFailure)
	m.Func(route.Func{Name: "uac_restore_" + name, In: route.InRequest,
		Doc: "Sets " + row + " to its replacement, or back to what was replaced, by the Route that " +
			"loose_route() removed. False: that Route says nothing about " + row + ".",
		Build: func(b *route.Build) route.Call {
			avps, ok := u.avps(b)
			if !ok {
				return nil
			}
			return func(c *route.Ctx) route.Result { return u.restore(c, h, &avps) }
		}})
}

var empty = []byte{}

// avp is the variable that takes what stands in a header, nil if there is none.
func (u *replacing) avp(b *route.Build, h *header) (*route.Place, bool) {
	text, param := *u.fromAVP, "restore_from_avp"
	if h == &toHeader {
		text, param = *u.toAVP, "restore_to_avp"
	}
	if text == "" {
		return nil, true
	}
	p := b.Variable(text, param)
	return p, p != nil
}

// avps are the variables of both.
type avps struct{ from, to *route.Place }

func (u *replacing) avps(b *route.Build) (a avps, ok bool) {
	var ok1, ok2 bool
	a.from, ok1 = u.avp(b, &fromHeader)
	a.to, ok2 = u.avp(b, &toHeader)
	return a, ok1 && ok2
}

// replace is uac_replace_from or uac_replace_to. In a branch route it is for that branch, whatever
// was replaced before.
func (u *replacing) replace(c *route.Ctx, h *header, display, uri []byte,
	avp *route.Place) route.Result {
	w, ok := c.FromOrTo(h.kind)
	if !ok {
		return -1
	}
	came := h.uri(c)
	before := !bytes.Equal(came, w.URI())
	if before && *u.mode != restoreNone && !c.RunsIn(route.InBranch) {
		return -1
	}
	if len(uri) == 0 {
		uri = nil
	}
	if display == nil && uri == nil {
		return 1
	}
	if r := c.SetFromOrTo(h.kind, display, uri); r <= 0 || *u.mode == restoreNone {
		return r
	}
	if uri != nil {
		name := *u.fromParam
		if h == &toHeader {
			name = *u.toParam
		}
		value, ok := u.encode(c.Room(), came, uri)
		if !ok || !c.Request.SetRouteParam(name, value) {
			return -1
		}
	}
	return u.changed(c, h, avp)
}

// changed is what follows when a header was changed: responses restore it, and the variable takes
// what it was.
func (u *replacing) changed(c *route.Ctx, h *header, avp *route.Place) route.Result {
	if avp != nil {
		at, _ := c.Msg.FromOrToAddress(h.kind)
		if r := avp.Put(c, route.TextValue(c.Msg.Bytes(at))); r <= 0 {
			return r
		}
	}
	return route.Truth(c.Request.Restore(h.restored))
}

// followed restores both URIs of a request that follows our Record-Route.
func (u *replacing) followed(b *route.Build) func(c *route.Ctx) {
	avps, ok := u.avps(b)
	if !ok || *u.mode != restoreAuto {
		return nil
	}
	return func(c *route.Ctx) {
		u.restore(c, &fromHeader, &avps)
		u.restore(c, &toHeader, &avps)
	}
}

// restore gives a URI that was replaced in the first request of a dialog its other form in this
// request. h is the header that it was replaced in there: a request of the called side has it in
// the other one.
func (u *replacing) restore(c *route.Ctx, h *header, avps *avps) route.Result {
	name := *u.fromParam
	if h == &toHeader {
		name = *u.toParam
	}
	value, ok := routed(c, name)
	if !ok {
		return -1
	}
	if rr.Upstream(c) {
		if h == &fromHeader {
			h = &toHeader
		} else {
			h = &fromHeader
		}
	}
	if _, ok := c.Msg.FromOrToAddress(h.kind); !ok {
		return -1
	}
	uri, ok := u.decode(c.Room(), value, h.uri(c))
	if !ok {
		return -1
	}
	c.Built(uri)
	if r := c.SetFromOrTo(h.kind, nil, uri); r <= 0 {
		return r
	}
	avp := avps.from
	if h == &toHeader {
		avp = avps.to
	}
	return u.changed(c, h, avp)
}

// routed is a parameter of our Record-Route that the request has followed.
func routed(c *route.Ctx, name string) ([]byte, bool) {
	b := c.Request.Routed()
	u := parser.URI{Raw: b, Params: parser.Span{Len: uint32(len(b))}}
	return u.Param(strings.ToLower(name))
}

// encoding is base64 with another padding, as "=" would have to be escaped in a parameter.
var encoding = base64.StdEncoding.WithPadding('-')

// encode appends what two URIs are together. false: no room.
func (u *replacing) encode(b, x, y []byte) ([]byte, bool) {
	n := max(len(x), len(y))
	at := encoding.EncodedLen(n)
	if len(b)+at+n > cap(b) {
		return nil, false
	}
	both := b[len(b)+at : len(b)+at+n]
	for i := range both {
		both[i] = 0
		if i < len(x) {
			both[i] = x[i]
		}
		if i < len(y) {
			both[i] ^= y[i]
		}
	}
	u.mask(both)
	encoding.Encode(b[len(b):len(b)+at], both)
	return b[:len(b)+at], true
}

// decode appends the URI that is one of the two that value was made of, if now is the other. It
// returns false if now is neither.
func (u *replacing) decode(b, value, now []byte) ([]byte, bool) {
	n := encoding.DecodedLen(len(value))
	if len(value)%4 != 0 || len(b)+n > cap(b) {
		return nil, false
	}
	b = b[: len(b)+n : cap(b)]
	n, err := encoding.Decode(b, value)
	if err != nil || len(now) > n {
		return nil, false
	}
	b = b[:n]
	u.mask(b)
	for i := range now {
		b[i] ^= now[i]
	}
	b = bytes.TrimRight(b, "\x00")
	var uri parser.URI
	return b, len(b) > 0 && parser.ParseURI(b, &uri) == parser.OK
}

// mask applies the password, or takes it away.
func (u *replacing) mask(b []byte) {
	if p := *u.passwd; p != "" {
		for i := range b {
			b[i] ^= p[i%len(p)]
		}
	}
}
