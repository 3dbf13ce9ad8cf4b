package shard

import "viaduct/netio"

type StreamConfig struct{ Listens []struct{ Proto netio.Proto } }
