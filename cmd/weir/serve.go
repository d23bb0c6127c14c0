package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"weir/assemble"
	"weir/config"
	"weir/internal/poll"
	"weir/server"
)

// A process is a weir that serves: its engine, and what steers it from outside.
type process struct {
	cli    *cli
	source *source
	engine *assemble.Engine
	events *events
	log    *slog.Logger
	notify server.Notify
	admin  adminAddress
	orders *orders
}

// serve runs a service until a signal or ctx ends it.
func (c *cli) serve(ctx context.Context, s service) error {
	o := newOrders(ctx)
	p := &process{cli: c, source: &source{load: s.load, end: o.end.Done()}, events: newEvents(c.err), orders: o}
	p.log = slog.New(p.events)
	return o.obey(func() error { return p.serve(s) })
}

// serve starts, does what orders say, and ends.
func (p *process) serve(s service) error {
	begin := time.Now()
	tuneMemory(p.log)
	tuneCode(p.log)
	raiseFiles()
	group, err := poll.NewGroup(0)
	if err != nil {
		return failed(err)
	}
	defer group.Close()
	ctx := p.orders.end
	if err := p.start(ctx, group); err != nil {
		if ctx.Err() != nil {
			p.log.Info("told to end before anything was served")
			return nil
		}
		return err
	}
	defer p.close()
	p.log.Info("serving", "version", version, "configuration", s.path, "after", time.Since(begin).Round(time.Millisecond).String())
	if s.ready != nil {
		s.ready(ctx)
	}
	return p.steer(s.watch)
}

// start has the engine listen and reports what is to be said of the configuration.
func (p *process) start(ctx context.Context, group *poll.Group) error {
	inherited, err := server.FromSystemd()
	if err != nil {
		return failed(fmt.Errorf("sockets of the service manager: %w", err))
	}
	p.engine = assemble.New(assemble.Options{
		Config: p.source.config, Log: p.log, Group: group, Version: version, Inherited: inherited,
		Bound: p.bound, Changed: p.changed,
	})
	p.admin = adminAddress{engine: steering{p.engine, p}, log: p.log}
	found, err := p.engine.Start(ctx)
	found.Write(p.cli.err, p.cli.errColor)
	if err != nil {
		p.close()
		if found.HasErrors() {
			return exit{exitConfig, err}
		}
		return failed(err)
	}
	if err := p.admin.err(); err != nil {
		p.close()
		return failed(err)
	}
	for _, name := range p.engine.Unclaimed() {
		p.log.Warn("a socket of the service manager belongs to no listener", "socket", name)
	}
	p.notify.Ready(p.summary())
	return nil
}

// bound is called when all sockets are open: from here on weir is the user that the configuration names.
func (p *process) bound(c *config.Config) error {
	if err := p.events.configure(c); err != nil {
		return err
	}
	if err := giveState(c); err != nil {
		return err
	}
	if err := giveLogs(c); err != nil {
		return err
	}
	if err := server.DropPrivileges(c.User); err != nil {
		return err
	}
	p.sayUnrotatable(c)
	return nil
}

// giveLogs gives the files of logs, which root has opened, to the user as whom weir goes on: it will open them again.
func giveLogs(c *config.Config) error {
	if c.User == "" || os.Geteuid() != 0 {
		return nil
	}
	o, err := named(c.User)
	if err != nil {
		return err
	}
	for _, l := range c.Logs {
		if !filepath.IsAbs(l.To) {
			continue
		}
		if err := o.takeFile(l.To); err != nil && !errors.Is(err, fs.ErrNotExist) { // nothing uses the log
			return fmt.Errorf("log %q: %w", l.Name, err)
		}
	}
	return nil
}

// sayUnrotatable warns of logs that weir could not put aside.
func (p *process) sayUnrotatable(c *config.Config) {
	for _, l := range c.Logs {
		if !filepath.IsAbs(l.To) || l.Rotate.Size == 0 && l.Rotate.Age == 0 {
			continue
		}
		folder := filepath.Dir(l.To)
		if err := unix.Access(folder, unix.W_OK|unix.X_OK); err != nil {
			p.log.Warn("a log cannot be rotated: its folder takes no new files of this user", "log", l.Name, "folder", folder, "error", err)
		}
	}
}

// giveState gives what root has made in state_dir so far to whom the folder belongs, as whom weir goes on.
func giveState(c *config.Config) error {
	if c.User == "" {
		return nil
	}
	o, err := ownerOf(c.StateDir, c.User)
	for _, name := range []string{"ca", assemble.ACMEFolder, "secret"} {
		if err == nil {
			err = o.take(c.StateDir, name)
		}
	}
	if err != nil {
		return fmt.Errorf("state_dir: %w", err)
	}
	return nil
}

// changed follows the configuration with what is not the engine's.
func (p *process) changed(c *config.Config) {
	p.source.served(c)
	if err := p.events.configure(c); err != nil {
		p.log.Error("the log of events stays as it was", "error", err)
	}
	p.admin.configure(c.Admin)
}

// summary is the line that the service manager shows.
func (p *process) summary() string {
	c := p.engine.Config()
	return fmt.Sprintf("serving %s on %s", plural(len(c.Sites), "site"), plural(len(c.Listeners), "listener"))
}

// steer does what orders say until one says to end. What is under way then, such as a reload, is not waited for.
func (p *process) steer(watching bool) error {
	o := p.orders
	go o.each(o.reload, func() {
		found, _ := p.reload(o.end)
		found.Write(p.cli.err, p.cli.errColor)
	})
	go o.each(o.reopen, p.reopenLogs)
	go p.watch(o.end, watching)
	<-o.end.Done()
	p.drain()
	return nil
}

func (p *process) reopenLogs() {
	p.engine.ReopenLogs()
	if err := p.events.reopen(); err != nil {
		p.log.Error("the log of events stays in its old file", "error", err)
	}
	p.log.Info("log files opened again")
}

// reload reads the configuration anew; the engine says in the log what came of it.
func (p *process) reload(ctx context.Context) (config.Diagnostics, error) {
	p.notify.Reloading()
	defer func() {
		if p.orders.end.Err() == nil { // else the last word is that we stop
			p.notify.Ready(p.summary())
		}
	}()
	return p.engine.Reload(ctx)
}

// watch asks for a reload when a file of the configuration changes, if that is wanted here or there.
func (p *process) watch(ctx context.Context, always bool) {
	w := watch{seen: p.source.firstRead()}
	w.run(ctx, func() []string {
		paths, asked := p.source.watched()
		if !always && !asked {
			return nil
		}
		return paths
	}, func() { want(p.orders.reload) })
}

// drain lets what is under way end within grace; a second order to end cuts that short.
func (p *process) drain() {
	grace := p.grace()
	p.notify.Stopping("finishing what is under way")
	p.log.Info("stopping", "grace", grace.String())
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	drained := make(chan error, 1)
	go func() { drained <- p.engine.Drain(ctx) }()
	select {
	case err := <-drained:
		if err != nil {
			p.log.Warn("grace is over: what is under way is broken off", "grace", grace.String())
		} else {
			p.log.Info("stopped")
		}
	case <-p.orders.twice:
		p.log.Warn("told twice: what is under way is broken off")
	}
}

const defaultGrace = 30 * time.Second

// grace is how long draining may take.
func (p *process) grace() time.Duration {
	if c := p.engine.Config(); c != nil && c.Grace > 0 {
		return c.Grace
	}
	return defaultGrace
}

// closeTime is how long closing may take. It is longer than what the engine takes for connections.
const closeTime = 5 * time.Second

func (p *process) close() {
	closed := make(chan error, 1)
	go func() {
		p.admin.close()
		closed <- p.engine.Close()
	}()
	var err error
	select {
	case err = <-closed:
	case <-time.After(closeTime):
		err = errors.New("a reload is still under way")
	}
	if err != nil {
		p.log.Warn("not everything ended in time", "error", err)
	}
}
