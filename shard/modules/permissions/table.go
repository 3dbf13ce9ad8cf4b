package permissions

import (
	"cmp"
	"net/netip"
	"slices"

	"viaduct/shard/modules/dbtext"
)

// columns are the parameters that name tables and columns.
var columns = []struct{ param, name, doc string }{
	{"address_table", "address", "The table of addresses, a file in the folder of db_url."},
	{"trusted_table", "trusted", "The table of trusted peers, a file in the folder of db_url."},
	{"grp_col", "grp", "The column with the group of an address."},
	{"ip_addr_col", "ip_addr", "The column with the address."},
	{"mask_col", "mask", "The column with the number of bits of the address that count."},
	{"port_col", "port", "The column with the port; 0 means any."},
	{"tag_col", "tag", "The column with a tag, in both tables."},
	{"source_col", "src_ip", "The column with the address or the name of a peer."},
	{"proto_col", "proto", "The column with the transport of a peer: udp, tcp, tls, sctp, ws, wss, " +
		"any or none."},
	{"from_col", "from_pattern", "The column with the pattern for the URI in From."},
	{"ruri_col", "ruri_pattern", "The column with the pattern for the Request-URI."},
	{"priority_col", "priority", "The column with the priority; the highest comes first."},
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
