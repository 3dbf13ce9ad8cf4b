package control

import "strings"

// splitWords splits a line at blanks. A word may be quoted, wholly or in part: "a \"b\"", with \" \\ \n \t inside. A leading - means
// nothing.
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
				return nil, Faultf(400, `\%c means nothing inside quotes; write \", \\, \n or \t`, line[i])
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

// JoinWords is the way back: one line, for a client to send.
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

// didYouMean ends a sentence about an unknown name: with the nearest there is (one letter wrong in a short name, two from five letters on,
// three from nine), or with the hint where to look.
func didYouMean(name string, names []string, hint string) string {
	best, least := "", min((len(name)+3)/4, 3)+1
	for _, n := range names {
		if d := distance(strings.ToLower(name), strings.ToLower(n), least); d < least {
			best, least = n, d
		}
	}
	if best != "" {
		return "; did you mean " + best + "?"
	}
	return "; " + hint
}

// distance is Levenshtein's: bytes to insert, delete or replace; at least limit when it is not below.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
