package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

const (
	wantedFiles = 1 << 20
	perProcess  = "/proc/sys/fs/nr_open" // what the kernel allows at most
)

// raiseFiles raises the limit of open files as far as this process may, and returns what it is.
func raiseFiles() uint64 {
	var now syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &now) != nil {
		return 0
	}
	wanted := uint64(wantedFiles)
	if b, err := os.ReadFile(perProcess); err == nil {
		if n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64); err == nil {
			wanted = min(wanted, n)
		}
	}
	for _, try := range []syscall.Rlimit{
		{Cur: max(now.Max, wanted), Max: max(now.Max, wanted)}, // root's
		{Cur: now.Max, Max: now.Max},
	} {
		if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &try) == nil {
			return try.Cur
		}
	}
	return now.Cur
}
