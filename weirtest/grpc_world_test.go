package weirtest

import (
	"context"
	"crypto/tls"
	wire "encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A grpcWorld is weir between a client of gRPC and a server: in mode "tls" over TLS on both sides, else over h2c.
type grpcWorld struct {
	t      *testing.T
	mode   string
	weir   *Process
	origin *grpcOrigin
	client *http.Client
}

// eachGRPC runs f in both modes.
func eachGRPC(t *testing.T, f func(w *grpcWorld)) {
	for _, mode := range []string{"h2c", "tls"} {
		t.Run(mode, func(t *testing.T) { f(newGRPCWorld(t, mode)) })
	}
}

func newGRPCWorld(t *testing.T, mode string) *grpcWorld {
	t.Helper()
	w := &grpcWorld{t: t, mode: mode, origin: newGRPCOrigin(t, mode)}
	w.weir = startHoused(t, w.config(""))
	w.client = grpcClient(t)
	return w
}

// config returns weir's configuration, with more in its upstream.
func (w *grpcWorld) config(more string) string {
	return grpcConfig(w.mode, w.origin.addr, more)
}

func grpcConfig(mode, server, more string) string {
	front, protocol := "", "h2c"
	if mode == "tls" {
		front = "\n  tls {\n    certificate = \"weir.pem\"\n    key = \"weir.key\"\n  }"
		protocol = "h2"
		more += "\n  tls {\n    ca = \"root.pem\"\n    server_name = \"localhost\"\n  }"
	}
	return fmt.Sprintf(`
listener "http" {
  address = "127.0.0.1:0"
  protocols = [%q]%s
}
admin {
  listen = "127.0.0.1:0"
  socket = %q
}
state_dir = "state"
upstream "calls" {
  server %q {}
  protocol = %q
  %s
}
site "localhost" {
  request_id { return = true }
  route "/t.T/*" { proxy = upstream.calls }
  route "/refused/*" {
    deny = ["127.0.0.0/8"]
    respond { body = "never" }
  }
  route "/fixed/*" {
    respond {
      status = 503
      body = "closed"
    }
  }
  errors {
    page "5xx" { body = "sorry" }
  }
}
`, protocol, front, AdminSocket, server, protocol, more)
}

// startHoused starts weir in a directory that has the certificate of the house, weir.pem, its key, and root.pem.
func startHoused(t *testing.T, config string) *Process {
	t.Helper()
	dir := t.TempDir()
	certificate, err := atHome()
	if err != nil {
		t.Fatal(err)
	}
	root, err := house()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"weir.pem": certificate.cert, "weir.key": certificate.key, "root.pem": root.pem(), "weir.hcl": []byte(config)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p, err := Start(binary(t), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// reload has weir take another configuration.
func (w *grpcWorld) reload(config string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.weir.Dir, "weir.hcl"), []byte(config), 0o600); err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command(binary(w.t), "reload", "-c", "weir.hcl")
	cmd.Dir = w.weir.Dir
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("reload: %v\n%s", err, out)
	}
}

// grpcClient returns a client that speaks HTTP/2 alone.
func grpcClient(t *testing.T) *http.Client {
	t.Helper()
	config, err := trusting("h2")
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{TLSClientConfig: config, Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP2(true)
	tr.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// A grpcCall is a call under way.
type grpcCall struct {
	t      *testing.T
	send   *io.PipeWriter
	answer chan grpcAnswer
	cancel context.CancelFunc
	resp   *http.Response
	err    error
}

type grpcAnswer struct {
	resp *http.Response
	err  error
}

// call begins a call of a method. Fields are those of its head: name, value, and so on.
func (w *grpcWorld) call(method string, fields ...string) *grpcCall {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 6*patience)
	w.t.Cleanup(cancel)
	r, send := io.Pipe()
	scheme := map[string]string{"h2c": "http", "tls": "https"}[w.mode]
	req, err := http.NewRequestWithContext(ctx, "POST", scheme+"://"+w.weir.Listeners["http"]+method, r)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Host = "localhost"
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	for i := 0; i < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	c := &grpcCall{t: w.t, send: send, answer: make(chan grpcAnswer, 1), cancel: cancel}
	go func() {
		resp, err := w.client.Do(req)
		if err == nil {
			w.t.Cleanup(func() { resp.Body.Close() })
		}
		c.answer <- grpcAnswer{resp, err}
	}()
	return c
}

// one is a call with one message, which has gone.
func (w *grpcWorld) one(method, message string, fields ...string) *grpcCall {
	w.t.Helper()
	c := w.call(method, fields...)
	go func() {
		writeMessage(c.send, message) // fails where the answer comes first
		c.send.Close()
	}()
	return c
}

// say sends a message.
func (c *grpcCall) say(message string) {
	c.t.Helper()
	if err := writeMessage(c.send, message); err != nil {
		c.t.Fatal(err)
	}
}

// head waits for the answer's head.
func (c *grpcCall) head() *http.Response {
	c.t.Helper()
	if c.resp == nil && c.err == nil {
		a := <-c.answer
		c.resp, c.err = a.resp, a.err
	}
	if c.err != nil {
		c.t.Fatal(c.err)
	}
	return c.resp
}

// hears makes sure of the next message.
func (c *grpcCall) hears(want string) {
	c.t.Helper()
	got, err := readMessage(c.head().Body)
	if err != nil || got != want {
		c.t.Fatalf("%d bytes, %.60q, %v; want %d, %.60q", len(got), got, err, len(want), want)
	}
}

// ends makes sure that nothing more comes, and of the status.
func (c *grpcCall) ends(code int) http.Header {
	c.t.Helper()
	resp := c.head()
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
		c.t.Fatalf("%d bytes come, and %v", len(rest), err)
	}
	fields := resp.Trailer
	if resp.Header.Get("Grpc-Status") != "" {
		fields = resp.Header
	}
	if got := fields.Get("Grpc-Status"); got != strconv.Itoa(code) || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/grpc" {
		c.t.Fatalf("status %q, want %d; %d %v %v", got, code, resp.StatusCode, resp.Header, resp.Trailer)
	}
	return fields
}

// writeMessage writes a message with its prefix.
func writeMessage(w io.Writer, message string) error {
	_, err := w.Write(append(wire.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...))
	return err
}

// readMessage reads one; io.EOF: there is none.
func readMessage(r io.Reader) (string, error) {
	var prefix [5]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return "", err
	}
	message := make([]byte, wire.BigEndian.Uint32(prefix[1:]))
	_, err := io.ReadFull(r, message)
	return string(message), err
}

// A grpcOrigin is a server of gRPC.
type grpcOrigin struct {
	addr string
	http *http.Server

	health  atomic.Int64  // what the health service says: 1 serving, 2 not
	sent    atomic.Int64  // bytes that Flood has sent
	hanging chan struct{} // a call of Hang has begun
	left    chan error    // and has ended
	read    chan struct{} // closed: Drain reads
}

func newGRPCOrigin(t *testing.T, mode string) *grpcOrigin {
	t.Helper()
	o := &grpcOrigin{hanging: make(chan struct{}, 10), left: make(chan error, 10), read: make(chan struct{})}
	o.health.Store(1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.addr = l.Addr().String()
	o.http = &http.Server{Handler: o, Protocols: new(http.Protocols), MaxHeaderBytes: 256 << 10, ErrorLog: log.New(io.Discard, "", 0)}
	o.http.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerConnection: 16 << 20, MaxReceiveBufferPerStream: 1 << 20}
	o.http.Protocols.SetUnencryptedHTTP2(mode == "h2c")
	o.http.Protocols.SetHTTP2(mode == "tls")
	serve := func() error { return o.http.Serve(l) }
	if mode == "tls" {
		p, err := atHome()
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.X509KeyPair(p.cert, p.key)
		if err != nil {
			t.Fatal(err)
		}
		o.http.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}}
		serve = func() error { return o.http.ServeTLS(l, "", "") }
	}
	var served sync.WaitGroup
	served.Go(func() { serve() })
	t.Cleanup(func() { o.http.Close(); served.Wait() })
	return o
}

var errUnknownMethod = errors.New("5 no such method")

// ServeHTTP implements http.Handler.
func (o *grpcOrigin) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Content-Type", "application/grpc")
	err := o.method(rw, r)
	prefix := http.TrailerPrefix
	if err == errUnknownMethod {
		prefix = "" // nothing has been written: Trailers-Only
	}
	rw.Header().Set(prefix+"Grpc-Status", "0")
	if err != nil {
		var code int
		var text string
		fmt.Sscanf(err.Error(), "%d", &code)
		if text = err.Error(); code == 0 {
			code = 13
		}
		rw.Header().Set(prefix+"Grpc-Status", strconv.Itoa(code))
		rw.Header().Set(prefix+"Grpc-Message", text)
	}
}

func (o *grpcOrigin) method(rw http.ResponseWriter, r *http.Request) error {
	rc := http.NewResponseController(rw)
	switch r.URL.Path {
	case "/t.T/Unary", "/t.T/Bidi":
		rc.Flush()
		return echoMessages(rw, rc, r.Body)
	case "/t.T/Server":
		n, err := readMessage(r.Body)
		if err != nil {
			return err
		}
		count, _ := strconv.Atoi(n)
		for i := range count {
			writeMessage(rw, strconv.Itoa(i))
		}
		return nil
	case "/t.T/Client":
		count, size := 0, 0
		for {
			m, err := readMessage(r.Body)
			if err == io.EOF {
				return writeMessage(rw, fmt.Sprint(count, " ", size))
			}
			if err != nil {
				return err
			}
			count, size = count+1, size+len(m)
		}
	case "/t.T/Metadata":
		rw.Header().Set("X-Back-Bin", r.Header.Get("X-There-Bin"))
		rw.Header().Set(http.TrailerPrefix+"X-Last-Bin", r.Header.Get("X-There-Bin")[:6<<10])
		return echoMessages(rw, rc, r.Body)
	case "/t.T/Hang":
		if r.Header.Get("X-Begin") != "" {
			writeMessage(rw, "begun")
			rc.Flush()
		}
		o.hanging <- struct{}{}
		<-r.Context().Done()
		o.left <- r.Context().Err()
		return r.Context().Err()
	case "/t.T/Flood":
		piece := string(Pattern(64<<10 - 5))
		for range floodPieces {
			if err := writeMessage(rw, piece); err != nil {
				return err
			}
			o.sent.Add(64 << 10)
		}
		return nil
	case "/t.T/Drain":
		rc.Flush()
		<-o.read
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			return err
		}
		return writeMessage(rw, strconv.FormatInt(n, 10))
	case "/grpc.health.v1.Health/Check":
		if m, err := readMessage(r.Body); err != nil || m != "\x0a\x03t.T" {
			return fmt.Errorf("5 %q, %v", m, err)
		}
		return writeMessage(rw, string([]byte{8, byte(o.health.Load())}))
	}
	return errUnknownMethod
}

// floodPieces is how many messages of 64 KiB, their prefixes included, Flood sends.
const floodPieces = 512

// echoMessages sends each message back as it comes.
func echoMessages(w io.Writer, rc *http.ResponseController, r io.Reader) error {
	for {
		m, err := readMessage(r)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := writeMessage(w, m); err != nil {
			return err
		}
		rc.Flush()
	}
}

// soonOr fails unless c gives something before patience ends.
func soonOr[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatal(what)
	}
	return v
}
