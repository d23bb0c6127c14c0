package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// network splits a listener's address into what package net wants. ":80" is IPv6 and IPv4, "0.0.0.0:80"
// IPv4 alone and "[::]:80" IPv6 alone, so that both can be had side by side.
func (l *ListenerSpec) network() (network, address string) {
	if path, ok := strings.CutPrefix(l.Address, "unix:"); ok {
		return "unix", path
	}
	host, _, _ := net.SplitHostPort(l.Address)
	switch ip := net.ParseIP(host); {
	case ip == nil:
		return "tcp", l.Address
	case ip.To4() != nil:
		return "tcp4", l.Address
	}
	return "tcp6", l.Address
}

func hasPortZero(address string) bool {
	_, port, _ := net.SplitHostPort(address)
	return port == "0"
}

// openOne returns a listener for spec: with an inherited socket if there is one, else with one of its own. A
// socket that is about to be given up and stands in the way is closed first.
func (s *Server) openOne(c *change, spec *ListenerSpec) (*listener, error) {
	if source := s.inherit(spec); source != nil {
		return s.listener(c, spec, source, true)
	}
	source, err := listen(spec)
	if errors.Is(err, syscall.EADDRINUSE) && s.pauseRival(c, spec) {
		source, err = listen(spec)
	}
	if err != nil {
		return nil, explainListen(spec, err)
	}
	l, err := s.listener(c, spec, source, false)
	for try := 1; try < portTries && hasPortZero(spec.Address) && errors.Is(err, syscall.EADDRINUSE); try++ {
		if source, err = listen(spec); err == nil {
			l, err = s.listener(c, spec, source, false)
		}
	}
	return l, err
}

// portTries is how many ports are tried where any will do: one that is free for TCP may be taken for UDP.
const portTries = 8

// listener makes a listener of its socket, and opens the one for datagrams that goes with it.
func (s *Server) listener(c *change, spec *ListenerSpec, source net.Listener, inherited bool) (*listener, error) {
	l := newListener(spec, source, inherited, &s.config)
	if err := l.openDatagrams(spec, slices.Concat(c.left, s.leaving)...); err != nil {
		if !inherited { // else a later change may want it
			source.Close()
			l.removeSocket()
		}
		return nil, err
	}
	return l, nil
}

// listen opens the socket of spec.
func listen(spec *ListenerSpec) (net.Listener, error) {
	network, address := spec.network()
	if network != "unix" {
		config := net.ListenConfig{KeepAlive: -1}
		config.SetMultipathTCP(false) // the default of net's listeners makes every connection dearer
		return config.Listen(context.Background(), network, address)
	}
	if err := removeStale(address); err != nil {
		return nil, err
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // a later listener may have taken the path
	if err := setMode(spec); err != nil {
		l.Close()
		os.Remove(address)
		return nil, err
	}
	return l, nil
}

// setMode gives the file of a unix socket the mode that it shall have.
func setMode(spec *ListenerSpec) error {
	network, path := spec.network()
	if network != "unix" || spec.Mode == 0 || strings.HasPrefix(path, "@") {
		return nil
	}
	return os.Chmod(path, spec.Mode)
}

// removeStale removes a socket that nobody listens on: what a process leaves that was killed.
func removeStale(path string) error {
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != fs.ModeSocket {
		return nil
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return &net.OpError{Op: "listen", Net: "unix", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return os.Remove(path)
	}
	return nil
}

// explainListen says what to do about an address that can't be had.
func explainListen(spec *ListenerSpec, err error) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return fmt.Errorf("listen on %q: %w", spec.Address, err)
	}
	switch errno {
	case syscall.EADDRINUSE:
		return fmt.Errorf("listen on %q: %w; %s", spec.Address, errno, whoListens(spec.Address))
	case syscall.EACCES:
		return fmt.Errorf("listen on %q: %w; ports below 1024 need root or CAP_NET_BIND_SERVICE, a unix socket a directory that may be written to", spec.Address, errno)
	case syscall.EADDRNOTAVAIL:
		return fmt.Errorf("listen on %q: %w; no interface of this machine has that address", spec.Address, errno)
	}
	return fmt.Errorf("listen on %q: %w", spec.Address, errno)
}

// pauseRival closes the sockets of leaving listeners on spec's port, such as ":80" where "127.0.0.1:80" is
// wanted. It reports whether there was one.
func (s *Server) pauseRival(c *change, spec *ListenerSpec) (found bool) {
	for _, l := range c.left {
		if samePort(l.settings.Load().spec, spec) && l.pause() {
			found = true
		}
	}
	return found
}

func samePort(a, b *ListenerSpec) bool {
	if n, path := a.network(); n == "unix" {
		m, other := b.network()
		return m == n && path == other
	}
	_, p, _ := net.SplitHostPort(a.Address)
	_, q, _ := net.SplitHostPort(b.Address)
	return p == q && p != "0"
}

// pause closes the listening socket; connections go on.
func (l *listener) pause() bool {
	if l.polled == nil || l.inherited {
		return false
	}
	l.polled.Close()
	l.polled = nil
	return true
}

// resume opens the socket again that pause closed, because the change did not come about.
func (l *listener) resume(s *Server) {
	if l.polled != nil {
		return
	}
	source, err := listen(l.settings.Load().spec)
	if err == nil {
		l.source = source
		err = l.start()
	}
	if err != nil {
		s.config.Log.Error("listener lost", "listener", l.name(), "error", err)
	}
}

// whoListens tells who may have an address: a port is also taken by a connection that goes out from it.
func whoListens(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return "another program listens there"
	}
	return fmt.Sprintf("another program listens there, or has a connection from that port; `ss -tanp 'sport = :%s'` tells which", port)
}
