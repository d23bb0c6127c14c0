package dialect

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// An answering turns what one stream receives into an answer of HTTP/1.
type answering struct {
	c      *Conn
	s      stream
	r      *request
	chunks bool // the content has no length
	begun  bool // the final head has come
}

// answer says all of it once the request before has been answered.
func (c *Conn) answer(s stream, r *request, before, after chan struct{}) {
	defer c.note(func() { c.pending-- })
	defer close(after)
	select {
	case <-before:
	case <-c.done:
		s.cancel()
		return
	}
	a := &answering{c: c, s: s, r: r}
	if err := a.run(); err != nil {
		c.end(err)
	}
}

func (a *answering) run() error {
	p, err := a.s.receive()
	for ; err == nil; p, err = a.s.receive() {
		text, err := a.text(p)
		if err != nil {
			a.s.cancel()
			return err
		}
		if !a.c.say(text) {
			a.s.cancel()
			return nil
		}
	}
	switch {
	case err != io.EOF:
		return reset(err)
	case !a.begun:
		return reset(errors.New("the stream ended without an answer"))
	case a.r.tunnel:
		return io.EOF
	case a.chunks:
		a.c.say([]byte("0\r\n\r\n"))
	}
	return nil
}

// text is what a part is in HTTP/1.
func (a *answering) text(p part) ([]byte, error) {
	switch {
	case p.fields == nil && !a.begun:
		return nil, errors.New("content before the head")
	case p.fields == nil && a.chunks:
		return fmt.Appendf(nil, "%x\r\n%s\r\n", len(p.data), p.data), nil
	case p.fields == nil:
		return p.data, nil
	case a.begun:
		return a.trailer(p.fields)
	}
	return a.head(p.fields)
}

func (a *answering) head(fields []Field) ([]byte, error) {
	value, _ := get(fields, ":status")
	status, err := strconv.Atoi(value)
	if err != nil || len(value) != 3 {
		return nil, fmt.Errorf("status %q", value)
	}
	if a.r.tunnel && status == http.StatusOK {
		status = http.StatusSwitchingProtocols
		fields = append(fields, Field{"Connection", "Upgrade"}, Field{"Upgrade", "websocket"})
	} else if err := check(fields[1:]); err != nil {
		return nil, err
	}
	text := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	text = appendFields(text, fields[1:])
	if status >= 200 || a.r.tunnel && status == http.StatusSwitchingProtocols {
		a.begun = true
		if a.chunks = a.chunked(status, fields); a.chunks {
			text = append(text, "Transfer-Encoding: chunked\r\n"...)
		}
	}
	return append(text, "\r\n"...), nil
}

// chunked reports whether content may follow whose length nobody tells.
func (a *answering) chunked(status int, fields []Field) bool {
	_, sized := get(fields, "content-length")
	return !sized && a.r.method != http.MethodHead && status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// trailer ends the content with its trailer fields. HTTP/1 has no place for those behind a content of known length.
func (a *answering) trailer(fields []Field) ([]byte, error) {
	if err := check(fields); err != nil {
		return nil, err
	}
	if !a.chunks {
		return nil, nil
	}
	a.chunks = false
	return append(appendFields([]byte("0\r\n"), fields), "\r\n"...), nil
}

// check refuses what must not stand in an answer (RFC 9113, section 8.2; RFC 9114, section 4.2).
func check(fields []Field) error {
	for _, f := range fields {
		if hop(f.Name) || strings.HasPrefix(f.Name, ":") || f.Name != strings.ToLower(f.Name) || strings.ContainsAny(f.Value, "\r\n\x00") {
			return fmt.Errorf("an answer with the field %q: %q", f.Name, f.Value)
		}
	}
	return nil
}

func appendFields(text []byte, fields []Field) []byte {
	for _, f := range fields {
		text = fmt.Appendf(text, "%s: %s\r\n", f.Name, f.Value)
	}
	return text
}
