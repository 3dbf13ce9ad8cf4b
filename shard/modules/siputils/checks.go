package siputils

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"time"

	"viaduct/parser"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
)

// checks declares the functions that look at the message.
func checks(m *route.Module) {
	route.Func1(m, "is_user", route.InRequest, route.Text("user", "a user name"),
		"Tells whether the accepted credentials are those of a user. False: none were checked.",
		func(c *route.Ctx, _ []byte) route.Result { return -1 }) // nothing here accepts credentials
	mode := route.Optional(route.Int("mode", 0, 1,
		"1: also count a Record-Route with a name, and a response from one of "+
			"our sockets", route.AsIs),
		0)
	route.Func1(m, "is_first_hop", route.Anywhere, mode,
		"Tells whether the message comes straight from whoever made it: a request with one Via, "+
			"or a response whose topmost Record-Route is ours or that has none.",
		firstHop)
	option := route.Parsed("option", "an option tag", "is none of "+strings.Join(optionTags, ", "),
		"the option tag",
		func(s string) (string, bool) {
			s = strings.ToLower(s)
			return s,
				slices.Contains(optionTags, s)
		})
	route.Func1(m, "is_supported", route.Anywhere, option,
		"Tells whether the Supported header lists an option tag.",
		func(c *route.Ctx, tag string) route.Result {
			for v := c.Msg.Values(parser.KindSupported); v.Next(); {
				if sameFold(c.Msg.Bytes(v.Value), tag) {
					return 1
				}
			}
			return -1
		})
	route.Func1(m, "is_gruu", route.Anywhere, route.Optional(route.Text("uri",
		"a URI; without it, the Request-URI"), nil),
		"1: the URI is a public GRUU (RFC 5627), 2: a temporary one; otherwise false.",
		func(c *route.Ctx, uri []byte) route.Result {
			u := c.ParseURI(uri)
			if uri == nil {
				u = c.RequestURI()
			}
			if u == nil {
				return -1
			}
			value, is := u.Param("gr")
			switch {
			case !is:
				return -1
			case len(value) > 0:
				return 1
			}
			return 2
		})
	route.Func1(m, "hdr_date_check", route.Anywhere,
		route.Int("seconds", -1<<31, 1<<31-1, "how old it may be, in seconds", route.AsIs),
		"Tells whether the Date header is recent enough. -1: there is none, -2 and -3: it cannot "+
			"be read, -4: it is older.", dateCheck)
	name := route.Text("name", "the name of a header field")
	route.Func2(m, "cmp_hdr_name", route.Anywhere, name, route.Text("other", "another one"),
		"Tells whether two names, which may be compact forms, are those of the same header field. "+
			"-2: one is empty.",
		func(_ *route.Ctx, a, b []byte) route.Result {
			a, b = bytes.TrimRight(a, ": "), bytes.TrimRight(b, ": ")
			if len(a) == 0 || len(b) == 0 {
				return -2
			}
			k := parser.KindOf(a)
			return route.Truth(bytes.EqualFold(a, b) || k != parser.KindOther && k == parser.KindOf(b))
		})
}

// optionTags are those of is_supported.
var optionTags = []string{"path", "100rel", "timer", "eventlist", "gruu", "outbound"}

// sameFold tells whether b is s, which is lower-case ASCII, where case does not matter.
func sameFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != s[i] {
			return false
		}
	}
	return true
}

// firstHop is is_first_hop. A response has passed other proxies that record routes unless the
// topmost Record-Route is ours, or there is none; that we are on the path twice cannot be told.
func firstHop(c *route.Ctx, mode int) route.Result {
	if c.Msg.IsRequest {
		v := c.Msg.Values(parser.KindVia)
		return route.Truth(v.Next() && !v.Next())
	}
	v := c.Msg.Values(parser.KindRecordRoute)
	if !v.Next() {
		return 1
	}
	var a parser.NameAddr
	if c.Msg.NameAddr(v.Value, &a) != parser.OK {
		return -1
	}
	u := c.ParseURI(c.Msg.Bytes(a.URI))
	if u == nil || !c.Shard.Core.IsMyself(u.HostBytes(), int(u.EffectivePort()), proxy.AnyProto) {
		return -1
	}
	if mode == 1 {
		return 1
	}
	_, isAddr := parser.HostIP(u.HostBytes())
	src := c.From()
	ours := c.Shard.Core.IsMyself(route.AppendHost(c.Room(), src.Addr()), int(src.Port()),
		proxy.AnyProto)
	return route.Truth(isAddr && !ours)
}

// dateCheck is hdr_date_check.
func dateCheck(c *route.Ctx, seconds int) route.Result {
	i := c.Msg.HeaderByName("Date", 0)
	if i < 0 {
		return -1
	}
	t, err := time.Parse(http.TimeFormat, string(c.Msg.Bytes(c.Msg.Headers[i].Value)))
	if err != nil {
		return -2
	}
	if t.Unix() < time.Now().Unix()-int64(seconds) {
		return -4
	}
	return 1
}
