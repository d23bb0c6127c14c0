package alpn

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"weir"
	"weir/internal/poll"
)

// A conn is a connection on which a protocol was chosen.
type conn struct {
	poll.Conn
	protocol string
	closed   *int
}

func (c *conn) State() tls.ConnectionState {
	return tls.ConnectionState{NegotiatedProtocol: c.protocol}
}
func (c *conn) Close() error { *c.closed++; return nil }

// A server chooses protocols, each new connection the next one; the last one again and again.
type server struct {
	chooses []string
	dialled int
	closed  int
	said    []string // what exchanges spoke
}

func (s *server) dial(*weir.Exchange, string, int64) (poll.Conn, error) {
	p := s.chooses[min(s.dialled, len(s.chooses)-1)]
	s.dialled++
	if p == "" {
		return nil, errors.New("refused")
	}
	return &conn{protocol: strings.TrimPrefix(p, "no "), closed: &s.closed}, nil
}

// A speaker is a transport that dials for each exchange.
type speaker struct {
	s    *server
	name string
	dial Dial
}

func (p *speaker) RoundTrip(x *weir.Exchange) error {
	if _, err := p.dial(x, "", 0); err != nil {
		return err
	}
	p.s.said = append(p.s.said, p.name)
	return nil
}
func (p *speaker) Idle() int { return 1 }
func (p *speaker) Close()    {}

func newTransport(s *server, plain error) *Transport {
	c := &Choice{}
	only := func(x *weir.Exchange, _ string, _ int64) (poll.Conn, error) { return nil, plain }
	return New(c, &speaker{s, "h2", c.Only(H2, s.dial)}, &speaker{s, "h1", c.Only(H1, s.dial)}, &speaker{s, "plain", only})
}

func TestServersChoose(t *testing.T) {
	for _, tt := range []struct {
		name    string
		chooses []string
		want    string // what three exchanges spoke
		dialled int
		spoken  string
	}{
		{"h2", []string{"h2"}, "h2 h2 h2", 3, "h2"},
		{"h1", []string{"http/1.1"}, "h1 h1 h1", 4, "h1"},
		{"no ALPN", []string{"no "}, "h1 h1 h1", 4, "h1"},
		{"upgraded", []string{"http/1.1", "http/1.1", "h2"}, "h1 h2 h2", 5, "h2"},
		{"downgraded", []string{"h2", "http/1.1"}, "h2 h1 h1", 4, "h1"},
		{"two minds", []string{"http/1.1", "h2", "http/1.1", "h2"}, "plain h2 h2", 6, "h2"},
	} {
		s := &server{chooses: tt.chooses}
		tr := newTransport(s, nil)
		for range 3 {
			if err := tr.RoundTrip(&weir.Exchange{}); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
		got := strings.Join(s.said, " ")
		spoken, chooses := tr.Spoken()
		if got != tt.want || s.dialled != tt.dialled || spoken != tt.spoken || !chooses {
			t.Errorf("%s: %q with %d connections, %q last", tt.name, got, s.dialled, spoken)
		}
		if want := s.dialled - strings.Count(got, "h"); s.closed != want {
			t.Errorf("%s: %d connections closed, want %d", tt.name, s.closed, want)
		}
		if tr.Idle() != 3 {
			t.Errorf("%s: %d idle", tt.name, tr.Idle())
		}
	}
}

// What goes wrong otherwise is not tried again here.
func TestFailures(t *testing.T) {
	s := &server{chooses: []string{""}}
	if err := newTransport(s, nil).RoundTrip(&weir.Exchange{}); err == nil || s.dialled != 1 {
		t.Errorf("%v after %d", err, s.dialled)
	}
}

// Upgrades go out by HTTP/1.1, unless the server does not speak that.
func TestUpgrades(t *testing.T) {
	refused := &weir.Fault{Cause: weir.CauseUpstreamTLSProtocol}
	for _, tt := range []struct {
		plain error
		want  string
		err   bool
	}{
		{nil, "plain", false},
		{refused, "h2", false},
		{errors.New("gone"), "", true},
	} {
		s := &server{chooses: []string{"h2"}}
		x := &weir.Exchange{}
		x.Request.Upgrade = "websocket"
		err := newTransport(s, tt.plain).RoundTrip(x)
		if got := strings.Join(s.said, " "); got != tt.want || (err != nil) != tt.err {
			t.Errorf("%v: %q, %v", tt.plain, got, err)
		}
	}
}
