package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// sockets are the upgraded connections that stay open.
type sockets struct {
	report *report
	conns  []*socket
}

type socket struct {
	net.Conn
	in *bufio.Reader
}

// openSockets opens all of them.
func (st *stage) openSockets(ctx context.Context) (*sockets, error) {
	s := &sockets{report: st.report}
	for range st.websockets {
		c, err := st.dial(ctx)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(c, "GET /upgrade HTTP/1.1\r\nHost: soak\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		in := bufio.NewReaderSize(c, 512)
		r, err := http.ReadResponse(in, nil)
		if err != nil || r.StatusCode != http.StatusSwitchingProtocols {
			c.Close()
			return nil, fmt.Errorf("WebSocket %d: %v %v", len(s.conns), r, err)
		}
		s.conns = append(s.conns, &socket{c, in})
	}
	return s, nil
}

// talk speaks over one after the other.
func (s *sockets) talk(ctx context.Context) {
	for i := 0; len(s.conns) > 0 && pause(ctx, 2*time.Millisecond); i++ {
		if err := s.conns[i%len(s.conns)].say(i); err != nil {
			s.report.wrong("WebSocket %d: %v", i%len(s.conns), err)
			return
		}
		s.report.add("words over WebSockets")
	}
}

func (c *socket) say(i int) error {
	word := fmt.Sprintf("word %d\n", i)
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c, word); err != nil {
		return err
	}
	got, err := c.in.ReadString('\n')
	if err == nil && got != word {
		err = fmt.Errorf("said %q, came back %q", word, got)
	}
	return err
}

// check makes sure that all are still open.
func (s *sockets) check() {
	for i, c := range s.conns {
		if err := c.say(i); err != nil {
			s.report.wrong("WebSocket %d did not survive: %v", i, err)
			return
		}
	}
}

func (s *sockets) close() {
	for _, c := range s.conns {
		c.Close()
	}
}
