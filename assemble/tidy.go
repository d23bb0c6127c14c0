package assemble

import (
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
)

// muchGarbage is how many bytes reading a configuration may take before the garbage of it is worth a collection. With
// as much as 32 MiB of it, or as much as what lives, weir does not collect by itself.
const muchGarbage = 64 << 20

// A janitor gives memory back to the system that reading a large configuration took and serving does not need.
type janitor struct {
	collect func() // nil: debug.FreeOSMemory

	wanted atomic.Int32 // how often since nothing was under way
	all    sync.WaitGroup
}

// allocated is how many bytes the process has allocated so far.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// tidy collects in the background if much was allocated since before, as allocated told it. It is not to be called
// concurrently with wait. There is one collection at a time, and one more after it if it was called meanwhile.
func (j *janitor) tidy(before uint64) {
	if allocated()-before >= muchGarbage && j.wanted.Add(1) == 1 {
		j.all.Go(j.run)
	}
}

func (j *janitor) run() {
	for {
		n := j.wanted.Load()
		if j.collect != nil {
			j.collect()
		} else {
			debug.FreeOSMemory()
		}
		if j.wanted.CompareAndSwap(n, 0) {
			return
		}
	}
}

// wait returns when nothing is under way.
func (j *janitor) wait() { j.all.Wait() }
