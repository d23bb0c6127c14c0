// Command compare measures weir beside nginx and haproxy: the same work, in the same run, in interleaved
// rounds, the proxy alone on core 0, load and origin on core 1. bench/README.md tells how to read it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// settings are what the caller wants.
type settings struct {
	weir    string
	nginx   string
	haproxy string
	loader  string
	rounds  int
	seconds int
	work    string
	out     string
}

func main() {
	var s settings
	flag.StringVar(&s.weir, "weir", "", "path of weir's binary")
	flag.StringVar(&s.nginx, "nginx", "nginx", "nginx's binary: the peer's, not the origin's")
	flag.StringVar(&s.haproxy, "haproxy", "haproxy", "haproxy's binary")
	flag.StringVar(&s.loader, "load", "", "path of the binary of bench/load, for "+ownNames())
	flag.IntVar(&s.rounds, "rounds", 3, "rounds of each workload")
	flag.IntVar(&s.seconds, "seconds", 3, "measured seconds of each round")
	flag.StringVar(&s.work, "work", "all", "comma list of "+strings.Join(names(), ", "))
	flag.StringVar(&s.out, "out", "bench/out/results", "where .json and .md are written")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	works, err := choose(s.work)
	if err != nil {
		return err
	}
	if err := s.findPrograms(works); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	if err := pinSelf(); err != nil {
		return fmt.Errorf("pin to core 1: %w (two cores are needed)", err)
	}
	b := &bench{settings: s, dir: dir, results: &results{Started: time.Now().UTC(), Seconds: s.seconds, Rounds: s.rounds}}
	if err := b.prepare(); err != nil {
		return err
	}
	defer b.origin.stop()
	for _, w := range works {
		if err := b.rounds(ctx, w); err != nil {
			return err
		}
	}
	return b.results.save(s.out)
}

// A bench is one run of the comparison.
type bench struct {
	settings
	dir     string
	origin  *program
	peers   []*proxy
	results *results
}

func (b *bench) prepare() error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	values := map[string]string{"DIR": b.dir, "ORIGIN": ports[0], "PORT": ports[1], "TLSPORT": ports[2]}
	if err := writeCertificate(b.dir); err != nil {
		return err
	}
	if b.origin, err = startOrigin(b.dir, values); err != nil {
		return err
	}
	b.peers = proxies(b.settings, values)
	for _, p := range b.peers {
		b.results.Versions = append(b.results.Versions, p.version())
	}
	script := filepath.Join(b.dir, "report.lua")
	return os.WriteFile(script, []byte(reportLua), 0o644)
}

// rounds measures one workload: A B C, A B C, ...
func (b *bench) rounds(ctx context.Context, w work) error {
	for round := range b.settings.rounds {
		for _, p := range b.peers {
			if !w.concerns(p) {
				continue
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			m, err := b.measure(ctx, w, p)
			if err != nil {
				fmt.Fprintf(os.Stderr, "%-8s %-10s %d: %v\n", w.name, p.name, round+1, err)
				m.Failed = err.Error()
			} else {
				fmt.Fprintf(os.Stderr, "%-8s %-10s %d: %s\n", w.name, p.name, round+1, m)
			}
			m.Work, m.Proxy, m.Round = w.name, p.name, round+1
			b.results.Runs = append(b.results.Runs, m)
		}
	}
	return nil
}

// pinSelf moves this process, and what it starts without saying otherwise, to core 1.
func pinSelf() error {
	return exec.Command("taskset", "-apc", "1", fmt.Sprint(os.Getpid())).Run()
}
