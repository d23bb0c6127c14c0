// Package route leads requests to routes: by host, path, method, header, query, cookie, client network and
// expression. A [Router] is made once from all sites and never changes.
//
// # Which route wins
//
// First the host decides on the site: an exact host before the longest wildcard before "*". A site that
// has the host but no route for the request is not passed over for one with a wildcard.
//
// Within the site the precedence is the Gateway API's, and never the order of lines:
//
//  1. A route that names a host itself, before those for all of the site's hosts.
//  2. The path. An exact path comes first. Otherwise the patterns are compared segment by segment
//     from the left, and the first difference decides: a literal segment before one of which parts are
//     named ("{colour}-{id}"; among those, more literal bytes first), before one that is named as a
//     whole, before the end of the path, before "*". So the longer prefix wins.
//     Regular expressions stand before patterns that begin with a name and before "/*", and after all
//     that begin with a literal; two of them are asked in the order in which each is written first.
//  3. A route that asks for a method, before one that takes any.
//  4. More header fields, then more query parameters, then more cookies.
//  5. A client network, then an expression.
//  6. The narrower of what is level so far: fewer methods, more values that are spelt out, smaller networks.
//  7. The order in which they are written.
//
// A route whose conditions do not hold gives way to the next one: conditions are part of matching.
// Two routes of the same path and conditions are an error. A route that never can be reached, because a single
// route before it takes every request that it would, is a warning; the router looks for that among
// routes of the same path, behind a regular expression that plainly matches every path, before regular expressions that
// begin with a literal ("/api/*" hides "~ ^/api/v\d+$"), and behind routes that name a host. Of routes that only several
// others together hide it finds those that ask for methods, of which each of the others takes some.
//
// # Which path is looked at
//
// The path in its normal form ([weir.Normalize]), which is also what goes upstream, so that the server
// sees nothing that the routes have not seen:
//
//   - "." and ".." are resolved first, "%2e" included; a path that leads above the root is refused.
//   - An escaped slash or backslash separates nothing: "/api/a%2Fb" has two segments. A path is refused in which
//     it would make a ".." ("/api/..%2fadmin", "/..%5c").
//   - Runs of slashes are matched as one ("//admin" is for "/admin") and go upstream as they came.
//   - A backslash as it is, a control character and "%00" are refused, and so is a "%" without two digits.
//   - A parameter (";v=1") is part of its segment. "/..;/" is refused.
//   - Servers read some of that otherwise: they drop parameters, or take escaped slashes for slashes. A path that
//     would then be for a route which comes first ("/admin;x/y" and "/admin%2Fy" beside routes "/*" and "/admin/*")
//     is refused, so that nobody evades that route's rules.
//   - Case matters. Where it does not for the servers, protect a path with "request.path.lowerAscii()" in an
//     expression.
//
// # Expressions
//
// A route's condition When is an expression in CEL (the Common Expression Language) over one request. It sees
//
//	request.method  request.scheme  request.host  request.path    texts; the path is in normal form
//	request.header  request.query   request.cookie                maps from names to first values
//	client.ip                                                     a text, "" where there is none
//	header("x")  query("x")  cookie("x")                          the value, "" where there is none
//	cidr(client.ip, "10.0.0.0/8")                                 whether the address is in the network,
//	                                                              or in one of a list of networks
//
// and CEL's standard functions and those on texts: startsWith, endsWith, contains, matches (RE2), size,
// lowerAscii, split, ... request.header["x"] without such a field is an error, and an expression that ends
// in an error does not hold; neither does its opposite.
//
// The work for one request is bounded, by 100,000 of CEL's units of cost, of which one is about a comparison or the
// look at ten bytes. Where the compiler can tell that no request exceeds that, nothing is counted; that is so
// unless an expression goes through a whole map or applies a long regular expression. A request that does
// exceed it is refused with weir.CauseExpression: to let the condition fail would let a client escape
// it by sending more.
//
// # Smaller rules
//
// A method GET takes HEAD as well (RFC 9110, section 9.3.2), if no narrower route does. OPTIONS * goes to the
// site's routes for "/*" (or a regular expression that plainly matches every path), as they alone speak for
// the whole server, and nowhere else.
package route

import (
	"fmt"
	"net/netip"

	"weir"
)

// A Site is some hosts and their routes.
type Site struct {
	Name      string
	Hosts     []string // "example.com", "*.example.com" (any number of labels, at least one), "*"
	Listeners []string // names; empty: all
	Routes    []Spec
	Missing   weir.Handler // answers requests that no route takes, after their note is made; nil: the fault alone
	Pos       fmt.Stringer // where it is written, for messages; may be nil
}

// A Spec is a route as it is written. All conditions must hold.
type Spec struct {
	Pattern string // see [Pattern]
	Host    string // one of the site's hosts, or one that they cover; empty: all of them
	Methods []string
	Header  []Match
	Query   []Match
	Cookie  []Match
	Clients []netip.Prefix // the client is in one of them
	When    string         // an expression in CEL
	Target  *weir.Route    // where it leads; the router calls the Target.Handler that there is when it is made
	Label   string         // what messages call it; empty: route "<Pattern>"
	Pos     fmt.Stringer   // where it is written, for messages; may be nil
	Partial bool           // not all of its conditions are known: what it says is checked, and it takes no request
}

func (s *Spec) label() string {
	if s.Label != "" {
		return s.Label
	}
	return fmt.Sprintf("route %q", s.Host+s.Pattern)
}

// Options are what New has to know beside the sites.
type Options struct {
	Listeners []string // names of all HTTP listeners; a site that names another one is an error
}
