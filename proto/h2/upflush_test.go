package h2

import (
	"testing"
	"testing/synctest"
	"time"
)

// A flushed counts how often it is flushed, and when that was last.
type flushed struct {
	n  int
	at time.Time
}

func (f *flushed) Flush() error { f.n++; f.at = time.Now(); return nil }

// A head goes out in time however often its stream is woken for something else, and waits where the body comes.
func TestLateHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := upStreams.New().(*upStream)
		s.c = &upConn{t: &Transport{}}
		began, stop := time.Now(), make(chan struct{})
		go func() {
			for tick := time.NewTicker(time.Millisecond); ; {
				select {
				case <-tick.C:
					s.nudge()
				case <-stop:
					return
				}
			}
		}()
		var head flushed
		if err := s.body.flushed(&head); err != nil || head.n != 1 || head.at.Sub(began) != upHeadWait {
			t.Errorf("flushed %d times, after %v; %v", head.n, head.at.Sub(began), err)
		}
		close(stop)
		time.AfterFunc(upHeadWait/2, func() {
			s.c.mu.Lock()
			s.input.add([]byte("x"))
			s.c.mu.Unlock()
			s.nudge()
		})
		if err := s.body.flushed(&head); err != nil || head.n != 1 {
			t.Errorf("flushed %d times with the body at hand, %v", head.n, err)
		}
		drain(s.wake)
		if err := s.body.flushed(&head); err != nil || head.n != 1 {
			t.Errorf("flushed %d times with the body there before, %v", head.n, err)
		}
	})
}
