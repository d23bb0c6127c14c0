package observe

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"weir"
)

// expose writes m's metrics and reads them again as strictly as the format says.
func expose(t *testing.T, m *Metrics, s Status) map[string]float64 {
	t.Helper()
	var b strings.Builder
	if err := m.WritePrometheus(&b, s); err != nil {
		t.Fatal(err)
	}
	return parseExposition(t, b.String())
}

// parseExposition checks the text format 0.0.4: HELP and TYPE once and before the samples of a family, all
// of them together, names and escapes as they must be, no sample twice, counters called _total, histogram
// buckets that grow up to +Inf and agree with _count.
func parseExposition(t *testing.T, text string) map[string]float64 {
	t.Helper()
	if !strings.HasSuffix(text, "\n") {
		t.Error("the last line has no end")
	}
	out := map[string]float64{}
	types := map[string]string{}
	family := ""
	var bucket struct {
		labels string
		last   float64
	}
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			name, help, _ := strings.Cut(rest, " ")
			if types[name] != "" || help == "" || !isMetricName(name) {
				t.Errorf("line %d: %s", i, line)
			}
			family = name
			continue
		}
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(rest, " ")
			if name != family || !slices.Contains([]string{"counter", "gauge", "histogram"}, kind) {
				t.Errorf("line %d: %s", i, line)
			}
			if (kind == "counter") != strings.HasSuffix(name, "_total") {
				t.Errorf("line %d: a %s is called %s", i, kind, name)
			}
			types[name] = kind
			continue
		}
		name, pairs, value := parseSample(t, line)
		suffix, ok := strings.CutPrefix(name, family)
		if !ok || suffix != "" && types[family] != "histogram" {
			t.Errorf("line %d stands in family %s: %s", i, family, line)
		}
		if suffix == "_bucket" {
			n := len(pairs) - 1
			if key := fmt.Sprint(family, pairs[:n]); key != bucket.labels {
				bucket.labels, bucket.last = key, 0
			}
			if pairs[n][0] != "le" || value < bucket.last {
				t.Errorf("line %d: buckets shrink: %s", i, line)
			}
			bucket.last = value
		}
		if suffix == "_count" && value != bucket.last {
			t.Errorf("line %d: the count is not that of the last bucket: %s", i, line)
		}
		key := name
		for _, p := range pairs {
			key += "|" + p[1]
		}
		if _, twice := out[key]; twice {
			t.Errorf("line %d: a second time: %s", i, line)
		}
		out[key] = value
	}
	return out
}

func parseSample(t *testing.T, line string) (name string, pairs [][2]string, value float64) {
	t.Helper()
	bad := func(what string) {
		t.Errorf("%s: %s", what, line)
	}
	i := strings.IndexAny(line, "{ ")
	if i < 0 {
		bad("no value")
		return
	}
	name, rest := line[:i], line[i:]
	if !isMetricName(name) {
		bad("name")
	}
	if rest[0] == '{' {
		rest = rest[1:]
		for rest != "" && rest[0] != '}' {
			key, after, ok := strings.Cut(rest, `="`)
			if !ok || !isMetricName(key) || strings.Contains(key, ":") {
				bad("label")
				return
			}
			v, after := parseLabelValue(t, after)
			pairs = append(pairs, [2]string{key, v})
			rest = strings.TrimPrefix(after, ",")
		}
		rest = strings.TrimPrefix(rest, "}")
	}
	value, err := strconv.ParseFloat(strings.TrimPrefix(rest, " "), 64)
	if err != nil || math.IsNaN(value) {
		bad("value")
	}
	return name, pairs, value
}

func parseLabelValue(t *testing.T, s string) (value, rest string) {
	t.Helper()
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:]
		case '\\':
			i++
			at := strings.IndexByte(`\"n`, s[i])
			if at < 0 {
				t.Errorf("escape in %q", s)
				return "", ""
			}
			b.WriteByte("\\\"\n"[at])
		default:
			b.WriteByte(s[i])
		}
	}
	t.Errorf("no end of %q", s)
	return "", ""
}

func isMetricName(s string) bool {
	for i, c := range []byte(s) {
		letter := c == '_' || c == ':' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

func wantSamples(t *testing.T, got, want map[string]float64) {
	t.Helper()
	for k, v := range want {
		if g, ok := got[k]; !ok || math.Abs(g-v) > 1e-9 {
			t.Errorf("%s is %v (there: %v), want %v", k, g, ok, v)
		}
	}
}

func TestMetricsCount(t *testing.T) {
	m := NewMetrics(3)
	good, bad, none := metered(m), failed(), lost()
	bad.Route.Meter = m.Route("shop", "/*", "shop")
	good.Conn.Shard = 1
	bad.Conn.Shard = 7 // more than NewMetrics was told of
	good.BytesIn = 10
	for range 3 {
		m.Observe(good)
	}
	m.Observe(bad)
	m.Observe(none)
	odd := metered(m)
	odd.Response.Status = 299
	odd.Timing.End = odd.Timing.Start + 3600e9
	m.Observe(odd)

	wantSamples(t, expose(t, m, Status{}), map[string]float64{
		"weir_exchanges_total|shop|/*|shop|200":                              3,
		"weir_exchanges_total|shop|/*|shop|502":                              1,
		"weir_exchanges_total|shop|/*|shop|2xx":                              1,
		"weir_exchanges_total||||404":                                        1,
		"weir_exchange_outcomes_total|shop|/*|shop|ok":                       4,
		"weir_exchange_outcomes_total|shop|/*|shop|upstream.connect_refused": 1,
		"weir_exchange_outcomes_total||||ok":                                 0,
		"weir_exchange_outcomes_total||||route.no_route":                     1,
		"weir_exchange_duration_seconds_bucket|shop|/*|shop|0.001":           0,
		"weir_exchange_duration_seconds_bucket|shop|/*|shop|0.0025":          4,
		"weir_exchange_duration_seconds_bucket|shop|/*|shop|60":              4,
		"weir_exchange_duration_seconds_bucket|shop|/*|shop|+Inf":            5,
		"weir_exchange_duration_seconds_sum|shop|/*|shop":                    3600 + 4*0.0015,
		"weir_exchange_duration_seconds_count|shop|/*|shop":                  5,
		"weir_first_byte_seconds_count|shop|/*|shop":                         4,
		"weir_request_body_bytes_total|shop|/*|shop":                         30,
		"weir_response_body_bytes_total|shop|/*|shop":                        4*1024 + 16,
		"weir_retries_total|shop|/*|shop":                                    1,
	})
	served := metered(m)
	served.Response.Status = 500
	served.BytesOut = 0
	m.Observe(served)
	tr := m.Traffic()
	if tr.Exchanges != 7 || tr.Classes != [6]uint64{0, 0, 4, 0, 1, 2} || tr.Faults != 2 || tr.Failed != 3 || tr.Retries != 1 || tr.BytesOut != 4*1024+16+14 {
		t.Errorf("traffic is %+v", tr)
	}
	if len(tr.Bounds)+1 != len(tr.Buckets) || tr.Buckets[4] != 6 || tr.Buckets[len(tr.Bounds)] != 1 {
		t.Errorf("traffic is %+v", tr)
	}
}

// TestCountsNeverGoBack: a reload finds its routes' counts, and the total keeps those of routes that are gone.
func TestCountsNeverGoBack(t *testing.T) {
	m := NewMetrics(1)
	a := &weir.Route{Site: "a", Name: "/*", Meter: m.Route("a", "/*", "")}
	b := &weir.Route{Site: "b", Name: "/*", Meter: m.Route("b", "/*", "")}
	for _, r := range []*weir.Route{a, b} {
		x := exchange()
		x.Route = r
		m.Observe(x)
	}
	if m.Route("a", "/*", "") != a.Meter {
		t.Error("a route of the same names has another meter")
	}
	m.Retain([]*weir.Route{a})
	got := expose(t, m, Status{})
	if got["weir_exchanges_total|a|/*||200"] != 1 {
		t.Error("a count of a route that stays is lost")
	}
	if _, there := got["weir_exchanges_total|b|/*||200"]; there {
		t.Error("a route that is gone still has a series")
	}
	if tr := m.Traffic(); tr.Exchanges != 2 || tr.Buckets[4] != 2 {
		t.Errorf("the total is %+v after a route is gone", tr)
	}
	if tr := m.Traffic(); tr.Buckets[4] != 2 {
		t.Error("asking for the traffic changes it")
	}
}

// TestClientsMakeNoSeries: hosts, paths, methods and statuses that are made up do not become labels.
func TestClientsMakeNoSeries(t *testing.T) {
	m := NewMetrics(2)
	m.Observe(lost())
	m.Observe(metered(m))
	series := func() int { return len(expose(t, m, Status{})) }
	x := metered(m)
	for status := range 1200 {
		x.Response.Status = status
		m.Observe(x)
	}
	before := series()
	if before > 250 {
		t.Errorf("%d series", before)
	}
	for i := range 1000 {
		none := lost()
		none.Request.Authority = strconv.Itoa(i) + ".example"
		none.Request.Path = "/" + strconv.Itoa(i)
		none.Request.Method = "M" + strconv.Itoa(i)
		m.Observe(none)
	}
	if after := series(); after != before {
		t.Errorf("%d series have become %d", before, after)
	}
}

// TestEveryStatusIsCounted on every core, also those that come late.
func TestEveryStatusIsCounted(t *testing.T) {
	m := NewMetrics(8)
	x := metered(m)
	for shard := range 8 {
		x.Conn = &weir.Conn{Shard: shard}
		for _, status := range []int{200, 999, 304, 404, 206, 200, 404, 206, 999, 200} {
			x.Response.Status = status
			m.Observe(x)
		}
	}
	wantSamples(t, expose(t, m, Status{}), map[string]float64{
		"weir_exchanges_total|shop|/*|shop|200":                    24,
		"weir_exchanges_total|shop|/*|shop|other":                  16,
		"weir_exchanges_total|shop|/*|shop|304":                    8,
		"weir_exchanges_total|shop|/*|shop|404":                    16,
		"weir_exchanges_total|shop|/*|shop|206":                    16,
		"weir_exchange_outcomes_total|shop|/*|shop|ok":             80,
		"weir_exchange_duration_seconds_count|shop|/*|shop":        80,
		"weir_first_byte_seconds_bucket|shop|/*|shop|0.001":        0,
		"weir_first_byte_seconds_bucket|shop|/*|shop|0.0025":       80,
		"weir_first_byte_seconds_sum|shop|/*|shop":                 80 * 0.00125,
		"weir_exchange_duration_seconds_sum|shop|/*|shop":          80 * 0.0015,
		"weir_exchange_duration_seconds_bucket|shop|/*|shop|0.001": 0,
	})
	if tr := m.Traffic(); tr.Exchanges != 80 || tr.Classes != [6]uint64{16, 0, 40, 8, 16, 0} || tr.Failed != 16 {
		t.Errorf("traffic is %+v", tr)
	}
}

func TestRoutesThatNobodyAsksForCostNothing(t *testing.T) {
	m := NewMetrics(8)
	m.Route("shop", "/*", "shop")
	for k := range expose(t, m, Status{}) {
		if strings.Contains(k, "|shop") {
			t.Errorf("there is a series %s", k)
		}
	}
}

func TestStatusIsExposed(t *testing.T) {
	at := time.Unix(1795247139, 500e6)
	got := expose(t, NewMetrics(1), Status{
		Version: "1.2 \"q\"\\\n", State: Draining, Started: at,
		Reload:    ReloadStatus{Succeeded: 3, Failed: 1, Loaded: at, Error: "line 3"},
		Listeners: []ListenerStatus{{Name: "http", Address: ":80", Open: 2, Accepted: 10, Refused: 1}, {Name: "http", Address: ":80", Draining: true}},
		Sites:     []SiteStatus{{State: SiteOK}, {State: SiteBroken}, {State: SiteOK}},
		Upstreams: []UpstreamStatus{{Name: "shop", Queued: 4, Servers: []ServerStatus{
			{Name: "a", Address: "192.0.2.1:80", Health: Healthy, Active: 1, Idle: 2, Latency: 0.25, Ejections: 2},
			{Name: "a", Address: "192.0.2.2:80", Health: Ejected},
			{Name: "a", Address: "192.0.2.2:80", Health: Leaving},
		}}},
		Logs: []LogStatus{{Name: "access", Written: 5, Dropped: 1}, {Name: "access", Written: 2, Dropped: 1}},
	})
	wantSamples(t, got, map[string]float64{
		"weir_start_time_seconds":                          1795247139.5,
		"weir_draining":                                    1,
		"weir_reloads_total|success":                       3,
		"weir_reloads_total|failure":                       1,
		"weir_config_loaded_timestamp_seconds":             1795247139.5,
		"weir_config_last_reload_successful":               0,
		"weir_listener_connections|http|:80":               2,
		"weir_listener_accepted_total|http|:80":            10,
		"weir_listener_refused_total|http|:80":             1,
		"weir_sites|ok":                                    2,
		"weir_sites|broken":                                1,
		"weir_sites|kept":                                  0,
		"weir_upstream_queue_length|shop":                  4,
		"weir_server_in_service|shop|a|192.0.2.1:80":       1,
		"weir_server_in_service|shop|a|192.0.2.2:80":       0,
		"weir_server_active_exchanges|shop|a|192.0.2.1:80": 1,
		"weir_server_idle_connections|shop|a|192.0.2.1:80": 2,
		"weir_server_latency_seconds|shop|a|192.0.2.1:80":  0.25,
		"weir_server_ejections_total|shop|a|192.0.2.1:80":  2,
		"weir_log_lines_total|access":                      7,
		"weir_log_dropped_lines_total|access":              2,
	})
	if got["go_goroutines"] < 1 || got["process_resident_memory_bytes"] < 1<<20 {
		t.Errorf("the process has %v goroutines and %v bytes", got["go_goroutines"], got["process_resident_memory_bytes"])
	}
}

func TestMetricsConcurrently(t *testing.T) {
	m := NewMetrics(2)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			x := metered(m)
			x.Conn = &weir.Conn{Shard: i % 2}
			for range 2000 {
				m.Observe(x)
			}
		})
	}
	all.Go(func() {
		for range 20 {
			m.Traffic()
			m.Route("other", "/*", "")
		}
	})
	all.Wait()
	if n := m.Traffic().Exchanges; n != 8000 {
		t.Errorf("%d exchanges counted, want 8000", n)
	}
}
