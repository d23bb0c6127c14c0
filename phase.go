package weir

// A Phase is a place in the order of the whole proxy. Within a route's chain, middlewares stand
// in the order of their phases, whatever the order of lines in a configuration file. This list is
// that order.
type Phase uint8

const (
	// PhaseObserve sees everything: error pages, request ids, captures.
	PhaseObserve Phase = iota
	// PhaseAdmit makes the cheapest refusals first: address lists, bans, floods, limits, bots.
	PhaseAdmit
	// PhaseInspect judges the request's content: validity, WAF.
	PhaseInspect
	// PhaseAuthorize asks who it is: basic, JWT, OIDC, forward-auth, client certificate.
	PhaseAuthorize
	// PhaseRewrite changes path, query and headers, redirects; on the way back Location, cookies, links, hiding.
	PhaseRewrite
	// PhaseCache looks up; stores what comes back.
	PhaseCache
	// PhaseEncode compresses (inside the cache: compressed once, served many times).
	PhaseEncode
	// PhaseForward makes the request ready for the next hop: forwarding fields, Via, Host.
	PhaseForward
	// PhaseOrigin answers: upstream, files, a fixed answer.
	PhaseOrigin
)

var phaseNames = [...]string{"observe", "admit", "inspect", "authorize", "rewrite", "cache", "encode", "forward", "origin"}

// String returns the phase's name in lower case.
func (p Phase) String() string {
	if int(p) < len(phaseNames) {
		return phaseNames[p]
	}
	return "unknown"
}
