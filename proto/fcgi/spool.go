package fcgi

import (
	"errors"
	"io"
	"os"
	"sync"

	"weir"
)

// A Spool says how request bodies of unknown length are held until their length is known. Zero values mean the defaults.
type Spool struct {
	Memory int64  // bytes of one that are held in memory, the rest in a file; default 64 KiB
	Most   int64  // bytes of one; default 64 MiB; a longer one is refused with 413
	Total  int64  // bytes of all at the same time; default 1 GiB; what is more is refused with 503
	Folder string // of the files, which have no name there; default: the system's for temporary files
}

func (s Spool) orDefaults() Spool {
	def := func(n *int64, v int64) {
		if *n <= 0 {
			*n = v
		}
	}
	def(&s.Memory, 64<<10)
	def(&s.Most, 64<<20)
	def(&s.Total, 1<<30)
	return s
}

var (
	errSpoolMost  = errors.New("a body of unknown length is longer than it may be")
	errSpoolTotal = errors.New("too much is held of bodies of unknown length")
)

// spool reads a body of unknown length to its end and puts one of known length in its place. That has not been touched:
// another server may be asked with it.
func (t *Transport) spool(x *weir.Exchange) *weir.Fault {
	body := x.Request.Body
	if body == nil || body.Len() >= 0 {
		return nil
	}
	s := &spooled{t: t}
	x.AtEnd(s)
	x.Request.Touched = true
	if err := s.fill(body); err != nil {
		s.drop()
		return spoolFault(err)
	}
	x.Request.Body, x.Request.Touched = s, false
	return nil
}

func spoolFault(err error) *weir.Fault {
	switch err {
	case errSpoolMost:
		return &weir.Fault{Op: "read request body", Side: weir.SideClient, Cause: weir.CauseRequestBodyTooLarge, Err: err}
	case errSpoolTotal:
		return &weir.Fault{Op: "read request body", Side: weir.SideWeir, Cause: weir.CauseOverload, Err: err}
	}
	return weir.AsFault(err)
}

// A spooled is a body that is held. It is read once.
type spooled struct {
	t      *Transport
	n      int64
	memory []byte
	file   *os.File // what did not fit; nil: nothing
	read   int64
}

var copyBuffers = sync.Pool{New: func() any { return new(buffer) }}

// fill takes in all of body.
func (s *spooled) fill(body weir.Body) error {
	buf := copyBuffers.Get().(*buffer)
	defer copyBuffers.Put(buf)
	for {
		n, err := body.Read(buf[:])
		if werr := s.add(buf[:n]); werr != nil {
			return werr
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *spooled) add(p []byte) error {
	c := &s.t.cfg.Spool
	if s.n+int64(len(p)) > c.Most {
		return errSpoolMost
	}
	total := s.t.spooled.Add(int64(len(p)))
	s.n += int64(len(p))
	if total > c.Total {
		return errSpoolTotal
	}
	room := min(max(c.Memory-int64(len(s.memory)), 0), int64(len(p)))
	s.memory = append(s.memory, p[:room]...)
	if p = p[room:]; len(p) == 0 {
		return nil
	}
	if s.file == nil {
		file, err := nameless(c.Folder)
		if err != nil {
			return err
		}
		s.file = file
	}
	_, err := s.file.Write(p)
	return err
}

// nameless makes a file that nobody else can open and that is gone when it is closed.
func nameless(folder string) (*os.File, error) {
	file, err := os.CreateTemp(folder, "weir-body-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// drop gives up what is held.
func (s *spooled) drop() {
	s.t.spooled.Add(-s.n)
	s.n, s.memory = 0, nil
	if s.file != nil {
		s.file.Close()
		s.file = nil
	}
}

// EndExchange implements weir.Ender.
func (s *spooled) EndExchange(*weir.Exchange) { s.drop() }

// Len implements weir.Body.
func (s *spooled) Len() int64 { return s.n }

// Trailer implements weir.Body.
func (s *spooled) Trailer() *weir.Header { return nil }

// Close implements weir.Body. What is held is given up when the exchange ends.
func (s *spooled) Close() error { return nil }

// Read implements weir.Body.
func (s *spooled) Read(p []byte) (int, error) {
	if s.read == s.n {
		return 0, io.EOF
	}
	n, err := 0, error(nil)
	if s.read < int64(len(s.memory)) {
		n = copy(p, s.memory[s.read:])
	} else {
		n, err = s.file.ReadAt(p[:min(int64(len(p)), s.n-s.read)], s.read-int64(len(s.memory)))
	}
	s.read += int64(n)
	return n, err
}
