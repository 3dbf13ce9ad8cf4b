package resolve

import (
	"testing"

	"viaduct/netio"
)

func TestLocate(t *testing.T) {
	z := serve(t,
		`naptr.test. 60 IN NAPTR 10 20 "s" "SIP+D2U" "" _sip._udp.naptr.test.`,
		`naptr.test. 60 IN NAPTR 10 10 "s" "SIP+D2T" "" _sip._tcp.naptr.test.`,
		`naptr.test. 60 IN NAPTR 20 10 "s" "SIPS+D2T" "" _sips._tcp.naptr.test.`,
		`naptr.test. 60 IN NAPTR 5 10 "s" "SIP+D2S" "" _sip._sctp.naptr.test.`,
		`naptr.test. 60 IN NAPTR 5 10 "s" "SIP+D2W" "" _sip._ws.naptr.test.`,
		`_sip._udp.naptr.test. 60 IN SRV 0 0 5070 a.test.`,
		`_sip._tcp.naptr.test. 60 IN SRV 0 0 5071 a.test.`,
		`_sips._tcp.naptr.test. 60 IN SRV 0 0 5072 a.test.`,
		`srv.test. 60 IN A 127.0.0.99`,
		`_sip._udp.srv.test. 60 IN SRV 10 0 5080 a.test.`,
		`_sip._udp.srv.test. 60 IN SRV 20 0 5081 b.test.`,
		`_sip._tcp.srv.test. 60 IN SRV 10 0 5082 b.test.`,
		`_sips._tcp.srv.test. 60 IN SRV 10 0 5083 b.test.`,
		`none.test. 60 IN A 127.0.0.99`,
		`_sip._udp.none.test. 60 IN SRV 0 0 0 .`,
		`bare.test. 60 IN NAPTR 10 10 "s" "SIP+D2T" "" _sip._tcp.bare.test.`,
		`bare.test. 60 IN A 127.0.0.7`,
		`flaga.test. 60 IN NAPTR 10 10 "a" "SIP+D2T" "" a.test.`,
		`a.test. 60 IN A 127.0.0.1`,
		`b.test. 60 IN A 127.0.0.2`,
		`b.test. 60 IN AAAA ::1`,
		`alias.test. 60 IN CNAME alias2.test.`,
		`alias2.test. 60 IN CNAME a.test.`,
		`loop.test. 60 IN CNAME loop2.test.`,
		`loop2.test. 60 IN CNAME loop.test.`,
		`text.test. 60 IN TXT "nothing else"`,
	)
	r := start(t, nil, z.addr)
	f := func(uri, want string) {
		t.Helper()
		if got := locate(t, r, query(uri)); got != want {
			t.Errorf("%s leads to %s, want %s", uri, got, want)
		}
	}
	// RFC 3263 §4.1: NAPTR by order, then preference; another order does not count.
	f("sip:naptr.test", "TCP 127.0.0.1:5071, UDP 127.0.0.1:5070")
	f("sip:NAPTR.test.", "TCP 127.0.0.1:5071, UDP 127.0.0.1:5070")
	f("sips:naptr.test", "TLS 127.0.0.1:5072")
	// A transport or a port given: no NAPTR.
	f("sip:naptr.test;transport=udp", "UDP 127.0.0.1:5070")
	f("sip:naptr.test;transport=tls", "TLS 127.0.0.1:5072")
	f("sips:naptr.test;transport=tcp", "TLS 127.0.0.1:5072")
	f("sips:naptr.test;transport=udp", "nowhere")
	f("sip:srv.test:5090", "UDP 127.0.0.99:5090")
	f("sips:srv.test:5090", "TLS 127.0.0.99:5090")
	f("sip:srv.test:5090;transport=tcp", "TCP 127.0.0.99:5090")
	// No NAPTR: SRV of every transport, ours preferred.
	f("sip:srv.test", "UDP 127.0.0.1:5080, UDP 127.0.0.2:5081, UDP [::1]:5081, TCP 127.0.0.2:5082, TCP [::1]:5082, "+
		"TLS 127.0.0.2:5083, TLS [::1]:5083")
	f("sip:srv.test;transport=tcp", "TCP 127.0.0.2:5082, TCP [::1]:5082")
	f("sip:none.test", "nowhere") // RFC 2782: "." is a decided no
	// NAPTR without SRV behind it: the domain's addresses, by NAPTR's transport (§4.2).
	f("sip:bare.test", "TCP 127.0.0.7:5060")
	f("sip:flaga.test", "TCP 127.0.0.1:5060")
	// Neither: addresses and the default transport.
	f("sip:a.test", "UDP 127.0.0.1:5060")
	f("sips:a.test", "TLS 127.0.0.1:5061")
	f("sip:a.test;transport=ws", "nowhere") // no listener of ours
	f("sip:b.test", "UDP 127.0.0.2:5060, UDP [::1]:5060")
	f("sip:alias.test", "UDP 127.0.0.1:5060")
	f("sip:loop.test", "failed")
	f("sip:text.test", "nowhere")
	f("sip:missing.test", "nowhere")
	f("sip:bad host", "nowhere")
	f("sip:127.0.0.5", "UDP 127.0.0.5:5060")
	f("sips:[::1]:5099", "TLS [::1]:5099")

	// WebSocket has neither NAPTR nor SRV; only a listener.
	ws := query("sip:a.test;transport=ws")
	ws.Protos |= 1 << netio.WS
	if got, want := locate(t, r, ws), "WS 127.0.0.1:80"; got != want {
		t.Errorf("transport=ws leads to %s, want %s", got, want)
	}
	// Only what our listeners can send by.
	g := func(protos uint8, uri, want string) {
		t.Helper()
		q := query(uri)
		q.Protos = protos
		if got := locate(t, r, q); got != want {
			t.Errorf("%s with transports %#x leads to %s, want %s", uri, protos, got, want)
		}
	}
	g(udp, "sip:naptr.test", "UDP 127.0.0.1:5070")
	g(tls, "sip:naptr.test", "TLS 127.0.0.1:5072")
	g(tcp, "sip:srv.test", "TCP 127.0.0.2:5082, TCP [::1]:5082")
	g(tcp, "sip:a.test:5070", "TCP 127.0.0.1:5070")
	g(udp, "sips:naptr.test", "nowhere")
	g(udp, "sip:naptr.test;transport=tcp", "nowhere")
	g(0, "sip:a.test", "nowhere")

	for what, want := range map[string]int{
		"NAPTR a.test.": 1, "SRV _sip._tcp.naptr.test.": 1, "A srv.test.": 1, "NAPTR srv.test.": 1,
		"NAPTR none.test.": 1,
	} {
		if got := z.times(what); got != want {
			t.Errorf("%s was asked %d times, want %d", what, got, want)
		}
	}
}
