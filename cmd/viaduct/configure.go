package main

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"

	"viaduct/control"
	"viaduct/shard/modules"
	"viaduct/shard/route"
	"viaduct/shm"
)

// configure compiles the configuration file, lets the command line override it, and resolves every
// name. All mistakes are found, not just the first; the Config is fit for -c's listing as far as it
// was understood even then.
func (o *options) configure() (*Config, error) {
	var survey *route.Survey
	if o.check {
		survey = &route.Survey{}
	}
	program, settings, warnings, err := route.Load(o.sourceName(), o.source,
		route.Options{Defines: o.defines, Modules: modules.All,
			ReadFile: o.readInclude, Survey: survey})
	errs := []error{err}
	if settings == nil { // the command line is checked all the same
		settings = route.DefaultSettings()
	}
	core := &settings.Core
	c := &Config{
		HugePages:   shm.HugeTry,
		ConfigFile:  o.configFile,
		Program:     program,
		Survey:      survey,
		CPUs:        usableCPUs(),
		Foreground:  o.foreground || !core.Fork,
		LogStderr:   o.logStderr || core.LogStderr,
		LogDebug:    core.Debug,
		LogIdent:    core.LogName,
		User:        core.User,
		Group:       core.Group,
		Chroot:      core.Chroot,
		WorkDir:     core.WorkDir,
		ExitTimeout: core.ExitTimeout,
	}
	for i := range warnings {
		c.Notes = append(c.Notes, warnings[i].Error())
	}
	if o.debug > 0 {
		c.LogDebug = o.debug
	}
	if o.user != "" {
		c.User = o.user
	}
	// The file's `children` comes from a machine and a server where workers share sockets; -n is
	// obeyed as it stands.
	c.Shards = min(len(c.CPUs), shardsMax)

	own := *settings // the loaded settings are not ours to change
	c.Settings = &own
	own.Core.Debug = c.LogDebug
	errs = append(errs, o.override(c)...)
	if r := o.running; r != nil {
		c.CPUs, c.Shards, c.entered, c.home, c.life = r.CPUs, r.Shards, true, o.home, o.life
	}
	c.ArenaMB = firstPositive(o.arenaMB, core.ShmMB,
		max(arenaDefaultMB, arenaDefaultShardMB*c.Shards))
	if o.running != nil {
		c.Notes = append(c.Notes, c.keepFixed(o.running, o.streaming)...)
	}

	all, listenErrs := expandListens(&own)
	c.Listens, c.Streams = all.datagrams, all.streams
	c.Notes = append(c.Notes, all.notes...)
	errs = append(errs, listenErrs...)

	if o.running == nil { // later it may be out of reach, in a chroot
		if _, err := control.LookupIdentity(c.User, c.Group); err != nil {
			errs = append(errs, err)
		}
	}
	if _, err := resolverSettings(&own.DNS); err != nil {
		errs = append(errs, err)
	}
	if c.tls, err = c.openTLS(); err != nil {
		errs = append(errs, err)
	} else if c.tls == nil {
		c.Notes = append(c.Notes, c.unusedTLS()...)
	}
	c.Targets, err = c.loadTargets(o.targets)
	switch {
	case err == nil:
	case o.check && errors.Is(err, fs.ErrNotExist): // the list may come later, or be elsewhere
		c.Notes = append(c.Notes, err.Error()+": no start without it")
	default:
		errs = append(errs, err)
	}
	if program != nil && len(listenErrs) == 0 {
		errs = append(errs, c.Validate())
	}
	return c, errors.Join(errs...)
}

func firstPositive(values ...int) int {
	for _, v := range values {
		if v > 0 {
			return v
		}
	}
	return 0
}

// usableCPUs are the processors this process may run on (taskset, cpusets).
func usableCPUs() []int {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return []int{0}
	}
	var cpus []int
	for i := 0; len(cpus) < set.Count(); i++ {
		if set.IsSet(i) {
			cpus = append(cpus, i)
		}
	}
	return cpus
}
