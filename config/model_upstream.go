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

// An Upstream is a named set of servers that can answer the same requests.
type Upstream struct {
	Name      string // an upstream that a route names by an address has that address as its name
	Anonymous bool   // it is one of those
	Pos       Pos
	Servers   []Server
	Discover  *Discover // servers found by DNS, beside those that are written; may be nil

	Balance   string // one of the constants; default RoundRobin
	HashBy    string // template, with Hash and Maglev; default "{client.ip}"
	Sticky    *Sticky
	Health    *Health  // active checks; nil: none
	Outlier   *Outlier // passive ejection; nil: none
	Retry     Retry
	Queue     Queue
	SlowStart time.Duration // 0: none

	Keepalive     int           // idle connections that are kept for each server; default 128; 0: none
	KeepaliveIdle time.Duration // how long one is kept; default 60s
	Timeouts      UpstreamTimeouts
	Host          string // template for the Host that servers see; "": as the client sent it
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
	Weight         int    // default 1; 0: takes no new requests but sticky ones
	Backup         bool   // only asked where no other can be
	MaxConnections int    // requests at one time; 0: as Queue.PerServer says
}

// A Discover names the DNS entry whose addresses are servers.
type Discover struct {
	Pos     Pos
	Name    string        // "_http._tcp.example" asks for SRV, all else for A and AAAA
	Port    int           // with A and AAAA; 0 with SRV
	Server  string        // DNS server "127.0.0.1:53"; "": the system's
	Refresh time.Duration // at the latest; 0: when the TTL ends
}

// A Sticky keeps a client at its server by a cookie.
type Sticky struct {
	Cookie   string
	Path     string        // default "/"
	MaxAge   time.Duration // 0: a session's
	Secure   bool
	SameSite string // "lax", "strict", "none" or ""
}

// A Health is an active check.
type Health struct {
	TCP      bool   // only connect
	Path     string // default "/"
	Method   string // default GET
	Host     string // default: the server's address
	Headers  []Field
	Interval time.Duration // default 2s
	Timeout  time.Duration // default 1s
	Expect   []StatusRange // default 200-399
	Rise     int           // good checks in a row that bring a server back; default 1
	Fall     int           // bad checks in a row that take it out; default 2
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
	Attempts int           // servers asked beyond the first; default 2; 0: none
	Budget   int           // percent of requests that may be retries; default 20
	On       []StatusRange // answers that count as failed, for requests that may be repeated; default none
	Timeout  time.Duration // for each try up to the answer's head; 0: FirstByte alone
}

// A Queue bounds what servers are asked at one time.
type Queue struct {
	PerServer int           // requests at one server at one time; 0: no limit
	Length    int           // requests that wait; default 0: none
	Timeout   time.Duration // for waiting; default 1s
}
