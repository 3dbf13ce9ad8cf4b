package control

import (
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Process is what the methods core.* tell of. Its functions are called from any goroutine.
type Process struct {
	Name, Version, Commit, Compiler string
	Features                        []string // what this build serves, for core.flags
	Started                         time.Time
	Modules                         func() []string // as the file loads them
	Defines                         func() []Define
	Sockets                         func() []Socket
	Aliases                         func() []Name
	Threads                         func() []Thread // those that run shards
	Memory                          func() (used, total uint64)
}

// The parts of a Process.
type (
	// Define is a name of the preprocessor.
	Define struct {
		Name, Value string
		HasValue    bool
	}
	// Socket is an address that is served.
	Socket struct {
		Proto, Address        string
		Port                  uint16
		MultiHomed, Multicast bool
	}
	// Name is a name that counts as this host's. Proto is * and Port 0 where any will do.
	Name struct {
		Proto, Host string
		Port        uint16
	}
	// Thread is one that serves.
	Thread struct {
		ID   int // the kernel's
		What string
	}
)

// RegisterProcess adds the methods core.* about the process, in Kamailio's shapes.
func RegisterProcess(r *RPC, p *Process) {
	add := func(name, help string, call func(a Args) (any, error), params ...Param) {
		r.Register(&Method{Name: name, Help: help, Params: params, Call: call})
	}
	tell := func(name, help string, call func() any) {
		add(name, help, func(Args) (any, error) { return call(), nil })
	}
	tell("core.version", "Tells which program this is.", func() any { return p.line() })
	tell("core.info", "Tells how this program was built.", func() any {
		return struct {
			Version  string `json:"version"`
			ID       string `json:"id"`
			Compiler string `json:"compiler"`
			Compiled string `json:"compiled"`
			Flags    string `json:"flags"`
		}{p.Name + " " + p.Version, p.Commit, p.Compiler, "", p.flags()}
	})
	tell("core.flags", "Tells what this build serves.", func() any { return p.flags() })
	tell("core.uptime", "Tells since when the process runs.", func() any { return p.uptime() })
	tell("core.runinfo", "Tells which program this is, and since when it runs.",
		func() any { return p.runInfo() })
	tell("core.pwd", "Tells the working directory.", func() any {
		dir, err := os.Getwd()
		if err != nil {
			return "unknown: " + err.Error()
		}
		return dir
	})
	tell("core.arg", "Shows the command line.", func() any { return os.Args })
	tell("core.modules", "Lists the modules of the file, the last one first.", func() any {
		all := slices.Clone(p.Modules())
		slices.Reverse(all)
		return append([]string{}, all...)
	})
	p.registerDefines(tell)
	p.registerAddresses(tell)
	p.registerThreads(tell)
	p.registerMemory(add, tell)

	words := []Param{{Name: "word", Optional: true, Repeated: true}}
	for _, name := range []string{"core.echo", "core.prints"} {
		add(name, "Answers with its arguments.", func(a Args) (any, error) {
			all := make([]string, a.Len())
			for i := range all {
				all[i] = a.Text(i)
			}
			return all, nil
		}, words...)
	}
	add("core.printi", "Answers with its arguments, which are numbers.", func(a Args) (any, error) {
		all := make([]int64, a.Len())
		for i := range all {
			all[i] = a.Int(i, 0)
		}
		return all, nil
	}, Param{Name: "number", Kind: Int, Optional: true, Repeated: true})
	add("core.kill", "Sends this process a signal, 15 (SIGTERM, which drains) unless one is named.",
		func(a Args) (any, error) {
			return nil, syscall.Kill(os.Getpid(), syscall.Signal(a.Int(0, int64(syscall.SIGTERM))))
		}, Param{Name: "signal", Kind: Int, Optional: true, Least: 1, Most: 31})
}

func (p *Process) line() string {
	return fmt.Sprintf("%s %s (%s/%s) %s", p.Name, p.Version, runtime.GOARCH, runtime.GOOS, p.Commit)
}

func (p *Process) flags() string { return strings.Join(p.Features, ", ") }

// upTime is the answer of core.uptime.
type upTime struct {
	Now     string `json:"now"`
	UpSince string `json:"up_since"`
	Uptime  int64  `json:"uptime"` // seconds
}

func (p *Process) uptime() upTime {
	now := time.Now()
	return upTime{now.Format(time.ANSIC), p.Started.Format(time.ANSIC),
		int64(now.Sub(p.Started) / time.Second)}
}

func (p *Process) runInfo() any {
	up := p.uptime()
	s := up.Uptime
	return struct {
		Name     string `json:"name"`
		Version  string `json:"version"`
		ID       string `json:"sourceid"`
		Compiler string `json:"compiler"`
		Compiled string `json:"compiled"`
		Now      string `json:"time_now"`
		Started  string `json:"time_started"`
		Uptime   int64  `json:"uptime_secs"`
		Days     string `json:"utime_days"`
	}{p.Name, p.Version, p.Commit, p.Compiler, "", up.Now, up.UpSince, s,
		fmt.Sprintf("%dd %dh %dm %ds", s/86400, s/3600%24, s/60%60, s%60)}
}

// registerDefines adds core.ppdefines and core.ppdefines_full.
func (p *Process) registerDefines(tell func(name, help string, call func() any)) {
	tell("core.ppdefines", "Lists the names of #!define at the end of the file.", func() any {
		all := []string{}
		for _, d := range p.Defines() {
			all = append(all, d.Name)
		}
		return all
	})
	type shown struct {
		Name  string `json:"name"`
		Type  int    `json:"type"`
		Value string `json:"value"`
	}
	tell("core.ppdefines_full", "Lists the names of #!define with their values.", func() any {
		all := []shown{}
		for _, d := range p.Defines() {
			if !d.HasValue {
				d.Value = "none"
			}
			all = append(all, shown{d.Name, 0, d.Value})
		}
		return all
	})
}

// registerAddresses adds core.sockets_list and core.aliases_list.
func (p *Process) registerAddresses(tell func(name, help string, call func() any)) {
	type address struct {
		Proto     string `json:"proto"`
		Address   string `json:"address"`
		Port      string `json:"port"`
		Multicast string `json:"mcast"`
		MHomed    string `json:"mhomed"`
		Virtual   string `json:"virtual"`
	}
	type socket struct {
		Socket address `json:"socket"`
	}
	tell("core.sockets_list", "Lists the addresses that are served.", func() any {
		all := []socket{}
		for _, s := range p.Sockets() {
			all = append(all, socket{address{s.Proto, s.Address, fmt.Sprint(s.Port),
				yes(s.Multicast), yes(s.MultiHomed), "no"}})
		}
		return all
	})
	type name struct {
		Proto   string `json:"proto"`
		Address string `json:"address"`
		Port    string `json:"port"`
	}
	type alias struct {
		Alias name `json:"alias"`
	}
	tell("core.aliases_list", "Lists the names that count as this host's.", func() any {
		all := struct {
			Callbacks string  `json:"myself_callbacks"`
			Aliases   []alias `json:"aliases"`
		}{"no", []alias{}}
		for _, n := range p.Aliases() {
			port := "*"
			if n.Port != 0 {
				port = fmt.Sprint(n.Port)
			}
			all.Aliases = append(all.Aliases, alias{name{n.Proto, n.Host, port}})
		}
		return all
	})
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// registerThreads adds core.ps, core.psx and core.psa. Where Kamailio has processes this one has
// threads.
func (p *Process) registerThreads(tell func(name, help string, call func() any)) {
	all := func() []Thread {
		return append([]Thread{{os.Getpid(), "main process"}}, p.Threads()...)
	}
	const help = "Lists the process and the threads that serve, by the kernel's numbers"
	tell("core.ps", help+".", func() any {
		var list []any
		for _, t := range all() {
			list = append(list, t.ID, t.What)
		}
		return list
	})
	type indexed struct {
		Index int    `json:"IDX"`
		PID   int    `json:"PID"`
		What  string `json:"DSC"`
	}
	tell("core.psx", help+", with an index.", func() any {
		var list []indexed
		for i, t := range all() {
			list = append(list, indexed{i, t.ID, t.What})
		}
		return list
	})
	type ranked struct {
		Index  int    `json:"index"`
		PID    int    `json:"pid"`
		Status int    `json:"status"`
		Rank   int    `json:"rank"`
		What   string `json:"description"`
	}
	tell("core.psa", help+", with index and rank.", func() any {
		var list []ranked
		for i, t := range all() {
			list = append(list, ranked{i, t.ID, 1, i, t.What})
		}
		return list
	})
}

// registerMemory adds core.shmmem, about the arena, and pkg.info and pkg.stats, about the Go heap.
func (p *Process) registerMemory(add func(string, string, func(Args) (any, error), ...Param),
	tell func(name, help string, call func() any)) {
	var most atomic.Uint64
	units := map[string]uint64{"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
	add("core.shmmem", "Tells how much of the arena is in use, in bytes (b), KiB (k), MiB (m) or GiB "+
		"(g). max_used is the most that a call of this saw.", func(a Args) (any, error) {
		unit := units[a.Text(0)]
		if unit == 0 {
			return nil, Faultf(500, "bad param, (use b|k|m|g)")
		}
		used, total := p.Memory()
		for was := most.Load(); used > was && !most.CompareAndSwap(was, used); was = most.Load() {
		}
		return struct {
			Total     uint64 `json:"total"`
			Free      uint64 `json:"free"`
			Used      uint64 `json:"used"`
			RealUsed  uint64 `json:"real_used"`
			MaxUsed   uint64 `json:"max_used"`
			Fragments int    `json:"fragments"`
		}{total / unit, (total - used) / unit, used / unit, used / unit, most.Load() / unit, 0}, nil
	}, Param{Name: "unit", Optional: true})
	tell("pkg.info", "Tells what manages the memory beside the arena.", func() any {
		_, total := goHeap()
		return struct {
			Name string `json:"name"`
			Size uint64 `json:"size"`
		}{"go_heap", total}
	})
	type heap struct {
		Entry     int    `json:"entry"`
		PID       int    `json:"pid"`
		Rank      int    `json:"rank"`
		Used      uint64 `json:"used"`
		Free      uint64 `json:"free"`
		RealUsed  uint64 `json:"real_used"`
		Total     uint64 `json:"total_size"`
		Fragments int    `json:"total_frags"`
		What      string `json:"desc"`
	}
	add("pkg.stats", "Tells how much of the memory beside the arena is in use, in bytes. There is "+
		"one process, so what is asked for besides is not there.", func(a Args) (any, error) {
		pid := os.Getpid()
		if a.Text(0) == "pid" && a.Text(1) != fmt.Sprint(pid) {
			return nil, Faultf(500, "No such pid")
		}
		used, total := goHeap()
		return []heap{{0, pid, 0, used, total - used, used, total, 0, "main process"}}, nil
	}, Param{Name: "by", Optional: true}, Param{Name: "which", Optional: true})
}

// goHeap returns how many bytes of the memory beside the arena are in use, and how many there are.
// It stops no goroutine.
func goHeap() (used, total uint64) {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/total:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64(), s[1].Value.Uint64()
}
