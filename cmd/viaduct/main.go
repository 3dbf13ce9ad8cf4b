// Command viaduct is the proxy: it reads the command line and the routing program, binds, gives up
// its privileges, and then only waits for signals while the shards work. Flags, exit codes and the
// order of the steps are those of ser(8) and its descendants; docs/flags.md has them all.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"viaduct/control"
	"viaduct/shard/route"
)

// exitFailure is the exit code of every failed start, as ser(8) has it (-1).
const exitFailure = 255

func main() {
	daemon := control.DaemonFromEnv()
	err := run(os.Args[1:], daemon)
	var exit exitCode
	switch {
	case err == nil:
	case errors.As(err, &exit):
		os.Exit(int(exit))
	case daemon != nil:
		daemon.Fail(exitFailure, errorText(err))
		os.Exit(exitFailure)
	default:
		fmt.Fprintln(os.Stderr, errorText(err))
		os.Exit(exitFailure)
	}
}

// exitCode is an error that was told already, or by somebody else.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// run is the program's life. It returns nil after -h, -V, a good -c, or a stop by signal.
func run(args []string, daemon *control.Daemon) error {
	if len(args) > 0 && args[0] == "man" {
		if !writeManual(os.Stdout, args[1:]) {
			return usageError("Use viaduct man, or viaduct man viaduct.cfg.")
		}
		return nil
	}
	if len(args) > 0 && args[0] == "migrate" {
		return migrate(args[1:], os.Stdout)
	}
	o, err := parseOptions(args)
	switch {
	case err != nil:
		return err
	case o.help:
		printUsage(os.Stdout)
		return nil
	case o.version:
		printVersion(os.Stdout)
		return nil
	case o.printConfig:
		_, err := os.Stdout.Write(route.Default())
		return err
	}
	if err := o.readSource(os.Stdin); err != nil {
		return err
	}
	c, err := o.configure()
	if o.check {
		return checkOnly(os.Stdout, os.Stderr, c, err)
	}
	if err != nil {
		return err
	}
	if daemon == nil && !c.Foreground {
		// the daemon reads the configuration for itself; what came by standard input is passed on
		var stdin io.Reader
		if o.configFile == "-" {
			stdin = bytes.NewReader(o.source)
		}
		if code := control.StartDaemon(stdin, os.Stderr); code != 0 {
			return exitCode(code)
		}
		return nil
	}
	p := &process{config: c, options: o, daemon: daemon}
	if err := p.start(); err != nil {
		p.close()
		return err
	}
	p.wait()
	p.close()
	return nil
}
