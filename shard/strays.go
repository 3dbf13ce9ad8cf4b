package shard

import "log/slog"

// strays counts, for one listener and second, what came to this shard though the kernel program
// should have brought it to another. Some may: where the program finds no Call-ID it leaves the
// choice to the kernel. Many mean that a peer on this host, or behind a virtual network, sends
// bundles: the program sees only the first datagram of each.
type strays struct{ arrived, foreign uint32 }

// many tells whether steering does more harm than good.
func (s strays) many() bool { return s.foreign >= strayLeast && s.foreign >= s.arrived/strayShare }

// watchStrays takes the kernel program off listeners to which bundles come. Once a second.
func (w *worker) watchStrays() {
	for l := range w.strays {
		s := w.strays[l]
		w.strays[l] = strays{}
		if s.many() && w.shared.unsteer != nil && w.shared.unsteer(l) {
			w.shared.queue(logLine{slog.LevelWarn, "datagrams arrive in bundles: the kernel no longer steers them to their shards, or a call's messages would overtake each other; their sender may run with --segment off, or this with --steer off",
				[]any{"shard", w.number, "listen", string(w.shared.listeners[l].SentBy), "arrived", s.arrived, "foreign", s.foreign}})
		}
	}
}
