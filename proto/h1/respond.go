package h1

import (
	"errors"
	"sync"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
	"weir/proto/internal/tell"
)

// Respond implements weir.Stream: it writes the answer's head, body and trailer.
func (w *work) Respond(x *weir.Exchange) error {
	if w.answered {
		return errAnswered
	}
	if w.conn.srv.draining.Load() {
		w.keep = false
	}
	if !w.body.over.Load() {
		w.leaveBody(x)
	}
	if x.Response.Upgrade != nil {
		return w.upgrade(x)
	}
	return w.writeAnswer(x)
}

// leaveBody settles what becomes of a body that has not been read to its end. An upload may still be at it.
func (w *work) leaveBody(x *weir.Exchange) {
	switch b := &w.body; {
	case b.expects:
		w.saying.Lock()
		w.said = true
		w.saying.Unlock()
	case !x.Request.Touched:
		b.skim()
	}
	if w.body.unread() {
		w.keep = false
	}
}

var errAnswered = errors.New("an answer has begun already")

func (w *work) writeAnswer(x *weir.Exchange) error {
	r := &x.Response
	aw := &w.writer
	*aw = answerWriter{w: w, left: -1}
	body := r.Body
	if bodiless(x.Request.Method, r.Status) {
		aw.left = 0
	}
	buf := outputs.Get().(*[outSize]byte)
	defer outputs.Put(buf)
	w.out = w.appendHead(buf[:0], x, aw)
	w.conn.SetWritePace(&w.cfg.pace)
	if body == nil || aw.left == 0 {
		if body != nil {
			body.Close()
		}
		return aw.Flush()
	}
	err := tell.Copy(aw, body)
	if err == nil {
		err = aw.end(r.Trailer())
	}
	body.Close()
	if err != nil && !aw.sent {
		return w.answerFault(x, err)
	}
	return err
}

// outputs are where heads and small bodies are put together. They are not part of a work: the one just
// used is in the processor's cache.
var outputs = sync.Pool{New: func() any { return new([outSize]byte) }}

const outSize = 8 << 10

// answerFault answers with what went wrong where the body failed before a byte of the answer had left.
func (w *work) answerFault(x *weir.Exchange, err error) error {
	var f *weir.Fault
	if !errors.As(err, &f) || f.Side == weir.SideClient || x.Fault != nil {
		return err
	}
	w.answered = false
	x.Fail(err)
	return w.writeAnswer(x)
}

// bodiless reports whether an answer never has content (RFC 9112, section 6.3).
func bodiless(method string, status int) bool {
	return method == "HEAD" || status == 204 || status == 304 || status < 200
}

// appendHead appends the answer's head and decides how the body is framed.
func (w *work) appendHead(out []byte, x *weir.Exchange, aw *answerWriter) []byte {
	r := &x.Response
	out = appendResponseHead(out, r.Status, &r.Header)
	if !r.Header.HasKnown(weir.FieldDate) {
		out = append(out, "Date: "...)
		out = clock.AppendDate(out)
		out = append(out, "\r\n"...)
	}
	out = w.appendFraming(out, x, aw)
	switch {
	case !w.keep:
		out = append(out, "Connection: close\r\n"...)
	case x.Request.Protocol == "HTTP/1.0":
		out = append(out, "Connection: keep-alive\r\n"...)
	}
	w.answered = true
	return append(out, "\r\n"...)
}

func (w *work) appendFraming(out []byte, x *weir.Exchange, aw *answerWriter) []byte {
	r, n := &x.Response, int64(0)
	if r.Body != nil {
		n = r.Body.Len()
	}
	switch {
	case r.Status == 204 || r.Status < 200:
	case aw.left == 0 && (r.Body == nil || n < 0):
		// HEAD and 304: the length is not known, and nothing need be said of it.
	case n >= 0:
		out = append(out, "Content-Length: "...)
		out = appendLength(out, n)
		out = append(out, "\r\n"...)
		if aw.left != 0 {
			aw.left = n
		}
	case x.Request.Protocol == "HTTP/1.0":
		w.keep = false
	default:
		aw.chunked = true
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	}
	return out
}

// joinMax is up to what size bytes are copied behind the head, so that both leave in one call without
// the kernel gathering them.
const joinMax = 4 << 10

// An answerWriter writes the body behind the head that waits in the work's output.
type answerWriter struct {
	w       *work
	left    int64 // of a body of known length; -1: unknown
	chunked bool
	sent    bool // something has left
}

// Write sends p, behind the head if that still waits.
func (aw *answerWriter) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := aw.count(len(p)); err != nil {
		return 0, err
	}
	var tail []byte
	if aw.chunked {
		aw.w.out = appendChunkSize(aw.w.out, len(p))
		tail = crlf
	}
	return len(p), aw.push(p, tail)
}

// WriteLast sends the last bytes of the body together with its end. A trailer can't follow.
func (aw *answerWriter) WriteLast(p []byte) error {
	if !aw.chunked || len(p) == 0 || aw.trailing() {
		_, err := aw.Write(p)
		return err
	}
	if err := aw.count(len(p)); err != nil {
		return err
	}
	aw.w.out = appendChunkSize(aw.w.out, len(p))
	aw.chunked = false
	return aw.push(p, lastChunk)
}

var crlf, lastChunk = []byte("\r\n"), []byte("\r\n0\r\n\r\n")

func (aw *answerWriter) trailing() bool {
	return aw.w.x.Response.Trailer() != nil
}

// count checks p against the announced length: a body must not run over it.
func (aw *answerWriter) count(n int) error {
	aw.w.x.BytesOut += int64(n)
	if aw.left < 0 {
		return nil
	}
	if aw.left -= int64(n); aw.left < 0 {
		return tell.TooLong()
	}
	return nil
}

// push sends the waiting output, p and tail.
func (aw *answerWriter) push(p, tail []byte) error {
	w := aw.w
	if len(p) <= joinMax {
		w.out = append(append(w.out, p...), tail...)
		return aw.Flush()
	}
	aw.sent = true
	err := w.conn.WriteBuffers(w.out, p, tail)
	w.out = w.out[:0]
	return aw.fault(err)
}

// Flush sends the waiting output.
func (aw *answerWriter) Flush() error {
	if len(aw.w.out) == 0 {
		return nil
	}
	_, err := aw.write(aw.w.out)
	aw.w.out = aw.w.out[:0]
	aw.sent = true
	return aw.fault(err)
}

// write sends p. What the connection ends with has to have left before that.
func (aw *answerWriter) write(p []byte) (int, error) {
	if aw.w.keep {
		return aw.w.conn.Post(p)
	}
	return aw.w.conn.Write(p)
}

func (aw *answerWriter) fault(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, poll.ErrTimeout):
		return &weir.Fault{Op: "write answer", Side: weir.SideClient, Cause: weir.CauseClientWriteTimeout, Err: err}
	case tell.Unsealed(err) && aw.w.body.unread():
		return aw.w.spoilt(err)
	}
	return &weir.Fault{Op: "write answer", Side: weir.SideClient, Cause: weir.CauseClientGone, Err: err}
}

// spoilt is the fault of a body that could not be decrypted. The client leaves because of that, and who waits for the
// server may have seen it go before.
func (w *work) spoilt(err error) *weir.Fault {
	f := &weir.Fault{Op: "read request body", Side: weir.SideClient, Cause: weir.CauseRequestBody, Err: err}
	if was := w.x.Fault; was != nil && was.Cause == weir.CauseClientGone {
		w.x.Fault = f
	}
	return f
}

// spliceFrom implements splicer.
func (aw *answerWriter) spliceFrom(src poll.Conn, n int64, from poll.Pace) (int64, error) {
	if aw.chunked {
		return 0, poll.ErrNoSplice
	}
	if err := aw.Flush(); err != nil {
		return 0, &poll.SinkError{Err: err}
	}
	m, err := aw.w.conn.Splice(src, n, from)
	aw.w.x.BytesOut += m
	if aw.left >= 0 {
		aw.left -= m
	}
	var sink *poll.SinkError
	if errors.As(err, &sink) {
		return m, &poll.SinkError{Err: aw.fault(sink.Err)}
	}
	return m, err
}

// end completes the body.
func (aw *answerWriter) end(trailer *weir.Header) error {
	if aw.left > 0 {
		return tell.TooShort()
	}
	if aw.chunked {
		aw.w.out = append(aw.w.out, "0\r\n"...)
		if trailer != nil {
			aw.w.out = appendFields(aw.w.out, trailer)
		}
		aw.w.out = append(aw.w.out, "\r\n"...)
	}
	return aw.Flush()
}
