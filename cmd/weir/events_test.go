package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/config"
)

func TestEvents(t *testing.T) {
	var stderr bytes.Buffer
	e := newEvents(&stderr)
	log := slog.New(e)
	derived := log.With("part", "x").WithGroup("g").With("more", "y")
	log.Info("begin")
	log.Debug("unheard")
	if s := stderr.String(); !strings.Contains(s, "begin") || strings.Contains(s, "unheard") {
		t.Errorf("standard error: %q", s)
	}
	stderr.Reset()

	file := filepath.Join(t.TempDir(), "events.log")
	c := &config.Config{Logs: []*config.Log{
		{Name: "access", To: "/nowhere/access.log", Format: "json"},
		{Name: config.EventLog, To: file, Format: "json", Level: "debug"},
	}}
	if err := e.configure(c); err != nil {
		t.Fatal(err)
	}
	log.Debug("heard")
	derived.Info("handed on", "n", 1)
	if s := read(t, file); !strings.Contains(s, `"msg":"heard"`) || !strings.Contains(s, `"part":"x","g":{"more":"y","n":1}`) {
		t.Errorf("file: %s", s)
	}

	os.Rename(file, file+".old")
	log.Info("before")
	if err := e.reopen(); err != nil {
		t.Fatal(err)
	}
	log.Info("after")
	if s := read(t, file); strings.Contains(s, "before") || !strings.Contains(s, "after") {
		t.Errorf("file after it was opened again: %s", s)
	}

	c.Logs[1].To = "/nowhere/events.log"
	if err := e.configure(c); err == nil || !strings.Contains(err.Error(), `log "events": `) {
		t.Errorf("a folder that does not exist: %v", err)
	}
	log.Info("still here")
	if s := read(t, file); !strings.Contains(s, "still here") {
		t.Errorf("the old place is lost: %s", s)
	}
	if stderr.Len() > 0 {
		t.Errorf("standard error got %q", stderr.String())
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
