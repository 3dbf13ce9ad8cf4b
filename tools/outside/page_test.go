package outside

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tab is a page in a browser of its own, steered by the DevTools protocol over two pipes.
type tab struct {
	t       *testing.T
	in      io.Writer
	out     *bufio.Reader
	last    int
	session string
	wrong   []string // what the page complained about
}

func newTab(t *testing.T, chromium string) *tab {
	t.Helper()
	profile := t.TempDir()
	r, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(chromium, "--headless=new", "--no-sandbox", "--disable-gpu",
		"--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server", "--remote-debugging-pipe",
		"--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--user-data-dir="+profile)
	cmd.ExtraFiles = []*os.File{r, w} // 3 and 4
	cmd.Env = append(os.Environ(), "HOME="+profile)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	p := run(t, "chromium", cmd)
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
		for end := time.Now().Add(patience); os.RemoveAll(profile) != nil && time.Now().Before(end); {
			time.Sleep(50 * time.Millisecond)
		}
	})
	r.Close()
	w.Close()
	b := &tab{t: t, in: in, out: bufio.NewReader(out)}
	target := b.call("Target.createTarget", map[string]any{"url": "about:blank"})
	b.session = b.call("Target.attachToTarget", map[string]any{"targetId": target["targetId"],
		"flatten": true})["sessionId"].(string)
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		b.call(domain+".enable", nil)
	}
	return b
}

// call calls a method of the protocol.
func (b *tab) call(method string, params map[string]any) map[string]any {
	b.t.Helper()
	b.last++
	q := map[string]any{"id": b.last, "method": method, "params": params}
	if params == nil {
		q["params"] = map[string]any{}
	}
	if b.session != "" {
		q["sessionId"] = b.session
	}
	text, _ := json.Marshal(q)
	if _, err := b.in.Write(append(text, 0)); err != nil {
		b.t.Fatal(err)
	}
	for {
		line, err := b.out.ReadBytes(0)
		if err != nil {
			b.t.Fatal(err)
		}
		var m struct {
			ID     int
			Method string
			Params json.RawMessage
			Result map[string]any
			Error  any
		}
		if err := json.Unmarshal(line[:len(line)-1], &m); err != nil {
			b.t.Fatal(err)
		}
		switch {
		case m.ID == b.last && m.Error != nil:
			b.t.Fatalf("%s: %v", method, m.Error)
		case m.ID == b.last:
			return m.Result
		case m.Method == "Runtime.exceptionThrown", m.Method == "Log.entryAdded":
			b.wrong = append(b.wrong, string(m.Params))
		}
	}
}

// js runs a script and returns its value as text.
func (b *tab) js(script string) string {
	b.t.Helper()
	r := b.call("Runtime.evaluate", map[string]any{"expression": script, "awaitPromise": true,
		"returnByValue": true})
	if r["exceptionDetails"] != nil {
		b.t.Fatalf("%s: %v", script, r["exceptionDetails"])
	}
	return fmt.Sprint(r["result"].(map[string]any)["value"])
}

// until waits until a script's value is what is wanted.
func (b *tab) until(script, want string) {
	b.t.Helper()
	got := ""
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if got = b.js(script); got == want {
			return
		}
	}
	b.t.Fatalf("%s is %q, want %q; the page complains: %s", script, got, want, b.wrong)
}

// TestPage: an operator signs in at the web page, drains a destination, drops a call and draws one
// that was traced; who may only read is shown no buttons.
func TestPage(t *testing.T) {
	if *against == "kamailio" {
		t.Skip("the page of this proxy")
	}
	chromium := needs(t, "chromium", "chromium")
	t.Parallel()
	dir := t.TempDir()
	const write, read = "writer-writer-writer", "reader-reader-reader"
	tokens := filepath.Join(dir, "tokens")
	if err := os.WriteFile(tokens, []byte("write "+write+"\nread "+read+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	callee := newPeer(t, "a callee")
	at := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	srv := start(t, setup{shards: 2, targets: []netip.AddrPort{callee.addr},
		edits: params(fmt.Sprintf("http_listen=%q", at), fmt.Sprintf("http_tokens=%q", tokens))})

	b := newTab(t, chromium)
	b.call("Page.navigate", map[string]any{"url": "http://" + at + "/"})
	b.until("document.getElementById('sign-in')?.hidden", "false")
	signIn := func(token string) {
		b.js("document.getElementById('token').value = '" + token +
			"'; document.querySelector('#sign-in button').click()")
		b.until("document.getElementById('sign-in').hidden", "true")
	}
	signIn(write)
	const rows = "document.querySelectorAll('#destination-table tbody tr').length"
	b.until(rows, "1")
	b.until("document.body.classList.contains('reader')", "false")
	b.wrong = nil // of questions without a token

	b.js("document.querySelector('#trace-form button').click()")
	b.until("document.getElementById('trace-state').textContent.slice(0, 7)", "Tracing")
	caller := newPeer(t, "a caller")
	caller.invites(srv.addr).ringsAt(callee)
	b.until("document.querySelectorAll('#call-table tbody tr').length", "1")
	b.js("document.getElementById('trace-look').click()")
	b.until("document.querySelectorAll('#traced-calls tbody tr').length", "1")
	b.js("document.querySelector('#traced-calls button').click()")
	if n := b.js("document.querySelectorAll('#ladder .step').length"); n != "5" {
		t.Errorf("the ladder of INVITE, 100, INVITE, 180 and 180 has %s steps", n)
	}
	b.js("document.querySelector('#ladder .step').dispatchEvent(new KeyboardEvent('keydown', " +
		"{key: 'Enter', bubbles: true}))")
	text := b.js("document.getElementById('message').textContent")
	if !strings.Contains(text, "\nCall-ID: ") {
		t.Errorf("the first step shows %q", text)
	}
	b.js("document.querySelector('#call-table button').click()")
	b.until("document.querySelectorAll('#call-table tbody tr').length", "0")

	const states = "[...document.querySelectorAll('#destination-table td:nth-child(4)')]" +
		".filter(e => e.textContent.startsWith('taken out')).length"
	b.js("document.querySelector('#destination-table button').click()")
	b.until(states, "1")
	b.js("document.querySelector('#destination-table button[aria-label^=Enable]').click()")
	b.until(states, "0")
	b.js("document.getElementById('configuration-details').open = true")
	b.until("document.querySelectorAll('#configuration-text pre').length > 0", "true")
	const nameless = "[...document.querySelectorAll('button, input, [role=button]')].filter(e => " +
		"!(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length)).length"
	if n := b.js(nameless); n != "0" {
		t.Errorf("%s controls have no name", n)
	}
	if len(b.wrong) != 0 {
		t.Errorf("the page complains: %s", b.wrong)
	}

	b.js("sessionStorage.clear()")
	b.call("Page.navigate", map[string]any{"url": "http://" + at + "/"})
	b.until("document.getElementById('sign-in')?.hidden", "false")
	signIn(read)
	b.until("document.body.classList.contains('reader')", "true")
	b.until(rows, "1")
	const button = "getComputedStyle(document.querySelector('#destination-table .steer')).display"
	if shown := b.js(button); shown != "none" {
		t.Errorf("who may only read sees a button to drain: display %s", shown)
	}

	answer, err := http.Get("http://" + at + "/")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if p := answer.Header.Get("Content-Security-Policy"); !strings.Contains(p, "default-src 'none'") {
		t.Errorf("the page may load from elsewhere: %q", p)
	}
}
