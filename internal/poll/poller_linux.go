package poll

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/clock"
)

// A Group is the pollers of the process, one for each core.
type Group struct {
	pollers []*poller
	table   table
	pipes   pipeStore
	next    atomic.Uint32
	closed  atomic.Bool
	done    sync.WaitGroup
	closing sync.Map // the socks that are closed in the background, once what they have posted has left
}

// NewGroup starts n pollers; n < 1: as many as GOMAXPROCS.
func NewGroup(n int) (*Group, error) {
	if n < 1 {
		n = runtime.GOMAXPROCS(0)
	}
	g := &Group{}
	for range n {
		p, err := newPoller(g, len(g.pollers))
		if err != nil {
			g.Close()
			return nil, err
		}
		g.pollers = append(g.pollers, p)
		g.done.Add(2)
		go p.loop()
		go p.closeOutbox()
	}
	return g, nil
}

// Close stops the pollers. Connections that still wait are not woken any more: close them first. Those that have been closed and
// have yet to deliver something get up to lateTime for it.
func (g *Group) Close() {
	g.awaitClosing(lateTime)
	g.closing.Range(func(s, _ any) bool { s.(*sock).Cancel(); return true })
	g.awaitClosing(lateTime)
	if g.closed.Swap(true) {
		return
	}
	for _, p := range g.pollers {
		p.kick()
		p.outbox.closer.notify()
	}
	g.done.Wait()
	for _, p := range g.pollers {
		p.release()
	}
	g.pipes.close()
}

const lateTime = 2 * time.Second

// awaitClosing waits until no connection is being closed in the background, for at most d.
func (g *Group) awaitClosing(d time.Duration) {
	some := func() (found bool) {
		g.closing.Range(func(any, any) bool { found = true; return false })
		return found
	}
	for end := clock.Now() + int64(d); some() && clock.Now() < end; {
		time.Sleep(lateTime / 200)
	}
}

// Shards returns the number of pollers.
func (g *Group) Shards() int { return len(g.pollers) }

// pick returns the poller with that number, or the next one where there is none.
func (g *Group) pick(shard int) *poller {
	if shard >= 0 && shard < len(g.pollers) {
		return g.pollers[shard]
	}
	return g.pollers[int(g.next.Add(1))%len(g.pollers)]
}

// A poller hands out readiness. It is an ordinary goroutine on an epoll set of its own.
type poller struct {
	group   *Group
	shard   int
	ep      int
	file    *os.File           // ep, within the runtime's own poller
	raw     syscall.RawConn    // of file
	wakes   func(uintptr) bool // wake; made once, since with few connections every exchange parks
	event   int32              // eventfd in ep: wakes the poller
	now     atomic.Int64       // time of the last turn that had events
	wheel   wheel
	events  [1024]unix.EpollEvent
	tasks   queue[Task]          // of connections that woke, one for each at most
	begun   [begunAtOnce]*Worker // used within handOut
	waiters int                  // whom the turn woke
	woken   int                  // whom the last turn that was not empty woke, workers included

	newcomers newcomers

	turns, acceptedIn uint // the turn it is, and the last one that accepted connections
	accepts           int  // so many at most

	crew   crew
	outbox outbox

	listenMu  sync.Mutex // protects listeners
	listeners map[int32]*listenFD
}

// Events of connections. EPOLLRDHUP tells a FIN that came together with data. Room to write is asked for by those alone
// who have to wait for it: every new connection has some, and that would be an event for each.
const (
	connEvents = unix.EPOLLIN | unix.EPOLLRDHUP | 1<<31 // EPOLLET
	roomEvents = connEvents | unix.EPOLLOUT
)

// Generation numbers that mark what is no connection.
const (
	genEvent  = 0
	genListen = 1
	genFirst  = 2
)

func newPoller(g *Group, shard int) (*poller, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	unix.SetNonblock(ep, true)
	p := &poller{group: g, shard: shard, ep: ep, listeners: map[int32]*listenFD{}}
	p.file = os.NewFile(uintptr(ep), "poller")
	if p.raw, err = p.file.SyscallConn(); err != nil {
		p.file.Close()
		return nil, err
	}
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		p.file.Close()
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	p.event = int32(fd)
	epollAdd(ep, p.event, unix.EPOLLIN|1<<31, genEvent)
	p.wheel.init()
	p.wakes = p.wake
	return p, nil
}

func (p *poller) release() {
	p.wheel.timer.Stop()
	closeFD(p.event)
	p.file.Close()
	p.crew.close()
}

// How the poller waits. While there is work it gives way to the goroutines it woke and asks again without blocking.
// When that finds nothing it gives way once more, to who is left and then to other processes, and blocks the thread for
// at most rawBlock, which is much cheaper than parking in the runtime's poller, and as much as other goroutines may have
// to wait for it. When nothing came for that long it parks as any goroutine does, and its processor is free.
//
// While busy it is always runnable, so the runtime looks at its own poller, which serves the admin address, checks and
// look-ups, only every 10 ms. Parking more often to have it look cost 2 % of all and a third more latency.
const rawBlock = 1 // ms

func (p *poller) loop() {
	defer p.group.done.Done()
	for !p.group.closed.Load() {
		if p.turn(0) == 0 && p.quiet() {
			p.park()
		} else {
			runtime.Gosched()
		}
	}
	p.outbox.end()
}

// quiet waits a moment for something to do; true: nothing came.
func (p *poller) quiet() bool {
	for n := p.woken; ; n -= runQueueTurns {
		runtime.Gosched()
		if n < runQueueTurns {
			break
		}
		if p.turn(0) > 0 {
			return false
		}
	}
	yieldThread()
	return p.turn(rawBlock) == 0
}

// runQueueTurns is after how many goroutines of its own queue at most a processor runs the poller, which is in the
// queue that all share (schedtick in the runtime's schedule).
const runQueueTurns = 61

// park waits in the runtime's poller until the epoll set has events, and handles them.
func (p *poller) park() {
	for p.newcomers.any() {
		p.registerNewcomers(never)
	}
	p.raw.Read(p.wakes)
}

// wake handles what the runtime's poller has woken us for; false: it was nothing.
func (p *poller) wake(uintptr) bool { return p.turn(0) > 0 || p.group.closed.Load() }

// kick makes the epoll set ready.
func (p *poller) kick() {
	one := [8]byte{1}
	unix.Write(int(p.event), one[:])
}

// turn sends what was posted in the last one, asks for events, waiting at most ms, and hands them out. It returns 0 where there
// was nothing to do.
func (p *poller) turn(ms int) int {
	p.outbox.end()
	n, e := epollWait(p.ep, p.events[:], ms)
	if e != 0 {
		n = 0
	}
	if n > 0 {
		p.now.Store(clock.Now())
	}
	p.turns++
	if p.newcomers.any() {
		p.registerNewcomers(p.now.Load() - int64(newcomerTime))
	}
	if n >= postFrom {
		p.outbox.begin()
	}
	p.waiters = 0
	for i := range n {
		p.handle(&p.events[i])
	}
	begun := p.handOut()
	if n+begun > 0 {
		p.woken = p.waiters + begun
	}
	return n + begun
}

func (p *poller) handle(ev *unix.EpollEvent) {
	switch gen := uint32(ev.Pad); gen {
	case genEvent:
		var buf [8]byte
		unix.Read(int(p.event), buf[:])
	case genListen:
		p.accept(ev.Fd)
	default:
		if s := p.group.table.find(ev.Fd, gen); s != nil {
			s.onEvent(ev.Events)
		}
	}
}

// A woken says what a notification has done.
type woken uint8

const (
	wokeNobody woken = iota // the ready mark stands for whoever comes
	wokeWaiter              // a goroutine that waited goes on
	wokeTask                // the idle connection's task is to be run
)

func (s *sock) onEvent(events uint32) {
	const gone = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
	if events&gone != 0 {
		s.hungUp()
	}
	if events&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0 && s.room.Load() {
		s.p.count(s.wr.notify(), s)
	}
	if events&(unix.EPOLLIN|gone) != 0 {
		s.p.count(s.rd.notify(), s)
	}
}

// count notes what a notification within a turn has done.
func (p *poller) count(w woken, s *sock) {
	switch w {
	case wokeWaiter:
		p.waiters++
	case wokeTask:
		s.drained = false
		p.tasks.add(s.task)
	}
}

// adopt makes a connection of a descriptor.
func (p *poller) adopt(fd int32) *sock {
	return &sock{fd: fd, p: p, outbox: &p.outbox, gen: max(p.group.table.gen.Add(1), genFirst), drained: true} // what is there already makes an event
}
