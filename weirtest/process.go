package weirtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Process is a running weir.
type Process struct {
	Dir       string            // where it runs: weir.hcl, what it writes
	Listeners map[string]string // addresses by name, as of the start
	Broken    []string          // names of sites that are not served, as of the start

	cmd    *exec.Cmd
	output *buffer
	ended  chan struct{}
	err    error // of the end
}

// A buffer is output that may be read while it is written.
type buffer struct {
	mu sync.Mutex // protects b
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Build compiles weir into dir and returns the path of the binary.
func Build(dir string, flags ...string) (string, error) {
	bin := filepath.Join(dir, "weir")
	args := append([]string{"build", "-o", bin}, flags...)
	cmd := exec.Command("go", append(args, "weir/cmd/weir")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
}

// AdminSocket is the name of the socket of weir's admin address, in the directory it runs in.
const AdminSocket = "admin.sock"

// Start runs weir in dir on the configuration file weir.hcl there, whose admin address must be AdminSocket,
// and returns when it serves.
func Start(bin, dir string, flags ...string) (*Process, error) {
	p := &Process{Dir: dir, output: new(buffer), ended: make(chan struct{})}
	p.cmd = exec.Command(bin, append([]string{"run", "-c", "weir.hcl"}, flags...)...)
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), "GOTRACEBACK=all", noExitSleep())
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	if err := p.ready(); err != nil {
		p.Kill()
		return nil, fmt.Errorf("%w; weir wrote:\n%s", err, p.Output())
	}
	return p, nil
}

// noExitSleep has programs with the race detector in them end when they are done, and not a second later.
func noExitSleep() string { return "GORACE=atexit_sleep_ms=0 " + os.Getenv("GORACE") }

// Pid returns the number of the process.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Output returns what weir has written to its standard output and error.
func (p *Process) Output() string { return p.output.String() }

// Signal sends a signal.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Wait waits for the end and returns the exit code.
func (p *Process) Wait(limit time.Duration) (int, error) {
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-time.After(limit):
		return 0, fmt.Errorf("weir still runs after %s", limit)
	}
}

// Kill ends weir at once.
func (p *Process) Kill() {
	p.cmd.Process.Kill()
	<-p.ended
}

// Stop ends weir in order and reports what it should not have written.
func (p *Process) Stop() error {
	p.Signal(syscall.SIGTERM)
	if _, err := p.Wait(50 * time.Millisecond); err != nil {
		p.Signal(syscall.SIGTERM) // the second one ends it at once
	}
	if _, err := p.Wait(patience); err != nil {
		p.Signal(syscall.SIGQUIT)
		p.Wait(time.Second)
		p.Kill()
		return err
	}
	return p.Complaint()
}

// Complaint returns an error if weir has panicked or a data race was found.
func (p *Process) Complaint() error {
	out := p.Output()
	for _, bad := range []string{"panic:", "fatal error:", "WARNING: DATA RACE"} {
		if i := strings.Index(out, bad); i >= 0 {
			return errors.New(out[i:min(len(out), i+8000)])
		}
	}
	return nil
}

// Admin returns an HTTP client of weir's admin address; any host will do.
func (p *Process) Admin() *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(p.Dir, AdminSocket))
		},
	}}
}

// ready waits until the admin address tells where weir listens.
func (p *Process) ready() error {
	admin := p.Admin()
	defer admin.CloseIdleConnections()
	for end := time.Now().Add(6 * patience); ; {
		select {
		case <-p.ended:
			return fmt.Errorf("weir ended: %v", p.err)
		case <-time.After(4 * time.Millisecond):
		}
		err := p.readListeners(admin)
		if err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("weir does not serve: %w", err)
		}
	}
}

func (p *Process) readListeners(admin *http.Client) error {
	r, err := admin.Get("http://weir/status")
	if err != nil {
		return err
	}
	defer r.Body.Close()
	var status struct {
		Listeners []struct{ Name, Address string }
		Sites     []struct{ Name, State string }
	}
	if err := json.NewDecoder(r.Body).Decode(&status); err != nil {
		return err
	}
	if len(status.Listeners) == 0 {
		return errors.New("no listeners in /status")
	}
	for _, site := range status.Sites {
		if site.State == "broken" {
			p.Broken = append(p.Broken, site.Name)
		}
	}
	p.Listeners = map[string]string{}
	for _, l := range status.Listeners {
		p.Listeners[l.Name] = anyHost.ReplaceAllString(l.Address, "127.0.0.1:")
	}
	return nil
}

// anyHost is the host of a listener on all addresses.
var anyHost = regexp.MustCompile(`^(\[::\]|0\.0\.0\.0)?:`)
