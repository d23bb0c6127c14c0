// Package https sends what comes unencrypted to https, and has browsers remember that there is such a thing
// (Strict-Transport-Security, RFC 6797).
package https

import (
	"strconv"
	"strings"
	"time"

	"weir"
)

// Config is what New makes a middleware of.
type Config struct {
	// Port returns the port that answers https; nil: requests that come unencrypted are not sent anywhere.
	Port func() int
	// Knows, if not nil, tells whether there may be a certificate for a host: requests for others are not sent to https, and
	// learn no more than those for a host of no site.
	Knows func(host string) bool
	// HSTS is how long browsers shall come by https alone; 0: nothing is said of it.
	HSTS time.Duration
	// Covers, if not nil, tells whether a connection, which may be unencrypted, was agreed on as this site wants it.
	// Requests on others are answered with 421.
	Covers func(*weir.Conn) bool
}

// New returns the middleware, for weir.PhaseObserve, or nil where there is nothing to do.
func New(cfg Config) weir.Middleware {
	if cfg.Port == nil && cfg.HSTS <= 0 && cfg.Covers == nil {
		return nil
	}
	age := ""
	if cfg.HSTS > 0 {
		age = "max-age=" + strconv.FormatInt(int64(cfg.HSTS/time.Second), 10)
	}
	return func(next weir.Handler) weir.Handler { return &https{next, cfg.Port, cfg.Knows, age, cfg.Covers} }
}

type https struct {
	next   weir.Handler
	port   func() int
	knows  func(string) bool
	age    string // the field's value; "": it is not sent
	covers func(*weir.Conn) bool
}

// ServeExchange implements weir.Handler. Browsers ignore the field where it comes unencrypted, and it must not be
// sent there (RFC 6797, section 7.2).
func (h *https) ServeExchange(x *weir.Exchange) error {
	if x.Request.Scheme != "https" && h.port != nil {
		return h.redirect(x)
	}
	if h.covers != nil && !h.covers(x.Conn) {
		return weir.Refuse(weir.CauseMisdirected, "https")
	}
	if x.Request.Scheme != "https" || h.age == "" {
		return h.next.ServeExchange(x)
	}
	if err := h.next.ServeExchange(x); err != nil {
		x.Fail(err)
	}
	if x.Response.Status >= 200 {
		x.Response.Header.Set("Strict-Transport-Security", h.age)
	}
	return nil
}

// redirect answers with the same address under https: for ever to GET and HEAD, as browsers know it, and otherwise
// with the status that keeps method and body.
func (h *https) redirect(x *weir.Exchange) error {
	r := &x.Request
	if r.Authority == "" || !strings.HasPrefix(r.RawPath, "/") {
		return weir.Refuse(weir.CauseRequestHost, "redirect to https")
	}
	if h.knows != nil && !h.knows(r.Host()) {
		return weir.Refuse(weir.CauseNoSite, "redirect to https")
	}
	status := 308
	if r.Method == "GET" || r.Method == "HEAD" {
		status = 301
	}
	x.Response.Text(status, weir.StatusText(status)+"\n")
	x.Response.Header.Add("Location", location(r, h.port()))
	return nil
}

func location(r *weir.Request, port int) string {
	var b strings.Builder
	b.WriteString("https://")
	b.WriteString(withoutPort(r.Authority))
	if port != 443 {
		b.WriteString(":" + strconv.Itoa(port))
	}
	b.WriteString(r.RawPath)
	if r.HasQuery() {
		b.WriteString("?" + r.Query)
	}
	return b.String()
}

// withoutPort returns the host of an authority as a URL has it: an IPv6 address keeps its brackets.
func withoutPort(authority string) string {
	if end := strings.LastIndexByte(authority, ']'); end >= 0 {
		return authority[:end+1]
	}
	host, _, _ := strings.Cut(authority, ":")
	return host
}
