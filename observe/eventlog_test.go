package observe

import (
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTextEvents(t *testing.T) {
	var b strings.Builder
	log := NewEventLog(&b, "text", slog.LevelInfo)
	log.Debug("not this")
	log.With("site", "shop").WithGroup("g").Warn("a server\nis out", "server", "10.0.0.1:80", "error", errors.New("no \"way\""), slog.Group("h", "n", 3), "empty", "")
	line := b.String()
	stamp, rest, _ := strings.Cut(line, " ")
	if _, err := time.Parse(time.RFC3339Nano, stamp); err != nil {
		t.Error(err)
	}
	want := `WARN  a server\x0ais out site=shop g.server=10.0.0.1:80 g.error="no \"way\"" g.h.n=3 g.empty=""` + "\n"
	if rest != want {
		t.Errorf("event is %q, want %q", rest, want)
	}
}

func TestColoursAreForTerminals(t *testing.T) {
	var b strings.Builder
	h := &textHandler{out: &lockedWriter{w: &b}, level: slog.LevelInfo, colours: true}
	slog.New(h).Error("lost")
	if !strings.Contains(b.String(), red+"ERROR"+plainC) {
		t.Errorf("event is %q", b.String())
	}
	b.Reset()
	NewEventLog(&b, "text", slog.LevelInfo).Error("lost")
	if strings.Contains(b.String(), "\x1b") {
		t.Errorf("a terminal's codes where there is none: %q", b.String())
	}
}

func TestEventsInAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.log")
	log, events, err := OpenEventLog(LogConfig{Name: "events", To: path, Format: "json"}, slog.LevelInfo)
	if err != nil {
		t.Fatal(err)
	}
	log.Info("started", "version", "1")
	if err := events.Reopen(); err != nil {
		t.Fatal(err)
	}
	log.Info("started", "version", "2")
	if err := events.Close(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(read(t, path)), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines", len(lines))
	}
	var e struct{ Msg, Version string }
	if err := json.Unmarshal([]byte(lines[1]), &e); err != nil || e.Msg != "started" || e.Version != "2" {
		t.Errorf("%s: %+v, %v", lines[1], e, err)
	}
}
