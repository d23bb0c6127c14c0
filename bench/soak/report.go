package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A report counts what happened and keeps what must not have.
type report struct {
	mu     sync.Mutex // protects all below
	counts map[string]int
	wrongs []string
	more   int // wrongs that are not kept
}

func newReport() *report { return &report{counts: map[string]int{}} }

func (r *report) add(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[what]++
}

// wrong notes what fails the run.
func (r *report) wrong(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.wrongs) == 20 {
		r.more++
		return
	}
	r.wrongs = append(r.wrongs, fmt.Sprintf(format, args...))
}

func (r *report) line() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var parts []string
	for what, n := range r.counts {
		parts = append(parts, fmt.Sprintf("%d %s", n, what))
	}
	sort.Strings(parts)
	return strings.Join(parts, ", ") + fmt.Sprintf("; %d wrong", len(r.wrongs)+r.more)
}

// String lists everything.
func (r *report) String() string { return strings.ReplaceAll(r.line(), ", ", "\n") }

// verdict is nil if nothing gave way.
func (st *stage) verdict() error {
	if err := st.weir.Complaint(); err != nil {
		st.report.wrong("weir: %v", err)
	}
	r := st.report
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, what := range []string{"downloads", "uploads", "words over WebSockets", "servers killed", "reloads"} {
		if r.counts[what] == 0 {
			r.wrongs = append(r.wrongs, "the soak itself: no "+what)
		}
	}
	if len(r.wrongs) == 0 {
		return nil
	}
	return fmt.Errorf("%s\nand %d more", strings.Join(r.wrongs, "\n"), r.more)
}

// A level is what weir holds.
type level struct{ goroutines, files, resident float64 }

func (l level) String() string {
	return fmt.Sprintf("%.0f goroutines, %.0f descriptors, %.1f MiB", l.goroutines, l.files, l.resident/(1<<20))
}

// level asks weir.
func (st *stage) level() (l level, err error) {
	resp, err := st.admin.Get("http://weir/metrics")
	if err != nil {
		return l, err
	}
	defer resp.Body.Close()
	found := 0
	for sc := bufio.NewScanner(resp.Body); sc.Scan(); {
		name, value, _ := strings.Cut(sc.Text(), " ")
		to := map[string]*float64{
			"go_goroutines": &l.goroutines, "process_open_fds": &l.files, "process_resident_memory_bytes": &l.resident,
		}[name]
		if to == nil {
			continue
		}
		if *to, err = strconv.ParseFloat(value, 64); err != nil {
			return l, err
		}
		found++
	}
	if found != 3 {
		return l, errors.New("weir does not tell its goroutines, descriptors and memory")
	}
	return l, nil
}

// rest waits until weir holds no less than a second ago: what is to be given back has been.
func (st *stage) rest(ctx context.Context) (level, error) {
	const quiet = 4 // seconds without change, longer than kept connections last
	last, same := level{}, 0
	for range 60 {
		if !pause(ctx, time.Second) {
			return level{}, ctx.Err()
		}
		now, err := st.level()
		if err != nil {
			return level{}, err
		}
		if same++; now.goroutines < last.goroutines || now.files < last.files || last.files == 0 {
			same = 0
		}
		if last = now; same == quiet {
			break
		}
	}
	return last, nil
}

// keptWorkers is how many sleeping workers a poller keeps for the next burst. Before the first there may be none.
const keptWorkers = 16

// compare fails what has not come back to its level. Memory may grow a little: what was reserved for the worst
// moment stays reserved.
func (r *report) compare(before, after level) {
	if after.goroutines > before.goroutines+8+keptWorkers*float64(runtime.NumCPU()) {
		r.wrong("goroutines: %.0f, were %.0f", after.goroutines, before.goroutines)
	}
	if after.files > before.files+8 {
		r.wrong("descriptors: %.0f, were %.0f", after.files, before.files)
	}
	if after.resident > 1.3*before.resident+(24<<20) {
		r.wrong("memory: %.1f MiB, were %.1f", after.resident/(1<<20), before.resident/(1<<20))
	}
}
