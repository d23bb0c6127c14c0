package main

import (
	"context"
	"os"
	"time"
)

const watchEvery = time.Second

// A stamp is what a file's change shows in.
type stamp struct {
	info os.FileInfo // nil: it is not there
}

func look(path string) stamp {
	info, err := os.Stat(path) // the target of a link: mounted ConfigMaps change by it
	if err != nil {
		return stamp{}
	}
	return stamp{info}
}

func looks(paths []string) map[string]stamp {
	all := make(map[string]stamp, len(paths))
	for _, p := range paths {
		all[p] = look(p)
	}
	return all
}

func (a stamp) same(b stamp) bool {
	if a.info == nil || b.info == nil {
		return a.info == nil && b.info == nil
	}
	return os.SameFile(a.info, b.info) && a.info.ModTime().Equal(b.info.ModTime()) && a.info.Size() == b.info.Size()
}

// A watch finds out that files have changed. It looks at them each second, which costs next to nothing and works on
// every file system; a change is reported one look later, when the editor is done with it.
type watch struct {
	seen    map[string]stamp // at the last look, or when the files were read
	pending bool
}

// changed looks at paths and reports whether they, or which they are, changed and have rested since.
func (w *watch) changed(paths []string) bool {
	now, moved := looks(paths), false
	for p, s := range now {
		if before, known := w.seen[p]; known && !before.same(s) {
			moved = true
		}
	}
	w.seen = now
	if moved {
		w.pending = true
		return false
	}
	rested := w.pending
	w.pending = false
	return rested
}

// run calls reload each time the files have changed, until ctx ends.
func (w *watch) run(ctx context.Context, paths func() []string, reload func()) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	w.changed(paths())
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if w.changed(paths()) {
				reload()
			}
		}
	}
}
