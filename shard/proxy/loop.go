package proxy

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"viaduct/parser"
	"viaduct/shard/txn"
)

// A request loops when it comes back unchanged in everything that decided where it went (RFC 5393
// §4.2): each round would go the same way, and with forking the number of requests doubles each
// time. A request that comes back with another Request-URI or Route set is a spiral, and passes.
// Call-ID, From tag and CSeq need no comparing: the Via that shows the request was here carries a
// secret of the very transaction.
//
// The address that the request came from is one of the inputs. A feature server that gets a call
// from us and hands it back unchanged makes no loop: the routing program sees where the request
// comes from ($si) and goes on differently. A real loop comes from the same neighbour each time and
// is found one round later.

// loopHash returns the hash of those inputs. The hash is kept in the transaction, so it must mean
// the same to the next process.
func (r *Request) loopHash() uint32 {
	m := r.M
	h := xxhash.Sum64(m.Bytes(m.URI))
	if m.Has(parser.KindRoute) {
		for i := m.First(parser.KindRoute); i >= 0; i = m.Next(i) {
			h = (h ^ xxhash.Sum64(m.Headers[i].Value.Of(m.Raw))) * 0x9e3779b97f4a7c15
		}
	}
	h = (h ^ binary.LittleEndian.Uint64(r.Src.IP[:])) * 0xff51afd7ed558ccd
	return uint32((h ^ binary.LittleEndian.Uint64(r.Src.IP[8:])) * 0xc4ceb9fe1a85ec53 >> 32)
}

// looped reports whether the request was here before with the same loopHash, while the transaction
// it made then is still under way.
func (r *Request) looped() bool {
	m := r.M
	if !r.via.More && !m.HasMany(parser.KindVia) {
		return false // it comes from whoever made it
	}
	if m.Method == parser.ACK {
		return r.circles()
	}
	hash := uint32(0)
	for v := m.Values(parser.KindVia); v.Next(); {
		var via parser.Via
		if parser.ParseVia(m.Raw, v.Value, &via) != parser.OK {
			return false
		}
		id, ok := txn.ParseBranch(via.Branch.Of(m.Raw))
		if !ok {
			continue
		}
		br := r.core.tx.At(id)
		if br == nil {
			continue
		}
		if hash == 0 {
			hash = r.loopHash()
		}
		if tx := r.core.tx.Tx(br); tx.Method() == m.Method && tx.Loop() == hash {
			return true
		}
	}
	return false
}

// maxCircles is how often in a row an ACK may have gone from us to ourselves.
const maxCircles = 4

// circles reports whether an ACK goes in a circle: its topmost Vias, more than maxCircles, are all
// ours. No transaction knows the way of an ACK to a 2xx, and without this one datagram would be
// handled until its Max-Forwards is used up.
func (r *Request) circles() bool {
	n := 0
	for v := r.M.Values(parser.KindVia); v.Next(); n++ {
		var via parser.Via
		if n > maxCircles {
			return true
		}
		if parser.ParseVia(r.M.Raw, v.Value, &via) != parser.OK ||
			!r.core.IsMyself(via.Host.Of(r.M.Raw), int(via.Port), AnyProto) {
			return false
		}
	}
	return n > maxCircles
}
