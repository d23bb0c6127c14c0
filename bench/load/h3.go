package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"

	"github.com/quic-go/quic-go/http3"
)

// http3 returns those who ask over HTTP/3, so many for each connection, and what ends the connections, each of
// which has a socket of its own.
func (s *settings) http3(ctx context.Context) (askers []asker, done func()) {
	connections := make([]*http3.Transport, s.connections)
	for i := range connections {
		connections[i] = &http3.Transport{
			TLSClientConfig:    &tls.Config{InsecureSkipVerify: true},
			DisableCompression: true,
		}
		for range s.streams {
			askers = append(askers, s.askH3(ctx, connections[i]))
		}
	}
	return askers, func() {
		for _, c := range connections {
			c.Close()
		}
	}
}

func (s *settings) askH3(ctx context.Context, over *http3.Transport) asker {
	request := (&http.Request{Method: http.MethodGet, URL: s.url, Host: s.url.Host, Header: http.Header{}}).WithContext(ctx)
	return func() (int64, error) {
		r, err := over.RoundTrip(request)
		if err != nil {
			return 0, err
		}
		return s.taken(r)
	}
}

// taken reads an answer to its end, and makes sure that it is the right one.
func (s *settings) taken(r *http.Response) (int64, error) {
	defer r.Body.Close()
	n, err := io.Copy(io.Discard, r.Body)
	if err == nil && (r.StatusCode != http.StatusOK || n != s.size) {
		err = fmt.Errorf("status %d with %d bytes, want 200 with %d", r.StatusCode, n, s.size)
	}
	return n, err
}
