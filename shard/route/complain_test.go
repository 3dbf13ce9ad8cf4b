package route

import (
	"testing"
	"time"
)

// TestComplaints: an error that anybody can bring about by a message is logged so often in a second,
// and counted beyond.
func TestComplaints(t *testing.T) {
	f := func(body string) {
		t.Helper()
		h := newBench(t, request("INVITE sip:bob@127.0.0.1:5060", ""))
		p, _, _, err := loadText(allModules+"request_route {\n"+body+"\n}\n", nil)
		if err != nil {
			t.Fatal(err)
		}
		lines := func(times int) int {
			h.calls = nil
			for range times {
				h.request(p)
			}
			return len(h.calls)
		}
		if n := lines(complaintsPerSecond); n != complaintsPerSecond {
			t.Errorf("%s: %d lines", body, n)
		}
		if n := lines(90); n != 0 || h.c.Shard.LeftOut() != 90 || h.c.Shard.LeftOut() != 0 {
			t.Errorf("%s: %d further lines", body, n)
		}
		h.c.Shard.Core.SetNow(h.c.Now() + int64(time.Second))
		if n := lines(1); n != 1 {
			t.Errorf("%s: %d lines a second later", body, n)
		}
	}
	f(`$var(x) = 1 / $var(no);`)
	f(`$var(x) = 1 mod $var(no);`)
	f(`while (1) { $var(x) = 1; }`)
	f(`$var(x) = "nowhere"; route($var(x));`)
}
