package h1

import (
	"errors"

	"weir"
)

var (
	errStatusLine = errors.New("malformed status line")
	errResponse10 = errors.New("Transfer-Encoding in an HTTP/1.0 answer")
)

func badAnswer(c weir.Cause, err error) *weir.Fault {
	return &weir.Fault{Op: "parse answer", Side: weir.SideUpstream, Cause: c, Err: err}
}

// parseResponse reads a whole head of an answer to a request with that method into r and f (RFC 9112,
// sections 4 and 6.3). f.Length is 0 where the answer can have no content, and -1 where it ends with the
// connection; for an answer to HEAD it is what the head says. m is head's map, or nil.
func parseResponse(head string, m *headMap, lim *Limits, method string, r *weir.Response, f *framing) *weir.Fault {
	*f = framing{}
	end := m.lineEnd(head)
	if end < 1 || head[end-1] != '\r' {
		return badAnswer(weir.CauseUpstreamHeader, errLineEnd)
	}
	minor, ok := parseStatus(head[:end-1], r)
	if !ok {
		return badAnswer(weir.CauseUpstreamHeader, errStatusLine)
	}
	if e := parseFields(head, end+1, m, lim.Fields, &r.Header, f, nil); e != nil {
		if e.framing {
			return badAnswer(weir.CauseUpstreamFraming, e.err)
		}
		return badAnswer(weir.CauseUpstreamHeader, e.err)
	}
	if err := f.settle(&r.Header); err != nil {
		return badAnswer(weir.CauseUpstreamFraming, err)
	}
	if f.Chunked && minor == '0' {
		return badAnswer(weir.CauseUpstreamFraming, errResponse10)
	}
	f.Close = f.connection.close || minor == '0' && !f.connection.keepAlive
	if method != "HEAD" && (r.Status == 204 || r.Status == 304 || r.Status < 200) {
		f.Chunked, f.Length = false, 0
	}
	return nil
}

// parseStatus reads "HTTP/1.x NNN[ phrase]" and returns x.
func parseStatus(line string, r *weir.Response) (minor byte, ok bool) {
	if len(line) < 12 || line[:7] != "HTTP/1." || line[7] != '0' && line[7] != '1' || line[8] != ' ' {
		return 0, false
	}
	d := line[9:12]
	if class[d[0]]&class[d[1]]&class[d[2]]&classDigit == 0 || d[0] == '0' {
		return 0, false
	}
	if len(line) > 12 && (line[12] != ' ' || !all(line[13:], classValue)) {
		return 0, false
	}
	r.Status = int(d[0]-'0')*100 + int(d[1]-'0')*10 + int(d[2]-'0')
	return line[7], true
}
