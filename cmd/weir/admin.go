package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"weir"
	"weir/admin"
	"weir/assemble"
	"weir/config"
)

// steering is the engine as the admin address sees it.
type steering struct {
	*assemble.Engine
	process *process
}

// An adminAddress is the admin server as the configuration wants it.
type adminAddress struct {
	engine admin.Engine
	log    *slog.Logger

	mu      sync.Mutex // protects all below
	said    config.Admin
	server  *admin.Server
	problem error // why there is none although one is wanted
}

const adminClose = 2 * time.Second

// configure opens, moves or closes the address. It does not wait for requests: one of them may have asked for it.
func (a *adminAddress) configure(c *config.Admin) {
	var want config.Admin
	if c != nil {
		want = *c
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	want.Pos = config.Pos{}
	if want == a.said && a.problem == nil {
		return
	}
	old := a.server
	a.said, a.server = want, nil
	if old == nil {
		a.open(want)
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), adminClose)
		defer cancel()
		old.Close(ctx)
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.said == want && a.server == nil {
			a.open(want)
		}
	}()
}

// open begins to serve what is wanted, if anything is; a.mu is held.
func (a *adminAddress) open(want config.Admin) {
	a.problem = nil
	if want.Listen == "" && want.Socket == "" {
		return
	}
	s, err := admin.New(admin.Config{Listen: want.Listen, Users: want.Users, Socket: want.Socket}, a.engine, a.log)
	if err != nil {
		a.problem = fmt.Errorf("admin: %w", err)
		a.log.Error("no admin address", "address", want.Listen, "socket", want.Socket, "error", err)
		return
	}
	a.server = s
	a.log.Info("admin address", "address", s.Addr(), "socket", want.Socket)
	go func() {
		if err := s.Serve(); err != nil {
			a.log.Error("admin address lost", "address", want.Listen, "error", err)
		}
	}()
}

// err is why there is no admin server although one is wanted.
func (a *adminAddress) err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.problem
}

func (a *adminAddress) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), adminClose)
		defer cancel()
		a.server.Close(ctx)
		a.server = nil
	}
}

// Reload implements admin.Engine.
func (s steering) Reload(ctx context.Context) (warnings []string, partly bool, err error) {
	found, err := s.process.reload(ctx)
	if err != nil {
		return nil, false, errors.New(text(found) + err.Error())
	}
	for _, d := range found {
		warnings = append(warnings, text(config.Diagnostics{d}))
	}
	return warnings, found.HasErrors(), nil
}

// text is diagnostics as a terminal shows them.
func text(found config.Diagnostics) string {
	var b strings.Builder
	found.Write(&b, false)
	return b.String()
}

// Explain implements admin.Engine.
func (s steering) Explain(r admin.ExplainRequest) (any, error) {
	q := assemble.Request{Method: r.Method, URL: r.URL, Target: r.Target, Listener: r.Listener, Version: r.Version}
	if r.Client != "" {
		client, err := netip.ParseAddr(r.Client)
		if err != nil {
			return nil, fmt.Errorf("client %q is not an address", r.Client)
		}
		q.Client = client
	}
	for name, values := range r.Header {
		for _, v := range values {
			q.Header = append(q.Header, weir.Field{Name: name, Value: v})
		}
	}
	return s.Engine.Explain(q)
}
