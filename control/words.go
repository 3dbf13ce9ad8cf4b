package control

import (
	"strings"

	"viaduct/shard/route/suggest"
)

// splitWords splits a line at blanks. A word may be quoted, wholly or in part: "a \"b\"", with \"
// \\ \n \t inside. A leading - means nothing.
func splitWords(line string) (words []string, err error) {
	var w strings.Builder
	quoted, begun := false, false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quoted && c == '\\':
			if i++; i == len(line) {
				return nil, Faultf(400, `the line ends with a backslash; write \\ for one`)
			}
			n := strings.IndexByte(`"\nt`, line[i])
			if n < 0 {
				return nil, Faultf(400, `\%c means nothing inside quotes; write \", \\, \n or \t`,
					line[i])
			}
			w.WriteByte("\"\\\n\t"[n])
		case c == '"':
			quoted, begun = !quoted, true
		case !quoted && (c == ' ' || c == '\t'):
			if begun {
				words = append(words, w.String())
				w.Reset()
				begun = false
			}
		default:
			w.WriteByte(c)
			begun = true
		}
	}
	if quoted {
		return nil, Faultf(400, `a quote is open at the end of the line; close it with "`)
	}
	if begun {
		words = append(words, w.String())
	}
	return words, nil
}

var wordEscapes = strings.NewReplacer(`"`, `\"`, `\`, `\\`, "\n", `\n`, "\t", `\t`)

// JoinWords undoes splitWords: it returns one line, for a client to send.
func JoinWords(words []string) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		if w != "" && !strings.ContainsAny(w, " \t\n\r\v\f\"\\") {
			b.WriteString(w)
			continue
		}
		b.WriteString(`"` + wordEscapes.Replace(w) + `"`)
	}
	return b.String()
}

// didYouMean returns the end of a sentence about an unknown name: the nearest known name, or else
// hint, which says where to look.
func didYouMean(name string, names []string, hint string) string {
	if near := suggest.DidYouMean(name, names); near != "" {
		return near
	}
	return "; " + hint
}
