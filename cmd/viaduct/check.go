package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"viaduct/control/tlsdomains"
	"viaduct/shard/balance"
	"viaduct/shard/route"
)

// checkOnly is -c: what would be bound and answered to, every error and every note, and nothing
// else done.
func checkOnly(out, errOut io.Writer, c *Config, err error) error {
	printProblems(errOut, c, err)
	if c.Program != nil { // else its listen lines are not known
		printAddresses(out, c)
		printRooms(out, c.Program)
	}
	if err != nil {
		for _, line := range c.Survey.Summary() {
			fmt.Fprintln(errOut, line)
		}
		return exitCode(exitFailure)
	}
	fmt.Fprintln(out, "config file ok, exiting...")
	return nil
}

// printProblems tells all notes, and all errors if there are any.
func printProblems(errOut io.Writer, c *Config, err error) {
	for _, note := range c.Notes {
		fmt.Fprintf(errOut, "warning: %s\n", note)
	}
	if err == nil {
		return
	}
	fmt.Fprintln(errOut, errorText(err))
	if n := countErrors(err); n != 1 {
		fmt.Fprintf(errOut, "%d errors, configuration is not usable\n", n)
		return
	}
	fmt.Fprintln(errOut, "1 error, configuration is not usable")
}

func printAddresses(out io.Writer, c *Config) {
	fmt.Fprintln(out, "Listening on")
	for _, text := range c.texts() {
		fmt.Fprintf(out, "  %s\n", text)
	}
	fmt.Fprintln(out, "Aliases:")
	for _, a := range c.Settings.Core.Alias {
		port := "*"
		if a.Port != 0 {
			port = strconv.Itoa(int(a.Port))
		}
		fmt.Fprintf(out, "  %s:%s:%s\n", transportName(a.Transport), a.Host, port)
	}
}

// printRooms tells of tables that hold less than Kamailio's, where the file does not say how much.
func printRooms(out io.Writer, p *route.Program) {
	if lines := p.Rooms(); len(lines) > 0 {
		fmt.Fprintln(out, "Tables:")
		for _, line := range lines {
			fmt.Fprintf(out, "  %s\n", line)
		}
	}
}

// errorText is how an error that ends the program is shown. Mistakes in the configuration and on
// the command line stand alone at the beginning of the line, where editors and scripts look for
// them; everything else says who speaks.
func errorText(err error) string {
	var lines []string
	for _, e := range leaves(err) {
		text := e.Error()
		var usage usageError
		var inConfig *route.Diagnostic
		var inList *balance.LineError
		var inTLS tlsdomains.Problem
		placed := errors.As(e, &inTLS) && inTLS.File != ""
		if !placed && !errors.As(e, &usage) && !errors.As(e, &inConfig) && !errors.As(e, &inList) {
			text = "viaduct: " + text
		}
		lines = append(lines, text)
	}
	return strings.Join(lines, "\n")
}

func countErrors(err error) int { return len(leaves(err)) }

// leaves takes joined errors and the configuration's list apart.
func leaves(err error) (all []error) {
	var list route.ErrorList
	switch joined, isJoined := err.(interface{ Unwrap() []error }); {
	case err == nil:
	case isJoined:
		for _, e := range joined.Unwrap() {
			all = append(all, leaves(e)...)
		}
	case errors.As(err, &list):
		for i := range list {
			all = append(all, &list[i])
		}
	default:
		all = append(all, err)
	}
	return all
}
