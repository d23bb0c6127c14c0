//go:build !race

package route

// slowdown is how much longer everything takes than without the race detector.
const slowdown = 1
