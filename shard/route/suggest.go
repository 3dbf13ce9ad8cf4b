package route

import (
	"sort"
	"strings"
)

// didYouMean is "; did you mean X?" for the nearest name, or nothing when none is near.
func didYouMean(name string, names []string) string {
	if n := nearest(name, names); n != "" {
		return "; did you mean " + n + "?"
	}
	return ""
}

// nearest is the name closest to name: at most a third of its letters differ, the first in order on a tie.
func nearest(name string, names []string) string {
	sorted := append([]string(nil), names...)
	sort.Strings(sorted)
	best, bestAt := len(name)/3+1, ""
	low := strings.ToLower(name)
	for _, n := range sorted {
		if d := editDistance(low, strings.ToLower(n), best); d <= best && n != name && (bestAt == "" || d < best) {
			best, bestAt = d, n
		}
	}
	return bestAt
}

// editDistance counts inserted, deleted, replaced and swapped neighbouring bytes (optimal string alignment); more than max is max+1.
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
