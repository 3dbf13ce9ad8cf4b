package proxy

import "bytes"

// SetRouteParam adds a parameter to our Record-Route, or replaces one of that name that it or
// AddRouteParams has added. It returns false if there is no room.
func (r *Request) SetRouteParam(name string, value []byte) bool {
	rr := &r.rr
	n := len(rr.texts) + len(name) + len(value) + 2
	if n > maxRecordBytes {
		return false
	}
	params := rr.params()
	b := append(r.core.take(n), rr.texts[:len(rr.texts)-len(params)]...)
	for len(params) > 0 {
		end := len(params)
		if i := bytes.IndexByte(params[1:], ';'); i >= 0 {
			end = 1 + i
		}
		if is, _, _ := bytes.Cut(params[1:end], []byte{'='}); !equalFold(is, []byte(name)) {
			b = append(b, params[:end]...)
		}
		params = params[end:]
	}
	rr.texts = append(append(append(append(b, ';'), name...), '='), value...)
	return true
}
