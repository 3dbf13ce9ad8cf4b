package sdpops

import (
	"bytes"

	"viaduct/parser"
	"viaduct/shard/route"
)

type span = parser.Span

// maxCodecs is how many payload types a list of names may stand for.
const maxCodecs = 64

// codecs declares the functions about payload types.
func codecs(m *route.Module) {
	ids := route.Text("list", "payload types, separated by commas")
	names := route.Text("list", "encoding names, separated by commas")
	media := route.Optional(route.Text("media", "such as audio; without it, all streams"), nil)
	with := func(name string, list route.Arg[[]byte], byName bool, none route.Result) {
		route.Func1(m, name, route.Anywhere, list,
			"1: each stream has one of these codecs, 2: some have; otherwise false.",
			func(c *route.Ctx, list []byte) route.Result {
				s, ok := open(c)
				if !ok {
					return none
				}
				var set codecSet
				if !set.read(c, s, list, byName) {
					return -1
				}
				return set.in(s)
			})
	}
	with("sdp_with_codecs_by_id", ids, false, -2)
	with("sdp_with_codecs_by_name", names, true, -1)
	edit := func(name string, list route.Arg[[]byte], byName, keep bool, doc string) {
		route.Func2(m, name, route.Anywhere, list, media, doc,
			func(c *route.Ctx, list, media []byte) route.Result {
				s, ok := open(c)
				if !ok {
					return -1
				}
				var set codecSet
				if !set.read(c, s, list, byName) {
					return -1
				}
				return set.take(s, media, keep)
			})
	}
	edit("sdp_remove_codecs_by_id", ids, false, false,
		"Removes codecs from the streams, with the lines about them.")
	edit("sdp_remove_codecs_by_name", names, true, false,
		"The same as sdp_remove_codecs_by_id, by the names of rtpmap or of RFC 3551.")
	edit("sdp_keep_codecs_by_id", ids, false, true, "Removes all other codecs from the streams.")
	edit("sdp_keep_codecs_by_name", names, true, true,
		"The same as sdp_keep_codecs_by_id, by the names of rtpmap or of RFC 3551.")
}

// static are the encodings of RFC 3551 §6, which need no rtpmap.
var static = []encoding{
	named("PCMU", "0"), named("GSM", "3"), named("G723", "4"), named("DVI4", "5", "6", "16", "17"),
	named("LPC", "7"), named("PCMA", "8"), named("G722", "9"), named("L16", "10", "11"),
	named("QCELP", "12"), named("CN", "13"), named("MPA", "14"), named("G728", "15"),
	named("G729", "18"), named("CelB", "25"), named("JPEG", "26"), named("nv", "28"),
	named("H261", "31"), named("MPV", "32"), named("MP2T", "33"), named("H263", "34"),
}

// encoding is a name and the payload types that it stands for.
type encoding struct {
	name []byte
	ids  [][]byte
}

func named(name string, ids ...string) encoding {
	e := encoding{name: []byte(name)}
	for _, id := range ids {
		e.ids = append(e.ids, []byte(id))
	}
	return e
}

// A codecSet is the payload types that a list stands for.
type codecSet struct {
	n    int
	list [maxCodecs][]byte
}

func (x *codecSet) add(id []byte) bool {
	if x.n == len(x.list) {
		return false
	}
	x.list[x.n] = id
	x.n++
	return true
}

func (x *codecSet) has(id []byte) bool {
	for _, is := range x.list[:x.n] {
		if bytes.Equal(is, id) {
			return true
		}
	}
	return false
}

// read reads a list. It returns false if that has no room, or has names that stand for nothing.
func (x *codecSet) read(c *route.Ctx, s session, list []byte, byName bool) bool {
	for len(list) > 0 {
		var word []byte
		word, list, _ = bytes.Cut(list, []byte{','})
		if word = bytes.Trim(word, " \t"); len(word) == 0 {
			continue
		}
		if !byName {
			if !x.add(word) {
				return false
			}
			continue
		}
		if !x.named(c, s, word) {
			return false
		}
	}
	return !byName || x.n > 0
}

// named adds what a name stands for.
func (x *codecSet) named(c *route.Ctx, s session, name []byte) bool {
	ok := true
	for i := range static {
		if e := &static[i]; bytes.EqualFold(e.name, name) {
			for _, id := range e.ids {
				ok = ok && x.add(id)
			}
		}
	}
	lines(c, s.at, func(l []byte, _ span) bool {
		rest, is := bytes.CutPrefix(l, []byte("a=rtpmap:"))
		if !is {
			return true
		}
		id, codec, _ := bytes.Cut(rest, []byte{' '})
		codec, _, _ = bytes.Cut(bytes.TrimLeft(codec, " "), []byte{'/'})
		if bytes.EqualFold(codec, name) && !x.has(id) {
			ok = ok && x.add(id)
		}
		return ok
	})
	return ok
}

// in tells whether streams have one of the set: 1 if all have, 2 if some have, -1 otherwise.
func (x *codecSet) in(s session) route.Result {
	var m stream
	with, without := 0, 0
	for s.next(&m) {
		has := false
		for f := m.formats; len(f) > 0; {
			var id []byte
			id, _, f = format(f)
			has = has || x.has(id)
		}
		if has {
			with++
		} else {
			without++
		}
	}
	switch {
	case with == 0:
		return -1
	case without == 0:
		return 1
	}
	return 2
}

// format is the first of the payload types of an m= line, how long it is with the blanks in front,
// and the rest.
func format(f []byte) (id []byte, n int, rest []byte) {
	id = bytes.TrimLeft(f, " ")
	n = len(f) - len(id)
	if end := bytes.IndexByte(id, ' '); end >= 0 {
		id = id[:end]
	}
	n += len(id)
	return id, n, f[n:]
}

// take takes what is in the set out of the streams, or with keep what is not.
func (x *codecSet) take(s session, media []byte, keep bool) route.Result {
	out := cut{c: s.c}
	var m stream
	for s.next(&m) {
		if !m.is(media) {
			continue
		}
		var gone codecSet
		at := m.line.End() - uint32(len(m.formats))
		for f := m.formats; len(f) > 0; {
			id, n, rest := format(f)
			if len(id) > 0 && x.has(id) != keep {
				if !gone.add(id) {
					return -1
				}
				out.out(span{Off: at, Len: uint32(n)})
			}
			at += uint32(n)
			f = rest
		}
		if gone.n == 0 {
			continue
		}
		lines(s.c, m.text, func(l []byte, all span) bool {
			if id := payloadOf(l); id != nil && gone.has(id) {
				out.out(all)
			}
			return true
		})
	}
	return out.done(1)
}

// payloadOf is the payload type that an attribute is about; nil if it is about none.
func payloadOf(l []byte) []byte {
	for _, name := range [...]string{"a=rtpmap:", "a=fmtp:", "a=rtcp-fb:"} {
		if len(l) > len(name) && string(l[:len(name)]) == name {
			id, _, _ := bytes.Cut(l[len(name):], []byte{' '})
			return id
		}
	}
	return nil
}
