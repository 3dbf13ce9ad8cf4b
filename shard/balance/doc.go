// Package balance is step 5a of a packet's journey: the routing program asked for a destination,
// and this package names the target, and those to try after it, from the sets in the dispatcher
// file.
//
// It holds no socket and no clock: time, randomness and name resolution are arguments. Its parts,
// in the order of use:
//
//   - parse.go, uri.go, load.go: the file (Kamailio's dispatcher.list format) becomes a [Table], an
//     immutable snapshot. Every shard holds one pointer to it and picks up a newer one between two
//     batches.
//   - set.go, select.go, rendezvous.go: [Table.Select] fills [Picks], an ordered list of UIDs
//     without pointers that lives in the transaction record; [Picks.NextTarget] hands out the first
//     target and, at failover, each further one.
//   - state.go, mark.go: what became of the call comes back as [Target.Success], [Target.Fail] or
//     [Target.FailTimeout], and what script and operator order as [Target.Mark] and
//     [Target.SetState].
//   - schedule.go, prober.go: what goes down by observation comes back by OPTIONS.
//
// Ownership: a Table and everything reachable from it is read-only after [Parse], except the live
// state of a target and the turn counter of a set. Those are atomic words shared by all shards and
// by all snapshots that hold the same target, so that a shard still working on the old snapshot
// reports into the new one.
//
// When not to use it: in-dialog requests follow their route set and never come here.
package balance
