package h2

import (
	"testing"
	"time"
)

// A client that has been told to go is read for a while, so that it learns of it: as much as it may have had on its way.
func TestLinger(t *testing.T) {
	inTime(t, ok, func(t *testing.T, w *world, p *peer) {
		away := p.hear(frameGoAway)
		p.send(greeting(), appendPing(nil, false, [8]byte{}), appendData(nil, 0, false, nil))
		<-away
		began := time.Now()
		for range connWindow / minFrameSize {
			p.send(appendData(nil, 1, false, make([]byte, minFrameSize)))
		}
		if n, err := p.Write([]byte("x")); n != 1 {
			t.Error(err)
		}
		for range away {
		}
		took(t, began, lingerTime)
	})
}

// One that floods the server meanwhile is cut off.
func TestLingerFlood(t *testing.T) {
	inTime(t, ok, func(t *testing.T, w *world, p *peer) {
		away := p.hear(frameGoAway)
		p.send(greeting(), appendData(nil, 0, false, nil))
		<-away
		began, sent, piece := time.Now(), 0, make([]byte, minFrameSize)
		for sent < 100*lingerMost {
			n, err := p.Write(piece)
			if sent += n; err != nil {
				break
			}
		}
		if sent > lingerMost+64<<10 || time.Since(began) > lingerTime/2 {
			t.Errorf("%d bytes were read in %v", sent, time.Since(began))
		}
	})
}
