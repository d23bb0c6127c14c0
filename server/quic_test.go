package server

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"

	"weir/cert"
)

// fieldsOf asks an encrypted listener for something and returns the fields of the answer.
func fieldsOf(t *testing.T, addr net.Addr) http.Header {
	t.Helper()
	conn, err := tls.Dial("tcp", addr.String(), &tls.Config{ServerName: "localhost", InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, r.Body)
	return r.Header
}

// Clients are told of HTTP/3 from the moment on from which it is spoken, and as long as that.
func TestAltSvcComesAndGoes(t *testing.T) {
	a, err := cert.NewAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	source, err := a.For("localhost")
	if err != nil {
		t.Fatal(err)
	}
	table, err := cert.NewTable([]cert.Entry{{Names: []string{"localhost"}, Source: source}})
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, Config{})
	spec := ListenerSpec{Name: "https", Address: "127.0.0.1:0", TLS: (cert.Policy{Protocols: []string{"http/1.1"}}).ServerConfig(table, nil)}
	for i, h3 := range []bool{false, true, true, false} {
		spec.Versions = Versions{H1: true, H3: h3}
		swap(t, s, snapshot(says("x"), spec))
		if said := fieldsOf(t, s.Addr("https")).Get("Alt-Svc"); (said != "") != h3 {
			t.Errorf("step %d: HTTP/3 %v, and Alt-Svc is %q", i, h3, said)
		}
	}
}
