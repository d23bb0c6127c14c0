package poll

import (
	"runtime"
	"sync"
	"syscall"
	"time"

	"weir/internal/clock"
)

// An outbox holds what the connections of a poller have posted in a turn that had several events, until the turn is over: then
// all of it is sent, one call for each, but one after the other. Sending is the longest way through the kernel, and
// leaves little of this program in the processor's caches; so what handles a turn's messages runs once through for all of them and
// not once for each.
//
// It is closed, and what is posted is sent at once, while the poller waits for events: nobody would empty it. Collect opens
// it for messages that other things than the poller's events give rise to.
type outbox struct {
	closer waitWord // of who closes it after Collect

	mu    sync.Mutex // protects all below
	open  bool
	now   bundle // what is collected
	spare bundle // the memory of one that has been sent
}

// A bundle is what is sent together.
type bundle struct {
	data  []byte
	posts []post
}

// A post is data[from:to] on its way to s.
type post struct {
	s        *sock
	from, to int
}

// What is longer than postMost is sent at once, and a bundle when it has bundleMost posts: it holds 128 KiB at most.
const (
	postMost   = 4 << 10
	bundleMost = 32
)

// postFrom is how many events a turn must have for what it makes to be collected.
const postFrom = 4

// add takes p in; full: the bundle is to be sent now. Not taken: p is.
func (o *outbox) add(s *sock, p []byte) (taken, full bool) {
	o.mu.Lock()
	if taken = o.open; taken {
		b := &o.now
		from := len(b.data)
		b.data = append(b.data, p...)
		b.posts = append(b.posts, post{s, from, len(b.data)})
		s.post.Store(postQueued)
		full = len(b.posts) >= bundleMost
	}
	o.mu.Unlock()
	return taken, full
}

// begin opens the outbox; false: it was open.
func (o *outbox) begin() bool {
	o.mu.Lock()
	was := o.open
	o.open = true
	o.mu.Unlock()
	return !was
}

// end closes the outbox and sends what is in it.
func (o *outbox) end() {
	o.mu.Lock()
	o.open = false
	o.send()
}

// flush sends what is in it.
func (o *outbox) flush() {
	o.mu.Lock()
	o.send()
}

// send sends the bundle and unlocks mu, which the caller has locked.
func (o *outbox) send() {
	b := o.now
	if len(b.posts) == 0 {
		o.mu.Unlock()
		return
	}
	o.now, o.spare = o.spare, bundle{}
	o.mu.Unlock()
	for _, p := range b.posts {
		p.s.deliver(b.data[p.from:p.to])
	}
	clear(b.posts)
	o.mu.Lock()
	o.spare = bundle{b.data[:0], b.posts[:0]}
	o.mu.Unlock()
}

// Collect is for who is about to have several requests carried at once that no event of the poller with that number has
// brought: what is posted on its connections is collected until the goroutines have run that can run now.
func (g *Group) Collect(shard int) {
	if o := &g.pick(shard).outbox; !g.closed.Load() && o.begin() {
		o.closer.notify()
	}
}

// closeOutbox closes the outbox, each time that Collect has opened it, when others have run.
func (p *poller) closeOutbox() {
	defer p.group.done.Done()
	for !p.group.closed.Load() {
		p.outbox.closer.wait(nil)
		runtime.Gosched()
		p.outbox.end()
	}
}

// The states of what a connection has posted.
const (
	postNone   uint32 = iota
	postQueued        // it is in the outbox, or being sent
	postFailed        // not all of it could be sent: nothing may follow
)

// Post implements Conn.
func (s *sock) Post(p []byte) (int, error) {
	if err := s.settle(); err != nil {
		return 0, err
	}
	if len(p) > postMost || s.broken() != nil {
		return s.write(p)
	}
	taken, full := s.outbox.add(s, p)
	if !taken {
		return s.write(p)
	}
	if full {
		s.outbox.flush()
	}
	return len(p), nil
}

// deliver sends what s has posted, or has a goroutine of its own send what there is no room for.
func (s *sock) deliver(p []byte) {
	n, e := send(s.fd, p)
	for e == syscall.EINTR {
		n, e = send(s.fd, p)
	}
	if e == 0 {
		s.took(n)
	}
	switch {
	case e == syscall.EAGAIN:
		s.deliverLater(p, 0)
	case e != 0:
		s.undelivered(sysError("send", e), 0)
	case n < len(p):
		s.deliverLater(p[n:], n)
	default:
		s.post.Store(postNone)
	}
}

// A remainder is what there was no room for of what a connection has posted.
type remainder struct {
	p    []byte
	sent int           // before it
	done chan struct{} // closed when p has been sent, or can't be
}

// restTime is how long a remainder may take where neither a deadline nor a pace for writing stands.
const restTime = 30 * time.Second

func (s *sock) deliverLater(p []byte, sent int) {
	r := &remainder{p: append([]byte(nil), p...), sent: sent, done: make(chan struct{})}
	s.rest.Store(r)
	go s.deliverRest(r)
}

func (s *sock) deliverRest(r *remainder) {
	by := clock.Now() + int64(restTime)
	if s.pace.Load() == nil {
		s.writeBy.CompareAndSwap(0, by)
	}
	n, err := s.write(r.p)
	s.writeBy.CompareAndSwap(by, 0)
	s.rest.Store(nil)
	if err == nil {
		s.post.Store(postNone)
	} else {
		s.undelivered(err, r.sent+n)
	}
	close(r.done)
}

// undelivered has reads that find nothing, and all writes, end with a PostError.
func (s *sock) undelivered(err error, sent int) {
	s.postErr.Store(&PostError{Err: err, Sent: sent})
	s.hup.Store(true)
	s.notify(&s.rd)
	s.post.Store(postFailed)
}

// settle waits until what was posted has been sent.
func (s *sock) settle() error {
	if s.post.Load() == postNone {
		return nil
	}
	return s.awaitPost()
}

func (s *sock) awaitPost() error {
	for r := s.deliverNow(); r != nil; r = s.deliverNow() {
		<-r.done
	}
	return s.lost()
}

// deliverNow has what was posted leave now, and returns what there is no room for, or nil.
func (s *sock) deliverNow() *remainder {
	for s.post.Load() == postQueued {
		if r := s.rest.Load(); r != nil {
			return r
		}
		s.outbox.flush()
		if s.post.Load() == postQueued {
			runtime.Gosched() // another goroutine is sending it
		}
	}
	return nil
}

// settled implements settler.
func (s *sock) settled() bool { return s.deliverNow() == nil && s.lost() == nil }

// lost returns the error of what was posted, or nil.
func (s *sock) lost() error {
	if e := s.postErr.Load(); e != nil {
		return e
	}
	return nil
}
