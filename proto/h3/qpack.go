package h3

import (
	"golang.org/x/net/http2/hpack"
)

// A line is a field of a decoded section: text[name:sep] is its name, text[sep+2:end] its value. They are written as
// they would stand in an HTTP/1 head, so that what goes on unchanged to such a server is moved in one go.
type line struct {
	name, sep, end int
	static         int // the entry of the static table that its name is from; -1: none
}

// A sectionDecoder decodes field sections. It has no dynamic table, and has told the peer so. It is used again for
// one section after the other, by one goroutine.
type sectionDecoder struct {
	text  []byte
	lines []line
	size  int // as RFC 9114 section 4.2.2 counts it
}

var (
	errSection  = &connError{codeDecompression, "malformed field section"}
	errDynamic  = &connError{codeDecompression, "a field section refers to the dynamic table, which has no room"}
	errIndex    = &connError{codeDecompression, "a field section refers to an entry that the static table lacks"}
	errHuffman  = &connError{codeDecompression, "malformed Huffman code in a field section"}
	errTooLarge = &tooLarge{"the field section is larger than the limit"}
	errTooMany  = &tooLarge{"too many fields"}
)

// A tooLarge is why a section within the rules is not taken.
type tooLarge struct{ text string }

// Error returns the text.
func (e *tooLarge) Error() string { return e.text }

// decode reads a whole section (RFC 9204, section 4.5) of at most size bytes and fields lines, decoded. A *connError
// means that the peer does not know the compression; a *tooLarge that the section exceeds a limit.
func (d *sectionDecoder) decode(p []byte, size, fields int) error {
	d.text, d.lines, d.size = d.text[:0], d.lines[:0], 0
	inserts, p, ok := prefixInt(p, 8)
	if !ok {
		return errSection
	}
	if inserts != 0 {
		return errDynamic
	}
	if len(p) == 0 || p[0]&0x80 != 0 { // a negative base
		return errSection
	}
	if _, p, ok = prefixInt(p, 7); !ok {
		return errSection
	}
	for len(p) > 0 {
		if len(d.lines) == fields {
			return errTooMany
		}
		var err error
		if p, err = d.field(p); err != nil {
			return err
		}
		l := &d.lines[len(d.lines)-1]
		if d.size += l.end - l.name - 2 + 32; d.size > size {
			return errTooLarge
		}
	}
	return nil
}

// field reads one line (RFC 9204, section 4.5.2 to 4.5.6).
func (d *sectionDecoder) field(p []byte) (rest []byte, err error) {
	switch b := p[0]; {
	case b&0x80 != 0:
		return d.indexed(p)
	case b&0x40 != 0:
		return d.named(p)
	case b&0x20 != 0:
		return d.literal(p)
	}
	return nil, errDynamic
}

func (d *sectionDecoder) indexed(p []byte) ([]byte, error) {
	if p[0]&0x40 == 0 {
		return nil, errDynamic
	}
	i, p, ok := prefixInt(p, 6)
	switch {
	case !ok:
		return nil, errSection
	case i >= uint64(len(staticTable)):
		return nil, errIndex
	}
	d.begin(int(i))
	d.text = append(d.text, staticTable[i].value...)
	d.end()
	return p, nil
}

func (d *sectionDecoder) named(p []byte) ([]byte, error) {
	if p[0]&0x10 == 0 {
		return nil, errDynamic
	}
	i, p, ok := prefixInt(p, 4)
	switch {
	case !ok:
		return nil, errSection
	case i >= uint64(len(staticTable)):
		return nil, errIndex
	}
	d.begin(int(i))
	p, err := d.string(p, 7)
	d.end()
	return p, err
}

func (d *sectionDecoder) literal(p []byte) ([]byte, error) {
	l := line{name: len(d.text), static: -1}
	p, err := d.string(p, 3)
	if err != nil {
		return nil, err
	}
	l.sep = len(d.text)
	d.text = append(d.text, ": "...)
	d.lines = append(d.lines, l)
	p, err = d.string(p, 7)
	d.end()
	return p, err
}

// begin adds a line with the name of an entry.
func (d *sectionDecoder) begin(i int) {
	l := line{name: len(d.text), static: i}
	d.text = append(d.text, staticTable[i].name...)
	l.sep = len(d.text)
	d.text = append(d.text, ": "...)
	d.lines = append(d.lines, l)
}

func (d *sectionDecoder) end() {
	d.lines[len(d.lines)-1].end = len(d.text)
	d.text = append(d.text, "\r\n"...)
}

// string reads a string whose length has a prefix of that many bits, behind a bit that says whether it is in Huffman
// code, and appends it to the text.
func (d *sectionDecoder) string(p []byte, bits uint) ([]byte, error) {
	if len(p) == 0 {
		return nil, errSection
	}
	huffman := p[0]>>bits&1 != 0
	n, p, ok := prefixInt(p, bits)
	if !ok || n > uint64(len(p)) {
		return nil, errSection
	}
	if !huffman {
		d.text = append(d.text, p[:n]...)
	} else if _, err := hpack.HuffmanDecode(d, p[:n]); err != nil {
		return nil, errHuffman
	}
	return p[n:], nil
}

// Write appends p to the text: the Huffman decoder wants a writer.
func (d *sectionDecoder) Write(p []byte) (int, error) {
	d.text = append(d.text, p...)
	return len(p), nil
}

// prefixInt reads an integer in the lower bits of p's first byte and those that follow (RFC 7541, section 5.1).
func prefixInt(p []byte, bits uint) (n uint64, rest []byte, ok bool) {
	if len(p) == 0 {
		return 0, nil, false
	}
	most := uint64(1)<<bits - 1
	if n = uint64(p[0]) & most; n < most {
		return n, p[1:], true
	}
	for i := 1; i < len(p) && i < 10; i++ {
		n += uint64(p[i]&0x7f) << (7 * (i - 1))
		if p[i]&0x80 == 0 {
			return n, p[i+1:], n < 1<<62
		}
	}
	return 0, nil, false
}
