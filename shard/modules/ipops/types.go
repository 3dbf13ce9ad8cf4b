package ipops

import (
	"net/netip"

	"viaduct/shard/route"
)

// types are the functions that say what an address is for.
func types(m *route.Module) {
	text, into := route.Text("ip", "the text"),
		route.Writable("result", "the variable for it")
	detailed := func(name, doc string, want func(k kind) bool) {
		route.Func2(m, name, route.Anywhere, text, into, doc,
			func(c *route.Ctx, text []byte, into *route.Place) route.Result {
				a := read(text)
				if !want(a.kind) {
					return -1
				}
				return into.Put(c, route.TextValue(typeOf(a.ip)))
			})
	}
	detailed("detailed_ip_type", "Stores the kind of an address, such as PRIVATE or LOOPBACK, in "+
		"a variable.",
		func(k kind) bool { return k != none })
	detailed("detailed_ipv4_type", "The same as detailed_ip_type, for IPv4 alone.",
		func(k kind) bool { return k == ipv4 })
	detailed("detailed_ipv6_type", "The same as detailed_ip_type, for IPv6 alone, with or without "+
		"brackets.",
		func(k kind) bool { return k == ipv6 || k == reference })
}

// use is what a network is for, in Kamailio's words.
type use struct {
	net  netip.Prefix
	word []byte
}

func uses(list ...string) (t []use) {
	for i := 0; i < len(list); i += 2 {
		t = append(t, use{netip.MustParsePrefix(list[i]), []byte(list[i+1])})
	}
	return t
}

// The first network that has an address says what it is for (RFC 6890).
var (
	uses4 = uses("255.255.255.255/32", "BROADCAST", "0.0.0.0/8", "PRIVATE", "10.0.0.0/8", "PRIVATE",
		"172.16.0.0/12", "PRIVATE", "192.168.0.0/16", "PRIVATE", "127.0.0.0/8", "LOOPBACK",
		"169.254.0.0/16", "LINK-LOCAL", "100.64.0.0/10", "SHARED", "192.0.2.0/24", "TEST-NET",
		"198.51.100.0/24", "TEST-NET", "203.0.113.0/24", "TEST-NET", "192.0.0.0/24", "RESERVED",
		"192.88.99.0/24", "6TO4-RELAY", "198.18.0.0/15", "RESERVED", "224.0.0.0/4", "MULTICAST",
		"240.0.0.0/4", "RESERVED", "0.0.0.0/0", "PUBLIC")
	uses6 = uses("::/128", "UNSPECIFIED", "::1/128", "LOOPBACK", "::ffff:0:0/96", "IPV4MAP",
		"100::/64", "DISCARD", "2001::/32", "TEREDO", "2001:2::/48", "BMWG", "2001:10::/28",
		"ORCHID",
		"2001:db8::/32", "DOCUMENTATION", "2002::/16", "6TO4", "2000::/3", "GLOBAL-UNICAST",
		"fc00::/7", "UNIQUE-LOCAL-UNICAST", "fe80::/10", "LINK-LOCAL-UNICAST", "ff00::/8",
		"MULTICAST",
		"::/0", "RESERVED")
)

func typeOf(ip netip.Addr) []byte {
	table := uses6
	if ip.Is4() {
		table = uses4
	}
	for i := range table {
		if table[i].net.Contains(ip) {
			return table[i].word
		}
	}
	return nil
}
