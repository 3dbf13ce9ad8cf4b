package route

import (
	"fmt"
	"strings"
	"time"

	"viaduct/shard/route/syntax"
)

const noOpenSSL = "crypto/tls is used, not OpenSSL"

// tlsParams are the parameters of tls, Kamailio 5.6 manual §10.
var tlsParams = map[string]*paramDef{
	"config":              text(func(s *Settings) *string { return &s.TLS.Config }),
	"certificate":         text(func(s *Settings) *string { return &s.TLS.Certificate }),
	"private_key":         text(func(s *Settings) *string { return &s.TLS.PrivateKey }),
	"ca_list":             text(func(s *Settings) *string { return &s.TLS.CAList }),
	"ca_path":             text(func(s *Settings) *string { return &s.TLS.CAPath }),
	"crl":                 text(func(s *Settings) *string { return &s.TLS.CRL }),
	"verify_certificate":  toggle(func(s *Settings) *bool { return &s.TLS.VerifyCertificate }),
	"require_certificate": toggle(func(s *Settings) *bool { return &s.TLS.RequireCertificate }),
	"verify_client":       oneOf(func(s *Settings) *string { return &s.TLS.VerifyClient }, "off", "optional", "optional_no_ca", "on"),
	"verify_depth":        number(0, 100, func(s *Settings) *int { return &s.TLS.VerifyDepth }),
	"tls_method":          tlsMethodParam,
	"cipher_list":         text(func(s *Settings) *string { return &s.TLS.Ciphers }),
	"server_name":         text(func(s *Settings) *string { return &s.TLS.ServerName }),
	"connection_timeout":  span(time.Second, -1, maxSeconds, func(s *Settings) *time.Duration { return &s.TLS.ConnectionTimeout }),
	"send_close_notify":   toggle(func(s *Settings) *bool { return &s.TLS.SendCloseNotify }),
	"session_cache":       toggle(func(s *Settings) *bool { return &s.TLS.SessionCache }),
	"con_ct_wq_max":       number(0, 1<<20, func(s *Settings) *int { return &s.TLS.ConnWQMaxBytes }),
	"ct_wq_max":           number(0, 1<<30, func(s *Settings) *int { return &s.TLS.WQMaxBytes }),

	"ct_wq_blk_size": idleNumber("the queue has no blocks"),
	"session_id":     idleText("sessions are resumed by tickets (RFC 8446 §4.6.1)"),
	"renegotiation":  idleNumber("a client's wish to renegotiate is refused always"),
	"tls_log":        idleNumber("lines about TLS have the level of what they say"), "tls_debug": idleNumber("lines about TLS have the level of what they say"),
	"tls_force_run": idleNumber(noOpenSSL), "tls_disable_compression": idleNumber("TLS does not compress (RFC 8446 §4.1.2)"),
	"ssl_release_buffers": idleNumber(noOpenSSL), "ssl_freelist_max_len": idleNumber(noOpenSSL), "ssl_max_send_fragment": idleNumber(noOpenSSL),
	"ssl_read_ahead": idleNumber(noOpenSSL), "low_mem_threshold1": idleNumber("memory has limits of its own"),
	"low_mem_threshold2": idleNumber("memory has limits of its own"), "rand_engine": idleText("the kernel gives randomness"),
	"xavp_cfg": idleText("there are no XAVPs"), "event_callback": idleText("there is no embedded interpreter"),
}

// tlsMethodParam is tls_method. What is older than TLS 1.2 is not spoken (RFC 8996): a word for it that reaches up to TLS 1.2 is warned of,
// one that does not is an error.
var tlsMethodParam = &paramDef{kind: stringParam,
	well: func(v syntax.Literal) string {
		switch strings.ToLower(v.Str) {
		case "tlsv1.3", "tlsv1.3+", "tlsv1.2", "tlsv1.2+", "tlsv1.1+", "tlsv1+", "sslv23":
			return ""
		case "tlsv1.1", "tlsv1", "sslv3", "sslv2":
			return fmt.Sprintf("is %s, which RFC 8996 forbids: write \"TLSv1.2+\"", quote(clip(v.Str)))
		}
		return fmt.Sprintf("is %s; it is one of TLSv1.2, TLSv1.2+, TLSv1.3 and TLSv1.3+", quote(clip(v.Str)))
	},
	note: func(v syntax.Literal) string {
		switch strings.ToLower(v.Str) {
		case "tlsv1.1+", "tlsv1+", "sslv23":
			return "means TLSv1.2+ here: RFC 8996 forbids what is older"
		}
		return ""
	},
	set: func(s *Settings, v syntax.Literal) {
		switch strings.ToLower(v.Str) {
		case "tlsv1.1+", "tlsv1+", "sslv23":
			s.TLS.Method = "TLSv1.2+"
		default:
			s.TLS.Method = v.Str
		}
	},
}

// oneOf is a text that is one of a few words.
func oneOf(f func(*Settings) *string, words ...string) *paramDef {
	d := text(f)
	d.well = func(v syntax.Literal) string {
		for _, w := range words {
			if v.Str == w {
				return ""
			}
		}
		return fmt.Sprintf("is %s; it is one of %s", quote(clip(v.Str)), strings.Join(words, ", "))
	}
	return d
}

var websocketParams = map[string]*paramDef{
	"keepalive_mechanism": number(0, 2, func(s *Settings) *int { return &s.WebSocket.Keepalive }),
	"keepalive_timeout":   span(time.Second, 1, maxSeconds, func(s *Settings) *time.Duration { return &s.WebSocket.KeepaliveTimeout }),
	"ping_application_data": {kind: stringParam, well: func(v syntax.Literal) string {
		if n := len(v.Str); n < 1 || n > 125 {
			return fmt.Sprintf("has %s; a control frame holds 1 to 125 (RFC 6455 §5.5)", count(n, "byte"))
		}
		return ""
	}, set: func(s *Settings, v syntax.Literal) { s.WebSocket.PingData = v.Str }},
	"cors_mode": number(0, 2, func(s *Settings) *int { return &s.WebSocket.CORSMode }),
	"sub_protocols": {min: 1, max: 3, set: func(s *Settings, v syntax.Literal) { s.WebSocket.SubProtocols = int(v.Num) },
		well: func(v syntax.Literal) string {
			if v.Num&1 == 0 {
				return "leaves SIP out, and MSRP is not spoken: write 1"
			}
			return ""
		},
		note: func(v syntax.Literal) string {
			if v.Num&2 != 0 {
				return "asks for MSRP, which is not spoken: only sip is offered"
			}
			return ""
		}},
	"keepalive_interval":  idleNumber("each connection has its own timer"),
	"keepalive_processes": idleNumber("each connection has its own timer"),
	"timer_interval":      idleNumber("each connection has its own timer"),
	"rm_delay_interval":   idleNumber("a connection is gone when its socket is closed"),
	"verbose_list":        idleNumber("viaductctl lists connections"),
	"event_callback":      idleText("there is no embedded interpreter"),
}

const noHTTP = "of HTTP only the WebSocket handshake is answered, and never by the script"

var xhttpParams = map[string]*paramDef{
	"url_match": idleText(noHTTP), "url_skip": idleText(noHTTP), "event_callback": idleText(noHTTP),
}

const (
	noPing     = "there is no registrar whose contacts could be pinged"
	noMangling = "SDP is not changed"
)

var nathelperParams = map[string]*paramDef{
	"nat_addr_mode":     toggle(func(s *Settings) *bool { return &s.NAT.Reserved }),
	"alias_name":        contactAliasParam,
	"natping_interval":  idleNumber(noPing),
	"ping_nated_only":   idleNumber(noPing),
	"natping_processes": idleNumber(noPing), "natping_socket": idleText(noPing), "natping_disable_bflag": idleNumber(noPing),
	"sipping_bflag": idleNumber(noPing), "sipping_from": idleText(noPing), "sipping_method": idleText(noPing),
	"keepalive_timeout": idleNumber(noPing), "udpping_from_path": idleNumber(noPing), "filter_server_id": idleNumber(noPing),
	"force_socket": idleText(noPing), "received_avp": idleText("there are no AVPs, and no registrar to take them"),
	"nortpproxy_str": idleText(noMangling), "append_sdp_oldmediaip": idleNumber(noMangling),
}

var contactAliasParam = &paramDef{kind: stringParam,
	well: func(v syntax.Literal) string {
		if !IsToken(v.Str) || len(v.Str) > maxAliasName {
			return fmt.Sprintf("is %s; a parameter's name is up to 64 letters, digits and -.!%%*_+`'~", quote(clip(v.Str)))
		}
		return ""
	},
	set: func(s *Settings, v syntax.Literal) { s.NAT.AliasName = v.Str },
}

var tcpopsParams = map[string]*paramDef{
	"event_callback": idleText("there is no embedded interpreter"),
}

var pathParams = map[string]*paramDef{
	"use_received":    toggle(func(s *Settings) *bool { return &s.Path.UseReceived }),
	"received_format": idleNumber("the source is written as a URI"),
	"received_name":   idleText("the parameter is received, as in RFC 3327"),
	"enable_r2":       idleNumber("one Path is added, of the listener the request came in on"),
	"sockname_mode":   idleNumber("Path carries addresses, not socket names"),
}
