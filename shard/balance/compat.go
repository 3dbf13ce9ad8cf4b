package balance

// CompatHash is Kamailio's hash of one or two texts, the `hash` of `dispatcher.hash`; hash modulo
// the number of targets is its `slot`. (Kamailio 5.6 prints the hash as a signed number, and
// computes the slot from the unsigned one.) Selection does not use it: it exists so that an
// operator can compare. It adds up big-endian words of four bytes and a shorter rest; bytes are
// signed, as char is on x86, so that text beyond ASCII hashes as there.
func CompatHash(v1, v2 []byte) uint32 {
	var h uint32
	for _, v := range [2][]byte{v1, v2} {
		if v == nil {
			continue
		}
		for len(v) >= 4 {
			h += fold(word4(v))
			v = v[4:]
		}
		var rest uint32
		for _, c := range v {
			rest = rest<<8 + uint32(int32(int8(c)))
		}
		h += fold(rest)
	}
	h = h + h>>11 + h>>13 + h>>23
	if h == 0 {
		return 1
	}
	return h
}

func fold(v uint32) uint32 { return v ^ v>>3 }

func word4(b []byte) uint32 {
	signed := func(c byte) uint32 { return uint32(int32(int8(c))) }
	return signed(b[0])<<24 + signed(b[1])<<16 + signed(b[2])<<8 + signed(b[3])
}
