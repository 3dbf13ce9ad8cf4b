package main

import "time"

const (
	// readyTime bounds a server's start. Pre-faulting 8 GB takes some seconds.
	readyTime = 30 * time.Second

	// stopTime bounds an orderly end; then it is killed. Kamailio frees gigabytes one by one.
	stopTime = 10 * time.Second

	// statsTime bounds the wait for the figures that SIGUSR1 asks for: each shard writes between
	// two batches.
	statsTime = 3 * time.Second

	// loadGrace is added to a load run's own length before it is taken for stuck: start, drain of
	// 64*T1, memory for a million calls.
	loadGrace = 90 * time.Second

	// statefulWarmup fills a server's memory with finished transactions. Kamailio keeps one 5 s
	// (wt_timer) before its memory is used again: measured earlier, it is still taking fresh pages
	// from the kernel, at twice the cost per call (130 µs against 75 µs here).
	statefulWarmup = 8 * time.Second

	// steadyWarmup is the same for Viaduct, which keeps a finished transaction as long as RFC 3261
	// and 6026 ask: 64*T1, 32 s.
	steadyWarmup = 34 * time.Second

	// plainWarmup is for servers without call state.
	plainWarmup = 2 * time.Second

	// streamWarmup precedes the window of the scenarios idle and stuck, whose rates fill no
	// server's memory; trouble begins halfway through it.
	streamWarmup = 3 * time.Second
	// window is the measured part of a run: with the 10 ms resolution of process times, an error
	// below 0.2 %.
	window = 8 * time.Second

	// disturbedTries bounds how often a run that others disturbed is repeated before it is taken as
	// it is, and the report says so.
	disturbedTries = 3

	// overloadFactor is how much of saturation the scenario overload offers.
	overloadFactor = 1.5

	// stopWarmup precedes the window of the scenario stop; the destination is stopped halfway
	// through it.
	stopWarmup = 2 * time.Second

	// releaseTime bounds the wait for a server to give back what a million calls took: Timer D and
	// J are 32 s.
	releaseTime = 90 * time.Second
)
