package permissions

import (
	"cmp"
	"net/netip"
	"slices"

	"viaduct/shard/modules/dbtext"
)

// columns are the parameters that name tables and columns.
var columns = []struct{ param, name, doc string }{
	{"address_table", "address", "The table of addresses, a file in that folder."},
	{"trusted_table", "trusted", "The table of trusted peers, a file in that folder."},
	{"grp_col", "grp", "The column with the group of an address."},
	{"ip_addr_col", "ip_addr", "The column with the address."},
	{"mask_col", "mask", "The column with how many of its bits count."},
	{"port_col", "port", "The column with its port, 0 for any."},
	{"tag_col", "tag", "The column with a tag, in both tables."},
	{"source_col", "src_ip", "The column with the address of a peer, or its name."},
	{"proto_col", "proto", "The column with the transport of a peer: udp, tcp, tls, sctp, ws, wss, " +
		"any or none."},
	{"from_col", "from_pattern", "The column with what the URI in From must match."},
	{"ruri_col", "ruri_pattern", "The column with what the Request-URI must match."},
	{"priority_col", "priority", "The column with a priority: the highest counts first."},
}

// table reads the table that a parameter names, and finds the columns of others.
func (p *permissions) table(param string, cols ...string) (*dbtext.Table, []int, error) {
	t, err := dbtext.Read(*p.url, *p.columns[param])
	if err != nil {
		return nil, nil, err
	}
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = *p.columns[c]
	}
	at, err := t.Columns(names...)
	return t, at, err
}

// readTable reads the table of addresses.
func (p *permissions) readTable() (*list, error) {
	t, at, err := p.table("address_table", "grp_col", "ip_addr_col", "mask_col", "port_col",
		"tag_col")
	if err != nil {
		return nil, err
	}
	l := newList()
	for i := range t.Rows {
		r := &t.Rows[i]
		words := []string{r.Text(at[0]), r.Text(at[1]), cmp.Or(r.Text(at[2]), "0"),
			cmp.Or(r.Text(at[3]), "0")}
		if tag := r.Text(at[4]); tag != "" {
			words = append(words, tag)
		}
		if err := l.add(words); err != nil {
			return nil, t.Errorf(r, "%w", err)
		}
	}
	l.sort()
	return l, nil
}

// sort brings the networks into the order of their groups.
func (l *list) sort() {
	slices.SortStableFunc(l.networks,
		func(a, b network) int { return cmp.Compare(a.group, b.group) })
}

func newList() *list {
	return &list{addresses: map[netip.Addr][]entry{}, domains: map[string][]entry{}}
}
