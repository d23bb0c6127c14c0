//go:build race

package route

// slowdown is how much longer everything takes under the race detector.
const slowdown = 20
