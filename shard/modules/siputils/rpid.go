package siputils

import (
	"bytes"

	"viaduct/shard/route"
)

// rpid declares the functions about Remote-Party-ID, whose URI a variable has.
func rpid(m *route.Module) {
	m.IdleInt("no function of 5.6 looks at it", "ring_timeout")
	from := m.Text("rpid_avp", "$avp(s:rpid)", "The AVP with the URI for Remote-Party-ID.")
	prefix := m.Text("rpid_prefix", "", "What append_rpid_hf writes in front of the URI.")
	suffix := m.Text("rpid_suffix", ";party=calling;id-type=subscriber;screen=yes",
		"What append_rpid_hf writes after the URI.")
	const in = route.InRequest | route.InFailure | route.InBranch
	before, behind := route.Text("prefix", "the text in front of the URI"),
		route.Text("suffix", "the text after it")
	m.Func(route.Func{Name: "append_rpid_hf", In: in,
		Args: []route.AnyArg{route.Optional(before, nil), route.Optional(behind, nil)},
		Doc:  "Adds a Remote-Party-ID row with the URI in the AVP. False: the AVP has none.",
		Build: func(b *route.Build) route.Call {
			if b.Args() == 1 {
				b.Errorf(route.WholeCall, "append_rpid_hf takes no arguments, or a prefix and a suffix")
				return nil
			}
			uri := b.Variable(*from, "rpid_avp of siputils")
			front, back := route.KnownInput([]byte(*prefix)), route.KnownInput([]byte(*suffix))
			ok, ok2 := true, true
			if b.Args() == 2 {
				front, ok = before.At(b, 0)
				back, ok2 = behind.At(b, 1)
			}
			if uri == nil || !ok || !ok2 {
				return nil
			}
			return func(c *route.Ctx) route.Result {
				v := uri.Value(c)
				if !v.IsText() || len(v.S) == 0 {
					return -1
				}
				front, r1 := front.Get(c)
				back, r2 := back.Get(c)
				if r := min(r1, r2); r <= 0 {
					return r
				}
				row := append(append(append(c.Room(), "Remote-Party-ID: "...), front...), v.S...)
				row = append(append(row, back...), "\r\n"...)
				if c.Built(row).IsNull() {
					return -1
				}
				return c.InsertRows(c.Msg.HeaderEnd, row)
			}
		}})
	m.Func(route.Func{Name: "is_rpid_user_e164", In: route.InRequest,
		Doc: "Tells whether the user of the AVP's URI is an E.164 number.",
		Build: func(b *route.Build) route.Call {
			from := b.Variable(*from, "rpid_avp of siputils")
			if from == nil {
				return nil
			}
			return func(c *route.Ctx) route.Result {
				v := from.Value(c)
				if !v.IsText() {
					return -1
				}
				uri := v.S
				if i := bytes.LastIndexByte(uri, '<'); i >= 0 {
					uri, _, _ = bytes.Cut(uri[i+1:], []byte{'>'})
				}
				u := c.ParseURI(uri)
				return route.Truth(u != nil && isE164(u.UserBytes()))
			}
		}})
}
