package proxy

// Added is a target that AppendBranch has added to the next Relay. Its texts are valid for the
// batch.
type Added struct {
	URI []byte
	Dst []byte // outbound URI; nil means none
	Q   int    // in thousandths; below 0 means none
}

// Added returns added target i, counted from 0. ok is false if there is none.
func (r *Request) Added(i int) (a Added, ok bool) {
	if i < 0 || i >= r.nMore {
		return a, false
	}
	t := &r.more[i]
	a = Added{t.uri, t.dst, int(t.q)}
	if a.URI == nil {
		a.URI = r.M.Bytes(r.M.URI)
	}
	return a, true
}

// SetAddedURI gives added target i, which must exist, another URI. It returns false if uri is too
// long, or no URI.
func (r *Request) SetAddedURI(i int, uri []byte) bool {
	if len(uri) > len(r.uriBuf) || !isURI(uri) {
		return false
	}
	r.more[i].uri = r.core.keep(uri)
	return true
}

// SetAddedDst gives added target i, which must exist, another outbound URI, or none if uri is
// empty. It returns false if uri is too long, or no URI.
func (r *Request) SetAddedDst(i int, uri []byte) bool {
	if len(uri) > len(r.dstBuf) || len(uri) > 0 && !isURI(uri) {
		return false
	}
	t := &r.more[i]
	t.dst, t.addr.Family, t.uid = nil, 0, 0
	if len(uri) > 0 {
		t.dst = r.core.keep(uri)
	}
	return true
}

// SetAddedQ gives added target i, which must exist, another q-value, in thousandths; below 0 means
// none. It returns true.
func (r *Request) SetAddedQ(i, q int) bool {
	r.more[i].q = int16(q)
	return true
}

// RemoveAdded removes added target i, which must exist.
func (r *Request) RemoveAdded(i int) {
	copy(r.more[i:r.nMore], r.more[i+1:r.nMore])
	r.nMore--
}
