package assemble

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"weir/config"
)

// watchEvery is how often files are looked at. A change takes effect when it has not gone on for as long,
// so that a file that is being written, or several that are replaced one after the other, are read once whole.
const watchEvery = time.Second

// Watch reloads when a file of the configuration changes, where the configuration asks for it or always is
// set, until ctx ends.
func (e *Engine) Watch(ctx context.Context, always bool) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	known, seen := e.fingerprint(), ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := e.fingerprint()
		switch c := e.Config(); {
		case c == nil || !c.Watch && !always:
			known = now
		case now == known:
		case now != seen: // it may still be changing
		default:
			known = now
			e.o.Log.Info("configuration changed on disk")
			e.Reload(ctx)
			known = e.fingerprint()
		}
		seen = now
	}
}

// fingerprint tells versions of the configuration's files apart.
func (e *Engine) fingerprint() string {
	c := e.Config()
	if c == nil {
		return ""
	}
	var b strings.Builder
	for _, name := range paths(c) {
		if info, err := os.Stat(name); err == nil {
			fmt.Fprintf(&b, "%s %d %d\n", name, info.Size(), info.ModTime().UnixNano())
		} else {
			fmt.Fprintf(&b, "%s %v\n", name, err)
		}
	}
	return b.String()
}

func paths(c *config.Config) []string {
	return append(append([]string(nil), c.Files...), c.Folders...)
}
