package weirtest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/weirtest/dialect"
)

var (
	socketCount   = flag.Int("sockets", 300, "WebSockets of TestSockets")
	socketReloads = flag.Int("reloads", 20, "reloads of TestSockets")
)

// WebSockets of clients of every version to servers of every version stay open and idle through reloads. Each is spoken
// over before, between and behind them; what weir holds does not grow meanwhile, and is given back when they close.
// `make sockets` has ten thousand of them, and a hundred reloads.
func TestSockets(t *testing.T) {
	n, reloads := *socketCount, *socketReloads
	if raced {
		n, reloads = n/5, reloads/4
	}
	w := newSocketWorld(t)
	base := w.rest(nil)
	w.open(n)
	w.speakAll("at first")
	before := w.rest(nil)
	w.reloads(reloads)
	w.speakAll("after the reloads")
	after := w.rest(before.most(0))
	w.close()
	closed := w.rest(base.most(crewOfH3))
	t.Logf("%d sockets, %d reloads: %s without any, %s before the reloads (%.1f KiB each), %s after them, %s when all were closed",
		n, reloads, base, before, (before.resident-base.resident)/1024/float64(n), after, closed)
	if most := before.most(0); after.exceeds(most) || after.resident > most.resident {
		t.Errorf("after the reloads weir holds %s, and held %s", after, before)
	}
	if closed.exceeds(base.most(crewOfH3)) {
		t.Errorf("when all were closed weir held %s, and %s before", closed, base)
	}
}

// crewOfH3 is how many goroutines HTTP/3 keeps for the next requests.
const crewOfH3 = 256

// A level is what weir holds.
type level struct{ goroutines, files, resident float64 }

func (l level) String() string {
	return fmt.Sprintf("%.0f goroutines, %.0f descriptors, %.1f MiB", l.goroutines, l.files, l.resident/(1<<20))
}

// most is what weir may hold where it held l: with what the pollers keep for the next burst, and more goroutines besides.
// Memory that was reserved for the worst moment stays so.
func (l level) most(more float64) *level {
	return &level{l.goroutines + more + float64(8+16*runtime.NumCPU()), l.files + 16, 1.3*l.resident + 24<<20}
}

func (l level) exceeds(most *level) bool {
	return l.goroutines > most.goroutines || l.files > most.files
}

// A socketWorld is weir before echoes of three versions, and the sockets that are open.
type socketWorld struct {
	t       *testing.T
	weir    *Process
	admin   *http.Client
	origins [3]string // of h1, h2c, h3
	sockets []*webSocket

	raws []*dialect.Raw
}

// A webSocket is a client's end.
type webSocket struct {
	io.ReadWriter
	what string
}

func newSocketWorld(t *testing.T) *socketWorld {
	t.Helper()
	h1, err := NewServer("echo", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h1.Close)
	w := &socketWorld{t: t, origins: [3]string{h1.Address(), echoH2(t), echoH3(t)}}
	w.weir = startHoused(t, w.config(0))
	w.admin = w.weir.Admin()
	t.Cleanup(w.admin.CloseIdleConnections)
	return w
}

const socketConfig = `
listener "http" {
  address   = "127.0.0.1:0"
  protocols = ["h1", "h2", "h3"]
  tls {
    certificate = "weir.pem"
    key         = "weir.key"
  }
}
admin {
  listen = "127.0.0.1:0"
  socket = %q
}
state_dir = "state"
upstream "h1" {
  server %q {}
  keepalive_idle = "1s"
}
upstream "h2" {
  server %q {}
  protocol = "h2c"
  keepalive_idle = "1s"
}
upstream "h3" {
  server %q {}
  protocol = "h3"
  keepalive_idle = "1s"
  tls {
    ca          = "root.pem"
    server_name = "localhost"
  }
}
site "*" {
  route "/upgrade/h1/*" {
    proxy = upstream.h1
  }
  route "/upgrade/h2/*" { proxy = upstream.h2 }
  route "/upgrade/h3/*" { proxy = upstream.h3 }
  respond "/version" { body = "%d" }
}
`

// config is that of the n-th reload: each differs, and every other one in what the sockets go through.
func (w *socketWorld) config(n int) string {
	c := fmt.Sprintf(socketConfig, AdminSocket, w.origins[0], w.origins[1], w.origins[2], n)
	if n%2 == 1 {
		c += "site \"second.test\" {\n  respond \"/*\" { body = \"second\" }\n}\n"
		c = strings.ReplaceAll(c, "    proxy = upstream.h1\n", "    proxy = upstream.h1\n    request {\n      set = { \"X-A\" = \"b\" }\n    }\n")
	}
	return c
}

// open opens n sockets: a third of the clients each speak HTTP/1.1 in TLS, HTTP/2 and HTTP/3, and go to each of the servers.
func (w *socketWorld) open(n int) {
	w.t.Helper()
	const perConnection = 100
	w.sockets = make([]*webSocket, n)
	var all sync.WaitGroup
	places := make(chan struct{}, 8)
	for from := 0; from < n; from += perConnection {
		mode := []Mode{HTTPS, H2, H3}[from/perConnection%3]
		var raw *dialect.Raw
		if mode != HTTPS {
			var err error
			if raw, err = dialRaw(mode, w.weir.Listeners["http"]); err != nil {
				w.t.Fatal(err)
			}
			w.raws = append(w.raws, raw)
		}
		for i := from; i < min(from+perConnection, n); i++ {
			places <- struct{}{}
			all.Go(func() {
				defer func() { <-places }()
				s, err := w.openOne(raw, i)
				if err != nil {
					w.t.Errorf("socket %d over %s: %v", i, mode, err)
				}
				w.sockets[i] = s
			})
		}
	}
	all.Wait()
	if w.t.Failed() {
		w.t.FailNow()
	}
}

func (w *socketWorld) openOne(raw *dialect.Raw, i int) (*webSocket, error) {
	path := fmt.Sprintf("/upgrade/h%d/%d", i%3+1, i)
	if raw == nil {
		return w.upgrade(path)
	}
	s, err := raw.Open()
	if err != nil {
		return nil, err
	}
	a := attack{instead: map[string]string{":method": "CONNECT", ":protocol": "websocket"}, fields: []string{"sec-websocket-version", "13"}}
	if err := s.Head(a.head("localhost", path), false); err != nil {
		return nil, err
	}
	status, _, err := s.Answer()
	if err != nil || status != 200 {
		return nil, fmt.Errorf("%d, %w", status, err)
	}
	return &webSocket{s, path}, nil
}

// upgrade opens a socket by an upgrade of HTTP/1.1.
func (w *socketWorld) upgrade(path string) (*webSocket, error) {
	config, err := trusting("http/1.1")
	if err != nil {
		return nil, err
	}
	c, err := tls.Dial("tcp", w.weir.Listeners["http"], config)
	if err != nil {
		return nil, err
	}
	w.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(6 * patience))
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path)
	in := bufio.NewReaderSize(c, 512)
	r, err := http.ReadResponse(in, nil)
	if err != nil || r.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("%v, %w", r, err)
	}
	c.SetDeadline(time.Time{})
	return &webSocket{struct {
		io.Reader
		io.Writer
	}{in, c}, path}, nil
}

// speak says a word and waits for its echo.
func (s *webSocket) speak(i int) error {
	word := fmt.Sprintf("word %d;", i)
	if _, err := io.WriteString(s, word); err != nil {
		return err
	}
	got := make([]byte, len(word))
	if _, err := io.ReadFull(s, got); err != nil {
		return err
	}
	if string(got) != word {
		return fmt.Errorf("said %q, came back %q", word, got)
	}
	return nil
}

// speakAll speaks over every socket.
func (w *socketWorld) speakAll(when string) {
	w.t.Helper()
	late := time.AfterFunc(30*patience, func() { panic("a socket does not echo: " + when) })
	defer late.Stop()
	lost := 0
	var first error
	for i, s := range w.sockets {
		if err := s.speak(i); err != nil {
			if lost++; first == nil {
				first = fmt.Errorf("socket %d, %s: %w", i, s.what, err)
			}
		}
	}
	if lost > 0 {
		w.t.Fatalf("%s %d of %d sockets are lost; %v", when, lost, len(w.sockets), first)
	}
}

// reloads reloads n times, and speaks over some of the sockets between.
func (w *socketWorld) reloads(n int) {
	w.t.Helper()
	from := time.Now()
	for i := 1; i <= n; i++ {
		if err := os.WriteFile(filepath.Join(w.weir.Dir, "weir.hcl"), []byte(w.config(i)), 0o600); err != nil {
			w.t.Fatal(err)
		}
		r, err := w.admin.Post("http://weir/reload", "", nil)
		if err != nil {
			w.t.Fatal(err)
		}
		body, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if r.StatusCode >= 300 {
			w.t.Fatalf("reload %d: %s %s", i, r.Status, body)
		}
		at := i * 7919 % len(w.sockets)
		if err := w.sockets[at].speak(i); err != nil {
			w.t.Fatalf("reload %d: socket %d, %s: %v", i, at, w.sockets[at].what, err)
		}
	}
	w.t.Logf("%d reloads in %s", n, time.Since(from).Round(time.Millisecond))
}

func (w *socketWorld) close() {
	for _, r := range w.raws {
		r.Close()
	}
	for _, s := range w.sockets {
		if c, ok := s.ReadWriter.(struct {
			io.Reader
			io.Writer
		}); ok {
			c.Writer.(io.Closer).Close()
		}
	}
	w.sockets, w.raws = nil, nil
}

// rest waits until what weir holds does not change, and exceeds most no more, or for a while; it returns what that is.
func (w *socketWorld) rest(most *level) (now level) {
	w.t.Helper()
	const quiet = 3 // as many looks without a change are rest
	same := 0
	for end := time.Now().Add(3 * patience); same < quiet && time.Now().Before(end); time.Sleep(300 * time.Millisecond) {
		last := now
		now = w.level()
		if same++; now.goroutines < last.goroutines || now.files != last.files || most != nil && now.exceeds(most) {
			same = 0
		}
	}
	return now
}

func (w *socketWorld) level() (l level) {
	w.t.Helper()
	r, err := w.admin.Get("http://weir/metrics")
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Body.Close()
	data, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		name, value, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		to := map[string]*float64{"go_goroutines": &l.goroutines, "process_open_fds": &l.files, "process_resident_memory_bytes": &l.resident}[name]
		if to == nil {
			continue
		}
		if *to, err = strconv.ParseFloat(value, 64); err != nil {
			w.t.Fatal(err)
		}
	}
	if l.goroutines == 0 || l.files == 0 || l.resident == 0 {
		w.t.Fatalf("weir does not tell what it holds:\n%s", data)
	}
	return l
}

func listenTCP(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}
