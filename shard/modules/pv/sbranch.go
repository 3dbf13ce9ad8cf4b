package pv

import (
	"bytes"

	"viaduct/parser"
	"viaduct/shard/route"
)

// scratchBranch is what $sbranch has: a target that is put together piece by piece, and then added
// or made the Request-URI. It belongs to the shard, as in Kamailio to the process, until it is
// reset.
type scratchBranch struct {
	uri, dst bytes.Buffer
	q        int // in thousandths; below 0: none
	flags    uint32
}

// maxBranchURI is the longest URI of $sbranch: what the Request-URI has room for.
const maxBranchURI = 1024

func (s *scratchBranch) reset() {
	s.uri.Reset()
	s.dst.Reset()
	s.q, s.flags = -1, 0
}

// put makes v the text in a buffer; null empties it. It returns false if v is no URI.
func (s *scratchBranch) put(to *bytes.Buffer, v route.Value) route.SetResult {
	var u parser.URI
	if !v.IsNull() && (!v.IsText() || len(v.S) > maxBranchURI ||
		parser.ParseURI(v.S, &u) != parser.OK) {
		return route.SetRefused
	}
	to.Reset()
	to.Write(v.S)
	return route.SetDone
}

// staticBranch declares $sbranch and its functions.
func staticBranch(m *route.Module) {
	of := route.NewPerShard(m, func(int) *scratchBranch {
		s := &scratchBranch{q: -1}
		s.uri.Grow(maxBranchURI)
		s.dst.Grow(maxBranchURI)
		return s
	})
	m.Var(route.Var{Name: "sbranch", Inner: "uri, dst_uri, q, flags or count",
		Doc: "A target that the script builds, for sbranch_append and sbranch_set_ruri.",
		Compile: func(b *route.VarBuild, inner, _ string) route.Place {
			return sbranchVar(b, of, inner)
		}})
	route.Func0(m, "sbranch_reset", route.Anywhere, "Empties $sbranch.",
		func(c *route.Ctx) route.Result { of.Of(c).reset(); return 1 })
	route.Func0(m, "sbranch_append", route.Anywhere, "Adds $sbranch as a branch. False: it has no "+
		"uri, or this is neither request_route nor failure_route.",
		func(c *route.Ctx) route.Result {
			s := of.Of(c)
			if s.uri.Len() == 0 || !c.RunsIn(route.InRequest|route.InFailure) ||
				!c.Request.AppendBranch(s.uri.Bytes(), s.q) {
				return -1
			}
			i := c.Request.FurtherTargets() - 1
			c.Request.SetAddedDst(i, s.dst.Bytes())
			*c.Request.BranchFlagsOf(i + 1) = s.flags
			return 1
		})
	route.Func0(m, "sbranch_set_ruri", route.Anywhere, "Sets Request-URI, outbound URI and flags "+
		"from $sbranch. False: it has no uri, or the message is a response.",
		func(c *route.Ctx) route.Result {
			s := of.Of(c)
			if s.uri.Len() == 0 || c.Request == nil ||
				c.SetRURI(route.TextValue(s.uri.Bytes())) != route.SetDone {
				return -1
			}
			if s.dst.Len() > 0 {
				c.SetDURI(route.TextValue(s.dst.Bytes()))
			}
			*c.Request.BranchFlagsOf(0) |= s.flags
			return 1
		})
}

// sbranchVar is $sbranch(inner).
func sbranchVar(b *route.VarBuild, of *route.PerShard[scratchBranch], inner string) route.Place {
	uri := func(at func(s *scratchBranch) *bytes.Buffer) route.Place {
		return route.Place{NoRoom: true, Text: func(c *route.Ctx) ([]byte, bool) {
			t := at(of.Of(c)).Bytes()
			return t, len(t) > 0
		}, Set: func(c *route.Ctx, v route.Value) route.SetResult {
			s := of.Of(c)
			return s.put(at(s), v)
		}}
	}
	switch inner {
	case "uri":
		return uri(func(s *scratchBranch) *bytes.Buffer { return &s.uri })
	case "dst_uri":
		return uri(func(s *scratchBranch) *bytes.Buffer { return &s.dst })
	case "q":
		return route.Place{NoRoom: true, Int: func(c *route.Ctx) (int64, bool) {
			s := of.Of(c)
			return int64(s.q), s.q >= 0 && s.uri.Len() > 0 // 5.6.3: without a URI there is nothing
		}, Set: func(c *route.Ctx, v route.Value) route.SetResult {
			s := of.Of(c)
			switch {
			case v.IsNull():
				s.q = -1
			case v.IsInt() && v.Int() >= 0 && v.Int() <= 1000:
				s.q = int(v.Int())
			default:
				return route.SetRefused
			}
			return route.SetDone
		}}
	case "flags":
		return route.Place{NoRoom: true, Int: func(c *route.Ctx) (int64, bool) {
			s := of.Of(c)
			return int64(s.flags), s.uri.Len() > 0
		}, Set: func(c *route.Ctx, v route.Value) route.SetResult {
			s := of.Of(c)
			if !v.IsInt() {
				return route.SetRefused
			}
			s.flags = uint32(v.Int())
			return route.SetDone
		}}
	case "count":
		return route.Place{NoRoom: true, Int: func(c *route.Ctx) (int64, bool) {
			if c.Request == nil {
				return 0, false
			}
			n := c.Request.FurtherTargets()
			return int64(n), n > 0
		}}
	}
	b.Errorf("$sbranch has uri, dst_uri, q, flags and count, not %s: there is no registrar whose "+
		"contacts had more", route.Quote(inner))
	return route.Place{}
}
