package config

import "time"

// Balancing algorithms, as Upstream.Balance names them.
const (
	RoundRobin   = "round-robin"
	Random       = "random"
	LeastRequest = "least-request"
	LeastTime    = "least-time"
	Hash         = "hash"
	Maglev       = "maglev"
)

// Protocols that servers are spoken with, as Upstream.Protocol names them.
const (
	H1              = "h1"
	H2              = "h2"
	H2C             = "h2c"
	H3              = "h3"
	FastCGIProtocol = "fastcgi"
	AutoProtocol    = "auto" // the server chooses between H2 and H1; only with tls
)

// A FastCGI is how requests become calls of scripts.
type FastCGI struct {
	Root      string // folder of the scripts, as the server sees it
	Remote    bool   // it is not on this machine: nobody can look whether a script exists
	Index     string
	Split     string  // what the segment ends with that names a script
	Env       []Field // further variables
	Keepalive int     // idle connections kept; default 0
}

// An Upstream is a named set of servers that can answer the same requests.
type Upstream struct {
	Name      string // where a route names an address, that address
	Anonymous bool   // it is one of those
	Pos       Pos
	Servers   []Server
	Discover  *Discover // servers found by DNS, beside those that are written; may be nil

	Balance   string // one of the constants; default RoundRobin
	HashBy    string // template, with Hash and Maglev; "": the client's address
	Sticky    *Sticky
	Health    *Health  // active checks; nil: none
	Outlier   *Outlier // passive ejection; nil: none
	Retry     Retry
	Queue     Queue
	SlowStart time.Duration // 0: none

	Keepalive     int           // idle connections that are kept for each server; default 1024; 0: none
	KeepaliveIdle time.Duration // how long one is kept; default 60s
	Timeouts      UpstreamTimeouts
	Refresh       Refresh       // of servers given by name
	FirstLookup   time.Duration // how long requests wait for the very first addresses; default 5s
	Host          string        // template for the Host that servers see; "": as the client sent it; HostServer
	Protocol      string        // one of the constants; default H1
	ProxyProtocol int           // version that connections begin with: 1 or 2; 0: none
	TLS           *UpstreamTLS  // nil: connections are not encrypted
	FastCGI       *FastCGI      // with FastCGIProtocol
}

// UpstreamTimeouts bound how long a server may take. Zero in a Settings means: as the upstream says.
type UpstreamTimeouts struct {
	Connect   time.Duration // default 5s
	FirstByte time.Duration // from the request's end to the answer's head; default 60s
	Idle      time.Duration // for silence within an answer; default 60s
}

// A Server is one address of an upstream.
type Server struct {
	Pos            Pos
	Address        string // "10.0.0.11:8080", "name:80", "[::1]:80", "unix:/run/app.sock"
	Weight         int    // default 1
	Backup         bool   // only asked where no other can be
	MaxConnections int    // requests at one time; 0: as Queue.PerServer says
}

// HostServer as a Host means: the server's own address.
const HostServer = "server"

// A Discover names the DNS entry whose addresses are servers.
type Discover struct {
	Pos  Pos
	Name string // "_http._tcp.example" asks for SRV, "api.internal:8080" for A and AAAA
}

// A Refresh bounds the time between two look-ups of a name; the TTL decides between them.
type Refresh struct{ Min, Max time.Duration } // default 5s and 5m

// A Sticky keeps a client at its server by a cookie.
type Sticky struct {
	Cookie   string        // default "weir_" and the upstream's name
	Path     string        // default "/"
	Domain   string        // default: the host alone
	TTL      time.Duration // 0: until the browser is closed
	Secure   bool
	HTTPOnly bool   // default true
	SameSite string // "Lax", "Strict", "None" or ""
}

// A Health is an active check.
type Health struct {
	TCP      bool   // only connect
	GRPC     bool   // ask gRPC's health service, with H2 and H2C
	Service  string // for which service; "": the server as a whole
	Path     string // default "/"
	Method   string // default GET
	Host     string // default: the server's address
	Headers  []Field
	Interval time.Duration // default 5s
	Timeout  time.Duration // default 2s
	Expect   []StatusRange // default 200-399
	Match    string        // must stand in the first 64 KiB of the content; "": anything will do
	Rise     int           // good checks in a row that bring a server back; default 2
	Fall     int           // bad checks in a row that take it out; default 3
}

// A StatusRange is an inclusive range of statuses.
type StatusRange struct{ Low, High int }

// An Outlier takes servers out for what their answers show.
type Outlier struct {
	Errors     int           // within Within that eject; default 5
	Within     time.Duration // default 10s
	Eject      time.Duration // the first time; default 30s
	MaxEjected int           // percent of servers that may be out at one time; default 50
}

// A Retry says how often another server is asked.
type Retry struct {
	Attempts     int // servers asked for one request, the first one included; default 3; 1: no retries
	Budget       int // percent of the requests of the last 10 s that may be retries; default 20
	MinPerSecond int // retries always allowed; default 10
}

// A Queue bounds what servers are asked at one time.
type Queue struct {
	PerServer int           // requests at one server at one time; 0: no limit
	Length    int           // requests that wait; default 0: the surplus is refused at once
	Timeout   time.Duration // for waiting; default 2s
}
