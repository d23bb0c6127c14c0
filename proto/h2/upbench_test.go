package h2

import (
	"io"
	"net"
	"sync"
	"testing"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
)

// replying is a server that answers each HEADERS frame with the same head and 500 bytes, one write for what it has read.
func replying(c net.Conn) {
	defer c.Close()
	in, used, have := make([]byte, 64<<10), 0, 0
	if _, err := io.ReadFull(c, in[:len(Preface)]); err != nil {
		return
	}
	out := appendSettings(nil, settingValue{settingStreams, 1000})
	content := make([]byte, 500)
	for {
		for have-used >= headerSize {
			f := parseFrame(in[used:])
			if have-used < headerSize+f.length {
				break
			}
			used += headerSize + f.length
			switch {
			case f.typ == frameHeaders:
				out = appendHeaders(out, f.stream, false, appendLength(appendStatus(nil, 200), 500), minFrameSize)
				out = appendData(out, f.stream, true, content)
			case f.typ == frameSettings && !f.has(flagAck):
				out = appendSettingsAck(out)
			}
		}
		if len(out) > 0 {
			if _, err := c.Write(out); err != nil {
				return
			}
			out = out[:0]
		}
		have = copy(in, in[used:have])
		used = 0
		n, err := c.Read(in[have:])
		if err != nil {
			return
		}
		have += n
	}
}

// An upNobody is the client of exchanges that are only measured.
type upNobody struct{}

func (upNobody) Inform(int, *weir.Header) error { return nil }
func (upNobody) Reset(*weir.Fault)              {}
func (upNobody) Watch(weir.Canceler)            {}

func (upNobody) Respond(x *weir.Exchange) error {
	_, err := x.Response.Body.(io.WriterTo).WriteTo(io.Discard)
	x.Response.Body.Close()
	return err
}

func benchTransport(b *testing.B, streams int) {
	g, err := poll.NewGroup(1)
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go replying(c)
		}
	}()
	tr := NewTransport(&weir.Endpoint{Upstream: "u", Name: "o", Address: l.Addr().String()}, TransportConfig{Group: g})
	defer tr.Close()
	handler := weir.HandlerFunc(func(x *weir.Exchange) error { return tr.RoundTrip(x) })
	run := func(n int) {
		var x weir.Exchange
		for range n {
			x.Reset(upFacts)
			x.Timing.Start = clock.Now()
			r := &x.Request
			r.Method, r.Path, r.Authority = "GET", "/index.html", "example.org"
			r.Header.AddKnown(weir.FieldUserAgent, "curl/8")
			if weir.Serve(handler, &x, upNobody{}, upSilent{}); x.Fault != nil {
				b.Error(x.Fault)
			}
		}
	}
	run(1)
	b.ReportAllocs()
	b.ResetTimer()
	var all sync.WaitGroup
	for i := range streams {
		all.Go(func() { run((b.N + i) / streams) })
	}
	all.Wait()
	b.StopTimer()
}

func BenchmarkTransport1(b *testing.B)   { benchTransport(b, 1) }
func BenchmarkTransport100(b *testing.B) { benchTransport(b, 100) }
