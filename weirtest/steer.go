package weirtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func (st *stage) start(step *Step) error {
	if err := st.unpack(); err != nil {
		return err
	}
	if err := st.complete("weir.hcl"); err != nil {
		return err
	}
	flags := strings.Fields(step.Text)
	broken := len(flags) > 0 && flags[0] == "broken"
	if broken {
		flags = flags[1:]
	}
	p, err := Start(st.bin, st.dir, flags...)
	if err != nil {
		return err
	}
	if !broken && (len(p.Broken) > 0 || strings.Contains(p.Output(), ": error:")) {
		p.Kill()
		return fmt.Errorf("the configuration has errors; sites that are not served: %q\n%s", p.Broken, p.Output())
	}
	st.weir = p
	st.vars["pid"] = strconv.Itoa(p.Pid())
	for name, address := range p.Listeners {
		st.vars[name] = address
		_, st.vars["port-"+name], _ = net.SplitHostPort(address)
	}
	return nil
}

var (
	hasListener = regexp.MustCompile(`(?m)^listener `)
	hasAdmin    = regexp.MustCompile(`(?m)^admin `)
)

// complete adds to a configuration what scripts need not say.
func (st *stage) complete(name string) error {
	path := filepath.Join(st.dir, name)
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		data, err = st.defaultConfig(), nil
	}
	if err != nil {
		return err
	}
	if !hasListener.Match(data) {
		data = append(data, "\nlistener \"http\" { address = \"127.0.0.1:0\" }\n"...)
	}
	if st.mode.sealed() {
		if data, err = st.encrypt(data); err != nil {
			return err
		}
	}
	if !hasAdmin.Match(data) {
		data = fmt.Appendf(data, "\nadmin {\n  listen = \"127.0.0.1:0\"\n  socket = \"%s/%s\"\n}\n", st.dir, AdminSocket)
	}
	return os.WriteFile(path, data, 0o644)
}

func (st *stage) defaultConfig() []byte {
	out := []byte("upstream \"all\" {\n")
	for _, name := range st.order {
		out = fmt.Appendf(out, "  server %q {}\n", st.targets[name].Address())
	}
	return append(out, "}\nsite \"*\" {\n  route \"/*\" { proxy = upstream.all }\n}\n"...)
}

func (st *stage) signal(step *Step) error {
	s, ok := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "USR1": syscall.SIGUSR1, "INT": syscall.SIGINT}[step.Text]
	if !ok {
		return fmt.Errorf("unknown signal %q", step.Text)
	}
	return st.weir.Signal(s)
}

func (st *stage) stopped(step *Step) error {
	want, _ := strconv.Atoi(step.Text)
	code, err := st.weir.Wait(patience)
	if err == nil && code != want {
		err = fmt.Errorf("weir ended with %d", code)
	}
	return err
}

// reload puts a file in the place of weir.hcl and has weir read it.
func (st *stage) reload(step *Step) error {
	if step.Text != "" {
		if err := st.complete(step.Text); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(st.dir, step.Text), filepath.Join(st.dir, "weir.hcl")); err != nil {
			return err
		}
	}
	return st.shell(&Step{Line: step.Line, Text: "weir reload -c weir.hcl", Output: step.Output, Exit: step.Exit})
}

// kept waits until weir keeps so many connections to servers that nobody uses.
func (st *stage) kept(step *Step) error {
	want, err := strconv.Atoi(step.Text)
	if err != nil {
		return err
	}
	admin := st.weir.Admin()
	defer admin.CloseIdleConnections()
	got := 0
	for end := time.Now().Add(st.patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if got, err = keptConnections(admin); err != nil || got == want {
			return err
		}
	}
	return fmt.Errorf("%d connections are kept", got)
}

func keptConnections(admin *http.Client) (n int, err error) {
	r, err := admin.Get("http://weir/status")
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	var status struct {
		Upstreams []struct{ Servers []struct{ Idle int } }
	}
	err = json.NewDecoder(r.Body).Decode(&status)
	for _, u := range status.Upstreams {
		for _, s := range u.Servers {
			n += s.Idle
		}
	}
	return n, err
}
