package h3

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/proto/internal/websocket"
)

// A WebSocket over HTTP/3 begins with an extended CONNECT (RFC 9220, RFC 8441), and everywhere else in weir, as over
// HTTP/1, with a GET that asks for an upgrade and has a key whose answer proves that it was understood. The extended
// CONNECT has neither key nor answer: weir makes the one and checks the other.

var (
	errNotUpgraded = errors.New("it did not switch to the protocol that was asked for")
	errAccept      = errors.New("its Sec-WebSocket-Accept does not answer the key")
)

// respondUpgrade answers an extended CONNECT. The exchange ends when the relay does.
func (w *work) respondUpgrade(x *weir.Exchange) error {
	r := &x.Response
	if r.Upgrade == nil {
		if r.Status < 300 { // which would tell the client that the tunnel is open
			w.failUpgrade(x, errNotUpgraded)
		}
		return w.writeAnswer(x)
	}
	if r.Header.Get(websocket.AcceptField) != w.upgrade {
		w.failUpgrade(x, errAccept)
		return w.writeAnswer(x)
	}
	r.Header.Del(websocket.AcceptField)
	w.answered = true
	out := appendFields(appendStatus(appendPrefix(openHeaders(nil)), 200), &r.Header)
	w.str.SetWriteDeadline(time.Now().Add(floorWindow))
	if _, err := w.str.Write(closeHeaders(out, 0)); err != nil {
		r.Upgrade.Close()
		return &weir.Fault{Op: "write answer", Side: weir.SideClient, Cause: weir.CauseClientGone, Err: err}
	}
	other := r.Upgrade
	r.Upgrade = nil
	return w.relay(x, other)
}

func (w *work) failUpgrade(x *weir.Exchange, err error) {
	x.Fail(&weir.Fault{Op: "answer upgrade", Side: weir.SideUpstream, Cause: weir.CauseUpstreamUpgrade, Err: err})
}

// A relay carries bytes between a client's stream and another side, both ways, until both have ended.
type relay struct {
	w     *work
	other io.ReadWriteCloser
	idle  int64
	last  atomic.Int64 // when bytes last moved
	timer *time.Timer

	mu    sync.Mutex // protects what follows
	over  bool
	fault *weir.Fault // why it ended, if not by itself
}

func (w *work) relay(x *weir.Exchange, other io.ReadWriteCloser) error {
	t := &relay{w: w, other: other, idle: int64(w.cfg.Timeouts.Tunnel)}
	w.str.SetReadDeadline(time.Time{})
	w.str.SetWriteDeadline(time.Time{})
	t.last.Store(clock.Now())
	t.timer = time.AfterFunc(time.Duration(t.idle), t.expire)
	var forth sync.WaitGroup
	forth.Go(func() { x.BytesIn += t.forth() })
	x.BytesOut += t.back()
	forth.Wait()
	t.timer.Stop()
	other.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	if t.fault != nil {
		return t.fault
	}
	return nil
}

// expire ends a relay on which nothing has moved.
func (t *relay) expire() {
	left := time.Duration(t.last.Load() + t.idle - clock.Now())
	if left > 0 {
		t.timer.Reset(left)
		return
	}
	t.fail(weir.CauseClientIdle, os.ErrDeadlineExceeded)
}

// fail ends both directions.
func (t *relay) fail(c weir.Cause, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return
	}
	t.over = true
	t.fault = &weir.Fault{Op: "relay", Side: weir.SideClient, Cause: c, Err: err}
	t.w.cancel(codeRequestCancelled)
	if c, ok := t.other.(weir.Canceler); ok { // it may be closed by its last user only
		c.Cancel()
	} else {
		t.other.Close()
	}
}

// forth carries the client's bytes.
func (t *relay) forth() (n int64) {
	for {
		p, err := t.w.in.content(inputSize)
		if len(p) > 0 {
			t.last.Store(clock.Now())
			m, werr := t.other.Write(p)
			n += int64(m)
			if werr != nil {
				t.fail(weir.CauseClientGone, werr)
				return n
			}
		}
		switch {
		case err == nil:
		case err == io.EOF:
			t.closeOther()
			return n
		default:
			if err == errTrailer {
				err = errUnexpected // RFC 9114, section 4.4
			}
			t.w.conn.peer.fail(err)
			t.fail(weir.CauseClientGone, err)
			return n
		}
	}
}

// closeOther tells the other side that no more comes.
func (t *relay) closeOther() {
	if half, ok := t.other.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
		return
	}
	t.fail(weir.CauseClientGone, io.EOF)
}

// smallSize is what a relay waits with for bytes of the other side.
const smallSize = 4 << 10

var smalls = sync.Pool{New: func() any { return new([smallSize]byte) }}

// back carries the other side's bytes.
func (t *relay) back() (n int64) {
	buf := smalls.Get().(*[smallSize]byte)
	defer smalls.Put(buf)
	for {
		m, err := t.other.Read(buf[3:])
		if m > 0 {
			t.last.Store(clock.Now())
			buf[0], buf[1], buf[2] = frameData, 0x40|byte(m>>8), byte(m)
			if _, werr := t.w.str.Write(buf[:3+m]); werr != nil {
				t.fail(weir.CauseClientGone, werr)
				return n
			}
			n += int64(m)
		}
		switch {
		case err == io.EOF:
			t.w.str.Close()
			return n
		case err != nil:
			t.fail(weir.CauseClientGone, err)
			return n
		}
	}
}
