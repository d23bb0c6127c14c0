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

// listenPacket opens the UDP socket of spec on a port. inTheWay are the listeners whose connections of HTTP/3 may still need
// that port: where all of their sockets are narrower, such as 127.0.0.1 where any address is wanted, they keep what comes to
// them, and the new socket gets the rest. It returns them, too.
func listenPacket(spec *ListenerSpec, port int, inTheWay []*listener) (conn net.PacketConn, narrower []*datagrams, err error) {
	network, address := spec.network()
	host, _, _ := net.SplitHostPort(address)
	network = map[string]string{"tcp": "udp", "tcp4": "udp4", "tcp6": "udp6"}[network]
	address = net.JoinHostPort(host, strconv.Itoa(port))
	conn, err = new(net.ListenConfig).ListenPacket(context.Background(), network, address)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return conn, nil, explainPacket(spec, err)
	}
	rivals := rivalsOn(network, port, inTheWay)
	if isAnyHost(host) && areNarrower(rivals, network) {
		if conn, err := listenBeside(connsOf(rivals), network, address); err == nil {
			return conn, rivals, nil
		}
	}
	if len(rivals) > 0 {
		return nil, nil, explainRival(spec, rivals[0].owner.Load())
	}
	return nil, nil, explainPacket(spec, err)
}

// rivalsOn are the sockets of list that a new one with that port would share addresses with.
func rivalsOn(network string, port int, list []*listener) (rivals []*datagrams) {
	for _, l := range list {
		for _, d := range l.sockets() {
			if !d.isOver() && d.addr().Port() == uint16(port) && d.shares(network) {
				rivals = append(rivals, d)
			}
		}
	}
	return rivals
}

// shares reports whether a socket of that network could get what comes to d's.
func (d *datagrams) shares(network string) bool {
	a := d.addr().Addr()
	return network == "udp" || a == netip.IPv6Unspecified() || a.Is4() == (network == "udp4")
}

func connsOf(list []*datagrams) (conns []net.PacketConn) {
	for _, d := range list {
		conns = append(conns, d.conn)
	}
	return conns
}

// isAnyHost reports whether a host stands for every address of the machine.
func isAnyHost(host string) bool {
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "" || err == nil && ip.IsUnspecified()
}

// areNarrower reports whether all of them, one at least, listen on fewer addresses than a socket of that network that listens
// on all it can: on a single one, or on those of IPv4 where the network is both.
func areNarrower(list []*datagrams, network string) bool {
	for _, d := range list {
		a := d.addr().Addr()
		if a.IsUnspecified() && (network != "udp" || a.Is6()) {
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
