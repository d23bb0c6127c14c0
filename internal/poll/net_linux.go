package poll

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/clock"
)

// A Listener accepts connections for a group, on every poller.
type Listener struct {
	group  *Group
	fd     *listenFD
	source net.Listener
}

type listenFD struct {
	fd     int32
	unix   bool
	accept func(Conn)
	paused atomic.Bool
	local  netip.AddrPort
	onrush onrush
}

// Listen has accept called, on a poller's goroutine, for every connection that l is offered. accept must
// not block: it calls Idle, or starts a goroutine. Clients must speak first: while many come, who says nothing is
// accepted a second later (see onrush). l must be a TCP or unix listener; it belongs to the
// Listener from here on, and its descriptor can still be had from it for handing over.
func (g *Group) Listen(l net.Listener, accept func(Conn)) (*Listener, error) {
	sc, ok := l.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("listener %s: not a socket", l.Addr())
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil, err
	}
	lf := &listenFD{accept: accept, unix: l.Addr().Network() == "unix", local: listenAddr(l), onrush: onrush{fd: -1}}
	// A descriptor of our own, so that the runtime's poller and ours do not meet on one.
	err2 := raw.Control(func(fd uintptr) {
		var n int
		if n, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); err == nil {
			lf.fd = int32(n)
		}
	})
	if err == nil {
		err = err2
	}
	if err != nil {
		return nil, fmt.Errorf("listener %s: %w", l.Addr(), err)
	}
	if !lf.unix {
		tune(lf.fd, lf.local.Addr()) // connections inherit it
		lf.onrush.fd = lf.fd
		lf.onrush.apply(false) // it may be inherited
	}
	ln := &Listener{group: g, fd: lf, source: l}
	for _, p := range g.pollers {
		p.listenMu.Lock()
		p.listeners[lf.fd] = lf
		p.listenMu.Unlock()
		if e := epollAdd(p.ep, lf.fd, unix.EPOLLIN|unix.EPOLLEXCLUSIVE, genListen); e != 0 {
			ln.Detach()
			return nil, sysError("epoll_ctl", e)
		}
	}
	return ln, nil
}

// listenAddr returns the address of connections that l accepts, or the zero value where they may have different ones.
func listenAddr(l net.Listener) netip.AddrPort {
	a, ok := l.Addr().(*net.TCPAddr)
	if !ok || a.AddrPort().Addr().IsUnspecified() {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.AddrPort().Addr().Unmap(), a.AddrPort().Port())
}

// tune sets the options of a TCP socket, one end of which is addr. The loopback has no path that could be congested,
// and pacing (as BBR does it) makes large bodies there twice as dear; so Reno controls it, which every kernel has.
func tune(fd int32, addr netip.Addr) {
	setInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if addr.IsLoopback() {
		unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "reno")
	}
}

// Close stops accepting. Connections in the kernel's queue are accepted first; all have been when it returns.
func (l *Listener) Close() error {
	l.leave()
	l.fd.onrush.end()
	for l.group.pollers[0].acceptOne(l.fd, false) {
	}
	closeFD(l.fd.fd)
	return l.source.Close()
}

// Detach stops accepting and leaves open the listener that Listen was given, with what is in its queue.
func (l *Listener) Detach() {
	l.leave()
	closeFD(l.fd.fd)
}

// leave has no poller accept any more.
func (l *Listener) leave() {
	for _, p := range l.group.pollers {
		epollDel(p.ep, l.fd.fd)
		p.listenMu.Lock()
		delete(p.listeners, l.fd.fd)
		p.listenMu.Unlock()
	}
}

// Addr returns the address it listens on.
func (l *Listener) Addr() net.Addr { return l.source.Addr() }

// Source returns the listener that Listen was given, for handing its descriptor over.
func (l *Listener) Source() net.Listener { return l.source }

// acceptBatch is how many connections one turn takes at most, so that a flood of new ones leaves time for the rest.
const acceptBatch = 64

// accept takes what waits at a listening socket: one connection, and twice as many in each turn that finds it ready again,
// so that single ones do not cost a second call that finds nothing.
//
// It holds listenMu all the while: whoever closes a listener waits for it, since the number of the descriptor may be
// another's right after.
func (p *poller) accept(fd int32) {
	p.listenMu.Lock()
	defer p.listenMu.Unlock()
	lf := p.listeners[fd]
	if lf == nil {
		return
	}
	p.expect()
	for range p.accepts {
		if !p.acceptOne(lf, true) {
			return
		}
	}
}

// expect settles how many connections this turn takes of each listening socket.
func (p *poller) expect() {
	switch p.turns - p.acceptedIn {
	case 0: // another one was ready, too
	case 1:
		p.accepts = min(max(2*p.accepts, 1), acceptBatch)
	default:
		p.accepts = 1
	}
	p.acceptedIn = p.turns
}

// acceptOne reports whether there may be more. newcomer: the connection may be made one; that is for the poller.
func (p *poller) acceptOne(lf *listenFD, newcomer bool) bool {
	fd, remote, e := accept4(lf.fd)
	switch e {
	case 0:
	case syscall.EINTR, syscall.ECONNABORTED:
		return true
	case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM:
		p.pause(lf)
		return false
	default:
		return false
	}
	lf.onrush.count(p.now.Load())
	s := p.adopt(fd)
	s.local, s.remote = lf.local, remote
	switch {
	case newcomer && p.newcomers.promising():
		p.welcome(s, lf.accept)
	case s.register(connEvents) == nil:
		lf.accept(s)
	default:
		s.Close()
	}
	return true
}

// pause stops listening for a moment when the machine has no descriptor left: the level-triggered event
// would otherwise keep the poller busy with nothing.
func (p *poller) pause(lf *listenFD) {
	if lf.paused.Swap(true) {
		return
	}
	epollDel(p.ep, lf.fd)
	time.AfterFunc(50*time.Millisecond, func() {
		lf.paused.Store(false)
		p.listenMu.Lock()
		defer p.listenMu.Unlock()
		if p.listeners[lf.fd] == lf {
			epollAdd(p.ep, lf.fd, unix.EPOLLIN|unix.EPOLLEXCLUSIVE, genListen)
		}
	})
}

// Dial connects to address: "host-address:port" or "unix:path". The new connection goes to the poller with the
// number shard (-1: any), so that the two ends of an exchange can share a core. The wait ends at deadline (a value of
// clock.Now; 0: never) with ErrTimeout, or with ErrCanceled through the Canceler that watch (may be nil) is given for
// as long as the wait lasts.
func (g *Group) Dial(address string, shard int, deadline int64, watch func(Canceler)) (Conn, error) {
	fd, sa, remote, err := dialSocket(address)
	if err != nil {
		return nil, err
	}
	e := connect(fd, sa)
	if e != 0 && e != unix.EINPROGRESS && !(e == unix.EAGAIN && !remote.IsValid()) {
		closeFD(fd)
		return nil, sysError("connect", e)
	}
	s := g.pick(shard).adopt(fd)
	s.remote = remote
	err = s.register(roomEvents)
	if err == nil && e == unix.EINPROGRESS {
		err = s.connected(deadline, watch)
	} else if e == unix.EAGAIN {
		err = sysError("connect", e) // a unix socket whose queue is full
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// connected waits for the end of the handshake.
func (s *sock) connected(deadline int64, watch func(Canceler)) error {
	s.room.Store(true)
	s.SetWriteDeadline(deadline)
	if watch != nil {
		watch(s)
		defer watch(nil)
	}
	for {
		s.wr.takeReady()
		done, err := connectDone(s.fd)
		if err != nil {
			return err
		}
		if done {
			s.room.Store(false)
			s.SetWriteDeadline(0)
			return nil
		}
		if err := s.waitRoom(); err != nil {
			return err
		}
	}
}

func connectDone(fd int32) (bool, error) {
	v, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return false, &SysError{"getsockopt", err}
	}
	if v != 0 {
		return false, sysError("connect", syscall.Errno(v))
	}
	_, err = unix.Getpeername(int(fd))
	return err == nil, nil
}

func dialSocket(address string) (int32, unix.Sockaddr, netip.AddrPort, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return 0, nil, netip.AddrPort{}, &SysError{"socket", err}
		}
		return int32(fd), &unix.SockaddrUnix{Name: path}, netip.AddrPort{}, nil
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return 0, nil, ap, fmt.Errorf("address %q: %w", address, err)
	}
	family, sa := unix.AF_INET, unix.Sockaddr(nil)
	if a := ap.Addr().Unmap(); a.Is4() {
		sa = &unix.SockaddrInet4{Port: int(ap.Port()), Addr: a.As4()}
	} else {
		family = unix.AF_INET6
		sa = &unix.SockaddrInet6{Port: int(ap.Port()), Addr: a.As16(), ZoneId: zone(a.Zone())}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, ap, &SysError{"socket", err}
	}
	tune(int32(fd), ap.Addr().Unmap())
	return int32(fd), sa, ap, nil
}

func zone(name string) uint32 {
	if name == "" {
		return 0
	}
	if i, err := net.InterfaceByName(name); err == nil {
		return uint32(i.Index)
	}
	return 0
}

func connect(fd int32, sa unix.Sockaddr) syscall.Errno {
	switch err := unix.Connect(int(fd), sa).(type) {
	case nil:
		return 0
	case syscall.Errno:
		return err
	default:
		return syscall.EINVAL
	}
}

func setLinger(fd int32) {
	unix.SetsockoptLinger(int(fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

func localAddr(fd int32) netip.AddrPort {
	sa, err := unix.Getsockname(int(fd))
	if err != nil {
		return netip.AddrPort{}
	}
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}

// DialTimeout is Dial for code that has no connection or exchange at hand, such as a health check.
func (g *Group) DialTimeout(ctx context.Context, address string, d time.Duration) (Conn, error) {
	var deadline int64
	if d > 0 {
		deadline = clock.Now() + int64(d)
	}
	c, err := g.Dial(address, -1, deadline, nil)
	if err == nil && ctx.Err() != nil {
		c.Close()
		return nil, ctx.Err()
	}
	return c, err
}
