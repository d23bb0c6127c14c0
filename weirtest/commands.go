package weirtest

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A command carries out a step.
type command func(st *stage, step *Step) error

// commands are all steps there are. It is filled in by commandTable, because commands may look steps up.
var commands = commandTable()

func commandTable() map[string]command {
	return map[string]command{
		"origin": (*stage).origin, "server": (*stage).server, "nginx": (*stage).nginx,
		"weir": (*stage).start, "client": (*stage).client,
		"authority": (*stage).authority, "certificate": (*stage).certificate,

		">": (*stage).send, ">>": (*stage).send, "flush": (*stage).nothing, "chunk": (*stage).chunk, "file": (*stage).sendFile,
		"<": (*stage).expectHead, "<<": (*stage).expectBytes, "body": (*stage).expectBody,
		"body-ends": (*stage).expectCut, "trailer": (*stage).expectTrailer, "closed": (*stage).expectEnd, "find": (*stage).find,
		"close": (*stage).close, "half-close": (*stage).halfClose, "abort": (*stage).abort,
		"accept": (*stage).accept, "idle": (*stage).idle,

		"$": (*stage).shell, "tally": (*stage).tally, "load": (*stage).load, "unload": (*stage).unload,
		"patience": (*stage).wait, timed: (*stage).nothing, "kept": (*stage).kept, "answers": (*stage).answers, "reload": (*stage).reload, "signal": (*stage).signal, "stopped": (*stage).stopped,
		"kill": (*stage).kill, "revive": (*stage).revive,
		"sick": (*stage).sick, "well": (*stage).well, "saw": (*stage).saw,
	}
}

func (st *stage) add(name string, t target) {
	st.targets[name] = t
	st.order = append(st.order, name)
	st.vars[name] = t.Address()
	_, st.vars["port-"+name], _ = net.SplitHostPort(t.Address())
}

func (st *stage) origin(step *Step) error {
	name, kind, _ := strings.Cut(step.Text, " ")
	if kind == "full" {
		f, err := newFull()
		if err == nil {
			st.add(name, f)
		}
		return err
	}
	o, err := newOrigin(pathOf(st.dir, name, kind))
	if err == nil {
		st.add(name, o)
	}
	return err
}

// server is "NAME [unix|local]" or "NAME tls CERTIFICATE [asks AUTHORITY]".
func (st *stage) server(step *Step) error {
	name, kind, _ := strings.Cut(step.Text, " ")
	sealed, err := st.serverTLS(strings.Fields(kind))
	if err != nil {
		return err
	}
	if sealed != nil {
		kind = ""
	}
	s, err := newServer(name, pathOf(st.dir, name, kind), sealed)
	if err == nil {
		st.add(name, s)
	}
	return err
}

// serverTLS is how a server of that kind speaks TLS; nil: not at all.
func (st *stage) serverTLS(kind []string) (*tls.Config, error) {
	if len(kind) < 2 || kind[0] != "tls" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(st.dir, kind[1]+".pem"), filepath.Join(st.dir, kind[1]+".key"))
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	if len(kind) == 4 && kind[2] == "asks" && st.authorities[kind[3]] != nil {
		config.ClientCAs, config.ClientAuth = st.authorities[kind[3]].pool(), tls.RequireAndVerifyClientCert
	} else if len(kind) > 2 {
		return nil, fmt.Errorf("not a kind of server: %q", kind)
	}
	return config, nil
}

func (st *stage) nginx(step *Step) error {
	words := strings.Fields(step.Text)
	if len(words) == 0 {
		return errors.New("which nginx?")
	}
	name := words[0]
	conf, ok := st.files[name+".conf"]
	if !ok {
		return fmt.Errorf("no file %q", name+".conf")
	}
	n, err := NewNginx(filepath.Join(st.dir, name+".nginx"), st.expand(conf), words[1:]...)
	if err != nil {
		return err
	}
	st.add(name, n)
	return await("tcp", n.Address())
}

// client connects: "NAME [LISTENER] [from ADDRESS]", where LISTENER may be @ and an address.
func (st *stage) client(step *Step) error {
	words := strings.Fields(step.Text)
	listener, dialer := "http", net.Dialer{Timeout: patience}
	for i := 1; i < len(words); i++ {
		if words[i] == "from" && i+1 < len(words) {
			i++
			dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(words[i])}
		} else {
			listener = words[i]
		}
	}
	c, err := st.connect(&dialer, listener)
	if err == nil {
		st.keep(words[0], newPeer(c))
	}
	return err
}

// connect connects as clients of the mode do.
func (st *stage) connect(dialer *net.Dialer, listener string) (net.Conn, error) {
	if !st.sealed[listener] {
		return st.dial(dialer, listener)
	}
	switch st.mode {
	case H2:
		return dialH2(dialer, st.vars[listener])
	case H3:
		return dialH3(dialer, st.vars[listener])
	}
	return st.dial(dialer, listener)
}

// dial connects to a listener, or with an @ to an address.
func (st *stage) dial(dialer *net.Dialer, listener string) (net.Conn, error) {
	to, direct := strings.CutPrefix(listener, "@")
	if !direct {
		to = st.vars[listener]
	}
	network, path := "tcp", to
	if p, ok := strings.CutPrefix(to, "unix:"); ok {
		network, path = "unix", p
	}
	c, err := dialer.Dial(network, path)
	if err != nil || direct || !st.sealed[listener] {
		return c, err
	}
	return seal(c, "http/1.1")
}

func (st *stage) send(step *Step) error {
	data, err := toSend(step.Text)
	if err != nil {
		return err
	}
	if step.Verb == ">" {
		data = append(data, "\r\n"...)
	}
	st.last = step.Name
	st.pending = append(st.pending, data...)
	return nil
}

func (st *stage) nothing(*Step) error { return nil }

func (st *stage) chunk(step *Step) error {
	data, err := toSend(step.Text)
	if err != nil {
		return err
	}
	p, err := st.peer(step.Name)
	if err != nil {
		return err
	}
	p.out <- fmt.Appendf(nil, "%x\r\n%s\r\n", len(data), data)
	return nil
}

func (st *stage) sendFile(step *Step) error {
	data, err := os.ReadFile(filepath.Join(st.dir, step.Text))
	if err != nil {
		return err
	}
	p, err := st.peer(step.Name)
	if err == nil {
		p.send(data)
	}
	return err
}

// startLine tells the first line of a head from a field.
var startLine = regexp.MustCompile(`^HTTP/1|^[^:]+ [^ ]+ HTTP/1\.[01]$`)

func (st *stage) expectHead(step *Step) error {
	p, err := st.peer(step.Name)
	if err != nil {
		return err
	}
	switch {
	case step.Text == "":
		if len(p.fields) > 0 {
			return fmt.Errorf("more fields came: %s", list(p.fields))
		}
		return nil
	case strings.HasPrefix(step.Text, "!"):
		if v, ok := p.get(step.Text[1:]); ok {
			return fmt.Errorf("field %q came: %s", step.Text[1:], brief(v))
		}
		return nil
	case !startLine.MatchString(step.Text):
		return p.take(step.Text)
	}
	if err := p.readHead(); err != nil {
		return err
	}
	if ok, err := matches(step.Text, p.first); !ok {
		return errors.Join(fmt.Errorf("got %s", brief(p.first)), err)
	}
	return nil
}

func (st *stage) expectBytes(step *Step) error {
	p, err := st.peer(step.Name)
	if err != nil {
		return err
	}
	want, err := toSend(step.Text)
	if err != nil {
		return err
	}
	p.soon()
	got, err := p.readN(len(want))
	if string(got) != string(want) {
		return errors.Join(fmt.Errorf("got %s", brief(string(got))), err)
	}
	return nil
}

// find reads until the text has come.
func (st *stage) find(step *Step) error {
	p, err := st.peer(step.Name)
	if err != nil {
		return err
	}
	want, err := toSend(step.Text)
	if err != nil {
		return err
	}
	p.soon()
	var got []byte
	for !bytes.HasSuffix(got, want) {
		b, err := p.in.ReadByte()
		if err != nil {
			return fmt.Errorf("%w; came %s", late(err), brief(string(got)))
		}
		got = append(got, b)
	}
	return nil
}

func (st *stage) expectBody(step *Step) error {
	p, err := st.peer(step.Name)
	if err != nil {
		return err
	}
	got, err := p.readBody()
	if err != nil {
		return fmt.Errorf("%w; got %s", err, brief(string(got)))
	}
	ok, err := matches(step.Text, string(got))
	if !ok {
		return errors.Join(fmt.Errorf("content is %s", brief(string(got))), err)
	}
	return nil
}

func (st *stage) expectCut(step *Step) error {
	p, err := st.peer(step.Name)
	if err != nil {
		return err
	}
	got, err := p.readBody()
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) {
		return nil
	}
	return fmt.Errorf("content did not end early: %s, %w", brief(string(got)), err)
}

func (st *stage) expectTrailer(step *Step) error {
	p, err := st.peer(step.Name)
	if err != nil {
		return err
	}
	if step.Text == "" && len(p.after) > 0 {
		return fmt.Errorf("more fields came: %s", list(p.after))
	} else if step.Text == "" {
		return nil
	}
	return take(&p.after, step.Text)
}

func (st *stage) expectEnd(step *Step) error {
	p, err := st.peer(step.Name)
	if err != nil {
		return err
	}
	delete(st.peers, step.Name)
	return p.readEnd()
}

func (st *stage) close(step *Step) error {
	p, err := st.peer(step.Name)
	if err != nil {
		return err
	}
	delete(st.peers, step.Name)
	p.shut()
	return nil
}

func (st *stage) halfClose(step *Step) error {
	p, err := st.peer(step.Name)
	if err == nil {
		p.out <- nil
	}
	return err
}

func (st *stage) abort(step *Step) error {
	p, err := st.peer(step.Name)
	if err != nil {
		return err
	}
	delete(st.peers, step.Name)
	return p.abort()
}

func (st *stage) accept(step *Step) error {
	o, ok := st.targets[step.Name].(*origin)
	if !ok {
		return fmt.Errorf("%q is no origin", step.Name)
	}
	p, err := o.next(st.patience)
	if err != nil {
		return err
	}
	name := step.Name
	if step.Text != "" {
		name = step.Text
	}
	st.keep(name, p)
	return nil
}

func (st *stage) idle(step *Step) error {
	o, ok := st.targets[step.Name].(*origin)
	if !ok {
		return fmt.Errorf("%q is no origin", step.Name)
	}
	if n := len(o.arrived); n > 0 {
		return fmt.Errorf("%d connections came", n)
	}
	return nil
}

func (st *stage) kill(step *Step) error {
	t, ok := st.targets[step.Text]
	if !ok {
		return fmt.Errorf("unknown origin %q", step.Text)
	}
	t.kill()
	delete(st.peers, step.Text)
	return nil
}

func (st *stage) revive(step *Step) error {
	t, ok := st.targets[step.Text]
	if !ok {
		return fmt.Errorf("unknown origin %q", step.Text)
	}
	return t.revive()
}

func (st *stage) sick(step *Step) error { return st.setSick(step.Name, true) }
func (st *stage) well(step *Step) error { return st.setSick(step.Name, false) }

// wait has the script be more patient from here on.
func (st *stage) wait(step *Step) error {
	n, err := strconv.Atoi(step.Text)
	st.patience = time.Duration(n) * time.Second
	return err
}

func (st *stage) setSick(name string, sick bool) error {
	s, ok := st.targets[name].(*Server)
	if !ok {
		return fmt.Errorf("%q is no server", name)
	}
	s.sick.Store(sick)
	return nil
}

// saw compares how many requests a server has seen since it was last asked.
func (st *stage) saw(step *Step) error {
	s, ok := st.targets[step.Name].(*Server)
	if !ok {
		return fmt.Errorf("%q is no server", step.Name)
	}
	want, err := strconv.ParseInt(step.Text, 10, 64)
	if err != nil {
		return err
	}
	var got int64
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if got += s.seen.Swap(0); got >= want {
			break
		}
	}
	if got != want {
		return fmt.Errorf("saw %d requests", got)
	}
	return nil
}
