package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"weir/weirtest"
)

// A stage is weir with its servers.
type stage struct {
	settings
	dir     string
	weir    *weirtest.Process
	admin   *http.Client
	servers []*weirtest.Server // these die
	steady  *weirtest.Server   // this one carries the WebSockets
	report  *report
	say     func(string, ...any)
}

// mortals is how many servers there are to be killed, one at a time.
const mortals = 4

func newStage(s settings, dir string) (*stage, error) {
	st := &stage{settings: s, dir: dir, report: newReport()}
	for i := range mortals + 1 {
		server, err := weirtest.NewServer(fmt.Sprintf("s%d", i), "")
		if err != nil {
			return nil, err
		}
		if i == mortals {
			st.steady = server
			continue
		}
		st.servers = append(st.servers, server)
	}
	if err := st.configure(0); err != nil {
		return nil, err
	}
	var err error
	if st.weir, err = weirtest.Start(s.weir, dir); err != nil {
		return nil, err
	}
	st.admin = st.weir.Admin()
	return st, nil
}

func (st *stage) close() {
	st.admin.CloseIdleConnections()
	st.weir.Kill()
	st.steady.Close()
	for _, s := range st.servers {
		s.Close()
	}
}

// configure writes one of two configurations: the second has another site, another route and another weight.
func (st *stage) configure(n int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "listener \"http\" { address = \"127.0.0.1:0\" }\nadmin {\n  listen = \"127.0.0.1:0\"\n  socket = \"%s/%s\"\n}\n", st.dir, weirtest.AdminSocket)
	b.WriteString("upstream \"mortal\" {\n")
	for i, s := range st.servers {
		fmt.Fprintf(&b, "  server %q { weight = %d }\n", s.Address(), 1+(n%2)*i)
	}
	b.WriteString(mortalRest)
	fmt.Fprintf(&b, "upstream \"steady\" {\n  server %q {}\n  keepalive_idle = \"1s\"\n}\n", st.steady.Address())
	b.WriteString("site \"*\" {\n  route \"/*\" { proxy = upstream.mortal }\n  route \"/upgrade\" { proxy = upstream.steady }\n")
	if n%2 == 1 {
		b.WriteString("  respond \"/second\" { body = \"second\" }\n}\nsite \"second.test\" {\n  route \"/*\" { proxy = upstream.steady }\n")
	}
	b.WriteString("}\n")
	tmp := filepath.Join(st.dir, "next.hcl")
	if err := os.WriteFile(tmp, []byte(b.String()), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(st.dir, "weir.hcl"))
}

const mortalRest = `
  health {
    path     = "/health"
    interval = "250ms"
    rise     = 1
    fall     = 2
  }
  retry {
    attempts = 4
    budget   = "100%"
  }
  keepalive_idle = "1s"
}
`

func (st *stage) address() string { return st.weir.Listeners["http"] }

// reload switches to configuration n.
func (st *stage) reload(n int) error {
	if err := st.configure(n); err != nil {
		return err
	}
	r, err := st.admin.Post("http://weir/reload", "", nil)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode >= 300 {
		text := make([]byte, 500)
		n, _ := r.Body.Read(text)
		return fmt.Errorf("reload: %s: %s", r.Status, text[:n])
	}
	return nil
}

// mixed runs everything at once for a while.
func (st *stage) mixed(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var all sync.WaitGroup
	sockets, err := st.openSockets(ctx)
	if err != nil {
		return err
	}
	for i := range st.clients {
		for _, kind := range []func(context.Context, *client){download, upload, readSlowly, breakOff} {
			all.Go(func() { st.client(i).keep(ctx, kind) })
		}
	}
	all.Go(func() { sockets.talk(ctx) })
	all.Go(func() { st.killers(ctx) })
	all.Go(func() { st.reloader(ctx) })
	all.Go(func() { st.progress(ctx) })
	all.Wait()
	sockets.close()
	return nil
}

// reloadStorm reloads as fast as it goes, under load and with all WebSockets open.
func (st *stage) reloadStorm(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sockets, err := st.openSockets(ctx)
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	for i := range st.clients {
		all.Go(func() { st.client(i).keep(ctx, download) })
	}
	all.Go(func() { sockets.talk(ctx) })
	from := time.Now()
	for n := range st.reloads {
		if err := st.reload(n); err != nil {
			st.report.wrong("reload %d: %v", n, err)
			break
		}
	}
	st.say("%d reloads in %s", st.reloads, time.Since(from).Round(time.Millisecond))
	cancel()
	all.Wait()
	sockets.check()
	sockets.close()
	return nil
}

// killers kills one server after the other, each for half its turn.
func (st *stage) killers(ctx context.Context) {
	for i := 0; ; i++ {
		s := st.servers[i%len(st.servers)]
		if !pause(ctx, st.every/2) {
			return
		}
		s.Kill()
		st.report.add("servers killed")
		pause(ctx, st.every/2)
		if err := s.Revive(); err != nil {
			st.report.wrong("the soak itself: %v", err)
			return
		}
		// The server just revived must be known to be well before the next one dies.
		if !pause(ctx, st.every/2) {
			return
		}
	}
}

func (st *stage) reloader(ctx context.Context) {
	for n := 1; pause(ctx, st.every); n++ {
		if err := st.reload(n); err != nil {
			st.report.wrong("%v", err)
			return
		}
		st.report.add("reloads")
	}
}

func (st *stage) progress(ctx context.Context) {
	for pause(ctx, 15*time.Second) {
		l, err := st.level()
		st.say("%s; %s %v", st.report.line(), l, err)
	}
}

// pause waits; false: it is over.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (st *stage) dial(ctx context.Context) (*net.TCPConn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", st.address())
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}
