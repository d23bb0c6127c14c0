package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// errFull is what a connection counts as whose session could have been resumed and was not.
var errFull = errors.New("a full handshake: the session was not resumed")

// resumed returns those who ask over TLS 1.3, each request on a connection of its own, whose session is that of
// the one before.
func (s *settings) resumed(ctx context.Context) []asker {
	askers := make([]asker, s.connections)
	for i := range askers {
		askers[i] = s.askResumed(ctx)
	}
	return askers
}

func (s *settings) askResumed(ctx context.Context) asker {
	dialer := &tls.Dialer{Config: &tls.Config{
		InsecureSkipVerify: true,
		ServerName:         s.url.Hostname(),
		NextProtos:         []string{"http/1.1"},
		MinVersion:         tls.VersionTLS13,
		CurvePreferences:   []tls.CurveID{tls.X25519}, // what wrk's OpenSSL does, and every peer can
		ClientSessionCache: tls.NewLRUClientSessionCache(1),
	}}
	in := bufio.NewReaderSize(nil, 4096)
	head := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", s.url.RequestURI(), s.url.Host)
	ticket := false // whether there is a session to resume
	return func() (int64, error) {
		c, err := dialer.DialContext(ctx, "tcp", s.url.Host)
		if err != nil {
			return 0, err
		}
		defer c.Close()
		n, err := s.get(ctx, c, in, head)
		switch {
		case err != nil:
			return 0, err
		case ticket && !c.(*tls.Conn).ConnectionState().DidResume:
			return 0, errFull
		}
		ticket = true
		return n, nil
	}
}

// get makes the one request of a connection. The tickets of the server come before its answer.
func (s *settings) get(ctx context.Context, c net.Conn, in *bufio.Reader, head string) (int64, error) {
	if end, ok := ctx.Deadline(); ok {
		c.SetDeadline(end)
	}
	if _, err := io.WriteString(c, head); err != nil {
		return 0, err
	}
	in.Reset(c)
	r, err := http.ReadResponse(in, nil)
	if err != nil {
		return 0, err
	}
	return s.taken(r)
}
