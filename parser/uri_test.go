package parser

import "testing"

func TestURIHelpers(t *testing.T) {
	f := func(uri string, port uint16, transport Transport, lr bool) {
		t.Helper()
		var u URI
		if r := ParseURI([]byte(uri), &u); r != OK {
			t.Fatalf("%q: %v", uri, r)
		}
		if u.EffectivePort() != port || u.Transport() != transport || u.LR() != lr {
			t.Errorf("%q: port %d, transport %v, lr %v", uri, u.EffectivePort(), u.Transport(), u.LR())
		}
	}
	f("sip:h", 5060, TransportNone, false)
	f("sips:h", 5061, TransportNone, false)
	f("sip:h:5070;lr", 5070, TransportNone, true)
	f("sip:h;transport=TLS;LR=on", 5061, TLS, true)
	f("sip:h;lrx;xlr=1;transport=udp", 5060, UDP, false)
	f("sip:h;transport=ws", 80, WS, false)
	f("sips:h;transport=ws", 443, WS, false)
	f("sip:h;transport=wss", 443, WSS, false)
	f("sip:user;lr@h", 5060, TransportNone, false)
	f("sip:h;transport=", 5060, TransportNone, false)
	f("sip:h;transport=quic", 5060, TransportOther, false)
}

func TestURIParam(t *testing.T) {
	f := func(uri, name, want string, wantOK bool) {
		t.Helper()
		var u URI
		if r := ParseURI([]byte(uri), &u); r != OK {
			t.Fatalf("%q: %v", uri, r)
		}
		if v, ok := u.Param(name); string(v) != want || ok != wantOK {
			t.Errorf("%q %s: %q, %v", uri, name, v, ok)
		}
	}
	f("sip:h;a=1;B=2;c", "a", "1", true)
	f("sip:h;a=1;B=2;c", "b", "2", true)
	f("sip:h;a=1;B=2;c", "c", "", true)
	f("sip:h;a=1;B=2;c", "d", "", false)
	f("sip:h;;a=1=2", "a", "1=2", true)
	f("sip:h?a=1", "a", "", false)
}

func TestParseURIReasons(t *testing.T) {
	f := func(uri string, want Reason) {
		t.Helper()
		var u URI
		if r := ParseURI([]byte(uri), &u); r != want {
			t.Errorf("%q: %v, want %v", uri, r, want)
		}
	}
	f("", BadURI)
	f("sip", BadURI)
	f("sip:", BadURI)
	f("<sip:a>", BadURI)
	f("1sip:a", BadURI)
	f("sip:@h", BadURIUser)
	f("sip::p@h", BadURIUser)
	f("sip:a b@h", BadURIUser)
	f("sip:a@", BadHost)
	f("sip:a@b@c", BadHost)
	f("sip:h;x=a@b", OK) // the first "@" ends the user part: user "h;x=a", host "b"
	f("sip:[::1", BadHost)
	f("sip:h/", BadHost)
	f("sip:h:", BadPort)
	f("sip:h:65536", BadPort)
	f("sip:h;a b", BadURI)
	f("tel:", BadURI)
	f("x:y z", BadURI)
	f("x:y", OK)
}
