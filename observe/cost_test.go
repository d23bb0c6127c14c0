package observe

import (
	"path/filepath"
	"testing"

	"weir"
)

// discard is a sink that takes everything.
type discard struct{}

func (discard) write([]byte) (int, error) { return 0, nil }
func (discard) reopen() error             { return nil }
func (discard) close() error              { return nil }

func quietLog(t testing.TB, format string) *AccessLog {
	t.Helper()
	l, err := newAccessLog(LogConfig{Name: "access", Format: format}, nil, newStamps())
	if err != nil {
		t.Fatal(err)
	}
	l.sink = discard{}
	go l.run()
	t.Cleanup(l.Close)
	return l
}

func metered(m *Metrics) *weir.Exchange {
	x := exchange()
	x.Route.Meter = m.Route("shop", "/*", "shop")
	return x
}

// TestObserveDoesNotAllocate: observing is on the way of every request.
func TestObserveDoesNotAllocate(t *testing.T) {
	m := NewMetrics(2)
	for name, o := range map[string]weir.Observer{
		"metrics":  m,
		"recent":   NewRecent(),
		"json":     quietLog(t, "json"),
		"combined": quietLog(t, "combined"),
		"common":   quietLog(t, "common"),
		"template": quietLog(t, "{client.ip} {method} {path} {status}"),
	} {
		x := metered(m)
		o.Observe(x)
		if n := testing.AllocsPerRun(5000, func() { o.Observe(x) }); n > 0 {
			t.Errorf("%s: %v allocations for an exchange, want 0", name, n)
		}
	}
}

func BenchmarkMetrics(b *testing.B) {
	m := NewMetrics(2)
	x := metered(m)
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(x)
	}
}

func BenchmarkAccessLog(b *testing.B) {
	for _, format := range []string{"json", "combined", "common"} {
		b.Run(format, func(b *testing.B) {
			l := quietLog(b, format)
			x := exchange()
			b.ReportAllocs()
			for b.Loop() {
				l.Observe(x)
			}
			b.ReportMetric(float64(l.Dropped())/float64(b.N), "dropped/op")
		})
	}
}

func BenchmarkLine(b *testing.B) {
	for _, format := range []string{"json", "combined"} {
		line, err := newLine(format, testStamps())
		if err != nil {
			b.Fatal(err)
		}
		x := exchange()
		buf := line(nil, x)
		b.Run(format, func(b *testing.B) {
			b.SetBytes(int64(len(buf)))
			for b.Loop() {
				buf = line(buf[:0], x)
			}
		})
	}
}

func BenchmarkAccessLogToFile(b *testing.B) {
	l, err := NewAccessLog(LogConfig{Name: "access", To: filepath.Join(b.TempDir(), "access.log")}, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	b.RunParallel(func(pb *testing.PB) {
		x := exchange()
		for pb.Next() {
			l.Observe(x)
		}
	})
	b.ReportMetric(float64(l.Dropped())/float64(b.N), "dropped/op")
}
