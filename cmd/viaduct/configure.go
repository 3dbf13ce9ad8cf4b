package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"viaduct/control"
	"viaduct/file"
	"viaduct/netio"
	"viaduct/shard/balance"
	"viaduct/shard/modules"
	"viaduct/shard/route"
	"viaduct/shm"
)

// options are the command line by phases, before the configuration file is read.
type options struct {
	debug     int  // number of -d
	logStderr bool // -E

	help, version, check, foreground bool

	configFile string
	source     []byte // of configFile, nil until read
	arenaMB    int    // 0 means -m was not given
	user       string
	defines    []string // -A

	late []given // the flags that override the configuration file

	home      string         // the folder that relative paths count from
	running   *Config        // at a reload: what is in force
	streaming bool           // at a reload: the engine of streams runs
	targets   *balance.Table // at a reload: whose states stay
	life      context.Context
}

// parseOptions runs the first two phases. The first mistake in the order of the command line is the
// error, unless -h or -V stands before it.
func parseOptions(args []string) (*options, error) {
	o := &options{}
	all := scan(args)
	for _, g := range all {
		if g.err == nil && g.flag.phase == phaseLog {
			switch g.flag.name {
			case "d":
				o.debug++
			case "E":
				o.logStderr = true
			}
		}
	}
	for _, g := range all {
		if g.err != nil {
			return nil, g.err
		}
		switch g.flag.name {
		case "h":
			o.help = true
			return o, nil
		case "V", "v", "I":
			o.version = true
			return o, nil
		case "c":
			o.check = true
			o.logStderr = true
		case "D":
			o.foreground = true
		case "f":
			if g.value == "" {
				return nil, fmt.Errorf("bad configuration file: -f needs a name")
			}
			o.configFile = g.value
		case "A":
			if name, _, _ := strings.Cut(g.value, "="); !defineName.MatchString(name) {
				return nil, fmt.Errorf("bad define: -A %s (NAME or NAME=VALUE)", g.value)
			}
			o.defines = append(o.defines, g.value)
		case "u":
			o.user = g.value
		case "m":
			n, err := strconv.Atoi(g.value)
			if err != nil {
				return nil, fmt.Errorf("bad shmem size number: -m %s", g.value)
			}
			if n < 1 || n > arenaMaxMB {
				return nil, fmt.Errorf("out of limits shmem size number: -m %s (1..%d MB)", g.value,
					arenaMaxMB)
			}
			o.arenaMB = n
		default:
			if g.flag.phase == phaseOverride {
				o.late = append(o.late, g)
			}
		}
	}
	return o, nil
}

// defineName is what the preprocessor takes for a name.
var defineName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// builtInName is what messages call the built-in configuration.
const builtInName = "built-in"

// readSource reads the configuration file once: standard input can be read only once, and a
// daemon's parent needs it too.
func (o *options) readSource(stdin io.Reader) (err error) {
	switch o.configFile {
	case "":
		o.source = route.Default()
	case "-":
		if o.source, err = readBounded(stdin); err != nil {
			return fmt.Errorf("cannot read the configuration from standard input: %w", err)
		}
	default:
		if o.running != nil {
			o.source, err = o.readInclude(o.configFile)
		} else {
			o.source, err = readStart(o.configFile)
		}
		if err != nil {
			return fmt.Errorf("cannot read the configuration: %w", err)
		}
	}
	return nil
}

// readStart reads the configuration file for a start, which may come by a pipe, as from <(m4 …). A
// FIFO that nobody writes to is empty.
func readStart(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := readBounded(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// readInclude reads a file that the configuration names.
func (o *options) readInclude(path string) ([]byte, error) {
	return file.Read(o.here(path), sourceMaxBytes)
}

// readBounded reads at most sourceMaxBytes.
func readBounded(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, sourceMaxBytes+1))
	if err == nil && len(b) > sourceMaxBytes {
		err = fmt.Errorf("it is longer than %d MiB: is this the right file?", sourceMaxBytes>>20)
	}
	return b, err
}

// sourceName is what messages about the configuration call it.
func (o *options) sourceName() string {
	switch o.configFile {
	case "":
		return builtInName
	case "-":
		return "<stdin>"
	}
	return o.configFile
}

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

// override runs the last phase of the command line.
func (o *options) override(c *Config) (errs []error) {
	core := &c.Settings.Core
	streamWorkers := ""
	for _, g := range o.late {
		switch g.flag.name {
		case "l":
			l, err := parseListen(g.value)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			core.Listen = append(core.Listen[:len(core.Listen):len(core.Listen)], l)
		case "n":
			n, err := strconv.Atoi(g.value)
			switch {
			case err != nil:
				errs = append(errs, fmt.Errorf("bad process number: -n %s", g.value))
			case n > 0:
				c.Shards = n
			default: // as for ser(8): the default
				c.Shards = min(len(c.CPUs), shardsMax)
			}
		case "N":
			if n, err := strconv.Atoi(g.value); err != nil {
				errs = append(errs, fmt.Errorf("bad process number: -N %s", g.value))
			} else {
				c.Settings.Stream.Children = max(n, 0) // as for -n: the default
			}
			streamWorkers = g.value
		case "T":
			core.DisableTCP, core.EnableTLS = true, false
		case "b":
			n, err := strconv.Atoi(g.value)
			if err != nil || n <= 0 {
				errs = append(errs, fmt.Errorf("bad receive buffer size number: -b %s", g.value))
				continue
			}
			core.RecvBufferBytes = n
		case "r":
			core.DNS = true
		case "R":
			core.RevDNS = true
		case "K", "S": // always so, see docs/flags.md
		case "g":
			c.Group = g.value
		case "t":
			c.Chroot = g.value
		case "w":
			c.WorkDir = g.value
		case "P":
			c.PIDFile = g.value
		case "G":
			c.GroupFile = g.value
		case "i":
			c.FIFO = g.value
		case "x":
			c.Socket = g.value
		case "segment":
			if g.value != "auto" && g.value != "off" {
				errs = append(errs, fmt.Errorf("bad segmentation mode: --segment=%s (auto or off)",
					g.value))
			}
			c.NoSegment = g.value == "off"
		case "shed":
			if g.value != "auto" && g.value != "off" {
				errs = append(errs, fmt.Errorf("bad mode of shedding: --shed=%s (auto or off)",
					g.value))
			}
			c.NoShed = g.value == "off"
		case "huge":
			mode, known := map[string]shm.HugeMode{"off": shm.HugeOff, "try": shm.HugeTry}[g.value]
			if !known {
				errs = append(errs, fmt.Errorf("bad huge page mode: --huge=%s (off or try)",
					g.value))
			}
			c.HugePages = mode
		case "steer":
			mode, known := map[string]netio.SteerMode{"auto": netio.SteerAuto, "on": netio.SteerOn,
				"off": netio.SteerOff}[g.value]
			if !known {
				errs = append(errs, fmt.Errorf("bad steering mode: --steer=%s (auto, on or off)",
					g.value))
			}
			c.Steer = mode
		default:
			note, err := takenFlag(g)
			if err != nil {
				errs = append(errs, err)
			} else if note != "" {
				c.Notes = append(c.Notes, note)
			}
		}
	}
	if streamWorkers != "" {
		if core.DisableTCP {
			errs = append(errs, fmt.Errorf("TCP support disabled: -N %s has no use", streamWorkers))
		}
	}
	if core.DNS || core.RevDNS {
		c.Notes = append(c.Notes,
			"received= is added by comparing texts (RFC 3261 §18.2.1): looking names up (-r, -R, "+
				"dns, rev_dns) is not done yet")
	}
	for _, dir := range []struct{ flag, path string }{{"-t", c.Chroot}, {"-w", c.hostWorkDir()}} {
		if dir.path == "" || o.running != nil {
			continue
		}
		if st, err := os.Stat(dir.path); err != nil {
			errs = append(errs, fmt.Errorf("bad folder: %s: %w", dir.flag, err))
		} else if !st.IsDir() {
			errs = append(errs, fmt.Errorf("bad folder: %s: %s is no folder", dir.flag, dir.path))
		}
	}
	return errs
}

// pollMethods are what Kamailio's -W may be.
var pollMethods = []string{"poll", "epoll_lt", "epoll_et", "sigio_rt", "select", "kqueue",
	"/dev/poll"}

// takenFlag is what becomes of a flag of Kamailio's that has nothing to act on here: scripts that
// start a proxy give them. What Kamailio refuses is refused.
func takenFlag(g given) (note string, err error) {
	switch g.flag.name {
	case "a":
		switch strings.ToLower(g.value) {
		case "yes", "on":
			return "-a " + g.value +
					" has no effect: names of listen addresses do not become aliases, write " +
					"alias=NAME",
				nil
		case "no", "off":
			return "", nil
		}
		return "", fmt.Errorf("bad auto aliases parameter: -a %s (yes, no, on or off)", g.value)
	case "e":
		return "-e has no effect: log lines have no colours", nil
	case "j", "s":
		return "-" + g.flag.name + " has no effect: Kamailio 5.6 does not know it either", nil
	case "L":
		return "-L has no effect: modules are built in", nil
	case "M":
		if n, err := strconv.Atoi(g.value); err != nil || n < 1 {
			return "", fmt.Errorf("bad private mem size number: -M %s", g.value)
		}
		return "-M has no effect: -m is all the memory there is to size", nil
	case "O":
		if _, err := strconv.Atoi(g.value); err != nil {
			return "", fmt.Errorf("bad optimization level: -O %s", g.value)
		}
		return "-O has no effect: there is one level of optimization", nil
	case "Q":
		return "-Q has no effect: SCTP is not served", nil
	case "W":
		if !slices.Contains(pollMethods, g.value) {
			return "", fmt.Errorf("bad poll method name: -W %s (one of %s)", g.value,
				strings.Join(pollMethods, ", "))
		}
		return "-W has no effect: epoll it is", nil
	case "X":
		return "-X has no effect: there is no allocator to choose", nil
	case "Y":
		return "-Y has no effect: -i and -x say where they are", nil
	}
	panic("BUG: nothing is done about -" + g.flag.name)
}

// workDir is the folder to change to after binding, "" for none.
func (c *Config) workDir() string {
	if c.WorkDir == "" && (!c.Foreground || c.Chroot != "") {
		return "/"
	}
	return c.WorkDir
}

// hostWorkDir is where WorkDir is now, "" for none: a relative one counts from the new root in a
// chroot, else from where we are.
func (c *Config) hostWorkDir() string {
	switch {
	case c.entered && c.Chroot != "": // the root is another one
		return c.workDir()
	case c.home != "" && c.WorkDir != "" && !filepath.IsAbs(c.WorkDir):
		return filepath.Join(c.home, c.WorkDir)
	}
	if c.WorkDir == "" || c.Chroot == "" {
		return c.WorkDir
	}
	return filepath.Join(c.Chroot, c.WorkDir)
}

// hostPath is where a path that will be used after chroot and chdir is now; "" stays "".
func (c *Config) hostPath(path string) string {
	if path == "" {
		return ""
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.workDir(), path)
	}
	if c.Chroot == "" {
		return path
	}
	return filepath.Join(c.Chroot, filepath.Join("/", path)) // the inner Join keeps .. inside
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
