package assemble

import (
	"crypto/tls"
	"strings"
	"time"

	"weir/cert"
	"weir/config"
	"weir/observe"
	"weir/server"
	"weir/upstream"
)

// State returns whether weir serves. It waits for nothing, not even for a reload.
func (e *Engine) State() observe.State { return *e.state.Load() }

// Status returns all that weir tells of itself.
func (e *Engine) Status() observe.Status {
	s := observe.Status{
		Version: e.o.Version, State: e.State(), Started: e.started, Uptime: time.Since(e.started).Seconds(),
		Logs: e.logs.Status(),
	}
	e.mu.Lock()
	s.Reload = e.reload
	e.mu.Unlock()
	g := e.current.Load()
	if g == nil {
		return s
	}
	for _, l := range e.server.Listeners() {
		s.Listeners = append(s.Listeners, listenerStatus(&l))
	}
	if e.certs != nil {
		s.Certificates, s.ACME = e.certs.status(g, time.Now())
	}
	for _, v := range g.sites {
		s.Sites = append(s.Sites, v.status())
	}
	for _, u := range g.config.Upstreams {
		if p := g.pools[u.Name]; p != nil {
			s.Upstreams = append(s.Upstreams, upstreamStatus(p.Status()))
		}
	}
	return s
}

func listenerStatus(l *server.ListenerStatus) observe.ListenerStatus {
	s := observe.ListenerStatus{
		Name: l.Name, Address: l.Address, Draining: l.Draining, TLS: l.TLS, Protocols: protocols(l),
		Open: l.Open, Limit: l.Limit, Accepted: l.Accepted, Refused: l.Refused, Strangers: l.Strangers,
	}
	for _, h := range l.Handshakes {
		s.Handshakes.Add(handshakeCount(h))
	}
	return s
}

// protocols are the versions of HTTP that a listener speaks, as its configuration calls them.
func protocols(l *server.ListenerStatus) []string {
	list := []string{}
	for _, v := range []struct {
		spoken bool
		name   string
	}{
		{l.Versions.H1, "h1"}, {l.Versions.H2 && l.TLS, "h2"}, {l.Versions.H2 && !l.TLS, "h2c"}, {l.Versions.H3 && l.TLS, "h3"},
	} {
		if v.spoken {
			list = append(list, v.name)
		}
	}
	return list
}

func handshakeCount(h server.HandshakeCount) observe.HandshakeCount {
	c := observe.HandshakeCount{Resumed: h.Resumed, Count: h.Count}
	switch {
	case h.Version == tls.VersionTLS12:
		c.Version = "1.2"
	case h.Version == tls.VersionTLS13:
		c.Version = "1.3"
	case h.Trouble == cert.NoTrouble:
		c.Failure = "gone"
	default:
		c.Failure = h.Trouble.String()
	}
	return c
}

func (v *siteVersion) status() observe.SiteStatus {
	s := observe.SiteStatus{Name: v.Name, Hosts: v.Hosts, State: v.state, Reason: text(v.why), Routes: []observe.RouteStatus{}}
	for i, r := range v.routes {
		s.Routes = append(s.Routes, observe.RouteStatus{Name: r.Name, Upstream: r.Upstream, Steps: v.steps[i]})
	}
	return s
}

// text is diagnostics as a terminal shows them.
func text(d config.Diagnostics) string {
	var b strings.Builder
	d.Write(&b, false)
	return strings.TrimSpace(b.String())
}

// healths translates the states that pools know.
var healths = map[string]observe.Health{
	"up": observe.Healthy, "unchecked": observe.Unchecked, "down": observe.Unhealthy, "ejected": observe.Ejected,
}

func upstreamStatus(u upstream.Status) observe.UpstreamStatus {
	s := observe.UpstreamStatus{Name: u.Name, Balance: u.Balance, Servers: []observe.ServerStatus{}}
	if u.Queue != nil {
		s.Queued = int64(u.Queue.Waiting)
	}
	for _, n := range u.Names {
		if n.Error != "" {
			s.Error = n.Name + ": " + n.Error
		}
	}
	for _, v := range u.Servers {
		s.Servers = append(s.Servers, observe.ServerStatus{
			Name: v.Name, Address: v.Address, Weight: v.Weight, Backup: v.Backup,
			Health: healths[v.State], Reason: v.Reason, Since: v.Since, Until: v.Until,
			Active: v.Active, Idle: v.Idle, Protocol: v.Protocol, Latency: v.LatencyMS / 1000, Checked: v.Checked, Ejections: v.Ejections,
		})
	}
	return s
}
