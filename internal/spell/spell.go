// Package spell finds the word that a misspelt one was probably meant to be.
package spell

import "strings"

// Nearest returns the word of the list that name was probably meant to be, or "". The distance counts
// letters that are wrong, missing, too many or swapped; a third of the name may be. Case does not count.
func Nearest(name string, words []string) string {
	best, least := "", max(len(name)/3, 1)+1
	for _, w := range words {
		if d := Distance(name, w, least); d < least {
			best, least = w, d
		}
	}
	return best
}

// maxLen bounds the work of distance: longer words are not compared letter by letter.
const maxLen = 64

// Distance is the Damerau-Levenshtein distance (adjacent letters may be swapped once) of a and b, or limit
// where it is not less than that. Case does not count. Only cells that can lead to less than limit are looked at.
func Distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit || len(a) > maxLen || len(b) > maxLen {
		return limit
	}
	a, b = strings.ToLower(a), strings.ToLower(b)
	if len(a) > maxLen || len(b) > maxLen { // some letters are longer in lower case
		return limit
	}
	var rows [3][maxLen + 2]int
	before, last, row := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := range len(a) {
		from, to := max(i+1-limit, 1), min(i+1+limit, len(b))
		row[from-1] = limit
		if from == 1 {
			row[0] = i + 1
		}
		least := row[from-1]
		for j := from; j <= to; j++ {
			d := min(last[j]+1, row[j-1]+1, last[j-1]+differ(a[i], b[j-1]))
			if i > 0 && j > 1 && a[i] == b[j-2] && a[i-1] == b[j-1] {
				d = min(d, before[j-2]+1)
			}
			row[j] = d
			least = min(least, d)
		}
		if least >= limit {
			return limit
		}
		row[to+1] = limit
		before, last, row = last, row, before
	}
	return min(last[len(b)], limit)
}

func differ(a, b byte) int {
	if a == b {
		return 0
	}
	return 1
}
