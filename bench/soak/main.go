// Command soak runs weir under mixed load for minutes, with servers that die, clients that misbehave and
// reloads all the time, and fails if anything gave way. bench/README.md tells what it demands.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"weir/weirtest"
)

// settings are what a run is made of.
type settings struct {
	weir       string        // path of the binary; "": it is built
	duration   time.Duration // of the mixed load
	websockets int
	reloads    int // as fast as they go, after the mixed load
	clients    int // of each kind
	every      time.Duration
}

func main() {
	var s settings
	flag.StringVar(&s.weir, "weir", "", "path of weir's binary; it is built if there is none")
	flag.DurationVar(&s.duration, "duration", 10*time.Minute, "how long the mixed load lasts")
	flag.IntVar(&s.websockets, "websockets", 1000, "WebSockets that stay open")
	flag.IntVar(&s.reloads, "reloads", 1000, "reloads as fast as they go, after the mixed load")
	flag.IntVar(&s.clients, "clients", 6, "clients of each kind")
	flag.Parse()
	s.every = time.Second
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	say := func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	if err := run(ctx, s, say); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// run builds the stage, plays the phases, and judges.
func run(ctx context.Context, s settings, say func(string, ...any)) error {
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if s.weir == "" {
		if s.weir, err = weirtest.Build(dir); err != nil {
			return err
		}
	}
	st, err := newStage(s, dir)
	if err != nil {
		return err
	}
	defer st.close()
	st.say = say
	if err := st.play(ctx); err != nil {
		return err
	}
	return st.verdict()
}

// play is the whole course: warm up and note the level, wear, reload, and come to rest again.
func (st *stage) play(ctx context.Context) error {
	if err := st.mixed(ctx, max(3*time.Second, st.duration/20)); err != nil {
		return err
	}
	before, err := st.rest(ctx)
	if err != nil {
		return err
	}
	st.say("level at the beginning: %s", before)
	if err := st.mixed(ctx, st.duration); err != nil {
		return err
	}
	if err := st.reloadStorm(ctx); err != nil {
		return err
	}
	after, err := st.rest(ctx)
	if err != nil {
		return err
	}
	st.say("level at the end: %s", after)
	st.report.compare(before, after)
	st.say("%s", st.report)
	return nil
}
