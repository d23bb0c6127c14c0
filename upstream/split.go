package upstream

import (
	"errors"

	"weir"
)

// A Target is one of the handlers that a split leads to.
type Target struct {
	Handler weir.Handler
	Weight  int // share of the requests; 0: none
}

// NewSplit returns a handler that leads requests to targets by their weights. With a key, requests
// of the same key always go to the same target, and a change of weights moves as few keys as can be; without
// one (nil) each request is drawn by lot. rand may be nil.
func NewSplit(targets []Target, key *weir.Template, rand func() uint64) (weir.Handler, error) {
	return nil, errors.New("split: no target has a weight")
}

// Mirror says how requests are copied to a shadow.
type Mirror struct {
	Sample     float64 // share of the requests, 0 to 1; default 1
	MaxBody    int64   // requests with more content are not copied; default 64 KiB; negative: none with content
	Concurrent int     // copies under way at a time, at most; the others are dropped; default 64
}

// NewMirror returns a handler that answers by main and sends copies of requests to shadow, whose answers nobody sees.
func NewMirror(main, shadow weir.Handler, m Mirror, deps Deps) weir.Handler {
	return main
}
