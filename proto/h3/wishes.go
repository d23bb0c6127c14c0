package h3

import (
	"bufio"
	"io"
	"sync"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
)

// Types of frames with which a client changes its mind about the order of answers (RFC 9218, section 7.2).
const (
	framePriorityUpdate     = 0xf0700
	framePriorityUpdatePush = 0xf0701
)

// isPriorityUpdate reports whether a type of frame is one of these: they belong on a client's control stream.
func isPriorityUpdate(typ uint64) bool {
	return typ == framePriorityUpdate || typ == framePriorityUpdatePush
}

// Wishes are what a client has said of the order of the answers on a connection. What it says of a request in a frame
// counts more than what the request says of itself, whichever comes first.
type wishes struct {
	mu    sync.Mutex // protects all below, and that nobody's stream is changed after leave
	open  map[quic.StreamID]ranked
	early map[quic.StreamID]wish // of requests that have not come
}

// A wish is how urgent an answer is, and whether it may take turns with others.
type wish struct {
	urgency     int8
	incremental bool
}

// A ranked is a stream as far as its place among others goes.
type ranked interface {
	SetPriority(urgency int8, incremental bool)
}

// mostEarly is how many requests a client may speak of that have not come. Of more, the oldest are forgotten.
const mostEarly = 64

// join begins with a request that says by itself what ok tells that it does.
func (l *wishes) join(id quic.StreamID, str ranked, said wish, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if before, told := l.early[id]; told {
		delete(l.early, id)
		said, ok = before, true
	}
	if l.open == nil {
		l.open = map[quic.StreamID]ranked{}
	}
	l.open[id] = str
	if ok {
		str.SetPriority(said.urgency, said.incremental)
	}
}

// leave ends with a request. Nothing is done to its stream afterwards.
func (l *wishes) leave(id quic.StreamID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, id)
}

// update takes in a wish that came in a frame.
func (l *wishes) update(id quic.StreamID, w wish) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if str := l.open[id]; str != nil {
		str.SetPriority(w.urgency, w.incremental)
		return
	}
	if l.early == nil {
		l.early = map[quic.StreamID]wish{}
	}
	l.early[id] = w
	if len(l.early) > mostEarly {
		oldest := id
		for other := range l.early {
			oldest = min(oldest, other)
		}
		delete(l.early, oldest)
	}
}

// mostWish is how long the payload of such a frame is at most; longer ones are passed over.
const mostWish = 256

// priorityUpdate reads the payload of a frame. Pushes are never promised, so that nothing can be said of one.
func (p *peer) priorityUpdate(r *bufio.Reader, typ, length uint64) error {
	switch {
	case p.server:
		return errUnexpected
	case typ == framePriorityUpdatePush:
		return &connError{codeID, "PRIORITY_UPDATE of a push that was never promised"}
	case length > mostWish:
		_, err := r.Discard(int(length))
		return err
	}
	var buf [mostWish]byte
	payload := buf[:length]
	if _, err := io.ReadFull(r, payload); err != nil {
		return err
	}
	id, n, err := quicvarint.Parse(payload)
	if err != nil {
		return &connError{codeFrame, "PRIORITY_UPDATE without the number of a stream"}
	}
	if id%4 != 0 {
		return &connError{codeID, "PRIORITY_UPDATE of a stream that carries no request"}
	}
	urgency, incremental, _ := priority(string(payload[n:]))
	p.wishes.update(quic.StreamID(id), wish{urgency, incremental})
	return nil
}
