// Package suggest finds the name that somebody meant. It is for messages about an unknown word in a
// file or on a command line.
package suggest

import (
	"sort"
	"strings"
)

// DidYouMean returns "; did you mean X?" for the nearest name. It returns "" if none is near.
func DidYouMean(name string, names []string) string {
	if n := nearest(name, names); n != "" {
		return "; did you mean " + n + "?"
	}
	return ""
}

// nearest returns the name closest to name. One letter of a short name may be wrong, and two from
// five letters on. The wrong case counts less than a wrong letter. Of equally close names it
// returns the first in alphabetical order. It returns "" if none is close.
func nearest(name string, names []string) string {
	sorted := append([]string(nil), names...)
	sort.Strings(sorted)
	reach := min(max((len(name)+3)/4, 1), 2)
	best, bestAt := 2*reach+2, ""
	low := strings.ToLower(name)
	for _, n := range sorted {
		d := editDistance(low, strings.ToLower(n), reach)
		if d > reach || n == name || d >= max(len(name), len(n)) { // one that shares nothing
			continue
		}
		score := 2 * d
		if editDistance(name, n, reach) > d {
			score++
		}
		if score < best {
			best, bestAt = score, n
		}
	}
	return bestAt
}

// editDistance counts inserted, deleted and replaced bytes, and swapped neighbours (optimal string
// alignment). It returns max+1 for any distance above max.
func editDistance(a, b string, max int) int {
	if len(a)-len(b) > max || len(b)-len(a) > max {
		return max + 1
	}
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
