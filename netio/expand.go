package netio

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// resolveTimeout bounds the look-up of a host name at start-up.
const resolveTimeout = 5 * time.Second

// Expand turns what an operator writes as a listen address into the addresses themselves, all with
// the given port, in a stable order and each once:
//
//	""                    every IPv4 address of every interface that is up
//	"0.0.0.0", "*", "[::]"  every address of that family
//	"192.0.2.1", "[::1]"  itself; brackets are optional; a zone is kept
//	"eth0"                every address of the interface, IPv4 first
//	"sip.example.com"     what it resolves to, IPv4 first
//
// Link-local IPv6 addresses are left out unless written themselves: without a zone, which SIP
// cannot carry, no peer can answer them. Loopback addresses count like all others. It is for
// start-up: it may ask DNS and wait.
func Expand(name string, port uint16) ([]ListenConfig, error) {
	addrs, err := expandAddrs(name)
	if err != nil {
		return nil, err
	}
	var cfgs []ListenConfig
	for _, a := range addrs {
		c := ListenConfig{Addr: netip.AddrPortFrom(a, port)}
		if !slices.Contains(cfgs, c) {
			cfgs = append(cfgs, c)
		}
	}
	return cfgs, nil
}

func expandAddrs(name string) ([]netip.Addr, error) {
	switch name {
	case "", "*":
		return hostAddrs(netip.Addr.Is4)
	}
	bare := name
	if strings.HasPrefix(name, "[") && strings.HasSuffix(name, "]") {
		bare = name[1 : len(name)-1]
	}
	if ip, err := netip.ParseAddr(bare); err == nil {
		ip = ip.Unmap()
		switch {
		case !ip.IsUnspecified():
			return []netip.Addr{ip}, nil
		case ip.Is4():
			return hostAddrs(netip.Addr.Is4)
		}
		return hostAddrs(netip.Addr.Is6)
	}
	if ifc, err := net.InterfaceByName(name); err == nil {
		addrs, err := interfaceAddrs(ifc)
		if err == nil && len(addrs) == 0 {
			err = fmt.Errorf("interface %s has no address to listen on", name)
		}
		return addrs, err
	}
	return resolve(name)
}

// hostAddrs returns the wanted addresses of all interfaces that are up, in interface order.
func hostAddrs(wanted func(netip.Addr) bool) ([]netip.Addr, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("cannot list the interfaces: %w", err)
	}
	var all []netip.Addr
	for i := range interfaces {
		if interfaces[i].Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := interfaceAddrs(&interfaces[i])
		if err != nil {
			return nil, err
		}
		for _, a := range addrs {
			if wanted(a) {
				all = append(all, a)
			}
		}
	}
	if len(all) == 0 {
		return nil, errors.New("no interface that is up has an address of the wanted family")
	}
	return all, nil
}

// interfaceAddrs returns an interface's addresses, IPv4 first, without link-local IPv6.
func interfaceAddrs(ifc *net.Interface) ([]netip.Addr, error) {
	list, err := ifc.Addrs()
	if err != nil {
		return nil, fmt.Errorf("cannot list the addresses of interface %s: %w", ifc.Name, err)
	}
	var addrs []netip.Addr
	for _, a := range list {
		network, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		ip, ok := netip.AddrFromSlice(network.IP)
		if ip = ip.Unmap(); ok && !(ip.Is6() && ip.IsLinkLocalUnicast()) {
			addrs = append(addrs, ip)
		}
	}
	slices.SortStableFunc(addrs, ipv4First)
	return addrs, nil
}

func resolve(name string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		return nil, fmt.Errorf("%q is neither an address, an interface nor a host name that "+
			"resolves: %w", name, err)
	}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	slices.SortStableFunc(addrs, ipv4First)
	return addrs, nil
}

func ipv4First(a, b netip.Addr) int { return a.BitLen() - b.BitLen() }
