package h2

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
)

// An upWorld is a transport and what it speaks with.
type upWorld struct {
	*world
	conns sync.Mutex
	open  int // connections made
}

// eachUp runs f over every kind of connection to a server.
func eachUp(t *testing.T, f func(t *testing.T, w *upWorld)) {
	for _, kind := range []string{"poller", "net.Conn", "tls"} {
		t.Run(kind, func(t *testing.T) { f(t, newUpWorld(t, kind)) })
	}
}

func newUpWorld(t *testing.T, kind string) *upWorld {
	t.Helper()
	return &upWorld{world: newWorld(t, kind)}
}

// transport returns a transport to addr over the world's kind of connection.
func (w *upWorld) transport(addr string, c TransportConfig) *Transport {
	c.Group = w.group
	if c.Connect == 0 { // whatever else the machine does
		c.Connect = soon
	}
	if c.Dial == nil {
		c.Dial = func(x *weir.Exchange) (poll.Conn, error) { return w.dial(addr, x) }
	}
	tr := NewTransport(&weir.Endpoint{Upstream: "u", Name: "o", Address: addr}, c)
	w.t.Cleanup(tr.Close)
	return tr
}

func (w *upWorld) dial(addr string, x *weir.Exchange) (poll.Conn, error) {
	w.conns.Lock()
	w.open++
	w.conns.Unlock()
	if w.kind == "net.Conn" {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return nil, err
		}
		return poll.FromNetConn(c), nil
	}
	c, err := w.group.Dial(addr, x.Conn.Shard, clock.Now()+int64(soon), nil)
	if err != nil || w.kind == "poller" {
		return c, err
	}
	s := poll.SealClient(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err := s.Handshake(); err != nil {
		c.Close()
		return nil, err
	}
	return s, nil
}

// dialled returns the number of connections made.
func (w *upWorld) dialled() int {
	w.conns.Lock()
	defer w.conns.Unlock()
	return w.open
}

// serveHTTP starts net/http's server of HTTP/2, and returns its address.
func (w *upWorld) serveHTTP(h http.HandlerFunc) string {
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = new(http.Protocols)
	s.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 250}
	if w.kind == "tls" {
		s.EnableHTTP2 = true
		s.Config.Protocols.SetHTTP2(true)
		s.StartTLS()
	} else {
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		s.Start()
	}
	w.t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// An upClient is the client of one exchange: the Stream of it, and what became of it.
type upClient struct {
	w  *world
	tr weir.Transport
	x  weir.Exchange

	respond func(x *weir.Exchange) error // in place of reading the whole answer

	mu      sync.Mutex // protects watched and gone
	watched weir.Canceler
	gone    bool

	interim []string
	status  int
	header  weir.Header
	body    string
	trailer weir.Header
	bodyErr error
	fault   *weir.Fault
}

var upFacts = &weir.Conn{Protocol: "HTTP/2", RemoteIP: "127.0.0.1"}

// ask returns a client that asks for path.
func (w *upWorld) ask(tr weir.Transport, method, path string) *upClient {
	c := &upClient{w: w.world, tr: tr}
	c.x.Reset(upFacts)
	r := &c.x.Request
	r.Method, r.Scheme, r.Authority, r.Protocol = method, "http", "example.org", "HTTP/2"
	r.Path, r.Query, _ = strings.Cut(path, "?")
	return c
}

func (c *upClient) with(body string) *upClient {
	c.x.Request.Body = weir.NewBody(body)
	return c
}

func (c *upClient) field(name, value string) *upClient {
	c.x.Request.Header.Add(name, value)
	return c
}

// do runs the exchange to its end.
func (c *upClient) do() *upClient {
	c.x.Timing.Start = clock.Now()
	weir.Serve(weir.HandlerFunc(func(x *weir.Exchange) error { return c.tr.RoundTrip(x) }), &c.x, c, upSilent{})
	return c
}

type upSilent struct{}

func (upSilent) Observe(*weir.Exchange) {}

// Inform implements weir.Stream.
func (c *upClient) Inform(status int, h *weir.Header) error {
	line := strconv.Itoa(status)
	for _, f := range h.Fields() {
		line += " " + f.Name + "=" + f.Value
	}
	c.interim = append(c.interim, line)
	return nil
}

// Respond implements weir.Stream.
func (c *upClient) Respond(x *weir.Exchange) error {
	c.fault = x.Fault
	c.status, c.header = x.Response.Status, x.Response.Header.Clone()
	if c.respond != nil && x.Fault == nil {
		return c.respond(x)
	}
	b := x.Response.Body
	if b == nil {
		return nil
	}
	var out bytes.Buffer
	if wt, ok := b.(io.WriterTo); ok {
		_, c.bodyErr = wt.WriteTo(&out)
	} else {
		_, c.bodyErr = io.Copy(&out, b)
	}
	c.body = out.String()
	if t := b.Trailer(); t != nil {
		c.trailer = t.Clone()
	}
	b.Close()
	return c.bodyErr
}

// Reset implements weir.Stream.
func (c *upClient) Reset(f *weir.Fault) { c.fault = f }

// Watch implements weir.Stream.
func (c *upClient) Watch(w weir.Canceler) {
	c.mu.Lock()
	c.watched = w
	gone := c.gone
	c.mu.Unlock()
	if gone && w != nil {
		w.Cancel()
	}
}

// leave is what happens when the client goes.
func (c *upClient) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true
	if c.watched != nil {
		c.watched.Cancel()
	}
}

// got makes sure of status and body.
func (c *upClient) got(status int, body string) *upClient {
	c.w.t.Helper()
	if c.fault != nil || c.bodyErr != nil || c.status != status || c.body != body {
		c.w.t.Fatalf("got %d, %.100q, %v, %v; want %d, %.100q", c.status, c.body, c.fault, c.bodyErr, status, body)
	}
	return c
}

// failed makes sure of how it failed.
func (c *upClient) failed(cause weir.Cause, retry weir.Retry) *upClient {
	c.w.t.Helper()
	if c.fault == nil || c.fault.Cause != cause || c.fault.Retry != retry {
		c.w.t.Fatalf("got %d, %+v; want cause %s, retry %d", c.status, c.fault, cause, retry)
	}
	return c
}

// A pipeBody is a request body that a test writes as it goes.
type pipeBody struct {
	*io.PipeReader
	length  int64
	trailer *weir.Header
}

func newPipeBody() (pipeBody, *io.PipeWriter) {
	r, w := io.Pipe()
	return pipeBody{PipeReader: r, length: -1}, w
}

func (b pipeBody) Len() int64            { return b.length }
func (b pipeBody) Trailer() *weir.Header { return b.trailer }

// An upOrigin is a server that follows a script for each connection.
type upOrigin struct {
	addr string
	mu   sync.Mutex
	n    int // connections accepted
}

// newUpOrigin has each of the scripts serve one connection, in order; the last one serves all that follow. A script begins
// after the preface has been read, with nothing sent.
func (w *upWorld) newUpOrigin(scripts ...func(p *upPeer)) *upOrigin {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	o := &upOrigin{addr: l.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			o.mu.Lock()
			script := scripts[min(o.n, len(scripts)-1)]
			o.n++
			o.mu.Unlock()
			all.Go(func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(soon))
				p := newUpPeer(w.t, c)
				if p.preface() {
					script(p)
				}
			})
		}
	})
	w.t.Cleanup(func() { // the transport has been closed by now, and the scripts read its last words
		l.Close()
		all.Wait()
	})
	return o
}

func (o *upOrigin) accepted() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.n
}

// An upPeer is the server's end of one connection, frame by frame, by another implementation than ours.
type upPeer struct {
	net.Conn
	t     *testing.T
	fr    *http2.Framer
	mu    sync.Mutex // protects the writing
	block bytes.Buffer
	enc   *hpack.Encoder
}

func newUpPeer(t *testing.T, c net.Conn) *upPeer {
	p := &upPeer{Conn: c, t: t, fr: http2.NewFramer(c, c)}
	p.fr.AllowIllegalWrites = true
	p.fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	p.enc = hpack.NewEncoder(&p.block)
	return p
}

func (p *upPeer) preface() bool {
	buf := make([]byte, len(Preface))
	_, err := io.ReadFull(p.Conn, buf)
	return err == nil && string(buf) == Preface
}

// put writes frames.
func (p *upPeer) put(write func(fr *http2.Framer)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	write(p.fr)
}

// hello sends SETTINGS.
func (p *upPeer) hello(s ...http2.Setting) { p.put(func(fr *http2.Framer) { fr.WriteSettings(s...) }) }

// data sends a DATA frame.
func (p *upPeer) data(stream uint32, end bool, content string) {
	p.put(func(fr *http2.Framer) { fr.WriteData(stream, end, []byte(content)) })
}

// head sends a field section: name, value, name, value.
func (p *upPeer) head(stream uint32, end bool, fields ...string) {
	p.put(func(fr *http2.Framer) {
		fr.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, EndStream: end, EndHeaders: true, BlockFragment: p.encode(fields...)})
	})
}

func (p *upPeer) encode(fields ...string) []byte {
	p.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		p.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return bytes.Clone(p.block.Bytes())
}

// next returns the next frame but SETTINGS, which it acknowledges, and window updates; nil: the connection has ended.
func (p *upPeer) next() http2.Frame {
	for {
		f, err := p.fr.ReadFrame()
		if err != nil {
			return nil
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				p.put(func(fr *http2.Framer) { fr.WriteSettingsAck() })
			}
		case *http2.WindowUpdateFrame:
		default:
			return f
		}
	}
}

// request returns the id of the next request.
func (p *upPeer) request() uint32 {
	for f := p.next(); f != nil; f = p.next() {
		if h, ok := f.(*http2.MetaHeadersFrame); ok {
			return h.StreamID
		}
	}
	return 0
}

// await reads until a frame of that type comes, and returns it; nil: the connection has ended.
func (p *upPeer) await(typ http2.FrameType) http2.Frame {
	for f := p.next(); f != nil; f = p.next() {
		if f.Header().Type == typ {
			return f
		}
	}
	return nil
}

// answering is a script that serves.
func answering(p *upPeer) {
	p.hello()
	p.serve()
}

// serve answers every request with 200 and "ok".
func (p *upPeer) serve() {
	for id := p.request(); id != 0; id = p.request() {
		p.head(id, false, ":status", "200")
		p.data(id, true, "ok")
	}
}

// ended reads until the connection ends, and returns the code it was ended with; 0xff: none.
func (p *upPeer) ended() http2.ErrCode {
	for f := p.next(); f != nil; f = p.next() {
		if g, ok := f.(*http2.GoAwayFrame); ok {
			return g.ErrCode
		}
	}
	return 0xff
}

var errTest = errors.New("a test's own error")
