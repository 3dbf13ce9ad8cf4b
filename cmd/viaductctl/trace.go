package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"viaduct/control"
)

// The verb trace: it has more forms than one method, and its answer is a picture.

const traceUsage = "usage: viaductctl trace [on|off|clear|state|show|text|live|pcap FILE] " +
	"[filter ...]"

var traceForms = []string{"on", "off", "clear", "state", "show", "text", "live", "pcap"}

// traced is a message in an answer of viaduct.traced.
type traced struct {
	Shard     int    `json:"shard"`
	Number    uint64 `json:"number"`
	At        string `json:"at"`
	Direction string `json:"direction"`
	Transport string `json:"transport"`
	From      string `json:"from"`
	To        string `json:"to"`
	Text      string `json:"text"`
}

// trace is the verb. Without a word it shows what was kept.
func (c *console) trace(words []string, o *options, wait time.Duration) int {
	form := "show"
	if len(words) > 0 && slices.Contains(traceForms, words[0]) {
		form, words = words[0], words[1:]
	}
	if len(words) > 0 && (form == "off" || form == "state" || form == "clear") {
		return c.misused(traceUsage)
	}
	file := ""
	if form == "pcap" {
		if len(words) == 0 {
			return c.misused(traceUsage)
		}
		file, words = words[0], words[1:]
	}
	t := &tracer{c: c, o: o, wait: wait, filter: words}
	var answer []byte
	var err error
	switch form {
	case "on":
		answer, err = t.ask("viaduct.trace_start", words...)
	case "off":
		answer, err = t.ask("viaduct.trace_stop")
	case "clear":
		answer, err = t.ask("viaduct.trace_clear")
	case "state":
		answer, err = t.ask("viaduct.trace_state")
	case "live":
		err = t.live()
	case "pcap":
		var list []traced
		if list, err = t.next(); err == nil {
			err = writePcap(file, list)
		}
	default:
		err = t.show(form == "text")
	}
	return c.ends(answer, err, o)
}

// ends shows the answer or the error of a verb that has asked by itself. It returns the exit code.
func (c *console) ends(answer []byte, err error, o *options) int {
	switch {
	case err != nil:
		fmt.Fprintln(c.err, err)
		return codeOf(err)
	case answer != nil:
		return c.show(answer, o)
	}
	return exitDone
}

// tracer asks for messages.
type tracer struct {
	c      *console
	o      *options
	wait   time.Duration
	filter []string
	after  int64           // time of the newest message that was shown
	shown  map[string]bool // those of that time
}

// ask calls a method. A fault is an error.
func (t *tracer) ask(method string, words ...string) ([]byte, error) {
	answer, err := ask(t.o.socket, control.JoinWords(append([]string{method}, words...)), t.wait)
	if err != nil {
		return nil, failed(codeOf(err), "viaductctl: %w", err)
	}
	if f := faultOf(answer); f != nil {
		return nil, failed(exitRefused, "%s", faultText(f))
	}
	return answer, nil
}

// next returns the messages that were not shown yet.
func (t *tracer) next() (list []traced, err error) {
	for {
		// One ns before: other shards may have had a message at the same time.
		answer, err := t.ask("viaduct.traced",
			append([]string{strconv.FormatInt(max(t.after-1, 0), 10)}, t.filter...)...)
		if err != nil {
			return nil, err
		}
		var page struct {
			Messages []traced `json:"messages"`
			More     bool     `json:"more"`
		}
		if err := json.Unmarshal(answer, &page); err != nil {
			return nil, failed(exitRefused, "viaductctl: the answer cannot be read: %w", err)
		}
		before := len(list)
		for _, m := range page.Messages {
			at, err := time.Parse(time.RFC3339Nano, m.At)
			if err != nil {
				return nil, failed(exitRefused, "viaductctl: the answer cannot be read: %w", err)
			}
			id := fmt.Sprintf("%d %d", m.Shard, m.Number)
			if ns := at.UnixNano(); ns > t.after {
				t.after, t.shown = ns, map[string]bool{}
			} else if t.shown[id] {
				continue
			}
			t.shown[id] = true
			list = append(list, m)
		}
		if !page.More || len(list) == before {
			return list, nil
		}
	}
}

// show draws each call, with the text of its messages if it is asked for.
func (t *tracer) show(text bool) error {
	list, err := t.next()
	if err != nil {
		return err
	}
	if t.o.json {
		b, _ := json.MarshalIndent(append([]traced{}, list...), "", "  ") // strings and numbers
		_, err = t.c.out.Write(append(b, '\n'))
		return err
	}
	var order []string
	calls := map[string][]traced{}
	for _, m := range list {
		id := callID(m.Text)
		if calls[id] == nil {
			order = append(order, id)
		}
		calls[id] = append(calls[id], m)
	}
	for i, id := range order {
		if i > 0 {
			fmt.Fprintln(t.c.out)
		}
		if id == "" {
			id = "(none)"
		}
		fmt.Fprintf(t.c.out, "Call-ID %s\n%s", printable(id), ladder(calls[order[i]], text))
	}
	if len(order) == 0 {
		fmt.Fprintln(t.c.err, "no message was kept that fits")
	}
	return nil
}

// live shows messages as they come, a line each, until it is interrupted. If nobody traces it
// begins, and ends with it.
func (t *tracer) live() error {
	answer, err := t.ask("viaduct.trace_state")
	if err != nil {
		return err
	}
	var state struct {
		On bool `json:"on"`
	}
	_ = json.Unmarshal(answer, &state)
	if state.On {
		t.after = time.Now().UnixNano()
	} else {
		if _, err := t.ask("viaduct.trace_start", t.filter...); err != nil {
			return err
		}
		defer func() { _, _ = t.ask("viaduct.trace_stop") }()
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, unix.SIGINT, unix.SIGTERM, unix.SIGPIPE)
	defer signal.Stop(stop)
	for tick := time.Tick(200 * time.Millisecond); ; {
		select {
		case <-stop:
			return nil
		case <-tick:
		}
		list, err := t.next()
		if err != nil {
			return err
		}
		for i := range list {
			m := &list[i]
			if t.o.json {
				b, _ := json.Marshal(m)
				_, err = fmt.Fprintf(t.c.out, "%s\n", b)
			} else {
				_, err = fmt.Fprintf(t.c.out, "%s  %-4s %s → %s  %s  %s\n", clock(m.At), m.Transport,
					end(m, m.From), end(m, m.To), label(m.Text), printable(callID(m.Text)))
			}
			if err != nil {
				return err
			}
		}
	}
}

// end is an end of a message; ours is marked.
func end(m *traced, addr string) string {
	if (addr == m.To) == (m.Direction == "in") {
		return addr + " (here)"
	}
	return addr
}

// zone is the one that times are shown in.
var zone = time.Local

// clock is the local time of day.
func clock(at string) string {
	t, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		return at
	}
	return t.In(zone).Format("15:04:05.000000")
}

// here stands for all our listeners in a picture.
const here = "viaduct"

// lane is how wide a lane of the picture is, at least.
const lane = 26

// ladder draws messages as arrows between lanes, one for each address that took part and one for
// us.
func ladder(list []traced, text bool) string {
	var lanes []string
	at := func(addr string) int {
		i := slices.Index(lanes, addr)
		if i < 0 {
			i = len(lanes)
			lanes = append(lanes, addr)
		}
		return i
	}
	ours := map[string]bool{} // addresses of ours, to which we may send as well
	for _, m := range list {
		if m.Direction == "out" {
			ours[m.From] = true
		} else {
			ours[m.To] = true
		}
	}
	name := func(addr string) string {
		if ours[addr] {
			return here
		}
		return addr
	}
	ends := make([][2]int, len(list))
	for i, m := range list {
		ends[i] = [2]int{at(name(m.From)), at(name(m.To))}
	}
	width := lane
	for _, l := range lanes {
		width = max(width, len(l)+2)
	}
	var b strings.Builder
	head := strings.Repeat(" ", len("15:04:05.000000"))
	for _, l := range lanes {
		head += centred(l, width)
	}
	b.WriteString(strings.TrimRight(head, " ") + "\n")
	for i, m := range list {
		b.WriteString(clock(m.At))
		b.WriteString(rung(ends[i][0], ends[i][1], len(lanes), width, label(m.Text)))
		b.WriteString("\n")
		if text {
			fmt.Fprintf(&b, "\n%s %s → %s\n%s\n", m.Transport, m.From, m.To, indented(m.Text))
		}
	}
	return b.String()
}

// rung is one arrow from a lane to another.
func rung(from, to, lanes, width int, what string) string {
	line := make([]rune, lanes*width)
	for i := range line {
		line[i] = ' '
	}
	for i := range lanes {
		line[i*width+width/2] = '│'
	}
	if from == to {
		copy(line[from*width+width/2+1:], []rune("↺ "+what))
		return strings.TrimRight(string(line), " ")
	}
	left, right := min(from, to)*width+width/2+1, max(from, to)*width+width/2
	for i := left; i < right; i++ {
		if line[i] == ' ' {
			line[i] = '─'
		} else {
			line[i] = '┼'
		}
	}
	if from < to {
		line[right-1] = '▶'
	} else {
		line[left] = '◀'
	}
	word := []rune(" " + what + " ")
	if room := right - left - 4; len(word) > room {
		word = append(word[:room-2], '…', ' ')
	}
	// In the half next to the sender, where no lane is crossed.
	start := left + 2
	if from > to {
		start = right - 2 - len(word)
	}
	copy(line[start:], word)
	return strings.TrimRight(string(line), " ")
}

func centred(s string, width int) string {
	before := max(0, width/2-utf8.RuneCountInString(s)/2)
	return fmt.Sprintf("%*s%-*s", before, "", width-before, s)
}

// label is what an arrow says: the method, or status and reason.
func label(text string) string {
	first, _, _ := strings.Cut(text, "\r\n")
	if rest, ok := strings.CutPrefix(first, "SIP/2.0 "); ok {
		return printable(rest)
	}
	method, _, _ := strings.Cut(first, " ")
	return printable(method)
}

// callID is the value of the first Call-ID, in its full or compact form.
func callID(text string) string {
	head, _, _ := strings.Cut(text, "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); ok && (strings.EqualFold(name, "Call-ID") ||
			strings.EqualFold(name, "i")) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// indented is a text for people, within a picture.
func indented(text string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(strings.TrimRight(text, "\r\n"), "\n") {
		b.WriteString("    " + printable(strings.TrimSuffix(line, "\r")) + "\n")
	}
	return b.String()
}
