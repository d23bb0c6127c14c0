package dialect

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// The servers are net/http's and quic-go's, which nothing of weir had a hand in.
func onBoth(t *testing.T, test func(t *testing.T, dial func(http.HandlerFunc) net.Conn)) {
	t.Run("h2", func(t *testing.T) { test(t, func(h http.HandlerFunc) net.Conn { return dialH2(t, h) }) })
	t.Run("h3", func(t *testing.T) { test(t, func(h http.HandlerFunc) net.Conn { return dialH3(t, h) }) })
}

func dialH2(t *testing.T, h http.HandlerFunc) net.Conn {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	c, err := tls.Dial("tcp", s.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	d, err := H2(c)
	return opened(t, d, err)
}

func dialH3(t *testing.T, h http.HandlerFunc) net.Conn {
	t.Helper()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http3.Server{Handler: h, TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{someCertificate(t)}})}
	go s.Serve(udp)
	t.Cleanup(func() {
		s.Close()
		udp.Close()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	d, err := H3(ctx, udp.LocalAddr().String(), nil, &tls.Config{InsecureSkipVerify: true})
	return opened(t, d, err)
}

func opened(t *testing.T, d *Conn, err error) net.Conn {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	d.SetReadDeadline(time.Now().Add(10 * time.Second))
	return d
}

func someCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}
}

func tell(t *testing.T, c io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(c, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
}

// want reads exactly that; \n stands for CRLF.
func want(t *testing.T, c io.Reader, text string) {
	t.Helper()
	text = strings.ReplaceAll(text, "\n", "\r\n")
	got := make([]byte, len(text))
	n, err := io.ReadFull(c, got)
	if string(got[:n]) != text {
		t.Fatalf("came %q (%v), want %q", got[:n], err, text)
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header()["Date"] = nil
	text := fmt.Sprintf("%s %s %s %d %q %q %v %v", r.Method, r.RequestURI, r.Host, max(r.ContentLength, int64(-len(body))), body, r.Header.Get("X-A"), r.Header["X-Private"], r.Trailer)
	w.Header().Set("Content-Length", fmt.Sprint(len(text)))
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, text)
}

func TestRequests(t *testing.T) {
	onBoth(t, func(t *testing.T, dial func(http.HandlerFunc) net.Conn) {
		c := dial(echo)
		for _, tt := range []struct{ ask, want string }{
			{"GET /x?y HTTP/1.1\nHost: h.test\nX-A: 1\nConnection: keep-alive, X-Private\nX-Private: 1\n\n", `GET /x?y h.test 0 "" "1" [] map[]`},
			{"PUT / HTTP/1.1\nHost: h\nContent-Length: 5\n\nhello", `PUT / h 5 "hello" "" [] map[]`},
			{"PUT / HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\n5\nhello\n1\n!\n0\n\n", `PUT / h -1 "hello!" "" [] map[]`},
			{"PUT / HTTP/1.1\nHost: h\nTrailer: X-Sum\nTransfer-Encoding: chunked\n\n2\nhi\n0\nX-Sum: 7\n\n", `PUT / h -1 "hi" "" [] map[X-Sum:[7]]`},
		} {
			tell(t, c, tt.ask)
			head := readHead(t, c)
			got := make([]byte, len(tt.want))
			io.ReadFull(c, got)
			if !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") || !strings.Contains(head, fmt.Sprintf("\r\ncontent-length: %d\r\n", len(tt.want))) || string(got) != tt.want {
				t.Errorf("%q: %q %q, want %q", tt.ask, head, got, tt.want)
			}
		}
	})
}

func readHead(t *testing.T, c io.Reader) string {
	t.Helper()
	var head strings.Builder
	b := make([]byte, 1)
	for !strings.HasSuffix(head.String(), "\r\n\r\n") {
		if _, err := c.Read(b); err != nil {
			t.Fatalf("after %q: %v", head.String(), err)
		}
		head.Write(b)
	}
	return head.String()
}

// Interim answers come at once, content in pieces as it is sent, and trailer fields behind it.
func TestAnswerInPieces(t *testing.T) {
	onBoth(t, func(t *testing.T, dial func(http.HandlerFunc) net.Conn) {
		more := make(chan bool)
		c := dial(func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Date"], w.Header()["Content-Type"] = nil, nil
			w.Header().Set("Link", "</a.css>")
			w.WriteHeader(103)
			<-more
			w.Header().Del("Link")
			w.Header().Set("Trailer", "X-Sum")
			io.WriteString(w, "one")
			w.(http.Flusher).Flush()
			<-more
			io.WriteString(w, "two")
			w.Header().Set("X-Sum", "7")
		})
		tell(t, c, "GET / HTTP/1.1\nHost: h\n\n")
		want(t, c, "HTTP/1.1 103 Early Hints\nlink: </a.css>\n\n")
		more <- true
		want(t, c, "HTTP/1.1 200 OK\ntrailer: X-Sum\nTransfer-Encoding: chunked\n\n3\none\n")
		more <- true
		want(t, c, "3\ntwo\n0\nx-sum: 7\n\n")
	})
}

// Requests that are written one behind the other are under way together, and answered in their order.
func TestSeveralAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, dial func(http.HandlerFunc) net.Conn) {
		second := make(chan bool)
		c := dial(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/1" {
				<-second
			} else {
				close(second)
			}
			w.Header().Set("Content-Length", "2")
			io.WriteString(w, r.URL.Path)
		})
		tell(t, c, "GET /1 HTTP/1.1\nHost: h\n\nGET /2 HTTP/1.1\nHost: h\n\n")
		for _, path := range []string{"/1", "/2"} {
			readHead(t, c)
			want(t, c, path)
		}
	})
}

func TestLongContentBothWays(t *testing.T) {
	onBoth(t, func(t *testing.T, dial func(http.HandlerFunc) net.Conn) {
		const size = 3 << 20
		c := dial(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(size))
			w.WriteHeader(200)
			io.Copy(w, r.Body)
		})
		go fmt.Fprintf(c, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size))
		readHead(t, c)
		if n, err := io.CopyN(io.Discard, c, size); err != nil {
			t.Errorf("after %d of %d bytes: %v", n, size, err)
		}
	})
}

// An answer that is cut off, a request that is, and a client that goes away each show on the other side.
func TestCuts(t *testing.T) {
	onBoth(t, func(t *testing.T, dial func(http.HandlerFunc) net.Conn) {
		begun, gone := make(chan bool, 1), make(chan error, 1)
		handle := func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/cut":
				io.WriteString(w, "begin")
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			case "/upload":
				begun <- true
				_, err := io.Copy(io.Discard, r.Body)
				gone <- err
			case "/wait":
				begun <- true
				<-r.Context().Done()
				gone <- r.Context().Err()
			}
		}
		c := dial(handle)
		tell(t, c, "GET /cut HTTP/1.1\nHost: h\n\n")
		if rest, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after %q: %v", rest, err)
		}
		c = dial(handle)
		tell(t, c, "PUT /upload HTTP/1.1\nHost: h\nContent-Length: 9\n\nhalf")
		<-begun
		c.(interface{ CloseWrite() error }).CloseWrite()
		if err := <-gone; err == nil {
			t.Error("half an upload was taken for a whole one")
		}
		c = dial(handle)
		tell(t, c, "GET /wait HTTP/1.1\nHost: h\n\n")
		<-begun
		c.(*Conn).Abort()
		<-gone
	})
}

func TestSettle(t *testing.T) {
	onBoth(t, func(t *testing.T, dial func(http.HandlerFunc) net.Conn) {
		c := dial(echo)
		tell(t, c, "GET / HTTP/1.1\nHost: h\n\n")
		head := readHead(t, c)
		c.(*Conn).CloseWrite()
		c.(*Conn).Settle()
		rest, err := io.ReadAll(c)
		if err != nil || !strings.Contains(head, fmt.Sprintf("content-length: %d\r\n", len(rest))) {
			t.Errorf("%q %q %v", head, rest, err)
		}
	})
}

func TestUnspeakable(t *testing.T) {
	onBoth(t, func(t *testing.T, dial func(http.HandlerFunc) net.Conn) {
		for _, text := range []string{
			"GET / HTTP/1.0\n\n", "GET /\n", "GET / HTTP/1.1\nbroken\n\n", "GET / HTTP/1.1\nA : 1\n\n",
			"PUT / HTTP/1.1\nHost: h\nTransfer-Encoding: gzip\n\n", "PUT / HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\nz\n",
		} {
			c := dial(echo)
			go io.WriteString(c, strings.ReplaceAll(text, "\n", "\r\n"))
			if _, err := bufio.NewReader(c).ReadString('\n'); err == nil || !strings.Contains(err.Error(), "cannot say") {
				t.Errorf("%q: %v", text, err)
			}
		}
	})
}

// The other side goes away as soon as it has been asked. It answers that all the same.
func TestLeaveWhileAsking(t *testing.T) {
	f := &fleeing{}
	c := newConn(f)
	f.goAway = c.leave
	tell(t, c, "GET / HTTP/1.1\nHost: h\n\n")
	if head := readHead(t, c); !strings.HasPrefix(head, "HTTP/1.1 204") {
		t.Errorf("%q", head)
	}
}

// fleeing is a transport, and its only stream.
type fleeing struct {
	goAway func()
	said   bool
}

func (f *fleeing) open() (stream, error)    { return f, nil }
func (f *fleeing) close()                   {}
func (f *fleeing) abort()                   {}
func (f *fleeing) addr() net.Addr           { return nil }
func (f *fleeing) data([]byte, bool) error  { return nil }
func (f *fleeing) trailer(_ []Field) error  { return nil }
func (f *fleeing) cancel()                  {}
func (f *fleeing) head([]Field, bool) error { f.goAway(); return nil }

func (f *fleeing) receive() (part, error) {
	if f.said {
		return part{}, io.EOF
	}
	f.said = true
	return part{fields: []Field{{":status", "204"}}}, nil
}
