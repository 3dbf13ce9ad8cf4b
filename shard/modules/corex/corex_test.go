package corex

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"viaduct/shard/ask"
	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/textops"
	"viaduct/shard/route"
)

func bench(t *testing.T) *moduletest.Bench {
	return moduletest.New(t, route.Declared{Name: "corex", Define: Define})
}

// TestBranches: what is added, and what is none.
func TestBranches(t *testing.T) {
	b := bench(t)
	for body, want := range map[string]int{
		`$var(r) = append_branch();`:                                      1,
		`$var(r) = append_branch("sip:c@d", "0.5");`:                      1,
		`$var(u) = "sip:c@d"; $var(r) = append_branch("$var(u)", "1");`:   1,
		`$var(u) = "c d"; $var(r) = append_branch("$var(u)");`:            -1,
		`$var(q) = "1.5"; $var(r) = append_branch("sip:c@d", "$var(q)");`: -1,
		`$var(q) = "x"; $var(r) = append_branch("sip:c@d", "$var(q)");`:   -1,
	} {
		if got := b.Value(body, "$var(r)"); got != map[int]string{1: "1", -1: "-1"}[want] {
			t.Errorf("%s is %s, want %d", body, got, want)
		}
	}
	for body, want := range map[string]string{
		`append_branch("c d");`: `append_branch: "c d" is no URI, and the call is -1`,
		`append_branch("sip:c@d", "2");`: `append_branch: q is "2"; it is a number from 0 to 1, ` +
			`as in "0.7", and the call is -1`,
	} {
		_, warns, err := b.Load("request_route { " + body + " }")
		if err != nil || !strings.Contains(fmt.Sprint(warns), want) {
			t.Errorf("%s gives %v, %v, want %s", body, warns, err, want)
		}
		if _, r := b.Run(body); r != -1 {
			t.Errorf("%s is %d, want -1", body, r)
		}
	}
}

// TestSockets: the listener that a message leaves by.
func TestSockets(t *testing.T) {
	b := bench(t)
	f := func(before, x, want string) {
		t.Helper()
		if got := b.Value(before, x); got != want {
			t.Errorf("%s %s is %s, want %s", before, x, got, want)
		}
	}
	l := b.Listeners[0]
	socket := "udp:" + l.Addr.String()
	f(`$var(r) = set_send_socket("`+socket+`");`, `"$var(r) $fs"`, "'1 "+socket+"'")
	f(`$var(s) = "`+socket+`"; $var(r) = set_send_socket("$var(s)");`, `"$var(r) $fs"`, "'1 "+socket+"'")
	f(`$var(r) = set_send_socket("udp:192.0.2.1:5060");`, `"$var(r) $fs"`, "'-1 <null>'")
	f(`$var(s) = ""; $var(r) = set_send_socket("$var(s)");`, `"$var(r) $fs"`, "'-1 <null>'")
	f(`$var(r) = set_send_socket_name("nobody");`, `"$var(r) $fsn"`, "'-1 <null>'")
	b.Fails(`set_send_socket("udp:a:0");`, `set_send_socket: "udp:a:0" is not proto:host:port`)
}

// TestCfg: where in the file the script stands, by the names of Kamailio 5.6.3.
func TestCfg(t *testing.T) {
	b := bench(t)
	f := func(before, x, want string) {
		t.Helper()
		if got := b.Value(before, x); got != want {
			t.Errorf("%s %s is %s, want %s", before, x, got, want)
		}
	}
	f("", "$cfg(line)", "4") // the line of see()
	f("\n$var(n) = $cfg(line);\n", "$var(n)", "4")
	f("", "$cfg(name)", "'x.cfg'")
	f("", "$cfg(route)", "'DEFAULT_ROUTE'")
	b.Fails(`$var(x) = $cfg(col);`, `$cfg(col): it is one of line, name and route`)

	p, _, err := b.Load(`request_route { route(SUB); } route[SUB] { if ($cfg(route) == "SUB") drop; }`)
	if err != nil {
		t.Fatal(err)
	}
	if o := p.Request(b.Ctx, b.Begin(b.Msg(), b.Source())); o != route.Dropped {
		t.Errorf("in route[SUB] $cfg(route) is another one: the run ended as %d", o)
	}
}

// TestAsKamailio holds the cases of testdata against Kamailio.
func TestAsKamailio(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "corex", Define: Define},
		route.Declared{Name: "textops", Define: textops.Define})
	b.Wire("testdata/flags.txt")
	bench(t).Check("testdata/sock.txt")
}

// TestSends: where copies and data go.
func TestSends(t *testing.T) {
	b := bench(t)
	f := func(body string, want int, to, text string) {
		t.Helper()
		_, got := b.Run(body)
		gotTo, gotText := "", ""
		if len(b.Sent) > 0 {
			last := b.Sent[len(b.Sent)-1]
			gotTo, gotText = last.To.Proto.String()+" "+last.To.AddrPort().String(), string(last.Text)
		}
		if got != want || gotTo != to || gotText != text {
			t.Errorf("%s is %d and sends %q to %s, want %d, %q, %s", body, got, gotText, gotTo, want, text, to)
		}
	}
	f(`send_udp("127.0.0.1:9060");`, 1, "UDP 127.0.0.1:9060", moduletest.Request)
	f(`send_tcp("127.0.0.1:9060");`, 1, "TCP 127.0.0.1:9060", moduletest.Request)
	f(`$du = "sip:127.0.0.1:9061;transport=tls"; send_udp();`, 1, "UDP 127.0.0.1:9061", moduletest.Request)
	f(`$var(h) = "127.0.0.1"; send_udp("$var(h)");`, 1, "UDP 127.0.0.1:5060", moduletest.Request)
	f(`$var(h) = "no host"; send_udp("$var(h)");`, -1, "", "")
	f(`send_udp("name.example.com");`, 1, "UDP 127.0.0.9:5060", moduletest.Request) // the bench's resolver
	f(`send_data("sip:127.0.0.1:9061;transport=tcp", "$rm");`, 1, "TCP 127.0.0.1:9061", "INVITE")
	f(`send_data("sips:127.0.0.1", "$rm");`, 1, "TLS 127.0.0.1:5061", "INVITE")
	f(`send_data("sip:127.0.0.1:9061", "");`, -1, "", "")
	f(`send_data("127.0.0.1:9061", "x");`, -1, "", "")
	f(`sendx("sip:127.0.0.1:9061", "udp:127.0.0.1:5060", "x");`, 1, "UDP 127.0.0.1:9061", "x")
	f(`sendx("sip:127.0.0.1:9061", "udp:127.0.0.1:1", "x");`, 1, "UDP 127.0.0.1:9061", "x")
	b.Deaf = true
	f(`send_udp("127.0.0.1:9060");`, -1, "", "")
	b.Deaf = false
	b.Fails(`send_udp("no host:");`, `send_udp: "no host:" is not proto:host:port`)
}

// TestNothingAllocated: what is on the path costs the heap nothing.
func TestNothingAllocated(t *testing.T) {
	b := bench(t)
	b.Quiet = true
	p, _, err := b.Load(`request_route { send_udp("127.0.0.1:9060"); send_data("sip:127.0.0.1:9061", "$rm");
		setxflag(3); isxflagset(3); via_add_srvid(1); set_source_address("1.2.3.4:5");
		$var(x) = $(lsock(l/udp:127.0.0.1:5060/listen){sock.touri}); is_faked_msg(); }`)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		p.Request(b.Ctx, b.Begin(b.Msg(), b.Source()))
		b.Core.Release()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestFiles: what is read and written, and what is refused.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	ask1 := func(how byte, path, content string) (text string, err error) {
		done := make(chan [2]uint64, 1)
		u := ask.NewQueue(1, func(slot uint32, number uint64) { done <- [2]uint64{uint64(slot), number} })
		var q ask.Question
		disk{make(chan struct{}, 1)}.ask(&q, how, []byte(path), []byte(content))
		if err := u.Send(&q, u.Number(), ask.Waiter{}); err != nil {
			t.Fatal(err)
		}
		at := <-done
		x := u.Answered(uint32(at[0]), at[1])
		return string(x.Answer.Text()), x.Answer.Err
	}
	f := func(how byte, path, content, want string, fails bool) {
		t.Helper()
		if got, err := ask1(how, path, content); got != want || (err != nil) != fails {
			t.Errorf("%c %s gives %q, %v", how, path, got, err)
		}
	}
	f('w', dir+"/a", "one\r\ntwo", "", false)
	f('r', dir+"/a", "", "one\r\ntwo", false)
	f('w', dir+"/a", "", "", false)
	f('r', dir+"/a", "", "", false)
	f('r', dir+"/none", "", "", true)
	f('w', dir+"/none/b", "x", "", true)
	f('r', dir, "", "", true)
	f('w', dir, "x", "", true)
	f('r', "/dev/zero", "", "", true)
	if err := os.WriteFile(dir+"/long", make([]byte, ask.AnswerBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	f('r', dir+"/long", "", "", true)
	if (disk{make(chan struct{})}).Ask(nil) {
		t.Error("a question is taken although too many are under way")
	}

	b := bench(t)
	if _, got := b.Run(`file_read("` + dir + `/a", "$var(x)");`); got != -1 {
		t.Errorf("where nothing can wait file_read is %d", got)
	}
	if want := []string{"file_read: " + dir + "/a: nothing can wait here"}; !slices.Equal(b.Lines, want) {
		t.Errorf("logged: %q, want %q", b.Lines, want)
	}
}

// TestSubdomains: what alias_subdomains takes.
func TestSubdomains(t *testing.T) {
	b := bench(t)
	b.Head = `modparam("corex", "alias_subdomains", "a b")`
	b.Fails("exit;", `corex.alias_subdomains is "a b"; it is written proto:domain:port, as in "example.com" or `+
		`"udp:example.com:5060"`)
}
