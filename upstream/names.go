package upstream

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// lookupTimeout bounds one look-up.
const lookupTimeout = 5 * time.Second

// A name is resolved again and again while its pool lives. The last good answer stays in force
// whatever comes after it.
type name struct {
	p      *Pool
	target target
	spec   Server // of each server that it stands for

	// Guarded by memory.mu.

	hits     []hit
	resolved time.Time // when the last good answer came
	due      int64     // when to look again, internal/clock; 0: at once
	failed   int       // look-ups in a row without an answer
	problem  string    // of the last look-up
	timer    *time.Timer
}

// A hit is one server of an answer.
type hit struct {
	address string
	name    string
	weight  int // 0: that of the configuration
	backup  bool
}

// nameList returns the names in the configuration, with what the pool before knows of them. mem.mu
// is held.
func (p *Pool) nameList() []*name {
	var list []*name
	for _, s := range p.cfg.Servers {
		if t, _ := parseTarget(s.Address); t.host != "" {
			list = append(list, p.newName(t, s))
		}
	}
	if d := p.cfg.Discover; d != nil {
		t, _ := parseDiscover(d.Name)
		list = append(list, p.newName(t, Server{Address: d.Name, Weight: 1}))
	}
	return list
}

func (p *Pool) newName(t target, spec Server) *name {
	n := &name{p: p, target: t, spec: spec}
	if p.prev != nil {
		n.adopt(p.prev)
	}
	return n
}

// adopt takes what prev knows of the name. mem.mu is held.
func (n *name) adopt(prev *Pool) {
	for _, old := range prev.names {
		if old.target == n.target {
			n.hits, n.resolved, n.due = old.hits, old.resolved, old.due
			n.failed, n.problem = old.failed, old.problem
		}
	}
}

// places returns all servers that are known now, in the order of the configuration. mem.mu is held.
func (p *Pool) places() []placed {
	var out []placed
	names := p.names
	for _, s := range p.cfg.Servers {
		if len(names) > 0 && names[0].spec == s {
			out = names[0].places(out)
			names = names[1:]
			continue
		}
		out = append(out, placed{s, s.Address, s.Address})
	}
	for _, n := range names {
		out = n.places(out)
	}
	return out
}

func (n *name) places(out []placed) []placed {
	for _, h := range n.hits {
		s := n.spec
		if h.weight > 0 {
			s.Weight = h.weight
		}
		s.Backup = s.Backup || h.backup
		out = append(out, placed{s, h.name, h.address})
	}
	return out
}

// startNames begins the look-ups, each when it is due. mem.mu is held.
func (p *Pool) startNames() {
	for _, n := range p.names {
		var wait time.Duration
		if n.due != 0 {
			wait = max(time.Duration(n.due-p.deps.Clock()), 0)
		}
		n.timer = time.AfterFunc(wait, n.look)
	}
}

func (n *name) stop() {
	if n.timer != nil {
		n.timer.Stop()
	}
}

// look makes one look-up and sets the time of the next.
func (n *name) look() {
	p := n.p
	ctx, cancel := context.WithTimeout(p.ctx, lookupTimeout)
	hits, ttl, err := n.resolve(ctx)
	cancel()
	p.mem.mu.Lock()
	if !p.works() {
		p.mem.mu.Unlock()
		return
	}
	wait := n.learn(hits, ttl, err)
	n.due = p.deps.Clock() + int64(wait)
	n.timer.Reset(wait)
	leaving := p.refill()
	p.mem.mu.Unlock()
	for _, c := range leaving {
		c.Close()
	}
	p.mem.queue.offer()
}

// learn takes the result of a look-up and returns when to make the next. mem.mu is held.
func (n *name) learn(hits []hit, ttl time.Duration, err error) time.Duration {
	r := n.p.cfg.Refresh
	if err == nil {
		if n.failed > 0 && !n.resolved.IsZero() {
			n.p.deps.Log.Info("name resolved again", "upstream", n.p.cfg.Name, "name", n.target.text, "servers", len(hits))
		}
		n.hits, n.resolved, n.failed, n.problem = hits, time.Now(), 0, ""
		return min(max(ttl, r.Min), r.Max)
	}
	if n.problem = err.Error(); n.failed == 0 {
		n.p.deps.Log.Warn("name not resolved", "upstream", n.p.cfg.Name, "name", n.target.text, "reason", n.problem, "servers", len(n.hits))
	}
	n.failed++
	if n.resolved.IsZero() {
		return min(250*time.Millisecond<<min(n.failed, 8), r.Min)
	}
	return r.Min
}

// refill brings the members in line with what the names stand for, and returns the transports of
// those that leave. mem.mu is held.
func (p *Pool) refill() (leaving []*carrier) {
	old := p.members
	next := p.enlist(p.places(), old)
	if slices.Equal(old, next) {
		return nil
	}
	p.members = next
	inherit(next, old)
	for _, s := range next {
		if !slices.Contains(old, s) {
			p.employ(s, len(old) > 0 && !known(old, s.cond))
		}
	}
	for _, s := range old {
		if !p.has(s.cond) {
			p.unwatch(s.cond)
			p.unwatchEjection(s.cond)
			leaving = append(leaving, p.disown(s)...)
			p.deps.Log.Info("server left", "upstream", p.cfg.Name, "server", s.ep.Name, "address", s.ep.Address)
		}
	}
	p.arrange()
	return leaving
}

// resolve asks what the name stands for now.
func (n *name) resolve(ctx context.Context) ([]hit, time.Duration, error) {
	if n.target.srv {
		return n.services(ctx)
	}
	addrs, ttl, err := n.p.deps.Resolver.Addresses(ctx, n.target.host)
	if err != nil {
		return nil, 0, err
	}
	var hits []hit
	for _, a := range oneFamily(addrs) {
		hits = append(hits, hit{address: netip.AddrPortFrom(a, n.target.port).String(), name: n.target.text})
	}
	return inOrder(hits, ttl)
}

// services resolves SRV records (RFC 2782): the servers of the lowest priority are the primaries,
// the others backups.
func (n *name) services(ctx context.Context) ([]hit, time.Duration, error) {
	list, ttl, err := n.p.deps.Resolver.Services(ctx, n.target.host)
	if err != nil || len(list) == 0 {
		return nil, 0, cmp.Or(err, errNoAddress)
	}
	best := slices.MinFunc(list, func(a, b Service) int { return cmp.Compare(a.Priority, b.Priority) }).Priority
	var hits []hit
	for _, s := range list {
		text := net.JoinHostPort(s.Target, strconv.Itoa(int(s.Port)))
		for _, a := range oneFamily(s.Addresses) {
			hits = append(hits, hit{
				address: netip.AddrPortFrom(a, s.Port).String(), name: text,
				weight: max(int(s.Weight), 1), backup: s.Priority > best,
			})
		}
	}
	return inOrder(hits, ttl)
}

// inOrder sorts hits, so that the order of an answer, which name servers like to change, does not
// look like another answer.
func inOrder(hits []hit, ttl time.Duration) ([]hit, time.Duration, error) {
	if len(hits) == 0 {
		return nil, 0, errNoAddress
	}
	slices.SortFunc(hits, func(a, b hit) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.address, b.address))
	})
	hits = slices.Compact(hits)
	return hits[:min(len(hits), maxServers/10)], ttl, nil
}

// oneFamily returns the IPv4 addresses of list or, where there are none, the IPv6 ones: the two of one
// machine would count as two servers.
func oneFamily(list []netip.Addr) []netip.Addr {
	var four, six []netip.Addr
	for _, a := range list {
		if a = a.Unmap(); a.Is4() {
			four = append(four, a)
		} else {
			six = append(six, a)
		}
	}
	if len(four) > 0 {
		return four
	}
	return six
}
