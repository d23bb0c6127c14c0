package observe

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// NewEventLog returns a logger for what happens to weir itself. Format is "text" (for people; with
// colours where w is a terminal and NO_COLOR is not set) or "json". Each event is one Write.
func NewEventLog(w io.Writer, format string, level slog.Leveler) *slog.Logger {
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
	}
	return slog.New(&textHandler{out: &lockedWriter{w: w}, level: level, colours: colours(w), now: time.Now})
}

func colours(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

// OpenEventLog is NewEventLog to a place that cfg.To names as for an access log; of cfg Name, To, Format
// ("text" or "json") and Rotate count. The returned Events reopen and close it.
func OpenEventLog(cfg LogConfig, level slog.Leveler) (*slog.Logger, *Events, error) {
	s, err := openSink(cfg)
	if err != nil {
		return nil, nil, err
	}
	e := &Events{sink: s}
	var w io.Writer = e
	if std, ok := s.(stream); ok {
		w = std.w // so that a terminal is known as one
	}
	return NewEventLog(w, cfg.Format, level), e, nil
}

// Events are the place that an event log writes to. Its methods may be called concurrently.
type Events struct {
	mu   sync.Mutex // protects sink
	sink sink
}

// Write writes one event.
func (e *Events) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, err := e.sink.write(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Reopen closes the file and opens it anew, after somebody has renamed it.
func (e *Events) Reopen() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sink.reopen()
}

// Close closes it.
func (e *Events) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sink.close()
}

type lockedWriter struct {
	mu sync.Mutex // protects w
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// A textHandler writes events for people: time, level, message, key=value.
type textHandler struct {
	out     *lockedWriter
	level   slog.Leveler
	colours bool
	now     func() time.Time
	prefix  string // of keys, from groups
	attrs   []byte // rendered already
}

const (
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	cyan   = "\x1b[36m"
	bold   = "\x1b[1m"
	plainC = "\x1b[0m"
)

func (h *textHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

func (h *textHandler) Handle(_ context.Context, r slog.Record) error {
	var b bytes.Buffer
	stamp := "2006-01-02T15:04:05.000Z07:00"
	if h.colours {
		stamp = "15:04:05.000"
	}
	h.paint(&b, dim, r.Time.Format(stamp))
	b.WriteByte(' ')
	h.paint(&b, levelColour(r.Level), pad(r.Level.String(), 5))
	b.WriteByte(' ')
	h.paint(&b, bold, oneLine(r.Message))
	b.Write(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		h.attr(&b, h.prefix, a)
		return true
	})
	b.WriteByte('\n')
	_, err := h.out.Write(b.Bytes())
	return err
}

func (h *textHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b bytes.Buffer
	b.Write(h.attrs)
	for _, a := range attrs {
		h.attr(&b, h.prefix, a)
	}
	next := *h
	next.attrs = b.Bytes()
	return &next
}

func (h *textHandler) WithGroup(name string) slog.Handler {
	next := *h
	if name != "" {
		next.prefix += name + "."
	}
	return &next
}

func (h *textHandler) attr(b *bytes.Buffer, prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	if a.Equal(slog.Attr{}) {
		return
	}
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, g := range v.Group() {
			h.attr(b, prefix, g)
		}
		return
	}
	b.WriteByte(' ')
	h.paint(b, dim, prefix+a.Key+"=")
	b.WriteString(bareOrQuoted(v.String()))
}

func (h *textHandler) paint(b *bytes.Buffer, colour, s string) {
	if !h.colours || colour == "" {
		b.WriteString(s)
		return
	}
	b.WriteString(colour)
	b.WriteString(s)
	b.WriteString(plainC)
}

func levelColour(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return red
	case l >= slog.LevelWarn:
		return yellow
	case l >= slog.LevelInfo:
		return cyan
	}
	return dim
}

func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-len(s))) }

// bareOrQuoted is s, in quotes and escaped where it could be taken for something else.
func bareOrQuoted(s string) string {
	if s == "" || plain(s) < len(s) || strings.ContainsAny(s, " =") {
		return strconv.Quote(s)
	}
	return s
}

// oneLine is s without control characters.
func oneLine(s string) string {
	return string(tameControls([]byte(s), 0))
}
