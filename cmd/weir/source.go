package main

import (
	"slices"
	"sync"

	"weir/config"
)

// A source loads the configuration and knows which files it came from.
type source struct {
	load func() (*config.Config, config.Diagnostics)
	end  <-chan struct{} // closed when nobody waits for a configuration any more

	mu    sync.Mutex       // protects all below
	first map[string]stamp // of the files when they were read for the first time
	paths []string         // of what was read last, whether or not it could be used
	watch bool             // the configuration in use asks for it
}

// config loads the configuration anew, or gives up when weir is to end.
func (s *source) config() (*config.Config, config.Diagnostics) {
	c, found := s.read()
	s.mu.Lock()
	defer s.mu.Unlock()
	if c != nil {
		s.paths = slices.Concat(c.Files, c.Folders)
		if s.first == nil {
			s.first = looks(s.paths)
		}
	}
	return c, found
}

// read is load that the end cuts short: a file may be on a disk that does not answer.
func (s *source) read() (*config.Config, config.Diagnostics) {
	var c *config.Config
	var found config.Diagnostics
	read := make(chan struct{})
	go func() {
		defer close(read)
		c, found = s.load()
	}()
	select {
	case <-read:
		return c, found
	case <-s.end:
		return nil, config.Diagnostics{{Severity: config.Note, Summary: "the configuration is not read: weir is to end"}}
	}
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

// firstRead is what the files were like when they were read for the first time.
func (s *source) firstRead() map[string]stamp {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first
}
