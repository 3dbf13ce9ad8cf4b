package traffic

import "net/netip"

// CallerAddrs are the addresses of the callers as bound, in the order of Config.Callers.
func (e *Engine) CallerAddrs() []netip.AddrPort { return addrs(e.callers) }

// AnswererAddrs are the addresses of the answerers as bound, in the order of Config.Answerers.
func (e *Engine) AnswererAddrs() []netip.AddrPort { return addrs(e.answerers) }

func addrs(sockets []*socket) []netip.AddrPort {
	var out []netip.AddrPort
	for _, s := range sockets {
		out = append(out, s.local)
	}
	return out
}
