package poll

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Raw system calls on non-blocking descriptors. They do not tell the scheduler that the thread may
// block, because it does not: that saves handing the processor over twice per call, which is the
// larger half of what net.Conn costs.

func recv(fd int32, p []byte, flags int) (int, syscall.Errno) {
	n, _, e := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		uintptr(flags|syscall.MSG_DONTWAIT), 0, 0)
	return int(n), e
}

func send(fd int32, p []byte) (int, syscall.Errno) {
	n, _, e := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
	return int(n), e
}

// sendThree sends a, b and c in one call.
func sendThree(fd int32, a, b, c []byte) (int, syscall.Errno) {
	iov := [3]syscall.Iovec{{Base: unsafe.SliceData(a)}, {Base: unsafe.SliceData(b)}, {Base: unsafe.SliceData(c)}}
	iov[0].SetLen(len(a))
	iov[1].SetLen(len(b))
	iov[2].SetLen(len(c))
	msg := syscall.Msghdr{Iov: &iov[0], Iovlen: 3}
	n, _, e := syscall.RawSyscall(syscall.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
	runtime.KeepAlive(&iov)
	return int(n), e
}

func splice(from, to int32, n int) (int, syscall.Errno) {
	const flags = unix.SPLICE_F_MOVE | unix.SPLICE_F_NONBLOCK
	m, _, e := syscall.RawSyscall6(syscall.SYS_SPLICE, uintptr(from), 0, uintptr(to), 0, uintptr(n), flags)
	return int(m), e
}

func epollWait(ep int, events []unix.EpollEvent, ms int) (int, syscall.Errno) {
	n, _, e := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(ep), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)),
		uintptr(ms), 0, 0)
	return int(n), e
}

func epollAdd(ep int, fd int32, events uint32, gen uint32) syscall.Errno {
	ev := unix.EpollEvent{Events: events, Fd: fd, Pad: int32(gen)}
	_, _, e := syscall.RawSyscall6(syscall.SYS_EPOLL_CTL, uintptr(ep), syscall.EPOLL_CTL_ADD, uintptr(fd), uintptr(unsafe.Pointer(&ev)), 0, 0)
	return e
}

func epollChange(ep int, fd int32, events uint32, gen uint32) syscall.Errno {
	ev := unix.EpollEvent{Events: events, Fd: fd, Pad: int32(gen)}
	_, _, e := syscall.RawSyscall6(syscall.SYS_EPOLL_CTL, uintptr(ep), syscall.EPOLL_CTL_MOD, uintptr(fd), uintptr(unsafe.Pointer(&ev)), 0, 0)
	return e
}

func epollDel(ep int, fd int32) {
	var ev unix.EpollEvent
	syscall.RawSyscall6(syscall.SYS_EPOLL_CTL, uintptr(ep), syscall.EPOLL_CTL_DEL, uintptr(fd), uintptr(unsafe.Pointer(&ev)), 0, 0)
}

func closeFD(fd int32) { syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(fd), 0, 0) }

func shutdownWrite(fd int32) syscall.Errno {
	_, _, e := syscall.RawSyscall(syscall.SYS_SHUTDOWN, uintptr(fd), syscall.SHUT_WR, 0)
	return e
}

func setInt(fd int32, level, opt, value int) {
	v := int32(value)
	syscall.RawSyscall6(syscall.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(opt), uintptr(unsafe.Pointer(&v)), 4, 0)
}

func yieldThread() { syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) }

func sysError(call string, e syscall.Errno) error {
	if e == 0 {
		return nil
	}
	return &SysError{call, e}
}
