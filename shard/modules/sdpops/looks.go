package sdpops

import (
	"bytes"

	"viaduct/shard/route"
)

var (
	inactive  = []byte("a=inactive")
	candidate = []byte("a=candidate:")
)

// looks declares the functions that only look.
func looks(m *route.Module) {
	media := route.Text("media", "such as audio")
	transport := route.Text("transport", "such as RTP/AVP")
	with := func(name string, arg route.Arg[[]byte], doc string,
		is func(c *route.Ctx, m *stream, what []byte) bool) {
		route.Func1(m, name, route.Anywhere, arg, doc, func(c *route.Ctx, what []byte) route.Result {
			var m stream
			s, _ := open(c)
			for s.next(&m) {
				if is(c, &m, what) {
					return 1
				}
			}
			return -1
		})
	}
	with("sdp_with_media", media, "Tells whether there is a stream of that media.",
		func(_ *route.Ctx, m *stream, what []byte) bool { return bytes.EqualFold(m.media, what) })
	with("sdp_with_active_media", media, "Tells whether there is a stream of that media whose port "+
		"is not 0 and that is not inactive.",
		func(c *route.Ctx, m *stream, what []byte) bool {
			active := bytes.EqualFold(m.media, what) && !bytes.Equal(m.port, []byte("0"))
			lines(c, m.text, func(l []byte, _ span) bool {
				active = active && !bytes.Equal(l, inactive)
				return active
			})
			return active
		})
	with("sdp_with_transport", transport, "Tells whether there is a stream of that transport.",
		func(_ *route.Ctx, m *stream, what []byte) bool { return bytes.EqualFold(m.proto, what) })
	with("sdp_with_transport_like", route.Text("part", "such as SAVP"),
		"Tells whether there is a stream whose transport holds a text.",
		func(_ *route.Ctx, m *stream, what []byte) bool {
			return len(what) > 0 && bytes.Contains(m.proto, what)
		})
	into := route.Writable("result", "a variable")
	route.Func1(m, "sdp_transport", route.Anywhere, into,
		"Stores the transport of all streams in a variable. -2: they have different ones.",
		func(c *route.Ctx, into *route.Place) route.Result {
			var m stream
			var all []byte
			s, ok := open(c)
			if !ok && len(c.Msg.Body()) > 0 {
				return -1
			}
			for s.next(&m) {
				if all != nil && !bytes.Equal(all, m.proto) {
					return -2
				}
				all = m.proto
			}
			if all == nil {
				return 1
			}
			return into.Put(c, route.TextValue(all))
		})
	route.Func1(m, "sdp_get", route.Anywhere, into,
		"Stores the session description in a variable. -2: there is no body.",
		func(c *route.Ctx, into *route.Place) route.Result {
			at, ok := c.SDP()
			if !ok {
				return missing(c)
			}
			return into.Put(c, route.TextValue(c.Msg.Bytes(at)))
		})
	route.Func2(m, "sdp_get_line_startswith", route.Anywhere, into,
		route.Text("prefix", "what it begins with"),
		"Stores the first line with that prefix in a variable. -1: there is none, or the prefix is "+
			"empty, -2: there is no body.",
		func(c *route.Ctx, into *route.Place, prefix []byte) route.Result {
			at, ok := c.SDP()
			if !ok {
				return missing(c)
			}
			found := route.Result(-1)
			lines(c, at, func(l []byte, _ span) bool {
				if len(prefix) > 0 && bytes.HasPrefix(l, prefix) {
					found = into.Put(c, route.TextValue(l))
					return false
				}
				return true
			})
			return found
		})
	how := route.Optional(route.Int("flags", 0, 1, "1: a Content-Type is enough, also that of a "+
		"part",
		route.AsIs), 0)
	route.Func1(m, "sdp_content", route.Anywhere, how,
		"Tells whether the message carries a session description.",
		func(c *route.Ctx, _ int) route.Result {
			_, ok := c.SDP()
			return route.Truth(ok)
		})
	route.Func0(m, "sdp_with_ice", route.Anywhere,
		"Tells whether there are ICE candidates (RFC 8839).",
		func(c *route.Ctx) route.Result {
			found := false
			if at, ok := c.SDP(); ok {
				lines(c, at, func(l []byte, _ span) bool {
					found = bytes.HasPrefix(l, candidate)
					return !found
				})
			}
			return route.Truth(found)
		})
	route.Func0(m, "sdp_get_address_family", route.Anywhere,
		"4 or 6: the address family of the first c= line. -1: there is none.",
		func(c *route.Ctx) route.Result {
			family := route.Result(-1)
			if at, ok := c.SDP(); ok {
				lines(c, at, func(l []byte, _ span) bool {
					switch {
					case bytes.HasPrefix(l, []byte("c=IN IP4 ")):
						family = 4
					case bytes.HasPrefix(l, []byte("c=IN IP6 ")):
						family = 6
					}
					return family < 0
				})
			}
			return family
		})
	route.Func1(m, "sdp_print", route.Anywhere, route.Int("level", -5, 3, "that of xlog", route.AsIs),
		"Logs the streams, a line for each.",
		func(c *route.Ctx, level int) route.Result { return printStreams(c, level) })
}

// printStreams is sdp_print.
func printStreams(c *route.Ctx, level int) route.Result {
	s, ok := open(c)
	if !ok {
		return route.Truth(len(c.Msg.Body()) == 0) // as in Kamailio
	}
	if level > c.Shard.Log.LogLevel() {
		return 1
	}
	var m stream
	for s.next(&m) {
		line := append(append(append(append(c.Room(), "SDP: "...), m.media...), " port "...), m.port...)
		line = append(append(append(line, ' '), m.proto...), " formats"...)
		c.Shard.Log.Log(level, append(line, m.formats...))
	}
	return 1
}
