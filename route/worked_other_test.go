//go:build !linux

package route

import (
	"testing"
	"time"
)

// worked returns how long do takes.
func worked(_ *testing.T, do func()) time.Duration {
	begin := time.Now()
	do()
	return time.Since(begin)
}
