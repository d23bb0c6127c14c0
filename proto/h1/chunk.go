package h1

import (
	"bytes"
	"errors"
	"strings"

	"weir"
	"weir/internal/syntax"
)

// A chunkDecoder takes the chunked coding apart (RFC 9112, section 7.1), as input comes.
type chunkDecoder struct {
	state    uint8
	digits   uint8
	left     uint64 // of the present chunk
	overhead int    // bytes of extensions so far
	line     []byte // a trailer line, or the section, that has begun
	lim      *Limits
	trailer  weir.Header
}

// States: what is expected next.
const (
	chunkSize    = iota // a digit of the size
	chunkExt            // the rest of the size line
	chunkSizeLF         // LF after the size line
	chunkData           // content
	chunkDataCR         // CR after the content
	chunkDataLF         // LF after that
	chunkTrailer        // the trailer section, to the empty line
	chunkDone
)

// maxExtensions bounds what may be spent on chunk extensions in one body: they are read by nobody.
const maxExtensions = 16 << 10

var (
	errChunkSize    = errors.New("malformed chunk size")
	errChunkExt     = errors.New("malformed or too long chunk extension")
	errChunkEnd     = errors.New("a chunk does not end with CRLF")
	errChunkTrailer = errors.New("malformed or too large trailer")
)

func (d *chunkDecoder) reset(lim *Limits) { *d = chunkDecoder{lim: lim, line: d.line[:0]} }

// next uses up bytes of buf until it has found content, at most most bytes, which it returns as a part of
// buf. done: the body and its trailer have ended.
func (d *chunkDecoder) next(buf []byte, most int) (used int, data []byte, done bool, f *weir.Fault) {
	for used < len(buf) {
		c := buf[used]
		switch d.state {
		case chunkData:
			n := int(min(uint64(len(buf)-used), uint64(most), d.left))
			data = buf[used : used+n]
			used += n
			if d.left -= uint64(n); d.left == 0 {
				d.state = chunkDataCR
			}
			if d.left > 0 || len(buf)-used < 2 {
				return used, data, false, nil
			}
			more, done, f := d.ahead(buf[used:])
			return used + more, data, done, f
		case chunkTrailer:
			n, done, f := d.takeTrailer(buf[used:])
			return used + n, nil, done, f
		case chunkDone:
			return used, nil, true, nil
		default:
			if err := d.step(c); err != nil {
				return used, nil, false, badRequest(weir.CauseRequestBody, err)
			}
			used++
		}
	}
	return used, nil, d.state == chunkDone, nil
}

// gather is next that moves what small chunks hold together, within buf, so that they leave as one: else who
// sends a body byte by byte would have weir make a system call for each. A fault may come with data before it.
func (d *chunkDecoder) gather(buf []byte, most int) (used int, data []byte, done bool, f *weir.Fault) {
	used, data, done, f = d.next(buf, most)
	for !done && f == nil && used < len(buf) && len(data) < most && (d.state != chunkData || d.left <= gatherMax) {
		n, more, end, fault := d.next(buf[used:], min(most-len(data), gatherMax))
		used, done, f = used+n, end, fault
		if len(data) == 0 {
			data = more
		} else {
			data = append(data, more...)
		}
	}
	return used, data, done, f
}

// gatherMax is up to what size content is moved to where it joins what came before.
const gatherMax = 4 << 10

// ahead looks whether the end of the body stands right behind the content, so that both are known at once.
func (d *chunkDecoder) ahead(buf []byte) (used int, done bool, f *weir.Fault) {
	const end = "\r\n0\r\n\r\n"
	if len(buf) >= len(end) && string(buf[:len(end)]) == end {
		d.state = chunkDone
		return len(end), true, nil
	}
	return 0, false, nil
}

// step takes one byte of what surrounds the content.
func (d *chunkDecoder) step(c byte) error {
	switch d.state {
	case chunkSize:
		if v := syntax.Unhex(c); v < 16 {
			if d.digits++; d.digits > 15 {
				return errChunkSize
			}
			d.left = d.left<<4 | uint64(v)
			return nil
		}
		switch {
		case d.digits == 0:
			return errChunkSize
		case c == '\r':
			d.state = chunkSizeLF
		case c == ';':
			d.state = chunkExt
		default:
			return errChunkSize
		}
	case chunkExt:
		d.overhead++
		switch {
		case c == '\r':
			d.state = chunkSizeLF
		case class[c]&classValue == 0 || d.overhead > maxExtensions:
			return errChunkExt
		}
	case chunkSizeLF:
		if c != '\n' {
			return errChunkSize
		}
		d.digits = 0
		d.state = chunkData
		if d.left == 0 {
			d.state = chunkTrailer
		}
	case chunkDataCR:
		if c != '\r' {
			return errChunkEnd
		}
		d.state = chunkDataLF
	case chunkDataLF:
		if c != '\n' {
			return errChunkEnd
		}
		d.state = chunkSize
	}
	return nil
}

// takeTrailer gathers the trailer section and parses it when it is complete.
func (d *chunkDecoder) takeTrailer(buf []byte) (used int, done bool, f *weir.Fault) {
	if len(d.line) == 0 && len(buf) >= 2 && buf[0] == '\r' && buf[1] == '\n' {
		d.state = chunkDone
		return 2, true, nil
	}
	for used < len(buf) {
		n := len(buf)
		if k := bytes.IndexByte(buf[used:], '\n'); k >= 0 {
			n = used + k + 1
		}
		d.line = append(d.line, buf[used:n]...)
		used = n
		switch line := d.line; {
		case len(line) > d.lim.Trailer, line[len(line)-1] == '\n' && !bytes.HasSuffix(line, crlf):
			return used, false, badRequest(weir.CauseRequestBody, errChunkTrailer)
		case len(line) == 2 && line[1] == '\n', bytes.HasSuffix(line, []byte("\r\n\r\n")):
			d.state = chunkDone
			f := d.parseTrailer()
			return used, f == nil, f
		}
	}
	return used, false, nil
}

// parseTrailer keeps the fields that may stand in a trailer (RFC 9110, section 6.5.1): those that say how
// a message is framed, routed or authorised are dropped.
func (d *chunkDecoder) parseTrailer() *weir.Fault {
	var f framing
	var h hostField
	var r weir.Request
	h.r = &r
	if e := parseFields(string(d.line), 0, nil, d.lim.Fields, &d.trailer, &f, &h); e != nil {
		return badRequest(weir.CauseRequestBody, errChunkTrailer)
	}
	d.trailer.DelFunc(notInTrailer)
	return nil
}

// notInTrailer reports whether f is a field that may not stand in a trailer. As servers by way of CGI do, it takes
// "_" for "-".
func notInTrailer(f *weir.Field) bool {
	id, name := f.ID, f.Name
	if id == weir.FieldOther && strings.IndexByte(name, '_') >= 0 {
		name = strings.ReplaceAll(name, "_", "-")
		id = weir.Identify(name)
	}
	switch id {
	case weir.FieldOther:
		const family = "X-Forwarded"
		return weir.EqualFold(name, "Proxy") || len(name) >= len(family) && weir.EqualFold(name[:len(family)], family)
	case weir.FieldTrailer, weir.FieldAuthorization, weir.FieldCookie, weir.FieldSetCookie,
		weir.FieldContentEncoding, weir.FieldContentType, weir.FieldRange, weir.FieldForwarded, weir.FieldXForwardedFor,
		weir.FieldXForwardedHost, weir.FieldXForwardedProto, weir.FieldXForwardedPrefix, weir.FieldXRealIP, weir.FieldVia,
		weir.FieldXRequestID, weir.FieldCacheControl, weir.FieldAge, weir.FieldExpires, weir.FieldLocation, weir.FieldVary,
		weir.FieldIfMatch, weir.FieldIfNoneMatch, weir.FieldIfModifiedSince:
		return true
	}
	return connectionField[id]
}
