// Package tls has the parameters of TLS and its variables: Kamailio's module tls.
package tls

import (
	"fmt"
	"strings"
	"time"

	"viaduct/shard/route"
)

// Define is the module.
func Define(m *route.Module) {
	set := &m.Settings().TLS
	domain := &set.Domains.Default
	m.TextVar(&set.Domains.File, "config", "The file with domains.")
	m.TextVar(&domain.Certificate, "certificate", "The file with our certificate.")
	m.TextVar(&domain.PrivateKey, "private_key", "The file with the private key of our "+
		"certificate.")
	m.TextVar(&domain.CAList, "ca_list", "The file with the certificate authorities that peers "+
		"are verified against.")
	m.TextVar(&domain.CAPath, "ca_path", "A folder with such files.")
	m.TextVar(&domain.CRL, "crl", "The file with the list of revoked certificates.")
	m.BoolVar(&domain.VerifyCertificate, "verify_certificate",
		"Whether a peer's certificate is verified.")
	m.BoolVar(&domain.RequireCertificate, "require_certificate", "Whether a peer must show a "+
		"certificate.")
	m.OneOfVar(&domain.VerifyClient, "verify_client", "How a client's certificate is verified.", "off",
		"optional", "optional_no_ca", "on")
	m.IntVar(&domain.VerifyDepth, "verify_depth", 0, 100, "The longest chain of certificates.")
	method(m, &domain.Method)
	m.TextVar(&domain.CipherList, "cipher_list", "The ciphers of TLS 1.2.")
	m.TextVar(&domain.ServerName, "server_name", "The server name that clients ask for (RFC 6066 "+
		"§3).")
	m.DurationVar(&set.ConnectionTimeout, "connection_timeout", time.Second, -1, route.MaxSeconds,
		"Idle seconds before a connection is closed; -1: never.")
	m.BoolVar(&set.SendCloseNotify, "send_close_notify",
		"Whether close_notify is sent when a connection is closed.")
	resumed := m.Bool("session_cache", true, "Whether sessions are resumed.")
	m.Ready(func() error {
		set.Domains.NoSessions = !*resumed
		return nil
	})
	m.Int("con_ct_wq_max", 64<<10, 0, 1<<20,
		"How many bytes may wait for one handshake.")
	m.Int("ct_wq_max", 10<<20, 0, 1<<30, "How many bytes may wait for all handshakes.")
	m.NotYet("con_ct_wq_max", "ct_wq_max")

	const noOpenSSL = "crypto/tls is used, not OpenSSL"
	m.IdleInt("the queue has no blocks", "ct_wq_blk_size")
	m.IdleText("sessions are resumed by tickets (RFC 8446 §4.6.1)", "session_id")
	m.IdleInt("a client's wish to renegotiate is refused always", "renegotiation")
	m.IdleInt("lines about TLS have the level of what they say", "tls_log", "tls_debug")
	m.IdleInt("TLS does not compress (RFC 8446 §4.1.2)", "tls_disable_compression")
	m.IdleInt(noOpenSSL, "tls_force_run", "ssl_release_buffers", "ssl_freelist_max_len",
		"ssl_max_send_fragment", "ssl_read_ahead")
	m.IdleInt("memory has limits of its own", "low_mem_threshold1", "low_mem_threshold2")
	m.IdleText("the kernel gives randomness", "rand_engine")
	m.IdleText("there are no XAVPs", "xavp_cfg")
	m.IdleText("there is no embedded interpreter", "event_callback")

	variables(m)
	route.Func0(m, "is_peer_verified", route.InRequest,
		"Tells whether the peer's certificate was verified.",
		func(c *route.Ctx) route.Result { return route.Truth(peerVerified(c)) })
}

// method declares tls_method. What is older than TLS 1.2 is not spoken (RFC 8996): a word for it
// that reaches up to TLS 1.2 is warned of, one that does not is an error.
func method(m *route.Module, p *string) {
	m.TextVar(p, "tls_method", "The TLS versions that are spoken.")
	m.Ready(func() error {
		if older(*p) {
			*p = "TLSv1.2+"
		}
		return nil
	})
	m.Check("tls_method", func(s string, _ int64) string {
		switch strings.ToLower(s) {
		case "tlsv1.3", "tlsv1.3+", "tlsv1.2", "tlsv1.2+":
			return ""
		case "tlsv1.1", "tlsv1", "sslv3", "sslv2":
			return fmt.Sprintf("is %s, which RFC 8996 forbids: write \"TLSv1.2+\"", route.Quote(s))
		}
		if older(s) {
			return ""
		}
		return fmt.Sprintf("is %s; it is one of TLSv1.2, TLSv1.2+, TLSv1.3 and TLSv1.3+",
			route.Quote(s))
	})
	m.Note("tls_method", func(s string, _ int64) string {
		if older(s) {
			return "means TLSv1.2+ here: RFC 8996 forbids what is older"
		}
		return ""
	})
}

// older tells whether a word begins with what is forbidden and reaches up to TLS 1.2.
func older(s string) bool {
	switch strings.ToLower(s) {
	case "tlsv1.1+", "tlsv1+", "sslv23":
		return true
	}
	return false
}
