package upstream

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"weir"
)

// testMixture returns a mixture of servers with the given weights.
func testMixture(weights ...int) mixture {
	m := mixture{turn: new(atomic.Uint64), rand: seeded(), clock: func() int64 { return 1 }}
	for i, w := range weights {
		a := fmt.Sprintf("10.0.0.%d:80", i+1)
		m.eps = append(m.eps, &weir.Endpoint{Name: a, Address: a, Weight: w})
	}
	return m
}

func equalWeights(n int) []int { return slices.Repeat([]int{1}, n) }

// eachKind runs f for all balancers, plain and with sticky cookies before them.
func eachKind(t *testing.T, f func(t *testing.T, make func(mixture) chooser)) {
	for _, k := range kinds {
		plain := func(m mixture) chooser { return newChooser(k.name, m) }
		t.Run(k.name, func(t *testing.T) { f(t, plain) })
		t.Run(k.name+" sticky", func(t *testing.T) {
			f(t, func(m mixture) chooser {
				digests := make([]uint64, len(m.eps))
				for i, ep := range m.eps {
					digests[i] = serverDigest(nil, "shop", ep.Address)
				}
				return &stickyChooser{plain(m), m.eps, digests}
			})
		})
	}
}

// shares returns how many of n keys each server gets.
func shares(b chooser, servers, n int) []int {
	got := make([]int, servers)
	for key := range n {
		got[b.first(mix(uint64(key)+1))]++
	}
	return got
}

func TestBalancersHoldWeights(t *testing.T) {
	for _, weights := range [][]int{{1, 1, 1}, {5, 3, 2}, {1}, {1, 100}, {7, 7, 7, 7, 2}, {1000, 3000}} {
		eachKind(t, func(t *testing.T, make func(mixture) chooser) {
			const n = 30000
			total := 0
			for _, w := range weights {
				total += w
			}
			got := shares(make(testMixture(weights...)), len(weights), n)
			for i, w := range weights {
				want := float64(n) * float64(w) / float64(total)
				if diff := math.Abs(float64(got[i]) - want); diff > 0.01*n {
					t.Errorf("weights %v: server %d got %d of %d, want %.0f", weights, i, got[i], n, want)
				}
			}
		})
	}
}

func TestRoundRobinIsExactAndSmooth(t *testing.T) {
	b := newRoundRobin(testMixture(5, 1, 1))
	var got []int
	for range 7 {
		got = append(got, b.first(0))
	}
	if want := []int{0, 0, 1, 0, 2, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("a round is %v, want %v", got, want)
	}
	if n := len(smooth([]int{1, 1_000_000})); n > maxSequence+2 {
		t.Errorf("a round of %d turns", n)
	}
}

func TestCandidatesAreComplete(t *testing.T) {
	eachKind(t, func(t *testing.T, make func(mixture) chooser) {
		m := testMixture(1, 2, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1)
		m.eps[10].Backup, m.eps[11].Backup = true, true
		b := make(m)
		for key := range uint64(200) {
			given := &weir.Endpoint{Name: "given"}
			list := b.Candidates(mix(key), []*weir.Endpoint{given})
			if list[0] != given {
				t.Fatal("what was in dst is gone")
			}
			list = list[1:]
			if len(list) != len(m.eps) {
				t.Fatalf("%d candidates of %d servers", len(list), len(m.eps))
			}
			for i, ep := range list {
				if slices.Contains(list[:i], ep) {
					t.Fatalf("%s twice", ep.Name)
				}
				if ep.Backup != (i >= 10) {
					t.Fatalf("candidate %d: backup is %v", i, ep.Backup)
				}
			}
			if i := b.first(mix(key)); m.eps[i].Backup {
				t.Fatal("a backup is the first choice")
			}
		}
	})
}

func TestBackupsAloneAreBalanced(t *testing.T) {
	eachKind(t, func(t *testing.T, make func(mixture) chooser) {
		m := testMixture(1, 1)
		m.eps[0].Backup, m.eps[1].Backup = true, true
		if got := shares(make(m), 2, 1000); got[0] < 400 || got[1] < 400 {
			t.Errorf("shares are %v", got)
		}
	})
}

// A server that fails burdens all others alike: its second candidates are spread.
func TestSecondCandidatesAreSpread(t *testing.T) {
	eachKind(t, func(t *testing.T, make func(mixture) chooser) {
		m := testMixture(1, 1, 1, 1)
		b := make(m)
		second := map[*weir.Endpoint]int{}
		var dst []*weir.Endpoint
		for key := range uint64(12000) {
			if dst = b.Candidates(mix(key), dst[:0]); dst[0] == m.eps[0] {
				second[dst[1]]++
			}
		}
		for _, ep := range m.eps[1:] {
			if n := second[ep]; n < 700 || n > 1300 {
				t.Errorf("%s comes second %d times of about 3000", ep.Name, n)
			}
		}
	})
}

func TestBalancersDoNotAllocate(t *testing.T) {
	eachKind(t, func(t *testing.T, make func(mixture) chooser) {
		m := testMixture(2, 1, 1, 1)
		b := make(m)
		dst := append([]*weir.Endpoint(nil), m.eps...)
		key := uint64(0)
		allocs := testing.AllocsPerRun(1000, func() {
			key++
			b.first(key)
			b.Candidates(key, dst[:0])
		})
		if allocs != 0 && !raced {
			t.Errorf("%v allocations", allocs)
		}
	})
}

func TestBalancersAtOnce(t *testing.T) {
	eachKind(t, func(t *testing.T, make func(mixture) chooser) {
		m := testMixture(1, 2, 3)
		b := make(m)
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for i := range 500 {
					ep := m.eps[b.first(uint64(g*i))]
					ep.Active.Add(1)
					b.Candidates(uint64(i), nil)
					ep.Ramp.Store(int64(i))
					ep.Active.Add(-1)
				}
			})
		}
		wg.Wait()
	})
}

// Slow start gives a server a share that grows with its ramp.
func TestBalancersHeedSlowStart(t *testing.T) {
	eachKind(t, func(t *testing.T, make func(mixture) chooser) {
		m := testMixture(1, 1, 1)
		b := make(m)
		m.eps[0].Ramp.Store(100)
		got := shares(b, 3, 30000)
		if got[0] < 600 || got[0] > 2000 {
			t.Errorf("at a tenth it gets %d of 30000", got[0])
		}
		if min(got[1], got[2]) < 13000 {
			t.Errorf("of what it leaves the others get unlike shares: %v", got)
		}
		m.eps[0].Ramp.Store(500)
		if got := shares(b, 3, 30000)[0]; got < 4000 || got > 7500 {
			t.Errorf("at a half it gets %d of 30000", got)
		}
		for _, ep := range m.eps {
			ep.Ramp.Store(100)
		}
		for i, got := range shares(b, 3, 30000) {
			if got < 9000 {
				t.Errorf("all in slow start: server %d gets %d of 30000", i, got)
			}
		}
	})
}

// consistent are the balancers that go by keys.
func consistent(t *testing.T, f func(t *testing.T, make func(mixture) chooser)) {
	t.Run("hash", func(t *testing.T) { f(t, newRendezvous) })
	t.Run("maglev", func(t *testing.T) { f(t, newMaglev) })
}

func TestKeysStay(t *testing.T) {
	consistent(t, func(t *testing.T, make func(mixture) chooser) {
		const keys = 20000
		for _, n := range []int{3, 10, 50} {
			m := testMixture(equalWeights(n)...)
			before, twin := make(m), make(m)
			for key := range uint64(100) {
				if before.first(key) != twin.first(key) {
					t.Fatal("two balancers of the same servers disagree")
				}
			}
			gone := m
			gone.eps = slices.Delete(slices.Clone(m.eps), 1, 2)
			after := make(gone)
			moved := 0
			for key := range uint64(keys) {
				if m.eps[before.first(mix(key))] != gone.eps[after.first(mix(key))] {
					moved++
				}
			}
			if limit := 1.2 * keys / float64(n); float64(moved) > limit {
				t.Errorf("one of %d servers left and %d of %d keys moved, want at most %.0f", n, moved, keys, limit)
			}
		}
	})
}

func TestKeysStayWhenWeightsChange(t *testing.T) {
	consistent(t, func(t *testing.T, make func(mixture) chooser) {
		const keys = 20000
		before, after := make(testMixture(4, 4, 4)), make(testMixture(4, 4, 5))
		moved := 0
		for key := range uint64(keys) {
			if before.first(mix(key)) != after.first(mix(key)) {
				moved++
			}
		}
		// The third server's share grows from 4/12 to 5/13: by one twentieth.
		if moved > keys/10 {
			t.Errorf("%d of %d keys moved", moved, keys)
		}
	})
}

// While a server is out of service only its own keys are elsewhere, spread over all others.
func TestKeysOfServersThatAreOut(t *testing.T) {
	m := testMixture(equalWeights(40)...)
	before := newMaglev(m)
	out := m
	out.all, out.eps = m.eps, m.eps[1:]
	after := newMaglev(out)
	spread := map[*weir.Endpoint]int{}
	for key := range uint64(40000) {
		was, is := m.eps[before.first(mix(key))], out.eps[after.first(mix(key))]
		switch {
		case was == m.eps[0]:
			spread[is]++
		case was != is:
			t.Fatalf("a key of %s moved to %s", was.Name, is.Name)
		}
	}
	for _, ep := range out.eps {
		if n := spread[ep]; n < 10 || n > 50 {
			t.Errorf("%s got %d of about 1000 keys, want about 26", ep.Name, n)
		}
	}
}

func TestMaglevTablesAreKept(t *testing.T) {
	var c tableCache
	m := testMixture(1, 2, 3)
	a := c.table(m.eps)
	c.table(m.eps[:2])
	if b := c.table(m.eps); &a[0] != &b[0] {
		t.Error("a table was made twice")
	}
	m.eps[0].Weight = 5
	if b := c.table(m.eps); &a[0] == &b[0] {
		t.Error("a table was kept though a weight has changed")
	}
}

func TestManyServersInMaglev(t *testing.T) {
	b := newMaglev(testMixture(equalWeights(700)...)).(*maglev)
	if len(b.table) != maglevLarge {
		t.Errorf("the table of 700 servers has %d places", len(b.table))
	}
	got := make([]int, 700)
	for _, i := range b.table {
		got[i]++
	}
	if slices.Min(got) < maglevLarge/700-1 || slices.Max(got) > maglevLarge/700+1 {
		t.Errorf("servers have from %d to %d places", slices.Min(got), slices.Max(got))
	}
}

func TestLeastRequestAvoidsTheBusy(t *testing.T) {
	m := testMixture(1, 1, 2)
	b := newLeastRequest(m)
	m.eps[0].Active.Store(2)
	m.eps[1].Active.Store(1)
	m.eps[2].Active.Store(3)
	for range 10 {
		if i := b.first(0); i != 1 {
			t.Fatalf("took server %d", i)
		}
	}
	m.eps[1].Active.Store(2)
	if i := b.first(0); i != 2 {
		t.Errorf("took server %d, want the one with twice the weight", i)
	}
}

func TestRandomTakesTheLighterOfTwo(t *testing.T) {
	m := testMixture(1, 1)
	m.eps[0].Active.Store(5)
	if got := shares(newRandom(m), 2, 1000); got[0] > 130 {
		t.Errorf("the busy one got %d of 1000", got[0])
	}
}

func TestLeastTimeAvoidsTheSlow(t *testing.T) {
	m := testMixture(1, 1, 1)
	now := int64(latencyMemory)
	m.clock = func() int64 { return now }
	for i, ms := range []int64{100, 10, 10} {
		m.eps[i].Latency.Store(ms * 1e6)
		m.eps[i].Stamp.Store(now)
	}
	b := newLeastTime(m)
	if got := shares(b, 3, 3000); got[0] > 100 || got[1] < 1000 || got[2] < 1000 {
		t.Errorf("shares are %v", got)
	}
	m.eps[1].Active.Store(20)
	m.eps[2].Active.Store(20)
	if got := shares(b, 3, 3000); got[0] < 1800 {
		t.Errorf("with the others busy shares are %v", got)
	}
	m.eps[1].Active.Store(0)
	m.eps[2].Active.Store(0)
	now += 8 * int64(latencyMemory)
	m.eps[1].Stamp.Store(now)
	m.eps[2].Stamp.Store(now)
	if got := shares(b, 3, 3000); got[0] < 1800 {
		t.Errorf("after a long silence shares are %v", got)
	}
}

// A server nothing is known of gets one exchange, and no second one before the first has ended.
func TestLeastTimeOfTheUnknown(t *testing.T) {
	m := testMixture(1, 1)
	m.eps[0].Latency.Store(1e6)
	b := newLeastTime(m)
	if got := shares(b, 2, 100); got[1] < 85 {
		t.Errorf("the unknown one got %d of 100", got[1])
	}
	m.eps[1].Active.Store(1)
	if got := shares(b, 2, 100); got[1] > 15 {
		t.Errorf("busy with its first exchange it got %d of 100", got[1])
	}
}

func TestLatency(t *testing.T) {
	s := &server{ep: new(weir.Endpoint)}
	const ms = int64(1e6)
	now := int64(1e9)
	s.sample(10*ms, now)
	s.sample(50*ms, now+1)
	if got := s.ep.Latency.Load(); got != 50*ms {
		t.Errorf("after a peak it is %d ms", got/ms)
	}
	s.sample(10*ms, now+int64(latencyMemory))
	if got := s.ep.Latency.Load() / ms; got < 22 || got > 27 {
		t.Errorf("later it is %d ms, want about 25", got)
	}
	s.punish(now + int64(latencyMemory))
	if got := s.ep.Latency.Load() / ms; got != 100 {
		t.Errorf("after a failure it is %d ms", got)
	}
}
