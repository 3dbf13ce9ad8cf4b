package htable

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestFull: a table that begins to refuse entries says so once, and once that it is over.
func TestFull(t *testing.T) {
	var log bytes.Buffer
	b := bench(t)
	b.State().Logger = slog.New(slog.NewTextHandler(&log, nil))
	b.Head += `modparam("htable", "htable", "small=>entries=3;autoexpire=5")`
	p, _, err := b.Load(`request_route {
	$var(i) = 0;
	while ($var(i) < 5) { $sht(small=>$var(i)) = 1; $var(i) = $var(i) + 1; }
}`)
	if err != nil {
		t.Fatal(err)
	}
	run := func() {
		b.Lines = nil
		p.Request(b.Ctx, b.Begin(b.Msg(), b.Source()))
		b.Lines = slices.DeleteFunc(b.Lines, func(s string) bool { return !strings.HasPrefix(s, "htable") })
	}
	look := func() string {
		log.Reset()
		for _, f := range p.Beside() {
			f.F(b.Core.Now() / 1e6)
		}
		return log.String()
	}
	const full = "htable: table small is full, with 3 entries of 3, and refuses more: write entries=6, " +
		"and restart"
	if run(); !slices.Equal(b.Lines, []string{full}) {
		t.Errorf("when it is full: %q", b.Lines)
	}
	if run(); len(b.Lines) > 0 {
		t.Errorf("when it goes on to be full: %q", b.Lines)
	}
	if got := look(); got != "" {
		t.Errorf("a look at a table that has just refused an entry: %s", got)
	}
	b.Wait(6 * time.Second)
	const over = `msg="htable: a table that was full refuses nothing any more" table=small refused=4`
	if got := look(); strings.Count(got, over) != 1 {
		t.Errorf("when it is over: %s", got)
	}
	if got := look(); got != "" {
		t.Errorf("when it has long been over: %s", got)
	}
	if run(); !slices.Equal(b.Lines, []string{full}) {
		t.Errorf("when it is full again: %q", b.Lines)
	}
}

// TestRooms: a table whose room is by its size is named, one that says it is not.
func TestRooms(t *testing.T) {
	b := bench(t)
	b.Head = `modparam("htable", "htable", "x=>size=8") modparam("htable", "htable", "y=>size=8;entries=9")`
	p, _, err := b.Load("request_route { exit; }")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"htable x has room for 2048 entries, and refuses more; entries=N makes it another number"}
	if got := p.Rooms(); !slices.Equal(got, want) {
		t.Errorf("the rooms are %q", got)
	}
}
