package route

import (
	"slices"
	"strings"
)

// nearest returns the word of the list that name was probably meant to be, or "". The distance counts
// letters that are wrong, missing, too many or swapped; a third of the name may be.
func nearest(name string, words []string) string {
	best, least := "", max(len(name)/3, 1)+1
	for _, w := range words {
		if d := distance(name, w, least); d < least {
			best, least = w, d
		}
	}
	return best
}

// maxDistanceLen bounds the work of distance: longer words are not compared letter by letter.
const maxDistanceLen = 64

// distance is the Damerau-Levenshtein distance (adjacent letters may be swapped once) of a and b, or limit
// where it is not less than that. Case does not count. Only cells that can lead to less than limit are
// looked at.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit || len(a) > maxDistanceLen || len(b) > maxDistanceLen {
		return limit
	}
	a, b = strings.ToLower(a), strings.ToLower(b)
	var rows [3][maxDistanceLen + 2]int
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

// A wordIndex finds words like a given one among many without looking at all of them: the neighbours in
// the alphabetical order of the words, and in that of the words read backwards. A slip of the pen
// leaves the beginning or the end of a word as it was.
type wordIndex struct{ forwards, backwards []string }

// neighbours is how many words on each side are looked at.
const neighbours = 8

func newWordIndex(words []string) *wordIndex {
	x := &wordIndex{forwards: slices.Clone(words)}
	slices.Sort(x.forwards)
	x.forwards = slices.Compact(x.forwards)
	x.backwards = slices.Clone(x.forwards)
	slices.SortFunc(x.backwards, compareBackwards)
	return x
}

// near returns the word that is nearest to name, or "".
func (x *wordIndex) near(name string) string {
	at, _ := slices.BinarySearch(x.forwards, name)
	back, _ := slices.BinarySearchFunc(x.backwards, name, compareBackwards)
	words := append(slices.Clone(around(x.forwards, at)), around(x.backwards, back)...)
	return nearest(name, words)
}

func around(words []string, at int) []string {
	return words[max(at-neighbours, 0):min(at+neighbours, len(words))]
}

func compareBackwards(a, b string) int {
	for i := 1; i <= min(len(a), len(b)); i++ {
		if c, d := a[len(a)-i], b[len(b)-i]; c != d {
			return int(c) - int(d)
		}
	}
	return len(a) - len(b)
}
