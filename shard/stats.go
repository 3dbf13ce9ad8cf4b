package shard

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/valyala/bytebufferpool"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// ShardStats is a reading of one shard's counters.
type ShardStats struct {
	Shard    int
	Counters []NamedCount      // all of them, in a fixed order
	Dropped  map[string]uint64 // datagrams without an answer, by reason; those not zero
	// Failed are the final responses of 300 or more that were made here, and BranchesFailed the
	// branches that failed, both by "code cause" (proxy.Cause); those not zero.
	Failed, BranchesFailed map[string]uint64
	// Refused are the requests answered with an error before the routing program saw them, by
	// reason; those not zero.
	Refused map[string]uint64
	// Requests are those received, by method, and Responses by status; those not zero.
	Requests, Responses map[string]uint64
	// Latencies are how long things took, by the names of Latencies.
	Latencies map[string]shm.Histogram
}

// Latencies describes the histograms of ShardStats.
var Latencies = [...]struct {
	Name, Help string
	Unit       time.Duration
	at         int
}{
	{"first_response", "time from sending an INVITE to the first response of its destination",
		proxy.FirstResponseUnit, proxy.HistogramFirstResponse},
	{"batch", "time from the beginning of the batch that a message was received in until all had " +
		"left that the batch led to", batchUnit, histogramBatch},
	{"dns_wait", "time that a message waited for a name to be looked up", nameUnit, histogramNames},
	{"program", "time that request_route ran, of one request in 16", programUnit, histogramProgram},
}

// NamedCount is one counter or gauge.
type NamedCount struct {
	Name  string
	Value uint64
}

// Value returns a counter by name, 0 if there is none.
func (s *ShardStats) Value(name string) uint64 {
	for _, c := range s.Counters {
		if c.Name == name {
			return c.Value
		}
	}
	return 0
}

// MarshalJSON returns one flat object: shard first, then every counter by name, then the maps.
func (s *ShardStats) MarshalJSON() ([]byte, error) {
	b := bytebufferpool.Get()
	defer bytebufferpool.Put(b)
	b.B = strconv.AppendInt(append(b.B, `{"shard":`...), int64(s.Shard), 10)
	name := func(name string) { b.B = append(strconv.AppendQuote(append(b.B, ','), name), ':') }
	for _, c := range s.Counters {
		name(c.Name)
		b.B = strconv.AppendUint(b.B, c.Value, 10)
	}
	for _, m := range []struct {
		name   string
		counts map[string]uint64
	}{{"dropped", s.Dropped}, {"refused", s.Refused}, {"failed", s.Failed},
		{"branches_failed", s.BranchesFailed}, {"requests_by_method", s.Requests},
		{"responses_by_status", s.Responses}} {
		v, err := json.Marshal(m.counts)
		if err != nil {
			return nil, err
		}
		name(m.name)
		b.B = append(b.B, v...)
	}
	latency, err := json.Marshal(Quantiles(s.Latencies))
	if err != nil {
		return nil, err
	}
	name("latency")
	b.B = append(b.B, latency...)
	return append(bytes.Clone(b.B), '}'), nil
}

// Latency is a histogram as a command shows it.
type Latency struct {
	Count uint64  `json:"count"`
	P50   float64 `json:"p50_ms"`
	P90   float64 `json:"p90_ms"`
	P99   float64 `json:"p99_ms"`
	// Unit is that of Counts in ms: how many values were below 1, 2, 4, 8 … of it, with blanks
	// between them. (kamcmd reads no list within a record of a list.)
	Unit   float64 `json:"unit_ms"`
	Counts string  `json:"counts"`
}

// Quantiles returns what the histograms of Latencies say, by their names.
func Quantiles(all map[string]shm.Histogram) map[string]Latency {
	out := make(map[string]Latency, len(Latencies))
	for _, l := range Latencies {
		h := all[l.Name]
		ms := func(q float64) float64 {
			v := h.Quantile(q) * float64(l.Unit) / float64(time.Millisecond)
			return math.Round(v*1000) / 1000
		}
		out[l.Name] = Latency{h.Count(), ms(0.5), ms(0.9), ms(0.99),
			float64(l.Unit) / float64(time.Millisecond), strings.Trim(fmt.Sprint(h.Counts), "[]")}
	}
	return out
}

// Stats reads every shard's counters. It does not disturb the shards: each word has one writer and
// is read whole.
func (s *Server) Stats() []ShardStats {
	out := make([]ShardStats, len(s.workers))
	for i := range out {
		c := s.arena.Counters(i)
		read := func(n int) uint64 { return atomic.LoadUint64(&c[n]) }
		st := ShardStats{Shard: i, Dropped: map[string]uint64{}, Refused: map[string]uint64{}}
		for n := 1; n < countEnd; n++ {
			st.Counters = append(st.Counters, NamedCount{counted[n].Name, read(n)})
		}
		for n, c := range txn.Counted {
			st.Counters = append(st.Counters, NamedCount{c.Name, read(txn.CounterBase + 1 + n)})
		}
		for n, c := range proxy.Counted {
			st.Counters = append(st.Counters, NamedCount{c.Name, read(proxy.CounterBase + 1 + n)})
		}
		for _, k := range s.Program().Counters() {
			st.Counters = append(st.Counters, NamedCount{k.String(), k.Of(i)})
		}
		for r := range int(numReasons) {
			if v := read(dropBase + r); v > 0 {
				st.Dropped[Reason(r).String()] = v
			}
			if v := read(refuseBase + r); v > 0 {
				st.Refused[Reason(r).String()] = v
			}
		}
		st.Failed, st.BranchesFailed = s.failures(read)
		st.Requests, st.Responses = map[string]uint64{}, map[string]uint64{}
		for m := range parser.NumMethods {
			if v := read(countMethods + int(m)); v > 0 {
				st.Requests[methodName(m)] = v
			}
		}
		for status := minStatus; status <= maxStatus; status++ {
			if v := read(countCodes + status); v > 0 {
				st.Responses[strconv.Itoa(status)] = v
			}
		}
		st.Latencies = make(map[string]shm.Histogram, len(Latencies))
		for _, l := range Latencies {
			st.Latencies[l.Name] = c.Histogram(l.at)
		}
		out[i] = st
	}
	return out
}

// methodName returns the name of a method; those that are not known by name are together.
func methodName(m parser.Method) string {
	if m == parser.MethodOther {
		return "other"
	}
	return m.String()
}

// Counted describes the Counters of ShardStats, in their order. Those that modules declare have
// their module's name and a colon in front.
func (s *Server) Counted() (all []shm.Count) {
	for n := 1; n < countEnd; n++ {
		all = append(all, counted[n])
	}
	all = append(append(all, txn.Counted[:]...), proxy.Counted[:]...)
	for _, k := range s.Program().Counters() {
		all = append(all, shm.Count{Name: k.String(), Help: k.Doc})
	}
	return all
}

// Program returns the program of new requests.
func (s *Server) Program() *route.Program { return s.shared.gen.Load().program }

// Settings returns the settings of new requests. The caller does not change them.
func (s *Server) Settings() *route.Settings { return s.shared.gen.Load().settings }

// SetLogLevel sets the highest level that programs and shards log, in Kamailio's numbers, until a
// reload whose file has another debug than the one before.
func (s *Server) SetLogLevel(level int) {
	s.shared.logLevel.Store(int64(level))
	s.shared.tablesVersion.Add(1) // each shard looks with its next batch
	s.shared.ringAll()
}

// Threads returns the kernel's number of each shard's thread. It is 0 for one that has not begun.
func (s *Server) Threads() (all []int) {
	for _, w := range s.workers {
		all = append(all, int(w.thread.Load()))
	}
	return all
}

// ArenaBytes returns how much memory for call state is in use, and how much there is.
func (s *Server) ArenaBytes() (used, total uint64) {
	return s.arena.UsedBytes(), s.arena.TotalBytes()
}

// failures reads the counters of failures.
func (s *Server) failures(read func(int) uint64) (finals, branches map[string]uint64) {
	finals, branches = map[string]uint64{}, map[string]uint64{}
	note := func(m map[string]uint64, counter, code int, cause proxy.Cause) {
		if v := read(counter); v > 0 {
			m[strconv.Itoa(code)+" "+cause.String()] += v
		}
	}
	w := s.workers[0]
	for cause := range proxy.NumCauses {
		code := w.core.FinalStatus(cause)
		note(finals, proxy.CountFinalCauses+int(cause), code, cause)
		note(branches, proxy.CountBranchCauses+int(cause), code, cause)
	}
	for code := 300; code < 700; code++ {
		note(finals, proxy.CountProgramCodes+code-300, code, proxy.ByProgram)
		note(branches, proxy.CountDownstreamCodes+code-300, code, proxy.RefusedDownstream)
	}
	return finals, branches
}

// SteerStats returns the counters of the kernel's steering program.
func (s *Server) SteerStats() (netio.SteerStats, error) { return s.group.SteerStats() }
