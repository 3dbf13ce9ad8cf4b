package control

import (
	"encoding/binary"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestParseLogForm(t *testing.T) {
	f := func(s string, form LogForm, to, bad string) {
		t.Helper()
		got, gotTo, err := ParseLogForm(s)
		if bad != "" {
			if err == nil || !strings.Contains(err.Error(), bad) {
				t.Errorf("%s: %v", s, err)
			}
			return
		}
		if got != form || gotTo != to || err != nil {
			t.Errorf("%s: %s %s %v", s, got, gotTo, err)
		}
	}
	f("text", LogText, "", "")
	f("json", LogJSON, "", "")
	f("syslog", LogSyslog, "", "")
	f("journald", LogJournald, "", "")
	f("rfc5424", LogRFC5424, "", "")
	f("rfc5424:127.0.0.1:514", LogRFC5424, "127.0.0.1:514", "")
	f("rfc5424:nowhere", "", "", `"nowhere" is no address and port`)
	f("json:x", "", "", "json takes no address")
	f("xml", "", "", `"xml" is none of text, json`)
}

// daemon listens where a local daemon would, and returns what arrives.
func daemon(t *testing.T, path *string) (next func() string) {
	t.Helper()
	before := *path
	*path = filepath.Join(t.TempDir(), "s")
	t.Cleanup(func() { *path = before })
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: *path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return func() string {
		b := make([]byte, 1<<16)
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, err := conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
}

func openLog(t *testing.T, c LogConfig) *Log {
	t.Helper()
	l, err := OpenLog(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func TestRFC5424(t *testing.T) {
	next := daemon(t, &localSyslog)
	l := openLog(t, LogConfig{Form: LogRFC5424, Facility: "LOG_LOCAL1", Ident: "edge"})
	l.Warn("branch failed", "call_id", "a b")
	got := next()
	want := regexp.MustCompile(`^<140>1 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \S+ edge \d+ - - ` +
		`msg="branch failed" call_id="a b"$`)
	if !want.MatchString(got) {
		t.Errorf("%q", got)
	}
	if lines := l.History(5); len(lines) != 1 || !strings.Contains(lines[0], "branch failed") {
		t.Errorf("the history is %q", lines)
	}
}

func TestJournald(t *testing.T) {
	next := daemon(t, &journal)
	l := openLog(t, LogConfig{Form: LogJournald})
	l.With("shard", 1).Error("branch failed", "call-id", "x@y", "text", "two\nlines")
	var length [8]byte
	binary.LittleEndian.PutUint64(length[:], 9)
	message := `branch failed shard=1 call-id=x@y text="two\nlines"`
	want := "MESSAGE=" + message + "\nPRIORITY=3\nSYSLOG_IDENTIFIER=viaduct\nSYSLOG_PID=PID\n" +
		"VIADUCT_SHARD=1\nVIADUCT_CALL_ID=x@y\nVIADUCT_TEXT\n" + string(length[:]) + "two\nlines\n"
	got := regexp.MustCompile(`PID=\d+`).ReplaceAllString(next(), "PID=PID")
	if got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	l.Raw([]byte(`{"a":1}`))
	if got := next(); got != "MESSAGE={\"a\":1}\nPRIORITY=6\nSYSLOG_IDENTIFIER=viaduct\n" {
		t.Errorf("%q", got)
	}
	if lines := l.History(5); len(lines) != 1 || lines[0] != message {
		t.Errorf("the history is %q", lines)
	}
}

// TestJSON: each line is an object.
func TestJSON(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stderr
	os.Stderr = w
	l := openLog(t, LogConfig{Form: LogJSON, Debug: 2})
	l.Log(t.Context(), LevelNotice, "n", "code", 486)
	l.Close()
	os.Stderr = before
	w.Close()
	var x struct {
		Level, Msg string
		Code       int
		Time       time.Time
	}
	if err := json.NewDecoder(r).Decode(&x); err != nil || x.Level != "NOTICE" || x.Msg != "n" ||
		x.Code != 486 || x.Time.IsZero() {
		t.Errorf("%+v %v", x, err)
	}
}

// TestNoDaemon: a daemon that is not there is an error at once, and one that went away loses lines.
func TestNoDaemon(t *testing.T) {
	before := journal
	journal = filepath.Join(t.TempDir(), "none")
	defer func() { journal = before }()
	if _, err := OpenLog(LogConfig{Form: LogJournald}); err == nil ||
		!strings.Contains(err.Error(), "cannot reach journald") {
		t.Errorf("%v", err)
	}
	listen := func() *net.UnixConn {
		os.Remove(journal)
		conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: journal, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	conn := listen()
	l := openLog(t, LogConfig{Form: LogJournald})
	conn.Close()
	l.Warn("lost")
	for range 500 {
		if l.Lost() == 1 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if l.Lost() != 1 {
		t.Fatalf("%d lines are lost", l.Lost())
	}
	conn = listen() // it was started again
	defer conn.Close()
	l.Warn("two")
	b := make([]byte, 1<<16)
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := conn.Read(b); err != nil || !strings.HasPrefix(string(b[:n]), "MESSAGE=two\n") {
		t.Errorf("%q %v", b[:n], err)
	}
}
