// Package forward tells the next hop who asked, and believes what a trusted proxy before weir says of it:
// the X-Forwarded fields, Forwarded (RFC 7239), Via (RFC 9110, section 7.6.3) and the host that is asked for.
//
// It has two halves. [NewBelieve] stands before the router, because the client's address and the scheme take
// part in the choice of the route; it leaves in the request's header only what somebody trusted vouches for.
// [New] stands last in a route's chain (weir.PhaseForward), because only there is it certain that the request
// goes on; it relies on the first half, and adds what weir itself knows.
//
// # Who the client is
//
// The peer, unless it is a trusted proxy. Then the list in X-Forwarded-For is read from the right, the end
// that the peer wrote: as long as an address is itself a trusted proxy's, the one before it is believed, too.
// The first that is not is the client, and what stands before it, which anybody could have sent, is cut off.
// So a server that takes the first address of the list, as most do, takes the right one. Something that is no
// address ends the walk: a trusted proxy says that another is the client, but not who. Such a client has no address,
// so that no list that allows addresses holds it, least of all one of the proxies'; the next hop is told "unknown".
//
// Where both families of fields come in, X-Forwarded-For counts and Forwarded is dropped: a proxy that knows
// of one family only lets its clients write the other.
package forward

import (
	"fmt"
	"net/netip"
)

// A Mode is a family of fields that say where a request came from.
type Mode uint8

// The modes.
const (
	XForwarded Mode = iota // X-Forwarded-For, -Proto and -Host
	RFC7239                // Forwarded
	Both
	Off // nothing is written or believed
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
	return 0, fmt.Errorf("forward mode %q is not known: write \"x-forwarded\", \"rfc7239\", \"both\" or \"off\"", s)
}

// BelieveConfig says whom to believe.
type BelieveConfig struct {
	// Trusted reports whether an address is a trusted proxy's; nil: none is. It is asked about the addresses
	// of a list, and not about the peer: that is weir.Conn.Trusted.
	Trusted func(netip.Addr) bool
	// Fields is the family that is believed. XForwarded and Both: X-Forwarded-For and its like, and
	// Forwarded where there is none of them. RFC7239: Forwarded alone. Off: neither, and what a trusted proxy
	// sends passes as it is.
	Fields Mode
	// Host lets X-Forwarded-Host of a trusted proxy take the place of the request's authority, so that it
	// decides on the site. Without it that field only goes on to the server: many proxies pass on what their
	// clients wrote there.
	Host bool
}

// Config says what the next hop is told.
type Config struct {
	Mode Mode
	// Port adds X-Forwarded-Port where the mode writes X-Forwarded fields.
	Port bool
	// Host is what the route's servers get as Host: "" or "pass" for the client's, or a template. Whether that
	// counts, or what an upstream or a server says, is the route's HostRule: see [WithHost].
	Host   string
	Params []string // names that a template may use besides weir.Placeholders: those of the route's pattern
	// Pseudonym names this process in Via: a random token, at least 8 characters long, that tells nothing and
	// that weir meets again only in a loop. "": no Via is written and no loop is recognised.
	Pseudonym string
	// Loops is how often a request may have been through this process already, as one site may lead to
	// another; 0: 3.
	Loops int
}
