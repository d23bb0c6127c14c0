package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// lastWords is how long weir, told to end for the second time, may take to close what is open.
const lastWords = time.Second

// orders are what signals say. They are read by a goroutine that waits for nobody: whatever hangs, weir can be told to
// end.
type orders struct {
	signals chan os.Signal
	end     context.Context // done once weir is to end
	told    context.CancelFunc
	twice   chan struct{} // closed when it is to end at once
	reload  chan struct{} // of capacity 1: is wanted
	reopen  chan struct{} // of capacity 1: of log files, is wanted
}

// newOrders begins to take signals; the end of ctx is one to end.
func newOrders(ctx context.Context) *orders {
	o := &orders{
		signals: make(chan os.Signal, 8), twice: make(chan struct{}),
		reload: make(chan struct{}, 1), reopen: make(chan struct{}, 1),
	}
	o.end, o.told = context.WithCancel(ctx)
	signal.Ignore(syscall.SIGPIPE) // who reads our log may go; we stay
	signal.Notify(o.signals, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGINT)
	return o
}

// read passes on what signals say, until done.
func (o *orders) read(done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case s := <-o.signals:
			switch {
			case s == syscall.SIGHUP:
				want(o.reload)
			case s == syscall.SIGUSR1:
				want(o.reopen)
			case o.end.Err() == nil:
				o.told()
			default:
				close(o.twice)
				return
			}
		}
	}
}

// want asks for something; where that is asked for already it will do.
func want(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// obey runs what serves until it returns, or until it has been told twice to end and does not. Signals are taken, and not
// heeded, for the rest of the process: a HUP that comes late would kill it, and its exit code would say so.
func (o *orders) obey(serve func() error) error {
	defer o.told()
	done, ended := make(chan struct{}), make(chan error, 1)
	defer close(done)
	go o.read(done)
	go func() { ended <- serve() }()
	select {
	case err := <-ended:
		return err
	case <-o.twice:
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(lastWords):
		return nil // and with us ends whatever hangs
	}
}

// each does something whenever it is wanted, one time after the other, until weir is to end.
func (o *orders) each(wanted <-chan struct{}, do func()) {
	for {
		select {
		case <-o.end.Done():
			return
		case <-wanted:
			do()
		}
	}
}
