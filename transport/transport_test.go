package transport

import (
	"strings"
	"testing"
)

// Each transport is found by its words in any case of letters, and its rows agree.
func TestNames(t *testing.T) {
	for p := UDP; p <= TLSSCTP; p++ {
		name := p.String()
		for _, word := range []string{name, strings.ToLower(name), name[:1] + strings.ToLower(name[1:])} {
			if got := Of([]byte(word)); got != p {
				t.Errorf("%s is %v", word, got)
			}
			if got, ok := Named(word); ok != (p != TLSSCTP) || ok && got != p {
				t.Errorf("%s in a configuration is %v, %v", word, got, ok)
			}
		}
		if string(p.Upper()) != name || string(p.Lower()) != strings.ToLower(name) {
			t.Errorf("%s is %s and %s", name, p.Upper(), p.Lower())
		}
		want := ";transport=" + strings.ToLower(name)
		if p == UDP {
			want = ""
		}
		if got := string(p.Param()); got != want {
			t.Errorf("%s has the parameter %q", name, got)
		}
		if p.DefaultPort() == 0 {
			t.Errorf("%s has no port", name)
		}
	}
	f := func(word string, want Proto) {
		t.Helper()
		if got := Of([]byte(word)); got != want {
			t.Errorf("%q is %v, want %v", word, got, want)
		}
		if p, ok := Named(word); ok || p != None {
			t.Errorf("%q is %v in a configuration", word, p)
		}
	}
	f("", None)
	f("*", Other)
	f("udq", Other)
	f("udp4", Other)
	f("T\x03P", Other)
	f("t\x00s", Other)
	f("TLS-TCP", Other)
	f("tls\rsctp", Other)
}

// Records in the arena hold the numbers, and a zero address is UDP's.
func TestNumbers(t *testing.T) {
	for i, p := range []Proto{UDP, TCP, TLS, WS, WSS} {
		if int(p) != i || !p.Served() {
			t.Errorf("%v is %d, want %d", p, p, i)
		}
	}
	for _, p := range []Proto{SCTP, TLSSCTP, Other, None} {
		if p.Served() || int(p) < NumServed {
			t.Errorf("%v is served", p)
		}
	}
}
