package upstream

import (
	"bytes"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"weir"
)

// Mirror says how requests are copied to a shadow. Zero values mean the defaults.
type Mirror struct {
	Sample     float64 // share of the requests, above 0 to 1; default 1
	MaxBody    int64   // requests with more content are not copied; default 64 KiB; negative: none with content
	Concurrent int     // copies under way, at most; what comes beyond is not copied; default 64
}

// How much of a shadow's answer is read to keep its connection, and how long a copy may take from its beginning to its
// end, waiting in a queue included: after that it is broken off, so that a shadow that is silent does not hold the
// places for copies.
const (
	mirrorAnswer = 1 << 20
	mirrorTime   = 10 * time.Second
)

// A mirror answers by main and copies requests to shadow.
type mirror struct {
	main, shadow weir.Handler
	cfg          Mirror
	sample       uint64 // a draw below it is copied
	rand         func() uint64
	log          *slog.Logger
	running      atomic.Int64
}

// NewMirror returns a handler that answers by main and sends copies of requests to shadow, whose
// answers nobody sees. The copy neither delays nor fails the request: it runs beside it, of upgrades
// there is none, and content is copied as it passes by, so that a request with content is sent to the
// shadow once it is over, and only if all of the content was read. rand and log may be nil.
func NewMirror(main, shadow weir.Handler, cfg Mirror, draw func() uint64, log *slog.Logger) weir.Handler {
	if cfg.Sample <= 0 || cfg.Sample > 1 {
		cfg.Sample = 1
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = 64 << 10
	}
	orInt(&cfg.Concurrent, 64)
	if draw == nil {
		draw = rand.Uint64
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &mirror{
		main: main, shadow: shadow, cfg: cfg, rand: draw, log: log,
		sample: uint64(cfg.Sample * (1 << 53)),
	}
}

// ServeExchange implements weir.Handler.
func (m *mirror) ServeExchange(x *weir.Exchange) error {
	r := &x.Request
	switch {
	case m.rand()>>11 >= m.sample || r.Upgrade != "":
	case r.Body == nil:
		if m.claim() {
			go m.send(x.Clone(), nil)
		}
	case r.Body.Len() <= m.cfg.MaxBody && m.cfg.MaxBody > 0 && m.claim():
		t := &tee{Body: r.Body, m: m, copy: x.Clone()}
		r.Body = t
		x.AtEnd(t)
	}
	return m.main.ServeExchange(x)
}

// claim takes one of the places for copies.
func (m *mirror) claim() bool {
	if m.running.Add(1) <= int64(m.cfg.Concurrent) {
		return true
	}
	m.running.Add(-1)
	return false
}

// send carries a copy to the shadow and reads its answer away.
func (m *mirror) send(x *weir.Exchange, content []byte) {
	defer m.running.Add(-1)
	if content != nil {
		x.Request.Body = &bytesBody{Reader: bytes.NewReader(content), n: int64(len(content))}
	}
	x.Request.Expect, x.Request.Touched = false, false
	s := &copyStream{log: m.log}
	end := time.AfterFunc(mirrorTime, s.leave)
	defer end.Stop()
	weir.Serve(m.shadow, x, s, weir.Observers(nil))
}

// A copyStream stands for the client of a copy: one that reads no more of an answer than keeps the connection, and
// leaves after a time.
type copyStream struct {
	log *slog.Logger

	mu     sync.Mutex // protects the rest; held while somebody is told, so that nobody is who watches no more
	target weir.Canceler
	left   bool
}

// Inform implements weir.Stream.
func (s *copyStream) Inform(int, *weir.Header) error { return nil }

// Reset implements weir.Stream.
func (s *copyStream) Reset(*weir.Fault) {}

// Respond implements weir.Stream.
func (s *copyStream) Respond(x *weir.Exchange) error {
	if x.Fault != nil {
		s.log.Debug("mirrored request has no answer", "reason", x.Fault.Error())
	}
	if b := x.Response.Body; b != nil {
		_, _ = io.Copy(&abyss{left: mirrorAnswer}, b)
	}
	x.Response.Discard()
	return nil
}

// Watch implements weir.Stream.
func (s *copyStream) Watch(c weir.Canceler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.target = c
	if s.left && c != nil {
		c.Cancel()
	}
}

func (s *copyStream) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = true
	if s.target != nil {
		s.target.Cancel()
	}
}

// A tee is the content of a request that is copied on its way.
type tee struct {
	weir.Body
	m    *mirror
	copy *weir.Exchange

	mu       sync.Mutex // protects the rest: an upload reads on a goroutine of its own
	content  []byte
	complete bool // all has been read
	over     bool // it is more than is copied
}

// Read implements io.Reader.
func (t *tee) Read(p []byte) (int, error) {
	n, err := t.Body.Read(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	if int64(len(t.content)+n) > t.m.cfg.MaxBody {
		t.over, t.content = true, nil
	}
	if !t.over {
		t.content = append(t.content, p[:n]...)
	}
	if err == io.EOF {
		t.complete = true
	}
	return n, err
}

// EndExchange implements weir.Ender: now the content is as complete as it will be.
func (t *tee) EndExchange(*weir.Exchange) {
	t.mu.Lock()
	defer t.mu.Unlock()
	whole := t.complete || t.Body.Len() >= 0 && int64(len(t.content)) == t.Body.Len()
	if t.over || !whole {
		t.m.running.Add(-1)
		return
	}
	go t.m.send(t.copy, append([]byte{}, t.content...))
}

// bytesBody is content at hand.
type bytesBody struct {
	*bytes.Reader
	n int64
}

func (b *bytesBody) Close() error          { return nil }
func (b *bytesBody) Len() int64            { return b.n }
func (b *bytesBody) Trailer() *weir.Header { return nil }

// An abyss swallows what is written, up to a limit.
type abyss struct{ left int }

// Write implements io.Writer.
func (a *abyss) Write(p []byte) (int, error) {
	if a.left -= len(p); a.left < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}
