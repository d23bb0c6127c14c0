package h3

import (
	"io"
	"sync"
	"time"

	"weir"
	"weir/proto/internal/section"
)

// A source is what a message is read from: a QUIC stream.
type source interface {
	Peek(p []byte) (int, error)
	Read(p []byte) (int, error)
	SetReadDeadline(t time.Time) error
}

// An input reads the frames of one message (RFC 9114, section 4.1): sections of fields, content between them, and
// whatever else that weir does not know, which is passed over. It belongs to one goroutine at a time. It holds a buffer
// only while there is something in it, but for the small one that a message begins in.
type input struct {
	src      source
	buf      []byte // buf[r:w] has been read and not been used; nil: there is nothing
	r, w     int
	ended    bool   // the stream has ended behind what is in the buffer
	left     uint64 // of the DATA frame being read
	passing  uint64 // of the frame that is passed over
	trailer  int64  // length of the trailer section that is next; -1: it is not
	phase    phase
	overhead int // bytes that are neither fields nor content
	one      [1]byte
	first    [firstSize]byte // where the message's beginning is read to
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

// firstSize is how much of a message is read into memory that the input has by itself: what one packet brings, which
// most messages are. It is the same few bytes of the processor's caches for one message after the other.
const firstSize = 1500

// mostOverhead is how much that is neither fields nor content a message may have: frames of unknown types, and the
// headers of frames that bring next to nothing.
const mostOverhead = 16 << 10

var (
	errCut        = &connError{codeFrame, "a stream ended in the middle of a frame"}
	errUnexpected = &connError{codeFrameUnexpected, "a frame that may not come on this stream, or not now"}
	errOverhead   = &connError{codeExcessiveLoad, "too many frames without a use"}
)

func (in *input) reset(src source) {
	in.src, in.buf, in.r, in.w, in.ended = src, in.first[:], 0, 0, false
	in.left, in.passing, in.trailer = 0, 0, -1
	in.phase, in.overhead = phaseHead, 0
}

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
	switch {
	case in.r < in.w:
	case in.phase == phaseHead && len(in.buf) == firstSize:
		in.r, in.w = 0, 0
	default:
		in.release()
		if _, err := in.src.Peek(in.one[:]); isTimeout(err) {
			return err // a Read could take what has come meanwhile, if an upload that ends has moved the deadline
		} else if err != nil {
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
	case in.w < len(in.buf):
	case len(in.buf) == firstSize:
		larger := inputs.Get().(*[inputSize]byte)[:]
		in.w = copy(larger, in.buf[in.r:in.w])
		in.buf, in.r = larger, 0
	case in.r > 0:
		in.w = copy(in.buf, in.buf[in.r:in.w])
		in.r = 0
	default:
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
// frameData, whose length in.left then is. io.EOF: the message has ended. It goes on where a deadline broke it off.
func (in *input) next() (typ, length uint64, err error) {
	for {
		if err := in.pass(); err != nil {
			return 0, 0, err
		}
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
		case typ == frameData || typ == frameHeaders || typ == framePushPromise || isControl(typ) || isReserved(typ) || isPriorityUpdate(typ):
			return 0, 0, errUnexpected
		}
		if err := in.count(int64(min(length, mostOverhead)) + 4); err != nil {
			return 0, 0, err
		}
		in.passing = length
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

// pass passes over the payload of a frame that weir does not know.
func (in *input) pass() error {
	for in.passing > 0 {
		if in.buffered() == 0 {
			if err := in.fill(); err != nil {
				return cut(err)
			}
		}
		n := min(uint64(in.buffered()), in.passing)
		in.r += int(n)
		in.passing -= n
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

// step goes to the next frame of content, or to the trailer section.
func (in *input) step() error {
	typ, length, err := in.next()
	if err == nil && typ == frameHeaders {
		in.trailer = int64(length)
	}
	return err
}

// advance goes to the next byte of the content. errTrailer: a section, whose length in.trailer then is, follows it.
func (in *input) advance() error {
	for in.left == 0 {
		if in.trailer >= 0 {
			return errTrailer
		}
		if err := in.step(); err != nil {
			return err
		}
	}
	if in.buffered() == 0 {
		return cut(in.fill())
	}
	return nil
}

// content returns up to most bytes of the content, valid until the next call. io.EOF comes with the last ones where
// that is known; errTrailer as advance says.
func (in *input) content(most int) ([]byte, error) {
	if err := in.advance(); err != nil {
		return nil, err
	}
	n := int(min(uint64(min(in.buffered(), most)), in.left))
	p := in.buf[in.r : in.r+n]
	in.r += n
	in.left -= uint64(n)
	if in.left == 0 && in.buffered() == 0 && in.ended {
		return p, io.EOF
	}
	return p, nil
}

// readTrailer reads the trailer section that is next into h, and then the end of the message.
func (in *input) readTrailer(lim *Limits, h *weir.Header) error {
	if in.trailer > int64(lim.Trailer) {
		return &streamError{codeMessage, errTooLarge.text}
	}
	p, err := in.payload(int(in.trailer))
	if err != nil {
		return err
	}
	in.phase, in.trailer = phaseOver, -1
	d := decoders.Get().(*sectionDecoder)
	defer decoders.Put(d)
	if err := d.decode(p, lim.Trailer, lim.Fields); err != nil {
		return asMessage(err)
	}
	var s section.Section
	if err := readSection(&s, section.Trailer, d, string(d.text), h); err != nil {
		return asMessage(err)
	}
	if _, _, err := in.next(); err != io.EOF {
		return err
	}
	return nil
}

// asMessage makes an error of the stream of one that a section has, unless the connection ends for it.
func asMessage(err error) error {
	if e, ok := err.(*connError); ok {
		return e
	}
	return &streamError{codeMessage, err.Error()}
}

var errTrailer = &streamError{codeNone, "the trailer"}

// decoders are kept from one section to the next.
var decoders = sync.Pool{New: func() any { return new(sectionDecoder) }}
