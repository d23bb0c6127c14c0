package h2

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"weir"
)

// What a server may not send ends the connection, or the stream alone, with the code that RFC 9113 has for it.
func TestTransportStrict(t *testing.T) {
	raw := func(typ http2.FrameType, flags http2.Flags, payload string) func(p *upPeer, id uint32) {
		return func(p *upPeer, id uint32) {
			p.put(func(fr *http2.Framer) { fr.WriteRawFrame(typ, flags, id, []byte(payload)) })
		}
	}
	on := func(stream uint32, f func(p *upPeer, id uint32)) func(p *upPeer, id uint32) {
		return func(p *upPeer, _ uint32) { f(p, stream) }
	}
	head := func(end bool, fields ...string) func(p *upPeer, id uint32) {
		return func(p *upPeer, id uint32) { p.head(id, end, fields...) }
	}
	both := func(a, b func(p *upPeer, id uint32)) func(p *upPeer, id uint32) {
		return func(p *upPeer, id uint32) { a(p, id); b(p, id) }
	}
	ok := head(false, ":status", "200")
	const end, endHead = http2.FlagDataEndStream, http2.FlagHeadersEndHeaders
	for _, tt := range []struct {
		name   string
		frames func(p *upPeer, id uint32)
		code   http2.ErrCode
		whole  bool // the connection ends
	}{
		{"push", raw(http2.FramePushPromise, endHead, "\x00\x00\x00\x02\x88"), http2.ErrCodeProtocol, true},
		{"data on an idle stream", on(99, raw(http2.FrameData, 0, "x")), http2.ErrCodeProtocol, true},
		{"data on a stream of the server's", on(2, raw(http2.FrameData, 0, "x")), http2.ErrCodeProtocol, true},
		{"data on no stream", on(0, raw(http2.FrameData, 0, "x")), http2.ErrCodeProtocol, true},
		{"data before the head", raw(http2.FrameData, end, "x"), http2.ErrCodeProtocol, false},
		{"padding without its length", raw(http2.FrameData, http2.FlagDataPadded, ""), http2.ErrCodeFrameSize, true},
		{"too much padding", raw(http2.FrameData, http2.FlagDataPadded, "\x05x"), http2.ErrCodeProtocol, true},
		{"headers on an idle stream", on(99, ok), http2.ErrCodeProtocol, true},
		{"headers on no stream", on(0, ok), http2.ErrCodeProtocol, true},
		{"headers that depend on themselves", raw(http2.FrameHeaders, endHead|http2.FlagHeadersPriority, "\x00\x00\x00\x01\x10\x88"), http2.ErrCodeProtocol, true},
		{"broken compression", raw(http2.FrameHeaders, endHead, "\xff\xff\xff\xff\xff\xff"), http2.ErrCodeCompression, true},
		{"a section cut by another frame", both(raw(http2.FrameHeaders, 0, "\x88"), raw(http2.FrameData, 0, "x")), http2.ErrCodeProtocol, true},
		{"a section of another stream", both(raw(http2.FrameHeaders, 0, "\x88"), on(3, raw(http2.FrameContinuation, 0, ""))), http2.ErrCodeProtocol, true},
		{"continuation of nothing", raw(http2.FrameContinuation, endHead, "\x88"), http2.ErrCodeProtocol, true},
		{"no status", head(false, "a", "b"), http2.ErrCodeProtocol, false},
		{"status 101", head(false, ":status", "101"), http2.ErrCodeProtocol, false},
		{"two statuses", head(false, ":status", "200", ":status", "200"), http2.ErrCodeProtocol, false},
		{"status behind a field", head(false, "a", "b", ":status", "200"), http2.ErrCodeProtocol, false},
		{"status of letters", head(false, ":status", "2x0"), http2.ErrCodeProtocol, false},
		{"a request's pseudo field", head(false, ":status", "200", ":path", "/"), http2.ErrCodeProtocol, false},
		{"upper case", head(false, ":status", "200", "Abc", "d"), http2.ErrCodeProtocol, false},
		{"a line break", head(false, ":status", "200", "a", "b\r\nc: d"), http2.ErrCodeProtocol, false},
		{"connection", head(false, ":status", "200", "connection", "close"), http2.ErrCodeProtocol, false},
		{"transfer-encoding", head(false, ":status", "200", "transfer-encoding", "chunked"), http2.ErrCodeProtocol, false},
		{"two lengths", head(false, ":status", "200", "content-length", "1", "content-length", "1"), http2.ErrCodeProtocol, false},
		{"an odd length", head(false, ":status", "200", "content-length", "+1"), http2.ErrCodeProtocol, false},
		{"an interim answer that ends", head(true, ":status", "103"), http2.ErrCodeProtocol, false},
		{"a second head", both(ok, ok), http2.ErrCodeProtocol, false},
		{"a trailer that does not end", both(ok, head(false, "a", "b")), http2.ErrCodeProtocol, false},
		{"a trailer with a status", both(ok, head(true, ":status", "200")), http2.ErrCodeProtocol, false},
		{"reset of an idle stream", on(99, raw(http2.FrameRSTStream, 0, "\x00\x00\x00\x08")), http2.ErrCodeProtocol, true},
		{"reset of no stream", on(0, raw(http2.FrameRSTStream, 0, "\x00\x00\x00\x08")), http2.ErrCodeProtocol, true},
		{"an odd reset", raw(http2.FrameRSTStream, 0, "\x00"), http2.ErrCodeFrameSize, true},
		{"settings on a stream", raw(http2.FrameSettings, 0, ""), http2.ErrCodeProtocol, true},
		{"odd settings", on(0, raw(http2.FrameSettings, 0, "\x00")), http2.ErrCodeFrameSize, true},
		{"a full acknowledgement", on(0, raw(http2.FrameSettings, http2.FlagSettingsAck, "\x00\x01\x00\x00\x00\x00")), http2.ErrCodeFrameSize, true},
		{"a large window", on(0, raw(http2.FrameSettings, 0, "\x00\x04\x80\x00\x00\x00")), http2.ErrCodeFlowControl, true},
		{"small frames", on(0, raw(http2.FrameSettings, 0, "\x00\x05\x00\x00\x00\x01")), http2.ErrCodeProtocol, true},
		{"push allowed", on(0, raw(http2.FrameSettings, 0, "\x00\x02\x00\x00\x00\x01")), http2.ErrCodeProtocol, true},
		{"ping on a stream", raw(http2.FramePing, 0, "12345678"), http2.ErrCodeProtocol, true},
		{"an odd ping", on(0, raw(http2.FramePing, 0, "1234567")), http2.ErrCodeFrameSize, true},
		{"goaway on a stream", raw(http2.FrameGoAway, 0, "12345678"), http2.ErrCodeProtocol, true},
		{"an odd goaway", on(0, raw(http2.FrameGoAway, 0, "1234567")), http2.ErrCodeFrameSize, true},
		{"an odd update", raw(http2.FrameWindowUpdate, 0, "\x00"), http2.ErrCodeFrameSize, true},
		{"an update by nothing", raw(http2.FrameWindowUpdate, 0, "\x00\x00\x00\x00"), http2.ErrCodeProtocol, false},
		{"the connection's update by nothing", on(0, raw(http2.FrameWindowUpdate, 0, "\x00\x00\x00\x00")), http2.ErrCodeProtocol, true},
		{"an update too far", raw(http2.FrameWindowUpdate, 0, "\x7f\xff\xff\xff"), http2.ErrCodeFlowControl, false},
		{"the connection's update too far", on(0, raw(http2.FrameWindowUpdate, 0, "\x7f\xff\xff\xff")), http2.ErrCodeFlowControl, true},
		{"an update of an idle stream", on(99, raw(http2.FrameWindowUpdate, 0, "\x00\x00\x00\x01")), http2.ErrCodeProtocol, true},
		{"priority on no stream", on(0, raw(http2.FramePriority, 0, "12345")), http2.ErrCodeProtocol, true},
		{"a large frame", raw(http2.FrameData, 0, strings.Repeat("x", minFrameSize+1)), http2.ErrCodeFrameSize, true},
		{"a length that is not kept", head(true, ":status", "200", "content-length", "1"), http2.ErrCodeProtocol, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newUpWorld(t, "poller")
			o := w.newUpOrigin(func(p *upPeer) {
				p.hello()
				tt.frames(p, p.request())
				code, whole := p.verdict()
				if code != tt.code || whole != tt.whole {
					t.Errorf("ended with %v, the connection: %v; want %v, %v", code, whole, tt.code, tt.whole)
				}
				p.serve()
			}, answering)
			tr := w.transport(o.addr, TransportConfig{})
			body, in := newPipeBody() // keeps our side open
			c := w.ask(tr, "POST", "/")
			c.x.Request.Body = body
			c.do()
			in.Close()
			if tt.whole {
				until(t, func() bool { return len(loads(tr)) == 0 })
			}
			w.ask(tr, "GET", "/").do().got(200, "ok")
		})
	}
}

// What comes behind an answer that is whole, or has no content, ends the stream as well, where it has not ended.
func TestTransportStrictBehind(t *testing.T) {
	say := func(write func(p *upPeer)) []byte {
		var out bytes.Buffer
		p := newUpPeer(t, nil)
		p.fr = http2.NewFramer(&out, nil)
		p.hello()
		write(p)
		return out.Bytes()
	}
	for _, tt := range []struct {
		name  string
		input []byte
		code  errorCode
	}{
		{"data after the end", say(func(p *upPeer) { p.head(5, true, ":status", "200"); p.data(5, true, "x") }), codeStreamClosed},
		{"head after the end", say(func(p *upPeer) { p.head(5, true, ":status", "200"); p.head(5, true, ":status", "200") }), codeStreamClosed},
		{"content of HEAD", say(func(p *upPeer) { p.head(3, false, ":status", "200", "content-length", "1"); p.data(3, true, "x") }), codeProtocol},
		{"content of 204", say(func(p *upPeer) { p.head(5, false, ":status", "204"); p.data(5, true, "x") }), codeProtocol},
		{"content of 304", say(func(p *upPeer) { p.head(5, false, ":status", "304"); p.data(5, true, "x") }), codeProtocol},
	} {
		c, list, deaf := deafExchange()
		hear(c, tt.input)
		s := list[2]
		if tt.name == "content of HEAD" {
			s = list[1]
		}
		want := appendReset(nil, s.id, tt.code)
		if c.end != nil || s.open || !bytes.Contains(append(deaf.sent.Bytes(), c.out.p...), want) {
			t.Errorf("%s: %v, open: %v, %q", tt.name, c.end, s.open, c.out.p)
		}
	}
}

// verdict returns the code of the first RST_STREAM or GOAWAY, and which it was.
func (p *upPeer) verdict() (code http2.ErrCode, whole bool) {
	for f := p.next(); f != nil; f = p.next() {
		switch f := f.(type) {
		case *http2.GoAwayFrame:
			return f.ErrCode, true
		case *http2.RSTStreamFrame:
			return f.ErrCode, false
		}
	}
	return 0xff, true
}

// Servers that send much that carries nothing are given up, with their requests.
func TestTransportFloods(t *testing.T) {
	for name, frame := range map[string]func(fr *http2.Framer, i int){
		"ping":      func(fr *http2.Framer, i int) { fr.WritePing(false, [8]byte{byte(i)}) },
		"settings":  func(fr *http2.Framer, i int) { fr.WriteSettings() },
		"acks":      func(fr *http2.Framer, i int) { fr.WriteSettingsAck() },
		"pongs":     func(fr *http2.Framer, i int) { fr.WritePing(true, [8]byte{byte(i)}) },
		"updates":   func(fr *http2.Framer, i int) { fr.WriteWindowUpdate(0, 1) },
		"priority":  func(fr *http2.Framer, i int) { fr.WritePriority(1, http2.PriorityParam{}) },
		"unknown":   func(fr *http2.Framer, i int) { fr.WriteRawFrame(0xfa, 0, 0, nil) },
		"no data":   func(fr *http2.Framer, i int) { fr.WriteData(1, false, nil) },
		"interim":   func(fr *http2.Framer, i int) { fr.WriteRawFrame(http2.FrameHeaders, 4, 1, []byte("\x08\x03103")) },
		"continued": func(fr *http2.Framer, i int) { fr.WriteRawFrame(frameOrMore(i), 0, 1, nil) },
		"late":      func(fr *http2.Framer, i int) { fr.WriteRSTStream(1, http2.ErrCodeNo) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newUpWorld(t, "poller")
			o := w.newUpOrigin(func(p *upPeer) {
				p.hello()
				id := p.request()
				verdict := make(chan http2.ErrCode, 1)
				go func() { verdict <- p.ended() }()
				if name == "no data" {
					p.head(id, false, ":status", "200")
				}
				for i := 0; len(verdict) == 0; i++ {
					p.put(func(fr *http2.Framer) { frame(fr, i) })
				}
				if code := <-verdict; code != http2.ErrCodeEnhanceYourCalm && code != 0xff {
					t.Errorf("ended with %v", code) // 0xff: what was still coming has cut the last word off
				}
			})
			tr := w.transport(o.addr, TransportConfig{})
			c := w.ask(tr, "GET", "/").do()
			var why *connError
			switch {
			case c.fault == nil:
				t.Error("the request has been answered")
			case name == "interim" || name == "late": // its own stream has ended before
			case !errors.As(c.fault, &why) || why.code != codeCalm:
				t.Errorf("it ended with %v", c.fault)
			}
			until(t, func() bool { return len(loads(tr)) == 0 })
		})
	}
}

func frameOrMore(i int) http2.FrameType {
	if i == 0 {
		return http2.FrameHeaders
	}
	return http2.FrameContinuation
}

// A head larger than the limits ends its stream, or the connection where it is larger than anything.
func TestTransportLargeHeads(t *testing.T) {
	w := newUpWorld(t, "poller")
	lim := Limits{Head: 4000, Fields: 10, Trailer: 100}
	var many []string
	for i := range 11 {
		many = append(many, fmt.Sprint("a", i), "b")
	}
	for name, fields := range map[string][]string{"long": {"a", strings.Repeat("x", 4000)}, "many": many} {
		t.Run(name, func(t *testing.T) {
			w := newUpWorld(t, "poller")
			o := w.newUpOrigin(func(p *upPeer) {
				p.hello()
				p.head(p.request(), true, append([]string{":status", "200"}, fields...)...)
				p.head(p.request(), true, ":status", "204")
				p.ended()
			})
			tr := w.transport(o.addr, TransportConfig{Limits: lim})
			w.ask(tr, "GET", "/").do().failed(weir.CauseUpstreamHeader, weir.RetryNever)
			w.ask(tr, "GET", "/").do().got(204, "")
		})
	}
	t.Run("interim", func(t *testing.T) {
		w := newUpWorld(t, "poller")
		o := w.newUpOrigin(func(p *upPeer) {
			p.hello()
			id := p.request()
			for range 3 {
				p.head(id, false, ":status", "103", "a", strings.Repeat("x", 1_500))
			}
			p.head(id, true, ":status", "204")
			p.ended()
		})
		tr := w.transport(o.addr, TransportConfig{Limits: lim})
		w.ask(tr, "GET", "/").do().failed(weir.CauseUpstreamHeader, weir.RetryNever)
	})
	o := w.newUpOrigin(func(p *upPeer) {
		p.hello()
		block := p.encode(":status", "200", "a", strings.Repeat("x", 20_000))
		id := p.request()
		p.put(func(fr *http2.Framer) {
			fr.WriteRawFrame(http2.FrameHeaders, 0, id, block[:1000])
			for i := 1000; i+1000 < len(block); i += 1000 {
				fr.WriteRawFrame(http2.FrameContinuation, 0, id, block[i:i+1000])
			}
		})
		if code := p.ended(); code != http2.ErrCodeEnhanceYourCalm {
			t.Errorf("ended with %v", code)
		}
	})
	tr := w.transport(o.addr, TransportConfig{Limits: lim})
	w.ask(tr, "GET", "/").do().failed(weir.CauseUpstreamProtocol, weir.RetryIdempotent)
}
