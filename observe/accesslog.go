package observe

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"weir"
	"weir/internal/clock"
)

const (
	flushEvery   = 200 * time.Millisecond // a line waits no longer for others
	reportEvery  = int64(time.Minute)     // lost lines are reported no more often
	closeWait    = time.Second            // for a sink that blocks
	keepScratch  = 16 << 10               // of an exchange's memory for lines
	defaultLimit = 4 << 20
)

// A LogConfig says what an access log is. It is comparable: two equal ones are the same log, and a
// reload keeps it open.
type LogConfig struct {
	Name   string  // for events and metrics
	To     string  // "stdout", "stderr", a path, "syslog", "syslog://host[:514]" (UDP), "syslog+tcp://host[:601]"
	Format string  // "json", "combined", "common", or a template with {placeholders}; "": json
	Rotate Rotate  // files only
	Sample float64 // share of the exchanges with outcome "ok" that is logged; 0: all. Others always are
	Status string  // which statuses are logged: "5xx", "404", "400-499", several with ","; "": all
	Buffer int     // bytes held for a slow sink before lines are dropped; 0: 4 MiB
}

// Rotate says when a file is put aside. PATH becomes PATH.1, that one PATH.2 and so on.
type Rotate struct {
	Size int64         // bytes; 0: whatever its size
	Age  time.Duration // a new file at each multiple of it since midnight UTC, such as 24h; 0: whatever its age
	Keep int           // files put aside that are kept; 0: 10
}

// An AccessLog writes a line for each exchange. Observe never waits for the sink: where that is slow,
// full or away, lines are dropped and counted. A line is made by the goroutine that served the exchange,
// collected in a block of its core, and written with others, 0.2 s later at most. Lines of one core are
// in the order in which exchanges ended; between cores the order is that of blocks.
type AccessLog struct {
	cfg      LogConfig
	log      *slog.Logger
	line     line
	statuses statusSet
	buffer   *buffer
	sink     sink

	written, dropped atomic.Uint64
	lastErr          atomic.Pointer[string]
	reported         atomic.Int64 // when lost lines were reported last
	reporting        atomic.Bool
	trouble          atomic.Bool // was reported, and not yet that it is over
	said             uint64      // value of dropped at that time; reporting guards it

	closed atomic.Bool
	fresh  chan struct{} // reopen is asked for
	stop   chan struct{}
	done   chan struct{}
	once   sync.Once
}

// NewAccessLog opens a log; log is told of lost lines, at most once a minute. An error means that cfg
// says what it may not, or that its file cannot be opened.
func NewAccessLog(cfg LogConfig, log *slog.Logger) (*AccessLog, error) {
	l, err := newAccessLog(cfg, log, newStamps())
	if err != nil {
		return nil, err
	}
	if l.sink, err = openSink(cfg); err != nil {
		return nil, fmt.Errorf("log %q: %w", cfg.Name, err)
	}
	go l.run()
	return l, nil
}

// newAccessLog makes a log without a sink.
func newAccessLog(cfg LogConfig, log *slog.Logger, s *stamps) (*AccessLog, error) {
	line, err := newLine(cfg.Format, s)
	if err != nil {
		return nil, fmt.Errorf("log %q: %w", cfg.Name, err)
	}
	statuses, err := parseStatuses(cfg.Status)
	if err != nil {
		return nil, fmt.Errorf("log %q: %w", cfg.Name, err)
	}
	if cfg.Sample < 0 || cfg.Sample > 1 {
		return nil, fmt.Errorf("log %q: sample %v is not between 0 and 1", cfg.Name, cfg.Sample)
	}
	limit := cfg.Buffer
	if limit <= 0 {
		limit = defaultLimit
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &AccessLog{
		cfg: cfg, log: log, line: line, statuses: statuses,
		buffer: newBuffer(runtime.GOMAXPROCS(0), limit),
		fresh:  make(chan struct{}, 1),
		stop:   make(chan struct{}),
		done:   make(chan struct{}),
	}, nil
}

// Observe implements [weir.Observer].
func (l *AccessLog) Observe(x *weir.Exchange) {
	if !l.statuses.has(x.Response.Status) || !l.drawn(x) {
		return
	}
	b := l.line(x.Scratch[:0], x)
	if cap(b) <= keepScratch {
		x.Scratch = b
	}
	if l.closed.Load() || !l.buffer.add(x.Conn.Shard, b) {
		l.lose(1, nil)
	}
}

// drawn reports whether x is in the sample.
func (l *AccessLog) drawn(x *weir.Exchange) bool {
	return l.cfg.Sample == 0 || x.Fault != nil || rand.Float64() < l.cfg.Sample
}

// run is the one goroutine that uses the sink.
func (l *AccessLog) run() {
	defer close(l.done)
	var blocks [][]byte
	for {
		select {
		case <-l.buffer.some:
			l.linger()
		case <-l.buffer.full:
		case <-l.fresh:
			l.writeAll(blocks[:0])
			l.reopenNow()
		case <-l.stop:
			l.writeAll(blocks[:0])
			l.sink.close()
			return
		}
		blocks = l.writeAll(blocks[:0])
	}
}

// linger waits for more lines, so that they are written together.
func (l *AccessLog) linger() {
	t := time.NewTimer(flushEvery)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.buffer.full:
	case <-l.stop:
	}
}

// writeAll writes what has been collected. It returns blocks, to be used again.
func (l *AccessLog) writeAll(blocks [][]byte) [][]byte {
	blocks = l.buffer.take(blocks)
	for i, p := range blocks {
		l.writeBlock(p)
		l.buffer.give(p)
		blocks[i] = nil
	}
	return blocks
}

func (l *AccessLog) writeBlock(p []byte) {
	lost, err := l.sink.write(p)
	l.written.Add(uint64(bytes.Count(p, []byte{'\n'}) - lost))
	switch {
	case err != nil:
		l.lose(lost, err)
	case l.lastErr.Load() != nil:
		l.lastErr.Store(nil)
		if l.trouble.Swap(false) {
			l.log.Info("access log writes again", "log", l.cfg.Name)
		}
	}
}

// lose counts n lost lines, and says so where a minute has passed since that was said last.
func (l *AccessLog) lose(n int, err error) {
	l.dropped.Add(uint64(n))
	if err != nil {
		text := err.Error()
		l.lastErr.Store(&text)
	}
	now, last := clock.Now(), l.reported.Load()
	if last != 0 && now-last < reportEvery || !l.reported.CompareAndSwap(last, now) {
		return
	}
	if l.reporting.CompareAndSwap(false, true) {
		go l.report() // the event log may block as the sink does
	}
}

func (l *AccessLog) report() {
	defer l.reporting.Store(false)
	why := "the sink takes lines more slowly than they come"
	if e := l.lastErr.Load(); e != nil {
		why = *e
	}
	total, event := l.dropped.Load(), "access log loses lines"
	if total == l.said {
		event = "access log goes on in its old file"
	}
	l.trouble.Store(true)
	l.log.Warn(event, "log", l.cfg.Name, "to", l.cfg.To, "lost", total-l.said, "lost_in_all", total, "error", why)
	l.said = total
}

// Reopen closes the file and opens it anew, after somebody has renamed it. It does not wait.
func (l *AccessLog) Reopen() { signal(l.fresh) }

func (l *AccessLog) reopenNow() {
	if err := l.sink.reopen(); err != nil {
		l.log.Error("access log keeps its old file", "log", l.cfg.Name, "error", err)
	}
}

// Close writes what is left, waiting a second at most for a sink that blocks, and closes it. Lines that
// come later are lost.
func (l *AccessLog) Close() {
	l.once.Do(func() {
		l.closed.Store(true)
		close(l.stop)
		t := time.NewTimer(closeWait)
		defer t.Stop()
		select {
		case <-l.done:
		case <-t.C:
			l.sink.close() // ends a write that blocks, where the system can
		}
	})
}

// Dropped is the number of lines lost.
func (l *AccessLog) Dropped() uint64 { return l.dropped.Load() }

// Status returns what there is to know of the log.
func (l *AccessLog) Status() LogStatus {
	s := LogStatus{Name: l.cfg.Name, To: l.cfg.To, Format: l.cfg.Format, Written: l.written.Load(), Dropped: l.dropped.Load()}
	if e := l.lastErr.Load(); e != nil {
		s.Error = *e
	}
	return s
}
