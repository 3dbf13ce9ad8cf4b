package route

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The files of testdata/language hold statements and what they log, and Kamailio's word for it:
//
//	what stands above all routes
//	----
//	$var(x) = 1 + 2; xlog("$var(x)"); --> 3
//	# a remark
//	xlog("a");
//	xlog("b"); --> a|b
//	$var(x) = 2147483647 + 1; xlog("$var(x)"); --> -2147483648
//		here 2147483648: numbers have 64 bits
//
// Each is a route of its own that is called for one INVITE. "refused" is one that makes the file
// an error. Where Viaduct differs on purpose, the line below says what it does, and why.
var languageUpdate = flag.Bool("language.update", false, "write what Kamailio says into testdata/language")

// statement is one item of a file.
type statement struct {
	line       int // of its last line, which has the arrow
	text, want string
	here, why  string // why is empty: it does what Kamailio does
}

const arrow = " --> "

const refusal = "refused"

// does is what Viaduct makes of it.
func (s *statement) does() string {
	if s.why != "" {
		return s.here
	}
	return s.want
}

func readStatements(t *testing.T, file string) (head string, list []statement, lines []string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines = strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	inHead, text := true, ""
	for i, l := range lines {
		switch {
		case inHead && l == "----":
			inHead = false
		case inHead:
			head += l + "\n"
		case strings.HasPrefix(l, "\there "):
			if len(list) == 0 {
				t.Fatalf("%s:%d: nothing is above", file, i+1)
			}
			s, ok := &list[len(list)-1], false
			if s.here, s.why, ok = strings.Cut(strings.TrimPrefix(l, "\there "), ": "); !ok {
				t.Fatalf("%s:%d: a reason is missing", file, i+1)
			}
		case text == "" && (l == "" || strings.HasPrefix(l, "# ")):
		default:
			before, want, ends := strings.Cut(l, strings.TrimRight(arrow, " "))
			if text += before + "\n"; ends {
				list = append(list, statement{line: i, text: text, want: strings.TrimPrefix(want, " ")})
				text = ""
			}
		}
	}
	if text != "" {
		t.Fatalf("%s: no arrow behind %s", file, text)
	}
	return head, list, lines
}

// languageProgram is the program that runs the statement a request names.
func languageProgram(head string, list []statement) string {
	var b strings.Builder
	b.WriteString("loadmodule \"pv.so\"\nloadmodule \"xlog.so\"\nmodparam(\"xlog\", \"prefix\", \"~\")\n" + head)
	b.WriteString("request_route {\n\txlog(\"item $rU\\n\");\n\troute(BEFORE);\n\tswitch ($rU) {\n")
	for i := range list {
		fmt.Fprintf(&b, "\tcase \"%d\":\n\t\troute(I%d);\n\t\tbreak;\n", i, i)
	}
	b.WriteString("\t}\n\texit;\n}\n")
	if !strings.Contains(head, "route[BEFORE]") {
		b.WriteString("route[BEFORE] { return; }\n")
	}
	for i := range list {
		fmt.Fprintf(&b, "route[I%d] {\n%s}\n", i, list[i].text)
	}
	return b.String()
}

// languageRequest is what asks for statement i.
func languageRequest(i int) string {
	return strings.Replace(request("INVITE sip:"+strconv.Itoa(i)+"@127.0.0.1:5060;x=1", ""), "User-Agent:",
		"Via: SIP/2.0/TCP h2.example.com:5070;branch=z9hG4bKdef;received=192.0.2.9;rport=7000;i=ab, SIP/2.0/UDP "+
			"h3;branch=z9hG4bKghi\r\nRecord-Route: <sip:r1.example.com;lr;ftag=x>, <sip:r2.example.com:5080;lr>\r\n"+
			"Diversion: \"Carol\" <sip:carol@c.example.com>;reason=no-answer;counter=1, "+
			"<sip:dave@d.example.com>;reason=\"busy\"\r\nSession-Expires: 1800;refresher=uac\r\nSupported: path, "+
			"outbound\r\nEvent: presence;id=7\r\nContact: \"Bob B\" "+
			"<sip:bob@192.0.2.1:5066;transport=tcp;maddr=h>;expires=60;q=0.5\r\nUser-Agent:", 1)
}

// TestLanguage plays the statements here.
func TestLanguage(t *testing.T) {
	for _, file := range languageFiles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			head, list, _ := readStatements(t, file)
			var run []statement
			for i := range list {
				s := &list[i]
				if s.does() != refusal {
					run = append(run, *s)
				} else if _, _, _, err := loadLanguage(file, head, list[i:i+1]); err == nil {
					t.Errorf("%s:%d: %s\tis not refused", file, s.line+1, s.text)
				}
			}
			p, _, _, err := loadLanguage(file, head, run)
			if err != nil {
				t.Fatal(err)
			}
			p.onOneShard()
			for i := range run {
				s := &run[i]
				h := newBench(t, languageRequest(i))
				p.Request(h.c, h.begin())
				if got := linesOf(h.calls); got != s.does() {
					t.Errorf("%s:%d: %s\tlogs %s, want %s", file, s.line+1, s.text, got, s.does())
				}
			}
		})
	}
}

func loadLanguage(file, head string, list []statement) (*Program, *Settings, Warnings, error) {
	return Load(filepath.Base(file), []byte(languageProgram(head, list)), Options{Modules: testModules})
}

// linesOf joins what xlog wrote, but for the first line.
func linesOf(calls []string) string {
	var lines []string
	for _, c := range calls {
		if _, text, ok := strings.Cut(c, " ~"); ok && strings.HasPrefix(c, "log ") {
			lines = append(lines, text)
		}
	}
	return strings.Join(lines[1:], "|")
}

func languageFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/language/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in testdata/language: %v", err)
	}
	return files
}

// TestLanguageAsKamailio plays them on Kamailio.
func TestLanguageAsKamailio(t *testing.T) {
	if _, err := os.Stat(kamailioPath); err != nil {
		t.Skipf("kamailio: not compared with %s, which is not installed", kamailioPath)
	}
	for _, file := range languageFiles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			head, list, lines := readStatements(t, file)
			var run []statement
			got := map[int]string{} // by line
			for i := range list {
				s := &list[i]
				if s.want != refusal || *languageUpdate {
					run = append(run, *s)
				} else if got[s.line] = refusal; !refuses(t, languageProgram(head, list[i:i+1])) {
					got[s.line] = "not refused"
				}
			}
			answers, err := askLanguage(t, languageProgram(head, run), len(run))
			for err != nil && *languageUpdate {
				bad := culprit(t, languageProgram(head, run), err)
				got[run[bad].line] = refusal
				run = slices.Delete(run, bad, bad+1)
				answers, err = askLanguage(t, languageProgram(head, run), len(run))
			}
			if err != nil {
				t.Fatal(err)
			}
			for i, lines := range answers {
				got[run[i].line] = lines
			}
			for i := range list {
				s, got := &list[i], got[list[i].line]
				if got != s.want && *languageUpdate {
					before, _, _ := strings.Cut(lines[s.line], strings.TrimRight(arrow, " "))
					lines[s.line] = strings.TrimRight(before+arrow+got, " ")
				} else if got != s.want {
					t.Errorf("%s:%d: %s\tlogs %s in Kamailio, not %s", file, s.line+1, s.text, got, s.want)
				}
			}
			if *languageUpdate {
				if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o666); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// refuses tells whether Kamailio does not start with a program.
func refuses(t *testing.T, program string) bool {
	t.Helper()
	_, err := askLanguage(t, program, 0)
	return err != nil
}

// culprit is the number of the statement that an error of Kamailio's names by its line.
func culprit(t *testing.T, program string, err error) int {
	t.Helper()
	where := regexp.MustCompile(`(?m)^.*(?:ERROR|CRITICAL).*(?:language\.cfg(?::|, line )|in cfg at line: `+
		`)(\d+)`).FindAllStringSubmatch(err.Error(), -1)
	if len(where) > 0 {
		n, _ := strconv.Atoi(where[len(where)-1][1])
		lines := strings.Split(program, "\n")
		for n = min(n-3, len(lines)) - 1; n > 0; n-- {
			if i, ok := strings.CutPrefix(lines[n], "route[I"); ok {
				if at, err := strconv.Atoi(strings.TrimSuffix(i, "] {")); err == nil {
					return at
				}
			}
		}
	}
	t.Fatal(err)
	return 0
}

// logHead is what stands in front of a line of xlog.
var logHead = regexp.MustCompile(` *\d+\(\d+\) [A-Z]+: ~`)

// askLanguage runs a program with n statements in Kamailio and gives the lines of each. One process
// reads all requests, so that their lines follow each other.
func askLanguage(t *testing.T, program string, n int) ([]string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	probe, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := probe.LocalAddr().(*net.UDPAddr)
	probe.Close()
	file := filepath.Join(t.TempDir(), "language.cfg")
	program = fmt.Sprintf("children=1\ndisable_tcp=yes\nlisten=udp:%s\n%s", addr, program)
	if err := os.WriteFile(file, []byte(program), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, kamailioPath, "-x", "tlsf", "-X", "tlsf", "-m", "64", "-M", "8", "-DD", "-E", "-f",
		file)
	// All its processes are ended at once: they share the log, which ends with the last of them.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	end := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel = end
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1<<16)
	go func() {
		defer close(lines)
		s := bufio.NewScanner(log)
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			// xlog ends no line: several stand in one
			for i, l := range logHead.Split(s.Text(), -1) {
				if i > 0 {
					l = "~" + l
				}
				if l != "" {
					lines <- l
				}
			}
		}
	}()
	defer func() {
		end()
		for range lines {
		}
		cmd.Wait()
	}()
	conn, err := net.DialUDP("udp", nil, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var other []string
	// read gives the next line of xlog within a time; "" if there is none.
	ended := false
	read := func(wait time.Duration) string {
		late := time.After(wait)
		for {
			select {
			case l, open := <-lines:
				if !open {
					ended = true
					return ""
				}
				if strings.HasPrefix(l, "~") {
					return l
				}
				other = append(other, l)
			case <-late:
				return ""
			}
		}
	}
	ready := n // names no statement
	conn.Write([]byte(languageRequest(ready)))
	for tries := 0; read(100*time.Millisecond) == ""; tries++ {
		if ended || tries > 100 {
			return nil, fmt.Errorf("%s does not start:\n%s", kamailioPath, strings.Join(other, "\n"))
		}
		conn.Write([]byte(languageRequest(ready)))
	}
	answers := make([]string, n)
	for i := range answers {
		conn.Write([]byte(languageRequest(i)))
		conn.Write([]byte(languageRequest(ready)))
		var said []string
		for mine := false; ; {
			l := read(10 * time.Second)
			if l == "" {
				t.Fatalf("statement %d: no line:\n%s", i, strings.Join(other, "\n"))
			}
			if l = l[1:]; l == fmt.Sprintf("item %d", i) {
				mine, said = true, nil
			} else if mine && strings.HasPrefix(l, "item ") {
				break
			} else if mine {
				said = append(said, l)
			}
		}
		answers[i] = strings.Join(said, "|")
	}
	return answers, nil
}
