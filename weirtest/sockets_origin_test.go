package weirtest

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// echoH2 is a server of HTTP/2 without TLS that takes every extended CONNECT (RFC 8441) and sends back what comes on it.
// It returns its address.
func echoH2(t *testing.T) string {
	l := listenTCP(t)
	var all sync.WaitGroup
	var mu sync.Mutex // protects open
	open := map[net.Conn]bool{}
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			all.Go(func() {
				defer c.Close()
				if err := serveEchoH2(c); err != io.EOF && t.Context().Err() == nil {
					t.Log("the server of HTTP/2: ", err)
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return l.Addr().String()
}

func serveEchoH2(c net.Conn) error {
	if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
		return err
	}
	fr := http2.NewFramer(c, c)
	fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var block bytes.Buffer
	hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	err := fr.WriteSettings(http2.Setting{ID: http2.SettingEnableConnectProtocol, Val: 1}, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 100})
	for err == nil {
		var f http2.Frame
		if f, err = fr.ReadFrame(); err != nil {
			break
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = fr.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				err = fr.WritePing(true, f.Data)
			}
		case *http2.MetaHeadersFrame:
			err = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: f.StreamID, BlockFragment: block.Bytes(), EndHeaders: true})
		case *http2.DataFrame:
			err = echoData(fr, f)
		}
	}
	return err
}

func echoData(fr *http2.Framer, f *http2.DataFrame) error {
	if f.Length > 0 {
		if err := fr.WriteWindowUpdate(0, f.Length); err != nil {
			return err
		}
		if !f.StreamEnded() {
			if err := fr.WriteWindowUpdate(f.StreamID, f.Length); err != nil {
				return err
			}
		}
	}
	return fr.WriteData(f.StreamID, f.StreamEnded(), f.Data())
}

// echoH3 is the same for HTTP/3 (RFC 9220).
func echoH3(t *testing.T) string {
	p, err := atHome()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(p.cert, p.key)
	if err != nil {
		t.Fatal(err)
	}
	pc, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	s := &http3.Server{TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{pair}}), Handler: http.HandlerFunc(echoStream)}
	var served sync.WaitGroup
	served.Go(func() { s.Serve(pc) })
	t.Cleanup(func() { s.Close(); pc.Close(); served.Wait() })
	return pc.LocalAddr().String()
}

func echoStream(rw http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect || r.Proto != "websocket" {
		http.Error(rw, "no extended CONNECT: "+r.Method+" "+r.Proto, http.StatusBadRequest)
		return
	}
	rw.WriteHeader(http.StatusOK)
	rw.(http.Flusher).Flush()
	str, err := rw.(http3.HTTPStreamer).HTTPStream()
	if err != nil {
		return
	}
	io.Copy(str, str)
	str.Close()
}
