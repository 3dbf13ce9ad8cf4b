package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/bench/traffic"
)

// display shows the run: on a terminal as a few lines drawn over again, elsewhere as one line per
// second.
type display struct {
	out   io.Writer
	live  bool
	total time.Duration
	rate  float64
	drawn int // lines on the terminal to go back over
	slow  time.Duration
}

const barWidth = 40

func (d *display) every() time.Duration {
	if d.live {
		return 250 * time.Millisecond
	}
	return time.Second
}

func (d *display) tick(t traffic.Tick) {
	seconds := d.every().Seconds()
	ends := ""
	for i, n := range t.PerAnswerer {
		ends += fmt.Sprintf("  end %d %d", i+1, n)
	}
	if !d.live {
		fmt.Fprintf(d.out, "%4.0f s  %6.0f calls/s  %4d under way  180 after p50 %5d µs, p99 %6d "+
			"µs  failed %d  sent again %d%s\n", t.Elapsed.Seconds(),
			float64(t.Completed)/seconds, t.Active, t.RingP50.Microseconds(),
			t.RingP99.Microseconds(), t.Failed+t.Abandoned, t.Retransmitted, ends)
		return
	}
	d.slow = max(d.slow, t.RingP99)
	lines := []string{
		fmt.Sprintf("time       %s %4.1f s", bar(t.Elapsed.Seconds()/d.total.Seconds()),
			t.Elapsed.Seconds()),
		fmt.Sprintf("calls/s    %s %.0f", bar(float64(t.Completed)/seconds/d.rate/1.25),
			float64(t.Completed)/seconds),
		fmt.Sprintf("180 p50    %s %d µs", bar(part(t.RingP50, d.slow)), t.RingP50.Microseconds()),
		fmt.Sprintf("180 p99    %s %d µs", bar(part(t.RingP99, d.slow)), t.RingP99.Microseconds()),
	}
	all := uint64(0)
	for _, n := range t.PerAnswerer {
		all += n
	}
	for i, n := range t.PerAnswerer {
		lines = append(lines, fmt.Sprintf("end %d      %s %d calls", i+1,
			bar(float64(n)/float64(max(all, 1))), n))
	}
	lines = append(lines, fmt.Sprintf("%d under way, %d failed, %d messages sent again", t.Active,
		t.Failed+t.Abandoned, t.Retransmitted))
	if d.drawn > 0 {
		fmt.Fprintf(d.out, "\x1b[%dA", d.drawn)
	}
	for _, l := range lines {
		fmt.Fprintf(d.out, "\x1b[2K  %s\n", l)
	}
	d.drawn = len(lines)
}

func (d *display) end() { d.drawn = 0 }

func part(a, b time.Duration) float64 {
	if b <= 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// bar is a share of 1 as blocks.
func bar(share float64) string {
	n := int(min(max(share, 0), 1)*barWidth + 0.5)
	return strings.Repeat("█", n) + strings.Repeat("░", barWidth-n)
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil && os.Getenv("TERM") != "dumb"
}
