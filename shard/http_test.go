package shard

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"viaduct/netio"
	"viaduct/netio/stream"
	"viaduct/shard/modules"
	"viaduct/shard/route"
	"viaduct/shard/route/command"
	"viaduct/shm"
)

const httpModules = `loadmodule "tm.so" loadmodule "sl.so" loadmodule "pv.so" loadmodule "xlog.so"
loadmodule "textops.so" loadmodule "kex.so" loadmodule "siputils.so" loadmodule "tcpops.so"
loadmodule "xhttp.so" loadmodule "nathelper.so" loadmodule "websocket.so"
`

// httpScript is played by both servers. What it sees of a request it answers with.
const httpScript = `request_route { sl_send_reply("200", "SIP"); exit; }
event_route[websocket:closed] { xlog("L_ERR", "closed $si $rm\n"); }
event_route[xhttp:request] {
	if ($hu =~ "^/see") {
		xhttp_reply("200", "Seen", "text/x", "$rm|$hu|$rv|$si|$pr|$rb|$cl|$cT|$hdr(Host)|$ua|$ci|$cs|$ml|$du|$rmid");
	} else if ($hu =~ "^/via") {
		$var(v) = $hdr(Via) == "SIP/2.0/TCP " + $si + ":" + $sp;
		xhttp_reply("200", "OK", "", "$var(v)");
	} else if ($hu =~ "^/url") {
		$var(p) = $(hu{url.path}); $var(q) = $(hu{url.querystring});
		xhttp_reply("200", "OK", "", "[$var(p)][$var(q)]");
	} else if ($hu == "/sl") {
		$var(r) = sl_send_reply("404", "Nope"); xlog("L_ERR", "sl $var(r)\n");
	} else if ($hu == "/send") {
		send_reply("503", "Later");
	} else if ($hu == "/rows") {
		append_to_reply("X-A: b\r\n"); append_to_reply("X-C: d\r\n");
		xhttp_reply("201", "Made It", "text/html", "<p>");
	} else if ($hu == "/twice") {
		xhttp_reply("200", "OK", "", "1"); $var(r) = xhttp_reply("200", "OK", "", "2");
		xlog("L_ERR", "twice $var(r)\n");
	} else if ($hu == "/empty") {
		xhttp_reply(200, "OK", "", "");
	} else if ($hu == "/kind") {
		xhttp_reply("200", "OK", "text/plain", "");
	} else if ($hu == "/noreason") {
		$var(e) = ""; $var(r) = xhttp_reply("200", "$var(e)", "", "x"); xhttp_reply("500", "Result $var(r)", "", "");
	} else if ($hu == "/textcode") {
		$var(c) = "200"; $var(r) = xhttp_reply("$var(c)", "OK", "", "x"); xhttp_reply("500", "Result $var(r)", "", "");
	} else if ($hu == "/code") {
		$var(c) = 299; xhttp_reply("$var(c)", "Computed", "", "x");
	} else if ($hu == "/range") {
		$var(c) = 700; $var(r) = xhttp_reply("$var(c)", "OK", "", "x"); xhttp_reply("500", "Result $var(r)", "", "");
	} else if ($hu == "/line") {
		$var(q) = "A\r\nX-B: c"; $var(r) = xhttp_reply("200", "$var(q)", "", "x");
		if ($var(r) < 0) xhttp_reply("500", "Refused", "", "");
	} else if ($hu == "/relay") {
		$var(r) = t_relay(); xhttp_reply("500", "Result $var(r)", "", "");
	} else if ($hu == "/forward") {
		$var(r) = forward(); xhttp_reply("500", "Result $var(r)", "", "");
	} else if ($hu == "/close") {
		set_reply_close(); xhttp_reply("200", "OK", "", "bye");
	} else if ($hu == "/ws") {
		set_reply_close(); append_to_reply("X-A: b\r\n");
		if (ws_handle_handshake()) { xlog("L_ERR", "handshake\n"); exit; }
		xlog("L_ERR", "goes on\n");
	} else if ($hu == "/exit") {
		exit;
	}
}
`

const wsRows = "Upgrade: websocket\nConnection: keep-alive, Upgrade\nSec-WebSocket-Version: 13\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Protocol: sip\n"

// httpCases are a request, what comes back, and where Kamailio has something else, that. Rows that
// say who answers are left out: Server, and Kamailio's Sia. "(open)" says that the connection stays.
var httpCases = []struct{ request, want, theirs string }{
	{get("/see?x=1"), ok("Seen", "GET|/see?x=1|HTTP/1.1|127.0.0.1|tcp||<null>|<null>|a|<null>|<null>|<null>|68|<null>|32768",
		"Content-Type: text/x\n"), ""},
	{"POST /see HTTP/1.1\nHost: a\nUser-Agent: u\nContent-Type: text/y\nContent-Length: 3\n\nabc", ok("Seen",
		"POST|/see|HTTP/1.1|127.0.0.1|tcp|abc|3|text/y|a|u|<null>|<null>|124|<null>|65536", "Content-Type: text/x\n"), ""},
	{"BREW /see HTTP/1.1\nHost: a\n\n", ok("Seen",
		"BREW|/see|HTTP/1.1|127.0.0.1|tcp||<null>|<null>|a|<null>|<null>|<null>|65|<null>|524288",
		"Content-Type: text/x\n"), ""},
	{"GET /via HTTP/1.1\nHost: a\nVia: 1.1 b\n\n", ok("OK", "1", ""), ""},
	{get("/url"), ok("OK", "[/url][]", ""), ""},
	{get("/url?"), ok("OK", "[/url][]", ""), ""},
	{get("/url?a?b#c"), ok("OK", "[/url][a?b#c]", ""), ""},
	{get("/sl"), "HTTP/1.1 404 Nope\nContent-Length: 0\n\n(open)", ""},
	{get("/send"), "HTTP/1.1 503 Later\nContent-Length: 0\n\n(open)", ""},
	{get("/rows"), "HTTP/1.1 201 Made It\nX-A: b\nX-C: d\nContent-Type: text/html\nContent-Length: 3\n\n<p>(open)", ""},
	{get("/twice"), ok("OK", "1", ""), ""},
	{get("/empty"), ok("OK", "", ""), ""},
	{get("/kind"), ok("OK", "", "Content-Type: text/plain\n"), ""},
	{get("/noreason"), "HTTP/1.1 500 Result -1\nContent-Length: 0\n\n(open)", ""},
	// a text is its number
	{get("/textcode"), ok("OK", "x", ""), "HTTP/1.1 500 Result -1\nContent-Length: 0\n\n(open)"},
	{get("/code"), "HTTP/1.1 299 Computed\nContent-Length: 1\n\nx(open)", ""},
	{get("/range"), "HTTP/1.1 500 Result -1\nContent-Length: 0\n\n(open)",
		"HTTP/1.1 700 OK\nContent-Length: 1\n\nxHTTP/1.1 500 Result 1\nContent-Length: 1\n\nx(open)"},
	{get("/relay"), "HTTP/1.1 500 Result -1\nContent-Length: 0\n\n(open)",
		"HTTP/1.1 500 Result -9\nContent-Length: 0\n\n(open)"},
	{get("/forward"), "HTTP/1.1 500 Result -1\nContent-Length: 0\n\n(open)", ""},
	{get("/empty") + get("/twice"), strings.TrimSuffix(ok("OK", "", ""), "(open)") + ok("OK", "1", ""), ""},
	{get("/close"), "HTTP/1.1 200 OK\nConnection: close\nContent-Length: 3\n\nbye",
		"HTTP/1.1 200 OK\nContent-Length: 3\n\nbye"},
	// RFC 9110 §5.5: no line end in what the script hands over
	{get("/line"), "HTTP/1.1 500 Refused\nContent-Length: 0\n\n(open)",
		"HTTP/1.1 200 A\nX-B: c\nContent-Length: 1\n\nx(open)"},
	// nobody waits for what does not come
	{get("/exit"), "", "(open)"},
	// RFC 9110 §9.3.2
	{"HEAD /rows HTTP/1.1\nHost: a\n\n", "HTTP/1.1 201 Made It\nX-A: b\nX-C: d\nContent-Type: text/html\n" +
		"Content-Length: 3\n\n(open)", "HTTP/1.1 201 Made It\nX-A: b\nX-C: d\nContent-Type: text/html\n" +
		"Content-Length: 3\n\n<p>(open)"},
	// RFC 9110 §6.2, RFC 9112 §9.3
	{"GET /empty HTTP/1.0\n\n", "HTTP/1.1 200 OK\nConnection: close\nContent-Length: 0\n\n", ""}, // no Host: none there
	{"GET /empty HTTP/1.1\nHost: a\nConnection: close\n\n", "HTTP/1.1 200 OK\nConnection: close\nContent-Length: 0\n\n",
		ok("OK", "", "")},
	// RFC 9112 §3.2, §5.2, §6.1
	{"GET /empty HTTP/1.1\nHost: a\nHost: b\n\n", "HTTP/1.1 400 Bad Request\nConnection: close\nContent-Length: 0\n\n",
		ok("OK", "", "")},
	{"GET /empty HTTP/1.1\nHost: a\nX: b\n c\n\n", "HTTP/1.1 400 Bad Request\nConnection: close\n" +
		"Content-Length: 0\n\n", ok("OK", "", "")},
	{"GET /empty HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n0\n\n", "HTTP/1.1 411 Length Required\n" +
		"Connection: close\nContent-Length: 0\n\n", "-"},
	// the order of rows is ours
	{"GET /ws HTTP/1.1\nHost: a\n" + wsRows + "\n", "HTTP/1.1 101 Switching Protocols\nX-A: b\nUpgrade: websocket\n" +
		"Connection: Upgrade\nSec-WebSocket-Protocol: sip\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n\n(open)",
		"HTTP/1.1 101 Switching Protocols\nX-A: b\nSec-WebSocket-Protocol: sip\nUpgrade: websocket\n" +
			"Connection: upgrade\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\nContent-Length: 0\n\n(open)"},
}

func get(target string) string { return "GET " + target + " HTTP/1.1\nHost: a\n\n" }

func ok(reason, body, rows string) string {
	return fmt.Sprintf("HTTP/1.1 200 %s\n%sContent-Length: %d\n\n%s(open)", reason, rows, len(body), body)
}

var whoAnswers = regexp.MustCompile(`(?m)^(Server|Sia): .*\n`)

// askHTTP sends a request over a connection of its own, and waits a moment for more.
func askHTTP(t *testing.T, addr, request string, patience time.Duration) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(strings.ReplaceAll(request, "\n", "\r\n"))); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
	all, err := io.ReadAll(c)
	got := whoAnswers.ReplaceAllString(strings.ReplaceAll(string(all), "\r\n", "\n"), "")
	if ne, late := err.(net.Error); late && ne.Timeout() {
		got += "(open)"
	}
	return got
}

// startHTTP is a server with a listener of TCP, and of WebSocket by it.
func startHTTP(t *testing.T, script string, list []route.Declared, log io.Writer) (*Server, string) {
	t.Helper()
	return startHTTPWith(t, script, list, log, nil)
}

func startHTTPWith(t *testing.T, script string, list []route.Declared, log io.Writer,
	commands command.Caller) (*Server, string) {
	t.Helper()
	p, set, _, err := route.Load("x.cfg", []byte(script), route.Options{Modules: list})
	if err != nil {
		t.Fatal(err)
	}
	any := netip.MustParseAddrPort("127.0.0.1:0")
	s, err := Start(Config{Shards: 2, Program: p, Settings: set, Steer: netio.SteerOff, Commands: commands,
		Streams: stream.Config{Listeners: []stream.Listen{
			{Proto: netio.TCP, Addr: any, AllowWS: true, WSListener: 1}, {Proto: netio.WS, Addr: any}}},
		Arena: shm.Config{Bytes: 64 << 20}, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s, s.Streams().Listeners()[0].Addr.String()
}

// TestHTTP has a real server answer HTTP. With VIADUCT_CASES=kamailio in the environment Kamailio is
// asked the same.
func TestHTTP(t *testing.T) {
	log := &lines{}
	s, addr := startHTTP(t, httpModules+httpScript, modules.All, log)
	theirs := ""
	if os.Getenv("VIADUCT_CASES") == "kamailio" {
		theirs = kamailioHTTP(t)
	}
	for _, c := range httpCases {
		if got := askHTTP(t, addr, c.request, 100*time.Millisecond); got != c.want {
			t.Errorf("%q\n got %q\nwant %q", c.request, got, c.want)
		}
		if theirs == "" || c.theirs == "-" || strings.Contains(c.request, "HTTP/1.0") {
			continue
		}
		want := c.theirs
		if want == "" && c.want != "" {
			want = c.want
		}
		if got := askHTTP(t, theirs, c.request, 300*time.Millisecond); got != want {
			t.Errorf("Kamailio: %q\n got %q\nwant %q", c.request, got, want)
		}
	}
	for _, line := range []string{"sl 1", "twice -1", "handshake", "closed 127.0.0.1 OPTIONS"} {
		for end := time.Now().Add(5 * time.Second); log.count(line) == 0 && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		if n := log.count(line); n == 0 {
			t.Errorf("the log has no %q", line)
		}
	}
	if got := askHTTP(t, addr, "GET /ws HTTP/1.1\nHost: a\n"+strings.Replace(wsRows, "13", "12", 1)+"\n",
		time.Second); !strings.HasPrefix(got, "HTTP/1.1 426 Upgrade Required\nX-A: b\nConnection: close") ||
		strings.HasSuffix(got, "(open)") || log.count("goes on") != 0 {
		t.Errorf("a bad handshake: %q", got)
	}
	sip := "OPTIONS sip:a@b SIP/2.0\nVia: SIP/2.0/TCP 1.2.3.4;branch=z9hG4bKx\nFrom: <sip:a@b>;tag=1\n" +
		"To: <sip:b@b>\nCall-ID: 1\nCSeq: 1 OPTIONS\nMax-Forwards: 9\nContent-Length: 0\n\n"
	if got := askHTTP(t, addr, get("/empty")+sip, 200*time.Millisecond); !strings.Contains(got, "\n\nSIP/2.0 200 SIP\n") {
		t.Errorf("SIP behind HTTP: %q", got)
	}
	all := s.Stats()
	if in, left := all[0].Value("http_requests")+all[1].Value("http_requests"),
		all[0].Value("http_unanswered")+all[1].Value("http_unanswered"); in < 30 || left != 1 {
		t.Errorf("%d requests are counted, %d without an answer", in, left)
	}
	p, set, _, err := route.Load("x.cfg", []byte("request_route { exit; }"), route.Options{Modules: modules.All})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(Next{Program: p, Settings: set}); err != nil {
		t.Fatal(err)
	}
	if got := askHTTP(t, addr, get("/empty"), time.Second); strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("without the route: %q", got)
	}
}

// TestHTTPFilter: url_match and url_skip say what the script sees.
func TestHTTPFilter(t *testing.T) {
	_, addr := startHTTP(t, `loadmodule "xhttp.so" modparam("xhttp", "url_match", "^/(a|b)")
modparam("xhttp", "url_skip", "c$") request_route { exit; }
event_route[xhttp:request] { xhttp_reply("200", "OK", "", ""); }`, modules.All, io.Discard)
	f := func(target string, code string) {
		t.Helper()
		if got := askHTTP(t, addr, get(target), 50*time.Millisecond); !strings.HasPrefix(got, "HTTP/1.1 "+code+" ") {
			t.Errorf("%s: %q, want %s", target, got, code)
		}
	}
	f("/a", "200")
	f("/bd", "200")
	f("/bc", "404")
	f("/d", "404")
}

// TestHTTPWaits: a run that waits is parked, a panic is a 500, and both leave the connection usable.
func TestHTTPWaits(t *testing.T) {
	define := func(m *route.Module) {
		route.Func0(m, "burst", route.Anywhere, "Panics.", func(*route.Ctx) route.Result { panic("of a module") })
	}
	list := append([]route.Declared{{Name: "clock", Define: define}}, modules.All...)
	s, addr := startHTTP(t, `loadmodule "xhttp.so" loadmodule "clock.so" loadmodule "pv.so" loadmodule "cfgutils.so"
request_route { exit; }
event_route[xhttp:request] {
	$var(a) = "kept";
	if ($hu == "/sleep") { usleep("30000"); xhttp_reply("200", "Slept", "", "$var(a) $hu $hdr(Host)"); exit; }
	if ($hu == "/burst") burst();
	while (1) { $var(b) = $var(b) + 1; while (1) { while (1) { while (1) { $var(c) = 1; } } } }
}`, list, &lines{})
	got := askHTTP(t, addr, get("/sleep")+get("/burst")+get("/sleep"), 400*time.Millisecond)
	slept := "HTTP/1.1 200 Slept\nContent-Length: 13\n\nkept /sleep a"
	want := slept + "HTTP/1.1 500 Server Internal Error\nContent-Length: 0\n\n" + slept + "(open)"
	if got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if got := askHTTP(t, addr, get("/loop"), 2*time.Second); !strings.HasPrefix(got, "HTTP/1.1 500 Server Error\n") {
		t.Errorf("without an end: %q", got)
	}
	if n := s.Stats()[0].Value("panics") + s.Stats()[1].Value("panics"); n != 1 {
		t.Errorf("%d panics are counted", n)
	}
}

// kamailioHTTP starts Kamailio with the script, and gives its address.
func kamailioHTTP(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "kamailio.cfg")
	cfg := "debug=0\nlog_stderror=yes\nchildren=1\ntcp_children=1\ntcp_accept_no_cl=yes\nlisten=tcp:" + addr + "\n" +
		httpModules + httpScript
	if err := os.WriteFile(file, []byte(cfg), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("kamailio", "-f", file, "-DD", "-E", "-m", "64", "-M", "8", "-w", dir, "-Y", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); _ = cmd.Wait() })
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return addr
		}
		if time.Now().After(end) {
			t.Fatal("Kamailio does not listen")
		}
	}
}

// TestJSONRPC: commands come by HTTP, and from the script.
func TestJSONRPC(t *testing.T) {
	hold := make(chan struct{})
	call := func(method string, words []string) ([]byte, *command.Fault) {
		switch method {
		case "core.echo":
			return []byte(`["` + strings.Join(words, `","`) + `"]` + "\n"), nil
		case "core.wait":
			<-hold
			return []byte("1"), nil
		case "core.burst":
			panic("of a command")
		}
		return nil, command.Faultf(404, "method %q not found", method)
	}
	_, addr := startHTTPWith(t, `loadmodule "xhttp.so" loadmodule "pv.so" loadmodule "jsonrpcs.so"
loadmodule "xhttp_rpc.so" request_route { exit; }
event_route[xhttp:request] {
	if ($hu == "/pages") { dispatch_xhttp_rpc(); exit; }
	if ($hu == "/exec") {
		$var(r) = jsonrpc_exec("$rb");
		xhttp_reply("200", "OK", "", "$var(r) $jsonrpl(code) $jsonrpl(text) $jsonrpl(body)");
		exit;
	}
	if (!jsonrpc_dispatch()) xhttp_reply("400", "No JSON", "", "");
}`, modules.All, io.Discard, call)
	post := func(target, body string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\nHost: a\nContent-Length: %d\n\n%s", target, len(body), body)
	}
	f := func(request, want string) {
		t.Helper()
		if got := askHTTP(t, addr, request, 200*time.Millisecond); got != want {
			t.Errorf("%q\n got %q\nwant %q", request, got, want)
		}
	}
	answer := func(status, body string) string {
		return fmt.Sprintf("HTTP/1.1 %s\nContent-Type: application/json\nContent-Length: %d\n\n%s", status, len(body), body)
	}
	echo := func(id string) (string, string) {
		return post("/", `{"jsonrpc":"2.0","method":"core.echo","params":["a",5],"id":`+id+`}`),
			answer("200 OK", "{\n\t\"jsonrpc\":\t\"2.0\",\n\t\"result\":\t[\"a\", \"5\"],\n\t\"id\":\t"+id+"\n}")
	}
	ask1, got1 := echo("1")
	ask2, got2 := echo(`"two"`)
	f(ask1+ask2, got1+got2+"(open)") // in turn, though others answer
	f(post("/", `{"jsonrpc":"2.0","method":"no.such","id":1}`), answer(`404 method "no.such" not found`,
		"{\n\t\"jsonrpc\":\t\"2.0\",\n\t\"error\":\t{\n\t\t\"code\":\t404,\n\t\t\"message\":\t\"method \\\"no.such\\\" "+
			"not found\"\n\t},\n\t\"id\":\t1\n}")+"(open)")
	f(post("/", "nothing"), "HTTP/1.1 400 No JSON\nContent-Length: 0\n\n(open)")
	if got := askHTTP(t, addr, post("/", `{"method":"core.echo"}`), 200*time.Millisecond); !strings.HasPrefix(got,
		"HTTP/1.1 400 ") {
		t.Errorf("no version: %q", got)
	}
	if got := askHTTP(t, addr, post("/", `{"jsonrpc":"2.0","method":"core.burst"}`), 200*time.Millisecond); !strings.
		HasPrefix(got, "HTTP/1.1 500 The command failed: of a command\n") {
		t.Errorf("a panic: %q", got)
	}
	f(post("/exec", `{"jsonrpc":"2.0","method":"core.echo","params":["a"]}`), ok("OK",
		"1 200 OK {\n\t\"jsonrpc\":\t\"2.0\",\n\t\"result\":\t[\"a\"]\n}", ""))
	if got := askHTTP(t, addr, post("/exec", `{"jsonrpc":"2.0","method":"x"}`), 200*time.Millisecond); !strings.Contains(
		got, "1 404 method \"x\" not found {") {
		t.Errorf("exec of no command: %q", got)
	}
	if got := askHTTP(t, addr, post("/exec", `nothing`), 200*time.Millisecond); !strings.Contains(got, "\n\n-1 ") {
		t.Errorf("exec of no JSON: %q", got)
	}
	if got := askHTTP(t, addr, get("/pages"), 200*time.Millisecond); !strings.HasPrefix(got,
		"HTTP/1.1 501 Not Implemented\n") {
		t.Errorf("pages: %q", got)
	}
	// more at once than there is room for
	var conns []net.Conn
	for range 16 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = c.Write([]byte(strings.ReplaceAll(post("/", `{"jsonrpc":"2.0","method":"core.wait"}`), "\n", "\r\n")))
		conns = append(conns, c)
	}
	for end := time.Now().Add(10 * time.Second); ; {
		got := askHTTP(t, addr, ask1, 100*time.Millisecond)
		if strings.HasPrefix(got, "HTTP/1.1 503 ") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the seventeenth: %q", got)
		}
	}
	close(hold)
	for _, c := range conns {
		b := make([]byte, 12)
		if _, err := io.ReadFull(c, b); err != nil || string(b) != "HTTP/1.1 200" {
			t.Fatalf("%q, %v", b, err)
		}
	}
}
