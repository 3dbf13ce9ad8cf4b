package pv

import (
	"math"

	"viaduct/shard/route"
)

// texts are the transformations {s.…}.
func texts(m *route.Module) {
	route.Transform0(m, "s.len", "The number of bytes.",
		func(c *route.Ctx, v route.Value) route.Value {
			return route.IntValue(int64(len(c.TextOf(v))))
		})
	route.Transform0(m, "s.int", "The number that the text is.", toInt)
	offset := route.Int("offset", math.MinInt32, math.MaxInt32,
		"where it begins; negative ones count from the end")
	length := route.Int("length", 0, math.MaxInt32, "how many bytes; 0: up to the end")
	route.Transform2(m, "s.substr", offset, length, "A piece of the text.", substr)
}

func toInt(_ *route.Ctx, v route.Value) route.Value {
	if n := v.Int(); n != 0 || v.IsInt() || string(v.S) == "0" {
		return route.IntValue(n)
	}
	return route.Null
}

func substr(c *route.Ctx, v route.Value, offset, length int) route.Value {
	b := c.TextOf(v)
	if offset < 0 {
		offset += len(b)
	}
	if offset < 0 || offset >= len(b) {
		return route.Null
	}
	if length > 0 && length <= len(b)-offset {
		return route.TextValue(b[offset : offset+length : offset+length])
	}
	return route.TextValue(b[offset:])
}
