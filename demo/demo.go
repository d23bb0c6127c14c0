// Package demo is a small world to try weir on: three kinds of origin servers in the process itself, which can be
// stopped, started and made sick, and the configuration of a site in front of them.
//
// The origins speak HTTP by weir's own server half (proto/h1), each on a loopback port of its own. What stands in
// front of them is not made here: the caller runs [World.Config] as any other configuration.
package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"weir"
	"weir/examples"
	"weir/internal/poll"
	"weir/server"
)

// Addresses in examples/demo.hcl of the site and the admin address.
const (
	DefaultSite  = "127.0.0.1:8080"
	DefaultAdmin = "127.0.0.1:9180"
)

// origins are the servers and the address that each has in examples/demo.hcl.
var origins = [...]struct{ name, address string }{
	{"shop-1", "127.0.0.1:9001"},
	{"shop-2", "127.0.0.1:9002"},
	{"shop-3", "127.0.0.1:9003"},
	{"api", "127.0.0.1:9004"},
	{"stream", "127.0.0.1:9005"},
}

const echoAddress = "127.0.0.1:9006"

// A World is the running origin servers. All methods may be called concurrently.
type World struct {
	server *server.Server
	echo   *echo
	all    []*origin

	mu sync.Mutex // protects stopped of all
}

// An origin is one server.
type origin struct {
	name    string
	handler weir.Handler
	spec    server.ListenerSpec
	stopped bool        // does not listen
	sick    atomic.Bool // answers everything with 503
	served  atomic.Int64
}

// Start starts the origins on free loopback ports, their connections on the pollers of g.
func Start(g *poll.Group) (*World, error) {
	w := &World{}
	var sockets []server.Inherited
	for _, o := range origins {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			closeAll(sockets)
			return nil, fmt.Errorf("demo servers: %w", err)
		}
		sockets = append(sockets, server.Inherited{Name: o.name, Listener: l})
		// With its address written down, a server that was stopped comes back where it was.
		w.all = append(w.all, &origin{name: o.name, spec: server.ListenerSpec{Name: o.name, Address: l.Addr().String()}})
	}
	for _, o := range w.all {
		o.handler = w.handler(o)
	}
	w.server = server.New(server.Config{Group: g, Inherited: sockets})
	if err := w.apply(); err != nil {
		closeAll(sockets)
		return nil, fmt.Errorf("demo servers: %w", err)
	}
	var err error
	if w.echo, err = startEcho(); err != nil {
		w.server.Close(context.Background())
		return nil, fmt.Errorf("demo servers: %w", err)
	}
	return w, nil
}

func closeAll(sockets []server.Inherited) {
	for _, s := range sockets {
		s.Listener.Close()
	}
}

// Close stops the origins and breaks off what they are doing.
func (w *World) Close(ctx context.Context) error {
	w.echo.close()
	return w.server.Close(ctx)
}

// Config returns examples/demo.hcl with the addresses that the origins have, site for the site's and admin for the
// admin address.
func (w *World) Config(site, admin string) string {
	pairs := []string{DefaultSite, site, DefaultAdmin, admin, echoAddress, w.echo.addr()}
	for i, o := range w.all {
		pairs = append(pairs, origins[i].address, o.spec.Address)
	}
	return strings.NewReplacer(pairs...).Replace(examples.Demo)
}

// FreeAddress returns address if nobody listens there, else one on the same host with a free port: one below those that
// systems give by default to who asks for any, since another may get such a one a moment later.
func FreeAddress(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil || port != "0" && isFree(address) {
		return address
	}
	for range 1000 {
		if a := net.JoinHostPort(host, strconv.Itoa(10000+rand.IntN(10000))); isFree(a) {
			return a
		}
	}
	return address
}

func isFree(address string) bool {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	l.Close()
	return true
}

// handler is what the server of o does: nothing but complain when it is sick.
func (w *World) handler(o *origin) weir.Handler {
	var next func(*weir.Exchange) error
	switch {
	case strings.HasPrefix(o.name, "shop"):
		next = shop{o.name}.serve
	case o.name == "api":
		next = api{w}.serve
	default:
		next = serveEvents
	}
	return weir.HandlerFunc(func(x *weir.Exchange) error {
		o.served.Add(1)
		defer x.Response.Header.Set("X-Served-By", o.name)
		switch {
		case o.sick.Load():
			x.Response.Text(503, o.name+" is sick\n")
			return nil
		case x.Request.Path == "/healthz":
			x.Response.Text(200, "well\n")
			return nil
		}
		return next(x)
	})
}

// apply has those servers listen that are not stopped; w.mu is held, or nobody else knows w.
func (w *World) apply() error {
	next := &server.Snapshot{
		Observer: weir.Observers{},
		Router: weir.HandlerFunc(func(x *weir.Exchange) error {
			return w.origin(x.Conn.Listener).handler.ServeExchange(x)
		}),
	}
	for _, o := range w.all {
		if !o.stopped {
			next.Listeners = append(next.Listeners, o.spec)
		}
	}
	return w.server.Swap(next)
}

func (w *World) origin(name string) *origin {
	if i := slices.IndexFunc(w.all, func(o *origin) bool { return o.name == name }); i >= 0 {
		return w.all[i]
	}
	return nil
}

// change makes a server do what its name says: stop, start, sick, well. It returns false for a server or a word
// that is not known, and for the api itself, which could not be asked to come back.
func (w *World) change(name, what string) (bool, error) {
	o := w.origin(name)
	if o == nil || name == "api" {
		return false, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch what {
	case "sick", "well":
		o.sick.Store(what == "sick")
		return true, nil
	case "stop", "start":
		o.stopped = what == "stop"
		return true, w.apply()
	}
	return false, nil
}

// A state is what there is to say of a server.
type state struct {
	Server  string `json:"server"`
	Address string `json:"address"`
	State   string `json:"state"`
	Served  int64  `json:"served"`
}

func (w *World) states() []state {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []state
	for _, o := range w.all {
		s := state{o.name, o.spec.Address, "well", o.served.Load()}
		switch {
		case o.stopped:
			s.State = "stopped"
		case o.sick.Load():
			s.State = "sick"
		}
		out = append(out, s)
	}
	return out
}
