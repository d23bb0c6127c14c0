package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
)

// listenPacket opens the UDP socket of spec on a port. inTheWay are the listeners of before whose connections of HTTP/3 may
// still need that port: where all of theirs are narrower, such as 127.0.0.1 where any address is wanted, they keep what comes
// to them, and the new socket gets the rest.
func listenPacket(spec *ListenerSpec, port int, inTheWay []*listener) (net.PacketConn, error) {
	network, address := spec.network()
	host, _, _ := net.SplitHostPort(address)
	network = map[string]string{"tcp": "udp", "tcp4": "udp4", "tcp6": "udp6"}[network]
	address = net.JoinHostPort(host, strconv.Itoa(port))
	conn, err := new(net.ListenConfig).ListenPacket(context.Background(), network, address)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return conn, explainPacket(spec, err)
	}
	rivals := rivalsOn(port, inTheWay)
	if isAnyHost(host) && areNarrow(rivals) {
		if conn, err := listenBeside(socketsOf(rivals), network, address); err == nil {
			return conn, nil
		}
	}
	if len(rivals) > 0 {
		return nil, explainRival(spec, rivals[0])
	}
	return nil, explainPacket(spec, err)
}

// rivalsOn are those that need a UDP socket with that port.
func rivalsOn(port int, list []*listener) (rivals []*listener) {
	for _, l := range list {
		if d := l.datagrams; d != nil && !d.isOver() && packetAddr(l).Port() == uint16(port) {
			rivals = append(rivals, l)
		}
	}
	return rivals
}

func packetAddr(l *listener) netip.AddrPort {
	if a, ok := l.datagrams.conn.LocalAddr().(*net.UDPAddr); ok {
		return a.AddrPort()
	}
	return netip.AddrPort{}
}

func socketsOf(list []*listener) (sockets []net.PacketConn) {
	for _, l := range list {
		sockets = append(sockets, l.datagrams.conn)
	}
	return sockets
}

// isAnyHost reports whether a host stands for every address of the machine.
func isAnyHost(host string) bool {
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "" || err == nil && ip.IsUnspecified()
}

// areNarrow reports whether all of them, one at least, listen on a single address.
func areNarrow(list []*listener) bool {
	for _, l := range list {
		if packetAddr(l).Addr().IsUnspecified() {
			return false
		}
	}
	return len(list) > 0
}

// explainRival says what to do where connections of HTTP/3 need a port that they lose if another socket gets it.
func explainRival(spec *ListenerSpec, rival *listener) error {
	busy := fmt.Sprintf("listen on %q for HTTP/3: %v: connections of HTTP/3 that came by %q need the port until they end", spec.Address, syscall.EADDRINUSE, rival.address())
	if rival.draining.Load() {
		return errors.New(busy + "; that takes some seconds, or as long as their last answer: reload again then")
	}
	return errors.New(busy + `; take "h3" out of its protocols and reload, and change the address some seconds later, or restart weir`)
}

// explainPacket says what to do about a UDP port that can't be had.
func explainPacket(spec *ListenerSpec, err error) error {
	var errno syscall.Errno
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf(`listen on %q for HTTP/3: %w; another program has the UDP port, `+"`ss -lunp`"+` tells which, or leave "h3" out of protocols`, spec.Address, syscall.EADDRINUSE)
	case errors.As(err, &errno):
		return fmt.Errorf("listen on %q for HTTP/3: %w", spec.Address, errno)
	}
	return fmt.Errorf("listen on %q for HTTP/3: %w", spec.Address, err)
}
