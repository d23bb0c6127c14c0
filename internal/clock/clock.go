// Package clock is the proxy's monotonic time: nanoseconds since the process began, cheap to read
// and to compare. Wall-clock time is made from it only where a human reads it.
package clock

import "time"

var start = time.Now()

// Now returns monotonic nanoseconds since the process began, at least 1.
func Now() int64 { return int64(time.Since(start)) + 1 }

// Wall returns the wall-clock time of t, a value of Now, by today's wall clock: one that was set since the
// process began is followed.
func Wall(t int64) time.Time { return time.Now().Add(time.Duration(t - Now())) }
