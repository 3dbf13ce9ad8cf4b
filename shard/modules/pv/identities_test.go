package pv_test

import (
	"strings"
	"testing"

	"viaduct/shard/modules/moduletest"
)

// TestIdentities: what headers say of who somebody is.
func TestIdentities(t *testing.T) {
	b := bench(t)
	b.Message(strings.Replace(moduletest.Request, "X-Foo: one\r\n",
		`Proxy-Authorization: Digest username="al\"ice@a.org", `+
			"realm=\"r\", algorithm=MD5, uri=\"sip:x;y,z\"\r\n"+
			"P-Asserted-Identity: \"B, C\" <sip:b@c>, <tel:+1>\r\nP-Preferred-Identity: \"P\" "+
			"<sip:p@q.example.com>\r\n",
		1))
	f := func(name, want string) {
		t.Helper()
		if got := b.Value("", name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	f("$aU", `'al\"ice@a.org'`)
	f("$au", `'al\"ice'`)
	f("$ad", "'a.org'")
	f("$ar", "'r'")
	f("$aa", "'MD5'")
	f("$adu", "'sip:x;y,z'")
	f("$ai", "'sip:b@c'")
	f("$pu", "'sip:p@q.example.com'")
	f("$pU", "'p'")
	f("$pd", "'q.example.com'")
	f("$re", "null")
	f("$hdrc(x-foo)", "1")
}
