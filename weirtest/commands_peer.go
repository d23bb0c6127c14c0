package weirtest

import (
	"fmt"
	"net"
	"strings"
)

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
