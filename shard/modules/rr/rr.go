// Package rr keeps this host in the path of a dialog: Kamailio's module rr (RFC 3261 §16.4, §16.6
// item 4 and §16.12). Package proxy does the work.
package rr

import (
	"regexp"

	"viaduct/parser"
	"viaduct/shard/route"
)

// Define is the module.
func Define(m *route.Module) {
	set := &m.Settings().Proxy
	m.BoolVar(&set.FullLR, "enable_full_lr", `Whether ";lr=on" is written instead of ";lr".`)
	m.BoolVar(&set.AppendFromtag, "append_fromtag",
		"Whether the From tag is added to Record-Route; is_direction needs it to tell who is "+
			"calling.")
	m.IntVar((*int)(&set.DoubleRR), "enable_double_rr", 0, 2,
		"1: two Record-Route values if protocol or socket change. 2: always two, with their "+
			"protocols.")
	m.BoolVar(&set.ForceSendSocket, "force_send_socket",
		"Whether loose_route sends the request from the socket in our Route, even if there is "+
			"only one.")
	m.BoolVar(&set.IgnoreSips, "ignore_sips",
		"Whether Record-Route is never sips. Otherwise it is sips if the Request-URI is (RFC 3261 "+
			"§16.6 item 4).")
	m.BoolVar(&set.SignRoutes, "sign_routes",
		"Viaduct's own: a Route is followed only for calls that were set up through this host.")
	m.IdleInt("Record-Route carries addresses, not socket names", "sockname_mode")
	m.IdleInt("a Route that is none of our sockets leaves by the one that suits its destination",
		"enable_socket_mismatch_warning")

	recording(m)

	looseRoutes(m)
	route.Func0(m, "rr_next_hop_route", route.Anywhere,
		"Tells whether loose_route removed our Route and found another host's behind it, whatever "+
			"the script has set since.",
		func(c *route.Ctx) route.Result {
			return route.Truth(c.Request != nil && c.Request.ToRoute())
		})

	const in, later = route.InRequest, route.InFailure | route.InBranch
	route.Func1(m, "check_route_param", in,
		route.Pattern("pattern", "the pattern; case is ignored"),
		"Looks for a pattern in the parameters of our Route, the first one that loose_route "+
			"removed.",
		func(c *route.Ctx, re *regexp.Regexp) route.Result {
			params := c.Request.Routed()
			return route.Truth(params != nil && re.Match(params))
		}).ThroughRoutes(later)
	const words = "upstream or downstream"
	upstream := route.Enum("direction", words, "is neither upstream nor downstream", words,
		route.Word[bool]{Word: "upstream", Value: true}, route.Word[bool]{Word: "downstream"})
	route.Func1(m, "is_direction", in, upstream,
		"Tells whether the request goes from the callee to the caller (upstream), or in the "+
			"direction of the request that set the dialog up (downstream).",
		func(c *route.Ctx, upstream bool) route.Result {
			return route.Truth(goesUpstream(c) == upstream)
		}).ThroughRoutes(later)

	m.Var(route.Var{Name: "rdir", Inner: "id or name", Compile: direction,
		Doc: "The direction: 1 and downstream, or 2 and upstream."})
	m.Var(route.Var{Name: "fti", Doc: "The From tag of the request that set the dialog up.",
		Place: route.Place{NoRoom: true, Text: func(c *route.Ctx) ([]byte, bool) {
			return tagOf(c, !goesUpstream(c))
		}}})
	m.Var(route.Var{Name: "tti", Doc: "The To tag of the answer to that request.",
		Place: route.Place{NoRoom: true, Text: func(c *route.Ctx) ([]byte, bool) {
			return tagOf(c, goesUpstream(c))
		}}})
	m.Var(route.Var{Name: "route_uri",
		Doc:   "The URI of the first Route, as received; null without one.",
		Place: route.Place{NoRoom: true, Text: routeURI}})
}

// usedUp is what loose_route is for a set that was ours alone, outside of a dialog.
const usedUp = -3

// goesUpstream tells whether the request comes from the side that was called: its From tag is not
// that of the request which set the dialog up. Without loose_route before it, or a Route that has
// no such tag, it does not, as in Kamailio.
func goesUpstream(c *route.Ctx) bool {
	if c.Request == nil {
		return false
	}
	params := c.Request.Routed()
	from, end := route.FindParam(params, ftag)
	if from < 0 || end-from <= len(";ftag=") {
		return false
	}
	f, reason := c.Msg.From()
	return reason == parser.OK && string(params[from+len(";ftag="):end]) != string(f.Tag.Of(c.Msg.Raw))
}

var ftag = []byte("ftag")

// direction is $rdir(id) and $rdir(name).
func direction(b *route.VarBuild, inner, index string) route.Place {
	switch inner {
	case "id":
		return route.Place{NoRoom: true, Int: func(c *route.Ctx) (int64, bool) {
			if goesUpstream(c) {
				return 2, true
			}
			return 1, true
		}}
	case "name":
		return route.Place{NoRoom: true, Text: func(c *route.Ctx) ([]byte, bool) {
			if goesUpstream(c) {
				return []byte("upstream"), true
			}
			return []byte("downstream"), true
		}}
	}
	b.Errorf("there is no $rdir(%s): it is id or name", inner)
	return route.Place{}
}

// tagOf is the From tag of the message, or its To tag.
func tagOf(c *route.Ctx, from bool) ([]byte, bool) {
	header := c.Msg.To
	if from {
		header = c.Msg.From
	}
	h, reason := header()
	if reason != parser.OK || h.Tag.Empty() {
		return nil, false
	}
	return h.Tag.Of(c.Msg.Raw), true
}

// routeURI returns $route_uri.
func routeURI(c *route.Ctx) ([]byte, bool) {
	var u parser.URI
	v := c.Msg.Values(parser.KindRoute)
	if !v.Next() || c.Msg.NameAddrURI(v.Value, &u) != parser.OK {
		return nil, false
	}
	return u.Raw, true
}
