package spell

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	words := []string{"host", "path", "client.ip", "client.port", "header.x-api-key", strings.Repeat("long", 20)}
	for _, c := range []struct{ name, want string }{
		{"host", "host"},
		{"hots", "host"},
		{"HOST", "host"},
		{"hst", "host"},
		{"paths", "path"},
		{"client.prot", "client.port"},
		{"heder.x-api-key", "header.x-api-key"},
		{"cat", ""},
		{"x", ""},
		{"", ""},
		{"entirely different", ""},
		{strings.Repeat("long", 20), ""},
	} {
		if got := Nearest(c.name, words); got != c.want {
			t.Errorf("Nearest(%q) = %q, want %q", c.name, got, c.want)
		}
	}
}

// FuzzDistance compares with the textbook's whole matrix.
func FuzzDistance(f *testing.F) {
	f.Add("client.countr", "client.ip", 5)
	f.Add("abcd", "badc", 9)
	f.Add("", "x", 1)
	f.Fuzz(func(t *testing.T, a, b string, limit int) {
		lowA, lowB := strings.ToLower(a), strings.ToLower(b)
		if limit < 1 || limit > 40 || len(a) > maxLen || len(b) > maxLen || len(lowA) != len(a) || len(lowB) != len(b) {
			return
		}
		want := min(matrix(lowA, lowB), limit)
		if got := Distance(a, b, limit); got != want {
			t.Fatalf("Distance(%q, %q, %d) = %d, want %d", a, b, limit, got, want)
		}
	})
}

func matrix(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+differ(a[i-1], b[j-1]))
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
