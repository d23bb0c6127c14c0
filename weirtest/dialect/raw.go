package dialect

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strconv"
)

// A Raw is a connection whose user makes up the fields of each request: nothing is checked, left out or put right. Its
// streams may be opened and used concurrently.
type Raw struct{ t transport }

// RawH2 speaks HTTP/2 on a connection that has not been used yet. The caller sees to it that the other side does, too.
func RawH2(c net.Conn) (*Raw, error) {
	h, err := newH2(c)
	if err != nil {
		return nil, err
	}
	h.gone = func() {}
	go h.read()
	return &Raw{h}, nil
}

// RawH3 connects to address and speaks HTTP/3. It takes the protocol out of t.
func RawH3(ctx context.Context, address string, t *tls.Config) (*Raw, error) {
	h, err := newH3(ctx, address, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, t)
	if err != nil {
		return nil, err
	}
	h.gone = func() {}
	go h.listen()
	return &Raw{h}, nil
}

// Close ends the connection, and with it what is under way.
func (r *Raw) Close() { r.t.abort() }

// A Stream is one exchange of a Raw. One goroutine sends, another may receive.
type Stream struct {
	s    stream
	rest []byte // content that has come and not been read
}

// Open begins an exchange. The error is that of a connection which has ended or goes away.
func (r *Raw) Open() (*Stream, error) {
	s, err := r.t.open()
	if err != nil {
		return nil, err
	}
	return &Stream{s: s}, nil
}

// Head sends the first section of fields; end: nothing follows.
func (s *Stream) Head(fields []Field, end bool) error { return s.s.head(fields, end) }

// Trailer sends the last section of fields.
func (s *Stream) Trailer(fields []Field) error { return s.s.trailer(fields) }

// Write sends content.
func (s *Stream) Write(p []byte) (int, error) {
	if err := s.s.data(p, false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// CloseWrite ends what is sent.
func (s *Stream) CloseWrite() error { return s.s.data(nil, true) }

// Cancel breaks the exchange off.
func (s *Stream) Cancel() { s.s.cancel() }

// Answer reads the head of the final answer. The error is [ErrMalformed] where the stream has been reset because of what
// was asked.
func (s *Stream) Answer() (status int, fields []Field, err error) {
	for {
		p, err := s.s.receive()
		if err != nil {
			return 0, nil, err
		}
		if len(p.fields) == 0 || p.fields[0].Name != ":status" {
			return 0, nil, fmt.Errorf("no status: %v, %d bytes", p.fields, len(p.data))
		}
		if status, err = strconv.Atoi(p.fields[0].Value); err != nil || status >= 200 {
			return status, p.fields[1:], err
		}
	}
}

// Read reads content that follows the answer's head, and passes over trailer fields.
func (s *Stream) Read(p []byte) (int, error) {
	for len(s.rest) == 0 {
		part, err := s.s.receive()
		if err != nil {
			return 0, err
		}
		s.rest = part.data
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

var _ io.ReadWriter = (*Stream)(nil)
