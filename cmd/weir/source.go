package main

import (
	"slices"
	"sync"
	"time"

	"weir/config"
)

// A source loads the configuration and knows which files it came from.
type source struct {
	load func() (*config.Config, config.Diagnostics)

	mu    sync.Mutex // protects all below
	began time.Time  // when the configuration was read for the first time
	paths []string   // of what was read last, whether or not it could be used
	watch bool       // the configuration in use asks for it
}

// config loads the configuration anew.
func (s *source) config() (*config.Config, config.Diagnostics) {
	began := time.Now()
	c, found := s.load()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.began.IsZero() {
		s.began = began
	}
	if c != nil {
		s.paths = slices.Concat(c.Files, c.Folders)
	}
	return c, found
}

// served notes that c is in use.
func (s *source) served(c *config.Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch = c.Watch
}

// watched are the files and folders whose change means a reload, and whether the configuration asks for that.
func (s *source) watched() (paths []string, asked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.paths), s.watch
}

// firstRead is when the configuration was read for the first time.
func (s *source) firstRead() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.began
}
