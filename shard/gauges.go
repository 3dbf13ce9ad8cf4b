package shard

import (
	"log/slog"

	"viaduct/shard/proxy"
)

// gauges copies what other parts keep into the counter block. The gauges stay right while the shard
// sleeps, since only a round changes what they show.
func (w *worker) gauges() {
	if w.batchAt >= w.onceDue {
		w.onceASecond(w.batchAt)
	}
	s := w.port.Stats()
	w.count[CountBatches], w.count[CountBundled] = s.RecvBatches, s.RecvBundled
	w.count[CountDatagramsOut] = s.SentDatagrams
	w.count[CountBytesIn], w.count[CountBytesOut] = s.RecvBytes, s.SentBytes
	w.count[CountSendQueued], w.count[CountQueueFull] = s.SendQueued, s.SendAgain
	w.count[CountReopened], w.count[CountNoWayBack] = w.outlet.reopened, w.outlet.lost
	w.lastFinal.Store(w.tx.LastFinal())
	w.count[GaugeTransactions] = uint64(w.tx.Held())
	w.count[GaugeUnanswered] = uint64(w.tx.Unanswered())
	w.count[GaugeArenaUsed] = w.slab.UsedBytes()
}

// onceASecond does what is too expensive to do in each round. While requests are being refused it
// is done again every second, to see the end of that.
func (w *worker) onceASecond(now int64) {
	w.onceDue = never
	for _, l := range w.listeners {
		w.queueOf(l)
	}
	w.watchRoom(now)
	w.watchLoad(now)
	w.watchSteering()
	w.watchFailures()
	if w.noRoom.at != 0 || w.tooMuch.at != 0 {
		w.onceDue = now + int64(onceEvery)
	}
}

// watchRoom logs when requests begin to be refused because there is no room for their transactions,
// and when that is over.
func (w *worker) watchRoom(now int64) {
	switch began, ended, n := w.noRoom.look(now, w.count[proxy.CountShed]); {
	case began:
		w.shared.queue(logLine{slog.LevelWarn,
			"no room for more calls: new ones get 503; raise -m if the load is meant",
			[]any{"shard", w.number,
				"transactions", w.tx.Held(), "arena_used_bytes", w.arena.UsedBytes(), "arena_bytes",
				w.arena.TotalBytes(),
				"kept_bytes", w.tx.ReserveBytes(), "kept_for", "requests of calls in progress"}})
	case ended:
		w.shared.queue(logLine{slog.LevelWarn, "there is room for calls again",
			[]any{"shard", w.number, "refused", n}})
	}
}

// episode follows a counter that moves for a while and then rests.
type episode struct {
	count, before uint64 // when last looked at, and when the episode began
	at            int64  // when it moved last, ns; 0 means no episode
}

// look reports that an episode began; or that one ended, and how far the counter moved in it. An
// episode ends when the counter has not moved for shedQuiet.
func (s *episode) look(now int64, count uint64) (began, ended bool, moved uint64) {
	was := s.count
	s.count = count
	switch {
	case count != was:
		if began = s.at == 0; began {
			s.before = was
		}
		s.at = now
	case s.at != 0 && now-s.at >= int64(shedQuiet):
		s.at = 0
		return false, true, count - s.before
	}
	return began, false, 0
}
