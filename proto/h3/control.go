package h3

import (
	"bufio"
	"context"
	"io"
	"sync"
	"sync/atomic"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
)

// A peer is what the other end of a connection says of the connection itself, on streams of their own: settings, the
// end that is near (RFC 9114, section 6.2), and QPACK's instructions, of which only those that do nothing may come.
type peer struct {
	q       *quic.Conn
	server  bool            // it is the server
	goAway  func(id uint64) // it takes no more requests from that id on
	said    atomic.Pointer[settings]
	settled chan struct{} // closed when it has sent its settings

	wishes   wishes
	requests atomic.Int64 // that there have been on the connection
	spent    atomic.Int64 // bytes that it has sent besides

	mu   sync.Mutex // protects seen
	seen uint8      // the streams that it may open once only, as bits
}

func newPeer(q *quic.Conn, server bool, goAway func(id uint64)) *peer {
	return &peer{q: q, server: server, goAway: goAway, settled: make(chan struct{})}
}

// What a peer may send on such streams: so much, and so much more for each request. Browsers change their minds about
// which answer they want first.
const (
	spendAtOnce     = 64 << 10
	spendByRequest  = 1 << 10
	spendForStream  = 256 // what a stream of an unknown kind counts as
	spendForFrame   = 16  // the least that a frame counts as
	mostSettingSize = 4 << 10
)

// spend counts n bytes.
func (p *peer) spend(n uint64) error {
	if p.spent.Add(int64(min(n, 1<<32))) > spendAtOnce+spendByRequest*p.requests.Load() {
		return &connError{codeExcessiveLoad, "too much on streams that carry no request"}
	}
	return nil
}

// fail ends the connection where err is a rule broken. Other errors mean that it has ended already.
func (p *peer) fail(err error) {
	if e, ok := err.(*connError); ok {
		p.q.CloseWithError(e.code.conn(), e.text)
	}
}

// serve takes the peer's unidirectional streams until the connection ends, and all that it has started has ended.
func (p *peer) serve() {
	var all sync.WaitGroup
	for {
		str, err := p.q.AcceptUniStream(context.Background())
		if err != nil {
			break
		}
		all.Go(func() {
			p.fail(p.uni(str))
			str.ReleaseStreamCredit()
		})
	}
	all.Wait()
}

// uni reads a unidirectional stream.
func (p *peer) uni(str *quic.ReceiveStream) error {
	r := bufio.NewReaderSize(str, 64)
	typ, err := quicvarint.Read(r)
	if err != nil {
		str.CancelRead(codeStreamCreation.stream())
		return p.spend(spendForStream) // it may end before its type has come
	}
	switch typ {
	case streamControl:
		return p.only(1<<streamControl, r, p.control)
	case streamEncoder:
		return p.only(1<<streamEncoder, r, encoderStream)
	case streamDecoder:
		return p.only(1<<streamDecoder, r, p.decoderStream)
	case streamPush:
		if p.server {
			return &connError{codeID, "a push that nobody has allowed"}
		}
		return &connError{codeStreamCreation, "a client can't push"}
	}
	str.CancelRead(codeStreamCreation.stream())
	return p.spend(spendForStream)
}

// only reads a stream that there may be one of, and that must not end before the connection.
func (p *peer) only(bit uint8, r *bufio.Reader, read func(*bufio.Reader) error) error {
	p.mu.Lock()
	again := p.seen&bit != 0
	p.seen |= bit
	p.mu.Unlock()
	if again {
		return &connError{codeStreamCreation, "a stream that there may be one of only"}
	}
	err := read(r)
	if _, reset := err.(*quic.StreamError); reset || err == io.EOF || err == io.ErrUnexpectedEOF {
		return &connError{codeClosedCritical, "a stream has ended that must not"}
	}
	return err
}

// control reads the control stream.
func (p *peer) control(r *bufio.Reader) error {
	if err := p.readSettings(r); err != nil {
		return err
	}
	lastID, push := uint64(1<<62), uint64(0)
	for {
		typ, payload, err := p.controlFrame(r)
		if err != nil {
			return err
		}
		switch typ {
		case frameGoAway:
			if payload > lastID || p.server && payload%4 != 0 {
				return &connError{codeID, "GOAWAY with an id that may not be"}
			}
			lastID = payload
			p.goAway(payload)
		case frameMaxPush:
			if p.server {
				return errUnexpected
			}
			if payload < push {
				return &connError{codeID, "MAX_PUSH_ID has become less"}
			}
			push = payload
		case frameCancelPush:
			return &connError{codeID, "CANCEL_PUSH of what was never promised"}
		}
	}
}

// readSettings reads what a control stream must begin with.
func (p *peer) readSettings(r *bufio.Reader) error {
	typ, length, err := frameHeader(r)
	switch {
	case err != nil:
		return err
	case typ != frameSettings:
		return &connError{codeMissingSettings, "the control stream does not begin with SETTINGS"}
	case length > mostSettingSize:
		return &connError{codeExcessiveLoad, "SETTINGS is too long"}
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(r, payload); err != nil {
		return err
	}
	said, bad := parseSettings(payload)
	if bad != nil {
		return bad
	}
	p.said.Store(&said)
	close(p.settled)
	return nil
}

// controlFrame reads the next frame that weir knows, and its payload, which is a number in all of them.
func (p *peer) controlFrame(r *bufio.Reader) (typ, payload uint64, err error) {
	for {
		typ, length, err := frameHeader(r)
		if err != nil {
			return 0, 0, err
		}
		if err := p.spend(max(length, spendForFrame)); err != nil {
			return 0, 0, err
		}
		switch {
		case typ == frameSettings || typ == frameData || typ == frameHeaders || typ == framePushPromise || isReserved(typ):
			return 0, 0, errUnexpected
		case isControl(typ):
			payload, err := number(r, length)
			return typ, payload, err
		case isPriorityUpdate(typ):
			if err := p.priorityUpdate(r, typ, length); err != nil {
				return 0, 0, err
			}
			continue
		}
		if _, err := r.Discard(int(length)); err != nil {
			return 0, 0, err
		}
	}
}

func frameHeader(r *bufio.Reader) (typ, length uint64, err error) {
	if typ, err = quicvarint.Read(r); err == nil {
		length, err = quicvarint.Read(r)
	}
	return typ, length, err
}

// number reads a payload that is one number and nothing else.
func number(r *bufio.Reader, length uint64) (uint64, error) {
	var p [8]byte
	if length < 1 || length > 8 {
		return 0, &connError{codeFrame, "the length of a frame does not fit its type"}
	}
	if _, err := io.ReadFull(r, p[:length]); err != nil {
		return 0, err
	}
	v, n, err := quicvarint.Parse(p[:length])
	if err != nil || uint64(n) != length {
		return 0, &connError{codeFrame, "the length of a frame does not fit its content"}
	}
	return v, nil
}

// encoderStream reads QPACK's instructions for a dynamic table that has no room. The one that may come says that it
// shall have none (RFC 9204, section 4.3.1).
func encoderStream(r *bufio.Reader) error {
	for {
		b, err := r.ReadByte()
		if err != nil {
			return err
		}
		if b != 0x20 {
			return &connError{codeEncoderStream, "an instruction for a dynamic table, which has no room"}
		}
	}
}

// decoderStream reads what a peer says of sections that referred to the dynamic table: there are none. It may tell of
// streams that it has given up all the same (RFC 9204, section 4.4.2).
func (p *peer) decoderStream(r *bufio.Reader) error {
	for {
		b, err := r.ReadByte()
		if err != nil {
			return err
		}
		if b&0xc0 != 0x40 {
			return &connError{codeDecoderStream, "a word on a dynamic table that nobody has used"}
		}
		n := uint64(1)
		for more := b&0x3f == 0x3f; more; n++ {
			if b, err = r.ReadByte(); err != nil {
				return err
			}
			if more = b&0x80 != 0; n > 9 {
				return &connError{codeDecoderStream, "a number too large"}
			}
		}
		if err := p.spend(n); err != nil {
			return err
		}
	}
}
