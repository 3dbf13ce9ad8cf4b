package control

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"log/syslog"
	"net"
	"os"
	"strings"
	"time"
)

// LogForm is how the log is written, and where it goes.
type LogForm string

// The forms. LogDefault is LogText with LogConfig.Stderr, else LogSyslog.
const (
	LogDefault  LogForm = ""
	LogText     LogForm = "text"     // key=value, to standard error
	LogJSON     LogForm = "json"     // an object a line, to standard error
	LogSyslog   LogForm = "syslog"   // RFC 3164, to the local daemon
	LogRFC5424  LogForm = "rfc5424"  // RFC 5424, to the local daemon or by UDP, see ParseLogForm
	LogJournald LogForm = "journald" // with the attributes as fields, to systemd-journald
)

// LogForms are the words for them.
const LogForms = "text, json, syslog, rfc5424, rfc5424:ADDRESS:PORT or journald"

// ParseLogForm reads one of LogForms. to is ADDRESS:PORT, "" for none.
func ParseLogForm(s string) (form LogForm, to string, err error) {
	name, to, far := strings.Cut(s, ":")
	form = LogForm(name)
	switch form {
	case LogText, LogJSON, LogSyslog, LogJournald:
		if far {
			return "", "", fmt.Errorf("%s takes no address", name)
		}
	case LogRFC5424:
		if far {
			if _, err := net.ResolveUDPAddr("udp", to); err != nil {
				return "", "", fmt.Errorf("%q is no address and port", to)
			}
		}
	default:
		return "", "", fmt.Errorf("%q is none of %s", s, LogForms)
	}
	return form, to, nil
}

// Stderr tells whether the form goes to standard error.
func (f LogForm) Stderr() bool { return f == LogText || f == LogJSON }

// journal and localSyslog are where the local daemons listen.
var (
	journal     = "/run/systemd/journal/socket"
	localSyslog = "/dev/log"
)

// dialLog returns what writes lines to a daemon by datagrams.
func dialLog(network, address string) (func(b []byte) error, error) {
	conn, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return func(b []byte) error {
		// What the daemon does not take now is lost and counted: the queue must move on.
		conn.SetWriteDeadline(time.Now().Add(logFlushTimeout / 4))
		_, err := conn.Write(b)
		if err != nil {
			if again, e := net.Dial(network, address); e == nil { // the daemon was restarted
				conn.Close()
				conn = again
				_, err = conn.Write(b)
			}
		}
		return err
	}, nil
}

// priorities are the severities of syslog.
var priorities = [severities]syslog.Priority{sevError: syslog.LOG_ERR,
	sevWarning: syslog.LOG_WARNING, sevNotice: syslog.LOG_NOTICE, sevInfo: syslog.LOG_INFO,
	sevDebug: syslog.LOG_DEBUG}

// rfc5424 returns what writes lines in the form of RFC 5424 §6, without structured data: the
// attributes stand in the message.
func rfc5424(facility syslog.Priority, ident string, write func(b []byte) error) func(severity,
	[]byte) error {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "-"
	}
	return func(sev severity, line []byte) error {
		return write(fmt.Appendf(nil, "<%d>1 %s %s %s %d - - %s", facility|priorities[sev],
			time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"), host, ident, os.Getpid(),
			bytes.TrimRight(line, "\n")))
	}
}

// journalHandler writes records as journald takes them: a field a line, or with its length in front
// if its value has line ends (systemd.journal-fields(7), the native protocol).
type journalHandler struct {
	sink  *sink
	ident string
	level slog.Leveler
	group string // in front of the names of attributes
	attrs []slog.Attr
}

func (h *journalHandler) Enabled(_ context.Context, l slog.Level) bool {
	return l >= h.level.Level()
}

func (h *journalHandler) Handle(_ context.Context, r slog.Record) error {
	sev := severityOf(r.Level)
	text := []byte(r.Message)
	var fields []byte
	add := func(a slog.Attr) bool {
		if a.Value.Kind() == slog.KindGroup {
			for _, inner := range a.Value.Group() {
				inner.Key = a.Key + "_" + inner.Key
				fields = appendField(fields, "VIADUCT_"+inner.Key, inner.Value.String())
				text = fmt.Appendf(text, " %s=%s", inner.Key, quoteValue(inner.Value.String()))
			}
			return true
		}
		v := a.Value.Resolve().String()
		fields = appendField(fields, "VIADUCT_"+h.group+a.Key, v)
		text = fmt.Appendf(text, " %s%s=%s", h.group, a.Key, quoteValue(v))
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	b := appendField(nil, "MESSAGE", string(text))
	b = appendField(b, "PRIORITY", fmt.Sprint(int(priorities[sev])))
	b = appendField(b, "SYSLOG_IDENTIFIER", h.ident)
	b = appendField(b, "SYSLOG_PID", fmt.Sprint(os.Getpid()))
	h.sink.put(sev, append(b, fields...))
	return nil
}

func (h *journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.attrs = append(c.attrs[:len(c.attrs):len(c.attrs)], attrs...)
	return &c
}

func (h *journalHandler) WithGroup(name string) slog.Handler {
	c := *h
	c.group += name + "_"
	return &c
}

// appendField adds a field. Names are capital letters, digits and _.
func appendField(b []byte, name, value string) []byte {
	for _, c := range []byte(strings.ToUpper(name)) {
		if c < 'A' || c > 'Z' {
			if c < '0' || c > '9' {
				c = '_'
			}
		}
		b = append(b, c)
	}
	if !strings.Contains(value, "\n") {
		return append(append(append(b, '='), value...), '\n')
	}
	b = binary.LittleEndian.AppendUint64(append(b, '\n'), uint64(len(value)))
	return append(append(b, value...), '\n')
}

// quoteValue quotes a value with blanks, as the text form does.
func quoteValue(s string) string {
	if s == "" || strings.ContainsAny(s, " =\"\n\t") {
		return fmt.Sprintf("%q", s)
	}
	return s
}
