package h2

import (
	"bytes"
	"net/netip"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
	"weir/proto/internal/section"
)

// A deafConn is a connection that takes everything and says nothing.
type deafConn struct{ sent bytes.Buffer }

func (c *deafConn) Read([]byte) (int, error) { return 0, poll.ErrAgain }

func (c *deafConn) TryRead([]byte) (int, error) { return 0, poll.ErrAgain }
func (c *deafConn) WaitReadable() error         { return nil }
func (c *deafConn) Write(p []byte) (int, error) { return c.sent.Write(p) }

func (c *deafConn) Post(p []byte) (int, error)                        { return c.sent.Write(p) }
func (c *deafConn) WriteBuffers([]byte, []byte, []byte) error         { return nil }
func (c *deafConn) Splice(poll.Conn, int64, poll.Pace) (int64, error) { return 0, nil }
func (c *deafConn) Idle(poll.Task) bool                               { return true }
func (c *deafConn) SetReadDeadline(int64)                             {}
func (c *deafConn) SetWriteDeadline(int64)                            {}
func (c *deafConn) SetWritePace(*poll.Pace)                           {}
func (c *deafConn) OnHangup(poll.Canceler)                            {}
func (c *deafConn) Cancel()                                           {}
func (c *deafConn) CloseWrite() error                                 { return nil }
func (c *deafConn) Close() error                                      { return nil }
func (c *deafConn) Abort()                                            {}
func (c *deafConn) Start(t poll.Task)                                 {}
func (c *deafConn) Reclaim() bool                                     { return false }
func (c *deafConn) Silent() bool                                      { return true }
func (c *deafConn) Woken() int64                                      { return clock.Now() }
func (c *deafConn) Shard() int                                        { return 0 }
func (c *deafConn) LocalAddr() netip.AddrPort                         { return netip.AddrPort{} }

func (c *deafConn) RemoteAddr() netip.AddrPort { return netip.AddrPort{} }

// FuzzServer lets a server say anything to a connection with three requests under way: a GET, a HEAD and a POST whose
// body is still going out. Whatever it says,
//   - what is held of answers is within the windows, and the windows within their bounds,
//   - every answer that is taken for whole has the length that its head announced,
//   - no field of an answer could break out of its line, and none is a connection's own,
//   - what we say in return is HTTP/2.
func FuzzServer(f *testing.F) {
	for _, seed := range fuzzAnswers() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		c, list, deaf := deafExchange()
		hear(c, input)
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.allowed < 0 || c.room > maxWindow {
			t.Fatalf("windows: %d, %d", c.allowed, c.room)
		}
		for _, s := range list {
			checkFuzzed(t, s)
		}
		out := deaf.sent.Bytes()
		if c.out != nil {
			out = append(out, c.out.p...)
		}
		checkSaid(t, out)
	})
}

// deafExchange returns a connection with three requests under way: a GET, a HEAD and a POST whose body is still going out.
func deafExchange() (*upConn, []*upStream, *deafConn) {
	tr := NewTransport(&weir.Endpoint{}, TransportConfig{Window: startWindow, Limits: Limits{Head: 2000, Fields: 10, Trailer: 500}})
	deaf := &deafConn{}
	c := newUpConn(tr, deaf)
	c.flushing = false
	tr.conns = []*upConn{c}
	var list []*upStream
	for i, method := range []string{"GET", "HEAD", "POST"} {
		x := &weir.Exchange{}
		x.Reset(upFacts)
		x.Request.Method, x.Request.Path, x.Request.Authority = method, "/", "a"
		c.load++
		s := takeUpStream(c, x)
		s.start(s.encode(nil, &x.Request), i < 2)
		list = append(list, s)
	}
	return c, list, deaf
}

// hear lets c read input, as much at a time as fits into its buffer.
func hear(c *upConn, input []byte) {
	for len(input) > 0 {
		n := copy(c.space(), input)
		input = input[n:]
		c.w += n
		if err := c.frames(); err != nil {
			c.refuse(err)
			return
		}
	}
}

func checkFuzzed(t *testing.T, s *upStream) {
	held := 0
	for k := s.input.first; k != nil; k = k.next {
		held += len(k.p)
	}
	if held != s.input.size || held > startWindow+1 || len(s.interim) > mostInterim {
		t.Fatalf("%d bytes are held, %d are counted, %d interim answers", held, s.input.size, len(s.interim))
	}
	if s.remoteDone && !s.headDone {
		t.Fatal("an answer without a head")
	}
	if s.remoteDone && !s.bodiless && s.length >= 0 && int64(held) != s.length {
		t.Fatalf("%d bytes where %d were announced", held, s.length)
	}
	if s.remoteDone && s.bodiless && held > 0 {
		t.Fatal("content where there is none")
	}
	if s.headDone && (s.status < 200 || s.status > 999) {
		t.Fatalf("status %d", s.status)
	}
	for _, h := range []*weir.Header{&s.head, &s.trailer} {
		for _, f := range h.Fields() {
			if !section.IsName(f.Name) || !section.IsValue(f.Value) || section.Own(f.ID) {
				t.Fatalf("field %q: %q", f.Name, f.Value)
			}
		}
	}
}

// checkSaid makes sure that p is frames that another implementation understands.
func checkSaid(t *testing.T, p []byte) {
	fr := http2.NewFramer(nil, bytes.NewReader(p))
	fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	for {
		if _, err := fr.ReadFrame(); err != nil {
			if err.Error() != "EOF" {
				t.Fatalf("we say %q: %v", p, err)
			}
			return
		}
	}
}

func fuzzAnswers() (seeds [][]byte) {
	add := func(write func(fr *http2.Framer, head func(id uint32, end bool, fields ...string))) {
		var out, block bytes.Buffer
		fr := http2.NewFramer(&out, nil)
		fr.AllowIllegalWrites = true
		enc := hpack.NewEncoder(&block)
		fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100000})
		write(fr, func(id uint32, end bool, fields ...string) {
			block.Reset()
			for i := 0; i < len(fields); i += 2 {
				enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
			}
			fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndStream: end, EndHeaders: true, BlockFragment: block.Bytes()})
		})
		seeds = append(seeds, bytes.Clone(out.Bytes()))
	}
	add(func(fr *http2.Framer, head func(id uint32, end bool, fields ...string)) {
		head(1, false, ":status", "200", "content-length", "2", "server", "x")
		fr.WriteData(1, true, []byte("ok"))
		head(3, true, ":status", "200", "content-length", "5")
		head(5, false, ":status", "103", "link", "</a>")
		head(5, false, ":status", "200")
		fr.WriteDataPadded(5, false, []byte("abc"), []byte{0, 0})
		fr.WriteWindowUpdate(5, 100)
		fr.WriteWindowUpdate(0, 100)
		head(5, true, "grpc-status", "0")
		fr.WriteRSTStream(5, http2.ErrCodeNo)
	})
	add(func(fr *http2.Framer, head func(id uint32, end bool, fields ...string)) {
		fr.WritePing(false, [8]byte{1})
		fr.WriteRSTStream(1, http2.ErrCodeRefusedStream)
		head(3, false, ":status", "204")
		fr.WriteGoAway(3, http2.ErrCodeNo, []byte("bye"))
		fr.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1}, http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0})
	})
	add(func(fr *http2.Framer, head func(id uint32, end bool, fields ...string)) {
		fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x88}})
		fr.WriteContinuation(1, true, []byte{0x00, 1, 'a', 1, 'b'})
		fr.WriteData(1, false, bytes.Repeat([]byte("x"), minFrameSize))
		fr.WritePriority(1, http2.PriorityParam{StreamDep: 3})
		fr.WriteRawFrame(0xbb, 0xff, 7, []byte("unknown"))
	})
	return seeds
}
