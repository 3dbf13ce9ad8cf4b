package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// binary is the program under test, built once as `make build` builds it.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "viaduct-cmd-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "viaduct")
	build := exec.Command("go", "build", "-buildvcs=false", "-ldflags", "-X main.commit=0123456789ab", "-o", binary,
		".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot build the program under test: %v\n%s", err, out)
		os.Exit(1)
	}
	// Other users run it too.
	os.Chmod(dir, 0o755)
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// result is how a run of the program ended.
type result struct {
	stdout, stderr string
	code           int
}

func runBinary(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v", args, err)
	}
	if ctx.Err() != nil {
		t.Fatalf("%v: still running after 20 s", args)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// writeConfig puts a configuration file into a folder of the test's.
func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.cfg")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// ports are those that freePort has still to give: below the range from which the kernel picks, and
// away from those of README and of package outside, whose tests run at the same time.
var ports struct {
	sync.Mutex
	next int
}

// freePort gives a port that nobody has, over UDP and TCP, and gives none twice.
func freePort(t *testing.T) string {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	if ports.next == 0 {
		ports.next = 11000 + rand.IntN(3000)
	}
	for range 1000 {
		if ports.next++; ports.next > 14900 {
			ports.next = 11000
		}
		port := fmt.Sprint(ports.next)
		u, err := net.ListenPacket("udp", ":"+port)
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", ":"+port)
		u.Close()
		if err != nil {
			continue
		}
		l.Close()
		return port
	}
	t.Fatal("no free port found")
	return ""
}

const goodConfig = `#!KAMAILIO
listen=udp:127.0.0.1:5066
alias="sip.example.com"
request_route {
	exit;
}
`

const badConfig = `#!KAMAILIO
listen=udp:127.0.0.1:5066
no_such_parameter=1
loadmodule "no_such_module.so"
request_route {
	no_such_function();
	exit;
}
`

func TestCommandLine(t *testing.T) {
	good, bad := writeConfig(t, goodConfig), writeConfig(t, badConfig)
	// f runs the program and wants the exit code and a pattern in each stream; an empty pattern
	// wants nothing there.
	f := func(args string, code int, stdout, stderr string) {
		t.Helper()
		r := runBinary(t, "", strings.Fields(args)...)
		for _, stream := range []struct{ name, text, want string }{{"stdout", r.stdout, stdout},
			{"stderr", r.stderr, stderr}} {
			if stream.want == "" && stream.text != "" || !regexp.MustCompile(stream.want).MatchString(stream.text) {
				t.Errorf("viaduct %s: %s is %q, want %q", args, stream.name, stream.text, stream.want)
			}
		}
		if r.code != code {
			t.Errorf("viaduct %s: exit code %d, want %d", args, r.code, code)
		}
	}
	f("-h", 0, `(?s)^version: viaduct .*Usage: viaduct \[options\].*\n  -x path `, "")
	f("-h -f /nonexistent", 0, `Usage`, "")
	f("-V", 0, `^version: viaduct \d+\.\d+\.\d+ \(\w+/linux\) 0123456789ab\n`, "")
	f("-v", 0, `^version: viaduct \d+\.\d+\.\d+ \(\w+/linux\) 0123456789ab\n`, "") // not a daemon
	f("-I", 0, `^version: `, "")
	f("-V -Z", 0, `^version: `, "")
	f("-Z -V", 255, "", `^Unknown option '-Z'\. Use -h for help\.\n$`)
	f("-f", 255, "", `^Option '-f' requires an argument\. Use -h for help\.\n$`)
	f("extra", 255, "", `Unexpected argument 'extra'`)

	f("-c -f "+good, 0, `(?s)Listening on\n  udp:127\.0\.0\.1:5066\nAliases:\n  \S*sip\.example\.com\S*\nconfig file ok`, "")
	f("-c -l udp:127.0.0.1:5067 -f "+good, 0, `(?s)udp:127\.0\.0\.1:5066\n  udp:127\.0\.0\.1:5067\n`, "")
	f("-c -l udp:127.0.0.1:5067/sip.example.net:5060 -f "+good, 0,
		`udp:127\.0\.0\.1:5067 advertise sip\.example\.net:5060\n`, "")
	f("-c -l 127.0.0.1:5066 -f "+good, 0, `Listening on`, `listed more than once`)
	f("-c -l tcp:127.0.0.1:5067 -f "+good, 0, `tcp:127\.0\.0\.1:5067`, ``)
	f("-c", 0, `config file ok`, "")
	// All errors, with their places, not just the first one.
	f("-c -f "+bad, 255, "",
		`(?s):3:\d+: .*no_such_parameter.*:4:\d+: .*no_such_module.*:6:\d+: .*no_such_function.*errors, `+
			`configuration is not usable\n$`)
	// Those of the command line too.
	f("-c -n x -b y -l 127.0.0.1:x -f "+bad, 255, "", `(?s)no_such_function.*-n x.*-b y.*-l 127\.0\.0\.1:x`)
	f("-D -E -f "+bad, 255, "", `(?s):3:\d+: .*:6:\d+: `)
	f("-f "+bad, 255, "", `(?s):3:\d+: .*:6:\d+: `) // a daemon's parent tells it
	f("-c -f /nonexistent/viaduct.cfg", 255, "", `cannot read the configuration: .*no such file`)
	f("-D -E -f /nonexistent/viaduct.cfg", 255, "", `cannot read the configuration: .*no such file`)

	f("-c -m x", 255, "", `bad shmem size number: -m x`)
	f("-c -m 0", 255, "", `out of limits shmem size number: -m 0`)
	f("-c -m 16777217", 255, "", `out of limits shmem size number: -m 16777217`)
	f("-c -n x", 255, `Listening`, `bad process number: -n x`)
	f("-c -n 65", 255, `Listening`, `out of limits number of shards: 65`)
	f("-c -n 0", 0, `config file ok`, "")
	f("-c -n -3", 0, `config file ok`, "")
	f("-c -N 2", 0, `config file ok`, ``)
	f("-c -N x", 255, `Listening`, `bad process number: -N x`)
	f("-c -T", 0, `config file ok`, "")
	f("-c -T -N 2", 255, `Listening`, `TCP support disabled`)
	f("-c -N 2 -T", 255, `Listening`, `TCP support disabled`)
	f("-c -rR", 0, `config file ok`, `looking names up \(-r, -R`)
	f("-c -K", 0, `config file ok`, "")

	// What Kamailio's scripts give, with the effect it has here or one warning each.
	for flag, warning := range map[string]string{
		"-a no": "", "-a off": "", "-S": "", "-G /nonexistent/file": "",
		"-a yes": "-a yes has no effect: .*alias=NAME", "-e": "-e has", "-j": "-j has", "-s": "-s has",
		"-L /usr/lib": "-L has", "-M 8": "-M has", "-O 3": "-O has", "-Q 2": "-Q has",
		"-W epoll_lt": "-W has", "-X tlsf": "-X has", "-Y /run": "-Y has",
	} {
		if warning != "" {
			warning = `^warning: ` + warning + `[^\n]*\n$`
		}
		f("-c "+flag, 0, `config file ok`, warning)
	}
	f("-c -a maybe", 255, `Listening`, `bad auto aliases parameter: -a maybe`)
	f("-c -M x", 255, `Listening`, `bad private mem size number: -M x`)
	f("-c -O x", 255, `Listening`, `bad optimization level: -O x`)
	f("-c -W foo", 255, `Listening`, `bad poll method name: -W foo`)
	f("-c -x /"+strings.Repeat("x", 107), 255, `Listening`, `the path has 108 bytes, and the kernel takes 107`)
	f("-c -i /"+strings.Repeat("x", 256), 255, `Listening`,
		`a name in the path has 256 bytes, and the kernel takes 255`)
	f("-c -x /"+strings.Repeat("x", 106), 0, `config file ok`, "")
	f("-c -b 0", 255, `Listening`, `bad receive buffer size number: -b 0`)
	f("-c -b 1048576", 0, `config file ok`, "")
	f("-c -l 127.0.0.1:99999", 255, `Listening`, `bad listen address: -l 127\.0\.0\.1:99999: port "99999"`)
	f("-c -l no_such_interface!", 255, `Listening`, `no_such_interface!`) // no host name either, so DNS is not asked
	f("-c -l lo:5068", 0, `udp:127\.0\.0\.1:5068\n`, "")
	f("-c -T -l tcp:127.0.0.1", 255, `Listening`, `no address to listen on`)
	f("-c -u no-such-user", 255, `Listening`, `bad user name: -u no-such-user`)
	f("-c -g no-such-group", 255, `Listening`, `bad group name: -g no-such-group`)
	f("-c -w /nonexistent/folder", 255, `Listening`, `bad folder: -w`)
	f("-c -t /nonexistent/folder", 255, `Listening`, `bad folder: -t`)
	f("-c --steer=perhaps", 255, `Listening`, `bad steering mode: --steer=perhaps`)
	f("-c --steer=off", 0, `config file ok`, "")
}

func TestConfigFromStandardInput(t *testing.T) {
	if r := runBinary(t, goodConfig, "-c", "-f", "-"); r.code != 0 ||
		!strings.Contains(r.stdout, "udp:127.0.0.1:5066") {
		t.Errorf("%+v", r)
	}
	const tables = "loadmodule \"htable.so\"\nmodparam(\"htable\", \"htable\", \"a=>size=8;entries=1000000\")\n"
	if r := runBinary(t, goodConfig+tables, "-c", "-n", "1", "-m", "64", "-f", "-"); r.code != 255 ||
		!strings.Contains(r.stderr, "MB of the 64 MB of -m, beside which calls need") {
		t.Errorf("tables without room: %+v", r)
	}
	if r := runBinary(t, goodConfig+tables, "-c", "-n", "1", "-m", "512", "-f", "-"); r.code != 0 {
		t.Errorf("tables with room: %+v", r)
	}
	for head, want := range map[string]string{
		`modparam("tls", "certificate", "/nonexistent/c.pem")`: "warning: certificate /nonexistent/c.pem: cannot read it",
		`modparam("tls", "config", "/nonexistent/tls.cfg")`:    "warning: /nonexistent/tls.cfg: cannot read it",
		`modparam("tls", "verify_depth", 3)`:                   "",
	} {
		r := runBinary(t, goodConfig+"loadmodule \"tls.so\"\n"+head+"\n", "-c", "-f", "-")
		if r.code != 0 || !strings.Contains(r.stderr, want) || strings.Contains(r.stderr, "TLS listener") != (want != "") {
			t.Errorf("%s: %+v", head, r)
		}
	}
	if r := runBinary(t, badConfig, "-c", "-f-"); r.code != 255 || !strings.Contains(r.stderr, "<stdin>:3:") {
		t.Errorf("%+v", r)
	}
}

// -c binds nothing: it works beside somebody who holds the port.
func TestCheckBindsNothing(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if r := runBinary(t, "", "-c", "-l", "udp:"+conn.LocalAddr().String()); r.code != 0 {
		t.Errorf("%+v", r)
	}
	if r := runBinary(t, "", "-D", "-E", "-l", "udp:"+conn.LocalAddr().String()); r.code != 255 ||
		!strings.Contains(r.stderr, "the address is taken") {
		t.Errorf("port in use: %+v", r)
	}
}

// What the program asks of the destination list is held against it at start, with its place.
func TestSelectionsAreChecked(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("d.list", "1 sip:127.0.0.1:7000 0 0 weight=5\n1 sip:127.0.0.1:7001\n")
	f := func(call, want string) {
		t.Helper()
		config := write("d.cfg",
			"loadmodule \"tm.so\"\nloadmodule \"dispatcher.so\"\nmodparam(\"dispatcher\", \"list_file\", "+
				"\"d.list\")\nrequest_route {\n\t"+call+";\n\tt_relay();\n}\n")
		r := runBinary(t, "", "-c", "-f", config)
		found := strings.Contains(r.stderr, "d.cfg:5:2: ")
		if r.code != 0 || found != (want != "") || !strings.Contains(r.stderr, want) {
			t.Errorf("%s: exit %d, want %q in:\n%s", call, r.code, want, r.stderr)
		}
	}
	f(`ds_select_dst("1", "0")`, "")
	f(`ds_select_dst("$rU", "0")`, "")
	f(`ds_select_dst("7", "0")`, "d.cfg:5:2: set 7 does not exist: the destination list has 1")
	f(`ds_select_domain("1", "9")`, "d.cfg:5:2: algorithm 9 (weights): set 1: sip:127.0.0.1:7001 has no weight=")
}

// -c looks at the file alone: a destination list that is not there is a warning, and what is
// missing stands at the end, by feature.
func TestCheckReports(t *testing.T) {
	const head = "loadmodule \"dispatcher.so\"\nmodparam(\"dispatcher\", \"list_file\", \"/nowhere/d.list\")\n" +
		"loadmodule \"registrar.so\"\n"
	r := runBinary(t, head[:strings.Index(head, "loadmodule \"registrar")]+"request_route { exit; }\n", "-c", "-f", "-")
	if r.code != 0 || !strings.Contains(r.stderr, "/nowhere/d.list") ||
		!strings.Contains(r.stderr, "no start without it") {
		t.Errorf("%+v", r)
	}
	r = runBinary(t, head+"request_route {\n\tsave(\"location\");\n\tlookup(\"location\");\n\tlookup(\"location\");\n}\n",
		"-c", "-f", "-")
	want := "registrar and location: not there yet: module registrar, lookup (2), save (1); first at <stdin>:3:12\n"
	if r.code != 255 || !strings.HasSuffix(r.stderr, want) {
		t.Errorf("%+v", r)
	}
}

// `viaduct migrate` reports on a file that does not start, and that is no failure.
func TestMigrate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "k.cfg")
	text := "loadmodule \"registrar.so\"\nrequest_route { save(\"location\"); }\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	r := runBinary(t, "", "migrate", file)
	if r.code != 0 || !strings.Contains(r.stdout, "| `save` | function of registrar | 1 | "+file+":2:17 |") {
		t.Errorf("%+v", r)
	}
	// What is refused is not said to run, and what differs is.
	text = "loadmodule \"tm.so\"\nloadmodule \"pv.so\"\nrequest_route {\n\tif ($rU == \"a\") { }\n" +
		"\t$var(x) = 1; t_on_failure(\"F\");\n\tappend_hf(\"X: $unk1\\r\\n\");\n\tt_relay();\n}\n" +
		"failure_route[F] { if ($var(x) == 1) exit; }\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	r = runBinary(t, "", "migrate", file)
	_, differs, _ := strings.Cut(r.stdout, "## What differs")
	_, runs, _ := strings.Cut(differs, "## What runs")
	for _, want := range []string{"an empty block", "$var(x) is not set where this is run for failure_route"} {
		if !strings.Contains(differs, want) {
			t.Errorf("%s is missing in\n%s", want, r.stdout)
		}
	}
	if strings.Contains(runs, "append_hf") || !strings.Contains(runs, "`t_relay` (1)") ||
		!strings.Contains(r.stdout, "unknown variable $unk1") ||
		!strings.Contains(r.stdout, "| wrong where they stand | 1 | 1 |") {
		t.Errorf("%s", r.stdout)
	}
	if r := runBinary(t, "", "migrate", file+".none"); r.code != 255 {
		t.Errorf("%+v", r)
	}
	if r := runBinary(t, "", "migrate"); r.code != 255 || !strings.Contains(r.stderr, "A file is missing.") {
		t.Errorf("%+v", r)
	}
}
