package control

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestSlogLevel(t *testing.T) {
	f := func(debug int, want slog.Level) {
		t.Helper()
		if got := SlogLevel(debug); got != want {
			t.Errorf("debug=%d: %v, want %v", debug, got, want)
		}
	}
	f(-5, slog.LevelError)
	f(-1, slog.LevelError)
	f(0, slog.LevelWarn)
	f(1, LevelNotice)
	f(2, slog.LevelInfo)
	f(3, slog.LevelDebug)
	f(9, slog.LevelDebug)
}

// testLog gives a log whose lines go to write.
func testLog(debug int, withTime bool, write func(severity, []byte) error) *Log {
	s := &sink{
		queue: make(chan logLine, logQueueLines), stop: make(chan struct{}), done: make(chan struct{}), write: write,
	}
	go s.run()
	return &Log{
		Logger: slog.New(newHandler(s, SlogLevel(debug), formOf(withTime))),
		Always: slog.New(newHandler(s, slog.LevelDebug, formOf(withTime))), sink: s,
	}
}

func TestLogSeverities(t *testing.T) {
	var mu sync.Mutex
	got := map[string]severity{}
	l := testLog(3, false, func(s severity, line []byte) error {
		mu.Lock()
		defer mu.Unlock()
		got[string(bytes.TrimSpace(line))] = s
		return nil
	})
	l.Error("e", "k", 1)
	l.Warn("w")
	l.Log(t.Context(), LevelNotice, "n")
	l.Info("i")
	l.Debug("d")
	l.With("a", 1).WithGroup("g").Error("x", "b", 2)
	l.Raw([]byte(`{"a":1}`))
	l.Close()
	for line, want := range map[string]severity{
		"msg=e k=1": sevError, "msg=w": sevWarning, "msg=n": sevNotice, "msg=i": sevInfo, "msg=d": sevDebug,
		"msg=x a=1 g.b=2": sevError, `{"a":1}`: sevInfo,
	} {
		if s, ok := got[line]; !ok || s != want {
			t.Errorf("%q: severity %v, there %v; want %v; all: %v", line, s, ok, want, got)
		}
	}
}

func TestLogLevelHoldsBackButAlwaysDoesNot(t *testing.T) {
	var out bytes.Buffer
	l := testLog(0, true, func(_ severity, line []byte) error { out.Write(line); return nil })
	l.Info("quiet")
	l.Warn("loud")
	l.Always.Info("viaduct ready")
	l.Log(t.Context(), LevelNotice, "quiet too")
	l.Close()
	text := out.String()
	if strings.Contains(text, "quiet") || !strings.Contains(text, "loud") ||
		!strings.Contains(text, `level=INFO msg="viaduct ready"`) {
		t.Errorf("logged\n%s", text)
	}
}

// A place that takes nothing must not hold up whoever logs, and what was lost is told.
func TestLogNeverBlocks(t *testing.T) {
	release := make(chan struct{})
	var out bytes.Buffer
	l := testLog(3, true, func(_ severity, line []byte) error { <-release; out.Write(line); return nil })
	start := time.Now()
	const extra = 100
	for range logQueueLines + 1 + extra { // one line is in the writer's hands
		l.Info("line")
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("logging took %v while the log was stuck", d)
	}
	if lost := l.Lost(); lost < extra || lost > extra+1 {
		t.Errorf("%d lines lost, want about %d", lost, extra)
	}
	close(release)
	l.Close()
	if !strings.Contains(out.String(), "log lines lost") {
		t.Error("the loss was not logged")
	}
}

// Lines that their place does not take are counted, and the count is told once it takes some again.
func TestLogCountsWhatIsNotTaken(t *testing.T) {
	taken := false
	var out bytes.Buffer
	l := testLog(3, true, func(_ severity, line []byte) error {
		if taken = taken || bytes.Contains(line, []byte("there is room again")); !taken {
			return errors.New("no space left on device")
		}
		out.Write(line)
		return nil
	})
	for range 5 {
		l.Info("line")
	}
	l.Info("there is room again")
	l.Info("one more")
	l.Close()
	if lost := l.Lost(); lost != 5 {
		t.Errorf("%d lines lost, want 5", lost)
	}
	if n := strings.Count(out.String(), "log lines lost"); n != 1 ||
		!strings.Contains(out.String(), "lines=5 total=5") {
		t.Errorf("logged\n%s", out.String())
	}
}

func TestUnknownFacility(t *testing.T) {
	if _, err := OpenLog(LogConfig{Facility: "LOG_NONSENSE"}); err == nil ||
		!strings.Contains(err.Error(), "LOG_NONSENSE") {
		t.Errorf("%v", err)
	}
}

func TestStderrLogOpens(t *testing.T) {
	old := os.Stderr
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	os.Stderr = w
	l, err := OpenLog(LogConfig{Stderr: true, Debug: 2})
	if err != nil {
		t.Fatal(err)
	}
	l.Info("hello")
	l.Close()
	os.Stderr = old
	w.Close()
	var b bytes.Buffer
	b.ReadFrom(r)
	if !strings.Contains(b.String(), "level=INFO msg=hello") {
		t.Errorf("%q", b.String())
	}
}

// TestHistory: the last warnings and errors are kept, though nobody reads the log.
func TestHistory(t *testing.T) {
	l := testLog(3, false, func(severity, []byte) error { return errors.New("full") })
	for i := range historyLines + 10 {
		l.Info("not kept")
		l.Warn(strings.Repeat("w", 3000), "n", i)
	}
	l.Error("the last\nof all")
	l.Close()
	if got := l.History(1); len(got) != 1 || got[0] != `msg="the last\nof all"` {
		t.Errorf("%q", got)
	}
	all := l.History(historyLines + 1)
	if len(all) != historyLines || !strings.HasPrefix(all[0], "msg=www") || len(all[0]) != historyLineBytes {
		t.Errorf("%d lines; the first has %d bytes: %.40q", len(all), len(all[0]), all[0])
	}
}

func formOf(withTime bool) LogForm {
	if withTime {
		return LogText
	}
	return LogSyslog
}
