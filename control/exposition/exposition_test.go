package exposition

import "testing"

func TestWriter(t *testing.T) {
	var w Writer
	w.Family("a_total", Counter, "what it\ncounts \\ \"so\"")
	w.Value(7)
	w.Value(1<<53-1, "x", "a\"b\\\n")
	w.Family("b", Gauge, "seconds")
	w.Value(0.25, "x", "1", "y", "2")
	w.Value(-3)
	const want = `# HELP a_total what it\ncounts \\ "so"
# TYPE a_total counter
a_total 7
a_total{x="a\"b\\\n"} 9007199254740991
# HELP b seconds
# TYPE b gauge
b{x="1",y="2"} 0.25
b -3
`
	if got := string(w.Bytes()); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if w.Reset(); len(w.Bytes()) != 0 {
		t.Error("Reset leaves something")
	}
}

func TestName(t *testing.T) {
	for s, want := range map[string]string{"a:b-c.9": "a_b_c_9", "2xx": "_xx", "Ok": "Ok"} {
		if got := Name(s); got != want {
			t.Errorf("%q becomes %q, want %q", s, got, want)
		}
	}
}

func TestHistogram(t *testing.T) {
	var w Writer
	w.Family("wait_seconds", Histogram, "how long")
	w.Histogram([]float64{0.25, 0.5}, []uint64{1, 0, 2}, 3.5, "shard", "0")
	w.Value(9)
	const want = `# HELP wait_seconds how long
# TYPE wait_seconds histogram
wait_seconds_bucket{shard="0",le="0.25"} 1
wait_seconds_bucket{shard="0",le="0.5"} 1
wait_seconds_bucket{shard="0",le="+Inf"} 3
wait_seconds_sum{shard="0"} 3.5
wait_seconds_count{shard="0"} 3
wait_seconds 9
`
	if got := string(w.Bytes()); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
