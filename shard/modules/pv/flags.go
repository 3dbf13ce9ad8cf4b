package pv

import "viaduct/shard/route"

// flags are the variables of flags, as numbers and as eight hexadecimal digits.
func flags(m *route.Module) {
	define := func(name, hex, doc string, get func(c *route.Ctx) (uint32, bool),
		set func(c *route.Ctx, flags uint32) bool) {
		assign := func(c *route.Ctx, v route.Value) route.SetResult {
			if v.IsText() || !set(c, uint32(v.Int())) {
				return route.SetRefused
			}
			return route.SetDone
		}
		plainVar(m, name, doc+", as a number.", route.Place{NoRoom: true,
			Int: func(c *route.Ctx) (int64, bool) { n, ok := get(c); return int64(n), ok },
			Set: assign})
		read := func(c *route.Ctx) ([]byte, bool) {
			n, ok := get(c)
			if !ok {
				return nil, false
			}
			b := c.Room()
			for shift := 28; shift >= 0; shift -= 4 {
				b = append(b, "0123456789abcdef"[n>>shift&15])
			}
			return built(c, b)
		}
		plainVar(m, hex, doc+", as eight hexadecimal digits. A number is assigned.",
			route.Place{Text: read, Set: assign})
	}
	define("mf", "mF", "The flags of the message",
		func(c *route.Ctx) (uint32, bool) { return c.MessageFlags(), true },
		func(c *route.Ctx, flags uint32) bool { c.SetMessageFlags(flags); return true })
	define("sf", "sF", "The flags of the script",
		func(c *route.Ctx) (uint32, bool) { return c.ScriptFlags, true },
		func(c *route.Ctx, flags uint32) bool { c.ScriptFlags = flags; return true })
	define("bf", "bF", "The flags of the branch",
		func(c *route.Ctx) (uint32, bool) { return c.BranchFlags(0) },
		func(c *route.Ctx, flags uint32) bool { return c.SetBranchFlags(0, flags) })
}
