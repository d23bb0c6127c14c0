package h2

import (
	"crypto/tls"
	"net"
	"sync"
	"testing"
	"time"

	"weir"
	"weir/cert"
)

// With TLS 1.3 a server judges weir's certificate after the handshake: what it says then is told as what it is, whether
// weir comes to read it or only finds that the connection has ended.
func TestTransportAlert(t *testing.T) {
	w := newUpWorld(t, "tls")
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{certificate()}, NextProtos: []string{"h2"}, ClientAuth: tls.RequireAnyClientCert,
		MinVersion: tls.VersionTLS13,
	})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { refuse(t, c) })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	for range 20 {
		tr := w.transport(l.Addr().String(), TransportConfig{CauseOf: cert.UpstreamCause})
		w.ask(tr, "GET", "/").do().failed(weir.CauseUpstreamTLSCertificateAsked, weir.RetryAlways)
		tr.Close()
	}
}

// refuse shakes hands with a client that has no certificate, and hangs up.
func refuse(t *testing.T, c net.Conn) {
	c.SetDeadline(time.Now().Add(soon))
	if err := c.(*tls.Conn).Handshake(); err == nil {
		t.Error("it shows a certificate")
	}
	c.Close()
}
