package observe

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// process is what the system knows of this process.
type process struct {
	cpu      float64 // seconds
	resident float64 // bytes
	files    float64
}

// readProcess asks the system; false where it cannot say.
func readProcess() (process, bool) {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return process{}, false
	}
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return process{}, false
	}
	fields := bytes.Fields(statm)
	if len(fields) < 2 {
		return process{}, false
	}
	pages, err := strconv.ParseFloat(string(fields[1]), 64)
	if err != nil {
		return process{}, false
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return process{}, false
	}
	return process{
		cpu:      seconds(u.Utime.Nano() + u.Stime.Nano()),
		resident: pages * float64(os.Getpagesize()),
		files:    float64(len(fds)),
	}, true
}
