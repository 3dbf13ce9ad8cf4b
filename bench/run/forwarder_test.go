package main

import (
	"context"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"viaduct/bench/traffic"
)

// freeBlock finds n consecutive free UDP ports on loopback.
func freeBlock(t *testing.T, n int) int {
	t.Helper()
next:
	for base := 22000; base < 26000; base += n {
		for i := range n {
			conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: base + i})
			if err != nil {
				continue next
			}
			conn.Close()
		}
		return base
	}
	t.Fatal("no free ports from 22000 to 26000")
	return 0
}

// The floor must move every datagram, both one by one and in batches, or all ratios are wrong.
func TestForwarderMovesEverything(t *testing.T) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler: the bench leaves the forwarder out, too")
	}
	program := filepath.Join(t.TempDir(), "forwarder")
	if out, err := exec.Command(cc, "-O2", "-Wall", "-Wextra", "-Werror", "-o", program,
		"../forwarder/forwarder.c").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, batched := range []bool{false, true} {
		base := freeBlock(t, 5)
		port := func(i int) string { return strconv.Itoa(base + i) }
		args := []string{"127.0.0.1", port(0), port(1), port(3), "2"}
		if batched {
			args = append([]string{"-b"}, args...)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		cmd := exec.CommandContext(ctx, program, args...)
		log, err := newLogFile(filepath.Join(t.TempDir(), "log"))
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stderr = log.file
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		end := time.Now().Add(5 * time.Second)
		for ; string(log.text()) != "forwarder ready\n"; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("not ready: %s", log.text())
			}
		}
		at := func(i int) netip.AddrPort {
			return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(base+i))
		}
		e, err := traffic.New(traffic.Config{Path: traffic.Raw, Server: at(0), Callers: []netip.AddrPort{at(1), at(2)},
			Answerers:  []netip.AddrPort{at(3), at(4)},
			Concurrent: 16, Calls: 500, Sleep: true, T1: 2 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if r := e.Run(); !r.Clean() || r.Completed != 500 || r.PerAnswerer[0] == 0 || r.PerAnswerer[1] == 0 {
			t.Errorf("batched %v: %+v", batched, r)
		}
		e.Close()
		cancel()
		_ = cmd.Wait() // killed
		log.close()
	}
}
