package shard

import (
	"time"

	"viaduct/parser"
	"viaduct/shard/proxy"
	"viaduct/shm"
)

// Messages are counted by their kinds, for the statistics that Kamailio has of them, in ranges
// behind those of package proxy.
const (
	countMethods = proxy.RangesEnd // + Method: requests
	// + (class-1)*replyKinds: responses; behind that + 1 + index of replyMethods
	countClasses  = countMethods + int(parser.NumMethods)
	countStatuses = countClasses + 6*replyKinds                    // + index of replyStatuses
	countCodes    = countStatuses + len(replyStatuses) - minStatus // + status: responses
	// histogramBatch is how long messages took from the beginning of the batch that they were
	// received in until all had left that it led to, in batchUnit; histogramProgram is how long
	// request_route ran, of one in programSample, in programUnit.
	histogramBatch   = countCodes + maxStatus + 1
	histogramProgram = histogramBatch + shm.HistogramWords
	// histogramNames is how long messages waited for a name to be looked up, in nameUnit.
	histogramNames = histogramProgram + shm.HistogramWords
	kindCountEnd   = histogramNames + shm.HistogramWords

	replyKinds = 1 + len(replyMethods)
)

var _ [len(shm.Counters{}) - kindCountEnd]struct{}

// The statuses of SIP (RFC 3261 §21).
const minStatus, maxStatus = 100, 699

// The units of histograms, whose buckets reach to 0.5 s, to 30 ms and to 65 s.
const (
	batchUnit   = time.Microsecond
	programUnit = 60 * time.Nanosecond
	nameUnit    = 250 * time.Microsecond
	// programSample is which part of the runs of request_route is timed: looking at the clock twice
	// takes 80 ns.
	programSample = 16
)

// replyMethods are the methods that responses are counted by, and their names in the statistics.
var replyMethods = [...]struct {
	method parser.Method
	name   string
}{{parser.INVITE, "invite"}, {parser.CANCEL, "cancel"}, {parser.BYE, "bye"},
	{parser.MESSAGE, "message"}, {parser.PRACK, "prack"}, {parser.REFER, "refer"},
	{parser.REGISTER, "reg"}, {parser.UPDATE, "update"}}

// replyOf is the place of a method among replyMethods, from 1 on; 0 means it has none.
var replyOf = func() (of [parser.NumMethods]uint8) {
	for i, m := range replyMethods {
		of[m.method] = uint8(i + 1)
	}
	return of
}()

// replyStatuses are the statuses that responses are counted by. 180 stands for all of 18x.
var replyStatuses = [...]struct {
	status uint16
	name   string
}{{180, "18x"}, {401, "401"}, {404, "404"}, {407, "407"}, {480, "480"}, {486, "486"}}

// countRequest counts the request at hand.
func (w *worker) countRequest() {
	w.count[CountRequests]++
	w.count[countMethods+int(w.m.Method)]++
}

// countReply counts the response at hand.
func (w *worker) countReply() {
	w.count[CountReplies]++
	status := w.m.Status
	class := int(status)/100 - 1
	if uint(class) >= 6 {
		return
	}
	at := countClasses + class*replyKinds
	w.count[at]++
	w.count[countCodes+int(status)]++
	if cseq, reason := w.m.CSeq(); reason == parser.OK {
		if kind := replyOf[cseq.Method]; kind != 0 {
			w.count[at+int(kind)]++
		}
	}
	if class == 0 && status/10 == 18 {
		status = 180
	}
	for i := range replyStatuses {
		if replyStatuses[i].status == status {
			w.count[countStatuses+i]++
			return
		}
	}
}
