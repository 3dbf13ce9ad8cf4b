package place

// Arrivals counts, for one listener of one shard and one second, the datagrams that came, and those
// of them that are another shard's although the kernel program should have brought them there. Some
// may: where the program finds no Call-ID it leaves the choice to the kernel. Many mean that a peer
// on this host, or behind a virtual network, sends bundles: the program sees only the first
// datagram of each.
type Arrivals struct{ All, Foreign uint32 }

// SteeringHarms tells whether so many went to wrong shards that steering does more harm than good.
func (a Arrivals) SteeringHarms() bool {
	return a.Foreign >= foreignLeast && a.Foreign >= a.All/foreignShare
}
