package observe

import (
	"sync/atomic"
	"time"

	"weir/internal/clock"
)

const (
	clfTime  = "02/Jan/2006:15:04:05 -0700"
	jsonTime = "2006-01-02T15:04:05"
)

// A stamp is one second of wall-clock time, written out: formatting it for each line would cost as
// much as the rest of the line.
type stamp struct {
	from, to int64 // internal/clock times that lie in it
	clf      string
	json     string // UTC, without fraction and zone
}

// stamps makes wall-clock text of internal/clock times. The offset between the two clocks is looked up
// once a second, so that the text follows when the wall clock is set.
type stamps struct {
	offset func() int64 // wall-clock nanoseconds since 1970 minus internal/clock nanoseconds
	zone   *time.Location
	last   atomic.Pointer[stamp]
}

func newStamps() *stamps { return &stamps{offset: wallOffset, zone: time.Local} }

func wallOffset() int64 { return time.Now().UnixNano() - clock.Now() }

// at returns the second that t lies in.
func (s *stamps) at(t int64) *stamp {
	p := s.last.Load()
	if p != nil && t >= p.from && t < p.to {
		return p
	}
	next := s.make(t)
	if p == nil || next.from > p.from {
		s.last.Store(next)
	}
	return next
}

func (s *stamps) make(t int64) *stamp {
	offset := s.offset()
	wall := time.Unix(0, t+offset)
	from := t - int64(wall.Nanosecond())
	return &stamp{
		from: from,
		to:   from + int64(time.Second),
		clf:  wall.In(s.zone).Format(clfTime),
		json: wall.UTC().Format(jsonTime),
	}
}
