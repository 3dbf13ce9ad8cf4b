package shard

import (
	"regexp"
	"slices"
	"strings"

	"golang.org/x/tools/txtar"
)

// play runs the steps of a story.
func (f *flow) play(a *txtar.Archive, compare bool) *txtar.Archive {
	t := f.t
	f.lenient = !compare
	out := &txtar.Archive{Comment: a.Comment}
	flush := func() {
		for {
			name, body, ok := f.next()
			if !ok {
				return
			}
			if compare && !*update {
				t.Errorf("left unexpectedly:\n-- %s --\n%s", name, body)
			}
			out.Files = append(out.Files, txtar.File{Name: name, Data: []byte(body)})
		}
	}
	for _, s := range a.Files {
		kind, _, _ := strings.Cut(s.Name, " ")
		switch kind {
		case "config", "targets", "names":
			out.Files = append(out.Files, s)
		case "silence":
			if compare && len(f.sent) > 0 {
				t.Errorf("left where nothing should: to %s\n%s", f.sent[0].to, f.sent[0].bytes)
			}
			out.Files = append(out.Files, s)
		case "logged":
			if !compare {
				continue
			}
			flush()
			lines := f.logged()
			if !*update && lines != string(s.Data) {
				t.Errorf("logged:\n%swant:\n%s", lines, s.Data)
			}
			out.Files = append(out.Files, txtar.File{Name: s.Name, Data: []byte(lines)})
		case "out":
			if *update || !compare {
				continue
			}
			name, body, ok := f.next()
			if f.timeless {
				s.Name, _, _ = strings.Cut(s.Name, " +")
			}
			if !ok {
				t.Errorf("did not leave:\n-- %s --\n%s", s.Name, s.Data)
			} else if name != s.Name || body != string(s.Data) {
				t.Errorf("got:\n-- %s --\n%s\nwant:\n-- %s --\n%s", name, body, s.Name, s.Data)
			}
		default:
			flush()
			if !compare && !f.possible(s.Name) {
				continue // what it answers never left for want of room
			}
			if !compare && strings.Contains(string(s.Data), "{B") && !f.knows(string(s.Data)) {
				continue
			}
			f.step(s.Name, string(s.Data))
			out.Files = append(out.Files, s)
		}
	}
	flush()
	return out
}

// logged takes the lines that the program has logged.
func (f *flow) logged() string {
	var b strings.Builder
	for {
		select {
		case l := <-f.w.shared.lines:
			if l.ofProgram {
				b.WriteString(timestamp.ReplaceAllString(l.text, "timestamp=T") + "\n")
			}
			continue
		default:
		}
		return b.String()
	}
}

var timestamp = regexp.MustCompile("timestamp=[0-9]+")

// possible tells whether an answer has something to answer, and a question to look at is there.
func (f *flow) possible(step string) bool {
	words := strings.Fields(step)
	switch words[0] {
	case "asked":
		return f.service.checked < len(f.service.asked)
	case "answered":
		return len(f.service.asked) > 0
	}
	if words[0] != "answer" && words[0] != "icmp" && words[0] != "broken" {
		return true
	}
	key := words[1]
	if words[0] == "broken" {
		return slices.ContainsFunc(f.all, func(d sentDatagram) bool { return d.to == key && d.token != 0 })
	}
	if n := len(words); n > 3 && words[n-2] == "to" {
		key += " " + words[n-1]
	}
	return f.lastTo[key] != nil
}
