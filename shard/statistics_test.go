package shard

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"viaduct/netio/stream"
	"viaduct/parser"
	"viaduct/shard/route"
	"viaduct/shm"
)

// TestStatisticNames holds shard/route/statistics.txt to what is read here.
func TestStatisticNames(t *testing.T) {
	var names []string
	for i := range Statistics {
		names = append(names, Statistics[i].Name)
	}
	slices.Sort(names)
	if *update {
		text := strings.Join(names, "\n") + "\n"
		if err := os.WriteFile("route/statistics.txt", []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !slices.Equal(names, route.StatisticNames()) {
		t.Errorf("route/statistics.txt has %q; go test ./shard -run StatisticNames -update",
			route.StatisticNames())
	}
	if len(slices.Compact(names)) != len(Statistics) {
		t.Error("two statistics have one name")
	}
}

// TestStatistics: each message counts as what it is, and reading a statistic costs no heap.
func TestStatistics(t *testing.T) {
	arena, err := shm.Create(shm.Config{Bytes: 8 << 20, Shards: 2, Layout: Layout()})
	if err != nil {
		t.Fatal(err)
	}
	defer arena.Close()
	w := &worker{count: arena.Counters(1)}
	sh := &shared{figures: &figures{arena, 2, func() *stream.Engine { return nil }}}
	first := func(line, method string) {
		t.Helper()
		text := line + "\r\nCSeq: 1 " + method + "\r\n\r\n"
		if r := w.m.Parse([]byte(text)); r != parser.OK {
			t.Fatalf("%s: %v", line, r)
		}
		if w.m.IsRequest {
			w.countRequest()
		} else {
			w.countReply()
		}
	}
	first("INVITE sip:a@b SIP/2.0", "INVITE")
	first("OPTIONS sip:a@b SIP/2.0", "OPTIONS")
	first("FOO sip:a@b SIP/2.0", "FOO")
	first("SIP/2.0 183 Session Progress", "INVITE")
	first("SIP/2.0 200 OK", "OPTIONS")
	first("SIP/2.0 486 Busy Here", "INVITE")
	first("SIP/2.0 699 Never", "UPDATE")
	for _, line := range strings.Fields(`rcv_requests=3 rcv_requests_invite=1 rcv_requests_options=1
		rcv_requests_bye=0 unsupported_methods=1 rcv_replies=4 rcv_replies_1xx=1 rcv_replies_18x=1
		rcv_replies_1xx_invite=1 rcv_replies_2xx=1 rcv_replies_2xx_invite=0 rcv_replies_486=1
		rcv_replies_4xx_invite=1 rcv_replies_404=0 rcv_replies_6xx_update=1 established=0 fragments=0`) {
		name, want, _ := strings.Cut(line, "=")
		n, ok := sh.statistic([]byte(name))
		if !ok || strconv.FormatUint(n, 10) != want {
			t.Errorf("%s is %d (%v), want %s", name, n, ok, want)
		}
	}
	if _, ok := sh.statistic([]byte("core:rcv_requests")); ok {
		t.Error("a name has a group")
	}
	name := []byte("rcv_replies_6xx_update")
	if n := testing.AllocsPerRun(100, func() { sh.statistic(name) }); n > 0 {
		t.Errorf("reading costs %v allocations", n)
	}
}
