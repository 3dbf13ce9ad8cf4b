package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// answersFor is a server that counts n requests on shard 0.
func answersFor(n int) func(words ...string) ([]byte, error) {
	return func(words ...string) ([]byte, error) {
		switch words[0] {
		case "status":
			return []byte(`{"name":"viaduct","version":"1.2.3","state":"serving","uptime_seconds":90061,` +
				`"listen":["udp:192.0.2.1:5060"],"arena_mb":64}`), nil
		case "stats":
			return fmt.Appendf(nil, `{"shards":[{"shard":0,"requests":%d,"replies":7,"bytes_in":%d,"transactions":1200,`+
				`"arena_used_bytes":33554432,"transactions_unanswered":3,"failed":{"timeout":%d,"other":1},`+
				`"latency":{"batch":{"count":9,"unit_ms":0.001,"counts":"0 1 0 0 0 0 0 %d"}}},`+
				`{"shard":1,"requests":5,"latency":{"batch":{"unit_ms":0.001,"counts":"0 0 5"}}}]}`, n, 1000*n, n/10,
				n), nil
		case "stats.fetchn":
			return fmt.Appendf(nil, `{"core.rcv_requests_invite":%d}`, n/2), nil
		case "dispatcher.list":
			return []byte(`{"NRSETS":2,"RECORDS":[{"SET":{"ID":1,"TARGETS":[{"DEST":{"URI":"sip:a","FLAGS":"AP",` +
				`"PRIORITY":0,"LATENCY":{"AVG":12.25,"STD":0},"RUNTIME":{"DLGLOAD":4}}},{"DEST":{"URI":"sip:b\u001b[2J",` +
				`"FLAGS":"IP","LATENCY":{"AVG":0},"RUNTIME":{"DLGLOAD":0}}}]}},{"SET":{"ID":2,"TARGETS":[{"DEST":` +
				`{"URI":"sip:c","FLAGS":"DX","LATENCY":{"AVG":3},"RUNTIME":{"DLGLOAD":9}}}]}}]}`), nil
		}
		return nil, errors.New(words[0])
	}
}

func TestTop(t *testing.T) {
	v := &screen{}
	var err error
	if v.was, err = take(answersFor(1000)); err != nil {
		t.Fatal(err)
	}
	if v.is, err = take(answersFor(4000)); err != nil {
		t.Fatal(err)
	}
	v.is.at = v.was.at.Add(2 * time.Second)
	got := strings.Join(v.draw(110, 16), "\n")
	want := `
viaduct 1.2.3  serving  up 25h1m1s  udp:192.0.2.1:5060
INVITE/s 750   requests/s 1,500   responses/s 0   under way 3   transactions 1,200   memory 50 %
answered/s 2xx 0  3xx 0  4xx 0  5xx 0  6xx 0   failed/s 150   refused/s 0   dropped/s 0   resent/s 0
half / 99 of 100   first response -   in here 0.096 / 0.127 ms   request_route -

shard   requests/s  responses/s      MB/s in transactions    under way
    0        1,500            0          1.5        1,200            3
    1            0            0          0.0            0            0

   set  destination                              state latency ms    calls   (by set)
>    1  sip:a                                    AP          12.2        4
     1  sip:b.[2J                                IP             -        0
     2  sip:c                                    DX           3.0        9


q quit   ↑↓ choose   d drain   u give calls again   s sort   / filter`[1:]
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, size := range [][2]int{{1, 1}, {20, 3}, {40, 9}, {300, 100}} {
		if lines := v.draw(size[0], size[1]); len(lines) > size[1] {
			t.Errorf("%d lines for %d", len(lines), size[1])
		} else if i := slices.IndexFunc(lines, func(l string) bool { return len([]rune(l)) > size[0] }); i >= 0 {
			t.Errorf("a line is wider than %d: %q", size[0], lines[i])
		}
	}
	var acted []string
	press := func(keys string) {
		for _, k := range keysIn(keys) {
			if !v.press(k, func(state string, d dest) { acted = append(acted, state+" "+d.key()) }) {
				acted = append(acted, "end")
			}
			v.draw(110, 16)
		}
	}
	press("\x1b[Bd\x1b[B\x1b[B\x1b[Bu\x1b[Akk\x1b[Ad") // not beyond either end
	press("ssd")                                       // by latency: the slowest first, and what was chosen stays so
	press("/sip:cx\x7f\rdd/\x1bd")                     // a filter, mended, ended, and one given up
	press("q")
	if got, want := strings.Join(acted, ", "), "d 1 sip:b\x1b[2J, a 2 sip:c, d 1 sip:a, d 1 sip:a, d 2 sip:c, "+
		"d 2 sip:c, d 2 sip:c, end"; got != want {
		t.Errorf("the keys did\n%q\nwant\n%q", got, want)
	}
	if v.rows[0].uri != "sip:a" || v.filter != "" {
		t.Errorf("by latency the first is %v, the filter %q", v.rows[0], v.filter)
	}
	if _, err := take(func(...string) ([]byte, error) { return []byte("nonsense"), nil }); err == nil {
		t.Error("an answer that is no JSON is taken")
	}
}
