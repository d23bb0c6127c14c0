package h3

import (
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
)

// bufferSize is what a socket should buffer each way. A kernel's usual 208 KiB hold two milliseconds of a gigabit, and
// what comes while nobody can read is lost.
const bufferSize = 7 << 20

// quiet keeps quic-go from writing about buffers to the standard logger: weir says it once, in its own words.
var quiet sync.Once

// sizeBuffers asks for large buffers. An error tells what was got instead, and what to do.
func sizeBuffers(pc net.PacketConn) error {
	quiet.Do(func() { os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true") })
	u, ok := pc.(*net.UDPConn)
	if !ok {
		return nil
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return err
	}
	for _, b := range []struct {
		name, limit   string
		option, force int
	}{
		{"receive", "net.core.rmem_max", syscall.SO_RCVBUF, forceReceive},
		{"send", "net.core.wmem_max", syscall.SO_SNDBUF, forceSend},
	} {
		got := 0
		raw.Control(func(fd uintptr) { got = sizeBuffer(int(fd), b.option, b.force) })
		if got < bufferSize {
			return fmt.Errorf("the kernel gives a %s buffer of %d KiB where %d KiB are wanted, so that packets get lost under load: set sysctl %s=%d",
				b.name, got>>10, bufferSize>>10, b.limit, bufferSize)
		}
	}
	return nil
}

// sizeBuffer returns the size that a buffer has got.
func sizeBuffer(fd, option, force int) int {
	size := func() int {
		n, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, option)
		if err != nil {
			return bufferSize // not known: nothing to complain of
		}
		return n
	}
	if size() < bufferSize {
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, option, bufferSize)
	}
	if size() < bufferSize && force != 0 {
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, force, bufferSize)
	}
	return size()
}
