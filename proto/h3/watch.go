package h3

import (
	"context"
	"sync"
	"time"

	"weir"
	"weir/internal/clock"
)

// youngFor is for how long a request is young. Nobody looks whether the client of a young one is still there, for most
// have been answered by then and to be told of a stream's end costs more than all else about its watch. So whoever works
// for a client that has gone hears of it up to twice that later.
const youngFor = 20 * time.Millisecond

// A nursery knows the young requests of a socket whose clients somebody wants watched.
type nursery struct {
	timer *time.Timer // ends the youth of the oldest; it is set while there are any

	mu          sync.Mutex // protects what follows, and what works have for it
	first, last *work      // by age
	armed       bool
	grown       []child // of the sweep that is under way
}

// A child is a work in one of its turns.
type child struct {
	w    *work
	turn int
}

func (n *nursery) open() {
	n.timer = time.AfterFunc(time.Hour, n.sweep)
	n.timer.Stop()
}

// add notes a work that is not there yet.
func (n *nursery) add(w *work, turn int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	w.young = young{born: clock.Now(), turn: turn, older: n.last, there: true}
	if n.last == nil {
		n.first = w
	} else {
		n.last.young.younger = w
	}
	n.last = w
	if !n.armed {
		n.armed = true
		n.timer.Reset(youngFor)
	}
}

// remove takes a work out, if it is still there.
func (n *nursery) remove(w *work) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if w.young.there {
		n.unlink(w)
	}
}

func (n *nursery) unlink(w *work) {
	y := &w.young
	if y.older == nil {
		n.first = y.younger
	} else {
		y.older.young.younger = y.younger
	}
	if y.younger == nil {
		n.last = y.older
	} else {
		y.younger.young.older = y.older
	}
	*y = young{}
}

// sweep has the streams of those watched who are young no longer.
func (n *nursery) sweep() {
	n.mu.Lock()
	defer n.mu.Unlock()
	grown, now := n.grown[:0], clock.Now()
	for w := n.first; w != nil && now-w.young.born >= int64(youngFor); w = n.first {
		grown = append(grown, child{w, w.young.turn})
		n.unlink(w)
	}
	n.mu.Unlock()
	for i := range grown {
		grown[i].w.attend(grown[i].turn)
	}
	clear(grown)
	n.mu.Lock()
	n.grown = grown
	if n.armed = n.first != nil; n.armed {
		n.timer.Reset(max(time.Duration(n.first.young.born-clock.Now())+youngFor, time.Millisecond))
	}
}

// young is a work's place in the nursery of its socket.
type young struct {
	born           int64
	turn           int
	older, younger *work
	there          bool
}

// Watch implements weir.Stream. A client that gives up a request stops the stream of its answer.
func (w *work) Watch(c weir.Canceler) {
	w.mu.Lock()
	w.watched = c
	gone, first := w.gone, c != nil && !w.minded
	if first {
		w.minded = true
	}
	turn := w.turn
	w.mu.Unlock()
	if first {
		w.conn.sock.nursery.add(w, turn)
	}
	if gone && c != nil {
		c.Cancel()
	}
}

// attend has a stream watched in earnest, if its work still has that turn.
func (w *work) attend(turn int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.turn == turn {
		w.stop = context.AfterFunc(w.str.Context(), func() { w.hangUp(turn) })
	}
}

// hangUp tells who watches that the client has gone. It holds the lock meanwhile, so that nobody is told after he has
// stopped watching: he may serve another client by then.
func (w *work) hangUp(turn int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.turn != turn {
		return
	}
	w.gone = true
	if w.watched != nil {
		w.watched.Cancel()
	}
}

// unwatch ends a turn, and reports whether the client has been found gone.
func (w *work) unwatch() (gone bool) {
	w.mu.Lock()
	w.turn++
	gone = w.gone
	minded, stop := w.minded, w.stop
	w.watched, w.gone, w.minded, w.stop = nil, false, false, nil
	w.mu.Unlock()
	if minded {
		w.conn.sock.nursery.remove(w)
	}
	if stop != nil {
		stop()
	}
	return gone
}
