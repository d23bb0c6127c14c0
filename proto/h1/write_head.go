package h1

import (
	"strconv"
	"unsafe"

	"weir"
)

// appendRequestHead appends the whole head of r, written anew from what was parsed.
func appendRequestHead(dst []byte, r *weir.Request) []byte {
	dst = append(dst, r.Method...)
	dst = append(dst, ' ')
	dst = append(dst, r.Path...)
	if r.HasQuery() {
		dst = append(dst, '?')
		dst = append(dst, r.Query...)
	}
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = append(dst, r.Authority...)
	dst = append(dst, "\r\n"...)
	dst = appendFields(dst, &r.Header)
	if r.Body != nil {
		dst = appendBodyFields(dst, r)
	} else if r.Method == "POST" || r.Method == "PUT" || r.Method == "PATCH" {
		dst = append(dst, "Content-Length: 0\r\n"...)
	}
	if r.Upgrade != "" {
		dst = append(dst, "Connection: Upgrade\r\nUpgrade: "...)
		dst = append(dst, r.Upgrade...)
		dst = append(dst, "\r\n"...)
	} else if r.TETrailers {
		dst = append(dst, "Connection: TE\r\nTE: trailers\r\n"...)
	}
	return append(dst, "\r\n"...)
}

func appendBodyFields(dst []byte, r *weir.Request) []byte {
	if n := r.Body.Len(); n >= 0 {
		dst = append(dst, "Content-Length: "...)
		dst = appendLength(dst, n)
		dst = append(dst, "\r\n"...)
	} else {
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	}
	if r.Expect {
		dst = append(dst, "Expect: 100-continue\r\n"...)
	}
	return dst
}

// appendResponseHead appends the status line and h, without the empty line.
func appendResponseHead(dst []byte, status int, h *weir.Header) []byte {
	if line := statusLine(status); line != "" {
		dst = append(dst, line...)
	} else {
		dst = append(dst, "HTTP/1.1 "...)
		dst = strconv.AppendInt(dst, int64(status), 10)
		dst = append(dst, " \r\n"...)
	}
	if h == nil {
		return dst
	}
	return appendFields(dst, h)
}

var statusLines = func() (t [600]string) {
	for s := range t {
		if text := weir.StatusText(s); text != "" {
			t[s] = "HTTP/1.1 " + strconv.Itoa(s) + " " + text + "\r\n"
		}
	}
	return t
}()

func statusLine(status int) string {
	if status < 0 || status >= len(statusLines) {
		return ""
	}
	return statusLines[status]
}

// appendFields appends the field lines of h. A name or value that could break out of its line, which no
// codec lets in and only a handler could have made, is left out, and so are the connection's own fields.
func appendFields(dst []byte, h *weir.Header) []byte {
	fields := h.Fields()
	for i := 0; i < len(fields); i++ {
		f := &fields[i]
		if f.Line {
			run, n := lineRun(fields[i:])
			dst = append(dst, run...)
			i += n - 1
			continue
		}
		if !f.Wire && (connectionField[f.ID] || !clean(f.Value) || f.Name == "" || !all(f.Name, classToken)) {
			continue
		}
		dst = append(dst, f.Name...)
		dst = append(dst, ": "...)
		dst = append(dst, f.Value...)
		dst = append(dst, "\r\n"...)
	}
	return dst
}

// lineRun returns the text of the lines that fields begins with, as far as they stand one behind the other in one
// string, and their number. Most of a head is one such run, and is moved in one go.
func lineRun(fields []weir.Field) (run string, n int) {
	start := unsafe.StringData(fields[0].Name)
	size := 0
	for n < len(fields) && fields[n].Line && unsafe.StringData(fields[n].Name) == (*byte)(unsafe.Add(unsafe.Pointer(start), size)) {
		size += len(fields[n].Name) + len(": ") + len(fields[n].Value) + len("\r\n")
		n++
	}
	return unsafe.String(start, size), n
}

// clean reports whether s has no control character but the tab.
func clean(s string) bool {
	return valueLen(s) == len(s)
}

// sendable reports whether what r asks for can stand in a request line and in Host. What a codec has read can;
// what a handler has made of it may have become a second line.
func sendable(r *weir.Request) bool {
	return r.Path != "" && (r.Path[0] == '/' || r.Path == "*") && visible(r.Path) && visible(r.Query) && visible(r.Authority)
}

// appendLength appends n, at least 0, in decimal: in half of strconv's time.
func appendLength(dst []byte, n int64) []byte {
	var digits [20]byte
	i := len(digits) - 1
	for rest := uint64(n); ; i-- {
		digits[i] = byte('0' + rest%10)
		if rest /= 10; rest == 0 {
			return append(dst, digits[i:]...)
		}
	}
}

func appendChunkSize(dst []byte, n int) []byte {
	dst = strconv.AppendUint(dst, uint64(n), 16)
	return append(dst, "\r\n"...)
}
