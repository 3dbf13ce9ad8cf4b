package pv

import (
	"strings"

	"viaduct/shard/route"
)

// branches are the variables of the targets that append_branch has added.
func branches(m *route.Module) {
	plainVar(m, "br", "The URI of the first branch that was added. Assigning a URI adds "+
		"a branch.", route.Place{NoRoom: true, SetRoom: true,
		Text: func(c *route.Ctx) ([]byte, bool) { return branchURI(c, 0) },
		Set: func(c *route.Ctx, v route.Value) route.SetResult {
			if c.Request == nil || !v.IsText() || len(v.S) == 0 {
				return route.SetRefused
			}
			return set(route.Truth(c.Request.AppendBranch(v.S, -1)))
		}})
	madeVar(m, "bR", "All branches that were added, as Contact has them.", allBranches)
	m.Var(route.Var{Name: "branch", Inner: "uri, dst_uri, q, flags or count", Always: true,
		Index: "which of the branches that were added, 0 the first; negative numbers count " +
			"from the last",
		Doc:     "A part of a branch that was added. Assigning $null to uri removes the branch.",
		Compile: branchVar})
}

// branchURI is the URI of a branch.
func branchURI(c *route.Ctx, i int) ([]byte, bool) {
	if c.Request == nil {
		return nil, false
	}
	t, ok := c.Request.Added(i)
	return t.URI, ok
}

// allBranches is $bR.
func allBranches(c *route.Ctx) ([]byte, bool) {
	if c.Request == nil {
		return nil, false
	}
	b := c.Room()
	for i := 0; ; i++ {
		t, ok := c.Request.Added(i)
		if !ok {
			if i == 0 {
				return nil, false
			}
			return built(c, b)
		}
		if i > 0 {
			b = append(b, ", "...)
		}
		if t.Q < 0 {
			b = append(b, t.URI...)
			continue
		}
		b = route.AppendQ(append(append(append(b, '<'), t.URI...), ">;q="...), t.Q)
	}
}

// branchVar is $(branch(inner)[index]).
func branchVar(b *route.VarBuild, inner, index string) route.Place {
	at, ok := b.Index(strings.TrimSpace(index))
	if !ok {
		return route.Place{}
	}
	if inner == "count" {
		return route.Place{NoRoom: true, Int: func(c *route.Ctx) (int64, bool) {
			if c.Request == nil {
				return 0, false
			}
			n := c.Request.FurtherTargets()
			return int64(n), n > 0 // 5.6.3: of none there is no number
		}}
	}
	which := func(c *route.Ctx) (int, bool) {
		if c.Request == nil {
			return 0, false
		}
		n, all := at.At(c)
		if n < 0 {
			n += c.Request.FurtherTargets()
		}
		_, there := c.Request.Added(n)
		return n, there && !all
	}
	type setter = func(c *route.Ctx, v route.Value) route.SetResult
	write := func(f func(c *route.Ctx, i int, v route.Value) bool) setter {
		return func(c *route.Ctx, v route.Value) route.SetResult {
			i, ok := which(c)
			return set(route.Truth(ok && f(c, i, v)))
		}
	}
	switch inner {
	case "uri":
		return route.Place{NoRoom: true, Text: func(c *route.Ctx) ([]byte, bool) {
			i, ok := which(c)
			if !ok {
				return nil, false
			}
			return branchURI(c, i)
		}, Set: write(func(c *route.Ctx, i int, v route.Value) bool {
			if v.IsNull() {
				c.Request.RemoveAdded(i)
				return true
			}
			return v.IsText() && c.Request.SetAddedURI(i, v.S)
		})}
	case "dst_uri":
		return route.Place{NoRoom: true, Text: func(c *route.Ctx) ([]byte, bool) {
			i, ok := which(c)
			if !ok {
				return nil, false
			}
			t, _ := c.Request.Added(i)
			return t.Dst, len(t.Dst) > 0
		}, Set: write(func(c *route.Ctx, i int, v route.Value) bool {
			return (v.IsNull() || v.IsText()) && c.Request.SetAddedDst(i, v.S)
		})}
	case "q":
		return route.Place{NoRoom: true, Int: func(c *route.Ctx) (int64, bool) {
			i, ok := which(c)
			if !ok {
				return 0, false
			}
			t, _ := c.Request.Added(i)
			return int64(t.Q), t.Q >= 0
		}, Set: write(func(c *route.Ctx, i int, v route.Value) bool {
			return v.IsNull() && c.Request.SetAddedQ(i, -1) ||
				v.IsInt() && v.Int() >= 0 && v.Int() <= 1000 && c.Request.SetAddedQ(i, int(v.Int()))
		})}
	case "flags":
		return route.Place{NoRoom: true, Int: func(c *route.Ctx) (int64, bool) {
			i, ok := which(c)
			if !ok {
				return 0, false
			}
			return int64(*c.Request.BranchFlagsOf(i + 1)), true
		}, Set: write(func(c *route.Ctx, i int, v route.Value) bool {
			if !v.IsInt() {
				return false
			}
			*c.Request.BranchFlagsOf(i + 1) = uint32(v.Int())
			return true
		})}
	}
	b.Errorf("$branch has uri, dst_uri, q, flags and count, not %s", route.Quote(inner))
	return route.Place{}
}
