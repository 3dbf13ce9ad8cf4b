package moduletest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Wire plays a file of what scripts do to messages. Blocks are parted by empty lines. One that
// begins with "message" is the message of those that follow; the lines behind it are its rows, and
// its body stands behind a line with nothing but a dot, with ~ for a line that is empty. Any other
// has statements of a request_route in its first line, what is sent on in its second and, where
// Kamailio 5.6 sends something else, that in its third. Lines that begin with # say why.
//
// What is sent is written as what is left of the message: 0-3 are its rows as they came, counted
// from 0, the first line included, and rows that are new or changed stand in brackets. A + is the
// end of the headers, and what follows the body: "=" if it is as it came. Via rows that are new and
// Max-Breadth are left out. In front of it stands what the last function gave. The listener is
// 127.0.0.1:US, in the messages too.
//
// With VIADUCT_CASES=kamailio in the environment an installed Kamailio plays the file too, and with
// VIADUCT_CASES=update lines that are missing are filled with what Kamailio sends, for you to
// judge.
func (b *Bench) Wire(file string) {
	b.t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		b.t.Fatal(err)
	}
	blocks := strings.Split(strings.TrimRight(string(text), "\n"), "\n\n")
	var cases []wireCase
	message := Request
	for i, block := range blocks {
		if rest, ok := strings.CutPrefix(block, "message\n"); ok {
			message = wireMessage(rest)
			continue
		}
		var lines []string
		for _, l := range strings.Split(block, "\n") {
			if !strings.HasPrefix(l, "#") {
				lines = append(lines, l)
			}
		}
		if len(lines) == 0 {
			continue
		}
		lines = append(lines, "", "")
		c := wireCase{block: i, script: lines[0], message: message, want: lines[1],
			theirs: lines[2]}
		if c.theirs == "" {
			c.theirs = c.want
		}
		cases = append(cases, c)
	}
	var theirs []string
	how := os.Getenv("VIADUCT_CASES")
	if how != "" {
		theirs = b.wireKamailio(cases)
	}
	for i := range cases {
		c := &cases[i]
		if how == "update" && c.want == "" {
			blocks[c.block] += "\n" + theirs[i]
			continue
		}
		got := b.wireOurs(c)
		if c.want == "refused" && strings.HasPrefix(got, "refused: ") {
			got = c.want // the message does not matter
		}
		if got != c.want {
			b.t.Errorf("%s\n got %s\nwant %s", c.script, got, c.want)
		}
		if theirs != nil && theirs[i] != c.theirs {
			b.t.Errorf("%s\nKamailio has %s\n        want %s", c.script, theirs[i], c.theirs)
		}
	}
	if how == "update" {
		if err := os.WriteFile(file, []byte(strings.Join(blocks, "\n\n")+"\n"), 0o644); err != nil {
			b.t.Fatal(err)
		}
	}
}

// wireUs stands in a file for the listener that the message comes by.
const wireUs = "127.0.0.1:US"

type wireCase struct {
	block                         int
	script, message, want, theirs string
}

// wireMessage is a message of the file with its line ends.
func wireMessage(block string) string {
	head, body, _ := strings.Cut(block+"\n", "\n.\n")
	body = strings.ReplaceAll(strings.TrimSuffix(body, "\n"), "\n~\n", "\n\n")
	return strings.ReplaceAll(strings.TrimRight(head, "\n"), "\n", "\r\n") + "\r\n\r\n" +
		strings.ReplaceAll(body, "\n", "\r\n")
}

// wireOurs is what leaves here.
func (b *Bench) wireOurs(c *wireCase) string {
	b.Message(strings.ReplaceAll(c.message, wireUs, string(b.Listeners[0].SentBy)))
	if _, _, err := b.Load("request_route { $du = \"sip:127.0.0.1:7000\"; " + c.script +
		"\n}"); err != nil {
		return "refused: " + err.Error()
	}
	b.Run("$du = \"sip:127.0.0.1:7000\";\n" + c.script +
		"\n$var(r) = $rc; append_hf(\"X-Rc: $var(r)\\r\\n\"); forward();")
	if len(b.Sent) == 0 {
		return "nothing"
	}
	return wireShape(c.message, string(b.Sent[len(b.Sent)-1].Text), string(b.Listeners[0].SentBy))
}

// wireShape tells what is left of a message in what was sent. us is the listener it came by.
func wireShape(was, sent, us string) string {
	sent = strings.ReplaceAll(sent, us, wireUs)
	split := func(s string) (rows []string, body string) {
		head, body, _ := strings.Cut(s, "\r\n\r\n")
		return strings.Split(head, "\r\n"), body
	}
	old, oldBody := split(was)
	rows, body := split(sent)
	for strings.HasPrefix(body, "X-Rc: ") { // a row that a broken edit has put there
		_, body, _ = strings.Cut(body, "\r\n\r\n")
	}
	var out []string
	rc := ""
	next, first, last := 0, -1, -1
	flush := func() {
		switch {
		case first < 0:
		case first == last:
			out = append(out, strconv.Itoa(first))
		default:
			out = append(out, fmt.Sprintf("%d-%d", first, last))
		}
		first = -1
	}
	for _, row := range rows {
		if v, ok := strings.CutPrefix(row, "X-Rc: "); ok {
			rc = v
			continue
		}
		if strings.HasPrefix(row, "Via: ") && strings.Contains(row, " 127.0.0.1") &&
			!strings.Contains(was, row) {
			continue
		}
		if strings.HasPrefix(row, "Max-Breadth: ") {
			continue // RFC 5393, which Kamailio does not know
		}
		at := -1
		for i := next; i < len(old); i++ {
			if old[i] == row || strings.HasPrefix(row, "Max-Forwards:") &&
				strings.HasPrefix(old[i], "Max-Forwards:") {
				at = i
				break
			}
		}
		if at < 0 {
			flush()
			s := strconv.QuoteToASCII(row)
			out = append(out, "["+strings.ReplaceAll(s[1:len(s)-1], `\"`, `"`)+"]")
			continue
		}
		if first >= 0 && at != last+1 {
			flush()
		}
		if first < 0 {
			first = at
		}
		last, next = at, at+1
	}
	flush()
	if body == oldBody {
		body = "="
	} else {
		body = strconv.QuoteToASCII(body)
	}
	return rc + ": " + strings.Join(append(out, "+", body), " ")
}

// wireKamailio is what leaves there.
func (b *Bench) wireKamailio(cases []wireCase) []string {
	b.t.Helper()
	catch, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	defer catch.Close()
	out := make([]string, len(cases))
	for i := range cases {
		out[i] = b.wireOne(b.t, catch, &cases[i])
	}
	return out
}

// wireOne plays one case, by a Kamailio of its own, since one that is refused ends them all.
func (b *Bench) wireOne(t testing.TB, catch net.PacketConn, c *wireCase) string {
	spare, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := spare.LocalAddr().String()
	spare.Close()
	var cfg strings.Builder
	cfg.WriteString("debug=0\nlog_stderror=yes\nchildren=1\nauto_bind_ipv6=0\ndns=no\n" +
		"rev_dns=no\nlisten=udp:" + at + "\n")
	loaded := map[string]bool{"moduletest": true}
	for _, m := range append([]string{"pv", "sl", "tm"}, b.names()...) {
		if !loaded[m] {
			cfg.WriteString("loadmodule \"" + m + ".so\"\n")
			loaded[m] = true
		}
	}
	if !loaded["textops"] {
		cfg.WriteString("loadmodule \"textops.so\"\n")
	}
	cfg.WriteString(b.Head + "\nrequest_route {\n" + c.script +
		"\n$var(r) = $rc; append_hf(\"X-Rc: $var(r)\\r\\n\");\n" +
		"$du = \"sip:" + catch.LocalAddr().String() + "\"; forward(); }\n")
	dir := t.TempDir()
	file := filepath.Join(dir, "k.cfg")
	if err := os.WriteFile(file, []byte(cfg.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "kamailio", "-x", "tlsf", "-X", "tlsf", "-m", "32", "-M", "4",
		"-f", file, "-DD", "-E", "-w", dir, "-Y", dir)
	// All its processes are ended at once: the children outlive the first one.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Start(); err != nil {
		t.Fatal("the comparison was asked for: ", err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	defer func() { cmd.Process.Signal(os.Interrupt); <-ended }()
	conn, err := net.Dial("udp4", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	buf := make([]byte, 1<<16)
	for { // what the one before has sent late
		catch.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, _, err := catch.ReadFrom(buf); err != nil {
			break
		}
	}
	for range 40 {
		select {
		case <-ended:
			return "refused"
		default:
		}
		conn.Write([]byte(strings.ReplaceAll(c.message, wireUs, at)))
		catch.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if n, _, err := catch.ReadFrom(buf); err == nil {
			sent := wireShape(c.message, string(buf[:n]), at)
			return samePort(sent, conn.LocalAddr().(*net.UDPAddr).Port)
		}
	}
	return "nothing"
}

// samePort writes the port that requests came from as that of [Bench.Source].
func samePort(shape string, port int) string {
	for _, form := range [...]string{"127.0.0.1:%d", "127.0.0.1~%d~"} {
		shape = strings.ReplaceAll(shape, fmt.Sprintf(form, port), fmt.Sprintf(form, 15998))
	}
	return shape
}

func (b *Bench) names() (names []string) {
	for _, m := range b.modules {
		names = append(names, m.Name)
	}
	return names
}
