package pv

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"

	"viaduct/shard/route"
)

// codes are the transformations {s.encode.…} and {s.decode.…}. What a decoder does not understand
// is null; Kamailio's give the bytes that come out by chance.
func codes(m *route.Module) {
	code := func(name, doc string, encode, decode maker) {
		made(m, "s.encode."+name, "The text in "+doc+".", encode)
		made(m, "s.decode."+name, "The text decoded from "+doc+".", decode)
	}
	code("hexa", "hexadecimal digits", always(hex.AppendEncode, times(2, 0)),
		maker{unhex, times(1, 0)})
	code("7bit", "the 7-bit alphabet of SMS, packed, in hexadecimal digits",
		always(pack7, times(2, 2)),
		maker{unpack7, times(2, 2)})
	code("base58", "base58", maker{base58, times(2, 2)}, maker{unbase58, times(1, 1)})
	for _, x := range []struct {
		name, doc string
		enc       *base64.Encoding
		padded    bool
	}{
		{"base64", "base64", base64.StdEncoding, true},
		{"base64t", "base64 without padding", base64.RawStdEncoding, false},
		{"base64url", "base64 with the alphabet of URLs", base64.URLEncoding, false},
		{"base64urlt", "base64 with the alphabet of URLs, without padding", base64.RawURLEncoding,
			false},
	} {
		raw := x.enc.WithPadding(base64.NoPadding)
		code(x.name, x.doc, always(x.enc.AppendEncode, times(2, 4)),
			maker{func(dst, b []byte) ([]byte, bool) {
				return unbase64(dst, b, raw, x.padded)
			}, times(1, 4)})
	}
}

func unhex(dst, b []byte) ([]byte, bool) {
	b = b[:len(b)&^1] // Kamailio leaves a last digit out
	for i := 0; i < len(b); i += 2 {
		hi, lo := hexValue[b[i]], hexValue[b[i+1]]
		if hi|lo < 0 {
			return dst, false
		}
		dst = append(dst, byte(hi<<4|lo))
	}
	return dst, true
}

// pack7 puts 8 characters of 7 bits into 7 bytes, the first into the low bits
// (GSM 03.38 §6.1.2.1).
func pack7(dst, b []byte) []byte {
	const digits = "0123456789ABCDEF"
	var bits uint
	have := 0
	for _, x := range b {
		bits |= uint(x&0x7f) << have
		for have += 7; have >= 8; have -= 8 {
			dst = append(dst, digits[bits>>4&15], digits[bits&15])
			bits >>= 8
		}
	}
	if have > 0 {
		dst = append(dst, digits[bits>>4&15], digits[bits&15])
	}
	return dst
}

func unpack7(dst, b []byte) ([]byte, bool) {
	b = b[:len(b)&^1]
	var bits uint
	have := 0
	for i := 0; i < len(b); i += 2 {
		hi, lo := hexValue[b[i]], hexValue[b[i+1]]
		if hi|lo < 0 {
			return dst, false
		}
		bits |= uint(byte(hi<<4|lo)) << have
		for have += 8; have >= 7; have -= 7 {
			dst = append(dst, byte(bits&0x7f))
			bits >>= 7
		}
	}
	return dst, true
}

// unbase64 decodes with or without padding, as Kamailio does unless strict. A last character that
// makes no byte is left out.
func unbase64(dst, b []byte, enc *base64.Encoding, strict bool) ([]byte, bool) {
	if strict && len(b)%4 != 0 {
		return dst, false
	}
	for range 2 {
		b = bytes.TrimSuffix(b, []byte{'='})
	}
	if len(b)%4 == 1 {
		b = b[:len(b)-1]
	}
	if bytes.ContainsAny(b, "\r\n") { // which package base64 passes over
		return dst, false
	}
	dst, err := enc.AppendDecode(dst, b)
	return dst, err == nil
}

const alphabet58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

var value58 = func() (t [256]int8) {
	for i := range t {
		t[i] = -1
	}
	for i := range len(alphabet58) {
		t[alphabet58[i]] = int8(i)
	}
	return t
}()

// base58 writes the text as one number. That takes the square of its length.
func base58(dst, b []byte) ([]byte, bool) {
	if len(b) > maxBase58Bytes {
		return dst, false
	}
	zeros := len(b) - len(bytes.TrimLeft(b, "\x00"))
	start := len(dst)
	for _, x := range b[zeros:] {
		carry := int(x)
		for i, digit := range dst[start:] { // the lowest first
			carry += int(digit) << 8
			dst[start+i] = byte(carry % 58)
			carry /= 58
		}
		for ; carry > 0; carry /= 58 {
			dst = append(dst, byte(carry%58))
		}
	}
	for range zeros {
		dst = append(dst, 0)
	}
	reverse(dst[start:])
	for i, digit := range dst[start:] {
		dst[start+i] = alphabet58[digit]
	}
	return dst, true
}

func unbase58(dst, b []byte) ([]byte, bool) {
	if len(b) > maxBase58Bytes {
		return dst, false
	}
	zeros := len(b) - len(bytes.TrimLeft(b, "1"))
	start := len(dst)
	for _, x := range b[zeros:] {
		carry := int(value58[x])
		if carry < 0 {
			return dst, false
		}
		for i, low := range dst[start:] {
			carry += int(low) * 58
			dst[start+i] = byte(carry)
			carry >>= 8
		}
		for ; carry > 0; carry >>= 8 {
			dst = append(dst, byte(carry))
		}
	}
	for range zeros {
		dst = append(dst, 0)
	}
	reverse(dst[start:])
	return dst, true
}

func reverse(b []byte) {
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
}
