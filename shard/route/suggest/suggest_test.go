package suggest

import "testing"

func TestDidYouMean(t *testing.T) {
	f := func(name, want string, names ...string) {
		t.Helper()
		if want != "" {
			want = "; did you mean " + want + "?"
		}
		if got := DidYouMean(name, names); got != want {
			t.Errorf("%q among %q: %q, want %q", name, names, got, want)
		}
	}
	f("childern", "children", "children", "listen") // neighbours swapped are one mistake
	f("tcpp", "tcp", "tcp", "tls")
	f("tcpxx", "tcp", "tcp", "tls") // two from five letters on
	f("tcxx", "", "tcp", "tls")
	f("tls_certificate", "", "certificate", "private_key") // never more than two
	f("TCP", "tcp", "tcp", "TCPX")                         // case counts less than a letter
	f("tls", "", "tls")                                    // the name itself is no suggestion
	f("ab", "aa", "ac", "aa")                              // a tie: the first in order
	f("", "", "children")
	f("x", "")
}
