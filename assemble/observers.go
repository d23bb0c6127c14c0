package assemble

import (
	"strings"

	"weir"
	"weir/config"
	"weir/observe"
)

// openLogs opens the access logs of the configuration.
func (b *builder) openLogs() {
	for _, l := range b.config.Logs {
		if l.Name == config.EventLog || b.engine.dry {
			continue
		}
		cfg := logConfig(l)
		log, err := b.engine.logs.Open(cfg)
		if err != nil {
			b.complain(l.At, err.Error()) // which names the log
			continue
		}
		b.access[l.Name] = log
		b.g.logs = append(b.g.logs, cfg)
	}
}

func logConfig(l *config.Log) observe.LogConfig {
	cfg := observe.LogConfig{Name: l.Name, To: l.To, Format: l.Format, Sample: l.Sample, Status: l.Status, Buffer: l.Buffer}
	cfg.Rotate = observe.Rotate(l.Rotate)
	return cfg
}

// observer returns what is told of every exchange.
func (b *builder) observer() weir.Observer {
	all := weir.Observers{b.engine.metrics, b.engine.recent}
	if len(b.access) > 0 {
		all = append(all, &accessLogs{rest: b.logs(nil)})
	}
	return all
}

// accessLogs has each exchange logged where its route says.
type accessLogs struct {
	rest weir.Observer // for exchanges without a route
}

// Observe implements weir.Observer.
func (l *accessLogs) Observe(x *weir.Exchange) {
	if x.Route != nil {
		x.Route.Log.Observe(x)
		return
	}
	l.rest.Observe(x)
}

// routeLog returns the logs of a route: the same for all routes that have the same.
func (b *builder) routeLog(s *config.Settings) weir.Observer {
	key := logsKey{s.NoLog, s.Logs == nil, strings.Join(s.Logs, "\n")}
	if o, known := b.logged[key]; known {
		return o
	}
	var o weir.Observer = weir.Observers{}
	if !s.NoLog {
		o = b.logs(s.Logs)
	}
	b.logged[key] = o
	return o
}

type logsKey struct {
	none, all bool
	names     string
}

// logs returns the named logs, or all of them.
func (b *builder) logs(names []string) weir.Observer {
	var all weir.Observers
	if names == nil {
		for _, cfg := range b.g.logs {
			all = append(all, b.access[cfg.Name])
		}
	}
	for _, name := range names {
		if l := b.access[name]; l != nil {
			all = append(all, l)
		}
	}
	if len(all) == 1 {
		return all[0]
	}
	return all
}
