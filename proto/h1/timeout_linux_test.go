package h1

import (
	"testing"
	"time"

	"weir"
)

// A byte more of a head that took too long, which crosses the answer, makes no reset of the end: many clients would lose the
// answer by it.
func TestHeaderTimeoutCrossed(t *testing.T) {
	w := newWorld(t, "poller")
	crossing := make(chan *client, 1)
	w.serve(ServerConfig{Timeouts: Timeouts{Header: 50 * time.Millisecond}})
	cfg := *w.srv.config.Load()
	cfg.Observer = weir.Observers{w, observer(func() { (<-crossing).send("a") })}
	w.srv.config.Store(&cfg)
	c := w.dial()
	c.send("GET / HTTP/1.1\r\n")
	crossing <- c
	c.expect(408, "408 Request Timeout\n")
	w.ended(408, weir.CauseClientHeaderTimeout)
	c.ended()
}

// An observer is told that an exchange has ended.
type observer func()

func (o observer) Observe(*weir.Exchange) { o() }
