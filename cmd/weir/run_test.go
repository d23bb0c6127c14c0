package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const patience = 20 * time.Second

// A running is a weir process.
type running struct {
	*exec.Cmd
	file  string // its configuration
	lines chan string
	mu    sync.Mutex // protects said
	said  strings.Builder
}

// launch starts weir with these arguments.
func launch(t *testing.T, env []string, args ...string) *running {
	t.Helper()
	r := &running{Cmd: exec.CommandContext(t.Context(), "weir", args...)}
	r.Env = append(os.Environ(), env...)
	r.launch(t)
	return r
}

// launch starts the command; what it says is collected, but for what goes elsewhere already.
func (r *running) launch(t *testing.T) {
	t.Helper()
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.lines, r.Stderr = make(chan string, 10000), w
	if r.Stdout == nil {
		r.Stdout = w
	}
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	go r.listen(out)
	t.Cleanup(func() {
		r.Process.Kill()
		r.Wait()
		out.Close()
		if t.Failed() {
			r.mu.Lock()
			defer r.mu.Unlock()
			t.Logf("weir said:\n%s", r.said.String())
		}
	})
}

func (r *running) listen(out io.Reader) {
	s := bufio.NewScanner(out)
	for s.Scan() {
		r.mu.Lock()
		r.said.WriteString(s.Text() + "\n")
		r.mu.Unlock()
		r.lines <- s.Text()
	}
	close(r.lines)
}

// await returns what pattern finds in the next line that it is in.
func (r *running) await(t *testing.T, pattern string) []string {
	t.Helper()
	re, late := regexp.MustCompile(pattern), time.After(patience)
	for {
		select {
		case line := <-r.lines:
			if m := re.FindStringSubmatch(line); m != nil {
				return m
			}
		case <-late:
			t.Fatalf("weir never said %q", pattern)
		}
	}
}

// heard reports whether it has said that, once it has ended.
func (r *running) heard(what string) bool {
	for line := range r.lines {
		if strings.Contains(line, what) {
			return true
		}
	}
	return false
}

// url is where its listener is, as its log says.
func (r *running) url(t *testing.T) string {
	t.Helper()
	return "http://" + r.await(t, `listening .*address="?([0-9.]+:[0-9]+)`)[1]
}

// run starts weir with a configuration.
func run(t *testing.T, text string, args ...string) *running {
	t.Helper()
	file := filepath.Join(t.TempDir(), "weir.hcl")
	write(t, file, text)
	r := launch(t, nil, append([]string{"run", "-c", file}, args...)...)
	r.file = file
	return r
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (r *running) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := r.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// ends waits for the end and checks the exit code.
func (r *running) ends(t *testing.T, code int) {
	t.Helper()
	r.Wait()
	if got := r.ProcessState.ExitCode(); got != code {
		t.Errorf("exit code %d, want %d", got, code)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// says is a configuration of a site that says a word.
func says(word string) string {
	return fmt.Sprintf(`
listener "http" { address = "127.0.0.1:0" }
site "*" {
  respond "/*" { body = %q }
}
`, word)
}

func TestReloadBySignal(t *testing.T) {
	r := run(t, says("one"))
	url := r.url(t)
	if got := get(t, url); got != "one" {
		t.Fatalf("got %q", got)
	}
	write(t, r.file, says("two"))
	r.signal(t, syscall.SIGHUP)
	r.await(t, "reloaded")
	if got := get(t, url); got != "two" {
		t.Errorf("after the reload: %q", got)
	}
	write(t, r.file, "site {")
	r.signal(t, syscall.SIGHUP)
	r.await(t, "reload refused")
	r.await(t, "weir.hcl:1:6: error: ")
	if got := get(t, url); got != "two" {
		t.Errorf("after a reload that was refused: %q", got)
	}
	r.signal(t, syscall.SIGUSR1)
	r.await(t, "log files opened again")
	r.signal(t, syscall.SIGTERM)
	r.await(t, "stopped")
	r.ends(t, exitOK)
}

func TestReloadByWatching(t *testing.T) {
	r := run(t, says("one"), "--watch")
	url := r.url(t)
	get(t, url)
	write(t, r.file, says("two, by watching"))
	r.await(t, "reloaded")
	if got := get(t, url); got != "two, by watching" {
		t.Errorf("after the reload: %q", got)
	}
}

// held is an origin that answers when it is told to.
func held(t *testing.T) (origin *httptest.Server, asked, answer chan struct{}) {
	asked, answer = make(chan struct{}, 10), make(chan struct{})
	origin = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-answer:
		case <-r.Context().Done():
		}
		io.WriteString(w, "late")
	}))
	t.Cleanup(origin.Close)
	return origin, asked, answer
}

func before(origin *httptest.Server) string {
	return fmt.Sprintf(`
listener "http" { address = "127.0.0.1:0" }
site "*" {
  route "/*" { proxy = %q }
}
`, origin.URL)
}

func TestTermDrains(t *testing.T) {
	origin, asked, answer := held(t)
	r := run(t, before(origin))
	url := r.url(t)
	got := make(chan string, 1)
	go func() { got <- get(t, url) }()
	<-asked
	r.signal(t, syscall.SIGTERM)
	r.await(t, "stopping")
	close(answer)
	if s := <-got; s != "late" {
		t.Errorf("the request under way got %q", s)
	}
	r.await(t, "stopped")
	r.ends(t, exitOK)
}

func TestSecondTermEnds(t *testing.T) {
	origin, asked, _ := held(t)
	r := run(t, before(origin))
	url := r.url(t)
	broken := make(chan error, 1)
	go func() {
		_, err := http.Get(url)
		broken <- err
	}()
	<-asked
	r.signal(t, syscall.SIGTERM)
	r.await(t, "stopping")
	r.signal(t, syscall.SIGINT)
	r.await(t, "told twice")
	r.ends(t, exitOK)
	if r.heard("not everything ended in time") {
		t.Error("what was under way was waited for")
	}
	if <-broken == nil {
		t.Error("the request under way was answered")
	}
}

func TestGraceEnds(t *testing.T) {
	origin, asked, _ := held(t)
	r := run(t, `grace = "50ms"`+before(origin))
	url := r.url(t)
	go http.Get(url)
	<-asked
	r.signal(t, syscall.SIGTERM)
	r.await(t, "grace is over")
	r.ends(t, exitOK)
	if r.heard("not everything ended in time") {
		t.Error("what was broken off did not end")
	}
}

func TestServiceManagerIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	file := filepath.Join(t.TempDir(), "weir.hcl")
	write(t, file, says("one"))
	r := launch(t, []string{"NOTIFY_SOCKET=" + path}, "run", "-c", file)
	expect := func(want string) {
		t.Helper()
		manager.SetReadDeadline(time.Now().Add(patience))
		buf := make([]byte, 500)
		n, err := manager.Read(buf)
		if err != nil || !strings.Contains(string(buf[:n]), want) {
			t.Fatalf("told %q, %v; want %q", buf[:n], err, want)
		}
	}
	expect("READY=1\nSTATUS=serving 1 site on 1 listener\n")
	r.signal(t, syscall.SIGHUP)
	expect("RELOADING=1\n")
	expect("READY=1\n")
	r.signal(t, syscall.SIGTERM)
	expect("STOPPING=1\n")
	r.ends(t, exitOK)
}

func TestReloadByCommand(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "admin.sock")
	with := func(text string) string {
		return text + fmt.Sprintf("admin {\n  listen = %q\n  socket = %q\n}\n", "127.0.0.1:0", socket)
	}
	r := run(t, with(says("one")))
	url := r.url(t)
	get(t, url)
	ask := func(code int, want string) {
		t.Helper()
		out, _ := exec.CommandContext(t.Context(), "weir", "reload", "--admin", "unix:"+socket).CombinedOutput()
		if !strings.Contains(string(out), want) {
			t.Errorf("weir reload: %s; want %q", out, want)
		}
		again := exec.CommandContext(t.Context(), "weir", "reload", "-c", r.file)
		again.Run()
		if got := again.ProcessState.ExitCode(); got != code {
			t.Errorf("weir reload -c: exit code %d, want %d", got, code)
		}
	}
	write(t, r.file, with(says("two")))
	ask(exitOK, "reloaded")
	if got := get(t, url); got != "two" {
		t.Errorf("after the reload: %q", got)
	}
	write(t, r.file, with(strings.Replace(says("three"), "respond", "repond", 1)))
	ask(exitConfig, `"respond"`) // the site keeps its last version, and the others would change
	write(t, r.file, with(says("four"))+"site {")
	out, _ := exec.CommandContext(t.Context(), "weir", "reload", "--admin", "unix:"+socket).CombinedOutput()
	if !strings.Contains(string(out), "weir.hcl:") || !strings.Contains(string(out), "the reload was refused; nothing has changed") {
		t.Errorf("weir reload says of a broken file:\n%s", out)
	}
	if got := get(t, url); got != "two" {
		t.Errorf("after reloads that were refused: %q", got)
	}
}

func TestProxyCommand(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "from the origin, for "+r.Header.Get("X-Forwarded-For"))
	}))
	defer origin.Close()
	r := launch(t, nil, "proxy", "--from", "127.0.0.1:0", "--to", origin.URL)
	if got := get(t, r.url(t)); got != "from the origin, for 127.0.0.1" {
		t.Errorf("got %q", got)
	}
}

func TestAddressTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := run(t, strings.Replace(says("x"), "127.0.0.1:0", l.Addr().String(), 1))
	r.await(t, `weir: listener "http": listen on "`+l.Addr().String()+`": address already in use`)
	r.ends(t, exitFailed)

	admin := run(t, says("x")+fmt.Sprintf("admin { listen = %q }\n", l.Addr().String()))
	admin.await(t, "weir: admin: .*address already in use")
	admin.ends(t, exitFailed)
}

func TestNothingToServe(t *testing.T) {
	r := run(t, "sight {")
	r.await(t, "weir.hcl:1")
	r.ends(t, exitConfig)
}

// answers waits until it answers.
func (r *running) answers(t *testing.T, url string) {
	t.Helper()
	for begin := time.Now(); ; {
		answer, err := http.Get(url)
		if err == nil {
			answer.Body.Close()
			return
		}
		if time.Since(begin) > patience {
			t.Fatal(err)
		}
	}
}

// From the start of the process to the first answer, when the machine is not too busy with something else, which is
// waited for a while.
func TestStartsQuickly(t *testing.T) {
	limit := 100 * time.Millisecond
	if raceEnabled {
		limit *= 10
	}
	file := filepath.Join(t.TempDir(), "weir.hcl")
	write(t, file, says("up"))
	best := time.Hour
	for first := time.Now(); best > limit && time.Since(first) < patience; {
		begin := time.Now()
		r := launch(t, nil, "run", "-c", file)
		get(t, r.url(t))
		best = min(best, time.Since(begin))
		http.DefaultClient.CloseIdleConnections()
		r.signal(t, syscall.SIGTERM)
		r.ends(t, exitOK)
	}
	t.Logf("%v to the first answer", best)
	if best > limit {
		t.Errorf("%v to the first answer, want %v at most", best, limit)
	}
}

// The admin address follows the configuration, also when the reload that moves it was asked for there.
func TestAdminMoves(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string {
		return says("one") + fmt.Sprintf("admin {\n  listen = \"127.0.0.1:0\"\n  socket = %q\n}\n", filepath.Join(dir, name))
	}
	reload := func(name string) string {
		out, _ := exec.CommandContext(t.Context(), "weir", "reload", "--admin", "unix:"+filepath.Join(dir, name)).CombinedOutput()
		return string(out)
	}
	r := run(t, at("first"))
	r.await(t, "admin address .*first")
	write(t, r.file, at("second"))
	if got := reload("first"); got != "reloaded\n" {
		t.Errorf("asked at the first place: %q", got)
	}
	r.await(t, "admin address .*second")
	if got := reload("first"); !strings.Contains(got, "no weir answers") {
		t.Errorf("the first place still answers: %q", got)
	}
	if got := reload("second"); got != "reloaded\n" {
		t.Errorf("asked at the second place: %q", got)
	}
}
