package observe

import (
	"slices"
	"sync"
	"time"

	"weir"
	"weir/internal/clock"
)

const recentPlaces = 100

// Recent keeps the last exchanges that failed: those with a fault, and those answered with 5xx. The
// client's faults and the others have 100 places each, so that a flood of bad requests hides nothing.
// An exchange that went well costs two comparisons. Its methods may be called concurrently.
type Recent struct {
	clients, others ring
}

// A Failure is an exchange that failed.
type Failure struct {
	Time     time.Time `json:"time"` // when it ended
	Client   string    `json:"client"`
	Method   string    `json:"method"`
	Host     string    `json:"host"`
	Path     string    `json:"path"` // without the query, which may hold secrets
	Status   int       `json:"status"`
	Site     string    `json:"site,omitempty"`
	Route    string    `json:"route,omitempty"`
	Upstream string    `json:"upstream,omitempty"`
	Server   string    `json:"server,omitempty"`
	Attempts int       `json:"attempts,omitempty"`
	Outcome  string    `json:"outcome"`
	Side     string    `json:"side"`
	Error    string    `json:"error,omitempty"`
	Meaning  string    `json:"meaning"`
	Remedy   string    `json:"remedy"`
	Note     string    `json:"note,omitempty"`
	ID       string    `json:"id,omitempty"`
}

// A ring keeps the last exchanges it was given.
type ring struct {
	mu   sync.Mutex // protects what follows
	kept [recentPlaces]failure
	n    uint64 // given so far
}

// A failure holds strings of the exchange as they are: the text is made when somebody reads.
type failure struct {
	end                                  int64
	client, method, host, path, note, id string
	site, route, upstream, server        string
	status, attempts                     int
	fault                                *weir.Fault
}

// NewRecent returns an empty one.
func NewRecent() *Recent { return &Recent{} }

// Observe implements [weir.Observer].
func (r *Recent) Observe(x *weir.Exchange) {
	if x.Fault == nil && x.Response.Status < 500 {
		return
	}
	into := &r.others
	if x.Fault != nil && x.Fault.Side == weir.SideClient {
		into = &r.clients
	}
	f := failureOf(x)
	into.mu.Lock()
	into.kept[into.n%recentPlaces] = f
	into.n++
	into.mu.Unlock()
}

func failureOf(x *weir.Exchange) failure {
	f := failure{
		end: x.Timing.End, client: x.ClientIP,
		method: x.Request.Method, host: x.Request.Authority, path: sentPath(&x.Request),
		note: x.Note, id: x.ID, status: x.Response.Status, attempts: x.Attempts, fault: x.Fault,
	}
	if x.Route != nil {
		f.site, f.route, f.upstream = x.Route.Site, x.Route.Name, x.Route.Upstream
	}
	if x.Endpoint != nil {
		f.upstream, f.server = x.Endpoint.Upstream, x.Endpoint.Name
	}
	return f
}

// Failures returns the failures that are kept, the newest first.
func (r *Recent) Failures() []Failure {
	all := append(r.clients.all(), r.others.all()...)
	slices.SortFunc(all, func(a, b failure) int { return int(min(max(b.end-a.end, -1), 1)) })
	out := make([]Failure, len(all))
	for i := range all {
		out[i] = all[i].text()
	}
	return out
}

func (r *ring) all() []failure {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.kept[:min(r.n, recentPlaces)])
}

func (f *failure) text() Failure {
	out := Failure{
		Time: clock.Wall(f.end), Client: f.client, Method: f.method, Host: f.host, Path: f.path,
		Status: f.status, Site: f.site, Route: f.route, Upstream: f.upstream, Server: f.server,
		Attempts: f.attempts, Note: f.note, ID: f.id,
		Outcome: OutcomeOK, Side: weir.SideUpstream.String(),
		Meaning: "the server itself answered with this status",
		Remedy:  "see the server's own log of that time",
	}
	if f.upstream == "" {
		out.Side = weir.SideWeir.String()
		out.Meaning, out.Remedy = "the route answers with this status", "see the route's configuration"
	}
	if f.fault != nil {
		c := f.fault.Cause
		out.Outcome, out.Side, out.Error = c.String(), f.fault.Side.String(), f.fault.Error()
		out.Meaning, out.Remedy = c.Meaning(), c.Remedy()
	}
	return out
}
