package observe

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// retireAfter is how long a log that is not wanted any more takes lines: exchanges that began under
// the snapshot before still end.
const retireAfter = 30 * time.Second

// Logs are the access logs that are open, by configuration, from one snapshot to the next. Its
// methods may be called concurrently.
type Logs struct {
	log *slog.Logger

	mu      sync.Mutex // protects what follows
	open    map[LogConfig]*AccessLog
	retired map[LogConfig]*time.Timer // not wanted any more, and still open
}

// NewLogs returns no logs; log is told of lost lines.
func NewLogs(log *slog.Logger) *Logs {
	return &Logs{log: log, open: map[LogConfig]*AccessLog{}, retired: map[LogConfig]*time.Timer{}}
}

// Open returns the log of cfg, which is the same one as before where cfg is. An error means that
// its sink cannot be opened or cfg says what it may not.
func (l *Logs) Open(cfg LogConfig) (*AccessLog, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.open[cfg]; a != nil {
		if t := l.retired[cfg]; t != nil {
			t.Stop()
			delete(l.retired, cfg)
		}
		return a, nil
	}
	a, err := NewAccessLog(cfg, l.log)
	if err == nil {
		l.open[cfg] = a
	}
	return a, err
}

// Retain closes every log but those in keep: to be called when a snapshot has been swapped in, or given
// up. Exchanges that began before may still log for half a minute.
func (l *Logs) Retain(keep []LogConfig) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for cfg := range l.open {
		if !slices.Contains(keep, cfg) && l.retired[cfg] == nil {
			l.retired[cfg] = time.AfterFunc(retireAfter, func() { l.close(cfg) })
		}
	}
}

// close ends a log that is still retired.
func (l *Logs) close(cfg LogConfig) {
	l.mu.Lock()
	a := l.open[cfg]
	if l.retired[cfg] == nil {
		a = nil
	} else {
		delete(l.retired, cfg)
		delete(l.open, cfg)
	}
	l.mu.Unlock()
	if a != nil {
		a.Close()
	}
}

// all returns the logs that are open.
func (l *Logs) all() []*AccessLog {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]*AccessLog, 0, len(l.open))
	for _, a := range l.open {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b *AccessLog) int { return cmp.Compare(a.cfg.Name, b.cfg.Name) })
	return out
}

// Reopen reopens the files of all logs, after somebody has renamed them (SIGUSR1). It does not wait.
func (l *Logs) Reopen() {
	for _, a := range l.all() {
		a.Reopen()
	}
}

// Status returns what there is to know of each open log, by name.
func (l *Logs) Status() []LogStatus {
	all := l.all()
	out := make([]LogStatus, len(all))
	for i, a := range all {
		out[i] = a.Status()
	}
	return out
}

// Close writes what is left of all logs and closes them.
func (l *Logs) Close() {
	var closing sync.WaitGroup
	for _, a := range l.all() {
		closing.Go(a.Close)
	}
	closing.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.retired {
		t.Stop()
	}
	clear(l.retired)
	clear(l.open)
}
