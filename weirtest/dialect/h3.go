package dialect

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
)

// Of HTTP/3 (RFC 9114): types of frames and streams, codes of errors.
const (
	frameData, frameHeaders = 0x0, 0x1
	frameSettings           = 0x4
	frameGoAway             = 0x7
	streamControl           = 0x0

	codeNone      = 0x100
	codeInternal  = 0x102
	codeCancelled = 0x10c
	codeMessage   = 0x10e
)

// An h3 is a connection of HTTP/3.
type h3 struct {
	conn *quic.Conn
	udp  net.PacketConn
	gone func()
}

// H3 connects to address from local, a UDP address or nil, and speaks HTTP/3. It takes the protocol out of t.
func H3(ctx context.Context, address string, local *net.UDPAddr, t *tls.Config) (*Conn, error) {
	h, err := newH3(ctx, address, local, t)
	if err != nil {
		return nil, err
	}
	d := newConn(h)
	h.gone = d.leave
	go h.listen()
	return d, nil
}

// newH3 connects and greets the other side. Before it listens, gone has to be set.
func newH3(ctx context.Context, address string, local *net.UDPAddr, t *tls.Config) (*h3, error) {
	to, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, err
	}
	udp, err := net.ListenUDP("udp", local)
	if err != nil {
		return nil, err
	}
	t = t.Clone()
	t.NextProtos = []string{"h3"}
	conn, err := quic.Dial(ctx, udp, to, t, &quic.Config{MaxIncomingStreams: -1, KeepAlivePeriod: 10 * time.Second})
	if err != nil {
		udp.Close()
		return nil, err
	}
	h := &h3{conn: conn, udp: udp}
	if err := h.begin(); err != nil {
		h.abort()
		return nil, err
	}
	return h, nil
}

// begin opens the control stream.
func (h *h3) begin() error {
	s, err := h.conn.OpenUniStream()
	if err != nil {
		return err
	}
	_, err = s.Write([]byte{streamControl, frameSettings, 0})
	return err
}

// listen takes the streams of the other side that are for no request.
func (h *h3) listen() {
	for {
		s, err := h.conn.AcceptUniStream(context.Background())
		if err != nil {
			return
		}
		go h.heed(s)
	}
}

// heed looks for GOAWAY on the control stream; of all else nothing concerns a client that uses no table.
func (h *h3) heed(s io.Reader) {
	in := quicvarint.NewReader(s)
	kind, err := quicvarint.Read(in)
	for err == nil && kind == streamControl {
		var frame, n uint64
		if frame, err = quicvarint.Read(in); err == nil {
			n, err = quicvarint.Read(in)
		}
		if err == nil {
			_, err = io.CopyN(io.Discard, in, int64(n))
		}
		if err == nil && frame == frameGoAway {
			h.gone()
		}
	}
	io.Copy(io.Discard, s)
}

func (h *h3) open() (stream, error) {
	s, err := h.conn.OpenStreamSync(h.conn.Context())
	if err != nil {
		return nil, err
	}
	return &h3stream{s: s, in: quicvarint.NewReader(bufio.NewReaderSize(s, 16<<10))}, nil
}

func (h *h3) addr() net.Addr { return h.conn.LocalAddr() }
func (h *h3) close()         { h.leave(codeNone) }
func (h *h3) abort()         { h.leave(codeInternal) }

func (h *h3) leave(code quic.ApplicationErrorCode) {
	h.conn.CloseWithError(code, "")
	h.udp.Close()
}

type h3stream struct {
	s    *quic.Stream
	in   quicvarint.Reader
	left uint64 // of the frame of content that is being received
}

func (s *h3stream) head(fields []Field, end bool) error { return s.section(fields, end) }
func (s *h3stream) trailer(fields []Field) error        { return s.section(fields, true) }

func (s *h3stream) section(fields []Field, end bool) error {
	var block bytes.Buffer
	enc := qpack.NewEncoder(&block)
	for _, f := range fields {
		if err := enc.WriteField(qpack.HeaderField{Name: f.Name, Value: f.Value}); err != nil {
			return err
		}
	}
	return s.send(frameHeaders, block.Bytes(), end)
}

func (s *h3stream) data(p []byte, end bool) error {
	if len(p) == 0 && end {
		return s.s.Close()
	}
	return s.send(frameData, p, end)
}

func (s *h3stream) send(kind uint64, p []byte, end bool) error {
	head := quicvarint.Append(quicvarint.Append(nil, kind), uint64(len(p)))
	if _, err := s.s.Write(append(head, p...)); err != nil {
		return err
	}
	if end {
		return s.s.Close()
	}
	return nil
}

// receive implements stream.
func (s *h3stream) receive() (part, error) {
	p, err := s.next()
	var by *quic.StreamError
	if errors.As(err, &by) && by.ErrorCode == codeMessage {
		err = ErrMalformed
	}
	return p, err
}

func (s *h3stream) next() (part, error) {
	for s.left == 0 {
		kind, n, err := s.frame()
		if err != nil {
			return part{}, err
		}
		switch kind {
		case frameData:
			s.left = n
		case frameHeaders:
			return s.fields(n)
		case frameSettings:
			return part{}, errors.New("settings on the stream of a request")
		default: // not known, and to be passed over (RFC 9114, section 9)
			if _, err := io.CopyN(io.Discard, s.in, int64(n)); err != nil {
				return part{}, err
			}
		}
	}
	buf := make([]byte, min(s.left, 16<<10))
	n, err := s.in.Read(buf)
	s.left -= uint64(n)
	if n > 0 {
		return part{data: buf[:n]}, nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return part{}, err
}

// frame reads the head of a frame; io.EOF: there is none any more.
func (s *h3stream) frame() (kind, n uint64, err error) {
	if kind, err = quicvarint.Read(s.in); err != nil {
		return 0, 0, err
	}
	if n, err = quicvarint.Read(s.in); err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return kind, n, err
}

func (s *h3stream) fields(n uint64) (p part, err error) {
	if n > 1<<20 {
		return p, fmt.Errorf("a head of %d bytes", n)
	}
	block := make([]byte, n)
	if _, err := io.ReadFull(s.in, block); err != nil {
		return p, err
	}
	next := qpack.NewDecoder().Decode(block)
	p.fields = []Field{}
	for {
		f, err := next()
		if err == io.EOF {
			return p, nil
		}
		if err != nil {
			return p, err
		}
		p.fields = append(p.fields, Field{f.Name, f.Value})
	}
}

func (s *h3stream) cancel() {
	s.s.CancelRead(codeCancelled)
	s.s.CancelWrite(codeCancelled)
}
