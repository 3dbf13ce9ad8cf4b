package traffic

import (
	"time"

	"viaduct/bench/histogram"
)

// kind is one message of a call. Each kind travels in one direction only, so one bit per kind and
// call says it was sent, one it arrived.
type kind uint8

const (
	kindInvite kind = iota
	kindTrying
	kindRinging
	kindAnswer
	kindAck
	kindBye
	kindByeDone
	kindCancel
	kindCancelDone
	kindFailure
	kindFailureAck
	kindOptions
	kindOptionsDone
	kindCount
)

var kindNames = [kindCount]string{"INVITE", "100", "180", "200 INVITE", "ACK", "BYE", "200 BYE",
	"CANCEL", "200 CANCEL", "4xx-6xx INVITE",
	"ACK 4xx-6xx", "OPTIONS", "200 OPTIONS"}

func (k kind) bit() uint16 { return 1 << k }

// fault is something wrong with a message that arrived.
type fault uint8

const (
	faultMalformed fault = iota
	faultSwapped
	faultBranch
	faultVia
	faultCSeq
	faultLength
	faultBody
	faultRecordRoute
	faultRoute
	faultURI
	faultTag
	faultMaxForwards
	faultPort
	faultUnexpected
	faultCount
)

var faultNames = [faultCount]string{"malformed", "swapped", "wrong_branch", "wrong_via",
	"wrong_cseq", "wrong_content_length", "wrong_body",
	"wrong_record_route", "route_left", "wrong_uri", "wrong_tag", "wrong_max_forwards",
	"wrong_port", "unexpected"}

// MessageCount is the account of one kind of message over a whole run.
type MessageCount struct {
	// Sent counts calls for which it was sent; Retransmitted counts further copies.
	Sent          uint64 `json:"sent"`
	Retransmitted uint64 `json:"retransmitted"`
	// Received counts calls for which it arrived; Duplicated counts further copies.
	Received   uint64 `json:"received"`
	Duplicated uint64 `json:"duplicated"`
	// Lost counts calls for which it was sent, in any number of copies, and had not arrived when
	// the call was closed.
	Lost uint64 `json:"lost"`
}

// Latency is one distribution in microseconds.
type Latency struct {
	Count  uint64  `json:"count"`
	MeanUs float64 `json:"mean_us"`
	P50Us  float64 `json:"p50_us"`
	P90Us  float64 `json:"p90_us"`
	P99Us  float64 `json:"p99_us"`
	P999Us float64 `json:"p999_us"`
	MaxUs  float64 `json:"max_us"`
}

func latencyOf(h *histogram.Histogram) Latency {
	us := func(d time.Duration) float64 { return float64(d) / 1e3 }
	return Latency{h.Count(), us(h.Mean()), us(h.Quantile(0.5)), us(h.Quantile(0.9)),
		us(h.Quantile(0.99)), us(h.Quantile(0.999)), us(h.Max())}
}

// Report is the outcome of a run. Unless it says window, a figure covers the whole run, warm-up and
// drain included.
type Report struct {
	// Started = Completed + Failed + Abandoned + Unfinished.
	Started   uint64 `json:"started"`
	Completed uint64 `json:"completed"`
	// Failed counts calls ended by a final answer other than the one the mode aims for.
	Failed uint64 `json:"failed"`
	// Abandoned counts calls given up after Config.GiveUp.
	Abandoned uint64 `json:"abandoned"`
	// Unfinished counts calls still under way when the drain was over.
	Unfinished uint64 `json:"unfinished"`
	// NotStarted counts calls of an open loop that were due when every slot was taken.
	NotStarted uint64 `json:"not_started"`

	// WindowSeconds is the length of the measured window, WindowCompleted the calls that ended in
	// it.
	WindowSeconds   float64 `json:"window_seconds"`
	WindowCompleted uint64  `json:"window_completed"`
	CallsPerSecond  float64 `json:"calls_per_second"`

	// Lost, Retransmitted and Duplicated are the sums over Messages.
	Lost          uint64 `json:"lost"`
	Retransmitted uint64 `json:"retransmitted"`
	Duplicated    uint64 `json:"duplicated"`
	// Late counts messages of calls already closed: stragglers and copies.
	Late uint64 `json:"late"`
	// Faulty is the sum over Faults.
	Faulty   uint64                  `json:"faulty"`
	Messages map[string]MessageCount `json:"messages"`
	// Faults counts arrived messages by what was wrong with them; only what occurred is listed.
	Faults map[string]uint64 `json:"faults"`
	// Finals counts final answers to INVITE other than 2xx, by status.
	Finals map[int]uint64 `json:"finals"`
	// PerAnswerer counts INVITEs by answerer, in the order of Config.Answerers.
	PerAnswerer []uint64     `json:"per_answerer"`
	Sockets     SocketErrors `json:"sockets"`

	// Ringing, Answered and Ended are INVITE→180, INVITE→200 and BYE→200 within the window
	// (Options: OPTIONS→200 in Ended).
	Ringing  Latency `json:"invite_to_180"`
	Answered Latency `json:"invite_to_200"`
	Ended    Latency `json:"bye_to_200"`

	// CPUUsPerCall is the generator's own processor time per call in the window, BusyUsPerCall the
	// part not spent polling for work.
	CPUUsPerCall  float64 `json:"own_cpu_us_per_call"`
	BusyUsPerCall float64 `json:"own_busy_us_per_call"`
	// TLS is the version and cipher suite that the server chose for the callers' connections,
	// TLSOut that of the connections it opened.
	TLS    string `json:"tls,omitempty"`
	TLSOut string `json:"tls_out,omitempty"`
	// InviteBytes is how long an INVITE is.
	InviteBytes int `json:"invite_bytes,omitempty"`
	// HoldOpenSeconds and HoldReleaseSeconds are how long opening and releasing took.
	HoldOpenSeconds    float64 `json:"hold_open_seconds,omitempty"`
	HoldReleaseSeconds float64 `json:"hold_release_seconds,omitempty"`
}

// account is the running form of Report: plain words, one writer.
type account struct {
	started, completed, failed, abandoned, notStarted uint64

	late     uint64
	messages [kindCount]MessageCount
	faults   [faultCount]uint64
	finals   [700]uint64
	answerer [MaxPorts]uint64
	sockets  SocketErrors

	ringing, answered, ended histogram.Histogram
}

func (a *account) retransmitted() uint64 {
	var n uint64
	for i := range a.messages {
		n += a.messages[i].Retransmitted
	}
	return n
}

func (a *account) report(r *Report) {
	r.Started, r.Completed, r.Failed, r.Abandoned, r.NotStarted = a.started, a.completed, a.failed,
		a.abandoned, a.notStarted
	r.Unfinished = a.started - a.completed - a.failed - a.abandoned
	r.Late, r.Sockets = a.late, a.sockets
	r.Messages, r.Faults, r.Finals = map[string]MessageCount{}, map[string]uint64{},
		map[int]uint64{}
	for k, n := range a.messages {
		if n != (MessageCount{}) {
			r.Messages[kindNames[k]] = n
		}
		r.Lost += n.Lost
		r.Retransmitted += n.Retransmitted
		r.Duplicated += n.Duplicated
	}
	for f, n := range a.faults {
		if n > 0 {
			r.Faults[faultNames[f]] = n
			r.Faulty += n
		}
	}
	for s, n := range a.finals {
		if n > 0 {
			r.Finals[s] = n
		}
	}
	r.Ringing, r.Answered, r.Ended = latencyOf(&a.ringing), latencyOf(&a.answered),
		latencyOf(&a.ended)
}

// Clean says that every call completed and no message was lost, sent twice, wrong or late.
func (r *Report) Clean() bool {
	return r.Completed == r.Started && r.Started > 0 && r.NotStarted == 0 &&
		r.Lost+r.Retransmitted+r.Duplicated+r.Late+r.Faulty == 0 &&
		r.Sockets == (SocketErrors{})
}
