package poll

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/clock"
)

// sealed makes pairs of connections inside TLS from pairs of plain ones.
func sealed(plain pair, near func(Conn, *tls.Config) *Sealed, far func(net.Conn, *tls.Config) *tls.Conn) pair {
	return func(t *testing.T) (Conn, net.Conn) {
		c, f := plain(t)
		s, other := near(c, testTLS()), &sealedFar{far(f, testTLS()), f.(*net.TCPConn)}
		done := make(chan error, 1)
		go func() { done <- other.Handshake() }()
		must(t, s.Handshake())
		must(t, <-done)
		return s, other
	}
}

// A sealedFar is the other end of a connection inside TLS.
type sealedFar struct {
	*tls.Conn
	tcp *net.TCPConn
}

func (f *sealedFar) CloseWrite() error {
	return errors.Join(f.Conn.CloseWrite(), f.tcp.CloseWrite())
}
func (f *sealedFar) SetLinger(n int) error     { return f.tcp.SetLinger(n) }
func (f *sealedFar) SetReadBuffer(n int) error { return f.tcp.SetReadBuffer(n) }

// testTLS is for both sides.
var testTLS = sync.OnceValue(func() *tls.Config {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"weir.test"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	parsed, _ := x509.ParseCertificate(der)
	roots.AddCert(parsed)
	return &tls.Config{
		Certificates:                []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		RootCAs:                     roots,
		ServerName:                  "weir.test",
		SessionTicketsDisabled:      true, // they would wake a client that sleeps
		DynamicRecordSizingDisabled: true,
	}
})

// A record that comes byte by byte wakes an idle connection and lets it sleep again until it is whole.
func TestSealedSleepsInARecord(t *testing.T) {
	c, far := kinds["poller"](t)(t)
	defer c.Close()
	tcp := far.(*net.TCPConn)
	slow := &trickling{Conn: tcp}
	other := tls.Client(slow, testTLS())
	s := SealServer(c, testTLS())
	done := make(chan error, 1)
	go func() { done <- other.Handshake() }()
	must(t, s.Handshake())
	must(t, <-done)
	slow.on = true
	var served echoed
	served.c, served.got = s, make(chan string, 1)
	if _, err := s.TryRead(make([]byte, 1)); err != ErrAgain {
		t.Fatalf("nothing sent: %v", err)
	}
	if !s.Idle(&served) {
		t.Fatal("does not sleep")
	}
	other.Write([]byte("hello"))
	if got := <-served.got; got != "hello" {
		t.Fatalf("got %q", got)
	}
	if served.woken < 2 {
		t.Errorf("woken %d times by a record in many pieces", served.woken)
	}
}

// A connection of whose next record only a part has come is not silent, wherever the part ends.
func TestSealedIsNotSilentInARecord(t *testing.T) {
	c, far := kinds["poller"](t)(t)
	defer c.Close()
	cut := &cutting{Conn: far}
	other := tls.Client(cut, testTLS())
	s := SealServer(c, testTLS())
	done := make(chan error, 1)
	go func() { done <- other.Handshake() }()
	must(t, s.Handshake())
	must(t, <-done)
	buf := make([]byte, 64)
	quiet := func() {
		for {
			switch _, err := s.TryRead(buf); {
			case err == ErrAgain && c.Silent():
				return
			case err != nil && err != ErrAgain:
				t.Fatal(err)
			}
		}
	}
	for _, n := range []int{1, 4, 5, 6, 20} {
		quiet()
		if !s.Silent() {
			t.Fatal("nothing has come, and it is not silent")
		}
		cut.after = n
		other.Write([]byte("hello"))
		must(t, c.WaitReadable())
		quiet()
		if s.Silent() {
			t.Errorf("silent with %d bytes of a record", n)
		}
		cut.rest()
		got, err := s.Read(buf)
		if err != nil || string(buf[:got]) != "hello" {
			t.Fatalf("read %q, %v", buf[:got], err)
		}
	}
}

// A cutting connection keeps back what is written behind the first bytes, until rest.
type cutting struct {
	net.Conn
	after int // 0: all is written
	kept  []byte
}

func (c *cutting) Write(p []byte) (int, error) {
	if c.after == 0 {
		return c.Conn.Write(p)
	}
	c.kept = append([]byte(nil), p[c.after:]...)
	if _, err := c.Conn.Write(p[:c.after]); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (c *cutting) rest() {
	c.Conn.Write(c.kept)
	c.after, c.kept = 0, nil
}

type trickling struct {
	net.Conn
	on bool
}

func (c *trickling) Write(p []byte) (int, error) {
	if !c.on {
		return c.Conn.Write(p)
	}
	for i := range p {
		if _, err := c.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
		time.Sleep(2 * time.Millisecond)
	}
	return len(p), nil
}

type echoed struct {
	c     Conn
	got   chan string
	woken int
}

func (e *echoed) Run(*Worker) {
	var buf [64]byte
	e.woken++
	for {
		n, err := e.c.TryRead(buf[:])
		switch {
		case err == nil:
			e.got <- string(buf[:n])
			return
		case err != ErrAgain:
			e.got <- err.Error()
			return
		case e.c.Idle(e):
			return
		}
	}
}

// An end below TLS alone is not the end of what the peer had to say.
func TestSealedCutOff(t *testing.T) {
	c, far := kinds["TLS server"](t)(t)
	defer c.Close()
	far.Write([]byte("half"))
	far.(*sealedFar).tcp.CloseWrite()
	got, err := io.ReadAll(readerOf{c})
	if string(got) != "half" || err != io.ErrUnexpectedEOF {
		t.Fatalf("read %q, %v; want io.ErrUnexpectedEOF", got, err)
	}
}

// After a fatal alert the connection ends, without another word that it ended well.
func TestSealedEndsWithTheAlert(t *testing.T) {
	for what, record := range map[string]string{
		"a forged record":   "\x17\x03\x03\x00\x20" + strings.Repeat("x", 32),
		"an oversized one":  "\x17\x03\x03\xff\xff",
		"of a strange type": "\x63\x03\x03\x00\x13" + strings.Repeat("x", 19),
	} {
		c, far := kinds["TLS server"](t)(t)
		tcp := far.(*sealedFar).tcp
		tcp.Write([]byte(record))
		if _, err := c.Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Fatalf("%s: read: %v", what, err)
		}
		c.CloseWrite()
		c.Close()
		said, err := io.ReadAll(tcp)
		if want := "\x17\x03\x03\x00\x13"; err != nil || len(said) != len(want)+0x13 || !strings.HasPrefix(string(said), want) {
			t.Errorf("%s: got %x, %v; want one alert", what, said, err)
		}
	}
}

// Pieces of all sizes arrive whole, whichever way they are written.
func TestSealedWriteBuffers(t *testing.T) {
	c, far := kinds["TLS server"](t)(t)
	defer c.Close()
	for _, size := range []int{0, 1, recordSize - 4, recordSize, recordSize + 1, 3 * recordSize, 9*recordSize + 7} {
		head, body, tail := []byte("head"), randomBytes(uint64(size), size), []byte("t")
		go c.WriteBuffers(head, body, tail)
		want := append(append(head, body...), tail...)
		got := make([]byte, len(want))
		if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes: %v, equal %v", size, err, bytes.Equal(got, want))
		}
	}
}

// A peer that takes nothing does not hold up who says goodbye.
func TestSealedCloseDoesNotWait(t *testing.T) {
	c, _ := kinds["TLS server"](t)(t)
	c.SetWriteDeadline(clock.Now() + int64(50*time.Millisecond))
	if _, err := c.Write(make([]byte, 64<<20)); err != ErrTimeout {
		t.Fatalf("write nobody takes: %v", err)
	}
	began := time.Now()
	c.Close()
	if took := time.Since(began); took > time.Second {
		t.Errorf("closing took %v", took)
	}
}

// What is no TLS at all is told from what is broken.
func TestSealedPlainText(t *testing.T) {
	c, far := kinds["poller"](t)(t)
	defer c.Close()
	far.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	var not tls.RecordHeaderError
	if err := SealServer(c, testTLS()).Handshake(); !errors.As(err, &not) || string(not.RecordHeader[:]) != "GET /" {
		t.Fatalf("handshake: %v", err)
	}
}
