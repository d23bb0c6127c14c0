package observe

import "log/slog"

// Logs are the access logs that are open, by configuration, from one snapshot to the next. Its
// methods may be called concurrently.
type Logs struct{}

// NewLogs returns no logs; log is told of lost lines.
func NewLogs(log *slog.Logger) *Logs { return &Logs{} }

// Open returns the log of cfg, which is the same one as before where cfg is. An error means that
// its sink cannot be opened or cfg says what it may not.
func (l *Logs) Open(cfg LogConfig) (*AccessLog, error) { return NewAccessLog(cfg, nil) }

// Retain closes every log but those in keep: to be called when a snapshot has been swapped in.
// Exchanges that began before may still log for half a minute.
func (l *Logs) Retain(keep []LogConfig) {}

// Reopen reopens the files of all logs, after somebody has renamed them (SIGUSR1).
func (l *Logs) Reopen() {}

// Status returns what there is to know of each open log, by name.
func (l *Logs) Status() []LogStatus { return nil }

// Close closes all logs.
func (l *Logs) Close() {}
