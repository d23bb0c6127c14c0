// Package admin serves the admin address: dashboard, health, status, metrics, reload and explain. It
// speaks about a running engine, never with the data plane.
//
//	GET  /           the dashboard
//	GET  /healthz    200 while weir serves, else 503; needs no password
//	GET  /status     observe.Status as JSON
//	GET  /live       what the dashboard asks for each second (Live) as JSON
//	GET  /failures   the last exchanges that failed, as JSON
//	GET  /metrics    Prometheus's text format
//	POST /reload     {"warnings": [...], "partly": false}, or with status 422 {"error": "..."}
//	GET  /certificates        Certificates as JSON
//	GET  /certificates/root   the root of weir's own authority in PEM, or 404
//	POST /certificates/renew  {"name": "..."}; Certificates as JSON, with status 422 where there is no new one
//	GET  /explain    ?url=&method=&header=Name: value&client=
//	POST /explain    ExplainRequest as JSON
//
// It is for the people who run weir. An address that is not loopback needs users; without users, requests
// whose Host is a name other than localhost or the configured one are refused (DNS rebinding); and so
// is whatever changes something at the wish of another website's page (cross-site request forgery). On
// the unix socket, who may open it may use it.
package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"

	"weir/observe"
)

const (
	maxConns    = 128
	maxHeader   = 16 << 10
	maxBody     = 64 << 10
	headTimeout = 5 * time.Second
	readTimeout = 10 * time.Second
	// writeTimeout bounds a whole answer: that to a reload comes when the reload is over.
	writeTimeout = 2 * time.Minute
	idleTimeout  = time.Minute
)

// An Engine is what there is to look at and to steer. Its methods are called concurrently.
type Engine interface {
	// State returns what /healthz answers with. It costs nothing and waits for nothing: anybody may ask, at any time.
	State() observe.State
	// Status returns what /status answers with. It is called each second while a dashboard is open.
	Status() observe.Status
	// Traffic returns what has passed since the start.
	Traffic() observe.Traffic
	// Failures returns the last exchanges that failed, the newest first.
	Failures() []observe.Failure
	// WriteMetrics writes all metrics in Prometheus's text format.
	WriteMetrics(w io.Writer) error
	// Reload makes and swaps in the next snapshot. The error's text is for people: every problem with
	// its file, line and the quoted line. Warnings come with success. partly: some of them are errors, and what they
	// are about is as it was before, or not served.
	Reload(ctx context.Context) (warnings []string, partly bool, err error)
	// Renew gets new certificates in the place of those that a name leads to, waits for them and returns what is
	// there then. The error's text is for people: the step that failed and why. It is one of cert.ErrNoName where
	// the name leads to none.
	Renew(ctx context.Context, name string) ([]observe.CertificateStatus, error)
	// Root returns the root of weir's own authority in PEM; the error says that there is none.
	Root() ([]byte, error)
	// Explain runs a request dry. The result is answered as JSON. An error is the request's.
	Explain(r ExplainRequest) (any, error)
}

// An ExplainRequest is a request to explain.
type ExplainRequest struct {
	Method string      `json:"method"` // "": GET
	URL    string      `json:"url"`
	Header http.Header `json:"header,omitempty"`
	Client string      `json:"client,omitempty"` // address of the client; "": loopback
	// Listener is the name of the one that takes it; "": the one with the URL's port, or else the first.
	Listener string `json:"listener,omitempty"`
	Target   string `json:"target,omitempty"`  // in place of the URL's path and query: "*"
	Version  string `json:"version,omitempty"` // of HTTP: "1.0", "1.1", "2", "3"; "": as the listener speaks
}

// A Config is what the admin server is made of.
type Config struct {
	Listen string // "127.0.0.1:9180", "[::1]:9180", ":9180", "unix:/path"; "": no TCP address
	Users  string // path of an htpasswd file with bcrypt hashes; needed where Listen is not loopback
	Socket string // path of a unix socket for the command line, only for its owner and group; "": none
}

// A Server serves the admin address.
type Server struct {
	listeners []net.Listener
	http      *http.Server
}

// New opens the sockets; Serve begins to answer. An error means that an address cannot be had, that the users
// cannot be read, or that there must be some.
func New(c Config, e Engine, log *slog.Logger) (*Server, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	g, err := newGuard(c, log)
	if err != nil {
		return nil, err
	}
	s := &Server{http: &http.Server{
		Handler:           g.wrap(routes(e, log)),
		ReadHeaderTimeout: headTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
	if err := s.open(c); err != nil {
		s.closeListeners()
		return nil, err
	}
	return s, nil
}

func (s *Server) open(c Config) error {
	for _, address := range []string{c.Listen, socketAddress(c.Socket)} {
		if address == "" {
			continue
		}
		ln, err := listen(address)
		if err != nil {
			return fmt.Errorf("listen %q: %w", address, err)
		}
		s.listeners = append(s.listeners, netutil.LimitListener(ln, maxConns))
	}
	return nil
}

// Serve answers until Close, and returns nil then.
func (s *Server) Serve() error {
	ended := make(chan error, len(s.listeners))
	for _, ln := range s.listeners {
		go func() { ended <- s.http.Serve(ln) }()
	}
	var first error
	for range s.listeners {
		if err := <-ended; err != nil && !errors.Is(err, http.ErrServerClosed) && first == nil {
			first = err
		}
	}
	return first
}

// Addr is the TCP address that is listened on, "" for none: what port 0 became.
func (s *Server) Addr() string {
	for _, ln := range s.listeners {
		if a, ok := ln.Addr().(*net.TCPAddr); ok {
			return a.String()
		}
	}
	return ""
}

// Handler is what is served, without a socket: for tests.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Close stops listening and lets what is under way end within ctx; what has not ended then is broken off.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	s.closeListeners() // of a server that never served
	if err != nil {
		s.http.Close()
	}
	return err
}

func (s *Server) closeListeners() {
	for _, ln := range s.listeners {
		ln.Close()
	}
}
