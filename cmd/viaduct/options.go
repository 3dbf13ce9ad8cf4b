package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"viaduct/file"
	"viaduct/shard/balance"
	"viaduct/shard/route"
)

// options are the command line by phases, before the configuration file is read.
type options struct {
	debug     int  // number of -d
	logStderr bool // -E

	help, version, printConfig, check, foreground bool

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
		case "print-config":
			o.printConfig = true
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
