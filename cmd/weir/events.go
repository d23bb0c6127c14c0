package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"weir/config"
	"weir/observe"
)

// events is the log of what happens to weir itself. Where it goes and how is up to the configuration, so it is a
// handler whose inside is changed when that does.
type events struct {
	inside atomic.Pointer[slog.Handler]

	mu   sync.Mutex // protects all below
	said config.Log
	sink *observe.Events // nil: standard error
}

// newEvents returns the log that holds until a configuration says otherwise.
func newEvents(stderr io.Writer) *events {
	e := &events{said: defaultEvents()}
	e.use(observe.NewEventLog(stderr, e.said.Format, slog.LevelInfo))
	return e
}

// defaultEvents is what holds where the configuration says nothing.
func defaultEvents() config.Log {
	return config.Log{Name: config.EventLog, To: "stderr", Format: "text", Level: "info"}
}

func (e *events) use(l *slog.Logger) {
	h := l.Handler()
	e.inside.Store(&h)
}

// configure does what c says of the log. An error means that all stays as it was.
func (e *events) configure(c *config.Config) error {
	want := defaultEvents()
	for _, l := range c.Logs {
		if l.Name == config.EventLog {
			want = *l
			want.Pos = config.Pos{}
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if want == e.said {
		return nil
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(want.Level)); err != nil {
		return fmt.Errorf("log %q: %w", want.Name, err)
	}
	l, sink, err := observe.OpenEventLog(observe.LogConfig{
		Name: want.Name, To: want.To, Format: want.Format, Rotate: observe.Rotate(want.Rotate),
	}, level)
	if err != nil {
		return fmt.Errorf("log %q: %w", want.Name, err)
	}
	old := e.sink
	e.said, e.sink = want, sink
	e.use(l)
	if old != nil {
		return old.Close()
	}
	return nil
}

// reopen opens the log's file again, if it is one, after somebody has renamed it.
func (e *events) reopen() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.sink == nil {
		return nil
	}
	return e.sink.Reopen()
}

// Enabled implements slog.Handler.
func (e *events) Enabled(ctx context.Context, l slog.Level) bool {
	return (*e.inside.Load()).Enabled(ctx, l)
}

// Handle implements slog.Handler.
func (e *events) Handle(ctx context.Context, r slog.Record) error {
	return (*e.inside.Load()).Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (e *events) WithAttrs(attrs []slog.Attr) slog.Handler {
	return derived{e, func(h slog.Handler) slog.Handler { return h.WithAttrs(attrs) }}
}

// WithGroup implements slog.Handler.
func (e *events) WithGroup(name string) slog.Handler {
	return derived{e, func(h slog.Handler) slog.Handler { return h.WithGroup(name) }}
}

// derived is a handler with attributes that follows the changes of the one it came from.
type derived struct {
	slog.Handler
	more func(slog.Handler) slog.Handler
}

func (d derived) Handle(ctx context.Context, r slog.Record) error {
	return d.inner(d.Handler).Handle(ctx, r)
}

// inner puts the attributes on what lines go to now.
func (d derived) inner(h slog.Handler) slog.Handler {
	switch h := h.(type) {
	case *events:
		return d.more(*h.inside.Load())
	case derived:
		return d.more(h.inner(h.Handler))
	}
	return d.more(h)
}

func (d derived) WithAttrs(attrs []slog.Attr) slog.Handler {
	return derived{d, func(h slog.Handler) slog.Handler { return h.WithAttrs(attrs) }}
}

func (d derived) WithGroup(name string) slog.Handler {
	return derived{d, func(h slog.Handler) slog.Handler { return h.WithGroup(name) }}
}
