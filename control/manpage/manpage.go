// Package manpage writes manual pages for man(1), with the macros of man(7).
package manpage

import (
	"bytes"
	"fmt"
	"strings"
)

// Page is a manual page that is being written.
type Page struct{ b bytes.Buffer }

// New begins a page: its name, its section, the program and version at its foot, and what the name
// is, in a few words.
func New(name string, section int, source, what string) *Page {
	p := &Page{}
	fmt.Fprintf(&p.b, ".TH %s %d \"\" %s\n", quoted(strings.ToUpper(name)), section, quoted(source))
	p.Section("Name")
	fmt.Fprintf(&p.b, "%s \\- %s\n", escaped(name), escaped(what))
	return p
}

// Section begins a section.
func (p *Page) Section(name string) {
	fmt.Fprintf(&p.b, ".SH %s\n", quoted(strings.ToUpper(name)))
}

// Subsection begins a part of a section.
func (p *Page) Subsection(name string) { fmt.Fprintf(&p.b, ".SS %s\n", quoted(name)) }

// Text writes a paragraph.
func (p *Page) Text(format string, args ...any) {
	p.b.WriteString(".PP\n")
	p.lines(fmt.Sprintf(format, args...))
}

// Item writes a term and what is said of it.
func (p *Page) Item(term, text string) {
	fmt.Fprintf(&p.b, ".TP\n\\fB%s\\fR\n", escaped(term))
	p.lines(text)
}

// Example writes lines as they are.
func (p *Page) Example(lines string) {
	p.b.WriteString(".PP\n.RS 4\n.nf\n")
	p.lines(lines)
	p.b.WriteString(".fi\n.RE\n")
}

// Synopsis writes a line of how a command is called.
func (p *Page) Synopsis(command, rest string) {
	fmt.Fprintf(&p.b, "\\fB%s\\fR %s\n.br\n", escaped(command), escaped(rest))
}

// Bytes returns the page.
func (p *Page) Bytes() []byte { return p.b.Bytes() }

// lines writes text, of which no line may look like a macro.
func (p *Page) lines(text string) {
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			p.b.WriteString(`\&`)
		}
		p.b.WriteString(escaped(line) + "\n")
	}
}

var escapes = strings.NewReplacer(`\`, `\e`, "-", `\-`, "’", "'", "^", `\(ha`, "~", `\(ti`, "`",
	`\(ga`)

func escaped(s string) string { return escapes.Replace(s) }

func quoted(s string) string { return `"` + strings.ReplaceAll(escaped(s), `"`, `\(dq`) + `"` }
