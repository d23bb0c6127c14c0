package admin

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// A guard stands before every request.
type guard struct {
	users *users // nil: everybody who gets here
	name  string // host that the configuration names; "" for none or an address
	csrf  *http.CrossOriginProtection
	log   *slog.Logger
}

var errNoUsers = errors.New("an address that others can reach needs users: name an htpasswd file, or listen on 127.0.0.1")

func newGuard(c Config, log *slog.Logger) (*guard, error) {
	g := &guard{csrf: http.NewCrossOriginProtection(), log: log}
	if c.Users != "" {
		u, err := readUsers(c.Users, log)
		if err != nil {
			return nil, err
		}
		g.users = u
	}
	if c.Listen == "" {
		return g, nil
	}
	if g.users == nil && !isLoopback(c.Listen) {
		return nil, fmt.Errorf("listen %q: %w", c.Listen, errNoUsers)
	}
	if host, _, err := net.SplitHostPort(c.Listen); err == nil {
		g.name = strings.ToLower(host)
	}
	return g, nil
}

// wrap puts the guard before next.
func (g *guard) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setSecurityHeaders(w.Header())
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if status, why := g.judge(w, r); status != 0 {
			g.log.Debug("admin request refused", "client", r.RemoteAddr, "status", status, "error", why)
			http.Error(w, why, status)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// judge returns the status of a refusal and its reason, or 0.
func (g *guard) judge(w http.ResponseWriter, r *http.Request) (status int, why string) {
	if bySocket(r) || r.URL.Path == "/healthz" {
		return 0, ""
	}
	if g.users == nil && !g.knows(r.Host) {
		return http.StatusMisdirectedRequest, "this is not the host's name; ask for localhost or the address"
	}
	if err := g.csrf.Check(r); err != nil {
		return http.StatusForbidden, "a page of another website asks for this"
	}
	if g.users != nil && !g.users.admit(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="weir", charset="UTF-8"`)
		return http.StatusUnauthorized, "name and password, please"
	}
	return 0, ""
}

// bySocket reports whether r came through the unix socket, whose permissions have judged already.
func bySocket(r *http.Request) bool {
	a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && a.Network() == "unix"
}

// knows reports whether a page cannot have got here by a name of its own that resolves to our address: an
// address as Host, localhost, or the name that the configuration gives. Where there are users, a browser
// does not send their password to a page's own name, and any name is good.
func (g *guard) knows(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || g.name != "" && host == g.name
}

func setSecurityHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}
