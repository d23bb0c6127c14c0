package h1

import (
	"sync"
	"sync/atomic"

	"weir"
)

// A watch tells the one who serves a client that the client has gone. Its state is
//
//	unwatched  nobody is to be told
//	watched    target is
//	telling    target is being told
//	left       the client has gone
//
//	unwatched <-- set --> watched -- cancel --> telling --> left
//	    +----------------- cancel --------------------------^
//
// set is for the one who serves, cancel for anybody. An exchange costs two compare-and-swaps.
type watch struct {
	state  atomic.Uint32
	target weir.Canceler // of the one who serves while unwatched, else for reading
	told   sync.Mutex    // held while target is being told
}

const (
	unwatched uint32 = iota
	watched
	telling
	left
)

// set makes c the one to be told, at once if the client has gone; nil: nobody. When it returns, the one before is told
// no more: he may serve another client by then.
func (w *watch) set(c weir.Canceler) {
	w.clear()
	if c == nil {
		return
	}
	if w.state.Load() == unwatched {
		w.target = c
		if w.state.CompareAndSwap(unwatched, watched) {
			return
		}
	}
	c.Cancel()
}

func (w *watch) clear() {
	if w.state.Load() == watched && w.state.CompareAndSwap(watched, unwatched) {
		w.target = nil
	} else if w.state.Load() == telling {
		w.told.Lock() // until he has been told
		defer w.told.Unlock()
	}
}

// cancel notes that the client has gone, and tells the one who watches.
func (w *watch) cancel() {
	w.told.Lock()
	defer w.told.Unlock()
	for w.state.Load() != left {
		if w.state.CompareAndSwap(watched, telling) {
			w.target.Cancel()
			w.state.Store(left)
		} else {
			w.state.CompareAndSwap(unwatched, left)
		}
	}
}
