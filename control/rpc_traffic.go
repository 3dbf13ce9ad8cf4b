package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"
)

// Traffic is what the methods viaduct.* see and steer. Its functions are called from any goroutine.
type Traffic struct {
	// Calls lists the calls under way that which names, most at most, and tells whether there are
	// more. All are meant by "".
	Calls func(which string, most int) (list []any, more bool, err error)
	// Drop ends the calls that which names, and returns how many there were.
	Drop func(which string) (int, error)
	// Stuck returns the shards that did not come to the end of a batch within that time, and how
	// many there are.
	Stuck func(within time.Duration) (stuck []Thread, all int)
	// Config returns the configuration in effect, and the hash that tells it from others.
	Config func() (text, hash string)
	// State returns what a snapshot has of the process, by name.
	State func() map[string]any
	Log   *Log
	// Message sends a text to a user or a URI, and returns the final response.
	Message func(to, text string) (code int, reason string, err error)
	// Concurrency sets how many threads run Go code at once, shards included, and returns how many
	// it is now: never fewer than the shards need.
	Concurrency func(n int) int
	// SnapshotDir is where snapshots go that name no file.
	SnapshotDir string
}

// RegisterTraffic adds the methods viaduct.*.
func RegisterTraffic(r *RPC, t *Traffic) {
	which := func(optional bool) Param { return Param{Name: "call-id|user|uri", Optional: optional} }
	r.Register(
		&Method{Name: "viaduct.calls",
			Help: "Lists the requests under way, which have no final response yet; with a Call-ID, " +
				"user or URI only its own.",
			Params: []Param{which(true)}, Call: t.calls},
		&Method{Name: "viaduct.drop",
			Help: "Ends the calls of a Call-ID, user or URI that nobody has answered yet: their " +
				"branches are cancelled, and their callers get 480.",
			Params: []Param{which(false)}, Call: t.drop},
		&Method{Name: "viaduct.message",
			Help: "Sends a text to a URI or a user as a MESSAGE (RFC 3428). A user gets it by way " +
				"of the routing program, as from a phone. A response of 300 or more is a fault.",
			Params: []Param{{Name: "user|uri"}, {Name: "text"}}, Call: t.message},
		&Method{Name: "viaduct.concurrency",
			Help: "Sets how many threads run Go code at once, the shards included, and answers with " +
				"how many it is: never fewer than the shards need.",
			Params: []Param{{Name: "level", Kind: Int, Least: 1, Most: 4096}},
			Call: func(a Args) (any, error) {
				return t.Concurrency(int(a.Int(0, 0))), nil
			}},
		&Method{Name: "viaduct.check",
			Help: "Asks each shard for a sign of life; the fault names those that are stuck.",
			Call: t.check},
		&Method{Name: "viaduct.config", Help: "Shows the configuration in effect, as it was read.",
			Call: func(Args) (any, error) {
				text, _ := t.Config()
				return text, nil
			}},
		&Method{Name: "viaduct.history",
			Help: "Shows the last warnings and errors of the log, 20 unless it is said how many.",
			Params: []Param{{Name: "count", Kind: Int, Optional: true, Least: 1,
				Most: historyLines}},
			Call: func(a Args) (any, error) { return t.Log.History(int(a.Int(0, 20))), nil }},
		&Method{Name: "viaduct.snapshot",
			Help: "Writes a file with what helps to find out what is wrong: configuration, shards, " +
				"counters, goroutines, memory, the last errors. It answers with the file's name.",
			Params: []Param{{Name: "path", Optional: true}}, Call: t.snapshot},
	)
}

func (t *Traffic) calls(a Args) (any, error) {
	list, more, err := t.Calls(a.Text(0), viewRecords)
	if err != nil {
		return nil, err
	}
	if more {
		list = append(list, "more")
	}
	return append([]any{}, list...), nil
}

func (t *Traffic) drop(a Args) (any, error) {
	n, err := t.Drop(a.Text(0))
	switch {
	case err != nil:
		return nil, err
	case n == 0:
		return nil, Faultf(404, "no call under way has that Call-ID, user or URI")
	}
	t.Log.Warn("calls were dropped by an order", "which", a.Text(0), "calls", n)
	return struct {
		Dropped int `json:"dropped"`
	}{n}, nil
}

func (t *Traffic) message(a Args) (any, error) {
	code, reason, err := t.Message(a.Text(0), a.Text(1))
	switch {
	case err != nil:
		return nil, err
	case code >= 300:
		return nil, Faultf(code, "cannot message: the answer is %d %s", code, reason)
	}
	return fmt.Sprintf("%d %s", code, reason), nil
}

func (t *Traffic) check(Args) (any, error) {
	stuck, all := t.Stuck(checkWait)
	if len(stuck) > 0 {
		names := make([]string, len(stuck))
		for i, s := range stuck {
			names[i] = fmt.Sprintf("%s (thread %d)", s.What, s.ID)
		}
		return nil, Faultf(500, "stuck for %v: %s", checkWait, strings.Join(names, ", "))
	}
	return struct {
		Shards int    `json:"shards"`
		State  string `json:"state"`
	}{all, "ok"}, nil
}

// snapshot writes the file. It is one JSON object, but for the goroutines a line or two each.
func (t *Traffic) snapshot(a Args) (any, error) {
	now := time.Now()
	path := a.Text(0)
	if path == "" {
		path = filepath.Join(t.SnapshotDir,
			now.UTC().Format("viaduct-snapshot-20060102T150405.000Z.json"))
	} else if !filepath.IsAbs(path) {
		return nil, Faultf(400, "the path is %q: write it from the root on", path)
	}
	text, hash := t.Config()
	var goroutines strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&goroutines, 1) // a Builder takes everything
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	all := t.State()
	all["taken"] = now.UTC().Format(time.RFC3339Nano)
	all["configuration"] = map[string]string{"hash": hash, "text": text}
	all["goroutines"] = strings.Split(strings.TrimRight(goroutines.String(), "\n"), "\n")
	all["memory"] = map[string]uint64{"heap_bytes": mem.HeapAlloc, "from_system_bytes": mem.Sys,
		"collections": uint64(mem.NumGC), "stopped_ns": mem.PauseTotalNs}
	all["last_errors"] = t.Log.History(historyLines)
	stuck, _ := t.Stuck(checkWait)
	all["stuck"] = append([]Thread{}, stuck...)
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, Faultf(500, "cannot write the snapshot: %v", err)
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(path) // a part of a snapshot misleads
		return nil, Faultf(500, "cannot write the snapshot: %v", err)
	}
	return path, nil
}
