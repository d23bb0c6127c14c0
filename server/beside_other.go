//go:build !linux

package server

import (
	"errors"
	"net"
)

// listenBeside is not to be had on this system, whose rules for which socket gets a datagram are others.
func listenBeside([]net.PacketConn, string, string) (net.PacketConn, error) {
	return nil, errors.ErrUnsupported
}
