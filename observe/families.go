package observe

import (
	"runtime"
	"runtime/metrics"
	"time"
)

// writeMeters writes the counts of exchanges.
func (m *Metrics) writeMeters(e *exposition) {
	all := m.all()
	e.family("weir_exchanges_total", "counter", "Exchanges by route and status; statuses that are not registered are counted by class.")
	for _, r := range all {
		for i, label := range m.slots.labels {
			if n := r.sum(func(c *cells) uint64 { return c.status(uint8(i)) }); n > 0 {
				e.sample(with(r.labels, "status", label), float64(n))
			}
		}
	}
	m.writeOutcomes(e, all)
	e.family("weir_exchange_duration_seconds", "histogram", "Time from the first byte of a request to the last byte of its answer, without upgraded connections.")
	for _, r := range all {
		e.histogram(r.labels, r.tally(durations))
	}
	e.family("weir_first_byte_seconds", "histogram", "Time that the server which answered took from the request's head to the head of its answer.")
	for _, r := range all {
		if t := r.tally(firsts); t.count > 0 {
			e.histogram(r.labels, t)
		}
	}
	writeCounter(e, all, "weir_request_body_bytes_total", "Bytes of request bodies received from clients.", func(c *cells) uint64 { return c.in })
	writeCounter(e, all, "weir_response_body_bytes_total", "Bytes of response bodies sent to clients.", func(c *cells) uint64 { return c.out })
	writeCounter(e, all, "weir_retries_total", "Attempts at a server after the first one of an exchange.", (*cells).retries)
}

// writeOutcomes writes every exchange under its one outcome.
func (m *Metrics) writeOutcomes(e *exposition, all []*meter) {
	e.family("weir_exchange_outcomes_total", "counter", "Exchanges by how they ended: ok, or the code of the cause (doc/causes.md).")
	for _, r := range all {
		faults := r.faults() // before the total: so "ok" is never below 0
		var total uint64
		for i := range m.slots.labels {
			total += r.sum(func(c *cells) uint64 { return c.status(uint8(i)) })
		}
		e.sample(with(r.labels, "outcome", OutcomeOK), float64(total-min(faults, total)))
		for _, cause := range m.causes {
			if n := r.sum(func(c *cells) uint64 { return c.cause(cause) }); n > 0 {
				e.sample(with(r.labels, "outcome", cause.String()), float64(n))
			}
		}
	}
}

func writeCounter(e *exposition, all []*meter, name, help string, of func(c *cells) uint64) {
	e.family(name, "counter", help)
	for _, r := range all {
		e.sample(r.labels, float64(r.sum(of)))
	}
}

// writeStatus writes what s says as gauges and counters.
func writeStatus(e *exposition, s *Status) {
	e.family("weir_build_info", "gauge", "The version of weir and of the Go that built it; always 1.")
	e.sample(labels("version", s.Version, "goversion", runtime.Version()), 1)
	e.single("weir_start_time_seconds", "gauge", "When weir was started, in seconds since 1970.", unix(s.Started))
	e.single("weir_draining", "gauge", "1 while weir ends what is under way and accepts nothing new.", truth(s.State == Draining))
	e.family("weir_reloads_total", "counter", "Reloads of the configuration by result.")
	e.sample(labels("result", "success"), float64(s.Reload.Succeeded))
	e.sample(labels("result", "failure"), float64(s.Reload.Failed))
	e.single("weir_config_loaded_timestamp_seconds", "gauge", "When the configuration that is served took effect.", unix(s.Reload.Loaded))
	e.single("weir_config_last_failure_timestamp_seconds", "gauge", "When a reload was refused last; 0: never.", unix(s.Reload.LastTry))
	e.single("weir_config_last_reload_successful", "gauge", "1 if the last reload was taken.", truth(s.Reload.Error == ""))
	writeListeners(e, s.Listeners)
	writeSites(e, s.Sites)
	writeUpstreams(e, s.Upstreams)
	writeLogs(e, s.Logs)
	writeCertificates(e, s)
}

func writeListeners(e *exposition, all []ListenerStatus) {
	each := func(name, kind, help string, of func(l *ListenerStatus) float64) {
		e.family(name, kind, help)
		for i := range all {
			e.sample(labels("listener", all[i].Name, "address", all[i].Address), of(&all[i]))
		}
	}
	each("weir_listener_connections", "gauge", "Connections that are open.", func(l *ListenerStatus) float64 { return float64(l.Open) })
	each("weir_listener_accepted_total", "counter", "Connections accepted.", func(l *ListenerStatus) float64 { return float64(l.Accepted) })
	each("weir_listener_refused_total", "counter", "Connections closed at once because the listener was at its limit.", func(l *ListenerStatus) float64 { return float64(l.Refused) })
	each("weir_listener_strangers_total", "counter", "Connections closed for want of a proper PROXY header.", func(l *ListenerStatus) float64 { return float64(l.Strangers) })
	writeHandshakes(e, all)
}

// writeHandshakes writes the ways in which handshakes have ended so far.
func writeHandshakes(e *exposition, all []ListenerStatus) {
	each := func(name, help string, wanted func(c *HandshakeCount) bool, label func(c *HandshakeCount) []string) {
		e.family(name, "counter", help)
		for i := range all {
			for k := range all[i].Handshakes.Ways {
				if c := &all[i].Handshakes.Ways[k]; wanted(c) {
					e.sample(with(labels("listener", all[i].Name, "address", all[i].Address), label(c)...), float64(c.Count))
				}
			}
		}
	}
	each("weir_listener_handshakes_total", "TLS handshakes that ended well, by version and whether they went on from an earlier one.",
		func(c *HandshakeCount) bool { return c.Failure == "" },
		func(c *HandshakeCount) []string { return []string{"version", c.Version, "resumed", yesNo(c.Resumed)} })
	each("weir_listener_handshake_failures_total", "TLS handshakes that failed, by what they failed at; gone: the client went away. Without those of HTTP/3.",
		func(c *HandshakeCount) bool { return c.Failure != "" },
		func(c *HandshakeCount) []string { return []string{"failure", c.Failure} })
}

func writeSites(e *exposition, all []SiteStatus) {
	counts := map[SiteState]int{}
	for i := range all {
		counts[all[i].State]++
	}
	e.family("weir_sites", "gauge", "Sites by state: ok, kept (the new version is broken, the last good one is served), broken.")
	for _, state := range []SiteState{SiteOK, SiteKept, SiteBroken} {
		e.sample(labels("state", string(state)), float64(counts[state]))
	}
}

func writeUpstreams(e *exposition, all []UpstreamStatus) {
	e.family("weir_upstream_queue_length", "gauge", "Exchanges that wait for room on a server.")
	for i := range all {
		e.sample(labels("upstream", all[i].Name), float64(all[i].Queued))
	}
	each := func(name, kind, help string, of func(s *ServerStatus) float64) {
		e.family(name, kind, help)
		for i := range all {
			for j := range all[i].Servers {
				s := &all[i].Servers[j]
				e.sample(labels("upstream", all[i].Name, "server", s.Name, "address", s.Address), of(s))
			}
		}
	}
	each("weir_server_in_service", "gauge", "1 if the server is asked, 0 if it is out.", func(s *ServerStatus) float64 { return truth(s.Health.InService()) })
	each("weir_server_active_exchanges", "gauge", "Exchanges under way on the server.", func(s *ServerStatus) float64 { return float64(s.Active) })
	each("weir_server_idle_connections", "gauge", "Kept connections to the server.", func(s *ServerStatus) float64 { return float64(s.Idle) })
	each("weir_server_latency_seconds", "gauge", "Moving average of the time to the first byte.", func(s *ServerStatus) float64 { return s.Latency })
	e.family("weir_server_protocol", "gauge", "1 for the protocol that is spoken with the server.")
	for i := range all {
		for j := range all[i].Servers {
			if s := &all[i].Servers[j]; s.Protocol != "" {
				e.sample(labels("upstream", all[i].Name, "server", s.Name, "address", s.Address, "protocol", s.Protocol), 1)
			}
		}
	}
	each("weir_server_ejections_total", "counter", "How often the server was taken out for a while because of its answers.", func(s *ServerStatus) float64 { return float64(s.Ejections) })
}

// writeLogs writes the sums by name: a log whose settings have changed exists twice for a while.
func writeLogs(e *exposition, all []LogStatus) {
	written, dropped := map[string]uint64{}, map[string]uint64{}
	for _, l := range all {
		written[l.Name] += l.Written
		dropped[l.Name] += l.Dropped
	}
	e.family("weir_log_lines_total", "counter", "Lines written to an access log.")
	for _, l := range all {
		e.sample(labels("log", l.Name), float64(written[l.Name]))
	}
	e.family("weir_log_dropped_lines_total", "counter", "Lines lost because the log's sink was slow, full or away.")
	for _, l := range all {
		e.sample(labels("log", l.Name), float64(dropped[l.Name]))
	}
}

// writeCertificates writes the certificates that the configuration wants. What clients bring is no label.
func writeCertificates(e *exposition, s *Status) {
	each := func(name, help string, of func(c *CertificateStatus) float64) {
		e.family(name, "gauge", help)
		for i := range s.Certificates {
			if c := &s.Certificates[i]; !c.OnDemand && c.State != CertificateUnasked {
				e.sample(labels("name", c.Name(), "kind", c.Kind), of(c))
			}
		}
	}
	each("weir_certificate_not_after_timestamp_seconds", "When the certificate expires; 0: there is none. Of certificates that the configuration wants, by their first name and kind (acme, internal, files).",
		func(c *CertificateStatus) float64 { return unix(c.Until) })
	each("weir_certificate_renewal_timestamp_seconds", "When the certificate is to be replaced; 0: weir does not replace it, or there is none.",
		func(c *CertificateStatus) float64 { return unix(c.Renewal) })
	each("weir_certificate_failed_attempts", "Attempts to get the certificate that have failed in a row.",
		func(c *CertificateStatus) float64 { return float64(c.Failed) })
	e.family("weir_certificates", "gauge", "Certificates by state (doc/operations.md), those that clients brought the names of included.")
	counts := map[CertificateState]int{}
	for i := range s.Certificates {
		counts[s.Certificates[i].State]++
	}
	for _, state := range certificateStates {
		e.sample(labels("state", string(state)), float64(counts[state]))
	}
	e.family("weir_acme_attempts_total", "counter", "Attempts to get a certificate from public authorities, by result.")
	e.sample(labels("result", "success"), float64(s.ACME.Issued))
	e.sample(labels("result", "failure"), float64(s.ACME.Failed))
}

// writeProcess writes what there is to know of the process.
func writeProcess(e *exposition) {
	for _, g := range []struct{ from, name, kind, help string }{
		{"/sched/goroutines:goroutines", "go_goroutines", "gauge", "Goroutines that exist."},
		{"/sched/gomaxprocs:threads", "go_sched_gomaxprocs_threads", "gauge", "Threads that run Go code at one time."},
		{"/memory/classes/heap/objects:bytes", "go_memory_heap_objects_bytes", "gauge", "Memory of live and not yet collected objects."},
		{"/memory/classes/total:bytes", "go_memory_mapped_bytes", "gauge", "Memory that the Go runtime has mapped."},
		{"/gc/cycles/total:gc-cycles", "go_gc_cycles_total", "counter", "Garbage collections."},
		{"/gc/heap/allocs:bytes", "go_gc_heap_allocs_bytes_total", "counter", "Memory allocated."},
	} {
		s := []metrics.Sample{{Name: g.from}}
		metrics.Read(s)
		if s[0].Value.Kind() == metrics.KindUint64 {
			e.single(g.name, g.kind, g.help, float64(s[0].Value.Uint64()))
		}
	}
	if p, ok := readProcess(); ok {
		e.single("process_cpu_seconds_total", "counter", "CPU time of the process, user and system.", p.cpu)
		e.single("process_resident_memory_bytes", "gauge", "Resident memory.", p.resident)
		e.single("process_open_fds", "gauge", "Open file descriptors.", p.files)
	}
}

func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
