package permissions

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"viaduct/file"
)

// fileBytes is the longest file of addresses, some 500,000 lines. Beyond: it is refused.
const fileBytes = 32 << 20

// list is what a file has. It does not change; a reload makes another one.
type list struct {
	// Whole addresses and names: of several entries the one that stands last in the file counts
	// first, as in Kamailio.
	addresses map[netip.Addr][]entry
	domains   map[string][]entry // in lower case
	// networks, by group and then as in the file: the first that fits counts.
	networks []network
}

// entry is a line of the file.
type entry struct {
	group, port int // port 0: any
	tag         []byte
}

type network struct {
	entry
	of netip.Prefix
}

// anyGroup stands for all groups.
const anyGroup = -1 << 31

// fits tells whether the entry is one of the group, and for the port.
func (e *entry) fits(port, group int) bool {
	return (e.group == group || group == anyGroup) && (e.port == 0 || e.port == port)
}

// address is the entry for an address, nil if there is none.
func (l *list) address(ip netip.Addr, port, group int) *entry {
	if e := first(l.addresses[ip], port, group); e != nil {
		return e
	}
	for i := range l.networks {
		if n := &l.networks[i]; n.fits(port, group) && n.of.Contains(ip) {
			return &n.entry
		}
	}
	return nil
}

// domain is the entry for a name, nil if there is none.
func (l *list) domain(name []byte, port, group int) *entry {
	var room [255]byte
	if len(name) > len(room) || len(l.domains) == 0 {
		return nil
	}
	lower := append(room[:0], name...)
	for i, c := range lower {
		if c >= 'A' && c <= 'Z' {
			lower[i] |= 0x20
		}
	}
	return first(l.domains[string(lower)], port, group)
}

func first(all []entry, port, group int) *entry {
	for i := range all {
		if all[i].fits(port, group) {
			return &all[i]
		}
	}
	return nil
}

// readFile reads a file of addresses.
func readFile(name string) (*list, error) {
	text, err := file.Read(name, fileBytes)
	if err != nil {
		return nil, fmt.Errorf("cannot read the addresses: %w", err)
	}
	l := newList()
	in := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; in.Scan(); n++ {
		line, _, _ := bytes.Cut(in.Bytes(), []byte{'#'})
		if words := strings.Fields(string(line)); len(words) > 0 {
			if err := l.add(words); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", name, n, err)
			}
		}
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	l.sort()
	return l, nil
}

// add adds a line: GROUP ADDRESS [MASK [PORT [TAG]]]. What stands behind them counts for nothing.
func (l *list) add(words []string) error {
	if len(words) < 2 {
		return fmt.Errorf("write GROUP ADDRESS [MASK [PORT [TAG]]], not %q", words[0])
	}
	number := func(i int, what string, low, high int) (int, error) {
		if i >= len(words) {
			return 0, nil
		}
		n, err := strconv.Atoi(words[i])
		if err != nil || n < low || n > high {
			return 0, fmt.Errorf("the %s is %q; it is a number from %d to %d", what, words[i], low,
				high)
		}
		return n, nil
	}
	var e entry
	var err error
	if e.group, err = number(0, "group", 1, 1<<31-1); err != nil {
		return err
	}
	if e.port, err = number(3, "port", 0, 65535); err != nil {
		return err
	}
	if len(words) > 4 {
		e.tag = []byte(words[4])
	}
	address := strings.TrimSuffix(strings.TrimPrefix(words[1], "["), "]")
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return l.addName(words[1], e)
	}
	ip = ip.Unmap()
	mask, err := number(2, "mask", 0, ip.BitLen())
	if err != nil {
		return err
	}
	if mask == 0 || mask == ip.BitLen() { // 0 is what is written where a port follows
		l.addresses[ip] = slices.Insert(l.addresses[ip], 0, e)
		return nil
	}
	l.networks = append(l.networks, network{e, netip.PrefixFrom(ip, mask).Masked()})
	return nil
}

// addName adds a line whose address is a name.
func (l *list) addName(name string, e entry) error {
	if ip, mask, found := strings.Cut(name, "/"); found {
		return fmt.Errorf("%q is no address: write \"%d %s %s\"", name, e.group, ip, mask)
	}
	for _, c := range name {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && !strings.ContainsRune(".-_", c) || len(name) > 255 {
			return fmt.Errorf("%q is neither an address nor a name", name)
		}
	}
	name = strings.ToLower(name)
	l.domains[name] = slices.Insert(l.domains[name], 0, e)
	return nil
}
