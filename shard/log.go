package shard

import (
	"context"
	"log/slog"
	"time"

	"viaduct/shard/balance"
	"viaduct/shard/route"
)

// logLine is one line on its way to the log. The shards do not write to the log themselves, since a
// full pipe must not stop a packet.
type logLine struct {
	level slog.Level
	text  string
	attrs []any
}

// queuedLine is a logLine in the queue. ofProgram says that the program's own level let it through,
// so that it is written whatever the logger's is: setdebug of module kex, and mod_level of module
// debugger.
type queuedLine struct {
	logLine
	ofProgram bool
}

// Log queues a line of the routing program. If the queue is full the line is lost, and counted.
func (s *shared) Log(level int, line []byte) {
	s.enqueue(queuedLine{logLine{level: slogLevel(level), text: string(line)}, true})
}

// LogLevel returns the highest level that is logged, in Kamailio's numbers.
func (s *shared) LogLevel() int { return int(s.logLevel.Load()) }

func (s *shared) queue(l logLine) { s.enqueue(queuedLine{logLine: l}) }

func (s *shared) enqueue(l queuedLine) {
	select {
	case s.lines <- l:
	default:
		s.linesLost.Add(1)
	}
}

// levelNotice is between information and warnings, as control.LevelNotice.
const levelNotice = slog.Level(2)

// slogLevel maps Kamailio's levels: -1 and below are errors, 0 warnings, 1 notices, 2 information,
// 3 debugging.
func slogLevel(level int) slog.Level {
	switch {
	case level < 0:
		return slog.LevelError
	case level == 0:
		return slog.LevelWarn
	case level == 1:
		return levelNotice
	case level == 2:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// targetEvent tells the operator that a destination went down or came back, and the probing shard
// that something about it changed.
func (s *shared) targetEvent(t *balance.Target, e balance.Event, why string) {
	s.lookAtTargets()
	if e == balance.Down || e == balance.Up {
		s.raiseTarget(t, e)
	}
	switch e {
	case balance.Down:
		s.queue(logLine{slog.LevelWarn, "destination down: no new call goes there",
			[]any{"set", t.SetID, "uri", t.URI, "seen_by", why}})
	case balance.Up:
		s.queue(logLine{slog.LevelWarn, "destination up again",
			[]any{"set", t.SetID, "uri", t.URI, "seen_by", why}})
	}
}

// lookAtTargets has the probing shard look at all destinations.
func (s *shared) lookAtTargets() {
	s.targetsChanged.Store(true)
	if len(s.bells) > 0 {
		s.bells[probingShard].Ring()
	}
}

// raiseTarget makes the probing shard, if there is one, run event_route[dispatcher:dst-down] or
// dst-up.
func (s *shared) raiseTarget(t *balance.Target, e balance.Event) {
	gen, w := s.gen.Load(), s.probing.Load()
	if gen == nil || w == nil {
		return
	}
	if event := gen.program.Event("dispatcher:" + e.String()); event.HasRoute() {
		uri := []byte(t.URI)
		w.later(func(c *route.Ctx) {
			if gen.program == w.program { // otherwise a reload came in between
				event.Raise(c, uri)
			}
		})
	}
}

// log writes the queued lines until the queue is closed.
func (s *Server) log() {
	defer close(s.logDone)
	for l := range s.shared.lines {
		s.write(l)
		if n := s.shared.linesLost.Swap(0); n > 0 {
			s.write(queuedLine{logLine: logLine{slog.LevelWarn,
				"log lines were lost: the queue was full", []any{"lines", n}}})
		}
	}
}

// write passes one line to the logger. The text comes from messages, and the logger is the
// embedding program's: a panic in it costs the line, not the calls.
func (s *Server) write(l queuedLine) {
	defer func() {
		if recover() != nil {
			s.shared.linesLost.Add(1)
		}
	}()
	log := s.shared.logger
	if ctx := context.Background(); l.ofProgram && !log.Enabled(ctx, l.level) {
		_ = log.Handler().Handle(ctx, slog.NewRecord(time.Now(), l.level, l.text, 0))
		return
	}
	log.Log(context.Background(), l.level, l.text, l.attrs...)
}
