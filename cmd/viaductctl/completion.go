package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// completions are what shells read, by their names. Each asks viaductctl for the words: the verbs,
// and the methods of the server, if one runs.
var completions = map[string]string{
	"bash": `_viaductctl() {
	local cur=${COMP_WORDS[COMP_CWORD]}
	if [ "$COMP_CWORD" -eq 1 ]; then
		COMPREPLY=($(compgen -W "$(viaductctl completion words 2>/dev/null)" -- "$cur"))
	fi
}
complete -o default -F _viaductctl viaductctl
`,
	"zsh": `#compdef viaductctl
_viaductctl() {
	if (( CURRENT == 2 )); then
		compadd -- ${(f)"$(viaductctl completion words 2>/dev/null)"}
	else
		_files
	fi
}
compdef _viaductctl viaductctl
`,
	"fish": `complete -c viaductctl -n __fish_use_subcommand -f \
	-a "(viaductctl completion words 2>/dev/null)"
`,
}

// completion writes what a shell needs to complete words, or the words.
func (c *console) completion(args []string) int {
	if len(args) == 1 && args[0] == "words" {
		fmt.Fprintln(c.out, strings.Join(c.words(), "\n"))
		return exitDone
	}
	if len(args) != 1 || completions[args[0]] == "" {
		return c.misused("usage: viaductctl completion bash|zsh|fish")
	}
	fmt.Fprint(c.out, completions[args[0]])
	return exitDone
}

// words returns what the first word may be: the verbs, and the methods if a server answers soon.
func (c *console) words() []string {
	all := slices.Collect(maps.Keys(verbs))
	all = append(all, "completion")
	socket := c.socket
	if socket == "" {
		socket = defaultSocket
	}
	if answer, err := ask(socket, "system.listMethods", time.Second); err == nil {
		var methods []string
		if json.Unmarshal(answer, &methods) == nil {
			all = append(all, methods...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
