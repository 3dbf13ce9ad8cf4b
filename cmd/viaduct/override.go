package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"viaduct/control"
	"viaduct/netio"
	"viaduct/shm"
)

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
		case "log":
			form, to, err := control.ParseLogForm(g.value)
			if err != nil {
				errs = append(errs, fmt.Errorf("bad log: --log=%s: %w", g.value, err))
			}
			c.LogForm, c.LogTo, c.LogStderr = form, to, form.Stderr()
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
