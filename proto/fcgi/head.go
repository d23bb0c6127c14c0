package fcgi

import (
	"bytes"
	"errors"
	"strings"

	"weir"
	"weir/internal/syntax"
)

// Limits bound what a server may send before the content of an answer. Zero values mean the defaults.
type Limits struct {
	Head   int // bytes of a head; default 64 KiB
	Fields int // number of its field lines; default 100
}

func (l Limits) orDefaults() Limits {
	if l.Head <= 0 {
		l.Head = 64 << 10
	}
	if l.Fields <= 0 {
		l.Fields = 100
	}
	return l
}

var (
	errHeadTooLarge = errors.New("the head is too large")
	errTooMany      = errors.New("too many fields")
	errLine         = errors.New("malformed field line")
	errStatus       = errors.New("malformed or repeated Status")
	errLocation     = errors.New("repeated Location")
	errLength       = errors.New("malformed or repeated Content-Length")
	errCoding       = errors.New("the script frames its answer by itself: field Transfer-Encoding")
	errNoHead       = errors.New("the answer ended before its head")
)

// headEnd returns the length of the head at the beginning of buf with its empty line, or -1 where it has not ended. from
// is how much of buf has been looked at before. Lines end with LF or CRLF (RFC 3875, section 6.2).
func headEnd(buf []byte, from int) int {
	for i := from; i < len(buf); i++ {
		n := bytes.IndexByte(buf[i:], '\n')
		if n < 0 {
			return -1
		}
		i += n
		if line := buf[:i]; len(line) == 0 || len(line) == 1 && line[0] == '\r' || bytes.HasSuffix(line, lf) || bytes.HasSuffix(line, lfcr) {
			return i + 1
		}
	}
	return -1
}

var lf, lfcr = []byte("\n"), []byte("\n\r")

// A cgiHead is what a head says besides fields.
type cgiHead struct {
	status   int   // 0: not told
	length   int64 // -1: not told
	location bool
}

// parseHead reads a whole head into r (RFC 3875, section 6.3) and returns the length of the content, -1 where it is not
// told. An answer that leads elsewhere and has no status is a 302, also where it leads to another path of the server:
// that is for the client to follow.
func parseHead(head string, lim *Limits, r *weir.Response) (int64, *weir.Fault) {
	h := cgiHead{length: -1}
	for n := 0; ; n++ {
		line, rest, ok := strings.Cut(head, "\n")
		crlf := strings.HasSuffix(line, "\r")
		line = strings.TrimSuffix(line, "\r")
		if line == "" && ok {
			break
		}
		if n == lim.Fields {
			return 0, badHead(errTooMany)
		}
		if !ok {
			return 0, badHead(errLine)
		}
		if err := h.line(line, crlf, r); err != nil {
			return 0, badHead(err)
		}
		head = rest
	}
	r.Status = h.statusCode()
	return h.length, nil
}

func (h *cgiHead) statusCode() int {
	switch {
	case h.status != 0:
		return h.status
	case h.location:
		return 302
	}
	return 200
}

func badHead(err error) *weir.Fault {
	cause := weir.CauseUpstreamHeader
	if err == errLength || err == errCoding {
		cause = weir.CauseUpstreamFraming
	}
	return &weir.Fault{Op: "parse answer", Side: weir.SideUpstream, Cause: cause, Err: err}
}

// line takes in one line of the head.
func (h *cgiHead) line(line string, crlf bool, r *weir.Response) error {
	name, rest, ok := strings.Cut(line, ":")
	if !ok || !syntax.IsToken(name) {
		return errLine
	}
	value := strings.Trim(rest, " \t")
	if !syntax.IsValue(value) {
		return errLine
	}
	if weir.EqualFold(name, "Status") {
		return h.setStatus(value)
	}
	id := weir.Identify(name)
	switch {
	case id == weir.FieldContentLength:
		return h.setLength(value)
	case id == weir.FieldTransferEncoding:
		return errCoding
	case connectionField(id):
		return nil
	case id == weir.FieldLocation && h.location:
		return errLocation
	}
	h.location = h.location || id == weir.FieldLocation
	whole := crlf && value != "" && len(rest) == 1+len(value) && rest[0] == ' '
	r.Header.AddField(weir.Field{Name: name, Value: value, ID: id, Wire: true, Line: whole})
	return nil
}

// setStatus takes in "404 Not Found"; the phrase is weir's own later on.
func (h *cgiHead) setStatus(value string) error {
	code, _, _ := strings.Cut(value, " ")
	if len(code) != 3 || h.status != 0 {
		return errStatus
	}
	for i := range len(code) {
		if code[i] < '0' || code[i] > '9' {
			return errStatus
		}
		h.status = h.status*10 + int(code[i]-'0')
	}
	if h.status < 200 || h.status > 599 {
		return errStatus
	}
	return nil
}

func (h *cgiHead) setLength(value string) error {
	if value == "" || len(value) > 18 || h.length >= 0 {
		return errLength
	}
	h.length = 0
	for i := range len(value) {
		if value[i] < '0' || value[i] > '9' {
			return errLength
		}
		h.length = h.length*10 + int64(value[i]-'0')
	}
	return nil
}
