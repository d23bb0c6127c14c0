package server

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"
)

// An Inherited is a listening socket that somebody else opened.
type Inherited struct {
	Name     string // FileDescriptorName of the socket unit; may say nothing
	Listener net.Listener
}

// FromSystemd returns the sockets that systemd (or who speaks its protocol, sd_listen_fds(3)) handed to this
// process, and removes the environment variables that announce them. Sockets that are no stream sockets are
// left out.
func FromSystemd() ([]Inherited, error) {
	named, err := activation.ListenersWithNames()
	if err != nil {
		return nil, err
	}
	var out []Inherited
	for name, list := range named {
		for _, l := range list {
			if l != nil {
				out = append(out, Inherited{name, l})
			}
		}
	}
	return out, nil
}

// inherit takes the inherited socket that has the name of spec, or else its address; nil: there is none.
func (s *Server) inherit(spec *ListenerSpec) net.Listener {
	at := slices.IndexFunc(s.inherited, func(i Inherited) bool { return i.Name == spec.Name })
	if at < 0 {
		at = slices.IndexFunc(s.inherited, func(i Inherited) bool { return sameAddress(i.Listener.Addr(), spec) })
	}
	if at < 0 {
		return nil
	}
	l := s.inherited[at].Listener
	s.inherited = append(slices.Clone(s.inherited[:at]), s.inherited[at+1:]...)
	return l
}

// sameAddress reports whether a socket listens where spec wants to.
func sameAddress(a net.Addr, spec *ListenerSpec) bool {
	network, address := spec.network()
	switch a := a.(type) {
	case *net.UnixAddr:
		return network == "unix" && a.Name == address
	case *net.TCPAddr:
		host, port, err := net.SplitHostPort(address)
		if network == "unix" || err != nil || port == "0" || port != strconv.Itoa(a.Port) {
			return false
		}
		have, _ := netip.AddrFromSlice(a.IP)
		if host == "" {
			return have.IsUnspecified() || !have.IsValid()
		}
		want, err := netip.ParseAddr(strings.Trim(host, "[]"))
		return err == nil && want.Unmap() == have.Unmap()
	}
	return false
}

// Unclaimed returns the names or addresses of inherited sockets that no listener has taken.
func (s *Server) Unclaimed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, i := range s.inherited {
		out = append(out, strings.TrimSpace(i.Name+" "+i.Listener.Addr().String()))
	}
	return out
}
