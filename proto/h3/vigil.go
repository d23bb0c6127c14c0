package h3

import (
	"errors"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"weir"
	"weir/internal/clock"
)

// silence is how long nothing at all may come from a server that has been sent something: at the least it says at once that
// this has arrived. One that was ended without a word would else be waited for as long as one that is at work.
const silence = 2 * time.Second

// longSilence is the same for what may not be asked twice: there is nothing to gain from an early end, and a network that
// finds another way after some seconds loses nothing.
const longSilence = 5 * silence

// Looks come ever more rarely, but for those in doubt: firstLook after the request left, nextLook after the last at the
// most. One in doubt comes when the server has been silent for long enough, sureLook after the last at the least. A look that
// is itself late by sureLook settles nothing: whoever kept weir from its work may have kept it from reading, too.
const (
	firstLook = silence / 4
	nextLook  = 4 * silence
	sureLook  = silence / 4
)

// unheard is how many packets without any answer make for doubt. What is not known to have arrived is sent again, two
// packets at a time and ever more rarely (RFC 9002, section 6.2); fewer may be what wants no answer, or has just gone.
const unheard = 4

var errSilent = errors.New("nothing more comes from it, not even that what it was sent has arrived")

// A vigil is the wait for an answer's head, in which it is looked at times whether the server is still there. That a packet
// has come does not show it: the server may have sent that before the request came. Where there is an upload it shares the
// part behind mu; the rest is the exchange's.
type vigil struct {
	began          int64
	received, sent uint64        // packets, at the last look that found that some had come
	doubt          bool          // at the last look
	asked          time.Duration // since it began, at the latest: when what has had no answer was sent; never: nothing is known

	mu   sync.Mutex
	at   time.Duration // of the next look, since it began
	by   int64         // when the head has to have come; 0: not known yet
	over bool          // it has come
}

// prepare notes what has been said before the request leaves on q.
func (v *vigil) prepare(q *quic.Conn) {
	st := q.ConnectionStats()
	v.received, v.sent, v.doubt = st.PacketsReceived, st.PacketsSent, false
}

// start begins it with the request's leaving, and returns until when to read.
func (v *vigil) start(now int64, firstByte time.Duration) time.Time {
	v.began, v.asked, v.at, v.by, v.over = now, 0, firstLook, now+int64(firstByte), false
	return v.deadline()
}

// deadline returns until when to read.
func (v *vigil) deadline() time.Time {
	look := v.began + int64(v.at)
	if v.by == 0 {
		return at(look)
	}
	return at(min(look, v.by))
}

// gone looks whether the server is, now after it began: what was sent has had no answer at this look, nor at the one before,
// and not for as long as it may be silent.
func (v *vigil) gone(received, sent uint64, now, silent time.Duration) bool {
	doubted, late := v.doubt, now-v.at >= sureLook
	v.doubt = received == v.received && sent-v.sent >= unheard
	switch {
	case received != v.received:
		v.received, v.sent, v.asked = received, sent, never
	case v.doubt:
		v.asked = min(v.asked, now)
	}
	if doubted && v.doubt && !late && now-v.asked >= silent {
		return true
	}
	v.at = max(now+min(now, nextLook), silence)
	if v.doubt {
		v.at = max(now+sureLook, v.asked+silent)
	}
	return false
}

const never = time.Duration(1<<63 - 1)

// await reads the answer's next section, while its time is not over.
func (r *round) await() ([]byte, error) {
	for {
		p, err := r.nextSection()
		if !isTimeout(err) || r.stopped() {
			return p, err
		}
		if err = r.look(err); err != nil {
			return nil, err
		}
	}
}

// look is for a deadline, and returns why the wait has ended; nil: it goes on.
func (r *round) look(deadline error) error {
	v, now := &r.wait, clock.Now()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.by != 0 && now >= v.by {
		return deadline
	}
	if since := time.Duration(now - v.began); since >= v.at {
		if st := r.u.q.ConnectionStats(); v.gone(st.PacketsReceived, st.PacketsSent, since, r.mayBeSilent(&st)) {
			return errSilent
		}
	}
	r.str.SetReadDeadline(v.deadline())
	return nil
}

// mayBeSilent is how long the server may be. Where its answers are long on their way, what is lost has to have gone again,
// and twice.
func (r *round) mayBeSilent(st *quic.ConnectionStats) time.Duration {
	probes := 4 * (st.SmoothedRTT + 4*st.MeanDeviation)
	if r.x.Request.Idempotent() && r.up == nil {
		return max(silence, probes)
	}
	return max(longSilence, probes)
}

// expect says that the head has to come within d from now; 0: however long it takes.
func (r *round) expect(d time.Duration) {
	v := &r.wait
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.over {
		return // the answer's body has a deadline of its own
	}
	if v.by = 0; d != 0 {
		v.by = clock.Now() + int64(d)
	}
	r.str.SetReadDeadline(v.deadline())
}

// answered ends the wait.
func (r *round) answered() {
	if r.up != nil {
		r.wait.mu.Lock()
		r.wait.over = true
		r.wait.mu.Unlock()
	}
}

// silent gives up a server that is there no more. Others who wait for it find out themselves, each in its time.
func (r *round) silent() *weir.Fault {
	r.u.lose()
	r.reset(codeRequestCancelled)
	return r.u.t.fault(weir.CauseUpstreamClosed, weir.RetryIdempotent, "wait for", errSilent)
}
