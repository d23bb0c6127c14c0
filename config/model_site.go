package config

import (
	"net/netip"
)

// A Site is a set of hosts and their routes.
type Site struct {
	Name   string
	Pos    Pos
	Hosts  []string // default: the name
	On     []string // names of listeners, also of broken ones; empty: all
	Routes []*Route // redirects and fixed answers of the site among them; in the order of the file
	TLS    *SiteTLS // nil: as the zero value says
	Settings
	Expects []Expect

	Places Places `json:"-"` // of its hosts, by how they are written

	// Broken says why the site cannot be served; there are no routes then.
	Broken Diagnostics
	// Unread says of a Broken site that it may have other hosts than these, which could not be read.
	Unread bool
	// Draft is what could be read of a Broken site, to find more errors in it; it is never served.
	Draft *Draft `json:"-"`
}

// A Draft is a site as far as it could be read.
type Draft struct {
	Hosts   []string
	Routes  []*Route
	Expects []Expect // those that the errors found so far have nothing to do with
}

// A Doubt says what of a route could not be read.
type Doubt uint8

// The doubts.
const (
	NoDoubt       Doubt = iota
	DoubtfulDeed        // what is done with requests is not known
	DoubtfulMatch       // which requests it is for is not known either
)

// Places say where something is written, by its name.
type Places []Place

// A Place is where something is written.
type Place struct {
	Name string
	Pos  Pos
}

// Of returns where the name is written, or otherwise.
func (p Places) Of(name string, otherwise Pos) Pos {
	for _, at := range p {
		if at.Name == name {
			return at.Pos
		}
	}
	return otherwise
}

// Settings are what a site says for all its routes and each route may say for itself. In a Route they
// are complete: the route's own before the site's, the site's before those of its policies.
type Settings struct {
	Allow, Deny    []string         // networks, addresses and files of them (made absolute); deny wins; an empty Allow lets everybody in
	MaxBody        int64            // bytes of a request body; -1: no limit
	Host           string           // template for the Host that servers see; "": as the upstream says; "pass"; HostServer
	Timeouts       UpstreamTimeouts // zero: as the upstream says
	Request        []Transform      // in the order in which they are applied: policies, site, route
	Response       []Transform      // likewise
	Errors         []ErrorPage      // at most one for each Status
	ErrorsUpstream bool             // they also take the place of what servers answer
	RequestID      *RequestID       // nil: there are no ids
	Forwarded      string           // one of the constants below; default ForwardedX
	ForwardedPort  bool             // also X-Forwarded-Port
	Via            bool             // servers are told of weir in Via; default true
	Logs           []string         // names of access logs; nil: all of them
	NoLog          bool             // to none
}

// What is told to servers about the client, as Settings.Forwarded names it.
const (
	ForwardedX       = "x-forwarded" // X-Forwarded-For, -Proto, -Host, -Prefix
	ForwardedRFC7239 = "rfc7239"     // Forwarded
	ForwardedBoth    = "both"
	ForwardedOff     = "off"
)

// A RequestID says where an exchange's id comes from and goes to.
type RequestID struct {
	Header string // field that carries it; default "X-Request-ID"
	Accept string // whose id is taken over: "trusted" (the default), "anyone", "never"
	Format string // "uuid" (the default) or "hex"
	Hide   bool   // it does not go to servers
	Return bool   // it goes back to the client, too
}

// A Field is a name and a template for its value.
type Field struct{ Name, Value string }

// A Transform changes header fields, and of requests the query. Within one: Remove, Set, Add, Default.
type Transform struct {
	Pos         Pos
	Remove      []string // names; a last "*" stands for any rest
	Set         []Field
	Add         []Field
	Default     []Field  // set where there is none
	QueryRemove []string // of requests, as Remove
	QuerySet    []Field
}

// An ErrorPage is what failures of some statuses are answered with.
type ErrorPage struct {
	Label  string `json:"-"` // as messages call it: `site "shop": errors: page "404"`
	Pos    Pos
	Status string // "404", "5xx"
	File   string // made absolute
	Body   string // where there is no File
	Type   string // media type; "": by the file's name, else text/html
}

// A Condition is a demand on the header fields, query parameters or cookies of one name, written as
// route.ParseMatch reads it.
type Condition struct{ Name, Value string }

// A Route is what a site does with requests that match. Exactly one of Proxy, Split, Respond and
// Redirect is set.
type Route struct {
	Label  string // as messages call it: `route "/api/*"`, `redirect "/old"`
	Pos    Pos
	Places Places `json:"-"` // of its conditions, and of the redirect's "to"
	Doubt  Doubt  // other than NoDoubt in a Draft only

	// What matches.
	Pattern string // as route.ParsePattern reads it
	Host    string // of a redirect "www.example.com/*"; "": all of the site's
	Methods []string
	Header  []Condition
	Query   []Condition
	Cookie  []Condition
	Clients []netip.Prefix
	When    string

	// What is done.
	*Settings // never nil; the site's, where the route says nothing of its own, and not to be changed
	Rewrite   *Rewrite
	Proxy     string // an upstream's name
	Split     *Split
	Mirror    *Mirror // beside Proxy or Split
	Respond   *Respond
	Redirect  *Redirect
}

// A Rewrite changes what servers are asked for, in this order.
type Rewrite struct {
	Pos         Pos
	StripPrefix string // "/api": whole segments
	Regex       string // RE2, searched in the path
	Replace     string // what its matches become; $1, ${name}
	To          string // template: path, and query if it has a "?"
	AddPrefix   string
	Prefix      bool // servers are told what was stripped, in X-Forwarded-Prefix; default true
	Location    bool // what was stripped is put back into Location of answers; default true
}

// A Split spreads requests over upstreams.
type Split struct {
	Pos Pos
	To  []Weighted
	By  string // template: the same value goes the same way; "": by chance
}

// A Weighted is an upstream and its share.
type Weighted struct {
	Upstream string
	Weight   int
}

// A Mirror is an upstream that gets a copy of requests; its answers are dropped.
type Mirror struct {
	Upstream   string
	Sample     float64 // share of the requests, 0 to 1; default 1
	MaxBody    int64   // requests with more content are not copied; default 64 KiB; -1: none with content
	Concurrent int     // copies under way at a time; default 64
}

// A Respond is a fixed answer.
type Respond struct {
	Status  int    // default 200
	Body    string // template
	Type    string // media type; "": text/plain; charset=utf-8
	Headers []Field
}

// A Redirect sends the client elsewhere.
type Redirect struct {
	To        string // template
	Status    int    // 301, 302, 303, 307, 308; 0: 301 to GET and HEAD, 308 to all others
	DropQuery bool   // the request's query is not kept; it never is where To has a "?"
}

// An Expect is a test of the configuration: what explaining the request must show.
type Expect struct {
	Pos      Pos
	Method   string
	Target   string // path and query
	Host     string // default: the site's first host without a wildcard
	Client   netip.Addr
	Header   []Field
	Status   int    // 0: whatever
	Route    string // the pattern of the route that takes it; "": whatever
	Upstream string // "": whatever
	Location string // of a redirect; "": whatever
}
