package fcgi

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
	"weir/proto/internal/ask"
)

// TransportConfig is how a transport behaves. Zero values mean the defaults.
type TransportConfig struct {
	Group     *poll.Group   // whose pollers carry the connections; required
	Connect   time.Duration // to establish a connection; default 5s
	FirstByte time.Duration // from the end of the request to the end of the answer's head; default 60s
	Stall     time.Duration // silence in the middle of an answer, or of a server that takes no more; default 60s
	Limits    Limits        // of answers

	// KeepAlive is how many idle connections are kept, at most; default 0: none. Each of them holds a process of
	// php-fpm, so that it must be lower than pm.max_children.
	KeepAlive int
	KeepIdle  time.Duration // how long an idle one is kept; default 60s

	// Dial makes a connection to address until deadline, and breaks off when the client goes; nil: Group does. An
	// error that is a *weir.Fault tells its cause.
	Dial func(x *weir.Exchange, address string, deadline int64) (poll.Conn, error)

	Root      string // folder of the scripts, as the server sees it; an absolute path; required
	Remote    bool   // Root is not this machine's: nobody can look whether a script exists
	Index     string // script of a folder; default "index.php"
	SplitPath string // what the segment ends with that names a script; default ".php"

	Env    map[string]string // further variables, or other values for those that there are; "" is a value
	Spool  Spool             // of request bodies of unknown length
	Stderr func(line string) // gets what scripts complain of, printable, at most 100 lines a request and 4 KiB a line; must not block; nil: nobody
}

func (c TransportConfig) orDefaults() TransportConfig {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&c.Connect, 5*time.Second)
	def(&c.FirstByte, time.Minute)
	def(&c.Stall, time.Minute)
	def(&c.KeepIdle, time.Minute)
	if c.Index == "" {
		c.Index = "index.php"
	}
	if c.SplitPath == "" {
		c.SplitPath = ".php"
	}
	if c.Dial == nil {
		c.Dial = ask.Dial(c.Group)
	}
	c.Limits = c.Limits.orDefaults()
	c.Spool = c.Spool.orDefaults()
	return c
}

// maxEnv bounds the configuration's variables together.
const maxEnv = 32 << 10

// Check says what makes the configuration impossible.
func (c TransportConfig) Check() error {
	if !filepath.IsAbs(c.Root) || strings.ContainsRune(c.Root, 0) {
		return fmt.Errorf("root %q: not an absolute path", c.Root)
	}
	if strings.ContainsAny(c.Index, "/\x00") {
		return fmt.Errorf("index %q: not the name of a file", c.Index)
	}
	if strings.ContainsAny(c.SplitPath, "/%\x00") {
		return fmt.Errorf("split path %q: not the end of a file's name", c.SplitPath)
	}
	size := 0
	for name, value := range c.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(value, 0) {
			return fmt.Errorf("variable %q: malformed", name)
		}
		size += len(name) + len(value)
	}
	if size > maxEnv {
		return fmt.Errorf("variables: %d bytes, more than %d", size, maxEnv)
	}
	return nil
}

// A Transport is a weir.Transport that speaks FastCGI with one server.
type Transport struct {
	ep      *weir.Endpoint
	cfg     TransportConfig
	env     environment
	spooled atomic.Int64 // bytes of request bodies held at present
	closed  atomic.Bool
	idle    atomic.Int64
	shelves []shelf
}

var _ weir.Transport = (*Transport)(nil)

// NewTransport returns the transport to ep.
func NewTransport(ep *weir.Endpoint, c TransportConfig) (*Transport, error) {
	c = c.orDefaults()
	if err := c.Check(); err != nil {
		return nil, err
	}
	root := strings.TrimRight(filepath.Clean(c.Root), "/")
	return &Transport{
		ep: ep, cfg: c, shelves: make([]shelf, c.Group.Shards()),
		env: environment{
			scripts: scripts{root: root, index: c.Index, suffix: c.SplitPath, remote: c.Remote},
			own:     maps.Clone(c.Env), names: slices.Sorted(maps.Keys(c.Env)),
		},
	}, nil
}

// RoundTrip implements weir.Transport. A request for a script that does not exist is answered with 404 without
// asking the server. One that fails on a kept connection before any byte of an answer goes out once more on a new one,
// if it may.
func (t *Transport) RoundTrip(x *weir.Exchange) error {
	sc, ok := t.env.scripts.find(x.Request.Path)
	if !ok {
		return weir.Refuse(weir.CauseRequestPath, "find script")
	}
	if !t.cfg.Remote {
		there, err := t.env.scripts.look(sc)
		if err != nil {
			return &weir.Fault{Op: "find script", Side: weir.SideWeir, Cause: weir.CauseInternal, Err: err}
		}
		if !there {
			x.Response.Text(404, "404 "+weir.StatusText(404)+"\n")
			x.Note = "no such script: " + sc.name
			return nil
		}
	}
	if f := t.spool(x); f != nil {
		return f
	}
	u := t.take(x)
	for {
		kept := u != nil
		if !kept {
			var f *weir.Fault
			if u, f = t.dial(x); f != nil {
				return f
			}
		}
		f := u.roundTrip(x, sc)
		if f == nil {
			return nil
		}
		if !kept || !ask.MayRepeat(x, f) {
			return f
		}
		u = nil
	}
}

func (t *Transport) dial(x *weir.Exchange) (*conn, *weir.Fault) {
	c, err := t.cfg.Dial(x, t.ep.Address, clock.Now()+int64(t.connectTime(x.Route)))
	if err != nil {
		return nil, ask.DialFault(t.ep, err)
	}
	return &conn{Conn: c, t: t, errors: errorLines{to: t.cfg.Stderr}}, nil
}

func (t *Transport) fault(c weir.Cause, r weir.Retry, op string, err error) *weir.Fault {
	return ask.Fault(t.ep, c, r, op, err)
}

// readFault makes a fault of an error that ended the wait for an answer's head. begun: something had come.
func (u *conn) readFault(err error, begun bool) *weir.Fault {
	switch {
	case err == poll.ErrCanceled:
		return u.canceled()
	case isMalformed(err):
		return u.t.fault(weir.CauseUpstreamFraming, weir.RetryNever, "read from", err)
	}
	return ask.ReadFault(u.t.ep, err, begun, weir.CauseUpstreamReset)
}

func isMalformed(err error) bool { return err == errRecord || err == errRequest || err == errType }

// patience returns how long the server may take: as the route says, or else the transport.
func (t *Transport) patience(r *weir.Route) (firstByte, stall time.Duration) {
	return ask.Patience(r, t.cfg.FirstByte, t.cfg.Stall)
}

func (t *Transport) connectTime(r *weir.Route) time.Duration {
	return ask.ConnectTime(r, t.cfg.Connect)
}
