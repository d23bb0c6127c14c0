package cert

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is weir itself, made once. WEIR_BINARY names one.
var binary = sync.OnceValues(func() (string, error) {
	if name := os.Getenv("WEIR_BINARY"); name != "" {
		return name, nil
	}
	dir, err := os.MkdirTemp("", "weir")
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "weir")
	if out, err := exec.Command("go", "build", "-o", name, "../cmd/weir").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return name, nil
})

// A program is weir as its users have it, on the ports that a test CA looks at.
type program struct {
	*pebble
	name, file string
	cmd        *exec.Cmd
	said       bytes.Buffer
}

// newProgram runs weir with a configuration in which HTTP, HTTPS, DIR and such stand for what is known only now.
func newProgram(t *testing.T, p *pebble, text string, more ...string) *program {
	t.Helper()
	name, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	w := &program{pebble: p, name: name, file: filepath.Join(dir, "weir.hcl")}
	writeFile(t, filepath.Join(dir, "roots.pem"), p.rootsPEM)
	replacer := strings.NewReplacer(append([]string{
		"HTTP_PORT", fmt.Sprint(port(p.http)), "HTTP", p.http.Addr().String(), "TLS", p.tls.Addr().String(), "CA", p.directory,
		"DNS", p.dns.address, "DIR", dir,
	}, more...)...)
	writeFile(t, w.file, []byte(replacer.Replace(text)))
	p.http.Close() // weir listens there from now on
	p.tls.Close()
	w.cmd = exec.Command(name, "run", "-c", w.file)
	w.cmd.Stderr = &w.said
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.cmd.Process.Signal(syscall.SIGTERM)
		w.cmd.Wait()
		if t.Failed() {
			t.Logf("weir said:\n%s", &w.said)
		}
	})
	return w
}

// run runs a command of weir and returns what it said and its exit code.
func (w *program) run(args ...string) (string, int) {
	out, err := exec.Command(w.name, args...).CombinedOutput()
	var e *exec.ExitError
	if errors.As(err, &e) {
		return string(out), e.ExitCode()
	}
	if err != nil {
		w.t.Error(err)
	}
	return string(out), 0
}

// serial is that of the certificate that a client is shown for a name; "" and an error where there is none.
func (w *program) serial(name string) (string, error) {
	c, err := (&front{}).shake(w.pebble, name)
	if err != nil {
		return "", err
	}
	return c.SerialNumber.Text(16), nil
}

const acmeText = `
state_dir = "DIR/state"
listener "http" { address = "HTTP" }
listener "https" {
  address   = "TLS"
  protocols = ["h1", "h2"]
  tls {}
}
acme {
  ca        = ["CA"]
  ca_roots  = "roots.pem"
  resolvers = ["DNS"]
  http_port = HTTP_PORT
}
admin {
  listen = "127.0.0.1:0"
  socket = "DIR/admin.sock"
}
`

// A person has a certificate renewed: it is another one then, of which clients are shown at once; or the failing step is
// told, and what was there stays.
func TestRenewCommand(t *testing.T) {
	p := newPebble(t, pebbleOptions{})
	w := newProgram(t, p, acmeText+`
site "a.weir.test" {
  respond "/*" { status = 204 }
}
`)
	first := ""
	eventually(t, "a certificate", func() (ok bool) {
		var err error
		first, err = w.serial("a.weir.test")
		return err == nil
	})
	var both sync.WaitGroup
	for range 2 { // who comes second waits for the attempt of who came first
		both.Go(func() {
			out, code := w.run("cert", "renew", "-c", w.file, "a.weir.test")
			if code != 0 || !strings.Contains(out, "a.weir.test: a new certificate by ") {
				t.Errorf("exit code %d: %s", code, out)
			}
		})
	}
	both.Wait()
	second, err := w.serial("a.weir.test")
	if err != nil || second == first {
		t.Errorf("serial %s after %s, %v", second, first, err)
	}
	if out, code := w.run("cert", "renew", "-c", w.file, "b.weir.test"); code != 1 || !strings.Contains(out, "wants a certificate") {
		t.Errorf("of a name that nobody has: exit code %d: %s", code, out)
	}
	p.stop()
	out, code := w.run("cert", "renew", "-c", w.file, "a.weir.test")
	if code != 1 || !strings.Contains(out, "no new certificate for a.weir.test") || !strings.Contains(out, string(stepConnect)) {
		t.Errorf("without a CA: exit code %d: %s", code, out)
	}
	if now, err := w.serial("a.weir.test"); err != nil || now != second {
		t.Errorf("serial %s after a failure, %v", now, err)
	}
	if out, code := w.run("cert", "show", "-c", w.file, "a.weir.test"); code != 0 || !strings.Contains(out, "problem") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// Names that clients bring get certificates where the rule allows them, and else what unknown names get.
func TestOnDemandOfConfiguration(t *testing.T) {
	p := newPebble(t, pebbleOptions{})
	var asked sync.Map
	rule := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		name := r.URL.Query().Get("domain")
		n, _ := asked.LoadOrStore(name, new(int))
		*n.(*int)++
		if !strings.HasPrefix(name, "good") {
			rw.WriteHeader(http.StatusNotFound)
		}
	}))
	defer rule.Close()
	w := newProgram(t, p, acmeText+`
site "customers" {
  hosts = ["*"]
  tls {
    on_demand {
      allow      = ["*.weir.test"]
      ask        = "RULE/allowed"
      per_minute = 2
      wait       = "30s"
    }
  }
  respond "/*" { status = 204 }
}
`, "RULE", rule.URL)
	eventually(t, "weir to answer", func() bool {
		_, err := w.serial("bad.weir.test")
		return isUnknown(err)
	})
	eventually(t, "a certificate for a name that is allowed", func() bool {
		_, err := w.serial("good1.weir.test")
		return err == nil
	})
	if _, err := w.serial("good1.weir.test"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"bad.weir.test", "good.elsewhere.test", "localhost"} {
		if _, err := w.serial(name); !isUnknown(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n, ok := asked.Load("bad.weir.test"); !ok || *n.(*int) != 1 {
		t.Error("who is asked about a name is asked again and again")
	}
	if _, ok := asked.Load("good.elsewhere.test"); ok {
		t.Error("asked about a name that the list does not allow")
	}
	out, _ := w.run("cert", "list", "-c", w.file)
	if !strings.Contains(out, "good1.weir.test") || strings.Contains(out, "bad") {
		t.Error(out)
	}
	w.serial("good2.weir.test")
	if _, err := w.serial("good3.weir.test"); err == nil {
		t.Error("three new names in a minute that has room for two")
	}
}

// isUnknown reports whether a server said that it knows no certificate for the name.
func isUnknown(err error) bool {
	return err != nil && strings.Contains(err.Error(), tls.AlertError(112).Error())
}

// Who wants a new certificate while one is being got waits for that.
func TestRenewWaitsForTheAttemptUnderWay(t *testing.T) {
	p := newPebble(t, pebbleOptions{})
	f := newFront(t, p, t.TempDir(), p.usual(), "a.weir.test")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := f.Renew(t.Context(), "a.weir.test"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	f.get(t, "a.weir.test")
	if n, _ := f.Attempts(); n > 2 {
		t.Errorf("%d certificates for those who wanted one at the same time", n)
	}
	start := time.Now()
	if err := f.Renew(t.Context(), "none.weir.test"); !errors.Is(err, ErrNoName) || time.Since(start) > 5*time.Second {
		t.Error(err)
	}
}
