package cert

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// DefaultInterval is how often a watcher looks at its files.
const DefaultInterval = 30 * time.Second

// A Reloader is read anew where it was changed; [Files] is one. Reload reports whether something is new; with an
// error what was there before stays in force.
type Reloader interface {
	Reload() (bool, error)
	fmt.Stringer
}

// A Watcher looks after files that change. It is one goroutine for all of them, and may be used concurrently.
type Watcher struct {
	log  *slog.Logger
	stop chan struct{}
	done chan struct{}

	mu      sync.Mutex // protects the rest, and is held while files are read
	watched []*watched
}

type watched struct {
	Reloader
	users   int
	problem string // the last one that was logged
}

// NewWatcher starts a watcher that looks every interval (0: [DefaultInterval]) until it is closed.
func NewWatcher(interval time.Duration, log *slog.Logger) *Watcher {
	if interval <= 0 {
		interval = DefaultInterval
	}
	w := &Watcher{log: log, stop: make(chan struct{}), done: make(chan struct{})}
	go w.run(interval)
	return w
}

func (w *Watcher) run(interval time.Duration) {
	defer close(w.done)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-tick.C:
			w.Check()
		}
	}
}

// Close ends the watcher and waits for it. It is called once.
func (w *Watcher) Close() {
	close(w.stop)
	<-w.done
}

// Files returns the source for a pair of files: the one that is watched already, or a new one. It is watched until
// release was called as often as Files.
func (w *Watcher) Files(certificate, key string) (f *Files, release func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.watched {
		if f, ok := e.Reloader.(*Files); ok && f.Is(certificate, key) {
			return f, w.use(e), nil
		}
	}
	if f, err = NewFiles(certificate, key); err != nil {
		return nil, nil, err
	}
	return f, w.use(w.enter(f)), nil
}

// Add has r watched until release is called.
func (w *Watcher) Add(r Reloader) (release func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.use(w.enter(r))
}

// enter adds r. w.mu is held.
func (w *Watcher) enter(r Reloader) *watched {
	e := &watched{Reloader: r}
	w.watched = append(w.watched, e)
	return e
}

// use counts a user of e and returns what takes it off again. w.mu is held.
func (w *Watcher) use(e *watched) func() {
	e.users++
	return sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if e.users--; e.users == 0 {
			w.watched = slices.DeleteFunc(w.watched, func(o *watched) bool { return o == e })
		}
	})
}

// Check looks at all files now and returns how many sources have something new. What is wrong is logged once,
// and that it is well again, too.
func (w *Watcher) Check() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, e := range w.watched {
		changed, err := e.Reload()
		w.tell(e, changed, err)
		if changed {
			n++
		}
	}
	return n
}

func (w *Watcher) tell(e *watched, changed bool, err error) {
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	switch {
	case problem != "" && problem != e.problem:
		w.log.Warn("certificate kept: what is in its files now cannot be used", "file", e.String(), "error", problem)
	case changed:
		w.log.Info("certificate read anew", "file", e.String())
	case problem == "" && e.problem != "":
		w.log.Info("certificate can be read again", "file", e.String())
	}
	e.problem = problem
}
