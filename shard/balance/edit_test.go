package balance

import (
	"strings"
	"testing"
)

// TestKamailioHash: numbers that Kamailio 5.6.3 gave to dispatcher.hash.
func TestKamailioHash(t *testing.T) {
	for _, c := range []struct {
		want  uint32
		parts []string
	}{
		{1442294598, []string{"alice", "example.com"}},
		{1834153949, []string{"alice"}},
		{219, []string{"a", "b"}},
		{721547707, []string{"sip:alice@example.com"}},
		{1848546155, []string{"abcdefg", "hij"}},
	} {
		if got := KamailioHash(c.parts...); got != c.want {
			t.Errorf("%v is %d, want %d", c.parts, got, c.want)
		}
	}
}

func TestAddAndRemove(t *testing.T) {
	for _, file := range []string{"1 sip:127.0.0.1:7000\n", "# none\n1 sip:127.0.0.1:7000 # one", ""} {
		first, err := Parse("list", []byte(file), Config{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		was := len(first.Targets())
		if was > 0 {
			first.Targets()[0].SetState(Disabled, 5)
		}
		more, err := first.Add(3, "sip:127.0.0.1:7001", 8, 7, "weight=5;duid=x")
		if err != nil {
			t.Fatal(err)
		}
		d := more.Set(3).Targets[0]
		if d.URI != "sip:127.0.0.1:7001" || d.Priority != 7 || d.State() != Probing || d.Attrs.DUID != "x" ||
			d.Attrs.Weight != 5 || len(more.Targets()) != was+1 || len(first.Targets()) != was {
			t.Errorf("added %+v to %q", d, file)
		}
		if was > 0 && more.Set(1).Targets[0].State() != Disabled {
			t.Error("the first destination has lost its state")
		}
		for _, bad := range []struct{ uri, attrs, want string }{
			{"", "", "empty"}, {"sip:a\n2 sip:b", "", "the end of a line"}, {"sip:127.0.0.1:7", "a\n1 sip:b", "end"},
			{"bogus", "", "bogus"}, {"sip:127.0.0.1:7001", "", "already"}, {"sip:127.0.0.1:7 8", "", "blank"},
		} {
			if _, err := more.Add(3, bad.uri, 0, 0, bad.attrs); err == nil || !strings.Contains(err.Error(), bad.want) {
				t.Errorf("%+v: %v", bad, err)
			}
		}
		less, n, err := more.Remove(3, "sip:127.0.0.1:7001")
		if err != nil || n != 1 || less.Set(3) != nil || len(less.Targets()) != was {
			t.Errorf("removed %d: %v", n, err)
		}
		again, err := less.Add(3, "sip:127.0.0.1:7001", 0, 0, "")
		if err != nil || again.Set(3).Targets[0].UID != d.UID {
			t.Errorf("added again: %v", err)
		}
		if same, n, err := less.Remove(3, "sip:127.0.0.1:7001"); same != less || n != 0 || err != nil {
			t.Errorf("removed %d of none: %v", n, err)
		}
	}
}
