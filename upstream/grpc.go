package upstream

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"weir"
	"weir/internal/clock"
)

// A call is one check on a transport of its own: an exchange that weir itself is the client of. It is the exchange's
// Stream.
type call struct {
	x     weir.Exchange
	judge func(*weir.Response) error // says of an answer why the server is not well
	err   error                      // why the server is not well

	mu      sync.Mutex // protects what follows
	watched weir.Canceler
	gone    bool // nobody waits any more
}

// call makes one check of ep on a transport of its own: by gRPC's health protocol (grpc/doc/health-checking.md), or with
// an ordinary request.
func (h *Health) call(ctx context.Context, ep *weir.Endpoint) error {
	t := h.Transport(ep)
	defer t.Close()
	c := &call{judge: h.judgeAnswer}
	c.x.Reset(&weir.Conn{Protocol: "HTTP/2", Opened: clock.Now()})
	c.x.Timing.Start = clock.Now()
	if h.GRPC {
		c.judge = judgeGRPC
		h.fillGRPC(&c.x.Request, ep)
	} else {
		h.fill(&c.x.Request, ep)
	}
	for _, f := range h.Header {
		c.x.Request.Header.Add(f.Name, f.Value)
	}
	defer context.AfterFunc(ctx, c.leave)()
	weir.Serve(weir.HandlerFunc(t.RoundTrip), &c.x, c, c)
	return c.err
}

// fillGRPC makes the request of a check by gRPC.
func (h *Health) fillGRPC(r *weir.Request, ep *weir.Endpoint) {
	r.Method, r.Scheme, r.Protocol = "POST", "http", "HTTP/2"
	r.Authority, r.Path = h.host(ep), "/grpc.health.v1.Health/Check"
	r.Body, r.TETrailers = weir.NewBody(healthRequest(h.Service)), true
	r.Header.AddKnown(weir.FieldContentType, "application/grpc")
	r.Header.AddKnown(weir.FieldUserAgent, "weir-health")
}

// fill makes the request of an ordinary check.
func (h *Health) fill(r *weir.Request, ep *weir.Endpoint) {
	r.Method, r.Scheme, r.Protocol = h.Method, "http", "HTTP/1.1"
	r.Authority = h.host(ep)
	r.Path, r.Query, _ = strings.Cut(h.Path, "?")
	r.RawPath = r.Path
	r.Header.AddKnown(weir.FieldUserAgent, "weir-health")
}

// Inform implements weir.Stream.
func (c *call) Inform(int, *weir.Header) error { return nil }

// Observe implements weir.Observer.
func (c *call) Observe(*weir.Exchange) {}

// Reset implements weir.Stream.
func (c *call) Reset(f *weir.Fault) { c.err = f }

// Watch implements weir.Stream.
func (c *call) Watch(w weir.Canceler) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watched = w
	if c.gone && w != nil {
		w.Cancel()
	}
}

// leave breaks the check off.
func (c *call) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true
	if c.watched != nil {
		c.watched.Cancel()
	}
}

var errLongAnswer = errors.New("the answer is longer than any to a check is")

// Respond implements weir.Stream: it judges the answer.
func (c *call) Respond(x *weir.Exchange) error {
	if x.Fault != nil {
		c.err = x.Fault
		return nil
	}
	c.err = c.judge(&x.Response)
	x.Response.Discard()
	return nil
}

// judgeAnswer judges the answer to an ordinary check.
func (h *Health) judgeAnswer(r *weir.Response) error {
	if !h.expects(r.Status) {
		return h.unexpected(r.Status)
	}
	if h.Match == "" {
		return nil
	}
	var content []byte
	var err error
	if r.Body != nil {
		content, err = io.ReadAll(io.LimitReader(r.Body, maxCheckBody))
	}
	return h.search(content, err)
}

// judgeGRPC judges the answer to a check by gRPC.
func judgeGRPC(r *weir.Response) error {
	if r.Status != 200 {
		return fmt.Errorf("status %d, expected 200 of a server of gRPC", r.Status)
	}
	var message []byte
	fields := &r.Header
	if b := r.Body; b != nil {
		var err error
		if message, err = io.ReadAll(io.LimitReader(b, maxCheckBody)); err == nil && len(message) == maxCheckBody {
			err = errLongAnswer
		}
		if err != nil {
			return err
		}
		if t := b.Trailer(); t != nil {
			fields = t
		}
	}
	return judgeCall(fields, message)
}

// judgeCall judges an answer by the fields that tell how the call ended, and by what was said before.
func judgeCall(fields *weir.Header, message []byte) error {
	switch code := fields.Get("grpc-status"); {
	case code == "":
		return errors.New("the answer has no grpc-status: it is none of gRPC")
	case code != "0":
		return fmt.Errorf("grpc-status %.3q: %.100q", code, fields.Get("grpc-message"))
	}
	status, ok := healthStatus(message)
	switch {
	case !ok:
		return errors.New("the answer is no message of gRPC's health protocol")
	case status != healthServing:
		return errors.New("its status is " + healthName(status))
	}
	return nil
}

// Statuses of gRPC's health protocol.
const healthServing = 1

func healthName(status uint64) string {
	if names := [...]string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}; status < uint64(len(names)) {
		return names[status]
	}
	return strconv.FormatUint(status, 10)
}

// grpcPrefix is what precedes each message: whether it is compressed, and its length.
const grpcPrefix = 5

// healthRequest returns a HealthCheckRequest, with its prefix: field 1 is the service's name.
func healthRequest(service string) string {
	var m []byte
	if service != "" {
		m = append(binary.AppendUvarint([]byte{1<<3 | wireBytes}, uint64(len(service))), service...)
	}
	return string(append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(m))), m...))
}

// The wire types of Protocol Buffers that are understood.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// healthStatus returns what a HealthCheckResponse says, which comes with its prefix: the last field 1, or 0 where there is
// none. ok: it is one.
func healthStatus(p []byte) (status uint64, ok bool) {
	if len(p) < grpcPrefix || p[0] != 0 || uint64(binary.BigEndian.Uint32(p[1:])) != uint64(len(p)-grpcPrefix) {
		return 0, false
	}
	for p = p[grpcPrefix:]; len(p) > 0; {
		tag, n := binary.Uvarint(p)
		if n <= 0 {
			return 0, false
		}
		value, size := field(tag&7, p[n:])
		if size < 0 || tag>>3 == 0 {
			return 0, false
		}
		if tag == 1<<3|wireVarint {
			status = value
		}
		p = p[n+size:]
	}
	return status, true
}

// field reads what stands behind a tag, and returns its size; -1: it is malformed. value is that of a varint.
func field(wire uint64, p []byte) (value uint64, size int) {
	switch wire {
	case wireVarint, wireBytes:
		v, n := binary.Uvarint(p)
		switch {
		case n <= 0, wire == wireBytes && v > uint64(len(p)-n):
			return 0, -1
		case wire == wireBytes:
			return 0, n + int(v)
		}
		return v, n
	case wireFixed64:
		size = 8
	case wireFixed32:
		size = 4
	}
	if size == 0 || size > len(p) {
		return 0, -1
	}
	return 0, size
}
