package h3

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"weir"
)

// A withholder, once it is told to, keeps what was to be sent, and where to.
type withholder struct {
	net.PacketConn
	mu       sync.Mutex
	withhold bool
	packet   []byte
	to       net.Addr
}

func (w *withholder) WriteTo(p []byte, to net.Addr) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.withhold {
		w.packet, w.to = append(w.packet[:0], p...), to
		return len(p), nil
	}
	return w.PacketConn.WriteTo(p, to)
}

// last makes the server say something more, and returns that packet, which has not gone.
func (w *withholder) last(t *testing.T, q *quic.Conn) (packet []byte, to net.Addr) {
	w.mu.Lock()
	w.withhold = true
	w.mu.Unlock()
	str, err := q.OpenUniStream()
	if err != nil {
		t.Fatal(err)
	}
	str.Write([]byte{0x21}) // a stream without a meaning (RFC 9114, section 6.2.3)
	for {
		w.mu.Lock()
		packet, to = bytes.Clone(w.packet), w.to
		w.mu.Unlock()
		if packet != nil {
			return packet, to
		}
		time.Sleep(time.Millisecond)
	}
}

// A belated server sends what the one before it withheld as soon as something has come.
type belated struct {
	net.PacketConn
	once   sync.Once
	packet []byte
	to     net.Addr
}

func (b *belated) ReadFrom(p []byte) (int, net.Addr, error) {
	n, from, err := b.PacketConn.ReadFrom(p)
	if err == nil && b.packet != nil {
		b.once.Do(func() { b.PacketConn.WriteTo(b.packet, b.to) })
	}
	return n, from, err
}

// answering answers every request that comes on pc with 204, until it is killed: that says nothing to anybody. Its
// connections come on conns.
func answering(t *testing.T, pc net.PacketConn) (conns <-chan *quic.Conn, kill func()) {
	tr := &quic.Transport{Conn: pc}
	ln, err := tr.Listen(withProtocol(serverTLS()), &quic.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	accepted := make(chan *quic.Conn, 10)
	all.Go(func() {
		for {
			q, err := ln.Accept(context.Background())
			if err != nil {
				return
			}
			control, _ := q.OpenUniStream()
			control.Write(appendSettings([]byte{streamControl}, 1<<16, true))
			accepted <- q
			all.Go(func() {
				for {
					str, err := q.AcceptStream(context.Background())
					if err != nil {
						return
					}
					answered(str)
				}
			})
		}
	})
	return accepted, func() { tr.Close(); pc.Close(); all.Wait() }
}

// A server that was killed says nothing, and so does the next one on its port of the connections of the last. What may be
// asked twice is asked on a new one, also if a last word of the old server comes after the request has left.
func TestServerKilled(t *testing.T) {
	leaks(t)
	for name, tt := range map[string]struct {
		method, body string
		late         bool
		cause        weir.Cause
	}{
		"silence":              {"GET", "", false, 0},
		"a late packet":        {"GET", "", true, 0},
		"upload":               {"POST", content(100), false, weir.CauseUpstreamClosed},
		"upload, late packet":  {"POST", content(100), true, weir.CauseUpstreamClosed},
		"no upload":            {"POST", "", true, weir.CauseUpstreamClosed},
		"upload, a large body": {"POST", content(1 << 20), true, weir.CauseUpstreamClosed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pc := listenUDP(t)
			addr := pc.LocalAddr().(*net.UDPAddr)
			old, again := &withholder{PacketConn: pc}, &belated{}
			conns, kill := answering(t, old)
			tr := upstream(t, addr.String(), TransportConfig{})
			if _, _, err := askFor(t, tr, "GET", "/", nil); err != nil {
				t.Fatal(err)
			}
			packet, to := old.last(t, <-conns)
			if tt.late {
				again.packet, again.to = packet, to
			}
			kill()
			var err error
			if again.PacketConn, err = net.ListenUDP("udp4", addr); err != nil {
				t.Fatal(err)
			}
			_, end := answering(t, again)
			defer end()
			began := time.Now()
			var body weir.Body
			if tt.body != "" {
				body = weir.NewBody(tt.body)
			}
			x, _, err := askFor(t, tr, tt.method, "/", body)
			var f *weir.Fault
			switch errors.As(err, &f); {
			case tt.cause == 0 && (err != nil || x.Response.Status != 204), tt.cause != 0 && (f == nil || f.Cause != tt.cause):
				t.Errorf("%d, %v", x.Response.Status, err)
			}
			least, most := silence, 6*silence
			if tt.method == "POST" {
				least, most = longSilence, 2*longSilence
			}
			if took := time.Since(began); took < least || took > most {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// How a wait goes by what had been sent and received at its looks.
func TestVigil(t *testing.T) {
	type look struct {
		at, late       time.Duration // in ms: when it is due, and how much later it comes
		received, sent uint64
	}
	for name, tt := range map[string]struct {
		looks []look
		gone  bool // at the last one
	}{
		"nothing came":   {[]look{{500, 0, 0, 9}, {2000, 0, 0, 13}}, true},
		"at work":        {[]look{{500, 0, 2, 2}, {2000, 0, 2, 2}, {4000, 0, 2, 2}, {8000, 0, 2, 2}, {16000, 0, 3, 3}, {24000, 0, 3, 3}}, false},
		"a late packet":  {[]look{{500, 0, 1, 9}, {2000, 0, 1, 13}, {4000, 0, 1, 13}}, true},
		"a far server":   {[]look{{500, 0, 0, 1}, {2000, 0, 0, 3}, {4000, 0, 0, 5}, {4500, 0, 0, 5}}, true},
		"others at work": {[]look{{500, 0, 2, 2}, {2000, 0, 2, 90}, {4000, 0, 50, 90}, {8000, 0, 50, 90}, {16000, 0, 51, 95}}, false},
		// what others ask just before a look has its time, too
		"others, and then a gap": {[]look{{500, 0, 2, 2}, {2000, 0, 2, 2}, {4000, 0, 2, 50}, {6000, 0, 3, 60}}, false},
		"gone while at work":     {[]look{{500, 0, 2, 2}, {2000, 0, 2, 2}, {4000, 0, 2, 6}, {6000, 0, 2, 8}}, true},
		"slow for half a time":   {[]look{{500, 0, 0, 9}, {2000, 0, 1, 13}, {4000, 0, 1, 13}, {8000, 0, 1, 13}}, false},
		"it never hears enough":  {[]look{{500, 0, 0, 0}, {2000, 0, 0, 1}, {4000, 0, 0, 1}, {8000, 0, 0, 2}, {16000, 0, 0, 3}}, false},
		// what has come meanwhile may not have been read
		"weir was stopped":           {[]look{{500, 0, 0, 9}, {2000, 3000, 0, 9}, {5500, 0, 1, 9}}, false},
		"weir was stopped at once":   {[]look{{500, 3000, 0, 9}, {4000, 0, 1, 9}}, false},
		"weir was stopped, and gone": {[]look{{500, 0, 0, 9}, {2000, 3000, 0, 9}, {5500, 10, 0, 9}}, true},
	} {
		v := &vigil{}
		v.start(0, time.Minute)
		for i, l := range tt.looks {
			if v.at != l.at*time.Millisecond {
				t.Errorf("%s: look %d is at %v", name, i, v.at)
			}
			now := (l.at + l.late) * time.Millisecond
			if gone := v.gone(l.received, l.sent, now, silence); gone != (tt.gone && i == len(tt.looks)-1) {
				t.Errorf("%s: look %d: gone %v", name, i, gone)
			}
		}
	}
}

// A postponed stream has a deadline that passes at the end of each part, and which somebody else then moves: the next part has
// come just behind it.
type postponed struct{ parts [][]byte }

func (p *postponed) SetReadDeadline(time.Time) error { return nil }

func (p *postponed) Peek(b []byte) (int, error) {
	if len(p.parts[0]) == 0 {
		p.parts = p.parts[1:]
		return 0, os.ErrDeadlineExceeded
	}
	return copy(b, p.parts[0]), nil
}

func (p *postponed) Read(b []byte) (int, error) {
	n := copy(b, p.parts[0])
	p.parts[0] = p.parts[0][n:]
	return n, nil
}

// A deadline that passes takes nothing of what comes behind it, though an upload that ends moves it at that moment.
func TestLookTakesNothing(t *testing.T) {
	in := &input{}
	in.reset(&postponed{[][]byte{reply("103", "link", content(2*firstSize)), reply("200", "a", "b")}})
	defer in.release()
	read := func() []byte {
		_, n, err := in.next()
		if err != nil {
			t.Fatal(err)
		}
		p, err := in.payload(int(n))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	read()
	if _, _, err := in.next(); !isTimeout(err) {
		t.Fatal(err)
	}
	if p := read(); !bytes.HasSuffix(reply("200", "a", "b"), p) {
		t.Errorf("%q", p)
	}
}
