package permissions

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"viaduct/parser"
	"viaduct/shard/route"
)

// trusted are the trusted peers, those of each address by priority. They do not change; a reload
// makes others.
type trusted struct {
	addresses map[netip.Addr][]*peer
	names     map[string][]*peer
}

// peer is a row of the table.
type peer struct {
	source     string
	proto      string // in lower case; "" is any, "none" is none
	from, ruri *regexp.Regexp
	fromText   string
	ruriText   string
	tag        []byte
	priority   int64
}

// protocols are those that a peer or a call may name. Package route has no SCTP, nothing comes by
// it.
var protocols = []string{"any", "udp", "tcp", "tls", "sctp", "ws", "wss", "none"}

// readyTrusted reads the trusted peers. That there is no table of them is no mistake until the
// script asks for them.
func (p *permissions) readyTrusted() error {
	switch {
	case *p.url == "":
		p.noTrusted = errors.New("there are no trusted peers: write their table into a folder and " +
			"modparam(\"permissions\", \"db_url\", \"text:///FOLDER\")")
		return nil
	case !isText(*p.url):
		return nil // a warning at the parameter says it
	case *p.backends&loadTrusted == 0:
		p.noTrusted = errors.New("load_backends leaves the trusted peers out: it needs 2")
		return nil
	}
	err := p.loadTrusted()
	if errors.Is(err, fs.ErrNotExist) {
		p.noTrusted, p.lost = err, true
		return nil
	}
	return err
}

// loadTrusted reads the trusted peers.
func (p *permissions) loadTrusted() error {
	t, at, err := p.table("trusted_table", "source_col", "proto_col", "from_col", "ruri_col",
		"tag_col", "priority_col")
	if err != nil {
		return err
	}
	all := &trusted{map[netip.Addr][]*peer{}, map[string][]*peer{}}
	for i := range t.Rows {
		r := &t.Rows[i]
		x := &peer{
			source: r.Text(at[0]), proto: strings.ToLower(r.Text(at[1])),
			fromText: r.Text(at[2]), ruriText: r.Text(at[3]), tag: []byte(r.Text(at[4])),
			priority: r.Int(at[5]),
		}
		if !slices.Contains(protocols, x.proto) {
			return t.Errorf(r, "there is no protocol %q; there are %s", r.Text(at[1]),
				strings.Join(protocols, ", "))
		}
		if x.proto == "any" {
			x.proto = ""
		}
		if x.from, err = pattern(x.fromText); err == nil {
			x.ruri, err = pattern(x.ruriText)
		}
		if err != nil {
			return t.Errorf(r, "%w", err)
		}
		if ip, ok := parser.HostIP([]byte(x.source)); ok {
			ip = ip.Unmap()
			all.addresses[ip] = append(all.addresses[ip], x)
		} else if x.source == "" {
			return t.Errorf(r, "there is no address")
		} else {
			all.names[x.source] = append(all.names[x.source], x)
		}
	}
	first := func(a, b *peer) int { return cmp.Compare(b.priority, a.priority) }
	for _, peers := range all.addresses {
		slices.SortStableFunc(peers, first)
	}
	for _, peers := range all.names {
		slices.SortStableFunc(peers, first)
	}
	p.trusted.Store(all)
	return nil
}

// pattern compiles a pattern of the table, nil if there is none.
func pattern(s string) (*regexp.Regexp, error) {
	if s == "" {
		return nil, nil
	}
	re, err := route.CompilePattern(s, route.Cased)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", s, err)
	}
	return re, nil
}

// fits tells whether a request is the peer's, by its protocol and URIs.
func (x *peer) fits(proto, from, ruri []byte) bool {
	switch {
	case x.proto != "" && len(proto) > 0 && x.proto != string(proto):
		return false
	case x.proto == "none":
		return false
	}
	return (x.from == nil || x.from.Match(from)) && (x.ruri == nil || x.ruri.Match(ruri))
}

func (p *permissions) trustedFunctions(m *route.Module) {
	source := route.Optional(route.Text("src_ip", "an address, or a name as the table has it; "+
		"without it, the source of the request"), nil)
	proto := route.Optional(route.Text("proto", "the transport; any fits all"), nil)
	uri := route.Optional(route.Text("furi", "the text compared with the pattern for From"), nil)
	m.Func(route.Func{Name: "allow_trusted", In: route.Anywhere,
		Args: []route.AnyArg{source, proto, uri},
		Doc: "Tells whether the table of trusted peers has the address with that transport, and " +
			"the peer's patterns match.",
		Build: func(b *route.Build) route.Call {
			if b.Args() == 1 {
				b.Errorf(0, "allow_trusted wants the transport behind the address, or neither")
				return nil
			}
			switch {
			case p.noTrusted != nil && p.lost:
				b.Errorf(route.WholeCall, "allow_trusted: %s", p.noTrusted)
				return nil
			case p.noTrusted != nil:
				b.Warnf(route.WholeCall, "allow_trusted is never true: %s", p.noTrusted)
			}
			source, ok1 := source.At(b, 0)
			proto, ok2 := proto.At(b, 1)
			uri, ok3 := uri.At(b, 2)
			tag, ok4 := p.tagPlace(b)
			if !ok1 || !ok2 || !ok3 || !ok4 {
				return nil
			}
			own, ownURI := b.Args() == 0, b.Args() < 3
			return func(c *route.Ctx) route.Result {
				var peers []*peer
				t := p.trusted.Load()
				var room [8]byte
				var name, from []byte
				if own {
					src := c.From()
					peers = t.addresses[src.Addr().WithZone("").Unmap()]
					name, _ = c.TransportWord()
				} else {
					text, r1 := source.Get(c)
					word, r2 := proto.Get(c)
					if r := min(r1, r2); r <= 0 {
						return r
					}
					if peers, name = t.named(text), word; len(name) > len(room) {
						return -1
					}
				}
				lower := append(room[:0], name...)
				for i, b := range lower {
					if b >= 'A' && b <= 'Z' {
						lower[i] |= 0x20
					}
				}
				switch {
				case !isProtocol(lower):
					return -1
				case string(lower) == "any":
					lower = nil
				}
				if ownURI {
					from, _ = c.FromURI()
				} else {
					var r route.Result
					if from, r = uri.Get(c); r <= 0 {
						return r
					}
				}
				ruri, _ := c.RURI()
				return p.matched(c, peers, lower, from, ruri, tag)
			}
		}})
}

// named are the peers of an address in a text, or of a name.
func (t *trusted) named(text []byte) []*peer {
	if ip, ok := parser.HostIP(text); ok {
		return t.addresses[ip.Unmap()]
	}
	return t.names[string(text)]
}

func isProtocol(name []byte) bool {
	for _, p := range protocols {
		if p == string(name) {
			return true
		}
	}
	return false
}

// matched takes the tag of the first peer that fits, or with peer_tag_mode 1 those of all.
func (p *permissions) matched(c *route.Ctx, peers []*peer, proto, from, ruri []byte,
	tag *route.Place) route.Result {
	n := 0
	for _, x := range peers {
		if !x.fits(proto, from, ruri) {
			continue
		}
		n++
		if tag != nil && len(x.tag) > 0 {
			if r := tag.Put(c, route.TextValue(x.tag)); r <= 0 {
				return r
			}
		}
		if *p.tagMode == 0 {
			return 1
		}
	}
	if n == 0 {
		return -1
	}
	return n
}

// shownPeer is a peer as trustedDump shows it.
type shownPeer struct {
	Number int      `json:"table"`
	Item   peerItem `json:"item"`
}

type peerItem struct {
	IP       string `json:"ip"`
	Proto    string `json:"proto"`
	Pattern  string `json:"pattern"`
	RURI     string `json:"ruri_pattern"`
	Tag      string `json:"tag"`
	Priority int64  `json:"priority"`
}

// shown are the peers by address, and then by name.
func (t *trusted) shown() []shownPeer {
	all := []shownPeer{}
	add := func(peers []*peer) {
		for _, x := range peers {
			all = append(all, shownPeer{len(all), peerItem{x.source, cmp.Or(x.proto, "any"),
				cmp.Or(x.fromText, "NULL"), cmp.Or(x.ruriText, "NULL"),
				cmp.Or(string(x.tag), "NULL"), x.priority}})
		}
	}
	for _, ip := range slices.SortedFunc(maps.Keys(t.addresses), netip.Addr.Compare) {
		add(t.addresses[ip])
	}
	for _, name := range slices.Sorted(maps.Keys(t.names)) {
		add(t.names[name])
	}
	return all
}
