package ipops

import (
	"context"
	"errors"
	"testing"

	"viaduct/shard/ask"
	"viaduct/shard/route"
)

// zone is names and their records.
type zone map[string][]string

func (z zone) Records(_ context.Context, name, typ string) ([]string, error) {
	if name == "down.example.com" {
		return nil, errors.New("no server answers")
	}
	return z[typ+" "+name], nil
}

// lookUp asks a service and reads its answer.
func lookUp(t *testing.T, records route.Records, kind byte, name string) (*result, error) {
	t.Helper()
	posted := make(chan uint32, 1)
	u := ask.NewQueue(1, func(slot uint32, _ uint64) { posted <- slot })
	s := &lookups{records: records, slots: make(chan struct{}, 1)}
	var q ask.Question
	q.Reset()
	s.ask(&q, kind, []byte(name))
	number := u.Number()
	if err := u.Send(&q, number, ask.Waiter{}); err != nil {
		return nil, err
	}
	a := u.Answered(<-posted, number)
	r := &result{}
	r.read(kind, &a.Answer)
	return r, a.Answer.Err
}

func TestLookUp(t *testing.T) {
	z := zone{
		"A a.example.com": {"192.0.2.1", "192.0.2.2"}, "AAAA a.example.com": {"2001:db8::1"},
		"SRV _sip._udp.example.com": {"20 0 5062 c.example.com", "10 60 5060 a.example.com",
			"10 0 5061 b.example.com"},
		"NAPTR example.com": {`50 60 "s" "SIP+D2U" "" _sip._udp.example.com`,
			`50 50 "s" "SIP+D2T" "!a b!" _sip._tcp.example.com`},
	}
	f := func(kind byte, name, key string, i int, want string) {
		t.Helper()
		r, err := lookUp(t, z, kind, name)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(fields[string(kind)+key](r, i).Append(nil)); got != want {
			t.Errorf("%s: %s[%d] is %q, want %q", name, key, i, got, want)
		}
	}
	f('D', "a.example.com", "count", 0, "3")
	f('D', "a.example.com.", "addr", 1, "192.0.2.2")
	f('D', "a.example.com", "type", 2, "6")
	f('D', "a.example.com", "ipv6", 0, "1")
	f('D', "none.example.com", "count", 0, "0")
	f('D', "none.example.com", "addr", 0, "")
	f('S', "_sip._udp.example.com", "count", 0, "3")
	f('S', "_sip._udp.example.com", "target", 2, "c.example.com")
	f('S', "_sip._udp.example.com", "priority", 0, "10")
	f('S', "_sip._udp.example.com", "port", 2, "5062")
	f('N', "example.com", "pref", 0, "50")
	f('N', "example.com", "regex", 0, "!a b!")
	f('N', "example.com", "replace", 1, "_sip._udp.example.com")
	if _, err := lookUp(t, z, 'D', "down.example.com"); err == nil {
		t.Error("servers that do not answer are no error")
	}
	if _, err := lookUp(t, nil, 'D', "a.example.com"); err != ask.ErrOverloaded {
		t.Errorf("without a resolver: %v", err)
	}
}

// TestByWeight: a record with all of the weight comes first, and each is there once.
func TestByWeight(t *testing.T) {
	for range 50 {
		list := []record{{number: [4]int64{1, 0, 1}}, {number: [4]int64{1, 1000, 2}},
			{number: [4]int64{1, 0, 3}}}
		byWeight(list)
		sum := list[0].number[2] + list[1].number[2] + list[2].number[2]
		if sum != 6 {
			t.Fatalf("%v", list)
		}
	}
}

func TestQueryAddress(t *testing.T) {
	b := bench(t)
	f := func(before, x, want string) {
		t.Helper()
		if got := b.Value(before, x); got != want {
			t.Errorf("%s %s is %s, want %s", before, x, got, want)
		}
	}
	f(`dns_query("1.2.3.4", "x");`, `$dns(x=>addr)`, "'1.2.3.4'")
	f(`dns_query("1.2.3.4", "x");`, `$dns(x=>addr[-1])`, "'1.2.3.4'")
	f(`dns_query("1.2.3.4", "x");`, `$dns(x=>count)`, "1")
	f(`dns_query("::1", "x");`, `$dns(x=>type[0])`, "6")
	f(`dns_query("::1", "x");`, `$dns(x=>ipv4)`, "0")
	f(``, `$dns(y=>count)`, "null")
	f(``, `dns_sys_match_ip("127.0.0.1", "127.0.0.1")`, "1")
	f(``, `dns_sys_match_ip("localhost", "x")`, "-3")
	b.Fails(`see($dns(x=>foo));`, `$dns(x=>foo): write $dns(id=>key), where the key is one of `+
		`count, ipv4 and ipv6 (whether there are such), addr[i], type[i] (4 or 6)`)
}
