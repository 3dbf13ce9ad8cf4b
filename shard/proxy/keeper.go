package proxy

import "viaduct/shard/txn"

// Keeper has the variables of the routing program that live as long as the transaction.
type Keeper interface {
	KeptChanged() bool          // since the transaction was given them
	KeptBytes() int             // how many AppendKept writes; 0 means there are none
	AppendKept(b []byte) []byte // appends them
	KeptDone()                  // the transaction has them
}

// keepVars gives the transaction of the request the variables that changed, behind what is saved of
// the request. It returns false if the arena has no room.
func (r *Request) keepVars() bool {
	return r.Keeper == nil || !r.Keeper.KeptChanged() || r.core.KeepVars(r.Tx, r.Keeper)
}

// KeepVars keeps the variables of k for the routes of tx that run later. It returns false if the
// arena has no room, or nothing is saved of tx, hence no route runs later.
func (c *Core) KeepVars(tx *txn.Tx, k Keeper) bool {
	if tx.Saved() == 0 || !c.tx.SetVars(tx, k.KeptBytes(), k) {
		return false
	}
	k.KeptDone()
	return true
}

// Vars are the variables that tx keeps, as a Keeper appended them. They are nil if there are none.
// A view, valid until the next KeepVars.
func (c *Core) Vars(tx *txn.Tx) []byte { return c.tx.Vars(tx) }
