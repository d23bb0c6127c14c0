package config

import (
	"net/netip"
)

// A Site is a set of hosts and their routes.
type Site struct {
	Name   string
	Pos    Pos
	Hosts  []string // default: the name
	On     []string // names of listeners; empty: all
	Routes []*Route // redirects and fixed answers of the site among them; in the order of the file
	Settings
	Expects []Expect

	// Broken says why the site cannot be served; its routes are not to be used then.
	Broken Diagnostics
}

// Settings are what a site says for all its routes and each route may say for itself. In a Route they
// are complete: the route's own before the site's, the site's before those of its policies.
type Settings struct {
	Allow, Deny []netip.Prefix // clients; deny wins within one level; an empty Allow lets everybody in
	MaxBody     int64          // bytes of a request body; 0: no limit
	Host        string         // template for the Host that servers see; "": as the upstream says
	Timeouts    UpstreamTimeouts
	Request     []Transform // in the order in which they are applied: policies, site, route
	Response    []Transform // likewise
	Errors      []ErrorPage // the first that fits wins: route, site, policies
	RequestID   RequestID
	Forwarded   string   // one of the constants below; default ForwardedX
	HideVia     bool     // no Via on the way in
	Logs        []string // names of access logs; nil: all of them
	NoLog       bool     // to none
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
	Header string // field that carries it to servers and back to clients; "": there are no ids
	Trust  bool   // an id that a trusted proxy sent is kept
}

// A Field is a name and a template for its value.
type Field struct{ Name, Value string }

// A Transform changes header fields, and of requests the query. Within one: Remove, Set, Add, Default.
type Transform struct {
	Pos     Pos
	Remove  []string
	Set     []Field
	Add     []Field
	Default []Field // set where there is none
	Query   *QueryTransform
}

// A QueryTransform changes the parameters of a request's query, in the same order as a Transform.
type QueryTransform struct {
	Remove  []string
	Set     []Field
	Add     []Field
	Default []Field
}

// An ErrorPage is the body of failures.
type ErrorPage struct {
	Pos      Pos
	Status   StatusRange // "404", "5xx"
	File     string      // absolute, or relative to the folder of the configuration file it is written in; made absolute
	Body     string      // template, where there is no File
	Type     string      // media type; "": by the file's name, else text/html or text/plain
	Reply    int         // the status that the client sees; 0: the same
	Upstream bool        // also instead of what servers answer
}

// A Condition is a demand on the header fields, query parameters or cookies of one name, written as
// route.ParseMatch reads it.
type Condition struct{ Name, Value string }

// A Route is what a site does with requests that match. Exactly one of Proxy, Split, Respond and
// Redirect is set.
type Route struct {
	Label string // as messages call it: `route "/api/*"`, `redirect "/old"`
	Pos   Pos

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
	Settings
	Rewrite  *Rewrite
	Proxy    string // an upstream's name
	Split    *Split
	Mirror   *Mirror // beside Proxy or Split
	Respond  *Respond
	Redirect *Redirect
}

// A Rewrite changes what servers are asked for. At most one of To, Strip and Pattern is set; Prefix
// may be added to the result of each.
type Rewrite struct {
	Pos     Pos
	To      string // template: path, and query if it has a "?"
	Strip   string // prefix to take away
	Prefix  string // template to put before
	Pattern string // regular expression (RE2) over the path
	Replace string // what its matches become; $1, ${name}
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
	Upstream string
	Percent  int // default 100
}

// A Respond is a fixed answer.
type Respond struct {
	Status  int    // default 200
	Body    string // template
	File    string // instead of Body; made absolute
	Type    string // media type; "": text/plain, or by the file's name
	Headers []Field
}

// A Redirect sends the client elsewhere.
type Redirect struct {
	To     string // template
	Status int    // 301, 302, 303, 307, 308; default 308
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
