package balance

// KamailioHash is the 32-bit hash that Kamailio's dispatcher makes of a text (dispatcher.hash). No
// algorithm here selects by it: see rendezvous.
func KamailioHash(parts ...string) uint32 {
	h := uint32(0)
	for _, s := range parts {
		for len(s) >= 4 {
			v := uint32(s[0])<<24 | uint32(s[1])<<16 | uint32(s[2])<<8 | uint32(s[3])
			h += v ^ v>>3
			s = s[4:]
		}
		v := uint32(0)
		for i := range len(s) {
			v = v<<8 | uint32(s[i])
		}
		h += v ^ v>>3
	}
	h += h>>11 + h>>13 + h>>23
	if h == 0 {
		return 1
	}
	return h
}
