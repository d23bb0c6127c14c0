// Package requestid gives every exchange an id that logs, servers and clients can quote.
package requestid

import (
	"fmt"
	"math/rand/v2"
	"time"

	"weir"
	"weir/internal/syntax"
)

// Config is what New makes a middleware of.
type Config struct {
	Header string // "": X-Request-ID
	Accept string // whose id is taken over: "trusted" proxies' (also ""), "anyone"'s, or "never"
	Format string // "uuid" (version 7 of RFC 9562, which sorts by time; also "") or "hex" (128 random bits)
	Hide   bool   // the id does not go to the server
	Return bool   // the id goes back to the client, too

	Random func() uint64    // nil: the runtime's ChaCha8, which the system seeds
	Now    func() time.Time // nil: time.Now
}

type requestID struct {
	next   weir.Handler
	name   string
	field  weir.FieldID
	accept func(*weir.Exchange) bool
	hide   func(*weir.Field) bool // whether a field of a trailer has the id's name
	hex    bool
	cfg    Config
}

// New returns the middleware, for weir.PhaseObserve: before error pages, so that they can quote the id.
func New(cfg Config) (weir.Middleware, error) {
	r := requestID{name: cfg.Header, cfg: cfg, hex: cfg.Format == "hex"}
	if r.name == "" {
		r.name = "X-Request-ID"
	}
	r.field = weir.Identify(r.name)
	name := r.name
	r.hide = func(f *weir.Field) bool { return weir.EqualFold(f.Name, name) }
	if !syntax.IsToken(r.name) {
		return nil, fmt.Errorf("field name %q holds a character that no field name may", r.name)
	}
	if reason := r.field.Reserved(); reason != "" {
		return nil, fmt.Errorf("field %q can't hold a request id: %s", r.name, reason)
	}
	switch cfg.Accept {
	case "", "trusted":
		r.accept = func(x *weir.Exchange) bool { return x.Conn.Trusted }
	case "anyone":
		r.accept = func(*weir.Exchange) bool { return true }
	case "never":
		r.accept = func(*weir.Exchange) bool { return false }
	default:
		return nil, fmt.Errorf("request ids are not accepted from %q: write \"trusted\", \"anyone\" or \"never\"", cfg.Accept)
	}
	if cfg.Format != "" && cfg.Format != "uuid" && cfg.Format != "hex" {
		return nil, fmt.Errorf("format %q of request ids is not known: write \"uuid\" or \"hex\"", cfg.Format)
	}
	if r.cfg.Random == nil {
		r.cfg.Random = rand.Uint64
	}
	if r.cfg.Now == nil {
		r.cfg.Now = time.Now
	}
	return func(next weir.Handler) weir.Handler {
		mine := r
		mine.next = next
		return &mine
	}, nil
}

// ServeExchange implements weir.Handler.
func (r *requestID) ServeExchange(x *weir.Exchange) error {
	h := &x.Request.Header
	came, has := r.lookup(h)
	if has && r.accept(x) && isID(came) {
		x.ID = came
	} else {
		x.ID = r.make()
	}
	switch {
	case r.cfg.Hide && has:
		h.Del(r.name)
	case !r.cfg.Hide && !has:
		h.AddField(weir.Field{Name: r.name, Value: x.ID, ID: r.field, Wire: true})
	case !r.cfg.Hide:
		h.Set(r.name, x.ID)
	}
	x.Request.HideTrailer(r.hide)
	if !r.cfg.Return {
		return r.next.ServeExchange(x)
	}
	if err := r.next.ServeExchange(x); err != nil {
		x.Fail(err)
	}
	x.Response.Header.Set(r.name, x.ID)
	return nil
}

func (r *requestID) lookup(h *weir.Header) (string, bool) {
	if r.field != weir.FieldOther {
		return h.LookupKnown(r.field)
	}
	return h.Lookup(r.name)
}

// isID reports whether s is fit to be an id: up to 128 letters, digits and signs that need no quoting in
// logs, URLs or command lines.
func isID(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '_', c == '.', c == ':', c == '+', c == '/', c == '=', c == '@':
		default:
			return false
		}
	}
	return true
}

func (r *requestID) make() string {
	hi, lo := r.cfg.Random(), r.cfg.Random()
	if r.hex {
		var b [32]byte
		putHex(b[:16], hi)
		putHex(b[16:], lo)
		return string(b[:])
	}
	// 48 bits of milliseconds, version 7, 12 random bits; variant 2, 62 random bits.
	hi = uint64(r.cfg.Now().UnixMilli())<<16 | 7<<12 | hi&0xfff
	lo = 2<<62 | lo>>2
	var b [36]byte
	putHex(b[0:8], hi>>32)
	b[8] = '-'
	putHex(b[9:13], hi>>16)
	b[13] = '-'
	putHex(b[14:18], hi)
	b[18] = '-'
	putHex(b[19:23], lo>>48)
	b[23] = '-'
	putHex(b[24:36], lo)
	return string(b[:])
}

// putHex fills b with the lowest digits of v.
func putHex(b []byte, v uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = "0123456789abcdef"[v&15]
		v >>= 4
	}
}
