package weirtest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// browserPage reports what came of a socket and of requests beside it, and by which versions of HTTP the requests went.
const browserPage = `<!doctype html><title>page</title><script>
const socket = () => new Promise((done, fail) => {
	const s = new WebSocket('wss://' + location.host + '/socket'), got = []
	s.onopen = () => { s.send('first'); s.send('x'.repeat(70000)) }
	s.onmessage = m => {
		got.push(m.data)
		if (got.length === 2) s.close(1000, 'done')
	}
	s.onclose = e => done(got[0] + ' ' + got[1].length + ' ' + e.code + ' ' + e.wasClean)
	s.onerror = () => fail('the socket failed')
})
const events = () => new Promise((done, fail) => {
	const source = new EventSource('/events'), got = []
	source.onmessage = m => {
		got.push(m.data)
		if (got.length === 3) { source.close(); done(got.join(' ')) }
	}
	source.onerror = () => fail('the events failed')
})
;(async () => {
	const got = [
		await fetch('/post', {method: 'POST', body: 'y'.repeat(300000)}).then(r => r.text()),
		await socket(),
		await events(),
	]
	const how = performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation')).map(e => e.nextHopProtocol)
	return [...got, ...new Set(how)].join('; ')
})().catch(e => 'failed: ' + e).then(text => fetch('/report', {method: 'POST', body: text}))
</script>`

// A real browser loads a page by HTTP/2 and by HTTP/3, and the page speaks over a WebSocket and listens to events.
func TestBrowser(t *testing.T) {
	program := chromium(t)
	for _, mode := range []Mode{HTTPS, H2, H3} {
		t.Run(string(mode), func(t *testing.T) { // one after the other: a browser is a lot of work
			offered := map[Mode]string{HTTPS: `"h1"`, H2: `"h1", "h2"`, H3: `"h1", "h2", "h3"`}[mode]
			want := map[Mode]string{HTTPS: "http/1.1", H2: "h2", H3: "h3"}[mode]
			o := newBrowserOrigin(t)
			w := startHoused(t, fmt.Sprintf(browserConfig, offered, AdminSocket, o.Address()))
			browse(t, program, w, mode)
			select {
			case said := <-o.reports:
				if said != "300000; first 70000 1000 true; 0 1 2; "+want {
					t.Errorf("the page says %q", said)
				}
			case <-time.After(12 * patience):
				t.Error("the page says nothing")
			}
			socket := browserSocket(t, w)
			if mode == HTTPS && socket != "HTTP/1.1" || mode == H2 && socket != "HTTP/2" {
				t.Errorf("the socket came by %s", socket)
			}
		})
	}
}

// browserSocket waits for the socket in weir's log, and returns the version that it came by. Which side was first to go does
// not matter: both have said goodbye.
func browserSocket(t *testing.T, w *Process) string {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		log, err := os.ReadFile(filepath.Join(w.Dir, "access.log"))
		if m := regexp.MustCompile(`(?m)^101 /socket (\S+) `).FindSubmatch(log); m != nil {
			return string(m[1])
		}
		if time.Now().After(end) {
			t.Fatalf("no socket in the log: %v\n%s", err, log)
		}
	}
}

const browserConfig = `
listener "http" {
  address   = "127.0.0.1:0"
  protocols = [%s]
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
site "*" {
  route "/*" { proxy = %q }
}
log "access" {
  to     = "access.log"
  format = "{status} {path} {protocol} {outcome}"
}
`

// A browserOrigin serves the page and what it asks for.
type browserOrigin struct {
	*Server
	reports chan string
}

func newBrowserOrigin(t *testing.T) *browserOrigin {
	t.Helper()
	s, err := NewServer("page", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	o := &browserOrigin{s, make(chan string, 10)}
	plain := s.http.Handler
	s.http.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !o.serve(rw, r) {
			plain.ServeHTTP(rw, r)
		}
	})
	return o
}

func (o *browserOrigin) serve(rw http.ResponseWriter, r *http.Request) bool {
	switch r.URL.Path {
	case "/":
		rw.Header().Set("Content-Type", "text/html")
		io.WriteString(rw, browserPage)
	case "/post":
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(rw, n)
	case "/report":
		said, _ := io.ReadAll(r.Body)
		o.reports <- string(said)
	case "/events":
		rw.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(rw, "data: %d\n\n", i)
			rw.(http.Flusher).Flush()
		}
		<-r.Context().Done()
	case "/socket":
		echoSocket(rw, r)
	default:
		return false
	}
	return true
}

// echoSocket is the server's end of a WebSocket.
func echoSocket(rw http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(rw, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(1 << 20)
	for {
		kind, message, err := c.Read(r.Context())
		if err != nil || c.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}

// browse opens the page of weir's in a headless browser that trusts its certificate; it ends with the test.
func browse(t *testing.T, program string, w *Process, mode Mode) {
	t.Helper()
	_, port, _ := strings.Cut(w.Listeners["http"], ":")
	args := []string{
		"--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
		"--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-port=0", "--user-data-dir=" + t.TempDir(), "--host-resolver-rules=MAP localhost 127.0.0.1",
		"--ignore-certificate-errors-spki-list=" + strings.TrimPrefix(pinAtHome(t), "sha256/"),
	}
	if mode == H3 {
		args = append(args, "--origin-to-force-quic-on=localhost:"+port)
	} else {
		args = append(args, "--disable-quic")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, append(args, "https://localhost:"+port+"/")...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // it has children
	if err := cmd.Start(); err != nil {
		cancel()
		t.Skip("the browser does not run here: ", err)
	}
	t.Cleanup(func() { cancel(); cmd.Wait() })
}

func pinAtHome(t *testing.T) string {
	t.Helper()
	p, err := atHome()
	if err != nil {
		t.Fatal(err)
	}
	return p.pin
}

// chromium returns the program, or skips the test.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-headless-shell", "/usr/lib/chromium/chromium-headless-shell"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("there is no Chromium (Debian's package chromium)")
	return ""
}
