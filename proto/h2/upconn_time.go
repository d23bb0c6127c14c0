package h2

import (
	"time"

	"weir/internal/clock"
)

// There are no timers for each stream. The connection's read deadline is the earliest that any of its streams waits for,
// or earlier: when it has passed, the reader looks at all of them and sets the next one. A deadline that has become
// unnecessary stands until then.

// arm has the reader look at the deadlines at t, or before. mu is held.
func (c *upConn) arm(t int64) {
	if t < c.wakeAt && !c.closing {
		c.wakeAt = t
		c.SetReadDeadline(t)
	}
}

// sweep wakes the streams whose deadlines have passed, and asks a silent server for a sign of life. False: the connection
// has nothing more to do.
func (c *upConn) sweep() bool {
	now := clock.Now()
	mute := c.mute(now)
	if mute && !c.doubted { // before those who waited in vain come again
		c.doubted = true
		c.t.setSuspect(c, true)
	}
	c.mu.Lock()
	next := c.expire(now)
	idle := len(c.streams) == 0
	switch {
	case c.pingBy != 0:
		next = min(next, c.pingBy)
	case idle && !mute:
		next = min(next, c.idleSince+int64(c.t.cfg.KeepIdle))
	case mute, c.pingAt() <= now:
		c.ping(now)
		next = min(next, c.pingBy)
	default:
		next = min(next, c.pingAt())
	}
	dead := c.pingBy != 0 && now >= c.pingBy
	idle = idle && now >= c.idleSince+int64(c.t.cfg.KeepIdle) && c.isReady()
	c.wakeAt = min(max(next, now+1), now+int64(time.Hour))
	c.SetReadDeadline(c.wakeAt)
	c.mu.Unlock()
	switch {
	case dead:
		c.lost(errUpMute, false)
		return false
	case idle && c.t.unused(c):
		c.retire()
		return false
	}
	c.settle()
	return true
}

// pingAt is when the server has been silent for too long.
func (c *upConn) pingAt() int64 {
	if c.t.cfg.Ping < 0 {
		return upNever
	}
	return c.heard + int64(c.t.cfg.Ping)
}

func (c *upConn) ping(now int64) {
	c.append(func(p []byte) []byte { return appendPing(p, false, [8]byte([]byte(pingWord))) })
	patience := c.t.cfg.Ping
	if patience < 0 {
		patience = c.t.cfg.Connect
	}
	c.pingBy = now + int64(patience)
}

// mute reports whether some stream has waited in vain while nothing at all came: then the connection itself may be dead.
// That a client was impatient tells nothing.
func (c *upConn) mute(now int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.streams {
		impatient := s.deadline != 0 && now >= s.deadline
		if c.heard < s.begun && !impatient && (s.due.over(now) || s.sender.due.over(now)) {
			return true
		}
	}
	return false
}

// expire wakes the streams whose deadlines have passed, and returns the next one. mu is held.
func (c *upConn) expire(now int64) (next int64) {
	next = upNever
	for _, s := range c.streams {
		for _, d := range [...]*upDeadline{&s.due, &s.sender.due} {
			switch {
			case d.over(now):
				d.at, d.passed = 0, true
				s.nudge()
				s.sender.nudge()
			case d.at != 0:
				next = min(next, d.at)
			}
		}
	}
	return next
}

// upNever is later than any deadline.
const upNever = int64(1<<63 - 1)

// An upDeadline is the end of somebody's patience.
type upDeadline struct {
	at     int64 // 0: nobody waits
	passed bool
}

func (d *upDeadline) over(now int64) bool { return d.at != 0 && d.at <= now }
