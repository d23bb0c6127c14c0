package dialect

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// An h2 is a connection of HTTP/2.
type h2 struct {
	conn net.Conn
	gone func()

	writing sync.Mutex // protects the order of frames, block, enc, next
	fr      *http2.Framer
	block   bytes.Buffer
	enc     *hpack.Encoder
	next    uint32

	mu      sync.Mutex // protects what follows, and the streams
	moved   *sync.Cond // something of it has changed
	streams map[uint32]*h2stream
	window  int64 // what may be sent on the connection
	initial int64 // ... at first on a stream
	frame   int64 // the largest frame
	failed  error
}

type h2stream struct {
	h      *h2
	id     uint32
	window int64
	parts  []part
	debt   int   // bytes received that the other side has no credit for yet
	err    error // after the parts; io.EOF at the end
}

// H2 speaks HTTP/2 on a connection that has not been used yet. The caller sees to it that the other side does, too.
func H2(c net.Conn) (*Conn, error) {
	h, err := newH2(c)
	if err != nil {
		return nil, err
	}
	d := newConn(h)
	h.gone = d.leave
	go h.read()
	return d, nil
}

// newH2 greets the other side. Before it reads, gone has to be set.
func newH2(c net.Conn) (*h2, error) {
	h := &h2{conn: c, fr: http2.NewFramer(c, c), next: 1, streams: map[uint32]*h2stream{}, window: 65535, initial: 65535, frame: 16384}
	h.moved = sync.NewCond(&h.mu)
	h.enc = hpack.NewEncoder(&h.block)
	h.fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	return h, h.begin()
}

func (h *h2) begin() error {
	_, err := io.WriteString(h.conn, http2.ClientPreface)
	return errors.Join(err, h.fr.WriteSettings(http2.Setting{ID: http2.SettingEnablePush}))
}

func (h *h2) open() (stream, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return &h2stream{h: h}, h.failed
}

func (h *h2) addr() net.Addr { return h.conn.LocalAddr() }

func (h *h2) close() {
	h.writing.Lock()
	h.fr.WriteGoAway(0, http2.ErrCodeNo, nil)
	h.writing.Unlock()
	h.conn.Close()
}

func (h *h2) abort() {
	below := h.conn
	if t, ok := below.(*tls.Conn); ok {
		below = t.NetConn()
	}
	if t, ok := below.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	below.Close()
}

// read takes in frames until the connection ends.
func (h *h2) read() {
	for {
		f, err := h.fr.ReadFrame()
		if err == nil {
			err = h.take(f)
		}
		if err != nil {
			h.fail(err)
			return
		}
	}
}

func (h *h2) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed = err
	for _, s := range h.streams {
		s.finish(fmt.Errorf("the connection ended: %w", err))
	}
	h.moved.Broadcast()
	h.conn.Close()
}

func (h *h2) take(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.SettingsFrame:
		return h.settings(f)
	case *http2.PingFrame:
		if f.IsAck() {
			return nil
		}
		h.writing.Lock()
		defer h.writing.Unlock()
		return h.fr.WritePing(true, f.Data)
	}
	if g, ok := f.(*http2.GoAwayFrame); ok {
		h.goAway(g)
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.moved.Broadcast()
	s := h.streams[f.Header().StreamID]
	switch f := f.(type) {
	case *http2.WindowUpdateFrame:
		h.grow(f, s)
	case *http2.MetaHeadersFrame:
		s.section(f)
	case *http2.DataFrame:
		s.content(f)
	case *http2.RSTStreamFrame:
		s.finish(resetBy(f.ErrCode))
	case *http2.PushPromiseFrame:
		return errors.New("a push was promised")
	}
	return nil
}

func (h *h2) settings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	h.mu.Lock()
	if v, ok := f.Value(http2.SettingInitialWindowSize); ok {
		for _, s := range h.streams {
			s.window += int64(v) - h.initial
		}
		h.initial = int64(v)
	}
	if v, ok := f.Value(http2.SettingMaxFrameSize); ok {
		h.frame = int64(v)
	}
	h.moved.Broadcast()
	h.mu.Unlock()
	h.writing.Lock()
	defer h.writing.Unlock()
	return h.fr.WriteSettingsAck()
}

func (h *h2) grow(f *http2.WindowUpdateFrame, s *h2stream) {
	if f.StreamID == 0 {
		h.window += int64(f.Increment)
	} else if s != nil {
		s.window += int64(f.Increment)
	}
}

// goAway breaks off the streams that the other side will not look at any more, and lets no new ones begin.
func (h *h2) goAway(f *http2.GoAwayFrame) {
	defer h.gone()
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.moved.Broadcast()
	h.failed = fmt.Errorf("the connection goes away with %s", f.ErrCode)
	for id, s := range h.streams {
		if id > f.LastStreamID {
			s.finish(h.failed)
		}
	}
}

func resetBy(code http2.ErrCode) error {
	if code == http2.ErrCodeProtocol {
		return ErrMalformed
	}
	return fmt.Errorf("the stream was reset with %s", code)
}

func (s *h2stream) finish(err error) {
	if s != nil && s.err == nil {
		s.err = err
	}
}

func (s *h2stream) section(f *http2.MetaHeadersFrame) {
	if s == nil {
		return
	}
	fields := make([]Field, len(f.Fields))
	for i, hf := range f.Fields {
		fields[i] = Field{hf.Name, hf.Value}
	}
	s.parts = append(s.parts, part{fields: fields})
	if f.StreamEnded() {
		s.finish(io.EOF)
	}
}

func (s *h2stream) content(f *http2.DataFrame) {
	if s == nil {
		return
	}
	s.debt += int(f.Length) - len(f.Data())
	if len(f.Data()) > 0 {
		s.parts = append(s.parts, part{data: bytes.Clone(f.Data())})
	}
	if f.StreamEnded() {
		s.finish(io.EOF)
	}
}

// receive implements stream. What it has given before, the other side may send again.
func (s *h2stream) receive() (part, error) {
	s.credit()
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	for len(s.parts) == 0 && s.err == nil {
		s.h.moved.Wait()
	}
	if len(s.parts) == 0 {
		delete(s.h.streams, s.id)
		return part{}, s.err
	}
	p := s.parts[0]
	s.parts = s.parts[1:]
	s.debt += len(p.data)
	return p, nil
}

func (s *h2stream) credit() {
	s.h.mu.Lock()
	n := uint32(s.debt)
	s.debt = 0
	ended := s.err != nil
	s.h.mu.Unlock()
	if n == 0 {
		return
	}
	s.h.writing.Lock()
	defer s.h.writing.Unlock()
	s.h.fr.WriteWindowUpdate(0, n)
	if !ended {
		s.h.fr.WriteWindowUpdate(s.id, n)
	}
}

// head implements stream: only now the stream has a number, so that numbers go up on the wire.
func (s *h2stream) head(fields []Field, end bool) error {
	h := s.h
	h.writing.Lock()
	defer h.writing.Unlock()
	s.id = h.next
	h.next += 2
	h.mu.Lock()
	s.window = h.initial
	s.finish(h.failed)
	h.streams[s.id] = s
	h.mu.Unlock()
	return h.section(s.id, fields, end)
}

func (s *h2stream) trailer(fields []Field) error {
	s.h.writing.Lock()
	defer s.h.writing.Unlock()
	return s.h.section(s.id, fields, true)
}

// section writes a section of fields, in as many frames as it takes.
func (h *h2) section(id uint32, fields []Field, end bool) error {
	h.block.Reset()
	for _, f := range fields {
		h.enc.WriteField(hpack.HeaderField{Name: f.Name, Value: f.Value})
	}
	piece := h.block.Next(16384)
	err := h.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: piece, EndStream: end, EndHeaders: h.block.Len() == 0})
	for err == nil && h.block.Len() > 0 {
		piece = h.block.Next(16384)
		err = h.fr.WriteContinuation(id, h.block.Len() == 0, piece)
	}
	return err
}

// data implements stream.
func (s *h2stream) data(p []byte, end bool) error {
	for {
		n, err := s.take(int64(len(p)))
		if err != nil {
			return err
		}
		s.h.writing.Lock()
		err = s.h.fr.WriteData(s.id, end && n == int64(len(p)), p[:n])
		s.h.writing.Unlock()
		if p = p[n:]; err != nil || len(p) == 0 {
			return err
		}
	}
}

// take waits until some of n bytes may be sent, and returns how many.
func (s *h2stream) take(n int64) (int64, error) {
	h := s.h
	h.mu.Lock()
	defer h.mu.Unlock()
	for n > 0 && min(h.window, s.window) <= 0 && s.err == nil {
		h.moved.Wait()
	}
	if s.err != nil && s.err != io.EOF {
		return 0, s.err
	}
	if s.err == io.EOF && min(h.window, s.window) <= 0 {
		return 0, s.err
	}
	n = min(n, max(0, h.window), max(0, s.window), h.frame)
	h.window -= n
	s.window -= n
	return n, nil
}

func (s *h2stream) cancel() {
	s.h.mu.Lock()
	over := s.err == io.EOF
	s.finish(errGone)
	s.h.moved.Broadcast()
	s.h.mu.Unlock()
	if over {
		return
	}
	s.h.writing.Lock()
	defer s.h.writing.Unlock()
	s.h.fr.WriteRSTStream(s.id, http2.ErrCodeCancel)
}
