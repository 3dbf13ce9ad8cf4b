// Package ipops looks at texts that may be IP addresses: Kamailio's module ipops.
package ipops

import (
	"bytes"
	"net/netip"

	"viaduct/parser"
	"viaduct/shard/route"
)

// Define is the module.
func Define(m *route.Module) {
	text := route.Text("ip", "the text")
	is := func(name, doc string, f func(a address) bool) {
		route.Func1(m, name, route.Anywhere, text, doc,
			func(_ *route.Ctx, text []byte) route.Result { return route.Truth(f(read(text))) })
	}
	is("is_ip", "Tells whether the text is an address, IPv6 with or without brackets.",
		func(a address) bool { return a.kind != none })
	is("is_pure_ip", "Tells whether the text is an address without brackets.",
		func(a address) bool { return a.kind == ipv4 || a.kind == ipv6 })
	is("is_ipv4", "Tells whether the text is an IPv4 address.",
		func(a address) bool { return a.kind == ipv4 })
	is("is_ipv6", "Tells whether the text is an IPv6 address without brackets.",
		func(a address) bool { return a.kind == ipv6 })
	is("is_ipv6_reference", "Tells whether the text is an IPv6 address in brackets.",
		func(a address) bool { return a.kind == reference })
	is("is_ip_rfc1918", "Tells whether the text is an IPv4 address of a network of RFC 1918.",
		func(a address) bool { return a.kind == ipv4 && a.ip.IsPrivate() })
	route.Func1(m, "ip_type", route.Anywhere, text,
		"1: an IPv4 address, 2: an IPv6 address, 3: one in brackets, -1: none.",
		func(_ *route.Ctx, text []byte) route.Result {
			if k := read(text).kind; k != none {
				return route.Result(k)
			}
			return -1
		})

	first, second := route.Text("ip1", "an address"), route.Text("ip2", "another")
	route.Func2(m, "compare_ips", route.Anywhere, first, second,
		"Tells whether both are the same address, with or without brackets.",
		func(_ *route.Ctx, first, second []byte) route.Result {
			a, b := read(first), read(second)
			return route.Truth(a.kind != none && b.kind != none && a.ip == b.ip)
		})
	route.Func2(m, "compare_pure_ips", route.Anywhere, first, second,
		"Tells whether both are the same address, without brackets.",
		func(_ *route.Ctx, first, second []byte) route.Result {
			a, b := read(first), read(second)
			pure := func(a address) bool { return a.kind == ipv4 || a.kind == ipv6 }
			return route.Truth(pure(a) && pure(b) && a.ip == b.ip)
		})
	route.Func2(m, "is_in_subnet", route.Anywhere, text,
		route.Text("subnets", "networks such as 10.0.0.0/8 and addresses, separated by commas"),
		"Tells whether the address is in one of the networks.",
		func(_ *route.Ctx, text, subnets []byte) route.Result {
			a := read(text)
			return route.Truth((a.kind == ipv4 || a.kind == ipv6) && inSubnets(a.ip, subnets))
		})
	types(m)
	dns(m)
	hostNames(m)
}

// kind is what a text is: the numbers of ip_type.
type kind uint8

const (
	none kind = iota
	ipv4
	ipv6
	reference // an IPv6 address in brackets
)

type address struct {
	ip   netip.Addr
	kind kind
}

func read(b []byte) address {
	ip, ok := parser.HostIP(b)
	switch {
	case !ok:
		return address{}
	case ip.Is4():
		return address{ip, ipv4}
	case b[0] == '[':
		return address{ip, reference}
	}
	return address{ip, ipv6}
}

// inSubnets tells whether the address is in one of a list. What is no network holds nothing.
func inSubnets(ip netip.Addr, list []byte) bool {
	for len(list) > 0 {
		var item []byte
		item, list, _ = bytes.Cut(list, []byte{','})
		if n, ok := readSubnet(bytes.Trim(item, " \t\r\n")); ok && n.Contains(ip) {
			return true
		}
	}
	return false
}

// readSubnet reads address/bits. Without bits it is the address alone.
func readSubnet(b []byte) (netip.Prefix, bool) {
	text, length, sized := bytes.Cut(b, []byte{'/'})
	a := read(text)
	if a.kind != ipv4 && a.kind != ipv6 {
		return netip.Prefix{}, false
	}
	bits := a.ip.BitLen()
	if sized {
		if len(length) == 0 || len(length) > 3 {
			return netip.Prefix{}, false
		}
		bits = 0
		for _, d := range length {
			if d < '0' || d > '9' {
				return netip.Prefix{}, false
			}
			bits = bits*10 + int(d-'0')
		}
	}
	n := netip.PrefixFrom(a.ip, bits)
	return n, n.IsValid()
}
