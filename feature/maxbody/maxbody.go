// Package maxbody limits the size of request bodies. A body that announces more is refused before a byte of
// it is read; one that does not say how long it is ends with an error as soon as it is too long.
package maxbody

import (
	"fmt"

	"weir"
)

// Config is what New makes a middleware of.
type Config struct {
	Limit int64 // bytes; 0: no request may have a body
}

type maxbody struct {
	next  weir.Handler
	limit int64
}

// New returns the middleware, for weir.PhaseAdmit.
func New(cfg Config) (weir.Middleware, error) {
	if cfg.Limit < 0 {
		return nil, fmt.Errorf("the limit %d of request bodies is negative", cfg.Limit)
	}
	return func(next weir.Handler) weir.Handler { return &maxbody{next, cfg.Limit} }, nil
}

// ServeExchange implements weir.Handler.
func (m *maxbody) ServeExchange(x *weir.Exchange) error {
	if x.Request.Body == nil {
		return m.next.ServeExchange(x)
	}
	switch n := x.Request.Body.Len(); {
	case n > m.limit:
		return tooLarge(fmt.Sprintf("request body of %d bytes, %d are allowed", n, m.limit))
	case n < 0:
		x.Request.Body = &limited{Body: x.Request.Body, left: m.limit, limit: m.limit}
	}
	return m.next.ServeExchange(x)
}

func tooLarge(op string) *weir.Fault { return weir.Refuse(weir.CauseRequestBodyTooLarge, op) }

// limited is a body of unknown length that ends with an error at its limit.
type limited struct {
	weir.Body
	left  int64 // may still be read; negative: too much has been
	limit int64
}

// Read implements weir.Body. Where the limit is reached it still asks for one byte more: only that tells a
// body that is too long from one that just fits.
func (l *limited) Read(p []byte) (int, error) {
	if l.left < 0 {
		return 0, l.err()
	}
	if int64(len(p))-1 > l.left {
		p = p[:l.left+1]
	}
	n, err := l.Body.Read(p)
	if l.left -= int64(n); l.left >= 0 {
		return n, err
	}
	l.Body.Close()
	return n - 1, l.err()
}

func (l *limited) err() error {
	return tooLarge(fmt.Sprintf("request body: more than the %d bytes that are allowed", l.limit))
}
