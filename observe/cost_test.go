package observe

import (
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strconv"
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

// TestMetersFitCacheLines: of a route whose memory no cache holds, each line is waited for.
func TestMetersFitCacheLines(t *testing.T) {
	const line = 64
	c, r := reflect.TypeFor[cells](), reflect.TypeFor[meter]()
	if c.Size() > 6*line {
		t.Errorf("cells are %d bytes, more than the size of the allocator that begins where cache lines do", c.Size())
	}
	for _, f := range []struct {
		of   reflect.Type
		name string
		want uintptr
	}{{c, "buckets", line}, {r, "key", line}} {
		if at, ok := f.of.FieldByName(f.name); !ok || at.Offset != f.want {
			t.Errorf("%s of %v begins at %d, not at the second cache line", f.name, f.of, at.Offset)
		}
	}
}

// BenchmarkMetricsOfManyRoutes takes one route after another, so that nothing of their own is in the caches.
func BenchmarkMetricsOfManyRoutes(b *testing.B) {
	m := NewMetrics(2)
	x := exchange()
	routes := make([]*weir.Route, 100_000)
	for i := range routes {
		name := strconv.Itoa(i)
		routes[i] = &weir.Route{Site: "shop", Name: name, Meter: m.Route("shop", name, "shop")}
		x.Route = routes[i]
		m.Observe(x)
	}
	rand.Shuffle(len(routes), func(i, k int) { routes[i], routes[k] = routes[k], routes[i] })
	i := 0
	for b.Loop() {
		x.Route = routes[i%len(routes)]
		m.Observe(x)
		i++
	}
}
