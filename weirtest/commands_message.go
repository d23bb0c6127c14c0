package weirtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

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
