package main

import (
	"fmt"
	"strings"
)

// A work is one workload.
type work struct {
	name    string
	title   string
	path    string
	conns   int
	fresh   bool // a new connection for each request
	upload  int  // bytes of the request's content
	idle    bool // connections that do nothing
	secure  bool // over TLS 1.3
	streams int  // over HTTP/2 or HTTP/3: requests under way on each connection; 0: HTTP/1.1
	h3      bool // over HTTP/3
	resumed bool // over TLS 1.3: a new connection for each request, with the session of one before
	cost    cost
	goal    float64 // weir's cost over the better peer's, at most; 0: none
	within  string  // the goal is against this proxy instead
	log     bool    // weir with its access log beside weir without
}

// A cost is the figure that a workload is judged by.
type cost struct {
	unit string
	of   func(m *measurement) float64
}

var (
	perRequest    = cost{"CPU µs per request", func(m *measurement) float64 { return m.CPUMicros }}
	perGigabyte   = cost{"CPU s per GB", func(m *measurement) float64 { return m.CPUPerGB }}
	perConnection = cost{"KiB per connection", func(m *measurement) float64 { return m.KiBPerConn }}
)

// works are all workloads, in the order of importance.
func works() []work {
	const ten = 10 << 20
	return []work{
		{name: "small", title: "1 KiB, 64 kept connections", path: "/1k", conns: 64, cost: perRequest, goal: 0.85},
		{name: "many", title: "1 KiB, 1,024 kept connections", path: "/1k", conns: 1024, cost: perRequest, goal: 0.85},
		{name: "fresh", title: "1 KiB, a new connection for each request", path: "/1k", conns: 64, fresh: true, cost: perRequest, goal: 1.10},
		{name: "medium", title: "64 KiB, 64 kept connections", path: "/64k", conns: 64, cost: perRequest, goal: 1.0},
		{name: "down", title: "10 MiB down, 4 connections", path: "/10m", conns: 4, cost: perGigabyte, goal: 1.0, within: "haproxy"},
		{name: "up", title: "10 MiB up, 4 connections", path: "/up", conns: 4, upload: ten, cost: perGigabyte, goal: 1.0, within: "haproxy"},
		{name: "idle", title: "10,000 idle connections", path: "/1k", conns: 10000, idle: true, cost: perConnection},
		{name: "tls", title: "1 KiB over TLS 1.3, 64 kept connections", path: "/1k", conns: 64, secure: true, cost: perRequest, goal: 0.80},
		{name: "handshake", title: "1 KiB over TLS 1.3, a full handshake for each request", path: "/1k", conns: 32, fresh: true, secure: true, cost: perRequest, goal: 1.0, within: "nginx"},
		{name: "resumed", title: "1 KiB over TLS 1.3, a resumed session for each request", path: "/1k", conns: 32, secure: true, resumed: true, cost: perRequest, goal: 1.0, within: "nginx"},
		{name: "tlsmedium", title: "64 KiB over TLS 1.3, 64 kept connections", path: "/64k", conns: 64, secure: true, cost: perRequest, goal: 0.80},
		{name: "tlsidle", title: "5,000 idle connections with TLS 1.3", path: "/1k", conns: 5000, idle: true, secure: true, cost: perConnection},
		{name: "h2", title: "1 KiB over HTTP/2, 8 connections with 100 requests each", path: "/1k", conns: 8, streams: 100, secure: true, cost: perRequest, goal: 0.70},
		{name: "h2single", title: "1 KiB over HTTP/2, 64 connections with one request each", path: "/1k", conns: 64, streams: 1, secure: true, cost: perRequest, goal: 0.85},
		{name: "h3", title: "1 KiB over HTTP/3, 8 connections with 32 requests each", path: "/1k", conns: 8, streams: 32, secure: true, h3: true, cost: perRequest, goal: 1.0},
		{name: "log", title: "1 KiB, 64 kept connections, access log as JSON", path: "/1k", conns: 64, cost: perRequest, goal: 1.10, within: "weir", log: true},
	}
}

// concerns reports whether a proxy takes part.
func (w *work) concerns(p *proxy) bool {
	if w.log {
		return strings.HasPrefix(p.name, "weir")
	}
	return !p.variant && (!w.h3 || p.h3 != "")
}

// own reports whether the load is our own: neither wrk nor h2load can do it.
func (w *work) own() bool { return w.h3 || w.resumed }

// subject is whose cost the goal is about.
func (w *work) subject() string {
	if w.log {
		return "weir+log"
	}
	return "weir"
}

func names() []string {
	var out []string
	for _, w := range works() {
		out = append(out, w.name)
	}
	return out
}

func choose(list string) ([]work, error) {
	if list == "all" {
		return works(), nil
	}
	var out []work
next:
	for name := range strings.SplitSeq(list, ",") {
		for _, w := range works() {
			if w.name == name {
				out = append(out, w)
				continue next
			}
		}
		return nil, fmt.Errorf("unknown workload %q; there are %s", name, strings.Join(names(), ", "))
	}
	return out, nil
}
