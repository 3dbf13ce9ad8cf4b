package ipops

import (
	"os"
	"strings"

	"viaduct/shard/route"
)

// hostNames declares $HN, what this machine is called.
func hostNames(m *route.Module) {
	m.Var(route.Var{Name: "HN", Inner: "PART", Doc: "The name of this machine: its first label " +
		"(n), the whole name (f), or what follows the first dot (d).",
		Compile: func(b *route.VarBuild, inner, _ string) route.Place {
			full, _ := os.Hostname()
			first, domain, _ := strings.Cut(full, ".")
			word, ok := map[string]string{"n": first, "f": full, "d": domain}[inner]
			if !ok {
				b.Errorf("$HN(%s): there are n, f and d", inner)
			}
			text := []byte(word)
			return route.Place{Text: func(*route.Ctx) ([]byte, bool) { return text, len(text) > 0 },
				NoRoom: true}
		}})
}
