package regex

import (
	"fmt"
	"strings"

	"viaduct/file"
	"viaduct/shard/modules/pcre"
)

// fileBytes is the longest file of groups. Beyond: it is refused.
const fileBytes = 16 << 20

// group is a group of the file. Kamailio makes one expression of it; here each line is one, so that
// a mistake has its line and \1 is a group of that line.
type group []*pcre.Pattern

// matches tells whether an expression of the group matches.
func (g group) matches(m *pcre.Matcher, text []byte) bool {
	for _, p := range g {
		if m.Match(p, text) {
			return true
		}
	}
	return false
}

// readGroups reads a file of at most most groups of at most size bytes each.
func readGroups(name string, flags pcre.Flags, most, size int) (all []group, err error) {
	text, err := file.Read(name, fileBytes)
	if err != nil {
		return nil, fmt.Errorf("cannot read the groups: %w", err)
	}
	n, bytes := 0, 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimRight(line, "\r\n")
		wrong := ""
		switch {
		case line == "" || strings.ContainsAny(line[:1], "# \t"):
			continue
		case isHead(line):
			if all, bytes = append(all, nil), 0; len(all) > most {
				wrong = fmt.Sprintf("there are more than %d groups: raise max_groups", most)
			}
		case all == nil:
			wrong = "write [0] above the first expression: it begins a group"
		default:
			if bytes += len(line); bytes > size {
				wrong = fmt.Sprintf("the group has more than %d bytes: raise group_max_size", size)
				break
			}
			p, err := pcre.Compile(line, flags)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", name, n, err)
			}
			all[len(all)-1] = append(all[len(all)-1], p)
		}
		if wrong != "" {
			return nil, fmt.Errorf("%s:%d: %s", name, n, wrong)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: there are no expressions: write [0], and one a line below", name)
	}
	return all, nil
}

// isHead tells whether a line begins a group: [NUMBER], whatever follows. [0-9] is an expression.
func isHead(line string) bool {
	inner, _, closed := strings.Cut(line[1:], "]")
	return line[0] == '[' && closed && inner != "" && strings.Trim(inner, "0123456789") == ""
}
