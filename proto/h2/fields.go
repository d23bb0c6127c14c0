package h2

import (
	"errors"

	"golang.org/x/net/http2/hpack"

	"weir"
	"weir/proto/internal/section"
)

// Why a field section is not taken, besides what package section knows.
var (
	errTooLarge = errors.New("the field section is larger than the limit")
	errTooMany  = errors.New("too many fields")
)

// A fieldReader decodes the field sections that one peer sends. It is used by one goroutine, for every section on the
// connection in the order of their arrival, wanted or not: each may change what the next one means.
type fieldReader struct {
	hp    *hpack.Decoder
	bound int // of strings, as hp has been told

	// Of the section being read, or read last.
	section.Section
	lim    *Limits
	h      *weir.Header // takes the fields
	size   int
	fields int
	err    error // the first thing wrong with it
}

func newFieldReader() *fieldReader {
	r := &fieldReader{}
	r.hp = hpack.NewDecoder(4096, r.take)
	return r
}

// blockMost is how long a compressed field section may be: twice what it may be decoded, so that one that is somewhat
// too large still gets its proper answer.
func (l *Limits) blockMost() int { return 2 * l.Head }

// read decodes a whole compressed section into h, which it empties first, and into r's own fields. A *connError means
// that the compression's state is lost, and the connection with it; any other error, that this section is malformed or
// too large.
func (r *fieldReader) read(block []byte, kind section.Kind, lim *Limits, h *weir.Header) error {
	*r = fieldReader{hp: r.hp, bound: r.bound, lim: lim, h: h}
	r.Begin(kind)
	h.Reset()
	r.hp.SetEmitEnabled(true)
	if err := r.decode(block); err != nil {
		return err
	}
	if r.err == nil {
		r.err = r.Settle(h)
	}
	return r.err
}

// skip decodes a section that nobody wants, for what it does to the ones that follow. Its error is a *connError.
func (r *fieldReader) skip(block []byte, lim *Limits) error {
	r.lim = lim
	r.hp.SetEmitEnabled(false)
	return r.decode(block)
}

func (r *fieldReader) decode(block []byte) error {
	if bound := r.lim.blockMost(); bound != r.bound {
		r.bound = bound
		r.hp.SetMaxStringLength(bound)
	}
	_, err := r.hp.Write(block)
	if err == nil {
		err = r.hp.Close()
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, hpack.ErrStringLength):
		return &connError{codeCalm, "a field larger than any limit"}
	}
	return &connError{codeCompression, err.Error()}
}

// take takes in one decoded field.
func (r *fieldReader) take(f hpack.HeaderField) {
	if r.err = r.note(f.Name, f.Value); r.err != nil {
		r.hp.SetEmitEnabled(false)
	}
}

func (r *fieldReader) note(name, value string) error {
	if err := r.weigh(len(name) + len(value)); err != nil {
		return err
	}
	if section.IsPseudo(name) {
		return r.Pseudo(name, value)
	}
	if r.fields++; r.fields > r.lim.Fields {
		return errTooMany
	}
	id := weir.Identify(name)
	kept, err := r.Field(id, name, value)
	if kept {
		r.h.AddField(weir.Field{Name: name, Value: value, ID: id, Wire: true})
	}
	return err
}

// weigh counts a field of n bytes against the limits.
func (r *fieldReader) weigh(n int) error {
	most := r.lim.Head
	if r.Kind() == section.Trailer {
		most = r.lim.Trailer
	}
	if r.size += n + 32; r.size > most {
		return errTooLarge
	}
	return nil
}
