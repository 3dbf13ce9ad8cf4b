package shard

import "viaduct/shard/txn"

const arenaFullCounter = txn.CountArenaFull
