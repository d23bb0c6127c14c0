package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"time"

	"weir"
	"weir/internal/clock"
)

// A Config says of what an upstream is made. Zero values mean the defaults; it is not changed by
// this package and must not be changed by anybody once New has seen it.
type Config struct {
	Name      string
	Servers   []Server
	Discover  *Discover      // servers found by DNS, besides Servers
	Balance   string         // one of Balances; "": "round-robin"
	HashBy    *weir.Template // what "hash" and "maglev" go by; nil: the client's address
	Sticky    *Sticky        // a client stays with its server; nil: off
	Health    *Health        // active checks; nil: off
	Outlier   *Outlier       // passive ejection; nil: off
	Retry     Retry
	Queue     Queue
	SlowStart time.Duration // how long a server that comes into service takes to get its whole share; 0: off

	// Refresh bounds how long the addresses of a server given by name are taken for good; the TTL
	// decides between the bounds.
	Refresh Refresh

	// FirstLookup is how long a request waits for the very first addresses of an upstream none of
	// whose names has been resolved yet; default 5s.
	FirstLookup time.Duration

	// Transport makes what carries exchanges to one server; it is called once for each. How long a
	// server may take for one try is the transport's to keep (its connect and first-byte timeouts).
	Transport func(*weir.Endpoint) weir.Transport

	// Protocol is what Transport's speak, as status and explanations tell it; those that are a weir.Chooser know better.
	Protocol string

	// TransportKey stands for everything that Transport makes its transports of (timeouts, number of
	// kept connections, TLS). Transports are handed on to the next pool where it is the same.
	TransportKey string
}

// A Server is one server, or all the servers behind one name.
type Server struct {
	Address     string // "10.0.0.11:8080", "[::1]:80", "unix:/run/app.sock", "app.internal:8080"
	Weight      int    // share of the requests; default 1
	Backup      bool   // asked only while no other server is in service
	Location    string
	MaxRequests int // exchanges at a time, where it differs from Queue.PerServer; 0: that one
}

// Discover names a set of servers in the DNS.
type Discover struct {
	Name string // "_http._tcp.api.internal" (SRV), or "api.internal:8080" (A, AAAA)
}

// Refresh bounds the time between two look-ups of a name. The defaults are 5s and 5m.
type Refresh struct{ Min, Max time.Duration }

// Sticky keeps clients with their server by a cookie. The cookie names the server by a keyed digest
// of its address (see Deps.Secret).
type Sticky struct {
	Cookie   string        // its name; default "weir_" and the upstream's name
	Path     string        // default "/"
	Domain   string        // default: the host alone
	TTL      time.Duration // 0: until the browser is closed
	Secure   bool
	HTTPOnly bool
	SameSite string // "", "Lax", "Strict" or "None"
}

// Health says how servers are asked whether they are well.
type Health struct {
	TCP      bool   // a connection is proof enough; the fields about HTTP are not used
	GRPC     bool   // asked by gRPC's health protocol; of the fields about HTTP only Host and Header are used
	Service  string // with GRPC: what is asked for; "": the server as a whole
	Method   string
	Path     string // with query; default "/"
	Host     string // default: the server's address
	Header   []weir.Field
	Expect   []StatusRange // default 200-399
	Match    string        // must stand in the first 64 KiB of the content; "": anything will do
	Interval time.Duration // from the end of a check to the next one, ±10 %; default 5s
	Timeout  time.Duration // for the whole check; default 2s
	Rise     int           // good checks in a row that bring a server back; default 2
	Fall     int           // bad checks in a row that put a server out of service; default 3

	TLS func(*weir.Endpoint) *tls.Config // checks are encrypted; nil: they are not

	// Transport makes what carries one check, which is closed after it; by gRPC it must be of HTTP/2. nil: checks speak
	// HTTP/1.1, and TLS says whether they are encrypted.
	Transport func(*weir.Endpoint) weir.Transport
}

// A StatusRange is a range of status codes, both ends included.
type StatusRange struct{ From, To int }

// Outlier puts servers out of service that misbehave under real requests.
type Outlier struct {
	Errors     int           // failures in a row (faults of the server, statuses from 500); default 5
	Within     time.Duration // from the first to the last of them; default 10s
	Eject      time.Duration // how long, the first time; doubled each further time up to 16-fold; default 30s
	MaxEjected int           // percentage of the servers that may be out because of it; default 50. The last one in service never is.
}

// Retry says when another server is asked. It never is where a server may have acted on a request
// that may not be done twice, nor once an answer has begun.
type Retry struct {
	Attempts     int // servers asked for one request, the first one included; default 3; 1: no retries
	Budget       int // retries allowed, in percent of the requests of the last 10 s; default 20; negative: no limit
	MinPerSecond int // retries always allowed; default 10
}

// Queue bounds what a server has to do at a time, and lets a few requests wait for their turn.
type Queue struct {
	PerServer int           // exchanges at a time on each server; 0: no limit, and no queue
	Length    int           // requests that wait, at most; 0: none, the surplus is refused at once
	Timeout   time.Duration // how long a request waits; default 2s
}

// Deps are the things of the world that a pool uses. Zero values mean the real ones.
type Deps struct {
	Log      *slog.Logger  // what happens to servers; nil: nothing is said
	Clock    func() int64  // internal/clock.Now
	Rand     func() uint64 // any goroutine may call it
	Resolver Resolver      // the system's own name servers
	Dial     func(ctx context.Context, network, address string) (net.Conn, error)
	// Secret keys the digests in sticky cookies. It should be the same on all machines and after a
	// restart. Without one the digests are still stable, but who can guess the address of a server
	// can find out that he guessed right.
	Secret []byte
}

func (d Deps) orDefaults() Deps {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Clock == nil {
		d.Clock = clock.Now
	}
	if d.Rand == nil {
		d.Rand = rand.Uint64
	}
	if d.Dial == nil {
		d.Dial = new(net.Dialer).DialContext
	}
	if d.Resolver == nil {
		d.Resolver = SystemResolver()
	}
	return d
}

func orDuration(d *time.Duration, v time.Duration) {
	if *d <= 0 {
		*d = v
	}
}

func orInt(n *int, v int) {
	if *n <= 0 {
		*n = v
	}
}

func orString(s *string, v string) {
	if *s == "" {
		*s = v
	}
}

// orDefaults returns a copy of c with every default in its place.
func (c Config) orDefaults() Config {
	c.Servers = append([]Server(nil), c.Servers...)
	for i := range c.Servers {
		orInt(&c.Servers[i].Weight, 1)
	}
	orString(&c.Balance, "round-robin")
	orDuration(&c.FirstLookup, 5*time.Second)
	orDuration(&c.Refresh.Min, 5*time.Second)
	orDuration(&c.Refresh.Max, 5*time.Minute)
	orInt(&c.Retry.Attempts, 3)
	if c.Retry.Budget == 0 {
		c.Retry.Budget = 20
	}
	orInt(&c.Retry.MinPerSecond, 10)
	orDuration(&c.Queue.Timeout, 2*time.Second)
	c.Sticky = c.Sticky.orDefaults(c.Name)
	c.Health = c.Health.orDefaults()
	c.Outlier = c.Outlier.orDefaults()
	return c
}

func (s *Sticky) orDefaults(upstream string) *Sticky {
	if s == nil {
		return nil
	}
	d := *s
	orString(&d.Cookie, "weir_"+upstream)
	orString(&d.Path, "/")
	return &d
}

func (h *Health) orDefaults() *Health {
	if h == nil {
		return nil
	}
	d := *h
	orString(&d.Method, "GET")
	orString(&d.Path, "/")
	orDuration(&d.Interval, 5*time.Second)
	orDuration(&d.Timeout, 2*time.Second)
	orInt(&d.Rise, 2)
	orInt(&d.Fall, 3)
	if len(d.Expect) == 0 {
		d.Expect = []StatusRange{{200, 399}}
	}
	return &d
}

func (o *Outlier) orDefaults() *Outlier {
	if o == nil {
		return nil
	}
	d := *o
	orInt(&d.Errors, 5)
	orDuration(&d.Within, 10*time.Second)
	orDuration(&d.Eject, 30*time.Second)
	orInt(&d.MaxEjected, 50)
	return &d
}

// maxServers is the number of servers that balancers are made for.
const maxServers = 10000

// check returns what is wrong with a configuration that has its defaults.
func (c *Config) check() error {
	switch {
	case c.Name == "":
		return errors.New("an upstream has no name")
	case c.Transport == nil:
		return fmt.Errorf("upstream %q has no transport", c.Name)
	case len(c.Servers) == 0 && c.Discover == nil:
		return fmt.Errorf("upstream %q has no server", c.Name)
	case len(c.Servers) > maxServers:
		return fmt.Errorf("upstream %q has %d servers, more than %d", c.Name, len(c.Servers), maxServers)
	case !balanceKnown(c.Balance):
		return fmt.Errorf("upstream %q: balance %q is not one of %s", c.Name, c.Balance, balanceNames())
	}
	if h := c.Health; h != nil && h.GRPC && h.Transport == nil {
		return fmt.Errorf("upstream %q has no transport for its checks", c.Name)
	}
	for _, s := range c.Servers {
		if _, err := parseTarget(s.Address); err != nil {
			return fmt.Errorf("upstream %q: %w", c.Name, err)
		}
	}
	if c.Discover != nil {
		if _, err := parseDiscover(c.Discover.Name); err != nil {
			return fmt.Errorf("upstream %q: %w", c.Name, err)
		}
	}
	return nil
}
