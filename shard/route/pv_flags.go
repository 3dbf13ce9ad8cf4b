package route

// The variables of flags, as numbers and as eight hexadecimal digits.

// defineFlagPVs adds them.
func defineFlagPVs() {
	script := func(c *Ctx) (int64, bool) { return int64(c.ScriptFlags), true }
	message := func(c *Ctx) (int64, bool) { return int64(c.flags()), true }
	branch := func(c *Ctx) (int64, bool) {
		f, ok := c.BranchFlags(0)
		return int64(f), ok
	}
	define := func(name, hex string, get func(c *Ctx) (int64, bool),
		set func(c *Ctx, flags uint32) bool) {
		pvs[name] = &pvDef{code: pvCode{num: get, set: func(c *Ctx, v Value) setResult {
			if v.Kind == strValue {
				return setRefused
			}
			return done(set(c, uint32(v.int())))
		}}}
		pvs[hex] = &pvDef{code: pvCode{temp: true, bytes: func(c *Ctx) ([]byte, bool) {
			n, ok := get(c)
			if !ok {
				return nil, false
			}
			start := len(c.buf)
			for shift := 28; shift >= 0; shift -= 4 {
				c.buf = append(c.buf, "0123456789abcdef"[n>>shift&15])
			}
			return c.buf[start:len(c.buf):len(c.buf)], true
		}}}
	}
	define("mf", "mF", message, func(c *Ctx, flags uint32) bool { c.setFlags(flags); return true })
	define("sf", "sF", script, func(c *Ctx, flags uint32) bool {
		c.ScriptFlags = flags
		return true
	})
	define("bf", "bF", branch,
		func(c *Ctx, flags uint32) bool { return c.SetBranchFlags(0, flags) })
}
