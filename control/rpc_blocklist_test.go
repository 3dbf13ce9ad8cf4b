package control

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"viaduct/netio"
	"viaduct/shard/blocklist"
	"viaduct/shm"
)

// blocklistRPC has a table with room for n entries and a clock that stands.
func blocklistRPC(t *testing.T, n int, edit func(*blocklist.Config)) (r *RPC, table *blocklist.Table, clock *int64) {
	t.Helper()
	a, err := shm.Create(shm.Config{Bytes: 8 << 20, Shards: 1, Layout: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	c := blocklist.DefaultConfig()
	c.Use, c.MemBytes = true, n*blocklist.EntryBytes+1
	if edit != nil {
		edit(&c)
	}
	if table, err = blocklist.New(a, c); err != nil {
		t.Fatal(err)
	}
	clock = new(int64)
	*clock = 1_000_000
	r = NewRPC()
	RegisterBlocklist(r, table, func() int64 { return *clock })
	var vars Vars
	vars.Register(BlocklistVars(table)...)
	RegisterVars(r, &vars)
	return r, table, clock
}

func TestBlocklistMethods(t *testing.T) {
	r, table, clock := blocklistRPC(t, 3, nil)
	f := func(line, want string) {
		t.Helper()
		if got := string(r.Call(line)); got != want+"\n" {
			t.Errorf("%q: %s want %s", line, got, want)
		}
	}
	fault := func(line string, code int, want string) {
		t.Helper()
		var got struct{ Error Fault }
		if err := json.Unmarshal(r.Call(line), &got); err != nil || got.Error.Code != code ||
			got.Error.Message != want {
			t.Errorf("%q: %v, want %d - %s", line, &got.Error, code, want)
		}
	}
	f("dst_blocklist.view", `[]`)
	f("dst_blocklist.debug", `[]`)
	f("dst_blocklist.mem_info", `{"max":193,"used":0}`)
	f("dst_blocklist.add 192.0.2.1 5060 1 64", `{}`)
	f("dst_blacklist.add 2001:db8::1 5061 tls 0xC0 30", `{}`)
	f("dst_blocklist.add [2001:db8::2] 5061 0 64", `{}`)
	*clock += 1500
	f("dst_blocklist.debug",
		`["udp","192.0.2.1",5060,59,64,"tls","2001:db8::1",5061,"permanent",193,"any","2001:db8::2",5061,59,65]`)
	f("dst_blocklist.view", `[`+
		`{"protocol":"udp","ip":"192.0.2.1","port":5060,"expires in `+
		`(s)":59,"flags":64,"reasons":"prohibited","owner":"rpc","listed for `+
		`(s)":1},{"protocol":"tls","ip":"2001:db8::1","port":5061,"expires in `+
		`(s)":"permanent","flags":193,"reasons":"ipv6,prohibited,permanent","owner":"rpc","listed for `+
		`(s)":1},{"protocol":"any","ip":"2001:db8::2","port":5061,"expires in `+
		`(s)":59,"flags":65,"reasons":"ipv6,prohibited","owner":"rpc","listed for (s)":1}]`)
	f("dst_blocklist.mem_info", `{"max":193,"used":192}`)
	fault("dst_blocklist.add 192.0.2.4 5060 1 64", 400, "Failed to add the entry to the blocklist")
	fault("dst_blocklist.add 192.0.2.4 5060 4 64", 400, "Unknown protocol")
	fault("dst_blocklist.add 192.0.2.4 5060 5 64", 400, "Unknown protocol")
	fault("dst_blocklist.add 192.0.2.4 5060 sctp 64", 400, "Unknown protocol")
	fault("dst_blocklist.add 192.0.2.4 5060 -1 64", 400, "Unknown protocol")
	fault("dst_blocklist.add example.org 5060 1 64", 400, "Malformed ip address")
	fault("dst_blocklist.add [] 5060 1 64", 400, "Malformed ip address")
	fault("dst_blocklist.add 192.0.2.4 65536 1 64", 400, "port 65536 is out of range, 1 to 65535, or 0 for all")
	fault("dst_blocklist.add 192.0.2.4 5060 1 256", 400,
		"flags 256 are out of range, 1 to 255: 64 lists by your order, 128 more makes it permanent")
	fault("dst_blocklist.add 192.0.2.4 5060 1 64 0", 400, "ttl 0 is out of range, 1 to 2073600 seconds")
	fault("dst_blocklist.add 192.0.2.4 5060 1", 400,
		"flags is missing; usage: dst_blocklist.add ip port proto flags [ttl]")
	fault("dst_blocklist.delete 192.0.2.1 5060 tcp", 404, "there is no entry tcp 192.0.2.1:5060")
	f("dst_blocklist.delete 192.0.2.1 5060 UDP", `{}`)
	fault("dst_blocklist.delete 192.0.2.1 5060 udp", 404, "there is no entry udp 192.0.2.1:5060")
	f("dst_blocklist.delete_all", `{"deleted":1}`)
	f("dst_blocklist.mem_info", `{"max":193,"used":64}`)

	// Addresses and networks at every port.
	f("dst_blocklist.add 198.51.100.7 0 any 64 10", `{}`)
	f("dst_blocklist.add 2001:db8:1::/48 0 tls 192", `{}`)
	f("dst_blocklist.add ::ffff:203.0.113.0/120 5060 udp 64", `{}`)
	f("dst_blocklist.debug",
		`["tls","2001:db8::1",5061,"permanent",193,"any","198.51.100.7",0,10,64,"tls","2001:db8:1::/48",0,"permanent",193,"udp","203.0.113.0/24",5060,60,64]`)
	inside := netio.Addr{IP: [16]byte{198, 51, 100, 7}, Family: 4, Port: 5080}
	if !table.Listed(netio.TCP, &inside, *clock) {
		t.Error("a port of a listed address is not listed")
	}
	fault("dst_blocklist.add 203.0.113.1/24 5060 udp 64", 400,
		"203.0.113.1/24 has bits behind its prefix: write 203.0.113.0/24")
	fault("dst_blocklist.add 203.0.113.0/33 5060 udp 64", 400, "Malformed ip address")
	fault("dst_blocklist.add 203.0.113.0 -1 udp 64", 400, "port -1 is out of range, 1 to 65535, or 0 for all")
	fault("dst_blocklist.delete 203.0.113.0/24 0 udp", 404, "there is no entry udp 203.0.113.0/24 port 0")
	fault("dst_blocklist.delete 203.0.113.0 0 udp", 404, "there is no entry udp 203.0.113.0 port 0")
	f("dst_blocklist.delete 203.0.113.0/24 5060 udp", `{}`)
	f("dst_blocklist.delete_all", `{"deleted":1}`)
	f("dst_blocklist.delete 2001:db8:1::/48 0 tls", `{}`)
	for i := range blocklist.MaxNetworks {
		f(fmt.Sprintf("dst_blocklist.add 10.%d.0.0/16 0 any 64", i), `{}`)
	}
	fault("dst_blocklist.add 10.99.0.0/16 0 any 64", 400,
		"Failed to add the entry to the blocklist: it takes 64 networks")
	f("dst_blocklist.delete_all", `{"deleted":64}`)
	f("dst_blocklist.stats_get bkl_hit_cnt 1", `{"bkl_hit_cnt":1}`)

	x := netio.Addr{IP: [16]byte{0x20, 1, 0xd, 0xb8, 15: 1}, Family: 6, Port: 5061}
	if !table.Listed(netio.TLS, &x, *clock) {
		t.Error("the permanent entry is gone")
	}
	f("dst_blocklist.stats_get bkl_hit_cnt 1", `{"bkl_hit_cnt":1}`)
	f("dst_blocklist.stats_get bkl_hit_cnt", `{"bkl_hit_cnt":0}`)
	if got := string(r.Call("dst_blocklist.stats_get bkl_all_stats 0")); !strings.Contains(got, `"bkl_lru_cnt":1`) {
		t.Error(got)
	}
	fault("dst_blocklist.stats_get bkl_hit_cn", 400, `there is no counter "bkl_hit_cn"; did you mean bkl_hit_cnt?`)

	f("cfg.set_now_int core use_dst_blacklist 0", `{}`)
	for _, m := range r.Names() {
		if strings.HasPrefix(m, "dst_blocklist.") {
			args := map[string]string{
				"dst_blocklist.add": " 192.0.2.1 1 1 64", "dst_blocklist.delete": " 192.0.2.1 1 1",
				"dst_blocklist.stats_get": " bkl_hit_cnt 0",
			}[m]
			fault(m+args, 500, "dst blocklist support disabled")
			fault(strings.Replace(m, "block", "black", 1)+args, 500, "dst blocklist support disabled")
		}
	}
	none := NewRPC()
	RegisterBlocklist(none, nil, nil)
	if got := string(none.Call("dst_blocklist.view")); !strings.Contains(got, "dst blocklist support disabled") {
		t.Error(got)
	}
}

// A view of more than viewRecords says where to go on, and the pages together are the list.
func TestBlocklistViewGoesOn(t *testing.T) {
	const n = viewRecords + 500
	r, table, clock := blocklistRPC(t, n, nil)
	a := netio.Addr{Family: 4, IP: [16]byte{192, 0, 2, 1}}
	for i := range n {
		a.Port = uint16(i + 1)
		if v := table.Add(netio.UDP, &a, blocklist.Cause{Reasons: blocklist.Timeout}, *clock); v != blocklist.Added {
			t.Fatal(v)
		}
	}
	seen := map[float64]bool{}
	line := "dst_blocklist.view"
	for range 2 {
		var records []map[string]any
		if err := json.Unmarshal(r.Call(line), &records); err != nil {
			t.Fatal(err)
		}
		for _, rec := range records {
			if next, ok := rec["next"]; ok {
				line = "dst_blocklist.view " + string(mustJSON(t, next))
				continue
			}
			seen[rec["port"].(float64)] = true
		}
	}
	if len(seen) != n {
		t.Errorf("%d of %d entries seen, last asked %q", len(seen), n, line)
	}
	var flat []any
	if err := json.Unmarshal(r.Call("dst_blocklist.debug"), &flat); err != nil || len(flat) < 5*viewRecords ||
		flat[len(flat)-1] != "more" {
		t.Errorf("%v, %d words", err, len(flat))
	}
	if got := string(r.Call("dst_blocklist.view -1")); !strings.Contains(got, "cursor -1 is none") {
		t.Error(got)
	}
	if got := string(r.Call("dst_blocklist.view 2000000000")); got != "[]\n" {
		t.Error(got)
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBlocklistVars(t *testing.T) {
	r, table, _ := blocklistRPC(t, 5000, nil)
	f := func(line, want string) {
		t.Helper()
		if got := string(r.Call(line)); got != want+"\n" {
			t.Errorf("%q: %s want %s", line, got, want)
		}
	}
	f("cfg.get core dst_blacklist_ttl", `60`)
	f("cfg.set_now_int core dst_blocklist_expire 5", `{}`)
	f("cfg.get core dst_blacklist_expire", `5`)
	f("cfg.set_now_int core dst_blacklist_udp_imask 16", `{}`)
	f("cfg.set_now_int core dst_blocklist_icmp 1", `{}`)
	f("cfg.set_now_int core dst_blocklist_mem 100", `{}`)
	f("cfg.set_now_int tm blst_503 1", `{}`)
	f("cfg.set_now_int tm blst_503_min_timeout 30", `{}`)
	f("cfg.get tm blst_methods_lookup", `4294967287`)
	f("cfg.set_now_int tm blst_methods_add 3", `{}`)
	c := table.Settings()
	if c.Expire.Seconds() != 5 || c.IMask[netio.UDP] != 16 || !c.ICMP || c.MemBytes != 100<<10 || !c.Use503 ||
		c.Min503.Seconds() != 30 || c.MethodsAdd != 3 {
		t.Errorf("%+v", c)
	}
	f("cfg.set_now_int core dst_blocklist_mem 400",
		`{"error":{"code":400,"message":"dst_blocklist_mem can be raised up to the 320001 bytes of the start only; `+
			`restart with more"}}`)
	f("cfg.set_now_int core dst_blocklist_init 0",
		`{"error":{"code":400,"message":"core.dst_blocklist_init is read-only: it is fixed at start"}}`)
	f("cfg.set_now_int tm blst_503_max_timeout 20",
		`{"error":{"code":400,"message":"blst_503_min_timeout 30s is above blst_503_max_timeout 20s: write at most `+
			`that"}}`)

	off, _, _ := blocklistRPC(t, 3, func(c *blocklist.Config) { c.Init, c.Use = false, false })
	got := string(off.Call("cfg.set_now_int core use_dst_blocklist 1"))
	if want := `{"error":{"code":400,"message":"dst blocklist is turned off by dst_blocklist_init=0, it cannot be ` +
		`enabled runtime."}}` + "\n"; got != want {
		t.Errorf("%s want %s", got, want)
	}
}
