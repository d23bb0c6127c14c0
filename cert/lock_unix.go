//go:build linux || darwin || freebsd || netbsd || openbsd

package cert

import (
	"os"
	"syscall"
)

// tryLock takes a lock that the kernel gives back when the process ends, in whatever way. It reports whether it
// got it.
func tryLock(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == syscall.EWOULDBLOCK {
		return false, nil
	}
	return err == nil, err
}
