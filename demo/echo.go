package demo

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"time"
)

// An echo is a WebSocket server (RFC 6455) that sends back each message. It works on plain sockets, as an
// application that knows nothing of weir would.
type echo struct {
	listener net.Listener
	done     sync.WaitGroup

	mu     sync.Mutex // protects conns and closed
	conns  map[net.Conn]bool
	closed bool
}

func startEcho() (*echo, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	e := &echo{listener: l, conns: map[net.Conn]bool{}}
	e.done.Go(e.accept)
	return e, nil
}

func (e *echo) addr() string { return e.listener.Addr().String() }

// close breaks off all connections and returns when they have ended.
func (e *echo) close() {
	e.listener.Close()
	e.mu.Lock()
	e.closed = true
	for c := range e.conns {
		c.Close()
	}
	e.mu.Unlock()
	e.done.Wait()
}

func (e *echo) accept() {
	for {
		c, err := e.listener.Accept()
		if err != nil {
			return
		}
		if !e.note(c) {
			c.Close()
			return
		}
		e.done.Go(func() {
			defer e.forget(c)
			serveSocket(c)
		})
	}
}

func (e *echo) note(c net.Conn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return false
	}
	e.conns[c] = true
	return true
}

func (e *echo) forget(c net.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.conns, c)
	c.Close()
}

const (
	socketGUID   = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455, section 1.3
	socketIdle   = time.Hour
	maxHead      = 64 << 10
	maxFrame     = 1 << 20
	opClose      = 8
	opPing       = 9
	opPong       = 10
	maskedFrame  = 0x80
	length16     = 126
	length64     = 127
	refuseSocket = "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: close, Upgrade\r\nContent-Length: 0\r\n\r\n"
)

// serveSocket answers the opening handshake and then sends back what comes.
func serveSocket(c net.Conn) {
	c.SetDeadline(time.Now().Add(socketIdle))
	head := textproto.NewReader(bufio.NewReader(io.LimitReader(c, maxHead)))
	if _, err := head.ReadLine(); err != nil {
		return
	}
	header, err := head.ReadMIMEHeader()
	if err != nil {
		return
	}
	key := header.Get("Sec-WebSocket-Key")
	if key == "" || !strings.EqualFold(header.Get("Upgrade"), "websocket") {
		io.WriteString(c, refuseSocket)
		return
	}
	sum := sha1.Sum([]byte(key + socketGUID))
	io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+
		base64.StdEncoding.EncodeToString(sum[:])+"\r\n\r\n")
	// The client sends frames only after it has the answer, so head has read none of them.
	r := bufio.NewReader(c)
	for echoFrame(r, c) == nil {
		c.SetDeadline(time.Now().Add(socketIdle))
	}
}

var errSocket = errors.New("the connection is over")

// echoFrame sends one frame back: a ping as a pong, all others as they are.
func echoFrame(r *bufio.Reader, w io.Writer) error {
	first, payload, err := readFrame(r)
	if err != nil {
		return err
	}
	op := first & 0x0f
	switch op {
	case opPing:
		first = first&^0x0f | opPong
	case opPong:
		return nil
	}
	if _, err := w.Write(appendFrame(nil, first, payload)); err != nil {
		return err
	}
	if op == opClose {
		return errSocket
	}
	return nil
}

// readFrame reads a frame and takes the client's mask off.
func readFrame(r *bufio.Reader) (first byte, payload []byte, err error) {
	var head [14]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return 0, nil, err
	}
	n := uint64(head[1] &^ maskedFrame)
	switch n {
	case length16:
		_, err = io.ReadFull(r, head[2:4])
		n = uint64(binary.BigEndian.Uint16(head[2:4]))
	case length64:
		_, err = io.ReadFull(r, head[2:10])
		n = binary.BigEndian.Uint64(head[2:10])
	}
	if err != nil {
		return 0, nil, err
	}
	if n > maxFrame || head[1]&maskedFrame == 0 {
		return 0, nil, errSocket
	}
	mask := head[10:14]
	if _, err := io.ReadFull(r, mask); err != nil {
		return 0, nil, err
	}
	payload = make([]byte, n)
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, nil, err
	}
	for i := range payload {
		payload[i] ^= mask[i%4]
	}
	return head[0], payload, nil
}

func appendFrame(dst []byte, first byte, payload []byte) []byte {
	dst = append(dst, first)
	switch n := len(payload); {
	case n < length16:
		dst = append(dst, byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, length16), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, length64), uint64(n))
	}
	return append(dst, payload...)
}
