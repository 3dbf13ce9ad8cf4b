package netio

import (
	"net/netip"
	"testing"
	"unsafe"
)

func TestAddrLayout(t *testing.T) {
	var a Addr
	if unsafe.Sizeof(a) != 24 || unsafe.Offsetof(a.Port) != 16 || unsafe.Offsetof(a.Family) != 18 ||
		unsafe.Offsetof(a.Zone) != 20 {
		t.Errorf("Addr is %d bytes with Port at %d, Family at %d, Zone at %d: it lives in the arena and must stay "+
			"24, 16, 18, 20",
			unsafe.Sizeof(a), unsafe.Offsetof(a.Port), unsafe.Offsetof(a.Family), unsafe.Offsetof(a.Zone))
	}
	if size := unsafe.Sizeof(mmsghdr{}); size != 64 {
		t.Errorf("mmsghdr is %d bytes, struct mmsghdr is 64", size)
	}
	if size := unsafe.Sizeof(icmpControl{}); size != 16+16+28+4 {
		t.Errorf("icmpControl is %d bytes, want 64", size)
	}
}

func TestAddrText(t *testing.T) {
	f := func(in, wantHostPort, wantHost string) {
		t.Helper()
		a := AddrFrom(netip.MustParseAddrPort(in))
		if got := string(a.AppendTo(nil)); got != wantHostPort {
			t.Errorf("%s: AppendTo gives %q, want %q", in, got, wantHostPort)
		}
		if got := string(a.AppendHost(nil)); got != wantHost {
			t.Errorf("%s: AppendHost gives %q, want %q", in, got, wantHost)
		}
	}
	f("127.0.0.1:5060", "127.0.0.1:5060", "127.0.0.1")
	f("0.0.0.0:0", "0.0.0.0:0", "0.0.0.0")
	f("255.255.255.255:65535", "255.255.255.255:65535", "255.255.255.255")
	f("192.0.2.10:99", "192.0.2.10:99", "192.0.2.10")
	f("[::1]:5060", "[::1]:5060", "[::1]")
	f("[2001:db8::a:0:1]:1234", "[2001:db8::a:0:1]:1234", "[2001:db8::a:0:1]")
	f("[::ffff:192.0.2.1]:5060", "192.0.2.1:5060", "192.0.2.1")
	f("[fe80::1%1]:5060", "[fe80::1]:5060", "[fe80::1]")
	if got := (Addr{}).String(); got != "none" {
		t.Errorf("the zero Addr prints %q", got)
	}
	if got := string((&Addr{}).AppendHost(nil)); got != "" {
		t.Errorf("the zero Addr has host %q", got)
	}
}

func TestAddrRoundTrip(t *testing.T) {
	for _, s := range []string{"127.0.0.1:5060", "[::1]:1", "[fe80::1%7]:5060", "[2001:db8::1]:65535"} {
		a := AddrFrom(netip.MustParseAddrPort(s))
		if got := a.AddrPort().String(); got != s {
			t.Errorf("%s comes back as %s", s, got)
		}
	}
	if a := AddrFrom(netip.AddrPort{}); a != (Addr{}) || a.AddrPort().IsValid() {
		t.Errorf("the zero AddrPort became %+v", a)
	}
	if a := AddrFrom(netip.MustParseAddrPort("[fe80::1%lo]:1")); a.Zone != 1 {
		t.Errorf("zone lo became %d, want 1", a.Zone)
	}
	if AddrFrom(netip.MustParseAddrPort("127.0.0.1:1")) != AddrFrom(netip.MustParseAddrPort("[::ffff:127.0.0.1]:1")) {
		t.Error("an address and its mapped form differ")
	}
}

func FuzzAddrText(f *testing.F) {
	f.Add([]byte{127, 0, 0, 1}, uint16(5060))
	f.Add([]byte{15: 1}, uint16(0))
	f.Fuzz(func(t *testing.T, ip []byte, port uint16) {
		addr, ok := netip.AddrFromSlice(ip)
		if !ok {
			return
		}
		want := netip.AddrPortFrom(addr.Unmap(), port)
		a := AddrFrom(want)
		if got := string(a.AppendTo(nil)); got != want.String() {
			t.Errorf("%v prints as %q", want, got)
		}
		if a.AddrPort() != want {
			t.Errorf("%v comes back as %v", want, a.AddrPort())
		}
	})
}
