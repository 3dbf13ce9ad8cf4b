package siputils

import (
	"bytes"
	"math/rand/v2"

	"viaduct/shard/route"
)

// charging declares what is about P-Charging-Vector (RFC 7315 §4.6), the number that all records of
// a call share.
func charging(m *route.Module) {
	type flags struct{ remove, generate, force bool }
	how := route.Parsed("flags", `"r", "g" or "f"`, "has other flags than r, g and f",
		"r: removes it, g: adds one if there is none, f: replaces it by a new one",
		func(s string) (f flags, ok bool) {
			for _, c := range s {
				switch c {
				case 'r':
					f.remove = true
				case 'g':
					f.generate = true
				case 'f':
					f.force = true
				default:
					return f, false
				}
			}
			return f, s != ""
		})
	route.Func1(m, "sip_p_charging_vector", route.Anywhere, how,
		"Removes P-Charging-Vector or adds one.",
		func(c *route.Ctx, f flags) route.Result {
			there := c.Msg.HeaderByName(vectorName, 0)
			for i := there; i >= 0 && (f.remove || f.force); i = c.Msg.HeaderByName(vectorName, i+1) {
				if r := c.Edit(c.Msg.Headers[i].Line, nil); r <= 0 {
					return r
				}
			}
			if f.generate && (there < 0 || f.remove) || f.force {
				return addVector(c)
			}
			return 1
		})
	parts := map[string]string{"value": "icid-value", "genaddr": "icid-generated-at",
		"orig": "orig-ioi", "term": "term-ioi"}
	m.Var(route.Var{Name: "pcv", Inner: "PART", Doc: "P-Charging-Vector (all), or its icid-value " +
		"(value), icid-generated-at (genaddr), orig-ioi (orig) or term-ioi (term).",
		Compile: func(b *route.VarBuild, inner, _ string) route.Place {
			name, ok := parts[inner]
			if !ok && inner != "all" {
				b.Errorf("$pcv(%s): there are all, value, genaddr, orig and term", inner)
				return route.Place{}
			}
			return route.Place{Text: func(c *route.Ctx) ([]byte, bool) {
				i := c.Msg.HeaderByName(vectorName, 0)
				if i < 0 {
					return nil, false
				}
				v := c.Msg.Headers[i].Value
				if name == "" {
					return c.Msg.Bytes(v), true
				}
				return vectorPart(c.Msg.Bytes(v), name)
			}, NoRoom: true}
		}})
}

const vectorName = "P-Charging-Vector"

// vectorPart is the value of one of the parameters that P-Charging-Vector is made of.
func vectorPart(b []byte, name string) ([]byte, bool) {
	for len(b) > 0 {
		var p []byte
		p, b, _ = bytes.Cut(b, []byte{';'})
		word, value, _ := bytes.Cut(p, []byte{'='})
		if sameFold(bytes.TrimSpace(word), name) {
			return bytes.Trim(bytes.TrimSpace(value), `"`), true
		}
	}
	return nil, false
}

// addVector adds a P-Charging-Vector whose icid-value nobody else makes: where it is made, and 96
// random bits.
func addVector(c *route.Ctx) route.Result {
	ip := c.LocalAddr().Addr().Unmap().WithZone("")
	row := append(append(c.Room(), vectorName...), ": icid-value="...)
	for _, b := range ip.AsSlice() {
		row = append(row, hex[b>>4], hex[b&15])
	}
	for range 2 {
		for n, k := rand.Uint64(), 0; k < 12; k, n = k+1, n>>4 {
			row = append(row, hex[n&15])
		}
	}
	row = append(route.AppendHost(append(row, "; icid-generated-at="...), ip), "\r\n"...)
	v := c.Built(row)
	if v.IsNull() {
		return -1
	}
	return c.InsertRows(c.Msg.HeaderEnd, v.S)
}

const hex = "0123456789ABCDEF"
