package uac

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
)

// challenge is what a Digest challenge asks for (RFC 3261 §22.4, RFC 7616 §3.3, RFC 8760). Its
// texts are views, without their quotes.
type challenge struct {
	realm, nonce, opaque []byte
	algorithm            algorithm
	session              bool // H(A1) takes both nonces too
	qop                  qop
}

// qop says what is protected beside method and URI.
type qop uint8

const (
	noQop   qop = iota // RFC 2069
	authQop            // nothing
	authInt            // the body
)

// algorithm is a hash that answers challenges.
type algorithm uint8

// The algorithms. A challenge without one means the first.
const (
	md5Hash algorithm = iota
	sha256Hash
	sha512Hash
)

// algorithmNames are their names in headers.
var algorithmNames = [...]string{md5Hash: "MD5", sha256Hash: "SHA-256", sha512Hash: "SHA-512-256"}

// maxHashBytes is the longest hash in hexadecimal.
const maxHashBytes = 2 * sha256.Size

// appendHash appends the hash of text in hexadecimal. dst may be where text stands.
func (a algorithm) appendHash(dst, text []byte) []byte {
	switch a {
	case sha256Hash:
		sum := sha256.Sum256(text)
		return hex.AppendEncode(dst, sum[:])
	case sha512Hash:
		sum := sha512.Sum512_256(text)
		return hex.AppendEncode(dst, sum[:])
	}
	sum := md5.Sum(text)
	return hex.AppendEncode(dst, sum[:])
}

// read reads the value of a WWW-Authenticate or Proxy-Authenticate. It returns false for what
// cannot be answered.
func (ch *challenge) read(v []byte) bool {
	const scheme = "Digest"
	if len(v) <= len(scheme) || !is(v[:len(scheme)], scheme) || !blank(v[len(scheme)]) {
		return false
	}
	*ch = challenge{}
	seen := false
	for v = v[len(scheme):]; ; {
		name, value, rest, ok := nextParam(v)
		if !ok {
			return seen && ch.nonce != nil && len(ch.realm) > 0
		}
		v = rest
		switch {
		case is(name, "realm"):
			ch.realm, seen = value, true
		case is(name, "nonce"):
			ch.nonce = value
		case is(name, "opaque"):
			ch.opaque = value
		case is(name, "algorithm"):
			if !ch.setAlgorithm(value) {
				return false
			}
		case is(name, "qop"):
			if !ch.setQop(value) {
				return false
			}
		}
	}
}

func is(name []byte, want string) bool { return bytes.EqualFold(name, []byte(want)) }

func (ch *challenge) setAlgorithm(name []byte) bool {
	const session = "-sess"
	if n := len(name) - len(session); n > 0 && bytes.EqualFold(name[n:], []byte(session)) {
		name, ch.session = name[:n], true
	}
	for i, known := range algorithmNames {
		if is(name, known) {
			ch.algorithm = algorithm(i)
			return true
		}
	}
	return false
}

// setQop chooses of what is offered: auth, which proxies that change bodies leave valid, if it can
// be had.
func (ch *challenge) setQop(list []byte) bool {
	for len(list) > 0 {
		word, rest, _ := bytes.Cut(list, []byte{','})
		list = rest
		switch word = bytes.TrimSpace(word); {
		case is(word, "auth"):
			ch.qop = authQop
			return true
		case is(word, "auth-int"):
			ch.qop = authInt
		}
	}
	return ch.qop != noQop
}

// nextParam reads one parameter of a challenge. A value in quotes is given without them, with its
// backslashes.
func nextParam(v []byte) (name, value, rest []byte, ok bool) {
	v = bytes.TrimLeft(v, " \t\r\n,")
	i := bytes.IndexByte(v, '=')
	if i <= 0 {
		return nil, nil, nil, false
	}
	name, v = bytes.TrimSpace(v[:i]), bytes.TrimLeft(v[i+1:], " \t\r\n")
	if len(v) > 0 && v[0] == '"' {
		for i = 1; i < len(v) && v[i] != '"'; i++ {
			if v[i] == '\\' {
				i++
			}
		}
		if i >= len(v) {
			return nil, nil, nil, false
		}
		return name, v[1:i], v[i+1:], true
	}
	if i = bytes.IndexByte(v, ','); i < 0 {
		i = len(v)
	}
	return name, bytes.TrimSpace(v[:i]), v[i:], true
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// digest is what answers a challenge.
type digest struct {
	user, realm, password []byte
	hashed                bool // password is H(A1)
	method, uri, body     []byte
	cnonce                uint64
}

// nonceCount counts the requests with a nonce: each challenge is answered once, with a cnonce of
// its own.
const nonceCount = "00000001"

// appendAnswer appends the credentials (RFC 7616 §3.4).
func (d *digest) appendAnswer(b []byte, ch *challenge) []byte {
	var cnonce [16]byte
	for i := range cnonce {
		cnonce[i] = "0123456789abcdef"[d.cnonce>>(4*i)&15]
	}
	b = append(append(b, `Digest username="`...), d.user...)
	b = append(append(b, `", realm="`...), ch.realm...)
	b = append(append(b, `", nonce="`...), ch.nonce...)
	b = append(append(b, `", uri="`...), d.uri...)
	b = append(b, '"')
	if ch.opaque != nil {
		b = append(append(append(b, `, opaque="`...), ch.opaque...), '"')
	}
	if ch.qop != noQop {
		b = append(append(b, `, qop=`...), ch.qop.word()...)
		b = append(append(append(b, `, nc=`+nonceCount+`, cnonce="`...), cnonce[:]...), '"')
	} else if ch.session {
		b = append(append(append(b, `, cnonce="`...), cnonce[:]...), '"')
	}
	b = append(b, `, response="`...)
	b = d.appendResponse(b, ch, cnonce[:])
	b = append(append(b, `", algorithm=`...), algorithmNames[ch.algorithm]...)
	if ch.session {
		b = append(b, "-sess"...)
	}
	return b
}

func (q qop) word() string {
	if q == authInt {
		return "auth-int"
	}
	return "auth"
}

// appendResponse appends the hash over all of it. What it is made of is written behind and left
// there.
func (d *digest) appendResponse(b []byte, ch *challenge, cnonce []byte) []byte {
	var ha1, ha2, hbody [maxHashBytes]byte
	h := ch.algorithm
	t := b[len(b):]
	a1 := append(ha1[:0], d.password...)
	if !d.hashed {
		t = append(append(t, d.user...), ':')
		t = append(append(append(t, d.realm...), ':'), d.password...)
		a1 = h.appendHash(ha1[:0], t)
	}
	if ch.session {
		t = append(append(t[:0], a1...), ':')
		t = append(append(append(t, ch.nonce...), ':'), cnonce...)
		a1 = h.appendHash(ha1[:0], t)
	}
	t = append(append(append(t[:0], d.method...), ':'), d.uri...)
	if ch.qop == authInt {
		t = append(append(t, ':'), h.appendHash(hbody[:0], d.body)...)
	}
	a2 := h.appendHash(ha2[:0], t)
	t = append(append(append(t[:0], a1...), ':'), ch.nonce...)
	if ch.qop != noQop {
		t = append(append(t, ":"+nonceCount+":"...), cnonce...)
		t = append(append(t, ':'), ch.qop.word()...)
	}
	t = append(append(t, ':'), a2...)
	return h.appendHash(b, t)
}
