package server

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// Connections are plain TCP ones, not those of Multipath TCP that have fallen back.
func TestListenIsPlainTCP(t *testing.T) {
	l, err := listen(&ListenerSpec{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		if protocol, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PROTOCOL); err != nil || protocol != unix.IPPROTO_TCP {
			t.Errorf("the protocol is %d, %v", protocol, err)
		}
	})
}
