package weirtest

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// A count is how many answers of each kind there were.
type count struct {
	mu sync.Mutex // protects m
	m  map[string]int
}

func (c *count) add(kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.m[kind]++
}

func (c *count) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var lines []string
	for kind, n := range c.m {
		lines = append(lines, fmt.Sprintf("%s %d", kind, n))
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n") + "\n"
}

// newClient returns a client of weir that keeps its connections and asks once, and what it has to be rid of.
func (st *stage) newClient() (*http.Client, func()) {
	c := &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	dialer := &net.Dialer{Timeout: patience}
	switch {
	case st.sealed["http"] && st.mode == H3:
		t := &http3.Transport{Dial: func(ctx context.Context, _ string, _ *tls.Config, q *quic.Config) (*quic.Conn, error) {
			config, err := trusting("h3")
			if err != nil {
				return nil, err
			}
			return quic.DialAddr(ctx, st.vars["http"], config, q)
		}}
		c.Transport = t
		return c, func() { t.Close() }
	case st.sealed["http"] && st.mode == H2:
		c.Transport = &http.Transport{
			ForceAttemptHTTP2: true,
			DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
				return sealH2(dialer, st.vars["http"])
			},
		}
	default:
		c.Transport = &http.Transport{MaxIdleConnsPerHost: 64, DialContext: func(context.Context, string, string) (net.Conn, error) {
			return st.dial(dialer, "http")
		}}
	}
	return c, c.CloseIdleConnections
}

// base is what URLs begin with for such a client: where the transport does not know of TLS, it is left out.
func (st *stage) base() string {
	if st.mode.streams() {
		return "https://"
	}
	return "http://"
}

// ask makes one request and says what kind of answer came: the server's name, or else the status, or "failed"
// and why.
func ask(c *http.Client, method, base, path string, fields []string) string {
	host := "test"
	if !strings.HasPrefix(path, "/") {
		host, path, _ = strings.Cut(path, "/")
		path = "/" + path
	}
	r, err := http.NewRequest(method, base+host+path, nil)
	if err != nil {
		return err.Error()
	}
	if method == http.MethodPost {
		r.Body, r.ContentLength, r.GetBody = io.NopCloser(strings.NewReader("body")), 4, nil
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ":")
		r.Header.Set(name, strings.TrimSpace(value))
	}
	resp, err := c.Do(r)
	if err != nil {
		return "failed " + err.Error()
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return "failed " + err.Error()
	}
	if name := resp.Header.Get("X-Server"); name != "" && resp.StatusCode == http.StatusOK {
		return name
	}
	return strconv.Itoa(resp.StatusCode)
}

// tally is "N [METHOD] PATH [FIELD...]" where a field has no space: "x-key:1".
func (st *stage) tally(step *Step) error {
	words := strings.Fields(step.Text)
	n, err := strconv.Atoi(words[0])
	if err != nil || len(words) < 2 {
		return fmt.Errorf("not N and a path: %q", step.Text)
	}
	method, rest := http.MethodGet, words[1:]
	if rest[0] == strings.ToUpper(rest[0]) && rest[0][0] != '/' {
		method, rest = rest[0], rest[1:]
	}
	return st.again(step, func() (string, int, error) {
		c, end := st.newClient()
		defer end()
		sum := count{m: map[string]int{}}
		for range n {
			sum.add(ask(c, method, st.base(), rest[0], rest[1:]))
		}
		return sum.String(), 0, nil
	})
}

// A load is a number of clients that ask as fast as they are answered.
type load struct {
	sum    count
	end    chan struct{}
	once   sync.Once
	group  sync.WaitGroup
	ask    func() string
	hangUp func()
}

// load is "NAME N PATH".
func (st *stage) load(step *Step) error {
	words := strings.Fields(step.Text)
	if len(words) != 3 {
		return fmt.Errorf("not a name, a number and a path: %q", step.Text)
	}
	n, err := strconv.Atoi(words[1])
	if err != nil {
		return err
	}
	c, hangUp := st.newClient()
	l := &load{sum: count{m: map[string]int{}}, end: make(chan struct{}), hangUp: hangUp}
	l.ask = func() string { return ask(c, http.MethodGet, st.base(), words[2], nil) }
	st.loads[words[0]] = l
	for range n {
		l.group.Go(l.run)
	}
	return nil
}

// run asks once at least, however soon the load ends.
func (l *load) run() {
	for {
		l.sum.add(l.ask())
		select {
		case <-l.end:
			return
		case <-time.After(time.Millisecond): // the machine has other scripts to run
		}
	}
}

func (l *load) stop() {
	l.once.Do(func() { close(l.end) })
	l.group.Wait()
	l.hangUp()
}

func (st *stage) unload(step *Step) error {
	l := st.loads[step.Text]
	if l == nil {
		return fmt.Errorf("no load %q", step.Text)
	}
	l.stop()
	return judge(step, l.sum.String(), 0)
}
