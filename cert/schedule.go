package cert

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// askAgain is the shortest time between two questions to a CA about one certificate.
const askAgain = time.Hour

// lookAgain is the longest time between two looks at what is due.
const lookAgain = time.Hour

// run starts attempts when they are due.
func (m *Manager) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-m.wake:
		case <-timer.C:
		}
		timer.Reset(m.startDue())
	}
}

// startDue starts what is due and may run, and returns how long nothing else will be due.
func (m *Manager) startDue() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	pause := lookAgain // no longer, as the clock may be set, and timers stand still while a machine sleeps
	for _, r := range m.names {
		switch {
		case r.busy:
		case r.due.After(now):
			pause = min(pause, r.due.Sub(now))
		case m.working < maxAttempts:
			m.working++
			r.busy = true
			r.expect()
			m.ended.Go(func() { m.work(r) })
		}
	}
	return pause
}

// work brings one name up to date, or notes why that failed.
func (m *Manager) work(r *managed) {
	b, err := m.tend(r)
	m.mu.Lock()
	defer m.mu.Unlock()
	old := r.current.Load()
	m.count(old, b, err)
	news := err != nil || r.problem != nil || b != nil && (old == nil || old.pair != b.pair)
	if b != nil {
		r.current.Store(b)
	}
	r.busy, r.forced, r.problem = false, false, err
	m.working--
	r.due = m.next(r, err)
	if news {
		m.tell(r, err)
	}
	close(r.finished)
	r.finished = nil
	if firstStep(err) == string(stepAllow) && !r.wanted && (old == nil || !errors.Is(err, ErrNotAsked)) {
		m.forget(r, err)
	}
	m.poke()
}

// tend returns a new certificate for a name, or nil where the one it has is still good.
func (m *Manager) tend(r *managed) (*bundle, error) {
	s := m.settings.Load()
	m.mu.RLock()
	forced, failed, allow := r.forced, r.failed, r.allow
	m.mu.RUnlock()
	old := r.current.Load()
	if old != nil && !forced {
		var info *bundle
		if old, info = m.refresh(s, r, old); m.now().Before(renewAt(old)) {
			return info, nil
		}
	}
	if err := m.locks.lock(m.ctx, "name-"+fileName(r.name)); err != nil {
		return nil, err
	}
	defer m.locks.unlock("name-" + fileName(r.name))
	if other := m.gotMeanwhile(r, old); other != nil {
		return other, nil
	}
	if allow != nil {
		ctx, cancel := context.WithTimeout(m.ctx, callTimeout)
		defer cancel()
		if err := allow(ctx, r.name); err != nil {
			if ctx.Err() != nil {
				err = fmt.Errorf("the rule %w: %w", ErrNotAsked, err)
			}
			return nil, &failure{step: stepAllow, text: err.Error(), err: err}
		}
	}
	a := &attempt{m: m, s: s, name: r.name, forced: forced, failed: failed, old: old}
	return a.run(m.ctx)
}

// gotMeanwhile returns a certificate that another process got and that is good for a while.
func (m *Manager) gotMeanwhile(r *managed, old *bundle) *bundle {
	b, err := readBundle(bundleFile(m.dir, r.name))
	if err != nil || old != nil && !b.pair.Leaf.NotBefore.After(old.pair.Leaf.NotBefore) {
		return nil
	}
	if old == nil && !m.now().Before(renewAt(b)) {
		return nil
	}
	return b
}

// refresh asks the CA again when it wants a certificate to be renewed, where it is time to ask. It returns b or what
// replaces it, and that once more if it is another.
func (m *Manager) refresh(s *settings, r *managed, b *bundle) (now, changed *bundle) {
	info := b.note.Renewal
	if info == nil || !info.HasWindow() || info.RetryAfter != nil && m.now().Before(*info.RetryAfter) {
		return b, nil
	}
	ctx, cancel := context.WithTimeout(m.ctx, callTimeout)
	defer cancel()
	fresh, err := s.renewalInfo(ctx, b)
	if err != nil || fresh == nil {
		m.log.Debug("renewal information", "name", r.name, "error", err)
		kept := *info
		fresh = &kept
	}
	if fresh.SameWindow(*info) {
		fresh.SelectedTime = info.SelectedTime
	}
	if soonest := m.now().Add(askAgain); fresh.RetryAfter == nil || fresh.RetryAfter.Before(soonest) {
		fresh.RetryAfter = &soonest
	}
	next := &bundle{pair: b.pair, note: b.note}
	next.note.Renewal = fresh
	if err := next.rewrite(bundleFile(m.dir, r.name)); err != nil {
		m.log.Debug("renewal information", "name", r.name, "error", err)
	}
	return next, next
}

// renewAt is when a certificate is to be replaced: when the CA wants it (RFC 9773), yet with a fifth of its life left
// at least; or with a third of its life left, half of one that lasts ten days at most.
func renewAt(b *bundle) time.Time {
	leaf := b.pair.Leaf
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	info := b.note.Renewal
	if info != nil && !info.SelectedTime.IsZero() {
		// An attempt takes a while, however short the life.
		reserve := max(life/5, min(life/2, time.Minute))
		if latest := leaf.NotAfter.Add(-reserve); info.SelectedTime.After(latest) {
			return latest
		}
		return info.SelectedTime
	}
	if life <= 10*24*time.Hour {
		return leaf.NotAfter.Add(-life / 2)
	}
	return leaf.NotAfter.Add(-life / 3)
}

// next is when there is something to do for a name again. mu is held.
func (m *Manager) next(r *managed, err error) time.Time {
	now := m.now()
	b := r.current.Load()
	if err == nil {
		r.failed = 0
		due := now.Add(maxPause)
		if at := renewAt(b); at.Before(due) {
			due = at
		}
		if info := b.note.Renewal; info != nil && info.RetryAfter != nil && info.RetryAfter.Before(due) {
			due = *info.RetryAfter
		}
		if soonest := now.Add(time.Second); due.Before(soonest) {
			due = soonest
		}
		return due
	}
	var wait *deferral
	if errors.As(err, &wait) {
		return wait.until
	}
	r.failed++
	return now.Add(m.backoff(r.failed, b))
}

// backoff is the wait after a number of failures in a row, with up to a fifth by chance, so that many names do not come
// back at once. The less is left of the certificate, the shorter.
func (m *Manager) backoff(failed int, b *bundle) time.Duration {
	first := m.settings.Load().Retry
	wait := min(first<<min(failed-1, 12), max(maxRetry, first))
	if b != nil {
		wait = min(wait, max(first, b.pair.Leaf.NotAfter.Sub(m.now())/4))
	}
	return wait + rand.N(wait/5+1)
}

// tell logs how an attempt ended. mu is held.
func (m *Manager) tell(r *managed, err error) {
	b := r.current.Load()
	if err == nil {
		m.log.Info("certificate in force", "name", r.name, "ca", b.note.CA, "until", b.pair.Leaf.NotAfter, "renewal", renewAt(b))
		return
	}
	if m.ctx.Err() != nil {
		return
	}
	args := []any{"name", r.name, "step", firstStep(err), "error", oneLine(err), "again", r.due}
	if b == nil {
		m.log.Error("no certificate", args...)
		return
	}
	m.log.Warn("certificate not renewed", append(args, "until", b.pair.Leaf.NotAfter)...)
}
