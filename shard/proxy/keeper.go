package proxy

import "viaduct/shard/txn"

// Keeper holds those variables of the routing program that live as long as the transaction.
type Keeper interface {
	KeptChanged() bool          // whether they changed since KeptDone
	KeptBytes() int             // how many AppendKept writes; 0 means there are none
	AppendKept(b []byte) []byte // appends them to b
	KeptDone()                  // tells that the transaction has stored them
}

// keepVars stores the variables that changed in the request's transaction, behind the saved
// request. It returns false if the arena has no room.
func (r *Request) keepVars() bool {
	return r.Keeper == nil || !r.Keeper.KeptChanged() || r.core.KeepVars(r.Tx, r.Keeper)
}

// KeepVars stores the variables of k for the routes of tx that run later. It returns false if the
// arena has no room, or if nothing is saved of tx, so that no route runs later.
func (c *Core) KeepVars(tx *txn.Tx, k Keeper) bool {
	if tx.Saved() == 0 || !c.tx.SetVars(tx, k.KeptBytes(), k) {
		return false
	}
	k.KeptDone()
	return true
}

// Vars returns the variables that tx keeps, as a Keeper appended them, or nil if there are none.
// The result is a view, valid until the next KeepVars.
func (c *Core) Vars(tx *txn.Tx) []byte { return c.tx.Vars(tx) }
