package moduletest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Case is one line of a file of cases: statements, an expression behind them, and what it is.
type Case struct {
	Line         int
	Before, Expr string
	// Want is what Value gives, Theirs what Kamailio 5.6 has, if that differs.
	Want, Theirs string
}

// Cases reads a file of cases, a line each: "text <tab> chain <tab> result", where chain is what
// stands behind $(var(x) and text what that holds, or "text <tab> chain <tab> result <tab> theirs".
// A text of "null" is no text; "; statements" in its place stand before an expression in place of
// the chain. Lines that begin with # say why.
func Cases(t testing.TB, file string) (cases []Case) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(b), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) < 2 {
			t.Fatalf("%s:%d: not enough columns", file, i+1)
		}
		f = append(f, "", "")
		c := Case{Line: i + 1, Before: `$var(x) = "` + f[0] + `";`, Expr: "$(var(x)" + f[1] + ")",
			Want: f[2], Theirs: f[3]}
		if f[0] == "null" {
			c.Before, c.Expr = "", "$(hdr(None)"+f[1]+")"
		}
		if rest, other := strings.CutPrefix(f[0], ";"); other {
			c.Before, c.Expr = rest, f[1]
		}
		if c.Theirs == "" {
			c.Theirs = c.Want
		}
		cases = append(cases, c)
	}
	return cases
}

// Check compares a file of cases with what this bench makes of them. With VIADUCT_CASES=kamailio in
// the environment it compares them with what Kamailio 5.6 does too, and with VIADUCT_CASES=update
// results that are empty are filled with Kamailio's.
func (b *Bench) Check(file string) {
	b.t.Helper()
	cases := Cases(b.t, file)
	theirs := b.kamailio(cases)
	if os.Getenv("VIADUCT_CASES") == "update" && theirs != nil {
		fill(b.t, file, cases, theirs)
		return
	}
	for i := range cases {
		c := &cases[i]
		if got := b.outcome(c); got != c.Want {
			b.t.Errorf("%s:%d: %s is %s, want %s", file, c.Line, c.Expr, got, c.Want)
		}
		if theirs != nil && theirs[i] != c.Theirs {
			b.t.Errorf("%s:%d: Kamailio has %s for %s, want %s", file, c.Line, theirs[i], c.Expr,
				c.Theirs)
		}
	}
}

// outcome is what a case is here.
func (b *Bench) outcome(c *Case) string {
	if _, _, err := b.Load("request_route {\n" + c.Before + "\nsee(" + c.Expr +
		");\n}\n"); err != nil {
		if c.Want != "refused" {
			b.t.Log(err)
		}
		return "refused"
	}
	got := b.Value(c.Before, c.Expr)
	if strings.HasPrefix(got, "'") {
		s := strconv.QuoteToASCII(got[1 : len(got)-1])
		return "'" + s[1:len(s)-1] + "'"
	}
	return got
}

// fill writes results into the lines that have none.
func fill(t testing.TB, file string, cases []Case, results []string) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	for i, c := range cases {
		if c.Want == "" {
			lines[c.Line-1] = strings.TrimRight(lines[c.Line-1], "\t") + "\t" + results[i]
		}
	}
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}

// kamailio is what the cases are there; nil if nobody has asked for it.
func (b *Bench) kamailio(cases []Case) []string {
	b.t.Helper()
	if os.Getenv("VIADUCT_CASES") == "" {
		return nil
	}
	refused := map[int]string{}
	for {
		out, bad := b.playKamailio(cases, refused)
		if len(bad) == 0 {
			return out
		}
		for i, how := range bad {
			refused[i] = how
		}
	}
}

var badLine = regexp.MustCompile(`(?:parse error.* line |fixing failed.* cfg:\S+:)(\d+)`)

// playKamailio runs the cases once. bad are those that cannot be loaded, or
// end it.
func (b *Bench) playKamailio(cases []Case,
	refused map[int]string) (out []string, bad map[int]string) {
	b.t.Helper()
	var cfg strings.Builder
	cfg.WriteString("debug=0\nlog_stderror=yes\nchildren=1\nauto_bind_ipv6=0\ndns=no\n" +
		"rev_dns=no\nlisten=udp:127.0.0.1:0\nloadmodule \"xlog.so\"\nloadmodule \"pv.so\"\n")
	for _, m := range b.modules {
		if m.Name != "moduletest" && m.Name != "pv" && m.Name != "xlog" {
			cfg.WriteString("loadmodule \"" + m.Name + ".so\"\n")
		}
	}
	cfg.WriteString(b.Head + "\nrequest_route { exit; }\n")
	first := make([]int, len(cases))
	line := strings.Count(cfg.String(), "\n") + 1
	write := func(s string) { cfg.WriteString(s); line += strings.Count(s, "\n") }
	for i, c := range cases {
		first[i] = line
		if refused[i] != "" {
			continue
		}
		write(fmt.Sprintf("route[C%d] {\n$(avp(r)[*]) = $null; $var(x) = 0; $var(y) = 0;\n%s\n"+
			"$avp(r) = %s;\nif (is_int(\"$avp(r)\")) { xlog(\"L_ALERT\", \"@%d=i$avp(r)\\n\"); }\n"+
			"else if (defined $avp(r)) { xlog(\"L_ALERT\", "+
			"\"@%d=t$(avp(r){s.encode.hexa})\\n\"); }\n}\n",
			i, c.Before, c.Expr, i, i))
	}
	write("event_route[core:worker-one-init] {\n")
	for i := range cases {
		if refused[i] == "" {
			write(fmt.Sprintf("xlog(\"L_ALERT\", \"@%d=?\\n\");\nroute(C%d);\n", i, i))
		}
	}
	write("xlog(\"L_ALERT\", \"@end\\n\");\n}\n")

	dir := b.t.TempDir()
	file := filepath.Join(dir, "kamailio.cfg")
	if err := os.WriteFile(file, []byte(cfg.String()), 0o600); err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "kamailio", "-x", "tlsf", "-X", "tlsf", "-m", "64", "-M", "64",
		"-f", file,
		"-DD", "-E", "-w", dir, "-Y", dir)
	r, w, err := os.Pipe()
	if err != nil {
		b.t.Fatal(err)
	}
	cmd.Stderr, cmd.Stdout = w, w
	// All its processes are ended, at once: they share the pipe.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	w.Close()
	defer r.Close()
	out = make([]string, len(cases))
	for i := range out {
		out[i] = "null"
		if refused[i] != "" {
			out[i] = refused[i]
		}
	}
	ended, at := false, -1
	bad = map[int]string{}
	var last []string
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		text := in.Text()
		if last = append(last, text); len(last) > 12 {
			last = last[1:]
		}
		_, mark, found := strings.Cut(text, ": @")
		switch {
		case found && mark == "end":
			ended = true
			cancel()
		case found:
			number, what, _ := strings.Cut(mark, "=")
			i, _ := strconv.Atoi(number)
			if at = i; what == "?" {
				continue
			}
			if what, text := strings.CutPrefix(what, "t"); text {
				raw, _ := hex.DecodeString(string(bytes.TrimSpace([]byte(what))))
				s := strconv.QuoteToASCII(string(raw))
				out[i] = "'" + s[1:len(s)-1] + "'"
			} else {
				out[i] = what[1:]
			}
		case !ended:
			if m := badLine.FindStringSubmatch(text); m != nil {
				n, _ := strconv.Atoi(m[1])
				at := -1
				for i := range cases {
					if first[i] <= n && refused[i] == "" {
						at = i
					}
				}
				bad[at] = "refused"
			}
		}
	}
	cancel()
	cmd.Wait()
	if !ended && at >= 0 {
		bad[at] = "crashes"
	}
	if !ended && len(bad) == 0 {
		b.t.Fatalf("Kamailio did not play the cases:\n%s", strings.Join(last, "\n"))
	}
	return out, bad
}
