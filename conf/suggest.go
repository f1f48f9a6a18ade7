package conf

import (
	"slices"
	"strings"
)

// didYouMean returns `did you mean "x"? ` for the name closest to word, or "" if
// none is close.
func didYouMean(word string, names []string) string {
	if n := closest(word, names); n != "" {
		return `did you mean "` + n + `"? `
	}
	return ""
}

// closest returns the name with the fewest typing errors, "" if all are far.
func closest(word string, names []string) string {
	word = strings.ToLower(word)
	if len(word) > 64 {
		return ""
	}
	best, limit := "", max(1, len(word)/3)+1
	for _, n := range slices.Sorted(slices.Values(names)) {
		if d := distance(word, strings.ToLower(n)); d < limit {
			best, limit = n, d
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace or swap with their
// neighbour to make b of a.
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
