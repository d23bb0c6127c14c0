package server

import (
	"net/netip"

	"weir/internal/poll"
	"weir/proto/proxyproto"
)

// Proxied says whether connections begin with the PROXY protocol, which tells whose they are.
type Proxied uint8

// The ways. Only the word of trusted peers counts: with ProxiedMaybe what others send is taken for the beginning of a
// request, and with ProxiedAlways they are not served.
const (
	NotProxied Proxied = iota
	ProxiedMaybe
	ProxiedAlways
)

// announced waits for the header that tells whose the connection is.
func (l *listener) announced(c poll.Conn, set *settings) {
	switch trusted := l.trusts(c, set); {
	case trusted:
	case set.spec.Proxied == ProxiedMaybe:
		l.welcome(c, c.RemoteAddr(), c.LocalAddr(), false)
		return
	default:
		l.unannounced(c, notTrusted)
		c.Close()
		return
	}
	cfg := proxyproto.Config{Mode: proxyproto.Required, Timeout: handshakeTime(set.spec)}
	if set.spec.Proxied == ProxiedMaybe {
		cfg.Mode = proxyproto.Optional
	}
	l.arrivals.add(c)
	cfg.Accept(c, func(served poll.Conn, h *proxyproto.Header, err error) {
		l.arrivals.remove(c)
		if err != nil {
			l.unannounced(c, err.Error())
			return
		}
		told := served == c
		if told && !l.trusts(c, l.settings.Load()) { // any more
			served.Close()
			l.unannounced(c, notTrusted)
			return
		}
		local, remote := h.Addresses(c.LocalAddr(), c.RemoteAddr())
		l.welcome(served, remote, local, told)
	})
}

const notTrusted = "not one of trusted_proxies"

// trusts reports whether the word of the peer counts. Whoever may open a unix socket of ours is trusted.
func (l *listener) trusts(c poll.Conn, set *settings) bool {
	remote := c.RemoteAddr()
	return !remote.IsValid() || set.trusted != nil && set.trusted(remote.Addr())
}

// unannounced counts a connection that was closed for want of a proper header.
func (l *listener) unannounced(c poll.Conn, why string) {
	l.strangers.Add(1)
	l.log.Debug("no PROXY header", "listener", l.name(), "peer", addressText(c.RemoteAddr()), "error", why)
	l.release()
}

func addressText(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
