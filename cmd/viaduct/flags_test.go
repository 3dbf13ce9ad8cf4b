package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/shard/route"
)

// show gives a command line as scan understood it: "r R n=2", mistakes in their place.
func show(all []given) string {
	var words []string
	for _, g := range all {
		switch {
		case g.err != nil:
			words = append(words, "!"+g.err.Error())
		case g.flag.arg != "":
			words = append(words, g.flag.name+"="+g.value)
		default:
			words = append(words, g.flag.name)
		}
	}
	return strings.Join(words, " ")
}

func TestScan(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		var args []string
		if line != "" {
			args = strings.Split(line, " ")
		}
		if got := show(scan(args)); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
	f("", "")
	f("-r -R", "r R")
	f("-rR", "r R")
	f("-ddd", "d d d")
	f("-DD -E", "D D E")
	f("-n2", "n=2")
	f("-n 2", "n=2")
	f("-n -2", "n=-2")
	f("-dn2", "d n=2")
	f("-dEn 2 -c", "d E n=2 c")
	f("-f -", "f=-")
	f("-f-", "f=-")
	f("-lx -l y", "l=x l=y")
	f("--steer=off", "steer=off")
	f("--steer off", "steer=off")
	f("--help --version", "h V")
	f("-c --", "c")

	f("-Z", "!Unknown option '-Z'. Use -h for help.")
	f("-rZR", "r !Unknown option '-Z'. Use -h for help. R")
	f("-c -n", "c !Option '-n' requires an argument. Use -h for help.")
	f("--steer", "!Option '--steer' requires an argument. Use -h for help.")
	f("--nope=1", "!Unknown option '--nope'. Use -h for help.")
	f("--n=1", "!Unknown option '--n'. Use -h for help.")
	f("--help=1", "!Option '--help' takes no argument. Use -h for help.")
	f("-c extra", "c !Unexpected argument 'extra'. Use -h for help.")
	f("--steer=", "!Option '--steer' requires an argument. Use -h for help.")
	f("-- -c", "!Unexpected argument '-c'. Use -h for help.")
	f("-", "!Unexpected argument '-'. Use -h for help.")
}

// An empty word after a switch is a script's unset variable.
func TestScanEmptyArgument(t *testing.T) {
	all := scan([]string{"-P", "", "-n", "2"})
	if len(all) != 2 || all[0].err == nil ||
		!strings.Contains(all[0].err.Error(), "'-P' requires an argument that is not empty") || all[1].value != "2" {
		t.Errorf("%+v", all)
	}
}

func TestReadBounded(t *testing.T) {
	if _, err := readBounded(strings.NewReader(strings.Repeat("#", sourceMaxBytes))); err != nil {
		t.Error(err)
	}
	if _, err := readBounded(strings.NewReader(strings.Repeat("#", sourceMaxBytes+1))); err == nil ||
		!strings.Contains(err.Error(), "16 MiB") {
		t.Errorf("%v", err)
	}
}

// TestReadInclude: an endless file, and one that nobody writes to, hold nothing up.
func TestReadInclude(t *testing.T) {
	o, fifo := &options{}, filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := o.readInclude("/dev/zero"); err == nil || !strings.Contains(err.Error(), "is a device") {
		t.Errorf("an endless include: %v", err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := o.readInclude(fifo)
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "is a FIFO") {
			t.Errorf("a FIFO: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("a FIFO that nobody writes to is waited for")
	}
}

func TestParseOptions(t *testing.T) {
	f := func(line string, check func(*options) bool) {
		t.Helper()
		o, err := parseOptions(strings.Fields(line))
		if err != nil || !check(o) {
			t.Errorf("%q: %+v, %v", line, o, err)
		}
	}
	f("-ddd", func(o *options) bool { return o.debug == 3 })
	f("-D -d -Ed", func(o *options) bool { return o.debug == 2 && o.logStderr && o.foreground })
	f("-h -Z", func(o *options) bool { return o.help })
	f("-V -m nonsense", func(o *options) bool { return o.version })
	f("-c", func(o *options) bool { return o.check && o.logStderr })
	f("-m 1", func(o *options) bool { return o.arenaMB == 1 })
	f("-m16777216", func(o *options) bool { return o.arenaMB == 16777216 })
	f("-f - -u nobody", func(o *options) bool { return o.configFile == "-" && o.user == "nobody" })

	fails := func(line, want string) {
		t.Helper()
		if _, err := parseOptions(strings.Fields(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", line, err, want)
		}
	}
	fails("-Z -h", "Unknown option '-Z'. Use -h for help.")
	fails("-m x", "bad shmem size number: -m x")
	fails("-m 12MB", "bad shmem size number: -m 12MB")
	fails("-m 0", "out of limits shmem size number: -m 0")
	fails("-m -5", "out of limits shmem size number: -m -5")
	fails("-m 16777217", "out of limits shmem size number: -m 16777217")
	fails("-m 99999999999999999999", "bad shmem size number")
}

func TestParseListen(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		l, err := parseListen(text)
		got := fmt.Sprintf("%s %s %d", transportName(l.Transport), l.Host, l.Port)
		if l.AdvertiseHost != "" {
			got += fmt.Sprintf(" as %s %d", l.AdvertiseHost, l.AdvertisePort)
		}
		if err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", text, got, err, want)
		}
	}
	f("127.0.0.1", "* 127.0.0.1 0")
	f("127.0.0.1:5070", "* 127.0.0.1 5070")
	f("udp:127.0.0.1:5070", "udp 127.0.0.1 5070")
	f("UDP:eth0", "udp eth0 0")
	f("tcp:sip.example.com:5060", "tcp sip.example.com 5060")
	f("[::1]", "* ::1 0")
	f("udp:[::1]:5062", "udp ::1 5062")
	f("::1", "* ::1 0")
	f("udp:::1", "udp ::1 0")
	f("udp", "* udp 0")
	f("eth0:5062", "* eth0 5062")
	f("udp:10.0.0.1:5060/1.2.3.4:5080", "udp 10.0.0.1 5060 as 1.2.3.4 5080")
	f("10.0.0.1/sip.example.com", "* 10.0.0.1 0 as sip.example.com 0")
	f("[::1]/[2001:db8::1]:5060", "* ::1 0 as [2001:db8::1] 5060")

	fails := func(text string) {
		t.Helper()
		if l, err := parseListen(text); err == nil {
			t.Errorf("%s: taken as %+v", text, l)
		}
	}
	fails("")
	fails("udp:")
	fails(":5060")
	fails("127.0.0.1:")
	fails("127.0.0.1:0")
	fails("127.0.0.1:65536")
	fails("127.0.0.1:-1")
	fails("127.0.0.1:5060x")
	fails("[::1")
	fails("[::1]5060")
	fails("[127.0.0.x]:5060")
	fails("a:b:c")
	fails("127.0.0.1:5060/")
	fails("127.0.0.1/host:0")
}

func TestErrorText(t *testing.T) {
	list := route.ErrorList{{Pos: route.Pos{File: "a.cfg", Line: 1, Col: 2}, Text: "one"},
		{Pos: route.Pos{File: "a.cfg", Line: 3, Col: 4}, Text: "two"}}
	err := errors.Join(list, nil, errors.Join(errors.New("three"), usageError("Unknown option '-Z'. Use -h for help.")))
	want := "a.cfg:1:2: one\na.cfg:3:4: two\nviaduct: three\nUnknown option '-Z'. Use -h for help."
	if got := errorText(err); got != want || countErrors(err) != 4 {
		t.Errorf("%d errors:\n%s", countErrors(err), got)
	}
}

func TestHostPath(t *testing.T) {
	f := func(c Config, path, want string) {
		t.Helper()
		if got := c.hostPath(path); got != want {
			t.Errorf("%+v %s: %s, want %s", c, path, got, want)
		}
	}
	f(Config{Foreground: true}, "run/v.pid", "run/v.pid")
	f(Config{Foreground: true}, "/run/v.pid", "/run/v.pid")
	f(Config{}, "run/v.pid", "/run/v.pid")
	f(Config{WorkDir: "/srv"}, "v.pid", "/srv/v.pid")
	f(Config{Foreground: true, WorkDir: "srv"}, "v.pid", "srv/v.pid")
	f(Config{Foreground: true, Chroot: "/jail"}, "v.pid", "/jail/v.pid")
	f(Config{Chroot: "/jail", WorkDir: "/srv"}, "v.pid", "/jail/srv/v.pid")
	f(Config{Chroot: "/jail", WorkDir: "srv"}, "../../v.pid", "/jail/v.pid")
	f(Config{Chroot: "/jail"}, "", "")
}
