package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

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
	wanted chan struct{} // of capacity 1: a reload is
}

// serve runs a service until a signal or ctx ends it.
func (c *cli) serve(ctx context.Context, s service) error {
	begin := time.Now()
	signal.Ignore(syscall.SIGPIPE) // who reads our log may go; we stay
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)

	p := &process{cli: c, source: &source{load: s.load}, events: newEvents(c.err), wanted: make(chan struct{}, 1)}
	p.log = slog.New(p.events)
	tuneMemory(p.log)
	raiseFiles()
	group, err := poll.NewGroup(0)
	if err != nil {
		return failed(err)
	}
	defer group.Close()
	if err := p.start(ctx, group); err != nil {
		return err
	}
	defer p.close()
	p.log.Info("serving", "version", version, "configuration", s.path, "after", time.Since(begin).Round(time.Millisecond).String())
	if s.ready != nil {
		s.ready(ctx)
	}
	return p.steer(ctx, signals, s.watch)
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
	return server.DropPrivileges(c.User)
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

// steer does what signals say until one says to end.
func (p *process) steer(ctx context.Context, signals <-chan os.Signal, watching bool) error {
	work, stop := context.WithCancel(ctx)
	var others sync.WaitGroup
	defer others.Wait()
	defer stop()
	others.Go(func() { p.reloads(work) })
	others.Go(func() { p.watch(work, watching) })
	for {
		select {
		case <-ctx.Done():
			return p.end(signals)
		case s := <-signals:
			switch s {
			case syscall.SIGHUP:
				p.wantReload()
			case syscall.SIGUSR1:
				p.reopenLogs()
			default:
				return p.end(signals)
			}
		}
	}
}

func (p *process) reopenLogs() {
	p.engine.ReopenLogs()
	if err := p.events.reopen(); err != nil {
		p.log.Error("the log of events stays in its old file", "error", err)
	}
	p.log.Info("log files opened again")
}

// wantReload asks for a reload; one that is asked for already will do.
func (p *process) wantReload() {
	select {
	case p.wanted <- struct{}{}:
	default:
	}
}

// reloads reloads whenever that is wanted, one time after the other.
func (p *process) reloads(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wanted:
			found, _ := p.reload(ctx)
			found.Write(p.cli.err, p.cli.errColor)
		}
	}
}

// reload reads the configuration anew; the engine says in the log what came of it.
func (p *process) reload(ctx context.Context) (config.Diagnostics, error) {
	p.notify.Reloading()
	defer func() { p.notify.Ready(p.summary()) }()
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
	}, p.wantReload)
}

// end drains within grace; a second signal cuts that short.
func (p *process) end(signals <-chan os.Signal) error {
	grace := p.grace()
	p.notify.Stopping("finishing what is under way")
	p.log.Info("stopping", "grace", grace.String())
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	drained := make(chan error, 1)
	go func() { drained <- p.engine.Drain(ctx) }()
	for {
		select {
		case err := <-drained:
			if err != nil {
				p.log.Warn("grace is over: what is under way is broken off", "grace", grace.String())
			} else {
				p.log.Info("stopped")
			}
			return nil
		case s := <-signals:
			if s == syscall.SIGTERM || s == syscall.SIGINT {
				p.log.Warn("told twice: what is under way is broken off", "signal", s.String())
				return nil
			}
		}
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

func (p *process) close() {
	p.admin.close()
	if err := p.engine.Close(); err != nil {
		p.log.Warn("not everything ended in time", "error", err)
	}
}
