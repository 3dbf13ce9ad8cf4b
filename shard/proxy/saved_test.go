package proxy

import (
	"slices"
	"testing"
	"unsafe"

	"viaduct/shard/txn"
)

// TestSavedLayout: the fixed part is as long as its constant says, without holes at the end.
func TestSavedLayout(t *testing.T) {
	if n := unsafe.Sizeof(Held{}); n != heldBytes {
		t.Errorf("a Held has %d bytes, heldBytes says %d", n, heldBytes)
	}
	if n := unsafe.Sizeof(Saved{}); n != savedBytes {
		t.Errorf("a Saved has %d bytes, savedBytes says %d", n, savedBytes)
	}
}

// TestSavedCosts: what a transaction with a failure route takes besides its request when little was
// decided about that, and with flags of its third branch.
func TestSavedCosts(t *testing.T) {
	b := newBench(t, nil)
	r := b.request("INVITE", "")
	r.Arm(FailureRoute, 1)
	r.SetRequestURI([]byte("sip:rob@127.0.0.1:7000"))
	r.Relay()
	s := b.c.saved(r.Tx)
	if n := savedBytes + int(s.textLen) - len(r.M.Raw); n > 144 {
		t.Errorf("it takes %d bytes besides its request, want 144 at most", n)
	}
	before := s.textLen
	if s = flagged(b, r.Tx, 2, 7); s.textLen != before+3*branchFlagBytes {
		t.Errorf("with flags of a third branch %d bytes follow, want %d", s.textLen, before+3*branchFlagBytes)
	}
}

// flagged gives the nth branch of tx flags, and returns what tx keeps then.
func flagged(b *bench, tx *txn.Tx, n int, flags uint32) *Saved {
	b.c.moreBranchFlags(tx, b.c.saved(tx), n+1, flags)
	return b.c.saved(tx)
}

// TestBranchFlagsKept: flags of branches stay apart, whichever is flagged first, and what is kept
// besides stays when there is no room yet for those of one.
func TestBranchFlagsKept(t *testing.T) {
	b := newBench(t, nil)
	r := b.request("INVITE", "")
	r.Arm(FailureRoute, 1)
	r.Flags = 5
	for i, uri := range []string{"sip:a@127.0.0.1:7000", "sip:b@127.0.0.1:7001", "sip:c@127.0.0.1:7002",
		"sip:d@127.0.0.1:7003"} {
		if i == 0 {
			r.SetRequestURI([]byte(uri))
			continue
		}
		r.AppendBranch([]byte(uri), -1)
	}
	*r.BranchFlagsOf(1) = 11
	if !r.Relay() {
		t.Fatal("not relayed")
	}
	tx := r.Tx
	var branches []*txn.Branch
	b.c.tx.Branches(tx, func(br *txn.Branch) bool { branches = append(branches, br); return true })
	slices.SortFunc(branches, func(a, b *txn.Branch) int { return a.Index() - b.Index() })
	if len(branches) != 4 {
		t.Fatalf("%d branches", len(branches))
	}
	want := func(flags ...uint32) {
		t.Helper()
		for i, br := range branches {
			if got := b.c.BranchFlags(tx, br); got != flags[i] {
				t.Errorf("branch %d has flags %d, want %d", i, got, flags[i])
			}
		}
		if !b.c.resume(tx) || string(b.c.Request.RequestURI()) != "sip:a@127.0.0.1:7000" || b.c.Request.Flags != 5 {
			t.Error("what is kept besides is not what it was")
		}
	}
	want(0, 11, 0, 0)
	b.c.SetBranchFlags(tx, branches[3], 13)
	want(0, 11, 0, 13)
	b.c.SetBranchFlags(tx, branches[0], 9)
	b.c.SetBranchFlags(tx, branches[3], 0)
	want(9, 11, 0, 0)
	if !b.c.Request.Arm(BranchRoute, 1) { // writes it anew
		t.Error("no room")
	}
	want(9, 11, 0, 0)
}
