package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The verb config: it shows the configuration, or keeps what was set in a file that the
// configuration imports.

const configUsage = "usage: viaductctl config [save FILE]"

func (c *console) config(words []string, o *options, wait time.Duration) int {
	t := &tracer{c: c, o: o, wait: wait}
	var answer []byte
	var err error
	switch {
	case len(words) == 0:
		answer, err = t.ask("viaduct.config")
	case len(words) == 2 && words[0] == "save":
		err = c.saveConfig(t, words[1])
	default:
		return c.misused(configUsage)
	}
	return c.ends(answer, err, o)
}

// savedHead stands at the top of a file of settings.
const savedHead = `# What was set while viaduct ran: viaductctl config save. For the next start to
# have it, the configuration ends its settings with import_file "FILE".
`

// saveConfig writes what was set into a file. Lines that are there stay, but for those of the same
// settings.
func (c *console) saveConfig(t *tracer, file string) error {
	answer, err := t.ask("cfg.changes")
	if err != nil {
		return err
	}
	var lines []string
	if err := json.Unmarshal(answer, &lines); err != nil {
		return failed(exitRefused, "viaductctl: %w", err)
	}
	text := savedHead
	switch before, err := os.ReadFile(file); {
	case err == nil:
		text = string(before)
	case !os.IsNotExist(err):
		return failed(exitRefused, "viaductctl: %w", err)
	}
	text = mergeSettings(text, lines)
	temp, err := os.CreateTemp(filepath.Dir(file), ".viaductctl-")
	if err != nil {
		return failed(exitRefused, "viaductctl: %w", err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.WriteString(text)
	if err == nil {
		err = temp.Chmod(0o644)
	}
	if e := temp.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(temp.Name(), file)
	}
	if err != nil {
		return failed(exitRefused, "viaductctl: cannot write %s: %w", file, err)
	}
	fmt.Fprintf(c.out, "%d settings kept in %s\n", len(lines), file)
	return nil
}

// mergeSettings puts lines into the text of a file: each in the place of the line of the same
// setting, or at the end.
func mergeSettings(text string, lines []string) string {
	old := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for _, line := range lines {
		at := -1
		for i, o := range old {
			if settingOf(o) == settingOf(line) {
				at = i
			}
		}
		if at < 0 {
			old = append(old, line)
		} else {
			old[at] = line
		}
	}
	return strings.Join(old, "\n") + "\n"
}

// settingOf is what a line of cfg.changes sets: all but its value.
func settingOf(line string) string {
	if strings.HasPrefix(line, "modparam(") {
		parts := strings.SplitN(line, ", ", 3)
		return strings.Join(parts[:min(len(parts), 2)], ", ")
	}
	name, _, _ := strings.Cut(line, "=")
	return name
}
