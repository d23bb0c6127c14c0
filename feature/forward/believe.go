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
	noteHidden    = "Forwarded of a trusted proxy hides the client"
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
// begins with X-Forwarded, also with underscores, which servers by way of CGI take for the same. Whoever the peer
// is, fields are removed that mean something to such servers alone: Proxy, and names that are those of a message's
// framing or of the connection but for underscores, such as Transfer_Encoding.
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
	h := &x.Request.Header
	there := survey(h)
	if there&foreign != 0 {
		h.DelFunc(func(f *weir.Field) bool { return kindOf(f) == foreign })
	}
	switch {
	case there&^foreign == 0:
	case !x.Conn.Trusted:
		h.DelFunc(func(f *weir.Field) bool { return kindOf(f) != 0 })
	case b.fields == Off:
	case b.fields != RFC7239 && there&xSpoken != 0:
		h.DelKnown(weir.FieldForwarded)
		b.believeX(x)
	default:
		h.DelFunc(isX)
		if there&forwarded != 0 {
			b.believeForwarded(x)
		}
	}
	return b.next.ServeExchange(x)
}

// A kind is what a field is to a believer; 0: nothing. Kinds are bits of a set.
type kind uint8

const (
	xSpoken   kind = 1 << iota // X-Forwarded-For, -Proto or -Host: a proxy that speaks has sent one of them
	xOther                     // the rest of the X-Forwarded family, X-Real-IP included
	forwarded                  // Forwarded
	foreign                    // what nobody is let send
)

// survey returns the kinds of all fields.
func survey(h *weir.Header) (set kind) {
	fields := h.Fields()
	for i := range fields {
		set |= kindOf(&fields[i])
	}
	return set
}

func kindOf(f *weir.Field) kind {
	switch f.ID {
	case weir.FieldOther:
		return kindOfName(f.Name)
	case weir.FieldXForwardedFor, weir.FieldXForwardedProto, weir.FieldXForwardedHost:
		return xSpoken
	case weir.FieldXForwardedPrefix, weir.FieldXRealIP:
		return xOther
	case weir.FieldForwarded:
		return forwarded
	}
	return 0
}

func kindOfName(name string) kind {
	switch {
	case len(name) < len("host_"):
	case name[0]|0x20 == 'x':
		if startsFold(name, "x-forwarded") || len(name) == len("x-real-ip") && startsFold(name, "x-real-ip") {
			return xOther
		}
	case name[0]|0x20 == 'p' && weir.EqualFold(name, "Proxy"), strings.IndexByte(name, '_') >= 0 && isFraming(name):
		return foreign
	}
	return 0
}

// isX reports whether f belongs to the X-Forwarded family, X-Real-IP included.
func isX(f *weir.Field) bool { return kindOf(f)&(xSpoken|xOther) != 0 }

// framingNames are those of fields that concern one connection or the framing of a message.
var framingNames = [...]string{
	"host", "connection", "content-length", "transfer-encoding", "trailer", "upgrade", "expect", "keep-alive",
	"proxy-connection", "proxy-authorization", "http2-settings",
}

// isFraming reports whether name, in which an underscore stands, is one of framingNames but for underscores.
func isFraming(name string) bool {
	name = strings.Trim(name, "_")
	for _, known := range framingNames {
		if len(name) == len(known) && startsFold(name, known) {
			return true
		}
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
		switch {
		case w.malformed:
			hop = w.taken + 1
			forgetClient(x, noteFor)
			h.AddKnown(weir.FieldXForwardedFor, behind("unknown", list[w.from:]))
		case w.taken > 0:
			b.setClient(x, w.client, w.text)
			h.AddKnown(weir.FieldXForwardedFor, list[w.from:])
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
		note(x, noteProto)
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
		note(x, noteHost)
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
	switch {
	case x.ClientIP == "":
		h.DelKnown(weir.FieldXRealIP)
	case h.HasKnown(weir.FieldXRealIP):
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

// forgetClient makes the client one that nobody knows: a trusted proxy says that it is not the client itself, and
// what it says of the client is no address.
func forgetClient(x *weir.Exchange, why string) {
	x.Client, x.ClientIP = netip.Addr{}, ""
	note(x, why)
}

// note is for the log. The first one counts: it says most.
func note(x *weir.Exchange, text string) {
	if x.Note == "" {
		x.Note = text
	}
}

// behind is a list that begins with first.
func behind(first, rest string) string {
	if rest == "" {
		return first
	}
	return first + ", " + rest
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
