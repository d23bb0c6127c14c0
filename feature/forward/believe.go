package forward

import (
	"net/netip"
	"strings"

	"weir"
	"weir/internal/syntax"
)

// Notes for the log about a trusted proxy that can't be understood.
const (
	noteFor       = "X-Forwarded-For of a trusted proxy holds something that is no address"
	noteForwarded = "Forwarded of a trusted proxy is malformed"
	noteHost      = "X-Forwarded-Host of a trusted proxy is malformed"
	noteProto     = "X-Forwarded-Proto of a trusted proxy is malformed"
)

type believer struct {
	next    weir.Handler
	trusted func(netip.Addr) bool
	fields  Mode
	host    bool
}

// NewBelieve returns a handler that settles who the client is (Client, ClientIP and Request.Scheme of the
// exchange), removes from the request what nobody trusted vouches for, and then asks next, the router.
//
// From a peer that is not trusted every field of the family is removed: Forwarded, X-Real-IP and whatever
// begins with X-Forwarded, also with underscores, which servers by way of CGI take for the same.
func NewBelieve(cfg BelieveConfig, next weir.Handler) (weir.Handler, error) {
	if cfg.Fields > Off {
		return nil, errMode(cfg.Fields)
	}
	b := &believer{next: next, trusted: cfg.Trusted, fields: cfg.Fields, host: cfg.Host}
	if b.trusted == nil {
		b.trusted = func(netip.Addr) bool { return false }
	}
	return b, nil
}

// ServeExchange implements weir.Handler.
func (b *believer) ServeExchange(x *weir.Exchange) error {
	switch {
	case !x.Conn.Trusted:
		forget(&x.Request.Header)
	case b.fields == Off:
	case b.fields != RFC7239 && speaksX(&x.Request.Header):
		x.Request.Header.DelKnown(weir.FieldForwarded)
		b.believeX(x)
	case x.Request.Header.HasKnown(weir.FieldForwarded):
		forgetX(&x.Request.Header)
		b.believeForwarded(x)
	default:
		forgetX(&x.Request.Header)
	}
	return b.next.ServeExchange(x)
}

// forget removes all fields that say where a request came from.
func forget(h *weir.Header) {
	fields := h.Fields()
	for i := range fields {
		if fields[i].ID == weir.FieldForwarded || isX(&fields[i]) {
			h.DelFunc(func(f *weir.Field) bool { return f.ID == weir.FieldForwarded || isX(f) })
			return
		}
	}
}

func forgetX(h *weir.Header) { h.DelFunc(isX) }

// isX reports whether f belongs to the X-Forwarded family, X-Real-IP included.
func isX(f *weir.Field) bool {
	switch f.ID {
	case weir.FieldXForwardedFor, weir.FieldXForwardedHost, weir.FieldXForwardedPrefix, weir.FieldXForwardedProto, weir.FieldXRealIP:
		return true
	case weir.FieldOther:
		return len(f.Name) >= len("x-real-ip") && f.Name[0]|0x20 == 'x' &&
			(startsFold(f.Name, "x-forwarded") || len(f.Name) == len("x-real-ip") && startsFold(f.Name, "x-real-ip"))
	}
	return false
}

// startsFold reports whether name begins with prefix, which is in lower case; "_" is taken for "-".
func startsFold(name, prefix string) bool {
	if len(name) < len(prefix) {
		return false
	}
	for i := 0; i < len(prefix); i++ {
		c := name[i]
		switch {
		case c == '_':
			c = '-'
		case 'A' <= c && c <= 'Z':
			c |= 0x20
		}
		if c != prefix[i] {
			return false
		}
	}
	return true
}

// speaksX reports whether the proxy has said anything in the X-Forwarded family.
func speaksX(h *weir.Header) bool {
	fields := h.Fields()
	for i := range fields {
		switch fields[i].ID {
		case weir.FieldXForwardedFor, weir.FieldXForwardedProto, weir.FieldXForwardedHost:
			return true
		}
	}
	return false
}

// believeX takes over what the X-Forwarded fields say, and leaves of each what is believed.
func (b *believer) believeX(x *weir.Exchange) {
	h := &x.Request.Header
	h.DelFunc(func(f *weir.Field) bool {
		return f.ID == weir.FieldOther && isX(f) && strings.IndexByte(f.Name, '_') >= 0
	})
	hop := 1
	if list, ok := joined(h, weir.FieldXForwardedFor); ok {
		w := b.walk(list)
		hop = max(w.taken, 1)
		h.DelKnown(weir.FieldXForwardedFor)
		if w.taken > 0 {
			b.setClient(x, w.client, w.text)
			h.AddKnown(weir.FieldXForwardedFor, list[w.from:])
		}
		if w.malformed {
			x.Note = noteFor
		}
	}
	b.believeProto(x, hop)
	b.believeHost(x, hop)
	believeRest(x)
}

// believeProto takes over the scheme that the hop-th proxy from the right saw.
func (b *believer) believeProto(x *weir.Exchange, hop int) {
	h := &x.Request.Header
	list, ok := joined(h, weir.FieldXForwardedProto)
	if !ok {
		return
	}
	scheme := schemeOf(fromRight(list, hop))
	if scheme == "" {
		x.Note = noteProto
		h.DelKnown(weir.FieldXForwardedProto)
		return
	}
	x.Request.Scheme = scheme
	h.SetKnown(weir.FieldXForwardedProto, scheme)
}

// believeHost leaves the host that the hop-th proxy from the right was asked for.
func (b *believer) believeHost(x *weir.Exchange, hop int) {
	h := &x.Request.Header
	list, ok := joined(h, weir.FieldXForwardedHost)
	if !ok {
		return
	}
	b.setHost(x, fromRight(list, hop))
}

func (b *believer) setHost(x *weir.Exchange, host string) {
	h := &x.Request.Header
	if !syntax.IsAuthority(host) {
		x.Note = noteHost
		h.DelKnown(weir.FieldXForwardedHost)
		return
	}
	h.SetKnown(weir.FieldXForwardedHost, host)
	if b.host {
		x.Request.Authority = host
	}
}

// believeRest looks after the fields that only are passed on.
func believeRest(x *weir.Exchange) {
	h := &x.Request.Header
	if p, ok := h.LookupKnown(weir.FieldXForwardedPrefix); ok {
		if n, fit := weir.Normalize(p); !fit || strings.HasPrefix(n, "//") {
			h.DelKnown(weir.FieldXForwardedPrefix)
		} else {
			h.SetKnown(weir.FieldXForwardedPrefix, n)
		}
	}
	if h.HasKnown(weir.FieldXRealIP) {
		h.SetKnown(weir.FieldXRealIP, x.ClientIP)
	}
	if p, ok := h.Lookup(fieldPort); ok && !syntax.IsPort(p) {
		h.Del(fieldPort)
	}
}

// setClient makes addr the client; text is how the proxy wrote it.
func (b *believer) setClient(x *weir.Exchange, addr netip.Addr, text string) {
	x.Client = addr
	var room [64]byte
	if canonical := addr.AppendTo(room[:0]); string(canonical) == text {
		x.ClientIP = text
	} else {
		x.ClientIP = string(canonical)
	}
}

// joined returns the value of the fields with that name as one list.
func joined(h *weir.Header, id weir.FieldID) (string, bool) {
	list, found := "", false
	fields := h.Fields()
	for i := range fields {
		switch {
		case fields[i].ID != id:
		case found:
			list += ", " + fields[i].Value
		default:
			list, found = fields[i].Value, true
		}
	}
	return list, found
}
