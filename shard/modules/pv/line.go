package pv

import (
	"bytes"
	"math"
	"strconv"

	"viaduct/shard/route"
)

// textLines are the transformations {line.…}. An empty text is null.
func textLines(m *route.Module) {
	route.Transform0(m, "line.count", "How many lines there are, as text.",
		func(c *route.Ctx, v route.Value) route.Value {
			b := c.TextOf(v)
			if len(b) == 0 {
				return route.Null
			}
			return c.Built(strconv.AppendInt(c.Room(), int64(countLines(b)), 10))
		})
	index := route.Int("index", math.MinInt32, math.MaxInt32,
		"the index; negative ones count from the last")
	route.Transform1(m, "line.at", index, "The line with that index, without its line end.",
		func(c *route.Ctx, v route.Value, index int) route.Value {
			b := c.TextOf(v)
			if len(b) == 0 {
				return route.Null
			}
			return view(lineAt(b, index))
		})
	route.Transform1(m, "line.sw", route.Rest(route.Text("text", "the text it begins with")),
		"The first line that begins with a text.",
		func(c *route.Ctx, v route.Value, text []byte) route.Value {
			b := c.TextOf(v)
			if len(b) == 0 {
				return route.Null
			}
			for len(b) > 0 {
				line, rest, _ := bytes.Cut(b, []byte{'\n'})
				if bytes.HasPrefix(line, text) {
					return view(bytes.TrimSuffix(line, []byte{'\r'}))
				}
				b = rest
			}
			return view(b)
		})
}

// countLines counts ends of lines, and what stands behind the last.
func countLines(b []byte) int {
	n := bytes.Count(b, []byte{'\n'})
	if b[len(b)-1] != '\n' {
		n++
	}
	return n
}

func lineAt(b []byte, index int) []byte {
	if index < 0 {
		index += countLines(b)
	}
	for ; index > 0 && len(b) > 0; index-- {
		_, b, _ = bytes.Cut(b, []byte{'\n'})
	}
	if index < 0 || len(b) == 0 {
		return nil
	}
	line, _, _ := bytes.Cut(b, []byte{'\n'})
	return bytes.TrimSuffix(line, []byte{'\r'})
}
