package forward

import (
	"fmt"
	"strings"

	"weir"
	"weir/internal/syntax"
)

const fieldPort = "X-Forwarded-Port"

type writer struct {
	next   weir.Handler
	mode   Mode
	port   bool
	host   *weir.Template // nil: the client's
	naming                // Via
}

// New returns the middleware that makes a request ready for the next hop. A field of the family that is there
// already and that no trusted proxy has sent was set by the configuration, and stays as it is.
func New(cfg Config) (weir.Middleware, error) {
	if cfg.Mode > Off {
		return nil, errMode(cfg.Mode)
	}
	w := writer{mode: cfg.Mode, port: cfg.Port}
	var err error
	if w.naming, err = newNaming(cfg.Pseudonym, cfg.Loops); err != nil {
		return nil, err
	}
	if cfg.Host != "" && cfg.Host != "pass" {
		if w.host, err = parseHost(cfg.Host, cfg.Params); err != nil {
			return nil, err
		}
	}
	return func(next weir.Handler) weir.Handler {
		mine := w
		mine.next = next
		return &mine
	}, nil
}

func errMode(m Mode) error { return fmt.Errorf("forward mode %d is not known", m) }

// ServeExchange implements weir.Handler.
func (w *writer) ServeExchange(x *weir.Exchange) error {
	has := look(&x.Request.Header)
	if w.name != "" {
		if err := w.sign(x, has&hasVia != 0); err != nil {
			return err
		}
	}
	switch w.mode {
	case XForwarded:
		w.writeX(x, has)
		if has&hasForwarded != 0 {
			x.Request.Header.DelKnown(weir.FieldForwarded)
		}
	case RFC7239:
		writeForwarded(x)
		dropX(&x.Request.Header)
	case Both:
		w.writeX(x, has)
		writeForwarded(x)
	}
	if w.host == nil {
		return w.next.ServeExchange(x)
	}
	return as(x, w.host.String(x), w.next.ServeExchange)
}

// A has is a set of the fields that a header holds already.
type has uint8

const (
	hasFor has = 1 << iota
	hasProto
	hasHost
	hasForwarded
	hasVia
)

// look finds in one go what there is.
func look(h *weir.Header) (set has) {
	fields := h.Fields()
	for i := range fields {
		switch fields[i].ID {
		case weir.FieldXForwardedFor:
			set |= hasFor
		case weir.FieldXForwardedProto:
			set |= hasProto
		case weir.FieldXForwardedHost:
			set |= hasHost
		case weir.FieldForwarded:
			set |= hasForwarded
		case weir.FieldVia:
			set |= hasVia
		}
	}
	return set
}

// writeX writes X-Forwarded-For, -Proto and -Host.
func (w *writer) writeX(x *weir.Exchange, set has) {
	h := &x.Request.Header
	switch {
	case set&hasFor == 0:
		add(h, weir.FieldXForwardedFor, way(x))
	case x.Conn.Trusted && x.Conn.RemoteIP != "":
		h.SetKnown(weir.FieldXForwardedFor, h.Known(weir.FieldXForwardedFor)+", "+x.Conn.RemoteIP)
	}
	if set&hasProto == 0 {
		add(h, weir.FieldXForwardedProto, x.Request.Scheme)
	}
	if set&hasHost == 0 {
		add(h, weir.FieldXForwardedHost, x.Request.Authority)
	}
	if w.port {
		writePort(x)
	}
}

// add appends a field whose value is known to be fit for a head: an address, a scheme, or an authority that
// a protocol has checked.
func add(h *weir.Header, id weir.FieldID, value string) {
	if value != "" {
		h.AddWire(id, value)
	}
}

// way is the list of addresses that a request without X-Forwarded-For has come from.
func way(x *weir.Exchange) string {
	switch {
	case x.ClientIP == x.Conn.RemoteIP, x.Conn.RemoteIP == "":
		return x.ClientIP
	case x.ClientIP == "": // a trusted proxy does not tell
		return "unknown, " + x.Conn.RemoteIP
	}
	return x.ClientIP + ", " + x.Conn.RemoteIP
}

// writePort writes the port that the client has asked for.
func writePort(x *weir.Exchange) {
	h := &x.Request.Header
	if _, ok := h.Lookup(fieldPort); ok {
		return
	}
	host := x.Request.Authority
	if h, ok := x.Request.Header.LookupKnown(weir.FieldXForwardedHost); ok {
		host = h
	}
	port := "80"
	if colon := strings.LastIndexByte(host, ':'); colon >= 0 && syntax.IsPort(host[colon+1:]) {
		port = host[colon+1:]
	} else if x.Request.Scheme == "https" {
		port = "443"
	}
	h.Add(fieldPort, port)
}

// dropX removes X-Forwarded-For, -Proto and -Host, which Forwarded says as well.
func dropX(h *weir.Header) {
	h.DelFunc(func(f *weir.Field) bool {
		return f.ID == weir.FieldXForwardedFor || f.ID == weir.FieldXForwardedProto || f.ID == weir.FieldXForwardedHost
	})
}

// writeForwarded adds an element for the hop that has reached weir, and before it, where a trusted proxy has
// told of the client in the other family, one for the client.
func writeForwarded(x *weir.Exchange) {
	h := &x.Request.Header
	before, told := joined(h, weir.FieldForwarded)
	if told && !x.Conn.Trusted {
		return
	}
	b := append(x.Scratch[:0], before...)
	if told {
		b = append(b, ", "...)
	} else if x.ClientIP != x.Conn.RemoteIP {
		host := h.Known(weir.FieldXForwardedHost)
		if host == "" {
			host = x.Request.Authority
		}
		b = append(appendElement(b, x.ClientIP, host, x.Request.Scheme), ", "...)
	}
	b = appendElement(b, x.Conn.RemoteIP, x.Request.Authority, x.Conn.Scheme())
	x.Scratch = b
	h.SetKnown(weir.FieldForwarded, string(b))
}

// appendElement appends one element of Forwarded.
func appendElement(b []byte, ip, host, proto string) []byte {
	b = append(b, "for="...)
	switch {
	case ip == "":
		b = append(b, "unknown"...)
	case strings.IndexByte(ip, ':') >= 0:
		b = append(append(append(b, `"[`...), ip...), `]"`...)
	default:
		b = append(b, ip...)
	}
	if host != "" {
		b = append(b, ";host="...)
		if syntax.IsToken(host) {
			b = append(b, host...)
		} else {
			b = append(append(append(b, '"'), host...), '"')
		}
	}
	return append(append(b, ";proto="...), proto...)
}
