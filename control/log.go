package control

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"log/syslog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// LevelNotice lies between information and warning, where syslog and Kamailio's debug=1 have it.
const LevelNotice = slog.Level(2)

// SlogLevel returns the slog level for Kamailio's `debug` numbers: with -5 to -1 errors only, with
// 0 also warnings, 1 notices, 2 information, 3 and more everything.
func SlogLevel(debug int) slog.Level {
	switch {
	case debug < 0:
		return slog.LevelError
	case debug == 0:
		return slog.LevelWarn
	case debug == 1:
		return LevelNotice
	case debug == 2:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// facilities are the names `log_facility` may have (syslog(3)).
var facilities = map[string]syslog.Priority{
	"LOG_AUTH": syslog.LOG_AUTH, "LOG_AUTHPRIV": syslog.LOG_AUTHPRIV, "LOG_CRON": syslog.LOG_CRON,
	"LOG_DAEMON": syslog.LOG_DAEMON,
	"LOG_FTP":    syslog.LOG_FTP, "LOG_KERN": syslog.LOG_KERN, "LOG_LPR": syslog.LOG_LPR,
	"LOG_MAIL": syslog.LOG_MAIL, "LOG_NEWS": syslog.LOG_NEWS,
	"LOG_SYSLOG": syslog.LOG_SYSLOG, "LOG_USER": syslog.LOG_USER, "LOG_UUCP": syslog.LOG_UUCP,
	"LOG_LOCAL0": syslog.LOG_LOCAL0, "LOG_LOCAL1": syslog.LOG_LOCAL1,
	"LOG_LOCAL2": syslog.LOG_LOCAL2, "LOG_LOCAL3": syslog.LOG_LOCAL3,
	"LOG_LOCAL4": syslog.LOG_LOCAL4, "LOG_LOCAL5": syslog.LOG_LOCAL5,
	"LOG_LOCAL6": syslog.LOG_LOCAL6, "LOG_LOCAL7": syslog.LOG_LOCAL7,
}

// LogConfig says where the log goes and how much of it is written.
type LogConfig struct {
	Stderr   bool   // to standard error, else to syslog
	Debug    int    // Kamailio's level, see SlogLevel
	Ident    string // name in syslog; "" is viaduct
	Facility string // LOG_DAEMON, LOG_LOCAL0 …; "" is LOG_DAEMON
	// Form is how lines are written and where they go. To is where LogRFC5424 sends them by UDP, ""
	// for the local daemon.
	Form LogForm
	To   string
}

// Log is the process's log: the embedded Logger for lines that the level may hold back, Always for
// the few that an operator must see whatever the level (ready, draining, stopped). It is safe for
// all goroutines; no call of it blocks on the place the lines go to.
type Log struct {
	*slog.Logger
	Always *slog.Logger
	sink   *sink
	level  slog.LevelVar
	debug  atomic.Int64
}

// SetDebug changes which lines are held back; see SlogLevel for the numbers.
func (l *Log) SetDebug(debug int) {
	l.debug.Store(int64(debug))
	l.level.Set(SlogLevel(debug))
}

// DebugLevel returns the number given to SetDebug last.
func (l *Log) DebugLevel() int64 { return l.debug.Load() }

// OpenLog connects the log. Call it before chroot, since the syslog socket is not reachable from
// inside. With Stderr it cannot fail.
func OpenLog(c LogConfig) (*Log, error) {
	s := &sink{
		queue: make(chan logLine, logQueueLines), stop: make(chan struct{}),
		done: make(chan struct{}),
	}
	form := c.Form
	if form == LogDefault {
		form = LogSyslog
		if c.Stderr {
			form = LogText
		}
	}
	if err := s.open(form, &c); err != nil {
		return nil, err
	}
	go s.run()
	l := &Log{sink: s}
	l.SetDebug(c.Debug)
	make := func(level slog.Leveler) *slog.Logger {
		if form == LogJournald {
			return slog.New(&journalHandler{sink: s, ident: c.Ident, level: level})
		}
		return slog.New(newHandler(s, level, form))
	}
	l.Logger, l.Always = make(&l.level), make(slog.LevelDebug)
	return l, nil
}

// open sets where lines of a form go, and the name they have there.
func (s *sink) open(form LogForm, c *LogConfig) error {
	if c.Ident == "" {
		c.Ident = "viaduct"
	}
	s.form, s.ident = form, c.Ident
	if form.Stderr() {
		s.write = func(_ severity, line []byte) error {
			_, err := os.Stderr.Write(line)
			return err
		}
		return nil
	}
	facility := syslog.LOG_DAEMON
	if c.Facility != "" {
		known := false
		if facility, known = facilities[c.Facility]; !known {
			return fmt.Errorf("unknown log facility %s (syslog(3) names LOG_DAEMON, LOG_LOCAL0 …)",
				c.Facility)
		}
	}
	switch form {
	case LogJournald:
		write, err := dialLog("unixgram", journal)
		if err != nil {
			return fmt.Errorf("cannot reach journald (%w): log to standard error with -E", err)
		}
		s.write = func(_ severity, line []byte) error { return write(line) }
		return nil
	case LogRFC5424:
		network, to := "unixgram", localSyslog
		if c.To != "" {
			network, to = "udp", c.To
		}
		write, err := dialLog(network, to)
		if err != nil {
			return fmt.Errorf("cannot reach syslog (%w): log to standard error with -E", err)
		}
		s.write = rfc5424(facility, c.Ident, write)
		return nil
	}
	w, err := syslog.New(facility|syslog.LOG_INFO, c.Ident)
	if err != nil {
		return fmt.Errorf("cannot reach syslog (%w): log to standard error with -E", err)
	}
	s.write = func(sev severity, line []byte) error {
		text := string(bytes.TrimRight(line, "\n"))
		switch sev {
		case sevError:
			return w.Err(text)
		case sevWarning:
			return w.Warning(text)
		case sevNotice:
			return w.Notice(text)
		case sevInfo:
			return w.Info(text)
		}
		return w.Debug(text)
	}
	return nil
}

// Raw writes one line to the log as it is, without time or level. It is for machine-readable lines.
func (l *Log) Raw(line []byte) { l.sink.put(sevInfo, l.sink.plain(sevInfo, line)) }

// Lost returns the number of lines dropped because the place they go to was too slow or did not
// take them: a full disk, a pipe that nobody reads any more, a syslog that went away.
func (l *Log) Lost() uint64 { return l.sink.lost.Load() }

// Close waits until what was logged is written, logFlushTimeout at most. Lines logged after it are
// lost.
func (l *Log) Close() {
	l.sink.once.Do(func() { close(l.sink.stop) })
	select {
	case <-l.sink.done:
	case <-time.After(logFlushTimeout):
	}
}

type severity uint8

const (
	sevError severity = iota
	sevWarning
	sevNotice
	sevInfo
	sevDebug
	severities
)

func severityOf(l slog.Level) severity {
	switch {
	case l >= slog.LevelError:
		return sevError
	case l >= slog.LevelWarn:
		return sevWarning
	case l >= LevelNotice:
		return sevNotice
	case l >= slog.LevelInfo:
		return sevInfo
	}
	return sevDebug
}

type logLine struct {
	severity severity
	text     []byte
}

// sink is the bounded queue in front of the place lines go to, with the one goroutine that writes
// there.
type sink struct {
	write   func(severity, []byte) error
	form    LogForm
	ident   string // its name there
	history history
	queue   chan logLine
	lost    atomic.Uint64 // written by put and run, read by run and Lost
	stop    chan struct{} // closed by Close, once
	once    sync.Once
	done    chan struct{} // closed when run has written what was queued at Close
}

func (s *sink) put(sev severity, text []byte) {
	select {
	case s.queue <- logLine{sev, text}:
	default:
		s.lost.Add(1)
	}
}

func (s *sink) run() {
	defer close(s.done)
	var told uint64
	emit := func(l logLine) {
		if l.severity <= sevWarning {
			s.history.keep(s.shown(l.text))
		}
		if !s.line(l) {
			s.lost.Add(1)
			return
		}
		// Reported when lines get through again: before that this line would be lost too.
		if n := s.lost.Load(); n != told &&
			s.line(logLine{sevWarning, s.plain(sevWarning, s.lostLine(n-told, n))}) {
			told = n
		}
	}
	for {
		select {
		case l := <-s.queue:
			emit(l)
		case <-s.stop:
			for {
				select {
				case l := <-s.queue:
					emit(l)
				default:
					return
				}
			}
		}
	}
}

// lostLine tells how many lines were lost.
func (s *sink) lostLine(lines, total uint64) []byte {
	if s.form == LogJSON {
		return fmt.Appendf(nil, `{"level":"WARN","msg":"log lines lost","lines":%d,"total":%d}`, lines,
			total)
	}
	return fmt.Appendf(nil, "level=WARN msg=\"log lines lost\" lines=%d total=%d", lines, total)
}

// plain is a line that is no record, as the place takes it.
func (s *sink) plain(sev severity, line []byte) []byte {
	if s.form == LogJournald {
		b := appendField(nil, "MESSAGE", string(line))
		b = appendField(b, "PRIORITY", fmt.Sprint(int(priorities[sev])))
		return appendField(b, "SYSLOG_IDENTIFIER", s.ident)
	}
	return append(bytes.Clone(line), '\n')
}

// shown is a line as an operator reads it.
func (s *sink) shown(text []byte) []byte {
	if s.form == LogJournald {
		message, _, _ := bytes.Cut(bytes.TrimPrefix(text, []byte("MESSAGE=")), []byte("\n"))
		return message
	}
	return text
}

// line writes one line. It returns false if the line could not be written; the count of lost lines
// is the only place left to say so.
func (s *sink) line(l logLine) (written bool) {
	defer func() {
		if recover() != nil {
			written = false
		}
	}()
	return s.write(l.severity, l.text) == nil
}

// handler gives each record to the text handler of its severity, whose writer knows that severity:
// slog's own handlers lose the level on the way to their writer, and syslog needs it.
type handler struct {
	level slog.Leveler
	by    [severities]slog.Handler
}

// sinkWriter is the io.Writer of one severity. slog calls it once a record, with the whole line.
type sinkWriter struct {
	sink     *sink
	severity severity
}

func (w sinkWriter) Write(p []byte) (int, error) {
	w.sink.put(w.severity, bytes.Clone(p))
	return len(p), nil
}

var _ io.Writer = sinkWriter{}

func newHandler(s *sink, level slog.Leveler, form LogForm) slog.Handler {
	h, withTime := &handler{level: level}, form.Stderr()
	opt := &slog.HandlerOptions{Level: slog.LevelDebug,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) > 0 {
				return a
			}
			switch {
			case a.Key == slog.TimeKey && !withTime, a.Key == slog.LevelKey && !withTime:
				return slog.Attr{} // syslog has its own
			case a.Key == slog.LevelKey && a.Value.Any() == LevelNotice:
				a.Value = slog.StringValue("NOTICE")
			}
			return a
		}}
	for sev := range severities {
		if form == LogJSON {
			h.by[sev] = slog.NewJSONHandler(sinkWriter{s, sev}, opt)
		} else {
			h.by[sev] = slog.NewTextHandler(sinkWriter{s, sev}, opt)
		}
	}
	return h
}

func (h *handler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	return h.by[severityOf(r.Level)].Handle(ctx, r)
}

func (h *handler) each(f func(slog.Handler) slog.Handler) slog.Handler {
	c := &handler{level: h.level}
	for i, inner := range h.by {
		c.by[i] = f(inner)
	}
	return c
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.each(func(inner slog.Handler) slog.Handler { return inner.WithAttrs(attrs) })
}

func (h *handler) WithGroup(name string) slog.Handler {
	return h.each(func(inner slog.Handler) slog.Handler { return inner.WithGroup(name) })
}
