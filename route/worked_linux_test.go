package route

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// worked returns for how long do works: what else the machine has to do meanwhile does not count.
func worked(t *testing.T, do func()) time.Duration {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	begin := threadTime(t)
	do()
	return threadTime(t) - begin
}

func threadTime(t *testing.T) time.Duration {
	t.Helper()
	var spent unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &spent); err != nil {
		t.Fatal(err)
	}
	return time.Duration(spent.Nano())
}
