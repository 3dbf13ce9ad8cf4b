package control

import (
	"fmt"
	"slices"
	"strings"
)

// changed returns the settings that were set since the start and are not what they were before, as
// lines of a configuration, sorted.
func (r *Vars) changed() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := []string{}
	for key, was := range r.first {
		v, err := r.find(key[0], key[1])
		if err != nil {
			continue // a reload has taken it out
		}
		if now := v.Get(); now != was {
			lines = append(lines, configLine(key[0], key[1], now))
		}
	}
	slices.Sort(lines)
	return lines
}

// configLine is a setting as a configuration has it: debug=3, tcp_send_timeout=5 or
// modparam("tm", "blst_503", 1).
func configLine(group, name string, value any) string {
	text := fmt.Sprint(value)
	if s, ok := value.(string); ok {
		text = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
	}
	switch group {
	case "core":
		return name + "=" + text
	case "tcp", "udp":
		return group + "_" + name + "=" + text
	}
	return fmt.Sprintf("modparam(%q, %q, %s)", group, name, text)
}
