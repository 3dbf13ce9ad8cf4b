package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"viaduct/control"
	"viaduct/shm"
)

// The verb top: a screen that is drawn anew every second, with keys to act on destinations.

// sample is what one look at the server gave.
type sample struct {
	at     time.Time
	status struct {
		Name    string   `json:"name"`
		Version string   `json:"version"`
		State   string   `json:"state"`
		Uptime  int64    `json:"uptime_seconds"`
		Listen  []string `json:"listen"`
		ArenaMB int64    `json:"arena_mb"`
	}
	shards  []map[string]int64 // counters by name; dropped, refused and failed are sums
	invites int64
	dests   []dest
	times   map[string]times // by name, of all shards
}

// times are a histogram of times, and the unit of its bounds in ms.
type times struct {
	unit float64
	h    shm.Histogram
}

// dest is a destination.
type dest struct {
	set     int
	uri     string
	flags   string
	latency float64 // ms, the mean; 0 if nothing was measured
	load    int64   // calls, where algorithm 10 counts them
}

// screen is what top shows of two samples.
type screen struct {
	was, is  *sample
	sortBy   int
	filter   string
	typing   bool // the filter
	selected string
	message  string
	rows     []dest // as they are shown
}

// sorts are the orders of destinations, for key s.
var sorts = [...]struct {
	name string
	cmp  func(a, b dest) int
}{
	{"set", func(a, b dest) int { return a.set - b.set }},
	{"state", func(a, b dest) int { return strings.Compare(b.flags, a.flags) }},
	{"latency", func(a, b dest) int { return int(1000 * (b.latency - a.latency)) }},
	{"calls", func(a, b dest) int { return int(b.load - a.load) }},
}

// take asks the server.
func take(ask func(words ...string) ([]byte, error)) (*sample, error) {
	s := &sample{at: time.Now()}
	read := func(into any, words ...string) error {
		answer, err := ask(words...)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(answer, into); err != nil {
			return failed(exitRefused, "viaductctl: the answer to %s cannot be read: %w", words[0], err)
		}
		return nil
	}
	if err := read(&s.status, "status"); err != nil {
		return nil, err
	}
	var stats struct {
		Shards []map[string]json.RawMessage `json:"shards"`
	}
	if err := read(&stats, "stats"); err != nil {
		return nil, err
	}
	s.times = map[string]times{}
	for _, shard := range stats.Shards {
		s.addTimes(shard["latency"])
		sums := map[string]int64{}
		for name, raw := range shard {
			var n int64
			var reasons map[string]int64
			if json.Unmarshal(raw, &n) == nil {
				sums[name] = n
			} else if json.Unmarshal(raw, &reasons) == nil {
				for _, m := range reasons {
					sums[name] += m
				}
			}
		}
		s.shards = append(s.shards, sums)
	}
	// What follows may not be there, for want of a module.
	var counted map[string]json.Number
	if read(&counted, "stats.fetchn", "core.rcv_requests_invite") == nil {
		s.invites, _ = counted["core.rcv_requests_invite"].Int64()
	}
	var sets struct {
		Records []struct {
			Set struct {
				ID      int `json:"ID"`
				Targets []struct {
					Dest struct {
						URI     string
						Flags   string
						Latency struct{ Avg json.Number }
						Runtime struct{ Dlgload int64 }
					}
				}
			}
		}
	}
	if read(&sets, "dispatcher.list") == nil {
		for _, r := range sets.Records {
			for _, t := range r.Set.Targets {
				ms, _ := t.Dest.Latency.Avg.Float64()
				s.dests = append(s.dests,
					dest{r.Set.ID, t.Dest.URI, t.Dest.Flags, ms, t.Dest.Runtime.Dlgload})
			}
		}
	}
	return s, nil
}

// addTimes adds the histograms of a shard.
func (s *sample) addTimes(raw json.RawMessage) {
	var all map[string]struct {
		Unit   float64 `json:"unit_ms"`
		Counts string
	}
	if json.Unmarshal(raw, &all) != nil {
		return
	}
	for name, x := range all {
		var h shm.Histogram
		for i, word := range strings.Fields(x.Counts) {
			if i < len(h.Counts) {
				h.Counts[i], _ = strconv.ParseUint(word, 10, 64)
			}
		}
		sum := s.times[name].h
		sum.Add(&h)
		s.times[name] = times{x.Unit, sum}
	}
}

// quantiles are what half and 99 of 100 of the times since the last sample did not exceed, in ms.
func (v *screen) quantiles(name string) string {
	is := v.is.times[name]
	h := is.h
	if v.was != nil {
		before := v.was.times[name].h
		h = h.Since(&before)
	}
	if n := h.Count(); n == 0 || n > is.h.Count() { // more: the process is another one
		return "-"
	}
	return fmt.Sprintf("%.3g / %.3g ms", h.Quantile(0.5)*is.unit, h.Quantile(0.99)*is.unit)
}

// rate is by how much a counter of all shards, or of one, grew in a second.
func (v *screen) rate(shard int, names ...string) float64 {
	if v.was == nil {
		return 0
	}
	seconds := v.is.at.Sub(v.was.at).Seconds()
	var grown int64
	for i := range v.is.shards {
		if shard >= 0 && i != shard || i >= len(v.was.shards) {
			continue
		}
		for _, n := range names {
			grown += max(0, v.is.shards[i][n]-v.was.shards[i][n])
		}
	}
	return float64(grown) / max(seconds, 0.001)
}

func (v *screen) sum(name string) (n int64) {
	for _, s := range v.is.shards {
		n += s[name]
	}
	return n
}

// grouped writes a number with commas between thousands.
func grouped(n float64) string {
	s := strconv.FormatInt(int64(n+0.5), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// draw is the screen as lines, width wide and height high at most.
func (v *screen) draw(width, height int) []string {
	is := v.is
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	up := time.Duration(is.status.Uptime) * time.Second
	add("%s %s  %s  up %v  %s", is.status.Name, is.status.Version, is.status.State, up,
		strings.Join(is.status.Listen, " "))
	calls := 0.0
	if v.was != nil {
		calls = float64(max(0, is.invites-v.was.invites)) / max(is.at.Sub(v.was.at).Seconds(), 0.001)
	}
	arena := 0.0
	if is.status.ArenaMB > 0 {
		arena = 100 * float64(v.sum("arena_used_bytes")) / float64(is.status.ArenaMB<<20)
	}
	all := func(names ...string) string { return grouped(v.rate(-1, names...)) }
	add("INVITE/s %s   requests/s %s   responses/s %s   under way %s   transactions %s   "+
		"memory %.0f %%", grouped(calls), all("requests"), all("replies"),
		grouped(float64(v.sum("transactions_unanswered"))), grouped(float64(v.sum("transactions"))),
		arena)
	add("answered/s 2xx %s  3xx %s  4xx %s  5xx %s  6xx %s   failed/s %s   refused/s %s   "+
		"dropped/s %s   resent/s %s", all("final_2xx"), all("final_3xx"), all("final_4xx"),
		all("final_5xx"), all("final_6xx"), all("failed"), all("refused"), all("dropped"),
		all("requests_resent", "replies_resent"))
	add("half / 99 of 100   first response %s   in here %s   request_route %s",
		v.quantiles("first_response"), v.quantiles("batch"), v.quantiles("program"))
	add("")
	add("%5s %12s %12s %12s %12s %12s", "shard", "requests/s", "responses/s", "MB/s in",
		"transactions", "under way")
	for i, s := range is.shards {
		if len(lines) > height/2 {
			add("… %d more shards", len(is.shards)-i)
			break
		}
		add("%5d %12s %12s %12.1f %12s %12s", i, grouped(v.rate(i, "requests")),
			grouped(v.rate(i, "replies")), v.rate(i, "bytes_in")/1e6,
			grouped(float64(s["transactions"])), grouped(float64(s["transactions_unanswered"])))
	}
	add("")
	v.arrange()
	if len(is.dests) > 0 {
		add("  %4s  %-40s %-5s %10s %8s   (by %s)", "set", "destination", "state", "latency ms", "calls",
			sorts[v.sortBy].name)
	}
	room := max(1, height-len(lines)-2)
	at := max(0, slices.IndexFunc(v.rows, func(d dest) bool { return d.key() == v.selected }))
	from := max(0, min(at-room/2, len(v.rows)-room))
	for i := from; i < min(len(v.rows), from+room); i++ {
		d := v.rows[i]
		mark := " "
		if d.key() == v.selected {
			mark = ">"
		}
		latency := "-"
		if d.latency > 0 {
			latency = fmt.Sprintf("%.1f", d.latency)
		}
		add("%s %4d  %-40s %-5s %10s %8s", mark, d.set, d.uri, d.flags, latency,
			grouped(float64(d.load)))
	}
	for len(lines) < height-1 {
		add("")
	}
	foot := "q quit   ↑↓ choose   d drain   u give calls again   s sort   / filter"
	switch {
	case v.typing:
		foot = "filter: " + v.filter + "_"
	case v.message != "":
		foot = v.message
	case v.filter != "":
		foot += " (" + v.filter + ")"
	}
	lines = append(lines[:min(len(lines), height-1)], foot)
	for i, l := range lines {
		l = printable(strings.ReplaceAll(l, "\n", " "))
		if utf8.RuneCountInString(l) > width {
			l = string([]rune(l)[:max(0, width-1)]) + "…"
		}
		lines[i] = l
	}
	return lines
}

func (d *dest) key() string { return fmt.Sprintf("%d %s", d.set, d.uri) }

// arrange filters and sorts the destinations, and sees to it that one of them is chosen.
func (v *screen) arrange() {
	v.rows = v.rows[:0]
	for _, d := range v.is.dests {
		if v.filter == "" || strings.Contains(d.key()+" "+d.flags, v.filter) {
			v.rows = append(v.rows, d)
		}
	}
	slices.SortStableFunc(v.rows, sorts[v.sortBy].cmp)
	chosen := func(d dest) bool { return d.key() == v.selected }
	if len(v.rows) > 0 && !slices.ContainsFunc(v.rows, chosen) {
		v.selected = v.rows[0].key()
	}
}

// press takes a key. act is called with a state for the destination that is chosen; the result is
// false if it is time to end.
func (v *screen) press(key string, act func(state string, d dest)) bool {
	if v.typing {
		switch key {
		case "\r", "\n":
			v.typing = false
		case "\x1b":
			v.typing, v.filter = false, ""
		case "\x7f", "\b":
			if r := []rune(v.filter); len(r) > 0 {
				v.filter = string(r[:len(r)-1])
			}
		default:
			if utf8.RuneCountInString(key) == 1 && key >= " " {
				v.filter += key
			}
		}
		return true
	}
	v.message = ""
	at := slices.IndexFunc(v.rows, func(d dest) bool { return d.key() == v.selected })
	switch key {
	case "q", "\x03":
		return false
	case "s":
		v.sortBy = (v.sortBy + 1) % len(sorts)
	case "/":
		v.typing, v.filter = true, ""
	case "\x1b[A", "k":
		if at > 0 {
			v.selected = v.rows[at-1].key()
		}
	case "\x1b[B", "j":
		if at >= 0 && at+1 < len(v.rows) {
			v.selected = v.rows[at+1].key()
		}
	case "d", "u":
		if at >= 0 {
			act(map[string]string{"d": "d", "u": "a"}[key], v.rows[at])
		}
	}
	return true
}

// top runs the screen on the terminal until q or an interrupt.
func (c *console) top(o *options, wait time.Duration) int {
	in := int(os.Stdin.Fd())
	before, err := unix.IoctlGetTermios(in, unix.TCGETS)
	if err != nil || !c.terminal {
		return c.misused("top draws on a terminal, and this is none: see viaductctl stats")
	}
	t := &tracer{c: c, o: o, wait: wait}
	askFor := func(words ...string) ([]byte, error) { return t.ask(words[0], words[1:]...) }
	v := &screen{}
	if v.is, err = take(askFor); err != nil {
		fmt.Fprintln(c.err, err)
		return codeOf(err)
	}
	raw := *before
	raw.Lflag &^= unix.ICANON | unix.ECHO | unix.ISIG
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(in, unix.TCSETS, &raw); err != nil {
		fmt.Fprintf(c.err, "viaductctl: the terminal takes no single keys: %v\n", err)
		return exitRefused
	}
	fmt.Fprint(c.out, "\x1b[?1049h\x1b[?25l")
	defer func() {
		fmt.Fprint(c.out, "\x1b[?25h\x1b[?1049l")
		_ = unix.IoctlSetTermios(in, unix.TCSETS, before)
		if err != nil {
			fmt.Fprintln(c.err, err)
		}
	}()
	keys := make(chan string)
	go func() { // ends with the process
		b := make([]byte, 256)
		for {
			n, err := os.Stdin.Read(b)
			if err != nil {
				close(keys)
				return
			}
			for _, k := range keysIn(string(b[:n])) {
				keys <- k
			}
		}
	}()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, unix.SIGTERM, unix.SIGHUP, unix.SIGINT)
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, unix.SIGWINCH)
	act := func(state string, d dest) {
		answer, err := ask(o.socket, control.JoinWords([]string{"dispatcher.set_state", state,
			strconv.Itoa(d.set), d.uri}), wait)
		switch f := faultOf(answer); {
		case err != nil:
			v.message = err.Error()
		case f != nil:
			v.message = faultText(f)
		default:
			v.message = strings.Trim(strings.TrimSpace(string(answer)), `"`)
			if s, err := take(askFor); err == nil {
				v.is.dests = s.dests
			}
		}
	}
	for tick := time.Tick(time.Second); ; {
		paint(c.out, v)
		select {
		case <-stop:
			return exitDone
		case <-resized:
		case k, ok := <-keys:
			if !ok || !v.press(k, act) {
				return exitDone
			}
		case <-tick:
			s, failure := take(askFor)
			if failure != nil {
				err = failure
				return codeOf(err)
			}
			v.was, v.is = v.is, s
		}
	}
}

// keysIn cuts what a terminal sent into keys: characters, and the sequences of cursor keys.
func keysIn(s string) (keys []string) {
	for s != "" {
		n := 1
		if strings.HasPrefix(s, "\x1b[") && len(s) > 2 {
			n = 3
		} else if r, size := utf8.DecodeRuneInString(s); r != utf8.RuneError {
			n = size
		}
		keys = append(keys, s[:n])
		s = s[n:]
	}
	return keys
}

// paint draws the screen.
func paint(out io.Writer, v *screen) {
	width, height := 80, 24
	w, err := unix.IoctlGetWinsize(int(os.Stdout.Fd()), unix.TIOCGWINSZ)
	if err == nil && w.Col > 0 && w.Row > 0 {
		width, height = int(w.Col), int(w.Row)
	}
	var b strings.Builder
	b.WriteString("\x1b[H")
	for i, l := range v.draw(width, height) {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(l + "\x1b[K")
	}
	b.WriteString("\x1b[J")
	fmt.Fprint(out, b.String())
}
