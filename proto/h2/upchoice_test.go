package h2

import (
	"errors"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"weir"
	"weir/internal/poll"
)

// holding answers a request when it is let go.
func holding(release chan struct{}, settings ...http2.Setting) func(p *upPeer) {
	return func(p *upPeer) {
		p.hello(settings...)
		var all sync.WaitGroup
		for id := p.request(); id != 0; id = p.request() {
			all.Go(func() {
				<-release
				p.head(id, true, ":status", "200")
			})
		}
		all.Wait()
	}
}

// loads returns the number of streams on each connection.
func loads(tr *Transport) (list []int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, c := range tr.conns {
		list = append(list, c.load)
	}
	return list
}

// begin runs n exchanges, and waits until so many are under way, those that wait for room included.
func (w *upWorld) begin(all *sync.WaitGroup, tr *Transport, n int) {
	under := func() int {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		sum := tr.waiting
		for _, c := range tr.conns {
			sum += c.load
		}
		return sum
	}
	for want := under() + n; n > 0; n-- {
		all.Go(func() { w.ask(tr, "GET", "/").do().got(200, "") })
		if n == 1 {
			until(w.t, func() bool { return under() == want })
		}
	}
}

// A further connection is opened only where those there are are full, and streams are spread evenly over them.
func TestTransportSpread(t *testing.T) {
	w := newUpWorld(t, "poller")
	release := make(chan struct{})
	o := w.newUpOrigin(holding(release))
	tr := w.transport(o.addr, TransportConfig{Streams: 4, Connections: 3})
	var all sync.WaitGroup
	w.begin(&all, tr, 4)
	until(t, func() bool { return len(loads(tr)) == 1 })
	w.begin(&all, tr, 1)
	until(t, func() bool { return len(loads(tr)) == 2 })
	w.begin(&all, tr, 3)
	if got := loads(tr); got[0] != 4 || got[1] != 4 {
		t.Errorf("%v streams", got)
	}
	w.begin(&all, tr, 6)
	until(t, func() bool { return len(loads(tr)) == 3 })
	until(t, func() bool { l := loads(tr); return l[0] == 4 && l[1] == 4 && l[2] == 4 })
	if tr.mu.Lock(); tr.waiting != 2 {
		t.Errorf("%d wait", tr.waiting)
	}
	tr.mu.Unlock()
	close(release)
	all.Wait()
	w.quietly(tr, 3)
	if o.accepted() != 3 {
		t.Errorf("%d connections", o.accepted())
	}
}

// Of several connections the one with the fewest streams gets the next.
func TestTransportFewestFirst(t *testing.T) {
	tr := &Transport{cfg: TransportConfig{Connections: 9, Streams: 10}.orDefaults()}
	at := func(shard, load, limit int) *upConn {
		c := &upConn{shard: shard, load: load, limit: limit}
		tr.conns = append(tr.conns, c)
		return c
	}
	at(0, 5, 10)
	best := at(0, 3, 10)
	other := at(1, 1, 10)
	full := at(0, 2, 2)
	doubtful := at(0, 0, 10)
	doubtful.suspect = true
	if c := tr.pick(0, false, nil); c != best {
		t.Errorf("%+v", c)
	}
	if c := tr.pick(1, false, nil); c != other {
		t.Errorf("%+v", c)
	}
	if c := tr.pick(7, false, nil); c != other {
		t.Errorf("of no poller: %+v", c)
	}
	if c := tr.pick(1, false, other); c != best {
		t.Errorf("without %+v: %+v", other, c)
	}
	tr.conns = []*upConn{full, other}
	tr.cfg.Connections = 2
	if c := tr.pick(1, false, other); c != other {
		t.Errorf("where there is no other: %+v", c)
	}
}

// Many that come at once share one dial, and its failure.
func TestTransportSharesDials(t *testing.T) {
	w := newUpWorld(t, "poller")
	o := w.newUpOrigin(answering)
	hold := make(chan struct{})
	dials := 0
	var fails bool
	tr := w.transport(o.addr, TransportConfig{Dial: func(x *weir.Exchange) (poll.Conn, error) {
		dials++
		<-hold
		if fails {
			return nil, errTest
		}
		return w.dial(o.addr, x)
	}})
	var all sync.WaitGroup
	run := func(check func(c *upClient)) {
		for range 50 {
			all.Go(func() { check(w.ask(tr, "GET", "/").do()) })
		}
		until(t, func() bool { tr.mu.Lock(); defer tr.mu.Unlock(); return tr.waiting == 50 })
		hold <- struct{}{}
		all.Wait()
	}
	fails = true
	run(func(c *upClient) {
		if c.failed(weir.CauseUpstreamUnreachable, weir.RetryAlways); !errors.Is(c.fault, errTest) {
			t.Error(c.fault)
		}
	})
	fails = false
	run(func(c *upClient) { c.got(200, "ok") })
	if dials != 2 {
		t.Errorf("%d dials", dials)
	}
}

// A client that goes takes no dial with it on which others wait.
func TestTransportWaitsAndGoes(t *testing.T) {
	w := newUpWorld(t, "poller")
	o := w.newUpOrigin(answering)
	hold := make(chan struct{})
	tr := w.transport(o.addr, TransportConfig{Dial: func(x *weir.Exchange) (poll.Conn, error) {
		<-hold
		return w.dial(o.addr, x)
	}})
	waits := func(n int) { until(t, func() bool { tr.mu.Lock(); defer tr.mu.Unlock(); return tr.waiting == n }) }
	first := w.ask(tr, "GET", "/")
	var all sync.WaitGroup
	all.Go(func() { first.do() })
	waits(1)
	all.Go(func() { w.ask(tr, "GET", "/").do().got(200, "ok") })
	waits(2)
	first.leave()
	waits(1)
	close(hold)
	all.Wait()
	first.failed(weir.CauseClientGone, weir.RetryNever)
}

// Waiting for room has an end, in time and in number.
func TestTransportNoRoom(t *testing.T) {
	w := newUpWorld(t, "poller")
	release := make(chan struct{})
	o := w.newUpOrigin(holding(release, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1}))
	tr := w.transport(o.addr, TransportConfig{Connections: 1, Streams: 2, Connect: 2 * time.Second})
	var all sync.WaitGroup
	w.begin(&all, tr, 1)
	until(t, func() bool { return len(loads(tr)) == 1 })
	for range 2 {
		all.Go(func() { w.ask(tr, "GET", "/").do().failed(weir.CauseQueueTimeout, weir.RetryAlways) })
	}
	until(t, func() bool { tr.mu.Lock(); defer tr.mu.Unlock(); return tr.waiting == 2 })
	w.ask(tr, "GET", "/").do().failed(weir.CauseQueueFull, weir.RetryAlways)
	until(t, func() bool { tr.mu.Lock(); defer tr.mu.Unlock(); return tr.waiting == 0 })
	close(release)
	all.Wait()
	w.quietly(tr, 1)
}

// The server's limit holds, also when it changes.
func TestTransportServersLimit(t *testing.T) {
	w := newUpWorld(t, "poller")
	release, more := make(chan struct{}), make(chan struct{})
	o := w.newUpOrigin(func(p *upPeer) {
		go func() {
			<-more
			p.hello(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 5})
		}()
		holding(release, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 2})(p)
	})
	tr := w.transport(o.addr, TransportConfig{Connections: 1})
	var all sync.WaitGroup
	w.begin(&all, tr, 7)
	until(t, func() bool { return len(loads(tr)) == 1 })
	if got := loads(tr); len(got) != 1 || got[0] != 2 {
		t.Errorf("%v streams", got)
	}
	close(more)
	until(t, func() bool { return loads(tr)[0] == 5 })
	close(release)
	all.Wait()
	w.quietly(tr, 1)
}

// An exchange takes a connection of another poller rather than wait, and its own poller gets one for those that follow.
func TestTransportOnePerPoller(t *testing.T) {
	w := newUpWorld(t, "poller")
	o := w.newUpOrigin(answering)
	tr := w.transport(o.addr, TransportConfig{})
	facts := *upFacts
	facts.Shard = 1
	w.ask(tr, "GET", "/").do().got(200, "ok")
	c := w.ask(tr, "GET", "/")
	c.x.Conn = &facts
	c.do().got(200, "ok")
	until(t, func() bool { return tr.Idle() == 2 })
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.conns[0].shard != 0 || tr.conns[1].shard != 1 {
		t.Errorf("shards %d and %d", tr.conns[0].shard, tr.conns[1].shard)
	}
}

// A closed transport still serves who has it, and keeps nothing.
func TestTransportClosed(t *testing.T) {
	eachUp(t, func(t *testing.T, w *upWorld) {
		if w.kind == "tls" {
			t.Skip("the scripted server speaks no TLS")
		}
		release := make(chan struct{}, 10)
		o := w.newUpOrigin(holding(release))
		tr := w.transport(o.addr, TransportConfig{})
		var all sync.WaitGroup
		w.begin(&all, tr, 1)
		until(t, func() bool { return len(loads(tr)) == 1 })
		tr.mu.Lock()
		c := tr.conns[0]
		tr.mu.Unlock()
		tr.Close()
		release <- struct{}{}
		all.Wait()
		release <- struct{}{}
		w.ask(tr, "GET", "/").do().got(200, "")
		if tr.Idle() != 0 {
			t.Error("something is kept")
		}
		until(t, func() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.closed })
	})
}
