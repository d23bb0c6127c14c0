package fcgi

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir"
)

// A php is a real php-fpm with a folder of scripts.
type php struct {
	address string
	root    string
}

const fpmConf = `[global]
daemonize = no
error_log = %[1]s/fpm.log
[www]
%[2]s
listen = %[3]s
pm = static
pm.max_children = 4
pm.max_requests = %[4]d
php_admin_flag[log_errors] = on
php_admin_flag[display_errors] = off
php_admin_flag[html_errors] = off
php_admin_value[post_max_size] = 32M
php_admin_value[upload_max_filesize] = 32M
php_admin_value[upload_tmp_dir] = %[1]s
php_admin_value[memory_limit] = 256M
`

// newPHP starts a php-fpm that listens on a "unix" or "tcp" socket and has each process answer that many requests (0: all).
func newPHP(t *testing.T, network string, requests int) *php {
	t.Helper()
	binary := findPHP()
	if binary == "" {
		t.Skip("needs Debian's php-fpm: apt-get install php-fpm")
	}
	dir := t.TempDir()
	p := &php{root: filepath.Join(dir, "root")}
	if err := os.CopyFS(p.root, os.DirFS("testdata/php")); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(p.root+"/env.php", p.root+"/with space.php"); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "fpm.sock")
	listen, env, files := socket, os.Environ(), []*os.File(nil)
	if p.address = "unix:" + socket; network == "tcp" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		file, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		files = append(files, file)
		p.address, listen = l.Addr().String(), l.Addr().String()
		env = append(env, "FPM_SOCKETS="+listen+"=3") // as php-fpm hands its own sockets over
	}
	user := ""
	if os.Geteuid() == 0 {
		user = "user = root\ngroup = root"
	}
	conf := filepath.Join(dir, "fpm.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, fpmConf, dir, user, listen, requests), 0o600); err != nil {
		t.Fatal(err)
	}
	said := new(bytes.Buffer)
	cmd := exec.Command(binary, "-n", "-F", "-R", "-p", dir, "-y", conf)
	cmd.Env, cmd.ExtraFiles, cmd.Stdout, cmd.Stderr = env, files, said, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if t.Failed() {
			log, _ := os.ReadFile(dir + "/fpm.log")
			t.Logf("php-fpm said: %s%s", said, log)
		}
	})
	until(t, "php-fpm listens", func() bool {
		c, err := net.Dial(network, listen)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
	return p
}

func findPHP() string {
	for _, pattern := range []string{"/usr/sbin/php-fpm*", "/usr/local/sbin/php-fpm*"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	return ""
}

// eachPHP runs f over both kinds of socket, with connections kept and not.
func eachPHP(t *testing.T, f func(t *testing.T, w *world, p *php)) {
	for _, network := range []string{"unix", "tcp"} {
		for _, keep := range []int{0, 2} {
			t.Run(fmt.Sprintf("%s, %d kept", network, keep), func(t *testing.T) {
				p := newPHP(t, network, 0)
				f(t, newWorld(t, p.address, TransportConfig{Root: p.root, KeepAlive: keep}), p)
			})
		}
	}
}

// object reads an answer in JSON.
func object(t *testing.T, r reply) map[string]any {
	t.Helper()
	m := map[string]any{}
	if err := json.Unmarshal([]byte(r.body), &m); err != nil || r.StatusCode != 200 {
		t.Fatalf("%d, %q: %v", r.StatusCode, r.body, err)
	}
	return m
}

// says compares variables.
func says(t *testing.T, got map[string]any, want map[string]any) {
	t.Helper()
	for name, v := range want {
		if g, ok := got[name]; v == nil && ok || v != nil && g != v {
			t.Errorf("%s is %q, want %v", name, g, v)
		}
	}
}

func TestPHPVariables(t *testing.T) {
	eachPHP(t, func(t *testing.T, w *world, p *php) {
		host, port, _ := net.SplitHostPort(strings.TrimPrefix(w.url, "http://"))
		got := object(t, w.get("/env.php?a=1&b=%20", "X-One: 1", "X-Two: a", "X-Two: b", "Cookie: a=1", "Cookie: b=2", "Authorization: Basic dTpw",
			"Proxy: http://evil", "X_Real_IP: 6.6.6.6", "X.Dot: 1", "Content-Type: text/x"))
		says(t, got, map[string]any{
			"SCRIPT_FILENAME": p.root + "/env.php", "SCRIPT_NAME": "/env.php", "PATH_INFO": nil, "DOCUMENT_ROOT": p.root,
			"REQUEST_URI": "/env.php?a=1&b=%20", "QUERY_STRING": "a=1&b=%20", "REQUEST_METHOD": "GET", "DOCUMENT_URI": "/env.php",
			"SERVER_PROTOCOL": "HTTP/1.1", "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_SOFTWARE": "weir", "REDIRECT_STATUS": "200",
			"REMOTE_ADDR": "127.0.0.1", "SERVER_ADDR": host, "SERVER_NAME": host, "SERVER_PORT": port, "HTTPS": nil, "REQUEST_SCHEME": "http",
			"HTTP_HOST": host + ":" + port, "HTTP_X_ONE": "1", "HTTP_X_TWO": "a, b", "HTTP_COOKIE": "a=1; b=2", "CONTENT_TYPE": "text/x",
			"HTTP_CONTENT_TYPE": nil, "HTTP_PROXY": nil, "HTTP_X_REAL_IP": nil, "HTTP_X_DOT": nil, "CONTENT_LENGTH": nil,
			"HTTP_AUTHORIZATION": "Basic dTpw", "PHP_AUTH_USER": "u", "PHP_SELF": "/env.php",
		})
		if n, ok := got["REMOTE_PORT"].(string); !ok || n == "0" {
			t.Errorf("REMOTE_PORT is %v", got["REMOTE_PORT"])
		}
		says(t, object(t, w.get("/env.php/a%20b/c%2Fd?x")), map[string]any{
			"SCRIPT_NAME": "/env.php", "PATH_INFO": "/a b/c/d", "REQUEST_URI": "/env.php/a%20b/c%2Fd?x", "PHP_SELF": "/env.php/a b/c/d", "QUERY_STRING": "x",
		})
		says(t, object(t, w.get("/sub/")), map[string]any{"SCRIPT_NAME": "/sub/index.php", "FOLDER": "sub", "REQUEST_URI": "/sub/"})
		says(t, object(t, w.get("/a/../sub/./%69ndex.php")), map[string]any{"SCRIPT_NAME": "/sub/index.php", "REQUEST_URI": "/sub/index.php"})
		says(t, object(t, w.get("/with%20space.php")), map[string]any{"SCRIPT_NAME": "/with space.php"})
		says(t, object(t, w.get("//sub//index.php")), map[string]any{"SCRIPT_NAME": "/sub/index.php", "REQUEST_URI": "//sub//index.php"})
		for _, path := range []string{"/", "/about", "/about/", "/sub", "/uploads/picture.jpg", "/.php"} {
			says(t, object(t, w.get(path)), map[string]any{"SCRIPT_NAME": "/index.php", "PATH_INFO": nil, "REQUEST_URI": path, "FOLDER": "root"})
		}
	})
}

// A file that is no script is not run, and one that does not exist is not asked for.
func TestPHPNoScript(t *testing.T) {
	p := newPHP(t, "unix", 0)
	w := newWorld(t, p.address, TransportConfig{Root: p.root})
	for _, path := range []string{"/none.php", "/uploads/picture.jpg/x.php", "/uploads/picture.jpg/x.php/y", "/sub.php", "/folder.php", "/env.php.php"} {
		if r := w.get(path); r.StatusCode != 404 || r.body != "404 Not Found\n" {
			t.Errorf("%s: %d, %q", path, r.StatusCode, r.body)
		}
		if o := w.ended(404, weir.CauseNone); !strings.HasPrefix(o.note, "no such script: /") {
			t.Errorf("%s: the note is %q", path, o.note)
		}
	}
	for _, path := range []string{"/sub%2Findex.php", "/sub%5Cindex.php", "/a%0Ab.php", "/env.php/a%0Ab", "/a%00.php", "/../env.php", "/sub%2F..%2Fenv.php"} {
		if r := w.get(path); r.StatusCode != 400 {
			t.Errorf("%s: %d, %q", path, r.StatusCode, r.body)
		}
		w.ended(400, weir.CauseRequestPath)
	}
	if list := w.stderr.all(); len(list) > 0 {
		t.Errorf("php-fpm was asked: %q", list)
	}
}

// Where nobody can look, php-fpm itself refuses to run the picture; its answer is passed on, and its complaint logged.
func TestPHPRemote(t *testing.T) {
	p := newPHP(t, "unix", 0)
	w := newWorld(t, p.address, TransportConfig{Root: p.root, Remote: true})
	for path, status := range map[string]int{"/uploads/picture.jpg/x.php": 403, "/none.php": 404, "/env.php": 200, "/": 200, "/sub/": 200} {
		if r := w.get(path); r.StatusCode != status || strings.Contains(r.body, "RUN") {
			t.Errorf("%s: %d, %q; want %d", path, r.StatusCode, r.body, status)
		}
	}
	if list := w.stderr.all(); !slices.ContainsFunc(list, func(s string) bool { return strings.Contains(s, "Primary script unknown") }) {
		t.Errorf("the log has %q", list)
	}
}

func TestPHPForm(t *testing.T) {
	eachPHP(t, func(t *testing.T, w *world, _ *php) {
		form := url.Values{"name": {"Jörg & Co"}, "list[]": {"1", "2"}}.Encode()
		for name, body := range map[string]io.Reader{"known length": strings.NewReader(form), "chunked": io.MultiReader(strings.NewReader(form))} {
			got := object(t, w.do("POST", "/form.php?q=1", body, "Content-Type: application/x-www-form-urlencoded", "Cookie: c=d"))
			says(t, got, map[string]any{"name": "Jörg & Co", "list": "1,2", "q": "1", "cookie": "d", "length": fmt.Sprint(len(form)), "raw": form})
			if t.Failed() {
				t.Fatal(name)
			}
		}
		got := object(t, w.do("POST", "/form.php", http.NoBody))
		says(t, got, map[string]any{"raw": "", "name": nil})
	})
}

// An upload arrives whole, whether its length is told or not.
func TestPHPUpload(t *testing.T) {
	eachPHP(t, func(t *testing.T, w *world, _ *php) {
		data := make([]byte, 5<<20)
		rand.NewChaCha8([32]byte{1}).Read(data)
		var form bytes.Buffer
		m := multipart.NewWriter(&form)
		part, _ := m.CreateFormFile("file", "data.bin")
		part.Write(data)
		m.WriteField("more", "yes")
		m.Close()
		want := map[string]any{"name": "data.bin", "size": float64(len(data)), "sha1": fmt.Sprintf("%x", sha1.Sum(data)), "more": "yes", "error": float64(0)}
		for _, body := range []io.Reader{bytes.NewReader(form.Bytes()), io.MultiReader(bytes.NewReader(form.Bytes()))} {
			says(t, object(t, w.do("POST", "/upload.php", body, "Content-Type: "+m.FormDataContentType())), want)
			w.ended(200, weir.CauseNone)
		}
	})
}

// A body of unknown length is bounded.
func TestPHPSpool(t *testing.T) {
	p := newPHP(t, "unix", 0)
	w := newWorld(t, p.address, TransportConfig{Root: p.root, Spool: Spool{Memory: 10, Most: 100_000, Total: 150_000}})
	for _, n := range []int{0, 1, 10, 11, 100_000} {
		text := strings.Repeat("x", n)
		says(t, object(t, w.do("PUT", "/form.php", io.MultiReader(strings.NewReader(text)))), map[string]any{"raw": text})
		w.ended(200, weir.CauseNone)
	}
	if r := w.do("PUT", "/form.php", io.MultiReader(strings.NewReader(strings.Repeat("x", 100_001)))); r.StatusCode != 413 {
		t.Errorf("too long: %d", r.StatusCode)
	}
	w.ended(413, weir.CauseRequestBodyTooLarge)
	w.tr.spooled.Add(149_000)
	if r := w.do("PUT", "/form.php", io.MultiReader(strings.NewReader(strings.Repeat("x", 2000)))); r.StatusCode != 503 {
		t.Errorf("too much: %d", r.StatusCode)
	}
	w.ended(503, weir.CauseOverload)
	w.tr.spooled.Add(-149_000)
}

func TestPHPAnswers(t *testing.T) {
	eachPHP(t, func(t *testing.T, w *world, _ *php) {
		r := w.get("/status.php")
		if r.StatusCode != 404 || r.body != "nothing" || r.Header.Get("X-A") != "b" || !slices.Equal(r.Header["Set-Cookie"], []string{"a=1", "b=2"}) {
			t.Errorf("%d, %q, %v", r.StatusCode, r.body, r.Header)
		}
		if r.Header.Get("Status") != "" || r.Header.Get("Connection") != "" {
			t.Errorf("fields of the connection were passed on: %v", r.Header)
		}
		if r := w.get("/redirect.php"); r.StatusCode != 302 || r.Header.Get("Location") != "/elsewhere" {
			t.Errorf("%d, %v", r.StatusCode, r.Header)
		}
		if r := w.do("HEAD", "/status.php?code=200", nil); r.StatusCode != 200 || r.body != "" || r.Header.Get("X-A") != "b" {
			t.Errorf("HEAD: %d, %q, %v", r.StatusCode, r.body, r.Header)
		}
		if r := w.get("/status.php?code=204"); r.StatusCode != 204 || r.body != "" || r.err != nil {
			t.Errorf("204: %d, %q, %v", r.StatusCode, r.body, r.err)
		}
		if r := w.get("/status.php?code=200&length=7"); r.StatusCode != 200 || r.body != "nothing" || r.ContentLength != 7 {
			t.Errorf("with a length: %d, %q, %d", r.StatusCode, r.body, r.ContentLength)
		}
		if r := w.get("/empty.php"); r.StatusCode != 200 || r.body != "" {
			t.Errorf("empty: %d, %q", r.StatusCode, r.body)
		}
		if r := w.get("/early.php"); r.StatusCode != 200 || r.body != "early" || r.Header.Get("X-Late") != "" {
			t.Errorf("output before the head: %d, %q, %v", r.StatusCode, r.body, r.Header)
		}
		want := strings.Repeat("0123456789abcdef", 5<<16)
		for _, query := range []string{"", "?length=1", "?flush=1"} {
			if r := w.get("/big.php" + query); r.body != want || r.err != nil || r.StatusCode != 200 {
				t.Errorf("big%s: %d, %d bytes, %v", query, r.StatusCode, len(r.body), r.err)
			}
		}
		if r := w.get("/fatal.php"); r.StatusCode != 500 {
			t.Errorf("fatal: %d, %q", r.StatusCode, r.body)
		}
		for len(w.seen) > 0 {
			if o := <-w.seen; o.cause != weir.CauseNone {
				t.Errorf("%+v", o)
			}
		}
	})
}

func TestPHPStderr(t *testing.T) {
	eachPHP(t, func(t *testing.T, w *world, _ *php) {
		if r := w.get("/stderr.php"); r.StatusCode != 200 || r.body != "done" {
			t.Fatalf("%d, %q", r.StatusCode, r.body)
		}
		w.ended(200, weir.CauseNone)
		until(t, "the log", func() bool { return len(w.stderr.all()) > 0 })
		all := strings.Join(w.stderr.all(), "\n")
		for _, want := range []string{"first complaint", "second complaint", "a warning"} {
			if !strings.Contains(all, want) {
				t.Errorf("the log has %q, and nothing of %q", all, want)
			}
		}
	})
}

// A request whose client leaves is given up at once, and the connection is not used again.
func TestPHPCanceled(t *testing.T) {
	eachPHP(t, func(t *testing.T, w *world, p *php) {
		ctx, leave := context.WithCancel(context.Background())
		mark := filepath.Join(p.root, "running")
		over := make(chan error)
		go func() {
			r, _ := http.NewRequestWithContext(ctx, "GET", w.url+"/slow.php?mark="+url.QueryEscape(mark), nil)
			_, err := w.client.Do(r)
			over <- err
		}()
		until(t, "the script runs", func() bool { _, err := os.Stat(mark); return err == nil })
		began := time.Now()
		leave()
		<-over
		if o := w.ended(499, weir.CauseClientGone); o.side != weir.SideClient {
			t.Errorf("%+v", o)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		if n := w.tr.Idle(); n != 0 {
			t.Errorf("%d connections are kept", n)
		}
	})
}

func TestPHPTimeouts(t *testing.T) {
	p := newPHP(t, "unix", 0)
	w := newWorld(t, p.address, TransportConfig{Root: p.root, FirstByte: 100 * time.Millisecond, Stall: patience})
	if r := w.get("/slow.php"); r.StatusCode != 504 {
		t.Errorf("no head: %d", r.StatusCode)
	}
	w.ended(504, weir.CauseUpstreamHeaderTimeout)
	w = newWorld(t, p.address, TransportConfig{Root: p.root, FirstByte: patience, Stall: 100 * time.Millisecond})
	if r := w.get("/slow.php?begin=1"); r.StatusCode != 200 || r.err == nil {
		t.Errorf("a stall: %d, %q, %v", r.StatusCode, r.body, r.err)
	}
	w.ended(200, weir.CauseUpstreamBodyTimeout)
}

// What a script flushes arrives while it goes on.
func TestPHPStream(t *testing.T) {
	eachPHP(t, func(t *testing.T, w *world, p *php) {
		gate := filepath.Join(p.root, "gate")
		m, err := w.client.Get(w.url + "/stream.php?gate=" + url.QueryEscape(gate))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Body.Close()
		for i := range 5 {
			want := fmt.Sprintf("data: %d\n\n", i)
			got := make([]byte, len(want))
			if _, err := io.ReadFull(m.Body, got); string(got) != want {
				t.Fatalf("piece %d: %q, %v", i, got, err)
			}
			if err := os.WriteFile(fmt.Sprint(gate, i), nil, 0o600); err != nil { // only then does it say more
				t.Fatal(err)
			}
		}
		if rest, err := io.ReadAll(m.Body); len(rest) > 0 || err != nil {
			t.Fatalf("%q, %v", rest, err)
		}
		w.ended(200, weir.CauseNone)
	})
}

// Work that a script does after its announced end does not keep the client waiting, and the connection is used again when
// it is done.
func TestPHPWorksOn(t *testing.T) {
	p := newPHP(t, "unix", 0)
	w := newWorld(t, p.address, TransportConfig{Root: p.root, KeepAlive: 2})
	gate, done := filepath.Join(p.root, "gate"), filepath.Join(p.root, "done")
	if r := w.get("/worksOn.php?gate=" + url.QueryEscape(gate) + "&done=" + url.QueryEscape(done)); r.body != "hello" || r.err != nil {
		t.Fatalf("%q, %v", r.body, r.err)
	}
	w.ended(200, weir.CauseNone)
	if n := w.tr.Idle(); n != 0 {
		t.Fatalf("%d connections are kept while the script works", n)
	}
	os.WriteFile(gate, nil, 0o600)
	until(t, "the script ends", func() bool { _, err := os.Stat(done); return err == nil })
	until(t, "the connection is kept", func() bool { return w.tr.Idle() == 1 })
	object(t, w.get("/env.php"))
}

// A kept connection is used again: the same process answers.
func TestPHPKeepAlive(t *testing.T) {
	for _, network := range []string{"unix", "tcp"} {
		t.Run(network, func(t *testing.T) {
			p := newPHP(t, network, 0)
			w := newWorld(t, p.address, TransportConfig{Root: p.root, KeepAlive: 2})
			pids := map[string]bool{}
			for range 20 {
				pids[w.get("/pid.php").body] = true
				w.ended(200, weir.CauseNone)
				if n := w.tr.Idle(); n != 1 {
					t.Fatalf("%d connections are kept, want 1", n)
				}
			}
			if len(pids) != 1 {
				t.Errorf("%d processes answered", len(pids))
			}
		})
	}
}

// Processes that end after a few requests take their connections with them, and no request is lost.
func TestPHPProcessesEnd(t *testing.T) {
	p := newPHP(t, "unix", 3)
	w := newWorld(t, p.address, TransportConfig{Root: p.root, KeepAlive: 2})
	pids := map[string]bool{}
	for range 60 {
		r := w.get("/pid.php")
		if r.StatusCode != 200 {
			t.Fatalf("%d, %q", r.StatusCode, r.body)
		}
		pids[r.body] = true
	}
	if len(pids) < 10 {
		t.Errorf("%d processes answered, want one for every three requests", len(pids))
	}
}

func TestPHPEnv(t *testing.T) {
	p := newPHP(t, "unix", 0)
	env := map[string]string{"APP_ENV": "test", "SERVER_NAME": "mine", "HTTP_X_ONE": "set", "PHP_VALUE": "default_charset=ISO-8859-1", "LONG": strings.Repeat("l", 30_000)}
	w := newWorld(t, p.address, TransportConfig{Root: p.root, Env: env})
	r := w.get("/env.php", "X-One: sent", "X-Big: "+strings.Repeat("b", 40_000))
	says(t, object(t, r), map[string]any{
		"APP_ENV": "test", "SERVER_NAME": "mine", "HTTP_X_ONE": "set", "LONG": env["LONG"], "HTTP_X_BIG": strings.Repeat("b", 40_000),
	})
}

// Many at once, more than there are processes.
func TestPHPMany(t *testing.T) {
	p := newPHP(t, "unix", 0)
	const keep = 2
	w := newWorld(t, p.address, TransportConfig{Root: p.root, KeepAlive: keep})
	const clients, each = 16, 20
	over := make(chan error)
	for i := range clients {
		go func() {
			for j := range each {
				text := strings.Repeat(fmt.Sprintf("%d/%d ", i, j), 1000)
				m, err := w.client.Post(w.url+"/form.php", "text/plain", strings.NewReader(text))
				if err != nil {
					over <- err
					return
				}
				var got map[string]any
				err = json.NewDecoder(m.Body).Decode(&got)
				m.Body.Close()
				if err != nil || got["raw"] != text {
					over <- fmt.Errorf("%d: %v, %.80q", m.StatusCode, err, got["raw"])
					return
				}
			}
			over <- nil
		}()
	}
	for range clients {
		if err := <-over; err != nil {
			t.Error(err)
		}
	}
	kept := 0
	for i := range w.tr.shelves {
		w.tr.shelves[i].mu.Lock()
		kept += len(w.tr.shelves[i].stack)
		w.tr.shelves[i].mu.Unlock()
	}
	if n := w.tr.Idle(); n != kept || n > keep {
		t.Errorf("%d connections are kept, %d counted; at most %d may be", kept, n, keep)
	}
}
