package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// version is the release; commit is set by the Makefile and otherwise read from what go build
// stamped.
const version = "0.1.0"

var commit string

func commitID() string {
	if commit != "" {
		return commit
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return s.Value[:12]
			}
		}
	}
	return "unknown"
}

// versionLine is the first line of -V, made to be parsed: `version: viaduct x.y.z (arch/os)
// commit`.
func versionLine() string {
	return fmt.Sprintf("version: viaduct %s (%s/%s) %s", version, runtime.GOARCH, runtime.GOOS,
		commitID())
}

func printVersion(out io.Writer) {
	fmt.Fprintf(out, "%s\ncompiled with %s\n", versionLine(), runtime.Version())
}
