package route

import (
	"fmt"
	"strings"

	"viaduct/shard/route/syntax"
)

// placesShown is how many places of a name a report lists. It counts the others.
const placesShown = 8

// nearest names what in Viaduct does, at least in part, the work of a missing module.
var nearest = map[string]string{
	"carrierroute": "modules dialplan and dispatcher",
	"drouting":     "modules dialplan and dispatcher",
	"lcr":          "modules dialplan and dispatcher",
	"pdt":          "modules dialplan and mtree",
	"prefix_route": "modules dialplan and mtree",
	"keepalive":    "the probes of module dispatcher (ds_ping_interval)",
	"memcached":    "module htable, whose tables outlive a restart",
	"ndb_redis":    "module htable, whose tables outlive a restart",
	"acc":          "xlog() where a call is answered or ends",
	"acc_json":     "xlog() where a call is answered or ends",
	"benchmark":    "viaductctl stats",
	"mangler":      "modules sdpops and textops",
}

// Markdown returns the report on the configuration called file: what is missing and its nearest
// equivalent, what differs, what has no effect, and what runs. The same file gives the same report.
func (s *Survey) Markdown(file string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s on Viaduct\n\n", inText(file))
	if len(s.Errors) == 0 {
		b.WriteString("It starts as it is.\n\n")
	} else {
		fmt.Fprintf(&b, "It does not start as it is: %s.\n\n", count(len(s.Errors), "mistake"))
	}
	row(&b, "", "names", "uses")
	b.WriteString("|---|---|---|\n")
	for _, f := range []struct {
		fate Fate
		what string
	}{{Missing, "missing"}, {Refused, "wrong where they stand"}, {Idle, "without effect"},
		{Runs, "run"}} {
		uses, all := 0, s.Uses(f.fate)
		if f.fate == Refused && len(all) == 0 {
			continue
		}
		for _, u := range all {
			uses += len(u.Places)
		}
		row(&b, f.what, itoa(int64(len(all))), itoa(int64(uses)))
	}
	b.WriteString("\n")
	s.reportMissing(&b)
	s.reportMistakes(&b)
	s.reportDiffering(&b)
	s.reportIdle(&b)
	s.reportRunning(&b)
	return []byte(strings.TrimRight(b.String(), "\n") + "\n")
}

// inText returns s for the running text of Markdown: of one line, and without a backtick that would
// begin a code span.
func inText(s string) string {
	return strings.ReplaceAll(syntax.Printable(s), "`", "\\`")
}

// inCode returns s as a code span. The fence is longer than any backticks in s (CommonMark 0.31
// §6.1).
func inCode(s string) string {
	s = syntax.Printable(s)
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if fence != "`" {
		s = " " + s + " "
	}
	return fence + s + fence
}

// reportMissing writes a table for each feature.
func (s *Survey) reportMissing(b *strings.Builder) {
	feature := ""
	for _, u := range s.Uses(Missing) {
		if feature == "" {
			b.WriteString("## What is missing\n\nKamailio has it, Viaduct does not yet.\n\n")
		}
		if f := u.Feature(); f != feature {
			if feature != "" {
				b.WriteString("\n")
			}
			feature = f
			fmt.Fprintf(b, "### %s\n\n", f)
			row(b, "name", "what", "uses", "where", "instead")
			b.WriteString("|---|---|---|---|---|\n")
		}
		instead := u.Note
		if instead != "" {
			instead = "in Kamailio 5.6: " + instead
		} else {
			instead = nearest[u.Module]
		}
		row(b, inCode(u.Name), u.Kind.String()+" of "+u.Module, itoa(int64(len(u.Places))),
			places(u), instead)
	}
	if feature != "" {
		b.WriteString("\n")
	}
}

// places lists where a name is used.
func places(u *Use) string {
	var at []string
	for _, p := range u.Places[:min(len(u.Places), placesShown)] {
		at = append(at, inText(p.String()))
	}
	if more := len(u.Places) - len(at); more > 0 {
		at = append(at, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(at, ", ")
}

// reportMistakes lists the errors that are not about missing names.
func (s *Survey) reportMistakes(b *strings.Builder) {
	head := "## What is wrong\n\n"
	for i := range s.Errors {
		if e := &s.Errors[i]; !strings.Contains(e.Text, "not implemented by Viaduct") {
			fmt.Fprintf(b, "%s- %s: %s\n", head, inCode(e.Pos.String()), inText(e.Text))
			head = ""
		}
	}
	if head == "" {
		b.WriteString("\n")
	}
}

// reportDiffering lists the warnings about what works differently than in Kamailio.
func (s *Survey) reportDiffering(b *strings.Builder) {
	b.WriteString("## What differs\n\ndocs/conformance-differences.md has what differs in every " +
		"configuration, docs/modules what each\nfunction does here.\n")
	before := "\n"
	for i := range s.Warnings {
		w := &s.Warnings[i]
		if !strings.Contains(w.Text, " has no effect: ") &&
			!strings.Contains(w.Text, " has nothing to do: ") {
			fmt.Fprintf(b, "%s- %s: %s\n", before, inCode(w.Pos.String()), inText(w.Text))
			before = ""
		}
	}
	b.WriteString("\n")
}

// reportIdle lists what is accepted without effect.
func (s *Survey) reportIdle(b *strings.Builder) {
	all := s.Uses(Idle)
	if len(all) == 0 {
		return
	}
	b.WriteString("## What has no effect\n\n")
	row(b, "name", "what", "why", "where")
	b.WriteString("|---|---|---|---|\n")
	for _, u := range all {
		row(b, inCode(u.Name), u.Kind.String()+" of "+u.Module, u.Note, places(u))
	}
	b.WriteString("\n")
}

// reportRunning lists what works, with the number of uses.
func (s *Survey) reportRunning(b *strings.Builder) {
	b.WriteString("## What runs\n\n")
	row(b, "module", "what the file uses of it")
	b.WriteString("|---|---|\n")
	byModule := map[string][]string{}
	for _, u := range s.Uses(Runs) {
		names := byModule[u.Module]
		if u.Kind != useModule {
			names = append(names, fmt.Sprintf("%s (%d)", inCode(u.Name), len(u.Places)))
		}
		byModule[u.Module] = names
	}
	for _, m := range sortedKeys(byModule) {
		uses := strings.Join(byModule[m], ", ")
		if uses == "" {
			uses = "nothing"
		}
		row(b, m, uses)
	}
}
