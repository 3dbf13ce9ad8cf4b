package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"viaduct/bench/traffic"
)

// summary prints the report for a person.
func summary(out io.Writer, r *traffic.Outcome) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "calls\tstarted %d, completed %d, failed %d, abandoned %d, unfinished %d, not "+
		"started %d\n",
		r.Started, r.Completed, r.Failed, r.Abandoned, r.Unfinished, r.NotStarted)
	if r.WindowCompleted > 0 {
		fmt.Fprintf(w, "window\t%d calls in %.2f s: %.0f calls/s\n", r.WindowCompleted,
			r.WindowSeconds, r.CallsPerSecond)
		fmt.Fprintf(w, "generator\t%.1f µs of CPU per call, %.1f µs of it busy\n", r.CPUUsPerCall,
			r.BusyUsPerCall)
	}
	if r.ServerCPUSeconds > 0 {
		fmt.Fprintf(w, "server\t%.1f µs of CPU per call, %.0f %% of a processor\n",
			r.ServerCPUUsPerCall, 100*r.ServerCPUShare)
	}
	if r.HoldOpenSeconds > 0 {
		fmt.Fprintf(w, "held\topened in %.1f s, released in %.1f s\n", r.HoldOpenSeconds,
			r.HoldReleaseSeconds)
	}
	latency(w, "INVITE→180", r.Ringing)
	latency(w, "INVITE→200", r.Answered)
	latency(w, "BYE→200", r.Ended)
	fmt.Fprintf(w, "messages\tlost %d, retransmitted %d, duplicated %d, late %d, wrong %d\n",
		r.Lost, r.Retransmitted, r.Duplicated, r.Late, r.Faulty)
	for _, name := range sortedKeys(r.Faults) {
		fmt.Fprintf(w, "\t%s: %d\n", name, r.Faults[name])
	}
	for _, name := range sortedKeys(r.Messages) {
		if n := r.Messages[name]; n.Lost+n.Retransmitted+n.Duplicated > 0 {
			fmt.Fprintf(w, "\t%s: sent %d + %d again, received %d + %d again, lost %d\n", name,
				n.Sent, n.Retransmitted, n.Received, n.Duplicated, n.Lost)
		}
	}
	for _, status := range sortedKeys(r.Finals) {
		fmt.Fprintf(w, "\tfinal %d: %d\n", status, r.Finals[status])
	}
	if r.TLS != "" {
		fmt.Fprintf(w, "TLS\tcallers %s, answerers %s\n", r.TLS, r.TLSOut)
	}
	fmt.Fprintf(w, "answerers\t%s\n", strings.Trim(fmt.Sprint(r.PerAnswerer), "[]"))
	if s := r.Sockets; s != (traffic.SocketErrors{}) {
		fmt.Fprintf(w, "sockets\trefused %d, unsent %d, overflowed %d, truncated %d, closed %d\n",
			s.Refused, s.Unsent, s.Overflowed, s.Truncated, s.Closed)
	}
	return w.Flush()
}

func latency(w io.Writer, name string, l traffic.Latency) {
	if l.Count > 0 {
		fmt.Fprintf(w, "%s\tp50 %.0f  p90 %.0f  p99 %.0f  p99.9 %.0f  max %.0f  mean %.0f µs\n",
			name, l.P50Us, l.P90Us, l.P99Us, l.P999Us, l.MaxUs, l.MeanUs)
	}
}

func sortedKeys[K interface{ ~int | ~string }, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
