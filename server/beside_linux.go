package server

import (
	"context"
	"net"
	"syscall"
)

// listenBeside listens for datagrams on every address of the machine though narrow sockets of ours have its port, which keep
// what comes to their addresses. That others may have the port, too, is so for this moment alone.
func listenBeside(narrow []net.PacketConn, network, address string) (net.PacketConn, error) {
	for _, n := range narrow {
		if err := shareOf(n, true); err != nil {
			return nil, err
		}
		defer shareOf(n, false)
	}
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { return share(c, true) }}
	wide, err := config.ListenPacket(context.Background(), network, address)
	if err != nil {
		return nil, err
	}
	if err := shareOf(wide, false); err != nil {
		wide.Close()
		return nil, err
	}
	return wide, nil
}

func shareOf(c net.PacketConn, on bool) error {
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	return share(raw, on)
}

// share lets other sockets have the port of this one, if they let others, too.
func share(c syscall.RawConn, on bool) error {
	value := 0
	if on {
		value = 1
	}
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, value)
	})
	if err != nil {
		return err
	}
	return failed
}
