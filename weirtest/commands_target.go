package weirtest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

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
