package config

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// nobody reports what there should be, and what nobody uses. What could not be parsed may have been it.
func (l *loader) nobody(name string) {
	if l.partial {
		return
	}
	if len(l.symbols.names("listener")) == 0 {
		l.report(hcl.Range{Filename: name}, "there is no listener", "", `write listener "http" { address = ":80" }`)
	}
	logs := l.logsInUse()
	everywhere := slices.ContainsFunc(l.config.Sites, func(s *Site) bool { return len(s.On) == 0 })
	for _, sym := range l.symbols.all {
		what := sym.kind + " " + quote(sym.name)
		switch {
		case sym.kind == "log":
			if !logs[sym.name] {
				l.add(Warning, sym.at, what+" is not used: no site writes to it", "requests that no site takes are written to every access log, this one too", "")
			}
		case sym.used:
		case sym.kind == "listener" && len(l.config.Sites) == 0:
			l.add(Warning, sym.at, what+" has no site: every request is answered with 404", "", `write site "*" { route "/*" { proxy = ... } }`)
		case sym.kind == "listener" && !everywhere:
			l.add(Warning, sym.at, what+" has no site: every request is answered with 404", "all sites are on others", "")
		case sym.kind == "upstream", sym.kind == "policy":
			l.add(Warning, sym.at, what+" is not used", "", "")
		}
	}
}

// logsInUse are the names of the logs that something is written to.
func (l *loader) logsInUse() map[string]bool {
	used := map[string]bool{EventLog: true}
	if len(l.config.Sites) == 0 {
		return l.allLogs(used)
	}
	for _, s := range l.config.Sites {
		routes := s.Routes
		if s.Broken != nil {
			if s.Draft == nil {
				return l.allLogs(used)
			}
			routes = s.Draft.Routes
		}
		for _, r := range routes {
			switch {
			case r.NoLog:
			case r.Logs == nil:
				return l.allLogs(used)
			}
			for _, name := range r.Logs {
				used[name] = true
			}
		}
	}
	return used
}

func (l *loader) allLogs(used map[string]bool) map[string]bool {
	for _, name := range l.symbols.names("log") {
		used[name] = true
	}
	return used
}

// idle warns of settings for servers in a route that weir answers itself.
func (l *loader) idle(n *node, out *Route, answer string) {
	for _, name := range []string{"host", "forwarded", "forwarded_port", "via"} {
		if n.has(name) {
			l.noEffect(n.at(name), n, name, answer)
		}
	}
	blocks := []string{"timeouts"}
	if !l.showsRequest(out) {
		blocks = append(blocks, "rewrite", "request")
	}
	for _, name := range blocks {
		if c := n.child(name); c != nil {
			l.noEffect(c.head, n, name, answer)
		}
	}
}

func (l *loader) noEffect(at hcl.Range, n *node, name, answer string) {
	l.add(Warning, at, in(n, name+" has no effect"), "no server is asked, as "+answer+" is the answer", "")
}

// showsRequest reports whether an answer, or the line that a log has of it, may hold something of the request that
// was changed before.
func (l *loader) showsRequest(r *Route) bool {
	var texts []string
	add := func(fields []Field) {
		for _, f := range fields {
			texts = append(texts, f.Value)
		}
	}
	if r.Respond != nil {
		texts = append(texts, r.Respond.Body)
		add(r.Respond.Headers)
	}
	if r.Redirect != nil {
		texts = append(texts, r.Redirect.To)
	}
	for _, t := range r.Response {
		add(t.Set)
		add(t.Add)
		add(t.Default)
	}
	for _, p := range r.Errors {
		texts = append(texts, p.Body)
	}
	for _, log := range l.config.Logs {
		texts = append(texts, log.Format)
	}
	return slices.ContainsFunc(texts, func(s string) bool {
		return slices.ContainsFunc([]string{"{header.", "{cookie.", "{path", "{uri", "{query"}, func(p string) bool { return strings.Contains(s, p) })
	})
}
