package h2

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	"weir/proto/internal/section"
)

// A peer is a client that says what it likes, frame by frame.
type peer struct {
	net.Conn
	t      *testing.T
	r      *bufio.Reader
	dec    *hpack.Decoder
	fields []hpack.HeaderField
	away   got // GOAWAY, if it has come
}

// A got is a frame that came.
type got struct {
	frame
	p []byte
}

// peer connects, greets and sends its settings.
func (w *world) peer(settings ...settingValue) *peer {
	w.t.Helper()
	return greet(w.t, w.dial(), settings...)
}

func greet(t *testing.T, c net.Conn, settings ...settingValue) *peer {
	p := &peer{Conn: c, t: t, r: bufio.NewReaderSize(c, 64<<10)}
	p.dec = hpack.NewDecoder(4096, func(f hpack.HeaderField) { p.fields = append(p.fields, f) })
	p.send(appendSettings([]byte(Preface), settings...))
	return p
}

func (p *peer) send(frames ...[]byte) {
	p.t.Helper()
	for _, f := range frames {
		if _, err := p.Write(f); err != nil {
			p.t.Fatal("send: ", err)
		}
	}
}

// flood sends frames again and again, at most n times, until it is told to go away with that code, and waits for the end
// of the connection. It returns how often it sent them.
func (p *peer) flood(n int, code errorCode, frames func(i int) []byte) int {
	p.t.Helper()
	var told sync.WaitGroup
	var over atomic.Bool
	told.Go(func() {
		defer over.Store(true)
		for {
			g, err := p.read()
			if err != nil || g.typ == frameGoAway {
				p.away = g
				p.SetWriteDeadline(time.Now()) // where handlers are held up nobody reads the rest, and nobody closes
				return
			}
		}
	})
	sent := 0
	for sent < n && !over.Load() {
		if _, err := p.Write(frames(sent)); err != nil {
			break
		}
		sent++
	}
	told.Wait()
	p.goneAway(code)
	return sent
}

// next reads a frame.
func (p *peer) next() got {
	p.t.Helper()
	g, err := p.read()
	if err != nil {
		p.t.Fatal("read a frame: ", err)
	}
	return g
}

func (p *peer) read() (got, error) {
	var head [headerSize]byte
	if _, err := io.ReadFull(p.r, head[:]); err != nil {
		return got{}, err
	}
	g := got{frame: parseFrame(head[:])}
	g.p = make([]byte, g.length)
	_, err := io.ReadFull(p.r, g.p)
	return g, err
}

// until reads frames up to one of that type.
func (p *peer) until(typ frameType) got {
	p.t.Helper()
	for {
		g := p.next()
		if g.typ == typ {
			return g
		}
		if g.typ == frameGoAway {
			p.t.Fatalf("GOAWAY: %v %q", errorCode(binary.BigEndian.Uint32(g.p[4:])), g.p[8:])
		}
	}
}

// goneAway reads frames up to GOAWAY, which must have that code, and to the end of the connection.
func (p *peer) goneAway(code errorCode) {
	p.t.Helper()
	for p.away.p == nil {
		g, err := p.read()
		if err != nil {
			p.t.Fatal("no GOAWAY: ", err)
		}
		if g.typ == frameGoAway {
			p.away = g
		}
	}
	if got := errorCode(binary.BigEndian.Uint32(p.away.p[4:])); got != code {
		p.t.Fatalf("GOAWAY with %v %q, want %v", got, p.away.p[8:], code)
	}
	if cw, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		cw.CloseWrite()
	}
	if _, err := io.Copy(io.Discard, p.r); err != nil && !strings.Contains(err.Error(), "reset") {
		p.t.Fatal("the connection does not end: ", err)
	}
}

// resets reads frames up to RST_STREAM, which must be of that stream and have that code.
func (p *peer) resets(stream uint32, code errorCode) {
	p.t.Helper()
	g := p.until(frameReset)
	if got := errorCode(binary.BigEndian.Uint32(g.p)); g.stream != stream || got != code {
		p.t.Fatalf("RST_STREAM of %d with %v, want %d with %v", g.stream, got, stream, code)
	}
}

// head reads frames up to the next head and decodes it.
func (p *peer) head() (stream uint32, fields map[string]string, end bool) {
	p.t.Helper()
	g := p.until(frameHeaders)
	return g.stream, p.decode(g), g.has(flagEndStream)
}

func (p *peer) decode(g got) map[string]string {
	p.t.Helper()
	p.fields = nil
	if _, err := p.dec.Write(g.p); err != nil {
		p.t.Fatal(err)
	}
	for !g.has(flagEndHeaders) {
		g = p.until(frameContinuation)
		if _, err := p.dec.Write(g.p); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := p.dec.Close(); err != nil {
		p.t.Fatal(err)
	}
	m := map[string]string{}
	for _, f := range p.fields {
		m[f.Name] += f.Value
	}
	return m
}

// answer reads the next answer, which must be all there is.
func (p *peer) answer() (stream uint32, status, body string) {
	p.t.Helper()
	stream, fields, end := p.head()
	for !end {
		g := p.until(frameData)
		if g.stream != stream {
			p.t.Fatalf("DATA of stream %d, want %d", g.stream, stream)
		}
		body += string(g.p)
		end = g.has(flagEndStream)
	}
	return stream, fields[":status"], body
}

// block encodes fields, of which names and values come in turns.
func block(fields ...string) []byte {
	var b []byte
	for i := 0; i < len(fields); i += 2 {
		b = section.AppendString(append(b, hpackLiteral), fields[i])
		b = section.AppendString(b, fields[i+1])
	}
	return b
}

// request is the fields of a request, and those that are added.
func request(method string, more ...string) []byte {
	return block(append([]string{":method", method, ":scheme", "http", ":authority", "a", ":path", "/"}, more...)...)
}

func get(stream uint32) []byte {
	return appendHeaders(nil, stream, true, request("GET"), minFrameSize)
}

func post(stream uint32, more ...string) []byte {
	return appendHeaders(nil, stream, false, request("POST", more...), minFrameSize)
}

// id is the number of a client's i-th stream, counted from 0.
func id(i int) uint32 { return uint32(2*i + 1) }

func newReader(c net.Conn) *bufio.Reader { return bufio.NewReaderSize(c, 64<<10) }
