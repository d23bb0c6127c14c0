package h3

import (
	"io"
	"sync"
	"time"
)

// A source is what a message is read from: a QUIC stream.
type source interface {
	Peek(p []byte) (int, error)
	Read(p []byte) (int, error)
	SetReadDeadline(t time.Time) error
}

// An input reads the frames of one message (RFC 9114, section 4.1): sections of fields, content between them, and
// whatever else that weir does not know, which is passed over. It belongs to one goroutine at a time. It holds a buffer
// only while there is something in it.
type input struct {
	src      source
	buf      []byte // buf[r:w] has been read and not been used; nil: there is nothing
	r, w     int
	ended    bool   // the stream has ended behind what is in the buffer
	left     uint64 // of the DATA frame being read
	phase    phase
	overhead int // bytes that are neither fields nor content
	one      [1]byte
}

// A phase is how far a message has come.
type phase uint8

const (
	phaseHead    phase = iota // no final section of fields has come
	phaseContent              // DATA may come
	phaseOver                 // the trailer has come
)

// inputSize is what a message buffers. A larger section gets memory of its own.
const inputSize = 32 << 10

var inputs = sync.Pool{New: func() any { return new([inputSize]byte) }}

// mostOverhead is how much that is neither fields nor content a message may have: frames of unknown types, and the
// headers of frames that bring next to nothing.
const mostOverhead = 16 << 10

var (
	errCut        = &connError{codeFrame, "a stream ended in the middle of a frame"}
	errUnexpected = &connError{codeFrameUnexpected, "a frame that may not come on this stream, or not now"}
	errOverhead   = &connError{codeExcessiveLoad, "too many frames without a use"}
)

func (in *input) reset(src source) { *in = input{src: src} }

// release gives the buffer back.
func (in *input) release() {
	if cap(in.buf) == inputSize {
		inputs.Put((*[inputSize]byte)(in.buf[:inputSize]))
	}
	in.buf, in.r, in.w = nil, 0, 0
}

func (in *input) buffered() int { return in.w - in.r }

// fill reads more behind what there is; io.EOF: there is no more.
func (in *input) fill() error {
	if in.ended {
		return io.EOF
	}
	if in.r == in.w {
		in.release()
		if _, err := in.src.Peek(in.one[:]); err != nil {
			return in.finish(err)
		}
	}
	n, err := in.src.Read(in.space())
	in.w += n
	if err == io.EOF {
		in.ended = true
		if n > 0 {
			return nil
		}
	}
	return err
}

// finish ends a stream on which nothing more has come. QUIC wants to see the end read.
func (in *input) finish(err error) error {
	if err == io.EOF {
		in.ended = true
	}
	in.src.Read(in.one[:])
	return err
}

// space returns where more may be put; there always is some.
func (in *input) space() []byte {
	switch {
	case in.buf == nil:
		in.buf = inputs.Get().(*[inputSize]byte)[:]
	case in.w == len(in.buf) && in.r > 0:
		in.w = copy(in.buf, in.buf[in.r:in.w])
		in.r = 0
	case in.w == len(in.buf):
		grown := make([]byte, 2*len(in.buf))
		n := copy(grown, in.buf)
		in.release()
		in.buf, in.w = grown, n
	}
	return in.buf[in.w:]
}

// header reads the next frame's header; io.EOF: the message has ended.
func (in *input) header() (typ, length uint64, err error) {
	for {
		typ, length, n := parseFrame(in.buf[in.r:in.w])
		if n > 0 {
			in.r += n
			return typ, length, nil
		}
		if err := in.fill(); err != nil {
			if err == io.EOF && in.buffered() > 0 {
				err = errCut
			}
			return 0, 0, err
		}
	}
}

// next goes to the next frame that means something: it returns frameHeaders with the length of its payload, or
// frameData, whose length in.left then is. io.EOF: the message has ended.
func (in *input) next() (typ, length uint64, err error) {
	for {
		typ, length, err := in.header()
		switch {
		case err != nil:
			return 0, 0, err
		case typ == frameHeaders && in.phase != phaseOver:
			return typ, length, nil
		case typ == frameData && in.phase == phaseContent:
			if err := in.count(max(0, 16-int64(min(length, 16)))); err != nil {
				return 0, 0, err
			}
			in.left = length
			return typ, length, nil
		case typ == frameData || typ == frameHeaders || typ == framePushPromise || isControl(typ) || isReserved(typ):
			return 0, 0, errUnexpected
		}
		if err := in.skip(length); err != nil {
			return 0, 0, err
		}
	}
}

// count counts n bytes without a use.
func (in *input) count(n int64) error {
	if n > mostOverhead-int64(in.overhead) {
		return errOverhead
	}
	in.overhead += int(n)
	return nil
}

// skip passes over a payload.
func (in *input) skip(length uint64) error {
	if err := in.count(int64(min(length, mostOverhead)) + 4); err != nil {
		return err
	}
	for length > 0 {
		if in.buffered() == 0 {
			if err := in.fill(); err != nil {
				return cut(err)
			}
		}
		n := min(uint64(in.buffered()), length)
		in.r += int(n)
		length -= n
	}
	return nil
}

func cut(err error) error {
	if err == io.EOF {
		return errCut
	}
	return err
}

// payload returns the next n bytes, which stay valid until more is read. The caller has bounded n.
func (in *input) payload(n int) ([]byte, error) {
	for in.buffered() < n {
		if err := in.fill(); err != nil {
			return nil, cut(err)
		}
	}
	p := in.buf[in.r : in.r+n]
	in.r += n
	return p, nil
}

// content returns up to most bytes of the content, valid until the next call. io.EOF comes with the last ones where
// that is known. errTrailer: a section of length bytes follows the content.
func (in *input) content(most int) (p []byte, length uint64, err error) {
	for in.left == 0 {
		typ, length, err := in.next()
		if err != nil {
			return nil, 0, err
		}
		if typ == frameHeaders {
			return nil, length, errTrailer
		}
	}
	if in.buffered() == 0 {
		if err := in.fill(); err != nil {
			return nil, 0, cut(err)
		}
	}
	n := int(min(uint64(min(in.buffered(), most)), in.left))
	p = in.buf[in.r : in.r+n]
	in.r += n
	in.left -= uint64(n)
	if in.left == 0 && in.buffered() == 0 && in.ended {
		return p, 0, io.EOF
	}
	return p, 0, nil
}

var errTrailer = &streamError{codeNone, "the trailer"}

// decoders are kept from one section to the next.
var decoders = sync.Pool{New: func() any { return new(sectionDecoder) }}
