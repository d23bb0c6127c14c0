//go:build race

package upstream

// raced is whether the race detector is on: it makes sync.Pool forget.
const raced = true
