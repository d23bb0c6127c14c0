package h3

import (
	"sync"

	"github.com/quic-go/quic-go"
)

// A crew is the goroutines that carry requests. Some wait for the next one when they have finished: a goroutine that has
// carried a request has the stack that it takes, and a new one has to grow it first.
type crew struct {
	jobs chan job
	idle chan struct{} // has a place for each who may wait
	quit chan struct{}
	all  sync.WaitGroup
}

// A job is a request's stream.
type job struct {
	conn *conn
	str  *quic.Stream
	done *sync.WaitGroup
}

// waiting is how many goroutines of a socket wait for requests, at most.
const waiting = 256

func newCrew() *crew {
	return &crew{jobs: make(chan job), idle: make(chan struct{}, waiting), quit: make(chan struct{})}
}

// end waits until everybody has gone. There must be no more jobs.
func (c *crew) end() {
	close(c.quit)
	c.all.Wait()
}

// do has a job done at once, by who waits for one or by somebody new.
func (c *crew) do(j job) {
	j.done.Add(1)
	select {
	case c.jobs <- j:
	default:
		c.all.Go(func() { c.work(j) })
	}
}

// work does jobs until there are others enough to wait for more.
func (c *crew) work(j job) {
	for {
		j.conn.serve(j.str)
		j.done.Done()
		select {
		case c.idle <- struct{}{}:
		default:
			return
		}
		select {
		case j = <-c.jobs:
			<-c.idle
		case <-c.quit:
			return
		}
	}
}
