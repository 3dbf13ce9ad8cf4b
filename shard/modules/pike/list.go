package pike

import (
	"net/netip"
	"strings"

	"viaduct/shard/route/command"
	"viaduct/shm/table"
)

// listing is what pike.list answers, in Kamailio's words.
type listing struct {
	MaxHits int      `json:"max_hits"`
	List    []listed `json:"list"`
	Rows    int      `json:"number_of_rows"`
}

type listed struct {
	IP      string `json:"ip_addr"`
	Prev    uint32 `json:"leaf_hits_prev"`
	Curr    uint32 `json:"leaf_hits_curr"`
	Expires int64  `json:"expires"` // in seconds
	Status  string `json:"status"`
}

// list is pike.list and pike.top.
func (p *pike) list(a command.Args) (any, error) { return p.listAt(a.Text(0), table.Now()) }

func (p *pike) listAt(which string, now int64) (any, error) {
	which = strings.ToUpper(which)
	switch which {
	case "":
		which = "HOT"
	case "ALL", "HOT", "WARM":
	default:
		return nil, command.Faultf(500, "Bad argument. Select: ALL, HOT or WARM")
	}
	all := listing{MaxHits: *p.density, List: []listed{}}
	for at := uint32(0); ; {
		at = p.t.View(at, now, 100, func(e *table.Entry) {
			if l := p.listed(e, now); which == "ALL" || which == l.Status {
				all.List = append(all.List, l)
			}
		})
		if at == 0 || len(all.List) >= maxListed {
			break
		}
	}
	all.Rows = len(all.List)
	return all, nil
}

func (p *pike) listed(e *table.Entry, now int64) listed {
	h := hitsOf(e.Int)
	if this := p.window(now); h.before(this) {
		h = h.turned(this)
	}
	ip, _ := netip.AddrFromSlice(e.Key)
	l := listed{IP: ip.String(), Prev: h.prev, Curr: h.curr, Expires: (e.Ends - now + 999) / 1000}
	switch most := max(h.prev, h.curr); {
	case p.hot(h):
		l.Status = "HOT"
	case int(most) > *p.density/4:
		l.Status = "WARM"
	}
	return l
}
