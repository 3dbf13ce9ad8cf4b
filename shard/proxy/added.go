package proxy

// Added is a target that AppendBranch has added to the next Relay. Its texts are good for the
// batch.
type Added struct {
	URI []byte
	Dst []byte // outbound URI, nil: none
	Q   int    // in thousandths; below 0: none
}

// Added is the one of that number, from 0, and whether there is one.
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

// SetAddedURI gives one that is there another URI. It returns false if that is none.
func (r *Request) SetAddedURI(i int, uri []byte) bool {
	if len(uri) > len(r.uriBuf) || !isURI(uri) {
		return false
	}
	r.more[i].uri = r.core.keep(uri)
	return true
}

// SetAddedDst gives one that is there another outbound URI, or with an empty one none. It returns
// false if it is no URI.
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

// SetAddedQ gives one that is there another q-value, in thousandths; below 0: none.
func (r *Request) SetAddedQ(i, q int) bool {
	r.more[i].q = int16(q)
	return true
}

// RemoveAdded takes one that is there out.
func (r *Request) RemoveAdded(i int) {
	copy(r.more[i:r.nMore], r.more[i+1:r.nMore])
	r.nMore--
}
