package manpage

import "testing"

func TestPage(t *testing.T) {
	p := New("a-b", 1, "x 1.0", "does it")
	p.Section("Options")
	p.Synopsis("a-b", "[-x]")
	p.Text("one %d\n.two\n'three", 1)
	p.Item("-x \"y\"", `a \ b`)
	p.Example("$ ~/a\n.b")
	p.Subsection("More")
	want := `.TH "A\-B" 1 "" "x 1.0"
.SH "NAME"
a\-b \- does it
.SH "OPTIONS"
\fBa\-b\fR [\-x]
.br
.PP
one 1
\&.two
\&'three
.TP
\fB\-x "y"\fR
a \e b
.PP
.RS 4
.nf
$ \(ti/a
\&.b
.fi
.RE
.SS "More"
`
	if got := string(p.Bytes()); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
