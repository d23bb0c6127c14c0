package assemble

import (
	"fmt"
	"slices"
	"strings"

	"weir"
	"weir/config"
	"weir/observe"
)

// expect runs the tests that the sites of the configuration have, and returns the sites that fail theirs.
func (b *builder) expect() (failed []int) {
	for i, v := range b.g.sites {
		if v.state != observe.SiteOK || !b.isNew(v) {
			continue
		}
		bad := false
		for j := range v.Expects {
			e := &v.Expects[j]
			if err := b.expectOne(v, e); err != nil {
				v.why = append(v.why, b.complain(e.Pos, fmt.Sprintf("expect \"%s %s\": %v", e.Method, e.Target, err)))
				bad = true
				b.g.failedExpects++
			}
		}
		if bad {
			failed = append(failed, i)
		}
	}
	return failed
}

// isNew reports whether v is of this configuration, and not one that was kept.
func (b *builder) isNew(v *siteVersion) bool {
	for _, s := range b.config.Sites {
		if s == v.Site {
			return true
		}
	}
	return false
}

func (b *builder) expectOne(v *siteVersion, e *config.Expect) error {
	host := e.Host
	if host == "" {
		host = firstHost(v.Hosts)
	}
	q := Request{Method: e.Method, URL: "http://" + host + e.Target, Client: e.Client}
	on := v.On
	if secure := b.encryptedOn(v); v.sealing != nil { // it would be sent there first
		q.URL, on = "https://"+host+e.Target, []string{secure[0].Name}
	}
	for _, l := range b.g.snapshot.Listeners {
		if q.Listener == "" && slices.Contains(on, l.Name) {
			q.Listener = l.Name
		}
	}
	for _, f := range e.Header {
		q.Header = append(q.Header, weir.Field{Name: f.Name, Value: f.Value})
	}
	x, err := b.g.exchange(q)
	switch {
	case x == nil:
		return err
	case err != nil:
		return expectFault(e, weir.AsFault(err), err.Error())
	}
	target, err := b.g.router.Lookup(x)
	if v.isDoubtful(x.Request.Path) {
		return nil // the errors in the routes come first
	}
	if err != nil {
		return expectFault(e, weir.AsFault(err), x.Note)
	}
	return b.expectAnswer(e, x, target)
}

// firstHost returns a host that the site answers to.
func firstHost(hosts []string) string {
	for _, h := range hosts {
		if !strings.Contains(h, "*") {
			return h
		}
	}
	if len(hosts) == 0 || hosts[0] == "*" {
		return "localhost"
	}
	return "any" + strings.TrimPrefix(hosts[0], "*")
}

// expectFault compares what is expected with a request that no route takes.
func expectFault(e *config.Expect, f *weir.Fault, note string) error {
	if e.Route != "" || e.Upstream != "" || e.Location != "" {
		return fmt.Errorf("no route takes it (%s)", note)
	}
	return expectStatus(e, f.StatusCode())
}

func expectStatus(e *config.Expect, status int) error {
	if e.Status != 0 && e.Status != status {
		return fmt.Errorf("the status is %d, not %d", status, e.Status)
	}
	return nil
}

// expectAnswer compares what is expected with what the route makes of the request.
func (b *builder) expectAnswer(e *config.Expect, x *weir.Exchange, target *weir.Route) error {
	r := b.g.routeConfig(target)
	if e.Route != "" && e.Route != r.Pattern && e.Route != target.Name {
		return fmt.Errorf("%s takes it, not route %q", r.Label, e.Route)
	}
	if r.Doubt != config.NoDoubt {
		return nil
	}
	if e.Upstream != "" && e.Upstream != target.Upstream {
		return fmt.Errorf("it goes to upstream %q, not %q", target.Upstream, e.Upstream)
	}
	if e.Status == 0 && e.Location == "" {
		return nil
	}
	run, err := b.g.try(b.engine, x, r)
	if err != nil {
		return err
	}
	if run.sent != nil {
		return fmt.Errorf("it goes to upstream %q, whose answer is not known before", target.Upstream)
	}
	if got := x.Response.Header.Get("Location"); e.Location != "" && got != e.Location {
		return fmt.Errorf("the location is %q, not %q", got, e.Location)
	}
	return expectStatus(e, x.Response.Status)
}
