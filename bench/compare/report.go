package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// results are all measurements of a run.
type results struct {
	Started  time.Time
	Seconds  int
	Rounds   int
	Versions []string
	Runs     []measurement
}

// save writes path.json and path.md and prints the latter.
func (r *results) save(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".json", append(data, '\n'), 0o644); err != nil {
		return err
	}
	text := r.markdown()
	fmt.Print(text)
	return os.WriteFile(path+".md", []byte(text), 0o644)
}

func (r *results) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# weir and its peers, %s\n\nMedians of %d rounds of %d s.\n", r.Started.Format(time.DateOnly), r.Rounds, r.Seconds)
	for _, v := range r.Versions {
		fmt.Fprintf(&b, "- %s\n", v)
	}
	for _, w := range works() {
		if t := r.table(w); t != "" {
			b.WriteString(t)
		}
	}
	return b.String()
}

// table is one workload, the cheapest proxy first.
func (r *results) table(w work) string {
	by := map[string][]measurement{}
	failed := ""
	for _, m := range r.Runs {
		switch {
		case m.Work != w.name:
		case m.Failed != "":
			failed += fmt.Sprintf("\n%s, round %d: %s\n", m.Proxy, m.Round, m.Failed)
		default:
			by[m.Proxy] = append(by[m.Proxy], m)
		}
	}
	if len(by) == 0 {
		return failed
	}
	order := make([]string, 0, len(by))
	for name := range by {
		order = append(order, name)
	}
	slices.SortFunc(order, func(x, y string) int {
		if median(by[x], w.cost.of) < median(by[y], w.cost.of) {
			return -1
		}
		return 1
	})
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s: %s\n\n%s\n| proxy | %s | from–to | requests/s | p50 ms | p99 ms | MiB | user instructions | core used | errors |\n|---|---|---|---|---|---|---|---|---|---|\n",
		w.name, w.title, verdict(w, by), w.cost.unit)
	for _, name := range order {
		b.WriteString(row(w, name, by[name]))
	}
	return b.String() + failed
}

func row(w work, name string, ms []measurement) string {
	low, high := w.cost.of(&ms[0]), w.cost.of(&ms[0])
	var errors int64
	for i := range ms {
		low, high = min(low, w.cost.of(&ms[i])), max(high, w.cost.of(&ms[i]))
		errors += ms[i].Errors
	}
	at := func(of func(*measurement) float64) float64 { return median(ms, of) }
	return fmt.Sprintf("| %s | %.2f | %.2f–%.2f | %.0f | %.2f | %.2f | %.0f | %s | %.2f | %d |\n", name, at(w.cost.of), low, high,
		at(func(m *measurement) float64 { return m.PerSecond }), at(func(m *measurement) float64 { return m.P50 }),
		at(func(m *measurement) float64 { return m.P99 }), at(func(m *measurement) float64 { return m.MemoryMiB }),
		counted(at(func(m *measurement) float64 { return m.Instructions })), at(func(m *measurement) float64 { return m.Busy }), errors)
}

// counted is a number of instructions, where the machine lets them be counted.
func counted(n float64) string {
	if n == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f", n)
}

// verdict says how weir stands beside the better peer, and whether that is what it should be.
func verdict(w work, by map[string][]measurement) string {
	mine := by[w.subject()]
	peer, best := "", 0.0
	for name, ms := range by {
		c := median(ms, w.cost.of)
		if name != w.subject() && (w.within == "" || name == w.within) && (peer == "" || c < best) {
			peer, best = name, c
		}
	}
	switch {
	case mine == nil:
		return ""
	case peer == "" || best == 0:
		return alone(w)
	}
	ratio := median(mine, w.cost.of) / best
	text := fmt.Sprintf("%s / %s: **%.2f**", w.subject(), peer, ratio)
	switch {
	case w.goal == 0:
	case ratio <= w.goal:
		text += fmt.Sprintf(", at most %.2f: holds", w.goal)
	default:
		text += fmt.Sprintf(", at most %.2f: does not hold", w.goal)
	}
	return text + "\n"
}

// alone says of a goal that there is no peer to compare with.
func alone(w work) string {
	if w.goal == 0 {
		return ""
	}
	return fmt.Sprintf("%s stands alone: at most %.2f of a peer's cost, not comparable here\n", w.subject(), w.goal)
}

func median(ms []measurement, of func(*measurement) float64) float64 {
	vs := make([]float64, len(ms))
	for i := range ms {
		vs[i] = of(&ms[i])
	}
	slices.Sort(vs)
	if n := len(vs); n%2 == 0 {
		return (vs[n/2-1] + vs[n/2]) / 2
	}
	return vs[len(vs)/2]
}
