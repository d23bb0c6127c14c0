package weir

import (
	"io"
	"strings"
)

// A Body is the content of a message. It is read once, by one goroutine.
//
// Read follows io.Reader; an end that comes too early is an error and not io.EOF. Close may be
// called at any time, also twice; a body that is closed before its end gives up what it held (the
// connection it comes from is then not used again). Len is the number of bytes from beginning to
// end whatever has been read, or -1 where that is not known. Trailer is nil or, after Read has
// returned io.EOF, the fields that followed the content.
//
// A Body that also is an io.WriterTo may hand its bytes over without a copy; only proto/ looks for that.
type Body interface {
	io.ReadCloser
	Len() int64
	Trailer() *Header
}

type stringBody struct {
	strings.Reader
	n int64
}

// NewBody returns a body of the bytes of s.
func NewBody(s string) Body {
	b := &stringBody{n: int64(len(s))}
	b.Reader.Reset(s)
	return b
}

func (b *stringBody) Close() error     { return nil }
func (b *stringBody) Len() int64       { return b.n }
func (b *stringBody) Trailer() *Header { return nil }

// HeadBody is the body of an answer to HEAD: it is empty and tells the length that the content of
// the answer to GET would have had.
type HeadBody int64

// Read always returns io.EOF.
func (HeadBody) Read([]byte) (int, error) { return 0, io.EOF }

// Close does nothing.
func (HeadBody) Close() error { return nil }

// Len returns the length that GET's content would have.
func (b HeadBody) Len() int64 { return int64(b) }

// Trailer returns nil.
func (HeadBody) Trailer() *Header { return nil }
