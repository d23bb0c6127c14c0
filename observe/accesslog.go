package observe

import (
	"log/slog"
	"time"

	"weir"
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
	Size  int64         // bytes; 0: whatever its size
	Every time.Duration // since midnight UTC, such as 24h; 0: whatever its age
	Keep  int           // files put aside that are kept; 0: 10
}

// An AccessLog writes a line for each exchange. Observe never waits for the sink: where that is slow,
// full or away, lines are dropped and counted.
type AccessLog struct{}

// NewAccessLog opens a log; log is told of lost lines, at most once a minute.
func NewAccessLog(cfg LogConfig, log *slog.Logger) (*AccessLog, error) { return &AccessLog{}, nil }

// Observe implements [weir.Observer].
func (l *AccessLog) Observe(x *weir.Exchange) {}

// Reopen closes the file and opens it anew, after somebody has renamed it. It does not wait.
func (l *AccessLog) Reopen() {}

// Close writes what is left, waiting a second at most for a sink that blocks, and closes it.
func (l *AccessLog) Close() {}

// Dropped is the number of lines lost.
func (l *AccessLog) Dropped() uint64 { return 0 }

// Status returns what there is to know of the log.
func (l *AccessLog) Status() LogStatus { return LogStatus{} }
