package main

import (
	"context"
	"os"
	"testing"
	"time"
)

// TestSoak is the soak in seconds: servers die and reloads come five times as often.
func TestSoak(t *testing.T) {
	s := settings{weir: os.Getenv("WEIR_BINARY"), duration: 5 * time.Second, websockets: 100, reloads: 100, clients: 2, every: 200 * time.Millisecond}
	if err := run(context.Background(), s, t.Logf); err != nil {
		t.Error(err)
	}
}

// A level that is not reached again must be noticed, or the soak proves nothing.
func TestCompare(t *testing.T) {
	base := level{10, 20, 30 << 20}
	for _, tt := range []struct {
		after level
		wrong int
	}{
		{base, 0},
		{level{12, 22, 40 << 20}, 0},
		{level{10_000, 20, 30 << 20}, 1},
		{level{10, 40, 30 << 20}, 1},
		{level{10_000, 40, 90 << 20}, 3},
	} {
		r := newReport()
		if r.compare(base, tt.after); len(r.wrongs) != tt.wrong {
			t.Errorf("%s after %s: %q", tt.after, base, r.wrongs)
		}
	}
}
