// Command load asks one address for the same thing again and again, in the two ways that wrk and h2load cannot:
// over HTTP/3, with many requests under way on each connection, and over TLS 1.3 with a new connection and a
// resumed session for each request.
//
//	load -over h3 -connections 8 -streams 32 -seconds 3 https://127.0.0.1:8443/1k
//	load -over resumed -connections 32 -seconds 3 https://127.0.0.1:8443/1k
//
// It prints one line: "figures", then the requests that were answered as they should be, the microseconds that
// passed, the bytes of content, the errors, and the microseconds within which 50 % and 99 % were answered. No
// certificate is verified: it is for measuring on one's own machine.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
)

// settings are what the caller wants.
type settings struct {
	over        string // "h3" or "resumed"
	connections int    // open at once
	streams     int    // h3: requests under way on each connection
	size        int64  // bytes that each answer must have
	time        time.Duration
	url         *url.URL
}

// patience is how long, after the end, what is still under way may take.
const patience = 10 * time.Second

func main() {
	var s settings
	flag.StringVar(&s.over, "over", "h3", "h3, or resumed: TLS 1.3 with a resumed session for each request")
	flag.IntVar(&s.connections, "connections", 8, "connections at once")
	flag.IntVar(&s.streams, "streams", 32, "requests under way on each connection of HTTP/3")
	flag.Int64Var(&s.size, "size", 1024, "bytes that each answer must have")
	seconds := flag.Int("seconds", 3, "how long to ask")
	flag.Parse()
	s.time = time.Duration(*seconds) * time.Second
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The origin has the same core: what the collector takes, the origin lacks.
	debug.SetGCPercent(800)
	if err := s.measure(ctx, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func (s *settings) measure(ctx context.Context, args []string) (err error) {
	if len(args) != 1 {
		return fmt.Errorf("%d addresses, want one", len(args))
	}
	if s.url, err = url.Parse(args[0]); err != nil {
		return err
	}
	t, err := s.run(ctx)
	if err != nil {
		return err
	}
	if t.first != nil {
		fmt.Fprintf(os.Stderr, "load: %d errors, the first: %v\n", t.errors, t.first)
	}
	if t.requests() == 0 {
		return fmt.Errorf("no answer in %s", t.time)
	}
	fmt.Println(t)
	return nil
}

// run asks until the time is over, and then waits for what is under way.
func (s *settings) run(ctx context.Context) (*tally, error) {
	ctx, stop := context.WithTimeout(ctx, s.time+patience)
	defer stop()
	switch s.over {
	case "h3":
		askers, done := s.http3(ctx)
		defer done()
		return load(ctx, s.time, askers), nil
	case "resumed":
		return load(ctx, s.time, s.resumed(ctx)), nil
	}
	return nil, fmt.Errorf("-over %q: there are h3 and resumed", s.over)
}
