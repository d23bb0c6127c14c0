package main

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// ten answers with ten bytes.
var ten = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("0123456789")) })

// secure runs a server over TCP that speaks TLS 1.3.
func secure(t *testing.T, tickets bool) *httptest.Server {
	s := httptest.NewUnstartedServer(ten)
	s.TLS = &tls.Config{SessionTicketsDisabled: !tickets}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// overUDP runs a server of HTTP/3 with the certificate of the other one, and returns its address.
func overUDP(t *testing.T, of *httptest.Server) string {
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http3.Server{Handler: ten, TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: of.TLS.Certificates})}
	ended := make(chan struct{})
	go func() {
		s.Serve(socket)
		close(ended)
	}()
	t.Cleanup(func() {
		s.Close()
		socket.Close()
		<-ended
	})
	return "https://" + socket.LocalAddr().String()
}

// loaded is what came of a load that was long enough to tell: a busy machine does little in a short one.
func loaded(t *testing.T, s settings, address string, tells func(*tally) bool) (sum *tally) {
	t.Helper()
	var err error
	if s.url, err = url.Parse(address + "/ten"); err != nil {
		t.Fatal(err)
	}
	for s.time = 100 * time.Millisecond; s.time < patience; s.time *= 4 {
		if sum, err = s.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if sum.bytes != int64(10*sum.requests()) {
			t.Errorf("%d bytes of %d answers", sum.bytes, sum.requests())
		}
		if tells(sum) {
			break
		}
	}
	return sum
}

func TestResumed(t *testing.T) {
	sum := loaded(t, settings{over: "resumed", connections: 2, size: 10}, secure(t, true).URL, func(sum *tally) bool {
		return sum.requests() >= 3 || sum.errors > 0
	})
	if sum.requests() < 3 || sum.errors != 0 {
		t.Errorf("%s: %v", sum, sum.first)
	}
}

// A server that resumes nothing must not be measured as if it did.
func TestResumedFindsFullHandshakes(t *testing.T) {
	sum := loaded(t, settings{over: "resumed", connections: 2, size: 10}, secure(t, false).URL, func(sum *tally) bool {
		return sum.requests() >= 2 && sum.errors >= 2
	})
	if sum.requests() != 2 || sum.errors < 2 || !errors.Is(sum.first, errFull) {
		t.Errorf("%s: %v; want the first of each connection alone", sum, sum.first)
	}
}

func TestH3(t *testing.T) {
	address := overUDP(t, secure(t, true))
	sum := loaded(t, settings{over: "h3", connections: 2, streams: 4, size: 10}, address, func(sum *tally) bool {
		return sum.requests() >= 8 || sum.errors > 0
	})
	if sum.requests() < 8 || sum.errors != 0 {
		t.Errorf("%s: %v", sum, sum.first)
	}
	sum = loaded(t, settings{over: "h3", connections: 1, streams: 1, size: 11}, address, func(sum *tally) bool { return sum.errors > 0 })
	if sum.requests() != 0 || sum.errors == 0 || !strings.Contains(sum.first.Error(), "want 200 with 11") {
		t.Errorf("answers that are too short: %s: %v", sum, sum.first)
	}
}

func TestTally(t *testing.T) {
	sum := &tally{time: time.Second, bytes: 400, errors: 3}
	for i := range 100 {
		sum.took = append(sum.took, time.Duration(i+1)*time.Microsecond)
	}
	if got, want := sum.String(), "figures 100 1000000 400 3 50.0 99.0"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
