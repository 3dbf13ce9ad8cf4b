package shard

import (
	"fmt"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"viaduct/netio"
	"viaduct/shard/modules"
	"viaduct/shard/route"
	"viaduct/shm"
	"viaduct/shm/table"
)

// TestWaitForWalks has the functions that look at every entry of a table go through a large one: the
// run waits, and the one shard answers others meanwhile.
func TestWaitForWalks(t *testing.T) {
	const entries = 300_000
	p, set, _, err := route.Load("x.cfg", fmt.Appendf(nil, `loadmodule "htable.so" loadmodule "pv.so"
loadmodule "sl.so" loadmodule "textops.so"
modparam("htable", "htable", "t=>entries=%d")
request_route {
	if (is_method("OPTIONS")) { sl_send_reply("200", "Here"); exit; }
	switch ($rU) {
	case "found": $var(r) = sht_match_name("t", "re", "^key%[2]d$$"); break;
	case "none": $var(r) = sht_match_str_value("t", "re", "^no such text$$"); break;
	case "odd": $var(r) = sht_rm_name_re("t=>[13579]$$"); break;
	case "texts": $var(r) = sht_rm_value("t", "sw", "a text of 1"); break;
	case "all": $var(r) = sht_reset("t"); break;
	}
	$var(left) = $shtcn(t=>**);
	send_reply("480", "$var(r), $var(left) left");
}`, entries, entries-1), route.Options{Modules: modules.All})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Start(Config{Shards: 1, Program: p, Settings: set, Steer: netio.SteerOff,
		Listens: []netio.ListenConfig{{Addr: netip.MustParseAddrPort("127.0.0.1:0")}},
		Arena:   shm.Config{Bytes: 192 << 20}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	kept, err := s.state.Table("htable/t", table.Config{Entries: entries, MaxKey: table.MaxKey,
		MaxValue: table.MaxValue})
	if err != nil {
		t.Fatal(err)
	}
	for i := range entries {
		if v := kept.Put(fmt.Appendf(nil, "key%d", i), table.String(fmt.Appendf(nil, "a text of %d", i%1000)),
			table.Terms{}, 0); v != table.Done {
			t.Fatal(v)
		}
	}
	server := s.Listeners()[0].Addr.String()
	asks, pings := dialed(t, server), dialed(t, server)
	f := func(user, want string, while int) {
		t.Helper()
		answer := make(chan string, 1)
		asks.send("MESSAGE", user)
		go func() { answer <- asks.final() }()
		for n := 0; ; n++ {
			select {
			case got := <-answer:
				if got != "480 "+want {
					t.Errorf("%s is answered %q, want %q", user, got, want)
				}
				if n < while {
					t.Errorf("%s: %d requests were answered meanwhile, want %d at least", user, n, while)
				}
				return
			default:
				pings.send("OPTIONS", "x")
				pings.final()
			}
		}
	}
	began := time.Now()
	f("none", "-1, 300000 left", 10)
	t.Logf("to look at %d entries takes %s", entries, time.Since(began))
	f("found", "1, 300000 left", 0)
	f("odd", "1, 150000 left", 10)
	// Of the even ones those that end in 100 to 198, in 10 to 18: 50 and 5 of a thousand.
	f("texts", "1, 133500 left", 5)
	f("all", "1, 0 left", 0)
	f("none", "-1, 0 left", 0)
}
