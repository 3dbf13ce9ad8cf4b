package main

import (
	"encoding/binary"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestPcap(t *testing.T) {
	file := filepath.Join(t.TempDir(), "calls.pcap")
	if err := writePcap(file, []traced{
		{At: "2026-11-30T12:00:00.000000001Z", From: "192.0.2.1:5060", To: "192.0.2.2:5070", Text: "OPTIONS sip:a SIP/2.0\r\n\r\n"},
		{At: "2026-11-30T12:00:01Z", From: "[2001:db8::1]:5060", To: "[::]:5061", Text: "x"},
		{At: "2026-11-30T12:00:02Z", From: "0.0.0.0:5060", To: "[fe80::1%2]:5061", Text: strings.Repeat("y", 1<<16)},
	}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) < 24 || binary.LittleEndian.Uint32(b) != pcapMagic {
		t.Fatalf("the file begins with %x", b[:min(len(b), 24)])
	}
	b = b[24:]
	var got []string
	for len(b) > 0 {
		n := int(binary.LittleEndian.Uint32(b[8:]))
		ip := b[16 : 16+n]
		b = b[16+n:]
		head, addrs := ipv6Head, ip[8:40]
		if ip[0]>>4 == 4 {
			head, addrs = ipv4Head, ip[12:20]
			if folded(ip[:head], 0) != 0xffff || int(binary.BigEndian.Uint16(ip[2:])) != n {
				t.Errorf("the header %x is wrong", ip[:head])
			}
		}
		if folded(ip[head:], uint32(folded(addrs, protocolUDP+uint32(n-head)))) != 0xffff {
			t.Error("the checksum of UDP is wrong")
		}
		a, _ := netip.AddrFromSlice(addrs[:len(addrs)/2])
		z, _ := netip.AddrFromSlice(addrs[len(addrs)/2:])
		text := string(ip[head+udpHead:])
		got = append(got, a.String()+" "+z.String()+" "+text[:min(len(text), 9)])
	}
	want := "192.0.2.1 192.0.2.2 OPTIONS s; 2001:db8::1 :: x; :: fe80::1 yyyyyyyyy"
	if s := strings.Join(got, "; "); s != want {
		t.Errorf("the file has %q, want %q", s, want)
	}
	t.Run("tcpdump", func(t *testing.T) {
		if _, err := exec.LookPath("tcpdump"); err != nil {
			t.Skip("tcpdump is not installed")
		}
		out, err := exec.Command("tcpdump", "-nr", file).CombinedOutput()
		if s := string(out); err != nil || strings.Contains(s, "bad") ||
			!strings.Contains(s, "192.0.2.1.5060 > 192.0.2.2.5070: SIP") {
			t.Errorf("tcpdump says\n%s%v", out, err)
		}
	})
}
