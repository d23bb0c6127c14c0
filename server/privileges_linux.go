package server

import (
	"fmt"
	"os"
	"os/user"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// DropPrivileges makes the process run as the named user, with that user's groups, on all its threads, for
// good. It does nothing where the process is not root's. The one right that is kept is to bind ports below
// 1024, so that a reload may still add a listener; where the system does not allow that, it is given up too.
func DropPrivileges(name string) error {
	if os.Geteuid() != 0 || name == "" {
		return nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return fmt.Errorf("user %q: %w", name, err)
	}
	uid, gid, groups, err := numbers(u)
	if err != nil {
		return fmt.Errorf("user %q: %w", name, err)
	}
	if uid == 0 {
		return nil
	}
	kept := keepCapabilities()
	if err := become(uid, gid, groups); err != nil {
		return fmt.Errorf("user %q: %w", name, err)
	}
	if kept {
		limitCapabilities()
	}
	return nil
}

func numbers(u *user.User) (uid, gid int, groups []int, err error) {
	if uid, err = strconv.Atoi(u.Uid); err != nil {
		return 0, 0, nil, err
	}
	if gid, err = strconv.Atoi(u.Gid); err != nil {
		return 0, 0, nil, err
	}
	ids, err := u.GroupIds()
	if err != nil {
		return 0, 0, nil, err
	}
	for _, id := range ids {
		n, err := strconv.Atoi(id)
		if err != nil {
			return 0, 0, nil, err
		}
		groups = append(groups, n)
	}
	return uid, gid, groups, nil
}

// become changes all threads: package syscall sees to that.
func become(uid, gid int, groups []int) error {
	if err := syscall.Setgroups(groups); err != nil {
		return os.NewSyscallError("setgroups", err)
	}
	if err := syscall.Setgid(gid); err != nil {
		return os.NewSyscallError("setgid", err)
	}
	return os.NewSyscallError("setuid", syscall.Setuid(uid))
}

// keepCapabilities has the threads keep their permitted capabilities when their user changes. It can't where C
// code is linked in (a build with cgo, such as the race detector's), whose threads Go does not know.
func keepCapabilities() bool {
	_, _, e := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1, 0, 0, 0, 0)
	return e == 0
}

// limitCapabilities leaves CAP_NET_BIND_SERVICE alone, if anything.
func limitCapabilities() {
	header := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	data[0].Permitted = 1 << unix.CAP_NET_BIND_SERVICE
	data[0].Effective = data[0].Permitted
	_, _, e := capset(header, &data)
	if e != 0 { // never had it
		data = [2]unix.CapUserData{}
		capset(header, &data)
	}
	syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 0, 0, 0, 0, 0)
}

func capset(header *unix.CapUserHeader, data *[2]unix.CapUserData) (r1, r2 uintptr, e syscall.Errno) {
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(header)
	pin.Pin(data)
	return syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(header)), uintptr(unsafe.Pointer(data)), 0)
}
