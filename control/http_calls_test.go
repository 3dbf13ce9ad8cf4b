package control

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	readToken  = "aaaaaaaaaaaaaaaa"
	writeToken = "bbbbbbbbbbbbbbbb"
)

func tokensFile(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadTokens(t *testing.T) {
	f := func(text string, mode os.FileMode, want string) {
		t.Helper()
		_, err := ReadTokens(tokensFile(t, text, mode))
		if err == nil && want != "" || err != nil && (want == "" || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	f("# who\n\nread "+readToken+" # the scraper\nwrite "+writeToken+"\n", 0o640, "")
	f("read "+readToken, 0o644, "everybody may read it: chmod 640 ")
	f("root "+readToken, 0o600, `tokens:1: write "read TOKEN" or "write TOKEN"`)
	f("\nread", 0o600, "tokens:2: write ")
	f("read short", 0o600, "tokens:1: the token has 5 characters; write 16 or more")
	if _, err := ReadTokens(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is no file of tokens") {
		t.Error(err)
	}
	if _, err := ReadTokens("/nowhere"); err == nil {
		t.Error("a file that is not there is read")
	}
	// Another file in its place, one that cannot be used, and none.
	path := tokensFile(t, "read "+readToken, 0o600)
	tokens, err := ReadTokens(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text        string
		read, write Role
		fails       bool
	}{
		{"write " + writeToken, NoRole, Writer, false}, {"read short", NoRole, Writer, true},
		{"read " + readToken, Reader, NoRole, false}, {"", NoRole, NoRole, false},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := tokens.ReadAgain(); (err != nil) != c.fails {
			t.Errorf("%q is read again: %v", c.text, err)
		}
		if r, w := tokens.role([]byte(readToken)), tokens.role([]byte(writeToken)); r != c.read || w != c.write {
			t.Errorf("after %q the tokens have the roles %v and %v", c.text, r, w)
		}
	}
}

// TestHTTPCalls: who may call what over HTTP, and how it is refused.
func TestHTTPCalls(t *testing.T) {
	r := NewRPC()
	r.Register(
		&Method{Name: "t.see", Help: "Sees.", Reads: true, Params: []Param{{Name: "x", Optional: true}},
			Call: func(a Args) (any, error) { return a.Text(0), nil }},
		&Method{Name: "t.do", Help: "Does.", Call: func(Args) (any, error) { return nil, nil }},
		&Method{Name: "t.fail", Help: "Fails.", Reads: true, Call: func(Args) (any, error) {
			return nil, Faultf(404, "not there")
		}},
		&Method{Name: "t.panic", Help: "Panics.", Reads: true,
			Call: func(Args) (any, error) { panic("on purpose") }},
	)
	tokens, err := ReadTokens(tokensFile(t, "read "+readToken+"\nwrite "+writeToken, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	service, logged := testService(t)
	log := service.log
	serve := func(tokens *Tokens) *httptest.Server {
		s := httptest.NewServer(Local(NewHTTPCalls(r, tokens, log)))
		t.Cleanup(s.Close)
		return s
	}
	guarded, open := serve(tokens), serve(nil)
	f := func(s *httptest.Server, token, doc string, status int, want string, rows ...string) {
		t.Helper()
		q, err := http.NewRequest("POST", s.URL, strings.NewReader(doc))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", "application/json; charset=utf-8")
		if token != "" {
			q.Header.Set("Authorization", "Bearer "+token)
		}
		for i := 0; i < len(rows); i += 2 {
			q.Header.Set(rows[i], rows[i+1])
			if rows[i] == "Host" {
				q.Host = rows[i+1]
			}
		}
		a, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		b, _ := io.ReadAll(a.Body)
		if a.StatusCode != status || !strings.Contains(string(b), want) {
			t.Errorf("%s with %q: %d %s, want %d %s", doc, token, a.StatusCode, b, status, want)
		}
	}
	const see, do = `{"jsonrpc":"2.0","method":"t.see","params":["a\"b"],"id":7}`,
		`{"jsonrpc":"2.0","method":"t.do","id":"x"}`
	f(open, "", see, 200, `{"jsonrpc":"2.0","result":"a\"b","id":7}`)
	f(open, "", do, 403, `t.do may change something: it needs a token of role write`)
	f(open, writeToken, do, 403, `"code":403`) // nobody was given one
	f(guarded, "", see, 401, "send Authorization")
	f(guarded, "cccccccccccccccc", see, 401, "send Authorization")
	f(guarded, readToken, see, 200, `"result":"a\"b"`)
	f(guarded, readToken, do, 403, `"code":403`)
	f(guarded, writeToken, do, 200, `{"jsonrpc":"2.0","result":{},"id":"x"}`)
	f(guarded, writeToken, `{"jsonrpc":"2.0","method":"t.fail"}`, 404,
		`{"jsonrpc":"2.0","error":{"code":404,"message":"not there"},"id":null}`)
	f(open, "", `{"jsonrpc":"2.0","method":"t.nowhere","id":1}`, 404, `not found`)
	f(open, "", `[1`, 400, "the body is no JSON")
	f(open, "", `[]`, 400, "A request is one JSON object")
	f(open, "", `"`+strings.Repeat("x", MaxCommandBytes)+`"`, 413, "too long")
	f(open, "", `{"jsonrpc":"2.0","method":"t.panic","id":1}`, 500, "the command failed, see the log")
	f(open, "", see, 415, "send Content-Type", "Content-Type", "text/plain")
	f(open, "", see, 403, "pages of other sites", "Origin", "http://evil.example")
	f(open, "", see, 200, "result", "Origin", open.URL)
	f(open, "", see, 421, "the host must be", "Host", "evil.example:80")
	f(open, "", see, 200, "result", "Host", "localhost:80")
	log.Close()
	if !strings.Contains(logged(), "on purpose") {
		t.Error("the log has no word of the panic")
	}
}

// TestRoles: each method of this package is known to change nothing, or to change something; and
// no name of another is in the list.
func TestRoles(t *testing.T) {
	r := everyMethod()
	writing := nameSet("cfg.commit", "cfg.del_delayed", "cfg.reset", "cfg.rollback", "cfg.set",
		"cfg.set_delayed", "cfg.set_delayed_int", "cfg.set_delayed_string", "cfg.set_now_int",
		"cfg.set_now_string", "cfg.seti", "cfg.sets", "core.kill", "core.reload",
		"dispatcher.reload", "dns.delete", "dns.delete_all", "dst_blocklist.add",
		"dst_blocklist.delete", "dst_blocklist.delete_all", "dst_blocklist.stats_get",
		"tls.reload", "tm.cancel", "tm.t_uac_start", "tm.t_uac_wait", "tm.t_uac_wait_block",
		"viaduct.concurrency", "viaduct.config", "viaduct.drop", "viaduct.message", "viaduct.snapshot",
		"viaduct.trace_clear", "viaduct.trace_start", "viaduct.trace_stop", "viaduct.traced")
	for _, name := range r.Names() {
		if reading[name] == writing[name] {
			t.Errorf("%s: does it change something? Put it into reading, or into writing here", name)
		}
	}
	for _, set := range []map[string]bool{reading, writing} {
		for name := range set {
			if r.methods[name] == nil {
				t.Errorf("there is no method %s", name)
			}
		}
	}
}
