package tm

import (
	"bytes"
	"strconv"

	"viaduct/parser"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
)

// sending is what t_uac_send needs on one shard.
type sending struct {
	m    parser.Message // of the headers as they were given
	text []byte
}

// sends declares what sends requests made here.
func sends(m *route.Module) {
	scratch := route.NewPerShard(m, func(int) *sending { return &sending{} })
	sender := m.Sender("tm", func(*route.Ctx, *proxy.Finished) {})
	userAgent := m.Settings().UserAgent
	args := []route.Arg[[]byte]{route.Text("method", "the method"),
		route.Text("ruri", "the Request-URI"),
		route.Text("nexthop", "a URI that says where it goes; empty: ruri"),
		route.Text("socket", "proto:host:port of the listener it leaves by; empty: one that fits"),
		route.Text("headers", "rows; From and To at least, and Content-Type if there is a body"),
		route.Text("body", "the body, or empty")}
	list := make([]route.AnyArg, len(args))
	for i := range args {
		list[i] = args[i]
	}
	m.Func(route.Func{Name: "t_uac_send", In: route.Anywhere, Args: list,
		Doc: "Sends a new request, without waiting for its outcome. From gets a tag if it has " +
			"none. False: the request would not be valid, or it cannot be sent.",
		Build: func(b *route.Build) route.Call {
			in := make([]route.Input[[]byte], len(args))
			for i := range args {
				var ok bool
				if in[i], ok = args[i].At(b, i); !ok {
					return nil
				}
			}
			return func(c *route.Ctx) route.Result {
				var v [6][]byte
				for i := range in {
					var r route.Result
					if v[i], r = in[i].Get(c); r <= 0 {
						return r
					}
				}
				x := route.Sending{Dst: v[2], By: -1}
				if len(v[3]) > 0 {
					if x.By = c.ListenerAt(v[3]); x.By < 0 {
						return -1
					}
				}
				s := scratch.Of(c)
				if !s.build(c, v[0], v[1], v[4], v[5], userAgent()) {
					return -1
				}
				x.Text = s.text
				return route.Truth(sender.Send(c, &x))
			}
		}})
}

// build writes the request. It returns false if the rows are none, or some are missing.
func (s *sending) build(c *route.Ctx, method, uri, rows, body []byte, userAgent string) bool {
	rows = bytes.TrimRight(rows, "\r\n")
	if len(rows) == 0 || len(method) == 0 {
		return false
	}
	b := append(append(s.text[:0], method...), ' ')
	b = append(append(b, uri...), " SIP/2.0\r\n"...)
	at := len(b)
	b = append(append(b, rows...), "\r\n"...)
	if !proxy.HeaderRows(b[at:]) {
		return false
	}
	s.text = append(b, "\r\n"...)
	m := &s.m
	if m.Parse(s.text) != parser.OK {
		return false
	}
	from, reason := m.From()
	if reason != parser.OK || !m.Has(parser.KindTo) ||
		len(body) > 0 && !m.Has(parser.KindContentType) {
		return false
	}
	head := bytes.Clone(s.text[:len(s.text)-2])
	b = append(s.text[:0], head[:at]...)
	for i := range m.Headers {
		h := &m.Headers[i]
		line := head[h.Line.Off:h.Line.End()]
		switch {
		case h.Kind == parser.KindContentLength:
		case h.Kind == parser.KindFrom && from.Tag.Empty():
			end := from.Value.End() - h.Line.Off
			b = append(append(b, line[:end]...), ";tag="...)
			b = append(c.AppendTag(b), line[end:]...)
		default:
			b = append(b, line...)
		}
	}
	if !m.Has(parser.KindCSeq) {
		b = append(append(append(b, "CSeq: 10 "...), method...), "\r\n"...)
	}
	if !m.Has(parser.KindCallID) {
		b = append(c.AppendCallID(append(b, "Call-ID: "...)), "\r\n"...)
	}
	if !m.Has(parser.KindUserAgent) && userAgent != "" {
		b = append(append(b, userAgent...), "\r\n"...)
	}
	b = strconv.AppendInt(append(b, "Content-Length: "...), int64(len(body)), 10)
	s.text = append(append(b, "\r\n\r\n"...), body...)
	return true
}
