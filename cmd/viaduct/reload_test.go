package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/control"
)

// door is a running program with a control socket and a configuration file that the test rewrites.
type door struct {
	*running
	dir, socket string
}

func startDoor(t *testing.T, config string, args ...string) *door {
	t.Helper()
	dir := t.TempDir()
	d := &door{dir: dir, socket: filepath.Join(dir, "s")}
	d.write(t, "test.cfg", config)
	d.running = startBinary(t, nil, append([]string{"-f", filepath.Join(dir, "test.cfg"), "-x", d.socket}, args...)...)
	return d
}

func (d *door) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// ask calls a method. It returns the answer, or the fault's text.
func (d *door) ask(line string) (answer map[string]any, fault string) {
	d.t.Helper()
	conn, err := net.Dial("unix", d.socket)
	if err != nil {
		d.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintln(conn, line)
	b, err := bufio.NewReader(conn).ReadBytes('\n')
	if err != nil {
		d.t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		d.t.Fatalf("%v: %s", err, b)
	}
	answer, _ = v.(map[string]any)
	if e, ok := answer["error"].(map[string]any); ok {
		return nil, fmt.Sprint(e["message"])
	}
	return answer, ""
}

// answers is the reason phrase of the answer to an OPTIONS.
func (d *door) answers() string {
	d.t.Helper()
	conn, err := net.Dial("udp", "127.0.0.1:"+d.port)
	if err != nil {
		d.t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"+
		"From: <sip:a@b>;tag=1\r\nTo: <sip:x@c>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
		conn.LocalAddr())
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, 4096)
	n, err := conn.Read(b)
	if err != nil {
		d.t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(b[:n]), "\r\n")
	return strings.TrimPrefix(line, "SIP/2.0 200 ")
}

func says(phrase, more string) string {
	return fmt.Sprintf("#!KAMAILIO\nloadmodule \"sl.so\"\n%srequest_route {\n\tsl_send_reply(\"200\", \"%s\");\n}\n",
		more, phrase)
}

// TestReloadByHand: at a control door and by SIGHUP; a mistake is told as -c tells it and changes
// nothing.
func TestReloadByHand(t *testing.T) {
	d := startDoor(t, says("One", ""))
	runs := func(want string) {
		t.Helper()
		if got := d.answers(); got != want {
			t.Fatalf("an OPTIONS is answered with %q, want %q", got, want)
		}
	}
	runs("One")
	d.write(t, "test.cfg", says("Two", ""))
	answer, fault := d.ask("reload")
	if fault != "" || len(fmt.Sprint(answer["program"])) != 16 || fmt.Sprint(answer["warnings"]) != "[]" {
		t.Fatalf("%v %q", answer, fault)
	}
	runs("Two")

	broken := says("Three", "no_such_parameter=1\nloadmodule \"dispatcher.so\"\nsip_warning=7\n"+
		"modparam(\"sl\", \"default_code\", \"x\")\n")
	d.write(t, "test.cfg", broken)
	args := append([]string{"-c"}, d.cmd.Args[1:]...)
	want := strings.TrimSuffix(runBinary(t, "", args...).stderr, "\n")
	if !strings.Contains(want, "errors, configuration is not usable") {
		t.Fatalf("-c prints %q", want)
	}
	if _, fault := d.ask("core.reload"); fault != want {
		t.Errorf("the fault is\n%s\nand -c prints\n%s", fault, want)
	}
	runs("Two")
	d.signal(syscall.SIGHUP)
	d.waitLog("reload refused, nothing has changed", 2)
	for line := range strings.SplitSeq(want, "\n") {
		d.waitLog(line, 2) // both ways
	}
	runs("Two")

	d.write(t, "test.cfg", says("Four", "children=3\ndebug=2\n"))
	d.signal(syscall.SIGHUP)
	d.waitLog("viaduct reloaded", 2)
	d.waitLog("children cannot change while viaduct runs", 1)
	runs("Four")
	if answer, fault := d.ask("cfg.get core"); fmt.Sprint(answer["debug"]) != "2" {
		t.Errorf("debug is %v: %q", answer["debug"], fault)
	}
	if answer, _ := d.ask("status"); fmt.Sprint(answer["program"]) == "" || fmt.Sprint(answer["programs_kept"]) != "1" {
		t.Errorf("status has program %v and keeps %v", answer["program"], answer["programs_kept"])
	}
}

// TestReloadFromElsewhere: relative names count from the folder that the program was started in,
// though it works in another; its list is read from there, and messages name files as the command
// line does. dispatcher.reload reads the list alone.
func TestReloadFromElsewhere(t *testing.T) {
	dir := t.TempDir()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	rel, err := filepath.Rel(here, dir)
	if err != nil {
		t.Fatal(err)
	}
	d := &door{dir: dir, socket: filepath.Join(dir, "s")}
	if err := os.Mkdir(filepath.Join(dir, "work"), 0o755); err != nil {
		t.Fatal(err)
	}
	with := func(phrase string) string {
		return says(phrase, "include_file \"more.cfg\"\nloadmodule \"pv.so\"\nloadmodule \"tm.so\"\n"+
			"loadmodule \"dispatcher.so\"\nmodparam(\"dispatcher\", \"reload_delta\", 1)\n")
	}
	d.write(t, "more.cfg", "sip_warning=1\n")
	d.write(t, "work/dispatcher.list", "1 sip:127.0.0.1:9\n")
	d.write(t, "test.cfg", with("One"))
	args := []string{"-f", filepath.Join(rel, "test.cfg"), "-w", filepath.Join(rel, "work"), "-x", d.socket}
	d.running = startBinary(t, nil, args...)
	if got := d.answers(); got != "One" {
		t.Fatal(got)
	}
	d.write(t, "test.cfg", with("Two"))
	if _, fault := d.ask("reload"); fault != "" {
		t.Fatal(fault)
	}
	if got := d.answers(); got != "Two" {
		t.Errorf("after the reload: %s", got)
	}
	d.write(t, "more.cfg", "sip_warning=x\n")
	_, fault := d.ask("reload")
	if want := strings.TrimSuffix(runBinary(t, "",
		append([]string{"-c"}, append(d.cmd.Args[1:], args...)...)...).stderr, "\n"); fault != want ||
		!strings.Contains(fault, filepath.Join(rel, "more.cfg")+":1:") {
		t.Errorf("the fault is\n%s\nand -c prints\n%s", fault, want)
	}
	d.write(t, "more.cfg", "")
	d.write(t, "work/dispatcher.list", "1 sip:127.0.0.1:9\nx\n")
	for i, method := range []string{"reload", "dispatcher.reload", "dispatcher.reload"} {
		if _, fault := d.ask(method); i == 2 {
			if !strings.HasPrefix(fault, "Ongoing reload") {
				t.Errorf("twice within reload_delta: %q", fault)
			}
		} else if !strings.Contains(fault, "dispatcher.list:2:") {
			t.Errorf("%s of a broken list: %q", method, fault)
		}
	}
	time.Sleep(time.Second) // reload_delta
	d.write(t, "work/dispatcher.list", "1 sip:127.0.0.1:9\n1 sip:127.0.0.1:10\n")
	for _, method := range []string{"dispatcher.reload", "reload"} {
		if _, fault := d.ask(method); fault != "" {
			t.Errorf("%s: %s", method, fault)
		}
	}
}

// TestReloadOfFIFO: a file that may never end is refused, wherever it is named, and keeps no reload
// after it waiting.
func TestReloadOfFIFO(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	writer, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	d := startDoor(t, says("One", ""))
	refused := func(more string) {
		t.Helper()
		d.write(t, "test.cfg", says("Two", more))
		if _, fault := d.ask("reload"); !strings.Contains(fault, fifo+" is a FIFO: name a regular file") {
			t.Errorf("%s: %q", more, fault)
		}
	}
	refused("include_file \"" + fifo + "\"\n")
	with := func(module, param, value string) string {
		return fmt.Sprintf("loadmodule \"%s.so\"\nmodparam(%q, %q, %q)\n", module, module, param, value)
	}
	refused("loadmodule \"pv.so\"\nloadmodule \"tm.so\"\n" + with("dispatcher", "list_file", fifo))
	refused(with("permissions", "address_file", fifo))
	refused(with("htable", "htable", "a=>size=4;file="+fifo))
	if err := os.Rename(fifo, filepath.Join(d.dir, "test.cfg")); err != nil {
		t.Fatal(err)
	}
	if _, fault := d.ask("reload"); !strings.Contains(fault, "is a FIFO: name a regular file") {
		t.Errorf("the configuration: %q", fault)
	}
	if err := os.Remove(filepath.Join(d.dir, "test.cfg")); err != nil {
		t.Fatal(err)
	}
	d.write(t, "test.cfg", says("Three", ""))
	if _, fault := d.ask("reload"); fault != "" {
		t.Error(fault)
	}
	if got := d.answers(); got != "Three" {
		t.Error(got)
	}
}

// TestStartFromPipe: at a start the configuration may come by a pipe, as <(m4 …) gives one; an
// include may not.
func TestStartFromPipe(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pipe.WriteString(says("One", "no_such_parameter=1\n")); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(300*time.Millisecond, func() { pipe.Close() }) // it is read by then
	if got := runBinary(t, "", "-c", "-f", fifo).stderr; !strings.Contains(got, fifo+":3:1: ") {
		t.Errorf("-c prints %q", got)
	}
	got := runBinary(t, says("One", "include_file \""+fifo+"\"\n"), "-c", "-f", "-").stderr
	if !strings.Contains(got, "is a FIFO: name a regular file") {
		t.Errorf("-c prints %q", got)
	}
}

// TestStopWhileReloadHangs: a reload that does not come to its end keeps no process from its own.
func TestStopWhileReloadHangs(t *testing.T) {
	log, err := control.OpenLog(control.LogConfig{Stderr: true})
	if err != nil {
		t.Fatal(err)
	}
	p := &process{log: log}
	p.reloading.Lock() // it reads
	begin := time.Now()
	if p.close(); time.Since(begin) > 3*closeWithin {
		t.Errorf("it ended after %v", time.Since(begin))
	}
}

// TestReloadRefused: what cannot be done is said, and nothing changes.
func TestReloadRefused(t *testing.T) {
	d := startDoor(t, says("One", ""))
	if err := os.Remove(filepath.Join(d.dir, "test.cfg")); err != nil {
		t.Fatal(err)
	}
	if _, fault := d.ask("reload"); !strings.Contains(fault, "cannot read the configuration") {
		t.Errorf("without its file: %q", fault)
	}
	if _, fault := d.ask("dispatcher.reload"); !strings.Contains(fault, "not loaded") {
		t.Errorf("dispatcher.reload without dispatcher: %q", fault)
	}
	if got := d.answers(); got != "One" {
		t.Errorf("after reloads that failed: %s", got)
	}
}

// TestReloadFirstStreams: a reload brings the first listener of TCP, another one the first of TLS,
// each to a process that was started with datagrams alone.
func TestReloadFirstStreams(t *testing.T) {
	d := startDoor(t, says("One", ""))
	if _, fault := d.ask("core.tcp_info"); fault != "tcp support disabled" {
		t.Errorf("core.tcp_info says %q", fault)
	}
	reload := func(phrase, more string) {
		t.Helper()
		d.write(t, "test.cfg", says(phrase, more))
		if answer, fault := d.ask("reload"); fault != "" || fmt.Sprint(answer["warnings"]) != "[]" {
			t.Fatalf("%s: %v %s", phrase, answer, fault)
		}
	}
	over := func(conn net.Conn, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP %s;branch=z9hG4bK1\r\n"+
			"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x@c>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"+
			"Content-Length: 0\r\n\r\n", conn.LocalAddr())
		conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(line)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	d.write(t, "test.cfg", says("Two", "listen=tcp:"+taken.Addr().String()+"\n"))
	if _, fault := d.ask("reload"); !strings.Contains(fault, "cannot listen on TCP "+taken.Addr().String()) {
		t.Errorf("an address in use: %q", fault)
	}
	tcp := "127.0.0.1:" + freePort(t)
	// What is set once for all connections can be set until there is the first listener of them.
	reload("Three", "tcp_keepcnt=5\nlisten=tcp:"+tcp+"\n")
	if got := over(net.Dial("tcp", tcp)); got != "SIP/2.0 200 Three" {
		t.Errorf("over TCP: %s", got)
	}
	if got := d.answers(); got != "Three" {
		t.Errorf("over UDP: %s", got)
	}
	if answer, fault := d.ask("core.tcp_info"); fault != "" || fmt.Sprint(answer["readers"]) == "0" {
		t.Errorf("core.tcp_info: %v %s", answer, fault)
	}
	if _, fault := d.ask("tls.info"); fault != "tls support disabled" {
		t.Errorf("tls.info says %q", fault)
	}
	d.certificate(t)
	secure := "127.0.0.1:" + freePort(t)
	reload("Four", "tcp_keepcnt=5\nenable_tls=yes\nlisten=tcp:"+tcp+"\nlisten=tls:"+secure+"\nloadmodule \"tls.so\"\n"+
		"modparam(\"tls\", \"certificate\", \"own.pem\")\nmodparam(\"tls\", \"private_key\", \"own.key\")\n")
	conn, err := tls.Dial("tcp", secure, &tls.Config{InsecureSkipVerify: true})
	if got := over(conn, err); got != "SIP/2.0 200 Four" {
		t.Errorf("over TLS: %s", got)
	}
	if got := over(net.Dial("tcp", tcp)); got != "SIP/2.0 200 Four" {
		t.Errorf("over TCP: %s", got)
	}
	for _, method := range []string{"tls.info", "tls.reload"} {
		if _, fault := d.ask(method); fault != "" {
			t.Errorf("%s: %s", method, fault)
		}
	}
}

// certificate makes own.pem and own.key.
func (d *door) certificate(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	cert, err := x509.CreateCertificate(rand.Reader, of, of, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	d.write(t, "own.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})))
	d.write(t, "own.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})))
}

// TestReloadOfNames: the resolver goes by what the file says now.
func TestReloadOfNames(t *testing.T) {
	d := startDoor(t, says("One", ""))
	d.write(t, "hosts", "192.0.2.7 gateway.test\n")
	hosts := fmt.Sprintf("dns_hosts_file=%q\n", filepath.Join(d.dir, "hosts"))
	d.write(t, "test.cfg", says("Two", hosts))
	if answer, fault := d.ask("reload"); fault != "" || fmt.Sprint(answer["warnings"]) != "[]" {
		t.Fatalf("%v %s", answer, fault)
	}
	if answer, fault := d.ask("dns.lookup A gateway.test"); !strings.Contains(fmt.Sprint(answer), "192.0.2.7") {
		t.Errorf("%v %s", answer, fault)
	}
	d.write(t, "test.cfg", says("Three", "dns_hosts_file=\"/\"\n"))
	if _, fault := d.ask("reload"); !strings.Contains(fault, "/ is a folder: name a regular file") {
		t.Errorf("a folder: %q", fault)
	}
	if got := d.answers(); got != "Two" {
		t.Errorf("after a reload that failed: %s", got)
	}
}
