package tlsdomains

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"

	"viaduct/shard/route/suggest"
)

// suite is one TLS 1.2 cipher suite that crypto/tls calls secure, as ciphers(1) knows it.
type suite struct {
	id   uint16
	name string
	tags []string // the cipher strings that mean it among others
}

func tags(s string) []string {
	return strings.Fields(s + " ALL DEFAULT HIGH ECDHE EECDH kECDHE kEECDH")
}

// suites are the offer to choose from, best first. All have forward secrecy and an AEAD (RFC 9325
// §4.2); those with CBC and without ECDHE are left out on purpose.
var suites = []suite{
	{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256",
		tags("ECDSA aECDSA AES AES128 AESGCM SHA256 TLSv1.2")},
	{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256",
		tags("aRSA AES AES128 AESGCM SHA256 TLSv1.2")},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384",
		tags("ECDSA aECDSA AES AES256 AESGCM SHA384 TLSv1.2")},
	{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384",
		tags("aRSA AES AES256 AESGCM SHA384 TLSv1.2")},
	{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305",
		tags("ECDSA aECDSA CHACHA20 SHA256 TLSv1.2")},
	{tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305",
		tags("aRSA CHACHA20 SHA256 TLSv1.2")},
}

// absent are cipher strings of ciphers(1) that stand for none of our suites; they are known so that
// the usual "HIGH:!aNULL:!MD5" can be read.
var absent = strings.Fields(`
	COMPLEMENTOFDEFAULT COMPLEMENTOFALL MEDIUM LOW EXP EXPORT EXPORT40 EXPORT56 eNULL NULL aNULL
	kRSA RSA kDHr kDHd kDH kDHE kEDH DH DHE EDH ADH kECDHr kECDHe kECDH ECDH AECDH aECDH aDH aDSS
	DSS aGOST kGOST GOST94 GOST89MAC SSLv2 SSLv3 TLSv1 TLSv1.0 AESCCM AESCCM8 ARIA ARIA128 ARIA256
	ARIAGCM CAMELLIA CAMELLIA128 CAMELLIA256 3DES DES RC4 RC2 IDEA SEED MD5 SHA SHA1 PSK kPSK aPSK
	kRSAPSK kDHEPSK kECDHEPSK SRP kSRP aSRP SUITEB128 SUITEB192 CBC KRB5`)

// cipherList reads a cipher list in the language of ciphers(1). Words are separated by colons,
// commas or blanks; a word may be a suite, a class, or classes joined by +; ! removes for good, -
// removes, + moves to the end; @STRENGTH and @SECLEVEL=n, also at the end of a word, are OpenSSL's
// own and skipped. The list does not affect suites of TLS 1.3, neither in OpenSSL nor in
// crypto/tls. unused are the words without effect here.
func cipherList(list string) (ids []uint16, unused []string, err error) {
	var banned []uint16
	for _, w := range strings.FieldsFunc(list, func(c rune) bool {
		return c == ':' || c == ',' || c == ' ' || c == '\t'
	}) {
		op := byte(0)
		word := w
		if strings.IndexByte("!-+", w[0]) >= 0 {
			op, word = w[0], w[1:]
		}
		if word, _, _ = strings.Cut(word, "@"); word == "" {
			continue
		}
		match, known := matching(word)
		if !known {
			return nil, nil, fmt.Errorf("unknown cipher %q%s", word,
				suggest.DidYouMean(word, append(cipherNames(), suites[0].tags...)))
		}
		has := func(id uint16) bool { return slices.Contains(match, id) }
		switch op {
		case '!', '-':
			ids = slices.DeleteFunc(ids, has)
			if op == '!' {
				banned = append(banned, match...)
			}
		case '+':
			var moved []uint16
			for _, id := range ids {
				if has(id) {
					moved = append(moved, id)
				}
			}
			ids = append(slices.DeleteFunc(ids, has), moved...)
		default:
			if len(match) == 0 {
				unused = append(unused, word)
			}
			for _, id := range match {
				if !slices.Contains(ids, id) && !slices.Contains(banned, id) {
					ids = append(ids, id)
				}
			}
		}
	}
	if len(ids) == 0 {
		return nil, unused, fmt.Errorf("no cipher suite is left; for TLS 1.2 there are %s",
			strings.Join(cipherNames(), ", "))
	}
	return ids, unused, nil
}

func cipherNames() (names []string) {
	for _, s := range suites {
		names = append(names, s.name)
	}
	return names
}

// matching returns the suites that a word without its operator stands for; known says whether the
// word means anything to OpenSSL.
func matching(word string) (ids []uint16, known bool) {
	classes := strings.Split(word, "+")
	for _, s := range suites {
		if word == s.name || word == tls.CipherSuiteName(s.id) ||
			!slices.ContainsFunc(classes, func(c string) bool {
				return !slices.Contains(s.tags, c)
			}) {
			ids = append(ids, s.id)
		}
	}
	if len(ids) > 0 {
		return ids, true
	}
	return nil, foreign(word, classes)
}

// foreign reports whether OpenSSL would know the word although it stands for no suite of ours:
// classes, or the name of a suite that we do not have.
func foreign(word string, classes []string) bool {
	if !slices.ContainsFunc(classes, func(c string) bool {
		return !slices.Contains(absent, c) && !slices.ContainsFunc(suites, func(s suite) bool {
			return slices.Contains(s.tags, c)
		})
	}) {
		return true
	}
	if strings.HasPrefix(word, "TLS_") {
		return slices.ContainsFunc(append(tls.CipherSuites(), tls.InsecureCipherSuites()...),
			func(s *tls.CipherSuite) bool {
				return s.Name == word
			}) ||
			strings.HasPrefix(word, "TLS_AES_128_CCM")
	}
	// OpenSSL joins its names by hyphens out of a few words: every part has to be one of them.
	parts := strings.Split(word, "-")
	return len(parts) > 1 && !slices.ContainsFunc(parts, func(p string) bool {
		return !slices.Contains(nameParts, p)
	})
}

var nameParts = strings.Fields(`
	ECDHE RSA ECDSA DHE DSS ADH AECDH PSK SRP ECDH DH EDH AES128 AES256 AES CAMELLIA128 CAMELLIA256
	ARIA128 ARIA256 ARIA CHACHA20 POLY1305 GCM CCM CCM8 CBC CBC3 DES RC4 SEED IDEA NULL MD5 SHA
	SHA256 SHA384 128 256 3DES EDE`)
