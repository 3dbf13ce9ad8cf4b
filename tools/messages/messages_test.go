package messages

import (
	"slices"
	"strings"
	"testing"
)

var env = Env{Proxy: "127.0.0.1:5060", Caller: "127.0.0.1:6000", Callee: "127.0.0.1:7000", ID: "t1"}

// TestReadGivesWhatWasMade: the plain reader finds each row and value of what the maker says it
// made, and a seed makes the same message again.
func TestReadGivesWhatWasMade(t *testing.T) {
	kinds := map[string]int{}
	for seed := range uint64(3000) {
		src := FromSeed(seed)
		method := Methods[seed%uint64(len(Methods))]
		m := Request(src, env, method, seed%2 == 1)
		if again := Request(FromSeed(seed), env, method, seed%2 == 1); string(again.Bytes()) != string(m.Bytes()) {
			t.Fatalf("seed %d makes two messages:\n%s\n%s", seed, m.Bytes(), again.Bytes())
		}
		same(t, m)
		same(t, Response(src, env, m, 200, "x"))
		for _, r := range m.Rows {
			kinds[r.Header]++
			if strings.Contains(r.Line, "\r\n ") {
				kinds["fold"]++
			}
			if len(r.Name) == 1 {
				kinds["compact"]++
			}
			if len(r.Values) > 1 {
				kinds["joined"]++
			}
		}
	}
	for _, k := range []string{"Via", "Route", "Record-Route", "Contact", "fold", "compact", "joined", "Max-Forwards"} {
		if kinds[k] < 100 {
			t.Errorf("only %d of %s in 3000 messages", kinds[k], k)
		}
	}
}

func same(t *testing.T, m *Message) {
	t.Helper()
	got := Read(m.Bytes())
	if got.Start != m.Start || got.Body != m.Body || got.Status != m.Status || got.Method != m.Method ||
		got.URI != m.URI || len(got.Rows) != len(m.Rows) {
		t.Fatalf("read as %+v:\n%q", got, m.Bytes())
	}
	for i, w := range m.Rows {
		r := got.Rows[i]
		if !lists[w.Header] {
			w.Values = []string{strings.Join(w.Values, ", ")}
			r.Values = []string{strings.Join(strings.Fields(strings.ReplaceAll(r.Values[0], ",", " , ")), " ")}
			w.Values[0] = strings.Join(strings.Fields(strings.ReplaceAll(w.Values[0], ",", " , ")), " ")
		}
		if r.Line != w.Line || r.Name != w.Name || !strings.EqualFold(r.Header, w.Header) ||
			!slices.Equal(r.Values, w.Values) {
			t.Fatalf("row read as %+v, made as %+v", r, w)
		}
	}
}

// TestParams: parameters are taken apart around quotes and brackets.
func TestParams(t *testing.T) {
	f := func(value string, want ...string) {
		t.Helper()
		if got := Params(value); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", value, got, want)
		}
	}
	f("SIP/2.0/UDP h")
	f("SIP/2.0/UDP h ; a = b;\r\n c", "a=b", "c")
	f(`"x;y" <sip:a;b>;tag="1;\"2"`, `tag="1;\"2"`)
}
