package plot

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata")

func sample() *Chart {
	return &Chart{Title: `Calls per second <a & "b">`, Unit: "calls/s", Note: "one core", Bars: []Bar{
		{"raw forwarder", 60000, 63246, 64000, 0},
		{"Kamailio, lb.cfg", 7800, 7901, 8100, 1},
		{"Viaduct, a name that is far too long to fit", 0, 0, 0, 2},
	}}
}

func TestGolden(t *testing.T) {
	var s strings.Builder
	if err := sample().Write(&s); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "sample.svg")
	if *update {
		if err := os.WriteFile(path, []byte(s.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if s.String() != string(want) {
		t.Errorf("differs from %s; if meant, run with -update and look at it:\n%s", path, s.String())
	}
}

func TestWellFormed(t *testing.T) {
	var s strings.Builder
	if err := sample().Write(&s); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(strings.NewReader(s.String()))
	elements := map[string]int{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok {
			elements[e.Name.Local]++
			for _, a := range e.Attr {
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("<%s %s=%q>", e.Name.Local, a.Name.Local, a.Value)
				}
			}
		}
	}
	if elements["svg"] != 1 || elements["rect"] != 3 || elements["path"] != 2 {
		t.Errorf("elements: %v", elements)
	}
}

func TestRefuses(t *testing.T) {
	f := func(name string, bars ...Bar) {
		t.Helper()
		c := Chart{Title: name, Bars: bars}
		if err := c.Write(io.Discard); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	f("no bars")
	f("median above max", Bar{"x", 1, 3, 2, 0})
	f("negative", Bar{"x", -1, 0, 2, 0})
	f("not a number", Bar{"x", math.NaN(), 1, 2, 0})
	f("infinite", Bar{"x", 1, 1, math.Inf(1), 0})
}

func TestNiceStep(t *testing.T) {
	f := func(v, want float64) {
		t.Helper()
		if got := niceStep(v); math.Abs(got-want) > want*1e-9 {
			t.Errorf("niceStep(%g) = %g, want %g", v, got, want)
		}
	}
	f(0, 1)
	f(1, 1)
	f(1.1, 2)
	f(2.5, 5)
	f(6, 10)
	f(12649.2, 20000)
	f(0.03, 0.05)
}

func TestFigure(t *testing.T) {
	f := func(v float64, digits int, want string) {
		t.Helper()
		if got := figure(v, digits); got != want {
			t.Errorf("figure(%g, %d) = %s, want %s", v, digits, got, want)
		}
	}
	f(0, 0, "0")
	f(999, 0, "999")
	f(1000, 0, "1,000")
	f(1234567.25, 1, "1,234,567.2")
}
