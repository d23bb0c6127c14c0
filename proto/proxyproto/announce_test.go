package proxyproto

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
)

func exchange(remote, local string) *weir.Exchange {
	x := &weir.Exchange{Conn: &weir.Conn{Remote: ap(remote), Local: ap(local)}}
	x.Client = x.Conn.Remote.Addr()
	return x
}

func TestAnnouncement(t *testing.T) {
	x := exchange("192.0.2.1:1", "192.0.2.2:2")
	parses(t, announcement(1, x), inet(1, "192.0.2.1:1", "192.0.2.2:2"))
	parses(t, announcement(2, x), inet(2, "192.0.2.1:1", "192.0.2.2:2"))

	x.ID = "id"
	x.Client = netip.MustParseAddr("2001:db8::1") // as a trusted proxy has told
	x.Conn.TLS = &tls.ConnectionState{
		Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256, NegotiatedProtocol: "h2", ServerName: "shop.example.com",
		PeerCertificates: []*x509.Certificate{{Subject: pkix.Name{CommonName: "somebody"}}},
	}
	want := inet(2, "[2001:db8::1]:0", "192.0.2.2:2")
	want.TLVs = TLVs{
		ALPN: "h2", Authority: "shop.example.com", UniqueID: "id",
		SSL: &SSL{TLS: true, Certificate: true, Session: true, Verify: 1, Version: "TLSv1.3", Cipher: "TLS_AES_128_GCM_SHA256", CommonName: "somebody"},
	}
	parses(t, announcement(2, x), want)
	x.Conn.TLS.VerifiedChains = [][]*x509.Certificate{{}}
	want.SSL.Verify = 0
	parses(t, announcement(2, x), want)

	x.Client = netip.Addr{} // came over a unix socket
	parses(t, announcement(1, x), Header{Version: 1})
	parses(t, announcement(2, x), Header{Version: 2, Local: true})
}

// An announced connection begins with the header, and what follows is the caller's.
func TestAnnouncing(t *testing.T) {
	d := newDoor(t, "poller", Config{})
	g, err := poll.NewGroup(1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for version := 1; version <= 2; version++ {
		dial := Announcing(version, func(_ *weir.Exchange, address string, deadline int64) (poll.Conn, error) {
			return g.Dial(address, -1, deadline, nil)
		})
		c, err := dial(exchange("192.0.2.1:1", "192.0.2.2:2"), d.addr, clock.Now()+int64(patience))
		if err != nil {
			t.Fatal(err)
		}
		c.Write([]byte("hello"))
		c.CloseWrite()
		a := d.next(t)
		if want := inet(version, "192.0.2.1:1", "192.0.2.2:2"); a.err != nil || !reflect.DeepEqual(*a.h, want) {
			t.Errorf("%+v, %v", a.h, a.err)
		}
		reads(t, a.c, "hello")
		c.Close()
	}
}

// A connection that cannot be made, or takes nothing, is none.
func TestAnnouncingFails(t *testing.T) {
	none := errors.New("none")
	x := exchange("192.0.2.1:1", "192.0.2.2:2")
	_, err := Announcing(1, func(*weir.Exchange, string, int64) (poll.Conn, error) { return nil, none })(x, "", 0)
	if err != none {
		t.Errorf("%v", err)
	}
	d := newDoor(t, "net.Conn", Config{Timeout: time.Minute})
	far := poll.FromNetConn(d.dial(t))
	far.Cancel()
	_, err = Announcing(2, func(*weir.Exchange, string, int64) (poll.Conn, error) { return far, nil })(x, "", 0)
	if err != poll.ErrCanceled {
		t.Errorf("%v", err)
	}
	if a := d.next(t); a.err != io.EOF {
		t.Errorf("the other side: %v", a.err)
	}
}
