package main

import (
	"fmt"
	"golang.org/x/sys/unix"
	"path/filepath"
	"strings"

	"viaduct/control"
	"viaduct/control/resolve"
	"viaduct/control/tlsdomains"
	"viaduct/shard/blocklist"
	"viaduct/shard/route"
)

// blocklistConfig is what the settings say about the destination blocklist. One that
// dst_blocklist_init keeps off is not switched on.
func blocklistConfig(s *route.Settings) *blocklist.Config {
	c := s.Blocklist
	c.Use = c.Use && c.Init
	return &c
}

// resolverSettings is what the settings say about names.
func resolverSettings(d *route.DNSSettings) (resolve.Settings, error) {
	s := resolve.Defaults()
	s.Cache = d.Cache && d.CacheInit
	s.TryIPv6, s.TryNAPTR, s.IgnoreOrder = d.TryIPv6, d.TryNAPTR, d.NAPTRIgnoreRFC
	s.UDPPref, s.TCPPref, s.TLSPref = d.UDPPref, d.TCPPref, d.TLSPref
	s.Failover, s.Weights = d.Failover, d.SRVLB
	s.UseSearch, s.FullMatch = d.SearchList, d.SearchFullMatch
	if d.RetryTime > 0 {
		s.RetryTime = d.RetryTime
	}
	if d.RetryCount >= 0 {
		s.Retries = d.RetryCount
	}
	if d.Servers > 0 {
		s.ServersMax = d.Servers
	}
	s.MemoryBytes = max(d.CacheKB<<10, 64<<10)
	s.MinTTL, s.NegativeTTL, s.Timeout, s.StaleMax = d.MinTTL, d.NegativeTTL, d.Timeout, d.StaleTTL
	if d.MaxTTL > 0 {
		s.MaxTTL = d.MaxTTL
	}
	if d.GCInterval > 0 {
		s.GCInterval = d.GCInterval
	}
	s.ResolvConf, s.Hosts = d.ResolvConf, d.HostsFile
	if err := s.SetCacheFlags(d.CacheFlags); err != nil {
		return s, err
	}
	return s, s.Validate()
}

// openTLS reads the TLS domains if a listener needs them, or if there is a configuration of them:
// outgoing connections use it too. It returns nil if there is none.
func (c *Config) openTLS() (*tlsdomains.Store, error) {
	opts := c.tlsOptions()
	if !c.Settings.Core.EnableTLS || c.Settings.Core.DisableTCP || len(opts.Listeners) == 0 {
		return nil, nil
	}
	return tlsdomains.Open(opts)
}

// unusedTLS returns what is wrong with TLS domains that no listener needs yet, a line each: missing
// certificates would be heard of only when TLS is switched on.
func (c *Config) unusedTLS() (notes []string) {
	opts := c.tlsOptions()
	if opts.File == "" && opts.Default.Certificate == "" && opts.Default.PrivateKey == "" {
		return nil
	}
	opts.Listeners = nil
	store, err := tlsdomains.Open(opts)
	for _, e := range leaves(err) {
		why := ""
		if strings.Contains(e.Error(), "cannot read it") {
			why = "make that file readable or name another one: "
		}
		notes = append(notes, e.Error()+"; "+why+"there is "+
			"no TLS listener now, and a start with one would fail")
	}
	if err == nil {
		for _, w := range store.Warnings() {
			notes = append(notes, w.String())
		}
	}
	return notes
}

// tlsOptions is what the settings say about the TLS domains.
func (c *Config) tlsOptions() tlsdomains.Options {
	opts := c.Settings.TLS.Domains
	opts.Dir = c.configDir()
	for _, l := range c.Streams {
		if l.Proto.Secure() {
			opts.Listeners = append(opts.Listeners, l.Addr)
		}
	}
	if opts.File == "" {
		return opts
	}
	opts.Default = tlsdomains.Settings{} // they do not count beside a file
	if !filepath.IsAbs(opts.File) {
		opts.File = filepath.Join(opts.Dir, opts.File)
	}
	return opts
}

// configDir is the folder of the configuration file, "." for one that has none.
func (c *Config) configDir() string {
	if c.ConfigFile == "" || c.ConfigFile == "-" {
		return "."
	}
	dir := filepath.Dir(c.ConfigFile)
	if c.home != "" && !filepath.IsAbs(dir) {
		dir = filepath.Join(c.home, dir)
	}
	return dir
}

// rpc is what operators may ask at -i and -x.
func (p *process) rpc() *control.RPC {
	r := control.NewRPC()
	vars := &control.Vars{}
	control.RegisterProcess(r, p.told())
	control.RegisterReload(r, p.reloadNow, p.reloadTargets)
	control.RegisterTraffic(r, p.traffic())
	control.RegisterTrace(r, p.trace())
	list := p.server.Blocklist()
	control.RegisterBlocklist(r, list, p.server.NowMs)
	vars.Register(control.BlocklistVars(list)...)
	vars.Register(control.Var{Group: "core", Name: "debug",
		Help: "log level of the routing program, Kamailio's numbers", Min: -5, Max: 5,
		Get: func() any { return p.log.DebugLevel() }, Set: func(v any) error {
			p.log.SetDebug(int(v.(int64)))
			p.server.SetLogLevel(int(v.(int64)))
			return nil
		}})
	vars.Register(control.StreamVars(p.limits)...)
	vars.Register(control.DatagramVars(p.server.WriteQueue())...)
	control.RegisterTCP(r, p.tcp)
	control.RegisterTLS(r, p.secure)
	control.RegisterDNS(r, &control.Names{Resolver: p.resolver})
	vars.More(func() (all []control.Var) {
		for _, l := range p.server.Program().LiveInts() {
			all = append(all, control.Var{Group: l.Module, Name: l.Name, Help: l.Doc,
				Min: int64(l.Min), Max: int64(l.Max),
				Get: func() any { return int64(l.Get()) },
				Set: func(v any) error { l.Set(v.(int64)); return nil }})
		}
		return all
	})
	control.RegisterVars(r, vars)
	control.RegisterStatistics(r, p.statistics)
	control.RegisterTransactions(r, p.transactions())
	r.More(func() []*control.Method { return p.server.Commands() })
	return r
}

// command calls a method for the routing program.
func (p *process) command(method string, words []string) ([]byte, *control.Fault) {
	if rpc := p.commands.Load(); rpc != nil {
		return rpc.CallJSON(method, words)
	}
	return nil, control.Faultf(503, "the server is still starting")
}

// tcp is what answers about streams, nil while there is no listener of them.
func (p *process) tcp() control.TCP {
	engine := p.server.Streams()
	if engine == nil {
		return nil
	}
	return &control.Streams{Engine: engine, Limits: p.limits, Loops: p.server.StreamLoops()}
}

// secure is what answers about TLS, nil while there is none.
func (p *process) secure() control.TLS {
	engine := p.server.Streams()
	if engine == nil || p.tls.Load() == nil {
		return nil
	}
	return &control.Streams{Engine: engine, Limits: p.limits, Loops: p.server.StreamLoops(),
		Again: p.reloadTLS}
}

// reloadTLS reads the TLS domains again; what is strange about them goes into the log.
func (p *process) reloadTLS() error {
	tls := p.tls.Load()
	if err := tls.Reload(); err != nil {
		return err
	}
	for _, w := range tls.Warnings() {
		p.log.Warn(w.String())
	}
	p.log.Always.Info("TLS domains read again")
	return nil
}

// sparedFiles is what the process opens besides connections: sockets of shards, the arena, bells,
// logs, clients of the status socket.
const sparedFiles = 256

// warnOfFiles tells when more connections are allowed than there are file descriptors.
func (p *process) warnOfFiles(c *Config) {
	want := uint64(c.Settings.Stream.MaxConnections + sparedFiles)
	var files unix.Rlimit
	if len(c.Streams) > 0 && unix.Getrlimit(unix.RLIMIT_NOFILE, &files) == nil && files.Cur < want {
		p.log.Warn(fmt.Sprintf("tcp_max_connections=%d does not fit into the %d files this "+
			"process may open: raise `ulimit -n` (LimitNOFILE) to %d, or lower it",
			c.Settings.Stream.MaxConnections, files.Cur, want))
	}
}

// openServices makes what the shards ask and what the operator talks to about it: before the
// chroot, where their files are.
func (p *process) openServices() (err error) {
	c := p.config
	p.warnOfFiles(c)
	settings, err := resolverSettings(&c.Settings.DNS)
	if err != nil {
		return err
	}
	if p.resolver, err = resolve.Open(settings); err != nil {
		return err
	}
	tls, err := c.openTLS()
	if err != nil {
		return fmt.Errorf("cannot use the TLS configuration:\n%w", err)
	}
	if tls != nil {
		p.tls.Store(tls)
		for _, w := range tls.Warnings() {
			p.log.Warn(w.String())
		}
	}
	p.limits = streamLimits(c.Settings)
	if path := c.Settings.Control.Tokens; path != "" {
		if !filepath.IsAbs(path) {
			path = filepath.Join(c.configDir(), path)
		}
		if p.tokens, err = control.ReadTokens(path); err != nil {
			return fmt.Errorf("http_tokens: %w", err)
		}
	}
	return nil
}
