package weirtest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Run runs every script that matches pattern as a subtest, and below it each mode of [Modes] that it is for, side by
// side. bin is weir's binary; raced says that it has the race detector in it.
func Run(t *testing.T, bin, pattern string, raced bool) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("no scripts %q: %v", pattern, err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) { runFile(t, bin, name, raced) })
	}
}

func runFile(t *testing.T, bin, name string, raced bool) {
	t.Parallel()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	script, err := ParseScript(data)
	if err != nil {
		t.Fatalf("%s:%v", name, err)
	}
	if raced && bytes.Contains(data, []byte("\n"+timed+"\n")) {
		t.Skip("the race detector takes its time")
	}
	for _, mode := range script.modes(Modes, name, raced) {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			if err := runScript(bin, data, mode); err != nil {
				t.Errorf("%s:%v", name, err)
			}
		})
	}
}

// timed is the step of scripts that measure time.
const timed = "timed"

// A stage is what one script plays on.
type stage struct {
	bin     string
	mode    Mode
	dir     string
	files   map[string]string
	vars    map[string]string
	targets map[string]target
	order   []string // names of targets as they came
	peers   map[string]*peer
	opened  []*peer
	loads   map[string]*load
	sealed  map[string]bool // names of listeners that speak TLS

	authorities map[string]*authority

	weir     *Process
	patience time.Duration // with what has to happen
	pending  []byte        // of the peer last
	last     string
}

// runScript plays one script in one mode; an error begins with the line.
func runScript(bin string, data []byte, mode Mode) (err error) {
	script, err := ParseScript(data)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "weir") // short: a unix socket's path has a limit
	if err != nil {
		return err
	}
	st := &stage{
		bin: bin, mode: mode, dir: dir, files: map[string]string{},
		vars:    map[string]string{"dir": dir, "scheme": mode.scheme(), "version": mode.version(), "protocol": mode.protocol()},
		targets: map[string]target{}, peers: map[string]*peer{}, loads: map[string]*load{}, patience: patience,
		sealed: map[string]bool{}, authorities: map[string]*authority{},
	}
	for _, f := range script.Files {
		st.files[f.Name] = string(f.Data)
	}
	defer func() { err = errors.Join(err, st.clear()) }()
	if err := st.play(script); err != nil {
		return err
	}
	if mode.sealed() && len(st.sealed) == 0 {
		return fmt.Errorf("1: nothing in it differs from unencrypted HTTP/1: a line \"only h1: ...\" has to say why")
	}
	return nil
}

func (st *stage) play(script *Script) error {
	for i := range script.Steps {
		step := &script.Steps[i]
		err := st.flushBefore(step)
		if err == nil {
			err = st.do(step)
		}
		if err != nil {
			return fmt.Errorf("%d: %s: %w%s", step.Line, script.Sentence, err, st.scene())
		}
	}
	return st.flush()
}

func (st *stage) do(step *Step) error {
	run, ok := commands[step.Verb]
	if !ok {
		return fmt.Errorf("unknown step %q", step.Verb)
	}
	step.Text = st.expand(step.Text)
	for i := range step.Output {
		step.Output[i].Text = st.expand(step.Output[i].Text)
	}
	return run(st, step)
}

// expand fills in {{NAME}}; what it does not know stays.
func (st *stage) expand(s string) string {
	if !strings.Contains(s, "{{") {
		return s
	}
	for name, value := range st.vars {
		if st.sealed[name] {
			s = strings.ReplaceAll(s, "http://{{"+name+"}}", "https://{{"+name+"}}")
		}
		s = strings.ReplaceAll(s, "{{"+name+"}}", value)
	}
	return s
}

// unpack writes the script's files. It is done when weir starts or a program runs: then all origins have
// their addresses.
func (st *stage) unpack() error {
	for name, text := range st.files {
		path := filepath.Join(st.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(st.expand(text)), 0o644); err != nil {
			return err
		}
		delete(st.files, name)
	}
	return nil
}

// flushBefore sends what is pending, unless step adds to it.
func (st *stage) flushBefore(step *Step) error {
	if (step.Verb == ">" || step.Verb == ">>") && step.Name == st.last {
		return nil
	}
	return st.flush()
}

func (st *stage) flush() error {
	if st.last == "" {
		return nil
	}
	p, err := st.peer(st.last)
	if err == nil {
		p.send(st.pending)
	}
	st.last, st.pending = "", nil
	return err
}

// peer returns the connection of that name; an origin that has none accepts one.
func (st *stage) peer(name string) (*peer, error) {
	if p := st.peers[name]; p != nil {
		p.patience = st.patience
		return p, nil
	}
	o, ok := st.targets[name].(*origin)
	if !ok {
		return nil, fmt.Errorf("%q has no connection", name)
	}
	p, err := o.next(st.patience)
	if err != nil {
		return nil, err
	}
	st.keep(name, p)
	return p, nil
}

func (st *stage) keep(name string, p *peer) {
	st.peers[name] = p
	st.opened = append(st.opened, p)
}

// scene tells what weir had to say, for a script that failed.
func (st *stage) scene() string {
	var b strings.Builder
	if st.weir != nil {
		if out := st.weir.Output(); out != "" {
			fmt.Fprintf(&b, "\n--- weir wrote:\n%s", out[max(0, len(out)-3000):])
		}
	}
	if data, err := os.ReadFile(filepath.Join(st.dir, "access.log")); err == nil {
		fmt.Fprintf(&b, "\n--- access.log:\n%s", data[max(0, len(data)-3000):])
	}
	for name, t := range st.targets {
		if n, ok := t.(*Nginx); ok && n.complaint() != "" {
			fmt.Fprintf(&b, "\n--- nginx %s:\n%s", name, n.complaint())
		}
	}
	return b.String()
}

// clear ends all that runs.
func (st *stage) clear() error {
	for _, l := range st.loads {
		l.stop()
	}
	for _, p := range st.opened {
		p.abort()
	}
	var err error
	if st.weir != nil {
		err = st.weir.Stop()
	}
	for _, t := range st.targets {
		t.kill()
		t.free()
	}
	return errors.Join(err, os.RemoveAll(st.dir))
}
