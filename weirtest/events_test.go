package weirtest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/weirtest/dialect"
)

const (
	eventCount = 20
	eventPause = 100 * time.Millisecond
	eventLimit = 50 * time.Millisecond
	// A machine that does other things is late now and then, weir that holds an event back always: each event of the stream
	// has to be in time in one of so many rounds.
	eventRounds = 6
)

// Each event of a stream reaches the client at once, whatever both sides speak, and before the next one is sent.
func TestEvents(t *testing.T) {
	if raced {
		t.Skip("the race detector takes its time")
	}
	for _, upstream := range []string{"h1", "h2c"} {
		for _, mode := range Modes {
			t.Run(fmt.Sprintf("%s to %s", mode, upstream), func(t *testing.T) {
				t.Parallel()
				c := newEventWorld(t, mode, upstream)
				best := slices.Repeat([]time.Duration{time.Hour}, eventCount)
				for range eventRounds {
					delays := c.round()
					for i, d := range delays {
						best[i] = min(best[i], d)
					}
					slices.Sort(delays)
					t.Logf("%d events: median %s, at most %s", len(delays), delays[len(delays)/2], delays[len(delays)-1])
					if slices.Max(best) <= eventLimit {
						return
					}
				}
				t.Errorf("an event took longer than %s in each of %d rounds: %v", eventLimit, eventRounds, best)
			})
		}
	}
}

// An eventWorld is weir before a server of events.
type eventWorld struct {
	t    *testing.T
	mode Mode
	addr string
}

func newEventWorld(t *testing.T, mode Mode, upstream string) *eventWorld {
	t.Helper()
	tls := "\n  tls {\n    certificate = \"weir.pem\"\n    key         = \"weir.key\"\n  }"
	if !mode.sealed() {
		tls = ""
	}
	w := startHoused(t, fmt.Sprintf(`
listener "http" {
  address   = "127.0.0.1:0"
  protocols = [%q]%s
}
admin {
  listen = "127.0.0.1:0"
  socket = %q
}
state_dir = "state"
upstream "events" {
  server %q {}
  protocol = %q
}
site "*" {
  route "/*" { proxy = upstream.events }
}
`, mode.offered(), tls, AdminSocket, eventServer(t), upstream))
	return &eventWorld{t, mode, w.Listeners["http"]}
}

// eventServer sends events, each with the time at which it was sent, and returns its address.
func eventServer(t *testing.T) string {
	t.Helper()
	l := listenTCP(t)
	s := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		for i := range eventCount {
			pause(r.Context(), eventPause)
			fmt.Fprintf(w, "id: %d\ndata: %d\n\n", i, time.Now().UnixNano())
			w.(http.Flusher).Flush()
		}
	})}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	var served sync.WaitGroup
	served.Go(func() { s.Serve(l) })
	t.Cleanup(func() { s.Close(); served.Wait() })
	return l.Addr().String()
}

// round takes in one stream and returns how long each event was under way.
func (c *eventWorld) round() (delays []time.Duration) {
	c.t.Helper()
	body, end := c.ask()
	defer end()
	in := bufio.NewReader(body)
	for len(delays) < eventCount {
		line, err := in.ReadString('\n')
		if err != nil {
			c.t.Fatalf("after %d events: %v", len(delays), err)
		}
		now := time.Now().UnixNano()
		sent, ok := strings.CutPrefix(strings.TrimSpace(line), "data: ")
		if !ok {
			continue
		}
		at, err := strconv.ParseInt(sent, 10, 64)
		if err != nil {
			c.t.Fatal(err)
		}
		delays = append(delays, time.Duration(now-at))
	}
	return delays
}

// ask asks for a stream as a browser does, and returns it when its head has come.
func (c *eventWorld) ask() (body io.Reader, end func()) {
	c.t.Helper()
	fields := []string{"accept", "text/event-stream", "accept-encoding", "gzip, deflate, br, zstd"}
	if c.mode.streams() {
		raw, err := dialRaw(c.mode, c.addr)
		if err != nil {
			c.t.Fatal(err)
		}
		return c.stream(raw, fields), raw.Close
	}
	conn, err := net.Dial("tcp", c.addr)
	if err == nil && c.mode.sealed() {
		conn, err = seal(conn, "http/1.1")
	}
	if err != nil {
		c.t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /events HTTP/1.1\r\nHost: localhost\r\n%s: %s\r\n%s: %s\r\n\r\n", fields[0], fields[1], fields[2], fields[3])
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || r.StatusCode != 200 || r.Header.Get("Content-Encoding") != "" {
		c.t.Fatalf("%+v, %v", r, err)
	}
	return r.Body, func() { conn.Close() }
}

func (c *eventWorld) stream(raw *dialect.Raw, fields []string) io.Reader {
	c.t.Helper()
	s, err := raw.Open()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := s.Head((&attack{fields: fields}).head("localhost", "/events"), true); err != nil {
		c.t.Fatal(err)
	}
	if status, _, err := s.Answer(); err != nil || status != 200 {
		c.t.Fatal(status, err)
	}
	return s
}
