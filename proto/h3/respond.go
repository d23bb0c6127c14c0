package h3

import (
	"errors"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"weir"
	"weir/internal/clock"
	"weir/proto/internal/tell"
)

// Respond implements weir.Stream: it writes the answer's head, body and trailer.
func (w *work) Respond(x *weir.Exchange) error {
	if w.answered {
		return errAnswered
	}
	w.saying.Lock()
	w.said = true
	w.saying.Unlock()
	if w.bad != nil && w.bad.malformed || w.body.broken.Load() {
		w.givenUp = true // an answer that nobody gets
		w.cancel(codeMessage)
		return nil
	}
	if w.upgrade != "" {
		return w.respondUpgrade(x)
	}
	return w.writeAnswer(x)
}

var (
	errAnswered = errors.New("an answer has begun already")
	errInterim  = errors.New("the final answer is none")
)

func (w *work) writeAnswer(x *weir.Exchange) error {
	r := &x.Response
	aw := &w.writer
	*aw = answerWriter{w: w, left: -1, slack: int64(floorWindow)}
	body := r.Body
	if r.Upgrade != nil { // nobody has asked for it
		r.Upgrade.Close()
		r.Upgrade = nil
	}
	if r.Status < 200 {
		x.Fail(&weir.Fault{Op: "write answer", Side: weir.SideWeir, Cause: weir.CauseInternal, Err: errInterim})
		body = r.Body
	}
	if empty(x.Request.Method, r.Status) {
		aw.left = 0
	}
	err := w.writeMessage(x, aw)
	if body != nil {
		body.Close()
	}
	if err != nil && !aw.sent {
		return w.answerFault(x, err)
	}
	return err
}

func (w *work) writeMessage(x *weir.Exchange, aw *answerWriter) error {
	buf := outputs.Get().(*[outSize]byte)
	w.out = w.appendHead(buf[:0], x, aw)
	err := w.writeBody(x, aw)
	if err == nil && aw.whole() {
		w.letter = letter{w.str, w.out, buf}
		w.out = nil
		return nil
	}
	if err == nil {
		err = aw.Flush()
	}
	w.out = nil
	outputs.Put(buf)
	return err
}

// writeBody writes the body and the trailer, and leaves what remains of them in the output.
func (w *work) writeBody(x *weir.Exchange, aw *answerWriter) error {
	body := x.Response.Body
	if body == nil || aw.left == 0 {
		return nil
	}
	if err := tell.Copy(aw, body); err != nil {
		aw.tellLate(x, err)
		return err
	}
	return aw.end(x.Response.Trailer())
}

// tellLate ends an answer that has failed with err, where its client is one that reads in the trailer how it went.
func (aw *answerWriter) tellLate(x *weir.Exchange, err error) {
	if !aw.sent || aw.left >= 0 {
		return
	}
	if t := x.LateTrailer(err); t != nil {
		aw.w.told = aw.end(t) == nil && aw.Flush() == nil // else the stream is reset for err
	}
}

// whole reports whether all of the answer is in the output, and is one that can be left to others to send.
func (aw *answerWriter) whole() bool {
	w := aw.w
	return !aw.sent && !w.spoke && len(w.out) <= letterSize && w.in.ended && w.str.Context().Err() == nil
}

// outputs are where heads and small bodies are put together.
var outputs = sync.Pool{New: func() any { return new([outSize]byte) }}

const outSize = 8 << 10

// answerFault answers with what went wrong where the body failed before a byte of the answer had left.
func (w *work) answerFault(x *weir.Exchange, err error) error {
	var f *weir.Fault
	if !errors.As(err, &f) || f.Side == weir.SideClient && f.Cause != weir.CauseClientDeadline || x.Fault != nil {
		return err
	}
	w.answered = false
	x.Fail(err)
	return w.writeAnswer(x)
}

// empty reports whether an answer never has content (RFC 9110, section 6.4.1).
func empty(method string, status int) bool {
	return method == "HEAD" || status == 204 || status == 304
}

// appendHead appends the answer's head, and the header of the DATA frame where the body's length is known.
func (w *work) appendHead(out []byte, x *weir.Exchange, aw *answerWriter) []byte {
	r, n := &x.Response, int64(0)
	if r.Body != nil {
		n = r.Body.Len()
	}
	out = appendStatus(appendPrefix(openHeaders(out)), r.Status)
	out = appendFields(out, &r.Header)
	if !r.Header.HasKnown(weir.FieldDate) {
		out = appendDate(out)
	}
	bare := aw.left == 0 && (r.Body == nil || n < 0) // HEAD and 304: the length need not be known
	if n >= 0 && r.Status != 204 && !bare {
		out = appendLength(out, n)
	}
	out = closeHeaders(out, 0)
	w.answered = true
	if aw.left != 0 && n >= 0 {
		if aw.left = n; n > 0 {
			out = appendFrame(out, frameData, uint64(n))
		}
	}
	return out
}

// joinMax is up to what size bytes are copied behind what waits, so that both leave together.
const joinMax = 4 << 10

// An answerWriter writes the body behind the head that waits in the work's output.
type answerWriter struct {
	w     *work
	left  int64 // of a body of known length; -1: unknown
	sent  bool  // something has left
	slack int64 // nanoseconds that the client may yet take longer than the floor's speed asks for
}

// Write sends p, behind the head if that still waits.
func (aw *answerWriter) Write(p []byte) (int, error) {
	err := aw.append(p)
	if err == nil && len(p) > 0 {
		err = aw.Flush()
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// WriteLast writes the last bytes of the body; if they are few, they leave with the answer's end.
func (aw *answerWriter) WriteLast(p []byte) error { return aw.append(p) }

// append puts p behind what waits, or sends both where that would be too much to copy.
func (aw *answerWriter) append(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	w := aw.w
	w.x.BytesOut += int64(len(p))
	if aw.left < 0 {
		w.out = appendFrame(w.out, frameData, uint64(len(p)))
	} else if aw.left -= int64(len(p)); aw.left < 0 {
		return tell.TooLong()
	}
	if len(p) <= joinMax {
		w.out = append(w.out, p...)
		return nil
	}
	if err := aw.Flush(); err != nil {
		return err
	}
	return aw.send(p)
}

// Flush sends the waiting output.
func (aw *answerWriter) Flush() error {
	out := aw.w.out
	if len(out) == 0 {
		return nil
	}
	aw.w.out = out[:0]
	return aw.send(out)
}

// send gives p to the stream. The client must take it at the floor's speed, but for the slack: who takes piece after
// piece more slowly uses that up, and who is faster gets it back, up to a window. Time in which there is nothing to
// write does not count.
func (aw *answerWriter) send(p []byte) error {
	str := aw.w.str
	first := !aw.sent && !aw.w.spoke
	if aw.sent = true; first && len(p) <= letterSize { // it waits for nothing
		_, err := str.Write(p)
		aw.lost(err)
		return aw.fault(err)
	}
	now := clock.Now()
	for least := now + min(aw.due(len(p)), int64(floorWindow)); ; {
		began := now
		str.SetWriteDeadline(at(began + min(max(aw.slack, least-began), int64(lookEvery))))
		n, err := str.Write(p)
		if first {
			aw.lost(err)
		}
		now = clock.Now()
		aw.slack = min(aw.slack-(now-began)+aw.due(n), int64(floorWindow))
		if err == nil || !isTimeout(err) || aw.slack <= 0 && now >= least {
			aw.slack = max(aw.slack, 0)
			return aw.fault(err)
		}
		p = p[n:]
	}
}

// lookEvery is how often it is looked what has moved of a piece that the client takes slowly.
const lookEvery = floorWindow / 10

// lost notes where the first bytes of an answer can't be written that nobody waits for it any more.
func (aw *answerWriter) lost(err error) {
	if _, stopped := err.(*quic.StreamError); stopped {
		aw.w.givenUp = true
	}
}

// due is how many nanoseconds n bytes may take.
func (aw *answerWriter) due(n int) int64 {
	return int64(n) * int64(time.Second) / aw.w.cfg.Timeouts.BodyFloor
}

func (aw *answerWriter) fault(err error) error {
	if err == nil {
		return nil
	}
	f := &weir.Fault{Op: "write answer", Side: weir.SideClient, Cause: weir.CauseClientGone, Err: err}
	if isTimeout(err) {
		f.Cause = weir.CauseClientWriteTimeout
	}
	return f
}

// end completes the body, and leaves what remains of it in the output.
func (aw *answerWriter) end(trailer *weir.Header) error {
	if aw.left > 0 {
		return tell.TooShort()
	}
	if trailer != nil {
		from := len(aw.w.out)
		out := appendFields(appendPrefix(openHeaders(aw.w.out)), trailer)
		aw.w.out = closeHeaders(out, from)
	}
	return nil
}
