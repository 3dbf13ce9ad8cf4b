package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// Defaults of the memory scenario.
const (
	heldFull  = 1_000_000
	heldQuick = 20_000
	// heldKamailio bounds what Kamailio is asked to hold: it shows bytes per transaction as well as
	// a million would, in a fifth of the time.
	heldKamailio = 200_000
	// openTogether is how many INVITEs may be on their way at a time while opening, and calls while
	// releasing.
	openTogether = 200
)

// hold opens transactions, looks at the memory, and ends them.
func hold(ctx context.Context, b *bench, r *Results) error {
	field := b.field("kamailio-lb", "viaduct-lb")
	if len(field) == 0 {
		return errAbsent
	}
	dir, err := b.holdFolder()
	if err != nil {
		return err
	}
	for _, c := range field {
		calls := b.cfg.HeldCalls
		if calls == 0 {
			calls = heldFull
			if b.cfg.Quick {
				calls = heldQuick
			}
		}
		memory := viaductHoldMB
		if c.kind == kindKamailio {
			memory = kamailioHoldMB
			calls = min(calls, heldKamailio)
		}
		m, err := b.holdWith(ctx, c, dir, memory, calls)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		r.Held = append(r.Held, *m)
		b.say("hold %s: %d calls, resident %.0f → %.0f → %.0f MB, arena %d → %d → %d bytes, "+
			"opened in %.1f s, released in %.1f s, failed %d", c.name, m.Calls,
			mb(m.ResidentBefore), mb(m.ResidentHeld), mb(m.ResidentAfter), m.ArenaBefore,
			m.ArenaHeld, m.ArenaAfter,
			m.Run.HoldOpenSeconds, m.Run.HoldReleaseSeconds,
			m.Run.Failed+m.Run.Abandoned+m.Run.Unfinished)
	}
	return nil
}

func mb(bytes int64) float64 { return float64(bytes) / (1 << 20) }

var invTimer = regexp.MustCompile(`"fr_inv_timer", \d+`)

// holdFolder holds lb.cfg with a longer fr_inv_timer: two minutes are not enough to open a million
// calls and look at them.
func (b *bench) holdFolder() (string, error) {
	text, err := os.ReadFile(filepath.Join(b.peers, "lb.cfg"))
	if err != nil {
		return "", err
	}
	if !invTimer.Match(text) {
		return "", errors.New("lb.cfg sets no fr_inv_timer")
	}
	text = invTimer.ReplaceAll(text, []byte(`"fr_inv_timer", 900000`))
	list, err := os.ReadFile(filepath.Join(b.peers, "dispatcher.list"))
	if err != nil {
		return "", err
	}
	dir := filepath.Join(b.dir, "hold")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return dir, errors.Join(os.WriteFile(filepath.Join(dir, "lb.cfg"), text, 0o644),
		os.WriteFile(filepath.Join(dir, "dispatcher.list"), list, 0o644))
}

// holdWith takes the figures of one server.
func (b *bench) holdWith(ctx context.Context, c contender, dir string, memory,
	calls int) (*Held, error) {
	s, err := b.start(ctx, c, serverOptions{dir: dir, memory: memory})
	if err != nil {
		return nil, err
	}
	defer s.stop()
	m := &Held{Name: c.name, Calls: calls, MemoryMB: memory}
	look := func(resident64 *int64, arena, heap *uint64) error {
		*resident64 = s.resident()
		if c.kind != kindViaduct {
			return nil
		}
		stats, err := s.stats(1)
		if err == nil {
			*arena, *heap = arenaUsed(stats), goHeap(stats)
		}
		return err
	}
	if err := look(&m.ResidentBefore, &m.ArenaBefore, &m.HeapBefore); err != nil {
		return nil, err
	}
	// At 5,000 a second at least; a server slower than that is not worth waiting for.
	longest := time.Duration(calls)*400*time.Microsecond + releaseTime
	l, err := b.startLoad(ctx, longest,
		b.loadArgs(s, "-mode", "hold", "-calls", strconv.Itoa(calls), "-concurrent",
			strconv.Itoa(openTogether), "-give-up", "20s", "-drain", "2s"))
	if err != nil {
		return nil, err
	}
	defer l.cancel()
	if err := l.phase("held"); err != nil {
		return nil, err
	}
	if err := look(&m.ResidentHeld, &m.ArenaHeld, &m.HeapHeld); err != nil {
		return nil, err
	}
	l.goOn()
	if m.Run, err = l.wait(); err != nil {
		return nil, err
	}
	wait := time.Now().Add(releaseTime)
	if c.kind == kindKamailio {
		// it keeps the memory for itself: there is no figure that would come back
		wait = time.Now().Add(10 * time.Second)
	}
	for {
		if err := look(&m.ResidentAfter, &m.ArenaAfter, &m.HeapAfter); err != nil {
			return nil, err
		}
		if c.kind == kindViaduct && m.ArenaAfter == m.ArenaBefore || time.Now().After(wait) {
			return m, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}
