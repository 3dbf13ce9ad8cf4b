package shard

import (
	"strconv"
	"strings"
	"sync/atomic"

	"viaduct/netio/stream"
	"viaduct/parser"
	"viaduct/shard/proxy"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// Statistic is a number under the names that Kamailio 5.6 gives it.
type Statistic struct {
	Group, Name string
	read        func(f *figures) uint64
}

// Statistics are those that mean something here, and those that Kamailio has and that are always 0
// here. Those of its modules are the modules' counters.
var Statistics = statistics()

// statisticOf has their places by name.
var statisticOf = func() map[string]int {
	of := map[string]int{}
	for i := range Statistics {
		of[Statistics[i].Name] = i
	}
	return of
}()

// figures is what statistics are read from.
type figures struct {
	arena   *shm.Arena
	shards  int
	streams func() *stream.Engine
}

// Statistic reads a statistic.
func (s *Server) Statistic(x *Statistic) uint64 { return x.read(s.shared.figures) }

// statistic reads the statistic with that name, for routing programs. It is false if there is none.
func (s *shared) statistic(name []byte) (uint64, bool) {
	i, ok := statisticOf[string(name)]
	if !ok || s.figures == nil {
		return 0, false
	}
	return Statistics[i].read(s.figures), true
}

// sum adds up a range of counters over all shards.
func (f *figures) sum(from, n int) (all uint64) {
	for i := range f.shards {
		c := f.arena.Counters(i)
		for k := from; k < from+n; k++ {
			all += atomic.LoadUint64(&c[k])
		}
	}
	return all
}

func statistics() (all []Statistic) {
	add := func(group, name string, read func(f *figures) uint64) {
		all = append(all, Statistic{group, name, read})
	}
	counted := func(group, name string, from, n int) {
		add(group, name, func(f *figures) uint64 { return f.sum(from, n) })
	}
	one := func(group, name string, counter int) { counted(group, name, counter, 1) }
	zero := func(group string, names ...string) {
		for _, n := range names {
			add(group, n, func(*figures) uint64 { return 0 })
		}
	}
	coreStatistics(one, counted)
	refused := func(from, until Reason) func(f *figures) uint64 {
		return func(f *figures) uint64 {
			n := int(until - from)
			return f.sum(dropBase+int(from), n) + f.sum(refuseBase+int(from), n)
		}
	}
	uri, headers := Reason(parser.BadRequestURI), Reason(parser.BadHeader)
	add("core", "bad_URIs_rcvd", refused(uri, uri+1))
	before, after := refused(headers, uri), refused(uri+1, Truncated)
	add("core", "bad_msg_hdr", func(f *figures) uint64 { return before(f) + after(f) })
	one("core", "drop_requests", dropBase+int(ProgramDrop))
	counted("core", "err_requests", refuseBase, int(numReasons))
	zero("core", "drop_replies")
	add("core", "err_replies", refused(ViaNotOurs, NoViaLeft+1))

	one("tmx", "UAS_transactions", txn.CountTx)
	one("tmx", "UAC_transactions", txn.CountBranches)
	one("tmx", "inuse_transactions", GaugeTransactions)
	one("tmx", "active_transactions", GaugeUnanswered)
	for class := 2; class <= 6; class++ {
		one("tmx", strconv.Itoa(class)+"xx_transactions", txn.CountFinal+class-2)
	}
	one("tmx", "rpl_relayed", proxy.CountRepliesFwd)
	one("tmx", "rpl_generated", proxy.CountRepliesOwn)
	counted("tmx", "rpl_sent", proxy.CountRepliesFwd, 2)
	one("tmx", "rpl_received", CountReplies)
	one("tmx", "rpl_absorbed", txn.CountAbsorbed)

	counted("sl", "sent_replies", proxy.CountStatelessClasses+1, 6)
	for class := 1; class <= 6; class++ {
		one("sl", strconv.Itoa(class)+"xx_replies", proxy.CountStatelessClasses+class)
	}
	for i, code := range proxy.CountedCodes {
		one("sl", strconv.Itoa(int(code))+"_replies", proxy.CountStatelessCodes+i)
	}
	one("sl", "received_ACKs", proxy.CountAckAbsorbed)
	one("sl", "failures", proxy.CountStatelessFailed)
	zero("sl", "xxx_replies", "sent_err_replies")

	add("shmem", "total_size", func(f *figures) uint64 { return f.arena.TotalBytes() })
	used := func(f *figures) uint64 { return f.arena.UsedBytes() }
	add("shmem", "used_size", used)
	add("shmem", "real_used_size", used)
	add("shmem", "free_size", func(f *figures) uint64 {
		return f.arena.TotalBytes() - f.arena.UsedBytes()
	})
	zero("shmem", "max_used_size", "fragments")
	streamStatistics(add)
	zero("dns", "failed_dns_request", "slow_dns_request")
	return all
}

// coreStatistics are those of the messages that came.
func coreStatistics(one func(group, name string, counter int),
	counted func(group, name string, from, n int)) {
	one("core", "rcv_requests", CountRequests)
	one("core", "rcv_replies", CountReplies)
	one("core", "fwd_requests", proxy.CountForwarded)
	one("core", "fwd_replies", proxy.CountRepliesFwd)
	for m := parser.MethodOther + 1; m < parser.NumMethods; m++ {
		one("core", "rcv_requests_"+strings.ToLower(m.String()), countMethods+int(m))
	}
	one("core", "unsupported_methods", countMethods+int(parser.MethodOther))
	for class := range 6 {
		name, at := "rcv_replies_"+strconv.Itoa(class+1)+"xx", countClasses+class*replyKinds
		one("core", name, at)
		for i, m := range replyMethods {
			one("core", name+"_"+m.name, at+1+i)
		}
	}
	for i, status := range replyStatuses {
		one("core", "rcv_replies_"+status.name, countStatuses+i)
	}
}

// streamStatistics are those of connections.
func streamStatistics(add func(group, name string, read func(f *figures) uint64)) {
	tcp := func(name string, of func(t *stream.Stats) uint64) {
		add("tcp", name, func(f *figures) uint64 {
			engine := f.streams()
			if engine == nil {
				return 0
			}
			t := engine.Stats()
			return of(&t)
		})
	}
	tcp("established", func(t *stream.Stats) uint64 { return uint64(t.Established) })
	tcp("passive_open", func(t *stream.Stats) uint64 { return t.PassiveOpen })
	tcp("connect_success", func(t *stream.Stats) uint64 { return t.ConnectSuccess })
	tcp("connect_failed", func(t *stream.Stats) uint64 { return t.ConnectFailed })
	tcp("local_reject", func(t *stream.Stats) uint64 { return t.LocalReject })
	tcp("con_timeout", func(t *stream.Stats) uint64 { return t.ConTimeout })
	tcp("con_reset", func(t *stream.Stats) uint64 { return t.ConReset })
	tcp("send_timeout", func(t *stream.Stats) uint64 { return t.SendTimeout })
	tcp("sendq_full", func(t *stream.Stats) uint64 { return t.SendqFull })
	tcp("current_opened_connections", func(t *stream.Stats) uint64 {
		return uint64(t.CurrentOpened)
	})
	tcp("current_write_queue_size", func(t *stream.Stats) uint64 {
		return uint64(t.CurrentWriteQueued)
	})
}
