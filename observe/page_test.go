package observe

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

//go:generate go test -run ^TestMetricsPage$ -page

var writePage = flag.Bool("page", false, "write doc/metrics.md")

// TestMetricsPage holds doc/metrics.md to what is exposed; `go generate` writes it anew.
func TestMetricsPage(t *testing.T) {
	m := NewMetrics(1)
	m.Observe(metered(m))
	bad := failed()
	bad.Route.Meter = m.Route("shop", "/*", "shop")
	m.Observe(bad)
	var text strings.Builder
	l := ListenerStatus{Handshakes: HandshakeStatus{Ways: []HandshakeCount{{Version: "1.3"}, {Failure: "gone"}}}}
	err := m.WritePrometheus(&text, Status{
		Certificates: []CertificateStatus{{Names: []string{"a.example"}}},
		Listeners:    []ListenerStatus{l}, Upstreams: []UpstreamStatus{{Servers: []ServerStatus{{}}}}, Logs: []LogStatus{{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := metricsPage(text.String())
	if *writePage {
		if err := os.WriteFile("../doc/metrics.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("../doc/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("doc/metrics.md is stale; run: go generate ./observe")
	}
}

// metricsPage makes a table of an exposition's families.
func metricsPage(exposition string) string {
	var b strings.Builder
	b.WriteString(`<!-- Made of observe/families.go by go generate. -->

# Metrics

` + "`/metrics`" + ` at the admin address answers in Prometheus's text format. Labels name what the configuration names (site,
route, upstream, server, listener, log, certificate), a status, a state, or an outcome from [causes.md](causes.md);
nothing that a client sends becomes a label, so there are never more series than the configuration has routes, servers
and certificates. A route has series from its first request on. Requests that no route takes are counted with empty labels.

A reload keeps every count; the series of routes that are gone end.

| metric | type | labels | what |
|---|---|---|---|
`)
	kind, help, labels := map[string]string{}, map[string]string{}, map[string]string{}
	var names []string
	for line := range strings.SplitSeq(exposition, "\n") {
		rest, meta := strings.CutPrefix(line, "# ")
		word, rest, _ := strings.Cut(rest, " ")
		name, value, _ := strings.Cut(rest, " ")
		switch {
		case meta && word == "HELP":
			names = append(names, name)
			help[name] = value
		case meta && word == "TYPE":
			kind[name] = value
		case line != "":
			last := names[len(names)-1]
			if labels[last] == "" {
				labels[last] = labelNames(line)
			}
		}
	}
	for _, name := range names {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, kind[name], labels[name], help[name])
	}
	return b.String()
}

// labelNames lists the names of a sample's labels, but le.
func labelNames(sample string) string {
	var names []string
	for part := range strings.SplitSeq(sample, `="`) {
		name := part[strings.LastIndexAny(part, "{,")+1:]
		if name != part && name != "le" && name != "" && !strings.ContainsAny(name, `"}`) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}
