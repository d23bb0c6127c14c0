package assemble

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"weir/config"
	"weir/internal/poll"
	"weir/observe"
	"weir/server"
)

// Options are what an Engine is made of.
type Options struct {
	// Config reads the configuration: at the start, and for each reload.
	Config func() (*config.Config, config.Diagnostics)

	Log     *slog.Logger // events; nil: none
	Group   *poll.Group  // carries the connections; required to start
	Version string       // as /status tells it

	Inherited []server.Inherited         // sockets that somebody else opened
	Bound     func(*config.Config) error // called once, when all sockets are open and nothing is accepted yet
	Changed   func(*config.Config)       // called after each change of the configuration, the first included
}

// An Engine is a running proxy. Its methods may be called concurrently.
type Engine struct {
	o       Options
	server  *server.Server
	metrics *observe.Metrics
	recent  *observe.Recent
	logs    *observe.Logs
	via     string // this process in Via
	certs   *certs // nil: nothing is encrypted, since nothing is served
	secret  []byte // keys what clients get to keep; nil: nothing is kept over a restart
	started time.Time
	dry     bool // nothing is opened
	draft   bool // with dry: of what is broken as much is built as possible, to find errors

	current atomic.Pointer[generation]
	state   atomic.Pointer[observe.State]
	janitor janitor

	mu     sync.Mutex // one change at a time; protects reload
	reload observe.ReloadStatus
}

// New returns an engine that does nothing yet.
func New(o Options) *Engine {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	e := &Engine{
		o: o, recent: observe.NewRecent(), logs: observe.NewLogs(o.Log), via: random(6),
		started: time.Now(),
	}
	shards := 1
	if o.Group != nil {
		shards = o.Group.Shards()
	}
	e.metrics = observe.NewMetrics(shards)
	e.setState(observe.Starting)
	return e
}

func random(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// pseudonym is what weir calls itself in Via: the configured name, or one that tells nothing.
func (e *Engine) pseudonym(c *config.Config) string {
	if c.Pseudonym != "" {
		return c.Pseudonym
	}
	return e.via
}

func (e *Engine) setState(s observe.State) { e.state.Store(&s) }

var errNothing = errors.New("the configuration cannot be used")

// Start reads the configuration and serves it. What is broken of it is left out; the diagnostics say so.
// The error is why nothing is served at all.
func (e *Engine) Start(ctx context.Context) (config.Diagnostics, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer e.janitor.tidy(allocated())
	c, diags := e.o.Config()
	if c == nil {
		return diags, errNothing
	}
	e.secret = secretOf(c.StateDir, e.o.Log)
	e.certs = newCerts(c.StateDir, e.o.Log)
	var first *generation
	e.server = server.New(server.Config{
		Group: e.o.Group, Log: e.o.Log, Inherited: e.o.Inherited,
		Bound: func() error {
			if e.o.Bound != nil {
				if err := e.o.Bound(c); err != nil {
					return err
				}
			}
			e.certs.manage(first) // what is kept of certificates is at hand before anybody asks
			first, c = nil, nil   // for the server keeps this function
			return nil
		},
	})
	g, found := e.build(c, nil)
	first = g
	diags = append(diags, found...)
	if len(g.snapshot.Listeners) == 0 {
		g.discard()
		return diags, errors.New("there is no listener to serve")
	}
	if g.allBroken() {
		g.discard()
		return diags, errors.New("there is no site to serve: each has errors")
	}
	if err := e.swap(g); err != nil {
		return diags, err
	}
	e.reload.Loaded = g.snapshot.Loaded
	e.setState(observe.Serving)
	e.logBroken(g)
	return diags, nil
}

// Reload reads the configuration anew and serves it from now on. An error means that it was refused and
// that nothing has changed.
func (e *Engine) Reload(ctx context.Context) (config.Diagnostics, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer e.janitor.tidy(allocated())
	diags, err := e.tryReload()
	if e.certs != nil {
		e.certs.watcher.Check() // who renews a certificate asks for a reload and wants it in force, not in half a minute
	}
	if err != nil {
		e.reload.Failed++
		e.reload.LastTry = time.Now()
		e.reload.Error = err.Error()
		e.o.Log.Error("reload refused", "error", err)
		return diags, err
	}
	e.reload.Succeeded++
	e.reload.Error = ""
	e.reload.Loaded = e.current.Load().snapshot.Loaded
	g := e.current.Load()
	e.o.Log.Info("reloaded", "sites", len(g.sites))
	e.logBroken(g)
	return diags, nil
}

// logBroken tells what of the configuration is not served as it is written.
func (e *Engine) logBroken(g *generation) {
	for _, v := range g.sites {
		switch v.state {
		case observe.SiteKept:
			e.o.Log.Error("site is broken: its last good version is served", "site", v.Name, "reason", v.why.Error())
		case observe.SiteBroken:
			text := "site is broken: it is not served"
			if v.Unread {
				text += ", and which hosts it has could not be read"
			}
			e.o.Log.Error(text, "site", v.Name, "reason", v.why.Error())
		}
	}
	for _, f := range g.config.LostFiles {
		e.o.Log.Error("file is broken: which sites are in it could not be read", "file", f.Name, "reason", f.Why.Error())
	}
	for _, l := range g.config.BrokenListeners {
		e.o.Log.Error("listener is broken", "listener", l.Name, "kept", g.has(l.Name), "reason", l.Why.Error())
	}
	for _, u := range g.config.BrokenUpstreams {
		e.o.Log.Error("upstream is broken", "upstream", u.Name, "reason", u.Why.Error())
	}
}

func (e *Engine) tryReload() (config.Diagnostics, error) {
	prev := e.current.Load()
	if prev == nil {
		return nil, errors.New("not started")
	}
	c, diags := e.o.Config()
	if c == nil {
		return diags, errNothing
	}
	g, found := e.build(c, prev)
	diags = append(diags, found...)
	if g.failedExpects > 0 {
		g.discard()
		return diags, errors.New("the configuration fails its own tests")
	}
	if len(g.snapshot.Listeners) == 0 {
		g.discard()
		return diags, errors.New("there is no listener left to serve")
	}
	return diags, e.swap(g)
}

// swap makes g the current generation.
func (e *Engine) swap(g *generation) error {
	prev := e.current.Load()
	if err := e.server.Swap(g.snapshot); err != nil {
		g.discard()
		return err
	}
	e.current.Store(g)
	g.start()
	if prev != nil {
		e.certs.manage(g)
	}
	if prev != nil {
		prev.retire()
	}
	e.metrics.Retain(g.routes)
	e.logs.Retain(g.logs)
	if e.o.Changed != nil {
		e.o.Changed(g.config)
	}
	return nil
}

// Drain stops accepting, lets what is under way end, and returns when all of it has, or with ctx's error.
func (e *Engine) Drain(ctx context.Context) error {
	e.setState(observe.Draining)
	if e.server == nil {
		return nil
	}
	return e.server.Drain(ctx)
}

// Close breaks off what is left and gives everything back.
func (e *Engine) Close() error {
	e.setState(observe.Draining)
	var err error
	if e.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeTime)
		defer cancel()
		err = e.server.Close(ctx)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if g := e.current.Load(); g != nil {
		g.retire()
	}
	if e.certs != nil {
		e.certs.close()
	}
	e.logs.Close()
	e.janitor.wait()
	return err
}

// closeTime is how long Close waits for connections that it has broken off.
const closeTime = 2 * time.Second

// Config returns the configuration that is served; nil before Start.
func (e *Engine) Config() *config.Config {
	if g := e.current.Load(); g != nil {
		return g.config
	}
	return nil
}

// Addr returns the address that the listener listens on, or nil: what port 0 became.
func (e *Engine) Addr(listener string) net.Addr { return e.server.Addr(listener) }

// Unclaimed returns the inherited sockets that no listener has taken.
func (e *Engine) Unclaimed() []string { return e.server.Unclaimed() }

// ReopenLogs reopens the files of all access logs, after somebody has renamed them.
func (e *Engine) ReopenLogs() { e.logs.Reopen() }

// Traffic returns what has passed since the start.
func (e *Engine) Traffic() observe.Traffic { return e.metrics.Traffic() }

// Failures returns the last exchanges that failed, the newest first.
func (e *Engine) Failures() []observe.Failure { return e.recent.Failures() }

// WriteMetrics writes all metrics in Prometheus's text format.
func (e *Engine) WriteMetrics(w io.Writer) error { return e.metrics.WritePrometheus(w, e.Status()) }
