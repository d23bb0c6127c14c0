package route

import (
	"slices"

	"weir/internal/spell"
)

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
	return spell.Nearest(name, words)
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
