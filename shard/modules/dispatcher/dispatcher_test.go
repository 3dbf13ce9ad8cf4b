package dispatcher

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"viaduct/shard/balance"
	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/modules/textops"
	"viaduct/shard/modules/tm"
	"viaduct/shard/route"
)

// destinations are what the tests choose from.
const destinations = "1 sip:127.0.0.1:15998 0 9 duid=a;x=1\n" +
	"1 sip:127.0.0.2:7000 0 5 duid=b\n" +
	"2 sip:127.0.0.1:7000;transport=tcp 0 3\n" +
	"3 sip:127.0.0.3:7000 1 3 y=2\n" +
	"4 sip:127.0.0.1:15998;transport=tcp 0 0 z=4\n" +
	"5 sip:127.0.0.5:7000 0 1 rweight=1\n5 sip:127.0.0.6:7000 0 1 rweight=3\n" +
	"6 sip:127.0.0.7:7000 0 30 latency=21\n6 sip:127.0.0.8:7000 0 30 latency=91\n" +
	"7 sip:127.0.0.9\n" +
	"8 sip:user@127.0.0.10:7000;transport=udp;x=1 0 0\n"

func bench(t *testing.T, head string) *moduletest.Bench {
	t.Helper()
	file := filepath.Join(t.TempDir(), "dispatcher.list")
	if err := os.WriteFile(file, []byte(destinations), 0o644); err != nil {
		t.Fatal(err)
	}
	b := moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "textops", Define: textops.Define},
		route.Declared{Name: "dispatcher", Define: Define})
	b.Head = "modparam(\"dispatcher\", \"list_file\", \"" + file + "\")\n" +
		"modparam(\"dispatcher\", \"flags\", 2)\n" + head
	table, err := balance.Parse("list", []byte(destinations), balance.Config{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Core.SetTargets(table)
	return b
}

// TestWire holds what the functions give and do against the files in testdata.
func TestWire(t *testing.T) {
	bench(t, "modparam(\"dispatcher\", \"setid_pvname\", \"$var(set)\")\n"+
		"modparam(\"dispatcher\", \"attrs_pvname\", \"$var(attrs)\")\n").Wire("testdata/from_list.txt")
	bench(t, "modparam(\"dispatcher\", \"xavp_dst\", \"_dsdst_\")\n"+
		"modparam(\"dispatcher\", \"hash_pvar\", \"$fU\")\n").Wire("testdata/select.txt")
	bench(t, "modparam(\"dispatcher\", \"force_dst\", 0)\n").Wire("testdata/keep.txt")
	bench(t, "modparam(\"dispatcher\", \"flags\", 0)\nmodparam(\"dispatcher\", \"xavp_dst\", \"_dsdst_\")\n").
		Wire("testdata/no_failover.txt")
}

// TestSource looks for where the message came from, 127.0.0.1:15998 by UDP.
func TestSource(t *testing.T) {
	b := bench(t, "")
	f := func(call, want string) {
		t.Helper()
		if got := b.Value("$var(r) = "+call+";", "$var(r)"); got != want {
			t.Errorf("%s is %s, want %s", call, got, want)
		}
	}
	f("ds_is_from_list()", "1")
	f(`ds_is_from_list("1")`, "1")
	f(`ds_is_from_list("2")`, "-1")
	f(`ds_is_from_list("2", "3")`, "1")
	f(`ds_is_from_list("4")`, "1")
	f(`ds_is_from_list("4", "0")`, "-1")
	f(`ds_is_from_list("4", "2")`, "1")
}

// TestShares draws by each algorithm that takes turns or chances.
func TestShares(t *testing.T) {
	b := bench(t, "")
	f := func(algorithm, want string) {
		t.Helper()
		body := "$var(n) = 0; $var(i) = 0; while ($var(i) < 80) { $du = $null; ds_select_dst(" +
			algorithm + "); if ($du == \"sip:127.0.0.6:7000\" || $du == \"sip:127.0.0.7:7000\") $var(n) = $var(n) + 1;" +
			" $var(i) = $var(i) + 1; }"
		if got := b.Value(body, "$var(n)"); got != want {
			t.Errorf("algorithm %s gives %s of 80, want %s", algorithm, got, want)
		}
	}
	f(`"5", "11"`, "60")
	f(`"6", "13"`, "80")
	f(`"5", "4"`, "40")
}

// TestParallel sends to all of a set.
func TestParallel(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "dispatcher", Define: Define},
		route.Declared{Name: "tm", Define: tm.Define})
	table, err := balance.Parse("list", []byte("1 sip:127.0.0.1:7000 0 3\n"+
		"1 sip:127.0.0.1:7001 0 2\n1 sip:127.0.0.1:7002 1 1\n"), balance.Config{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Core.SetTargets(table)
	b.Run(`ds_select_dst("1", "12"); t_relay();`)
	var to []string
	for _, s := range b.Sent {
		if s.To.Port >= 7000 && s.To.Port < 8000 {
			to = append(to, s.To.String())
		}
	}
	if fmt.Sprint(to) != "[127.0.0.1:7000 127.0.0.1:7001]" {
		t.Errorf("sent to %v", to)
	}
}

// TestCallLoad gives calls to the destination that has the fewest, until all are full.
func TestCallLoad(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "dispatcher", Define: Define})
	b.Head = "modparam(\"dispatcher\", \"flags\", 2)\nmodparam(\"dispatcher\", \"ds_hash_size\", 4)\n"
	table, err := balance.Parse("list", []byte("1 sip:127.0.0.1:7000 0 3 duid=a;maxload=2\n"+
		"1 sip:127.0.0.1:7001 0 2 duid=b;maxload=1\n"), balance.Config{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Core.SetTargets(table)
	p, _, err := b.Load(`request_route { if (method == "BYE") ds_load_update(); ` +
		`else if ($ci =~ "next") { ds_select_dst("1", "10"); ds_next_dst(); } else ds_select_dst("1", "10"); }`)
	if err != nil {
		t.Fatal(err)
	}
	f := func(method, call, want string) {
		t.Helper()
		text := strings.NewReplacer("INVITE", method, "cid-1@x", call).Replace(moduletest.Request)
		b.Message(text)
		r := b.Begin(b.Msg(), b.Source())
		p.Request(b.Ctx, r)
		loads := ""
		for _, t := range table.Targets() {
			loads += fmt.Sprint(" ", t.Load())
		}
		if got := string(r.DstURI()) + loads; got != want {
			t.Errorf("%s of %s: %s, want %s", method, call, got, want)
		}
	}
	f("INVITE", "one", "sip:127.0.0.1:7000 1 0")
	f("INVITE", "two", "sip:127.0.0.1:7001 1 1")
	f("INVITE", "three", "sip:127.0.0.1:7000 2 1")
	f("INVITE", "four", " 2 1")
	f("BYE", "two", " 2 0")
	f("BYE", "two", " 2 0")
	f("INVITE", "four", "sip:127.0.0.1:7001 2 1")
	f("BYE", "one", " 1 1")
	f("BYE", "four", " 1 0")
	f("INVITE", "next", "sip:127.0.0.1:7000 2 0")
	f("BYE", "three", " 1 0")
}
