package shard

import (
	"viaduct/parser"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
)

// finished tells the program that sent a request made here how that ended. It does so when the
// shard is done with the message at hand, since the program may then do anything that it could do
// for a message.
func (w *worker) finished(f *proxy.Finished) {
	g := *f
	var response, request []byte
	if f.M != nil {
		response = f.M.Raw
	}
	if f.Request != nil {
		request = f.Request.Raw
	}
	b := make([]byte, 0, len(f.Note)+len(response)+len(request))
	b = append(append(append(b, f.Note...), response...), request...)
	n := len(f.Note) + len(response)
	g.Note, response, request = b[:len(f.Note)], b[len(f.Note):n], b[n:]
	w.later(func(c *route.Ctx) {
		g.M, g.Request = reparsed(&w.ourResponse, response), reparsed(&w.ourRequest, request)
		if name, note := route.SentBy(&g); string(name) == uacName {
			w.shared.uac.finished(note, &g)
			return
		}
		p := w.programOf(g.Program)
		if p == nil {
			w.count[CountForeignRuns]++
			return
		}
		p.Finished(c, &g)
	})
}

// reparsed parses b into m and returns m. It returns nil if b is empty or cannot be parsed.
func reparsed(m *parser.Message, b []byte) *parser.Message {
	if len(b) == 0 || m.Parse(b) != parser.OK {
		return nil
	}
	return m
}
