// Package admin serves the admin address: dashboard, health, status, metrics, reload and explain. It
// speaks about a running engine, never with the data plane.
//
// It is for the people who run weir. An address that is not loopback needs users; requests whose
// Host names something else than the admin address are refused (DNS rebinding), and so are
// changes that another website's page asks for (cross-site request forgery).
package admin

import (
	"context"
	"io"
	"log/slog"
	"net/http"

	"weir/observe"
)

// An Engine is what there is to look at and to steer. Its methods are called concurrently.
type Engine interface {
	// Status returns what /status answers with. It is called each second while a dashboard is open.
	Status() observe.Status
	// Traffic returns what has passed since the start.
	Traffic() observe.Traffic
	// Failures returns the last exchanges that failed, the newest first.
	Failures() []observe.Failure
	// WriteMetrics writes all metrics in Prometheus's text format.
	WriteMetrics(w io.Writer) error
	// Reload makes and swaps in the next snapshot. The error's text is for people: every problem with
	// its file, line and the quoted line. Warnings come with success.
	Reload(ctx context.Context) (warnings []string, err error)
	// Explain runs a request dry. The result is answered as JSON. An error is the request's.
	Explain(r ExplainRequest) (any, error)
}

// An ExplainRequest is a request to explain.
type ExplainRequest struct {
	Method string      `json:"method"` // "": GET
	URL    string      `json:"url"`
	Header http.Header `json:"header,omitempty"`
	Client string      `json:"client,omitempty"` // address of the client; "": loopback
}

// A Config is what the admin server is made of.
type Config struct {
	Listen string // "127.0.0.1:9180", "[::1]:9180", ":9180"; "": no TCP address
	Users  string // path of an htpasswd file with bcrypt hashes; needed where Listen is not loopback
	Socket string // path of a unix socket for the command line, only for its owner and group; "": none
}

// A Server serves the admin address.
type Server struct{}

// New opens the sockets; Serve begins to answer.
func New(c Config, e Engine, log *slog.Logger) (*Server, error) { return &Server{}, nil }

// Serve answers until Close, and returns nil then.
func (s *Server) Serve() error { return nil }

// Addr is the TCP address that is listened on, "" for none: what port 0 became.
func (s *Server) Addr() string { return "" }

// Handler is what is served, without a socket: for tests.
func (s *Server) Handler() http.Handler { return nil }

// Close stops listening and ends what is under way within ctx.
func (s *Server) Close(ctx context.Context) error { return nil }
