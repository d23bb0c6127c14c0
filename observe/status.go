package observe

import "time"

// A Status is all that weir tells of itself at one moment. Its JSON form is what /status answers
// with; [Metrics.WritePrometheus] takes its gauges from it. Times that have not happened are left out.
type Status struct {
	Version   string           `json:"version"`
	State     State            `json:"state"`
	Started   time.Time        `json:"started"`
	Uptime    float64          `json:"uptime"` // seconds
	Reload    ReloadStatus     `json:"reload"`
	Listeners []ListenerStatus `json:"listeners"`
	Sites     []SiteStatus     `json:"sites"`
	Upstreams []UpstreamStatus `json:"upstreams"`
	Logs      []LogStatus      `json:"logs"`

	Certificates []CertificateStatus `json:"certificates"`
	ACME         ACMEStatus          `json:"acme"`
}

// A State is what weir does as a whole.
type State string

// The states.
const (
	Starting State = "starting" // sockets are not open yet
	Serving  State = "serving"
	Draining State = "draining" // accepts nothing new and ends what is under way
)

// A ReloadStatus tells how the configuration came to be what it is.
type ReloadStatus struct {
	Succeeded uint64    `json:"succeeded"` // reloads since the start
	Failed    uint64    `json:"failed"`
	Loaded    time.Time `json:"loaded,omitzero"`       // when the current configuration took effect
	LastTry   time.Time `json:"last_failure,omitzero"` // when one was refused last
	Error     string    `json:"error,omitempty"`       // why the last one was refused; "" if it was not
}

// A ListenerStatus is one address that weir accepts connections on.
type ListenerStatus struct {
	Name      string   `json:"name"`
	Address   string   `json:"address"`
	Draining  bool     `json:"draining,omitempty"`
	TLS       bool     `json:"tls"`             // connections are encrypted
	Protocols []string `json:"protocols"`       // "h1", "h2", "h3"; without TLS "h1", "h2c"
	Open      int64    `json:"open"`            // connections now
	Limit     int      `json:"limit,omitempty"` // of connections; 0: none
	Accepted  uint64   `json:"accepted"`        // connections since it was opened
	Refused   uint64   `json:"refused"`         // of these, beyond the limit

	// Of these, closed for want of a proper PROXY header.
	Strangers uint64 `json:"strangers,omitempty"`

	Handshakes HandshakeStatus `json:"handshakes,omitzero"`
}

// A SiteStatus is one site and its routes.
type SiteStatus struct {
	Name   string        `json:"name"`
	Hosts  []string      `json:"hosts"`
	State  SiteState     `json:"state"`
	Reason string        `json:"reason,omitempty"` // why it is not SiteOK, with the quoted lines
	Routes []RouteStatus `json:"routes"`
}

// A SiteState says which version of a site is served.
type SiteState string

// The states of a site.
const (
	SiteOK     SiteState = "ok"
	SiteKept   SiteState = "kept"   // the new version is broken: its last good one is served
	SiteBroken SiteState = "broken" // there is no good version: not served
)

// A RouteStatus is one route as `weir explain` and the metrics name it.
type RouteStatus struct {
	Name     string   `json:"name"`
	Upstream string   `json:"upstream,omitempty"`
	Steps    []string `json:"steps,omitempty"` // features of its chain, in order
}

// An UpstreamStatus is one upstream and its servers.
type UpstreamStatus struct {
	Name    string         `json:"name"`
	Balance string         `json:"balance"`
	Queued  int64          `json:"queued"`          // exchanges that wait for room now
	Error   string         `json:"error,omitempty"` // of the resolver, where names are asked for
	Servers []ServerStatus `json:"servers"`
}

// A ServerStatus is one server of an upstream.
type ServerStatus struct {
	Name      string    `json:"name"`
	Address   string    `json:"address"`
	Weight    int       `json:"weight"`
	Backup    bool      `json:"backup,omitempty"`
	Health    Health    `json:"health"`
	Reason    string    `json:"reason,omitempty"` // why it is not healthy, or the last check's answer
	Since     time.Time `json:"since,omitzero"`   // Health has been so
	Until     time.Time `json:"until,omitzero"`   // an ejection ends
	Active    int64     `json:"active"`           // exchanges under way
	Idle      int       `json:"idle"`             // kept connections
	Protocol  string    `json:"protocol"`         // that is spoken with it: "h1", "h2", "h2c", "h3", "fastcgi"; "": it chooses that itself, and has not yet
	Latency   float64   `json:"latency"`          // seconds to the first byte, moving average; 0: not known
	Checked   time.Time `json:"checked,omitzero"` // end of the last active check
	Ejections int       `json:"ejections"`        // since it was added
}

// A Health is whether a server is asked.
type Health string

// The healths.
const (
	Healthy   Health = "healthy"
	Unhealthy Health = "unhealthy" // failed its active checks
	Ejected   Health = "ejected"   // out for a while because of its answers
	Leaving   Health = "draining"  // gone from the configuration, ends what is under way
	Unchecked Health = "unchecked" // not yet known; asked
)

// InService reports whether a server of that health is asked.
func (h Health) InService() bool { return h == Healthy || h == Unchecked }

// A LogStatus is one access log.
type LogStatus struct {
	Name    string `json:"name"`
	To      string `json:"to"`
	Format  string `json:"format"`
	Written uint64 `json:"written"`         // lines
	Dropped uint64 `json:"dropped"`         // lines lost because the sink was slow, full or away
	Error   string `json:"error,omitempty"` // of the last write, if that failed
}
