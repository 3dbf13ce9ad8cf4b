package outside

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// slowStart is how long a browser may take to come up and a call between two of them to stand: they
// are two dozen processes on a machine that others use.
const slowStart = 60 * time.Second

// stage serves the page in browser/ and directs the browsers that show it.
type stage struct {
	t    *testing.T
	http *httptest.Server

	mu     sync.Mutex
	actors map[string]*actor
}

// actor is one browser.
type actor struct {
	t      *testing.T
	name   string
	lines  chan map[string]string // what it is to do next
	events chan event
	seen   []event
	*process
}

type event struct {
	User, What, Detail string
}

func (e event) String() string { return strings.TrimSpace(e.What + " " + e.Detail) }

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, actors: map[string]*actor{}}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("browser")))
	mux.HandleFunc("GET /next", func(w http.ResponseWriter, r *http.Request) {
		a := s.actor(r.FormValue("user"))
		if a == nil {
			http.NotFound(w, r)
			return
		}
		select {
		case line := <-a.lines:
			json.NewEncoder(w).Encode(line)
		case <-time.After(5 * time.Second):
			w.WriteHeader(http.StatusNoContent)
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("POST /event", func(w http.ResponseWriter, r *http.Request) {
		var e event
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&e); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if a := s.actor(e.User); a != nil {
			a.events <- e
		}
	})
	s.http = httptest.NewServer(mux)
	t.Cleanup(func() {
		s.http.CloseClientConnections()
		s.http.Close()
	})
	return s
}

func (s *stage) actor(name string) *actor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.actors[name]
}

// enter starts a browser that shows the page.
func (s *stage) enter(chromium, name string) *actor {
	s.t.Helper()
	a := &actor{t: s.t, name: name, lines: make(chan map[string]string, 16), events: make(chan event, 256)}
	s.mu.Lock()
	s.actors[name] = a
	s.mu.Unlock()
	profile, err := os.MkdirTemp("", "viaduct-browser-")
	if err != nil {
		s.t.Fatal(err)
	}
	// It writes there until the last of its processes has gone, hence not TempDir, which insists.
	s.t.Cleanup(func() {
		for end := time.Now().Add(patience); os.RemoveAll(profile) != nil && time.Now().Before(end); {
			time.Sleep(50 * time.Millisecond)
		}
	})
	cmd := exec.Command(chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--mute-audio",
		"--no-first-run", "--no-default-browser-check", "--disable-extensions", "--disable-sync",
		"--disable-background-networking", "--disable-component-update",
		// Nothing but this machine is asked for anything.
		"--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
		// A page that nobody looks at works on.
		"--disable-background-timer-throttling", "--disable-renderer-backgrounding",
		"--disable-backgrounding-occluded-windows",
		// A microphone that beeps, asked for without a question; media by the loopback interface;
		// certificates of a test's own authority.
		"--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--allow-loopback-in-peer-connection",
		"--ignore-certificate-errors",
		"--user-data-dir="+profile, fmt.Sprintf("%s/index.html?user=%s", s.http.URL, name))
	cmd.Env = append(os.Environ(), "HOME="+profile)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	a.process = run(s.t, "chromium of "+name, cmd)
	s.t.Cleanup(func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	return a
}

// do gives the page a line: an action and its arguments.
func (a *actor) do(action string, args ...string) {
	line := map[string]string{"do": action}
	for i := 0; i < len(args); i += 2 {
		line[args[i]] = args[i+1]
	}
	a.lines <- line
}

// expect waits for an event; others may come before it, but for those that say that something went
// wrong.
func (a *actor) expect(what string) event { return a.expectAll(what) }

// expectAll waits for events that come in any order, and gives the last.
func (a *actor) expectAll(what ...string) event {
	a.t.Helper()
	deadline := time.After(slowStart)
	for {
		select {
		case e := <-a.events:
			a.seen = append(a.seen, e)
			if what = slices.DeleteFunc(what, func(w string) bool { return w == e.What }); len(what) == 0 {
				return e
			}
			switch e.What {
			case "error", "failed", "registration failed", "disconnected":
				a.t.Fatalf("%s waits for %q; its browser tells %v", a.name, what, a.seen)
			}
		case <-a.done:
			a.t.Fatalf("%s waits for %q; its browser ended (%v):\n%s", a.name, what, a.err, a.tail())
		case <-deadline:
			a.t.Fatalf("%s waits in vain for %q; its browser tells %v\n%s", a.name, what, a.seen, a.tail())
		}
	}
}

// settle drops what a browser tells of the end of its connection.
func (a *actor) settle() {
	a.t.Helper()
	for {
		select {
		case e := <-a.events:
			a.seen = append(a.seen, e)
			if e.What == "disconnected" {
				return
			}
		case <-time.After(slowStart):
			a.t.Fatalf("%s does not leave; its browser tells %v", a.name, a.seen)
		}
	}
}

// registrar is a registrar behind the proxy: it keeps the Contact of each user and answers. It
// takes nothing else.
type registrar struct {
	*peer
	mu       sync.Mutex
	bindings map[string]string // user → Contact URI
	others   []string          // what it should not have got
}

func newRegistrar(t *testing.T) *registrar {
	t.Helper()
	r := &registrar{peer: newPeer(t, "the registrar"), bindings: map[string]string{}}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case m := <-r.in:
				r.take(m)
			case <-stop:
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-done
	})
	return r
}

func (r *registrar) take(m *message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.method() != "REGISTER" {
		r.others = append(r.others, string(m.raw))
		return
	}
	user := userOf(m.get("To"))
	contact := m.get("Contact")
	uri, params, _ := strings.Cut(strings.TrimPrefix(contact, "<"), ">")
	expires := param("x"+params, "expires")
	if expires == "" {
		expires = m.get("Expires")
	}
	if expires == "0" || contact == "*" {
		delete(r.bindings, user)
	} else {
		r.bindings[user] = uri
	}
	text := replyText(m, r.addr, 200, "OK", "registrar", "Expires: "+expires)
	own := fmt.Sprintf("Contact: <sip:callee@%s>\r\n", r.addr)
	listed := ""
	if uri := r.bindings[user]; uri != "" {
		listed = fmt.Sprintf("Contact: <%s>;expires=%s\r\n", uri, expires)
	}
	r.conn.WriteToUDPAddrPort([]byte(strings.Replace(text, own, listed, 1)), m.from)
}

func (r *registrar) binding(user string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bindings[user]
}

// userOf is the user of the URI in a name-addr.
func userOf(value string) string {
	_, rest, _ := strings.Cut(value, "sip:")
	user, _, _ := strings.Cut(rest, "@")
	return user
}

// startForBrowsers runs the proxy with testdata/browser.cfg.
func startForBrowsers(t *testing.T, registrar netip.AddrPort) *streamServer {
	t.Helper()
	b, err := os.ReadFile("testdata/browser.cfg")
	if err != nil {
		t.Fatal(err)
	}
	srv := &streamServer{ca: newAuthority(t), tcp: freeAddress(t), tls: freeAddress(t)}
	srv.ca.issue("127.0.0.1")
	s := setup{config: "browser.cfg", listen: freeAddress(t), shards: 2}
	text := strings.NewReplacer("127.0.0.1:5060", s.listen.String(), "127.0.0.1:8080", srv.tcp.String(),
		"127.0.0.1:8443", srv.tls.String(),
		"127.0.0.1:5070", registrar.String(), `"tls.cfg"`,
		fmt.Sprintf("%q", srv.ca.configure(t, false, ""))).Replace(string(b))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, s.config), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if *against == "kamailio" {
		srv.server = startKamailioIn(t, dir, s)
	} else {
		srv.server = startIn(t, dir, s)
	}
	srv.awaitListening(t, srv.tcp)
	srv.awaitListening(t, srv.tls)
	return srv
}

// Row 98, RFC 7118: two browsers register through the proxy and call each other, over WebSocket and
// over WebSocket in TLS; either end hangs up.
func TestRow98Browsers(t *testing.T) {
	chromium := needs(t, "chromium", "chromium")
	if _, err := os.Stat("browser/node_modules/jssip/package.json"); err != nil {
		t.Skip("needs the npm packages of tools/outside/browser (npm ci there, or tools/deps.sh)")
	}
	t.Parallel()
	loads(t)
	registrar := newRegistrar(t)
	srv := startForBrowsers(t, registrar.addr)
	stage := newStage(t)
	alice, bob := stage.enter(chromium, "alice"), stage.enter(chromium, "bob")
	ends := []*actor{alice, bob}
	for _, a := range ends {
		a.expect("ready")
	}
	for _, server := range []string{"ws://" + srv.tcp.String(), "wss://" + srv.tls.String()} {
		for _, a := range ends {
			a.do("register", "server", server, "uri", "sip:"+a.name+"@example.com")
		}
		for _, a := range ends {
			a.expect("registered")
			host, _, _ := strings.Cut(param("<"+registrar.binding(a.name), "alias"), "~")
			if net.ParseIP(host) == nil {
				t.Errorf("%s is registered as %s, which does not say where its connection is", a.name,
					registrar.binding(a.name))
			}
		}
		for _, c := range []struct{ caller, callee, ends *actor }{{alice, bob, alice}, {bob, alice, alice}} {
			c.caller.do("call", "target", registrar.binding(c.callee.name))
			if e := c.callee.expect("call"); e.Detail != "remote" {
				t.Errorf("the callee's call is %s", e.Detail)
			}
			for _, a := range ends {
				// media: ICE found a way, hence the SDP of both came through
				a.expectAll("confirmed", "media")
			}
			c.ends.do("hangup")
			for _, a := range ends {
				want := "remote: Terminated"
				if a == c.ends {
					want = "local: Terminated"
				}
				if e := a.expect("ended"); e.Detail != want {
					t.Errorf("for %s the call ended by %q, want %q", a.name, e.Detail, want)
				}
			}
		}
		for _, a := range ends {
			a.do("stop")
			eventually(t, a.name+" to unregister", func() bool { return registrar.binding(a.name) == "" })
			a.settle()
		}
	}
	for _, a := range ends {
		t.Logf("%s: %v", a.name, a.seen)
	}
	registrar.mu.Lock()
	defer registrar.mu.Unlock()
	if len(registrar.others) > 0 {
		t.Errorf("the registrar got what is not for it:\n%s", registrar.others[0])
	}
}
