package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	gcPercent = 400      // a proxy's heap is small and its garbage plentiful
	gcGarbage = 32 << 20 // but beyond so much garbage only as much as there is that is no garbage
)

// A collectorPace is changed after each collection: the garbage that may gather before the next is gcPercent of what
// lives, but no more than gcGarbage or what lives, whichever is larger. Ten thousand connections that have just agreed on
// keys would otherwise hold several times the memory that they need.
type collectorPace struct {
	percent int
	live    [1]metrics.Sample
}

// pace begins to set the collector's pace.
func pace() {
	p := &collectorPace{percent: gcPercent}
	p.live[0].Name = "/gc/heap/live:bytes"
	debug.SetGCPercent(gcPercent)
	p.again()
}

// again has p told of the next collection: by then nobody knows the sentinel any more.
func (p *collectorPace) again() {
	runtime.SetFinalizer(new(sentinel), func(*sentinel) {
		metrics.Read(p.live[:])
		p.set(percentFor(p.live[0].Value.Uint64()))
		p.again()
	})
}

type sentinel struct{ _ [16]byte }

// set leaves small changes alone: each stops the world for a moment.
func (p *collectorPace) set(percent int) {
	if d := p.percent - percent; d > -p.percent/8 && d < p.percent/8 {
		return
	}
	p.percent = percent
	debug.SetGCPercent(percent)
}

// percentFor is how much garbage may gather where so many bytes live, in percent of them.
func percentFor(live uint64) int {
	if live == 0 {
		return gcPercent
	}
	return int(min(gcPercent, max(100, 100*gcGarbage/live)))
}
