package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"viaduct/shard"
)

// A reload is a second start, up to where sockets would be bound: the same command line, the
// configuration file and all it names read again, every mistake found. Only then something changes.

// errFromInput: standard input can be read only once.
var errFromInput = errors.New("the configuration came by standard input (-f -), which cannot be " +
	"read again: start with a file")

// reload reads the configuration again and puts it in force. Its notes are what an operator should
// know, as -c has them. After an error all is as it was, and its text is what -c would print.
func (p *process) reload() (*Config, error) {
	p.reloading.Lock()
	defer p.reloading.Unlock()
	if p.ending {
		return nil, errors.New("viaduct is about to end")
	}
	c, err := p.readAgain()
	if err != nil {
		return nil, err
	}
	names, err := p.followNames(c)
	if err != nil {
		return nil, err
	}
	tls := p.tls.Load()
	if tls == nil {
		tls = c.tls // there was none: the engine has what was read, and p.follow keeps it
	}
	next := shard.Next{Program: c.Program, Settings: c.Settings, Targets: c.Targets,
		Listens: c.Listens, Streams: c.Streams,
		Engine: p.engineConfig(c, tls),
		Commit: func() {
			names()
			p.follow(c)
		}}
	if p.server.Streams() == nil && len(c.Streams) > 0 {
		setRuntime(c.Shards, c.streamLoops())
		p.warnOfFiles(c)
	}
	if err := p.server.Reload(next); err != nil {
		return nil, err
	}
	c.Notes = append(c.Notes, c.Program.OpenNotes()...)
	p.inForce = c
	return c, nil
}

// readAgain makes a Config of what the files say now. It keeps what cannot change, and says so in
// its notes.
func (p *process) readAgain() (*Config, error) {
	o := *p.options
	if o.configFile == "-" {
		return nil, errFromInput
	}
	o.running, o.targets, o.source, o.life = p.inForce, p.server.Targets(), nil, p.life
	o.streaming = p.server.Streams() != nil
	if !o.moved() {
		o.home = "" // so that messages name files as the command line does
	}
	if err := o.readSource(nil); err != nil {
		return nil, err
	}
	c, err := o.configure()
	if err != nil {
		return nil, problems{c, err}
	}
	return c, nil
}

// problems is an error in a configuration, shown as -c shows it.
type problems struct {
	config *Config
	err    error
}

// Error is the text on -c's standard error.
func (e problems) Error() string {
	var b strings.Builder
	printProblems(&b, e.config, e.err)
	return strings.TrimSuffix(b.String(), "\n")
}

// moved tells whether the process has left the folder it was started in.
func (o *options) moved() bool {
	dir, err := os.Getwd()
	return err != nil || dir != o.home
}

// here is where a relative path of the command line is now: the process may have left the folder it
// was started in.
func (o *options) here(path string) string {
	if o.running == nil || o.home == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(o.home, path)
}

// follow lets what the shards do not look after do as the new settings say.
func (p *process) follow(c *Config) {
	p.exitTimeout.Store(int64(c.ExitTimeout))
	if c.LogDebug != p.inForce.LogDebug {
		p.log.SetDebug(c.LogDebug)
	}
	followLimits(p.limits, streamLimits(p.inForce.Settings), streamLimits(c.Settings))
	if before, now := p.inForce.Settings.Core.UDPWQMaxBytes,
		c.Settings.Core.UDPWQMaxBytes; before != now {
		p.server.WriteQueue().Store(int64(now))
	}
	if list := p.server.Blocklist(); list != nil {
		if err := list.Apply(followBlocklist(list.Settings(), *blocklistConfig(p.inForce.Settings),
			*blocklistConfig(c.Settings))); err != nil {
			p.log.Warn("the destination blocklist goes on as it was: " + err.Error())
		}
	}
	if c.tls != nil {
		if tls := p.tls.Load(); tls != nil {
			tls.Take(c.tls)
		} else {
			p.tls.Store(c.tls)
		}
		for _, w := range c.tls.Warnings() {
			p.log.Warn(w.String())
		}
	}
}

// followNames reads what the resolver's settings name, if they have changed, and returns what puts
// them in force.
func (p *process) followNames(c *Config) (apply func(), err error) {
	if c.Settings.DNS == p.inForce.Settings.DNS {
		return func() {}, nil
	}
	settings, err := resolverSettings(&c.Settings.DNS)
	if err != nil {
		return nil, err
	}
	return p.resolver.Prepare(settings)
}

// reloadNow is reload for an operator at a control door.
func (p *process) reloadNow() (any, error) {
	c, err := p.reload()
	if err != nil {
		p.refused(err)
		return nil, err
	}
	p.reloaded(c)
	return struct {
		Program  string   `json:"program"`  // its hash
		Earlier  int      `json:"earlier"`  // programs kept for transactions they began
		Warnings []string `json:"warnings"` // as -c prints them
	}{fmt.Sprintf("%016x", c.Program.Hash()), len(p.server.Programs()) - 1,
		append([]string{}, c.Notes...)}, nil
}

// reloadBySignal is reload for SIGHUP: what an operator should know goes into the log.
func (p *process) reloadBySignal() {
	c, err := p.reload()
	if err != nil {
		p.refused(err)
		return
	}
	p.reloaded(c)
}

// refused has every mistake in the log, whoever asked for the reload.
func (p *process) refused(err error) {
	p.log.Always.Error("reload refused, nothing has changed", "config",
		configName(p.config.ConfigFile))
	for line := range strings.SplitSeq(err.Error(), "\n") {
		p.log.Raw([]byte(line))
	}
}

func (p *process) reloaded(c *Config) {
	if p.tokens != nil {
		if err := p.tokens.ReadAgain(); err != nil {
			c.Notes = append(c.Notes, fmt.Sprintf("http_tokens: %v; the tokens stay as they were", err))
		}
	}
	for _, note := range c.Notes {
		p.log.Warn(note)
	}
	p.answersDocuments(c.Settings.Control.Documents.Answer)
	p.log.Always.Info("viaduct reloaded", "config", configName(p.config.ConfigFile), "program",
		fmt.Sprintf("%016x", c.Program.Hash()), "listen", p.listens())
}

// reloadTargets reads the dispatcher's list again, and nothing else.
func (p *process) reloadTargets() error {
	p.reloading.Lock()
	defer p.reloading.Unlock()
	c := *p.inForce
	if !c.hasDispatcher() {
		return errors.New("dispatcher is not loaded")
	}
	if since, delta := time.Since(p.targetsRead), c.Settings.Dispatcher.ReloadDelta; since < delta {
		//lint:ignore ST1005 the words are Kamailio's, and scripts look for them
		return fmt.Errorf("Ongoing reload: the last one was %s ago, and reload_delta wants %s "+
			"between two", since.Round(time.Millisecond), delta)
	}
	p.targetsRead = time.Now()
	c.Notes, c.entered, c.life = nil, true, p.life
	if p.options.moved() {
		c.home = p.options.home
	}
	targets, err := c.loadTargets(p.server.Targets())
	if err != nil {
		return err
	}
	if err := p.server.SetTargets(targets); err != nil {
		return err
	}
	for _, note := range c.Notes {
		p.log.Warn(note)
	}
	p.log.Always.Info("destination sets read again")
	return nil
}
