package sdpops

import (
	"bytes"

	"viaduct/shard/route"
)

// removals declares the functions that take lines and streams out.
func removals(m *route.Module) {
	media := route.Optional(route.Text("media", "such as audio; without it, the whole description"),
		nil)
	route.Func2(m, "sdp_remove_line_by_prefix", route.Anywhere,
		route.Text("prefix", "what they begin with"), media,
		"Removes all lines with a prefix.",
		func(c *route.Ctx, prefix, media []byte) route.Result {
			s, ok := open(c)
			if !ok {
				return -1
			}
			out := cut{c: c}
			take := func(l []byte, all span) bool {
				if len(prefix) > 0 && bytes.HasPrefix(l, prefix) {
					out.out(all)
				}
				return true
			}
			if media == nil {
				lines(c, s.at, take)
			} else {
				var m stream
				for s.next(&m) {
					if m.is(media) {
						lines(c, m.text, take)
					}
				}
			}
			return out.done(1)
		})
	remove := func(name string, arg route.Arg[[]byte], doc string,
		is func(m *stream, what []byte) bool) {
		route.Func1(m, name, route.Anywhere, arg, doc, func(c *route.Ctx, what []byte) route.Result {
			out := cut{c: c}
			var m stream
			s, _ := open(c)
			for s.next(&m) {
				if is(&m, what) {
					out.out(m.text)
				}
			}
			return out.done(-1)
		})
	}
	remove("sdp_remove_media", route.Text("media", "such as video"),
		"Removes all streams of that media. False: there are none.",
		func(m *stream, what []byte) bool { return bytes.EqualFold(m.media, what) })
	remove("sdp_remove_transport", route.Text("transport", "such as RTP/AVP"),
		"Removes all streams of that transport. False: there are none.",
		func(m *stream, what []byte) bool { return bytes.EqualFold(m.proto, what) })
}
