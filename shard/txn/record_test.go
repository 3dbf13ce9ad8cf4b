package txn

import (
	"testing"
	"unsafe"

	"viaduct/netio"
)

// TestSizes: the records fit the slots asked for them, and stay what they are on purpose.
func TestSizes(t *testing.T) {
	f := func(name string, got uintptr, want int) {
		t.Helper()
		if int(got) != want {
			t.Errorf("%s has %d bytes, want %d", name, got, want)
		}
	}
	f("Tx", unsafe.Sizeof(Tx{}), txBytes)
	f("Branch", unsafe.Sizeof(Branch{}), branchBytes)
	f("Spares", unsafe.Sizeof(Spares{}), sparesBytes)
	f("Held", unsafe.Sizeof(Held{}), HeldBytes)
	f("Addr", unsafe.Sizeof(netio.Addr{}), addrBytes)
}
