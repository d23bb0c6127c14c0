package cert

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"weir"
	ticks "weir/internal/clock"
	"weir/internal/poll"
)

// A handshake that the server breaks off has a cause, whatever it breaks it off with.
func TestDialCauses(t *testing.T) {
	authority := newCA(t)
	leaf := authority.leaf(t, nil, "127.0.0.1")
	asks := func(version uint16) func(net.Conn) {
		config := &tls.Config{
			Certificates: []tls.Certificate{*leaf}, MaxVersion: version,
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authority.pool(),
		}
		return func(c net.Conn) {
			tls.Server(c, config).Handshake()
			c.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, c) // what is not read would make a reset that overtakes the alert
		}
	}
	says := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			hear(c)
			io.WriteString(c, text)
		}
	}
	mine := ClientPolicy{Roots: authority.pool(), Certificate: fixed{newCA(t).leaf(t, nil)}}
	for what, tt := range map[string]struct {
		server func(net.Conn)
		policy ClientPolicy
		want   weir.Cause
	}{
		"hangs up":                     {server: says(""), want: weir.CauseUpstreamClosed},
		"hangs up in a record":         {server: says("\x16\x03\x03\x00\x50\x02"), want: weir.CauseUpstreamClosed},
		"says goodbye":                 {server: says("\x15\x03\x03\x00\x02\x01\x00"), want: weir.CauseUpstreamClosed},
		"resets":                       {server: func(c net.Conn) { c.(*net.TCPConn).SetLinger(0); hear(c) }, want: weir.CauseUpstreamReset},
		"fails":                        {server: says("\x15\x03\x03\x00\x02\x02\x28"), want: weir.CauseUpstreamTLSHandshake},
		"wants a certificate, TLS 1.2": {server: asks(tls.VersionTLS12), want: weir.CauseUpstreamTLSCertificateAsked},
		"wants another one, TLS 1.2":   {server: asks(tls.VersionTLS12), policy: mine, want: weir.CauseUpstreamTLSCertificateDenied},
	} {
		if tt.policy.Roots == nil {
			tt.policy.Roots = authority.pool()
		}
		err := dialScripted(t, tt.server, tt.policy)
		var f *weir.Fault
		if !errors.As(err, &f) || f.Cause != tt.want || f.Retry != weir.RetryAlways {
			t.Errorf("%s: %v, want %v", what, err, tt.want)
		}
	}
}

// hear reads a record.
func hear(c net.Conn) {
	var head [5]byte
	io.ReadFull(c, head[:])
	io.CopyN(io.Discard, c, int64(head[3])<<8|int64(head[4]))
}

// dialScripted dials a server that does something and closes the connection.
func dialScripted(t *testing.T, server func(net.Conn), p ClientPolicy) error {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			defer c.Close()
			server(c)
		}
	}()
	g, err := poll.NewGroup(1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	d := &Dialer{Group: g, Config: p.Config(l.Addr().String())}
	c, err := d.Dial(&weir.Exchange{Conn: &weir.Conn{}}, l.Addr().String(), ticks.Now()+int64(20*time.Second))
	if err == nil {
		c.Close()
	}
	return err
}
