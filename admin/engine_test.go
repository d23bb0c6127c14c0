package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"weir/cert"
	"weir/observe"
)

// A fake is an engine of two sites, one of them broken.
type fake struct {
	state   observe.State
	looks   atomic.Int64 // at the status
	reloads atomic.Int64
	broken  string // what a reload says; "": it succeeds
	asked   ExplainRequest

	renewals atomic.Int64
	slow     chan struct{} // ends one
}

func (f *fake) State() observe.State { return f.state }

func (f *fake) Status() observe.Status {
	f.looks.Add(1)
	start := time.Date(2026, 11, 21, 7, 0, 0, 0, time.UTC)
	return observe.Status{
		Version: "1.2.3", State: f.state, Started: start, Uptime: 60,
		Listeners: []observe.ListenerStatus{{
			Name: "http", Address: "127.0.0.1:80", Open: 3, Accepted: 10, TLS: true, Protocols: []string{"h1", "h2"},
			Handshakes: observe.HandshakeStatus{Succeeded: 9, Resumed: 4, Failed: 17},
		}},
		Certificates: []observe.CertificateStatus{
			{Names: []string{"shop.example.com"}, Kind: "acme", State: observe.CertificateOK, Issuer: "An Authority", Until: time.Now().Add(30*24*time.Hour + time.Minute)},
			{Names: []string{"blog.example.com"}, Kind: "acme", State: observe.CertificateMissing, Failed: 2, Step: "ordering", Problem: "the CA says <no>"},
		},
		Sites: []observe.SiteStatus{
			{Name: "shop", Hosts: []string{"shop.example.com"}, State: observe.SiteOK, Routes: []observe.RouteStatus{{Name: "/*", Upstream: "shop"}}},
			{Name: "blog", Hosts: []string{"blog.example.com"}, State: observe.SiteBroken, Reason: "weir.hcl:12: no such upstream <script>", Routes: []observe.RouteStatus{}},
		},
		Upstreams: []observe.UpstreamStatus{{Name: "shop", Balance: "round-robin", Servers: []observe.ServerStatus{
			{Name: "10.0.0.1:80", Address: "10.0.0.1:80", Weight: 1, Health: observe.Healthy, Since: start, Latency: 0.002},
			{Name: "10.0.0.2:80", Address: "10.0.0.2:80", Weight: 1, Health: observe.Unhealthy, Reason: "connection refused", Since: start},
		}}},
		Logs: []observe.LogStatus{{Name: "access", To: "stdout", Written: 10}},
	}
}

func (f *fake) Traffic() observe.Traffic {
	return observe.Traffic{Exchanges: 10, Bounds: []float64{1}, Buckets: []uint64{10, 0}}
}

func (f *fake) Failures() []observe.Failure {
	return make([]observe.Failure, 2*liveFailures)
}

func (f *fake) WriteMetrics(w io.Writer) error {
	_, err := io.WriteString(w, `# HELP weir_exchanges_total x
# TYPE weir_exchanges_total counter
weir_exchanges_total{site="shop \"1\"",route="/shoes,{id}/*",upstream="shop",status="200"} 7
weir_exchanges_total{site="shop \"1\"",route="/shoes,{id}/*",upstream="shop",status="404"} 4
`)
	return err
}

func (f *fake) Reload(context.Context) ([]string, bool, error) {
	f.reloads.Add(1)
	if f.broken != "" {
		return nil, false, errors.New(f.broken)
	}
	return []string{"weir.hcl:3: upstream \"old\" is not used"}, false, nil
}

func (f *fake) Renew(ctx context.Context, name string) ([]observe.CertificateStatus, error) {
	f.renewals.Add(1)
	list := []observe.CertificateStatus{{Names: []string{name}}}
	switch name {
	case "unknown.example.com":
		return nil, fmt.Errorf("%w %q", cert.ErrNoName, name)
	case "bad.example.com":
		return list, errors.New("Authority: ordering: it says no")
	case "slow.example.com":
		select {
		case <-ctx.Done():
			return list, ctx.Err()
		case <-f.slow:
		}
	}
	return list, nil
}

func (f *fake) Root() ([]byte, error) {
	if f.broken != "" {
		return nil, errors.New(f.broken)
	}
	return []byte("-----BEGIN CERTIFICATE-----\n"), nil
}

func (f *fake) Explain(r ExplainRequest) (any, error) {
	f.asked = r
	if r.URL == "bad" {
		return nil, errors.New(`url "bad": not an address`)
	}
	return map[string]string{"route": "/*"}, nil
}
