package cert

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// lockPause is the time between two tries for a lock that another process holds.
const lockPause = 100 * time.Millisecond

// locks are named locks in a folder, among goroutines and processes. One whose holder was killed is free at once.
type locks struct {
	dir string

	mu   sync.Mutex // protects held
	held map[string]*held
}

// held is a lock that somebody in this process has or waits for.
type held struct {
	users int
	free  chan struct{} // has one element while nobody has the lock
	file  *os.File      // of who has it
}

func newLocks(dir string) *locks { return &locks{dir: dir, held: map[string]*held{}} }

// lock waits for a lock, at most until ctx ends.
func (l *locks) lock(ctx context.Context, name string) error {
	h := l.join(name)
	select {
	case <-h.free:
	case <-ctx.Done():
		l.leave(name, h)
		return ctx.Err()
	}
	f, err := l.lockFile(ctx, name)
	if err != nil {
		h.free <- struct{}{}
		l.leave(name, h)
		return fmt.Errorf("lock %q: %w", name, err)
	}
	h.file = f
	return nil
}

// unlock gives back a lock that lock gave.
func (l *locks) unlock(name string) error {
	l.mu.Lock()
	h := l.held[name]
	l.mu.Unlock()
	if h == nil || h.file == nil {
		return fmt.Errorf("lock %q is not held", name)
	}
	err := h.file.Close()
	h.file = nil
	h.free <- struct{}{}
	l.leave(name, h)
	return err
}

func (l *locks) join(name string) *held {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.held[name]
	if h == nil {
		h = &held{free: make(chan struct{}, 1)}
		h.free <- struct{}{}
		l.held[name] = h
	}
	h.users++
	return h
}

func (l *locks) leave(name string, h *held) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h.users--; h.users == 0 {
		delete(l.held, name)
	}
}

// lockFile waits for other processes.
func (l *locks) lockFile(ctx context.Context, name string) (*os.File, error) {
	if err := os.MkdirAll(l.dir, privateDir); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(l.dir, name+".lock"), os.O_CREATE|os.O_RDWR, privateFile)
	if err != nil {
		return nil, err
	}
	for {
		ok, err := tryLock(f)
		if err == nil && ok {
			return f, nil
		}
		if err == nil {
			err = pause(ctx, lockPause)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
	}
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
