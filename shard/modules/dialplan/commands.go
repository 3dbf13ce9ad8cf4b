package dialplan

import (
	"cmp"

	"viaduct/shard/modules/pcre"
	"viaduct/shard/route"
	"viaduct/shard/route/command"
)

// What commands answer with, in Kamailio's words.
type (
	dump struct {
		ID      int64   `json:"DPID"`
		Entries []entry `json:"ENTRIES"`
	}
	entry struct {
		Priority int64  `json:"PRIO"`
		Operator int64  `json:"MATCHOP"`
		Match    string `json:"MATCHEXP"`
		Length   int64  `json:"MATCHLEN"`
		Subst    string `json:"SUBSTEXP"`
		Replace  string `json:"REPLEXP"`
		Attrs    string `json:"ATTRS"`
	}
	translated struct {
		Output string `json:"Output"`
		Attrs  string `json:"Attributes"`
	}
)

// commands declares dialplan.*.
func (d *dialplan) commands(m *route.Module) {
	m.Command("dialplan.reload", "Reads the table again. A table with a mistake "+
		"changes nothing.", nil,
		func(command.Args) (any, error) {
			if err := d.reload(); err != nil {
				return nil, command.Faultf(500, "%s", err)
			}
			return nil, nil
		})
	m.View("dialplan.dump", "Shows the rules of a dialplan, in the order they are tried in.",
		command.Words("#dpid"), func(a command.Args) (any, error) {
			p, err := d.planOf(a)
			if err != nil {
				return nil, err
			}
			all := dump{ID: a.Int(0, 0), Entries: []entry{}}
			for _, r := range p.all() {
				all.Entries = append(all.Entries, entry{
					Priority: r.pr, Operator: r.op, Length: r.n,
					Match: shown(r.exp.source), Subst: shown(r.subst.source),
					Replace: shown(r.source), Attrs: shown(string(r.attrs)),
				})
			}
			return all, nil
		})
	m.View("dialplan.translate", "Shows how a dialplan translates a text.",
		command.Words("#dpid", "text"), d.translateNow)
}

func shown(s string) string { return cmp.Or(s, "<null string>") }

func (d *dialplan) planOf(a command.Args) (*plan, error) {
	if p := (*d.plans.Load())[int(a.Int(0, 0))]; p != nil {
		return p, nil
	}
	return nil, command.Faultf(500, "Dialplan ID not matched")
}

// translateNow is dialplan.translate. No message is at hand, so that rules with variables are none
// for it.
func (d *dialplan) translateNow(a command.Args) (any, error) {
	p, err := d.planOf(a)
	if err != nil {
		return nil, err
	}
	in := []byte(a.Text(1))
	if len(in) == 0 {
		return nil, command.Faultf(500, "Empty input parameter")
	}
	var m pcre.Matcher
	for _, n := range [...]int{len(in), 0} {
		rules := p.rules
		if n > 0 {
			rules = p.long[n]
		}
		for _, r := range rules {
			if r.op == matches && r.exp.text.hasVariable() {
				return nil, r.needsMessage()
			}
			if !r.matches(nil, &m, in) {
				continue
			}
			if r.subst.text.hasVariable() || r.repl.hasVariable() {
				return nil, r.needsMessage()
			}
			out := ""
			switch {
			case len(r.repl) == 0:
			case r.subst.source == "":
				out = r.source
			case !m.Find(r.subst.known, in):
				return nil, command.Faultf(500, "No translation")
			default:
				out = string(r.repl.appendTo(nil, nil, &m, in))
			}
			return translated{out, string(r.attrs)}, nil
		}
	}
	return nil, command.Faultf(500, "No translation")
}

func (r *rule) needsMessage() error {
	return command.Faultf(500, "%s:%d has a variable, and there is no message that it is of",
		r.file, r.line)
}
