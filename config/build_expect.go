package config

import (
	"net/netip"
	"strings"
)

func (l *loader) expect(s *Site, n *node) Expect {
	method, rest, spaced := strings.Cut(n.label, " ")
	if !spaced {
		method, rest = "GET", n.label
	}
	e := Expect{
		Pos: posOf(n.head), Method: method, Target: strings.TrimSpace(rest),
		Host:     get[string](n, "host"),
		Header:   get[[]Field](n, "headers"),
		Status:   get[int](n, "status"),
		Route:    get[string](n, "route"),
		Upstream: get[string](n, "upstream"),
		Location: get[string](n, "location"),
		Client:   netip.AddrFrom4([4]byte{127, 0, 0, 1}),
	}
	if !isToken(method) || !strings.HasPrefix(e.Target, "/") {
		l.report(n.head, in(n, "the label is no request"), n.schema.label, "")
	}
	if n.has("client") {
		a, err := netip.ParseAddr(get[string](n, "client"))
		if err != nil {
			l.report(n.at("client"), in(n, "client: "+quote(get[string](n, "client"))+" is not an address"), "", "")
		}
		e.Client = a
	}
	if e.Host == "" {
		e.Host = plainHost(s.Hosts)
	}
	if len(n.tried) == 0 {
		l.report(n.head, in(n, "nothing is expected"), "", "write { status = 404 } or { route = \"/api/*\" }")
	}
	return e
}

// plainHost is the first host that is no pattern; for patterns, something that they match.
func plainHost(hosts []string) string {
	for _, h := range hosts {
		if !strings.Contains(h, "*") {
			return h
		}
	}
	if len(hosts) > 0 {
		return strings.Replace(strings.Replace(hosts[0], "*.", "www.", 1), "*", "localhost", 1)
	}
	return "localhost"
}
