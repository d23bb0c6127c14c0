package weir

import (
	"crypto/tls"
	"strconv"
	"strings"
	"time"

	"weir/internal/clock"
)

// A Placeholder is what a [Template] may name between braces.
type Placeholder struct {
	Name    string // "client.ip", or "header.NAME" where a name is to be put in the place of NAME
	Meaning string
}

// Placeholders returns all placeholders in the order of the reference, without those that a route's
// pattern names.
func Placeholders() []Placeholder {
	out := make([]Placeholder, len(placeholders))
	for i := range placeholders {
		out[i] = placeholders[i].Placeholder
	}
	return out
}

// An argument is what stands for NAME.
type argument struct {
	name string
	id   FieldID // of name
}

// A value finds the text of a placeholder: it returns it where it is at hand, and else appends it to dst.
type value func(dst []byte, x *Exchange, a *argument) ([]byte, string)

type placeholder struct {
	Placeholder
	value value
}

func (p *placeholder) takesArgument() bool { return strings.HasSuffix(p.Name, ".NAME") }

// prefix is the name without the argument: "header.".
func (p *placeholder) prefix() string { return strings.TrimSuffix(p.Name, "NAME") }

// argument returns what stands for NAME in name.
func (p *placeholder) argument(name string) string {
	if !p.takesArgument() {
		return ""
	}
	return name[len(p.prefix()):]
}

func findPlaceholder(name string) *placeholder {
	for i := range placeholders {
		p := &placeholders[i]
		if p.Name == name && !p.takesArgument() || p.takesArgument() && strings.HasPrefix(name, p.prefix()) {
			return p
		}
	}
	return nil
}

var placeholders = [...]placeholder{
	{Placeholder{"client.ip", "address of the client itself: the peer, or who a trusted proxy says it is"}, textOf(func(x *Exchange) string { return x.ClientIP })},
	{Placeholder{"client.net", "network of the client: /24 of an IPv4 address, /64 of an IPv6 address"}, valueClientNet},
	{Placeholder{"client.port", "port the client's connection comes from; empty where a trusted proxy speaks for the client"}, valueClientPort},
	{Placeholder{"conn.ip", "address of the connection's peer, be it the client or a proxy"}, textOf(func(x *Exchange) string { return x.Conn.RemoteIP })},
	{Placeholder{"listener", "name of the listener"}, textOf(func(x *Exchange) string { return x.Conn.Listener })},

	{Placeholder{"method", "request method, such as GET"}, textOf(func(x *Exchange) string { return x.Request.Method })},
	{Placeholder{"scheme", "http or https: how the client reached weir or the trusted proxy before it"}, textOf(func(x *Exchange) string { return x.Request.Scheme })},
	{Placeholder{"host", "host that is asked for, in lower case, without port; IPv6 addresses in brackets"}, valueHost},
	{Placeholder{"authority", "host and port that are asked for, as sent"}, textOf(func(x *Exchange) string { return x.Request.Authority })},
	{Placeholder{"port", "port that is asked for; 80 or 443 by scheme where none is named"}, textOf(authorityPort)},
	{Placeholder{"path", "path in its normal form, without query"}, textOf(func(x *Exchange) string { return x.Request.Path })},
	{Placeholder{"raw_path", "path as sent, without query"}, textOf(func(x *Exchange) string { return x.Request.RawPath })},
	{Placeholder{"query", "query as sent, without the question mark"}, textOf(func(x *Exchange) string { return x.Request.Query })},
	{Placeholder{"query.NAME", "value of the first query parameter of that name, decoded; as sent where it decodes to control characters"}, valueQuery},
	{Placeholder{"uri", "path and, where there is one, question mark and query"}, valueURI},
	{Placeholder{"protocol", "protocol of the request: HTTP/1.0, HTTP/1.1, HTTP/2 or HTTP/3"}, textOf(func(x *Exchange) string { return x.Request.Protocol })},
	{Placeholder{"header.NAME", "value of the first request header field of that name"}, valueHeader},
	{Placeholder{"cookie.NAME", "value of the first cookie of that name"}, valueCookie},
	{Placeholder{"request.id", "request id; empty where no request ids are made"}, textOf(func(x *Exchange) string { return x.ID })},
	{Placeholder{"tls.version", "version of TLS, such as \"TLS 1.3\"; empty without TLS"}, textOf(tlsVersion)},
	{Placeholder{"tls.server_name", "server name the client sent in TLS (SNI); empty without TLS"}, textOf(tlsServerName)},

	{Placeholder{"site", "name of the site; empty where there was none"}, textOf(siteName)},
	{Placeholder{"route", "the route's path as written; empty where there was none"}, textOf(routeName)},
	{Placeholder{"upstream", "name of the upstream; empty where weir answered itself"}, textOf(upstreamName)},
	{Placeholder{"server", "server that answered, or was tried last"}, textOf(serverName)},
	{Placeholder{"attempts", "number of servers that were tried"}, numberOf(func(x *Exchange) int64 { return int64(x.Attempts) })},

	{Placeholder{"status", "status of the response; empty before there is one"}, valueStatus},
	{Placeholder{"response.header.NAME", "value of the first response header field of that name"}, valueResponseHeader},
	{Placeholder{"grpc.status", "code with which a call of gRPC has ended, such as 0; empty for other exchanges"}, textOf(func(x *Exchange) string { return x.CallStatus })},
	{Placeholder{"cause", "code of the cause, such as upstream.connect_refused; empty where nothing went wrong"}, textOf(causeCode)},
	{Placeholder{"outcome", "ok, or the code of the cause"}, textOf(outcome)},
	{Placeholder{"duration", "seconds from the first byte of the request to the last of the response, with three decimals"}, valueDuration},
	{Placeholder{"bytes_in", "bytes of the request's body that came in"}, numberOf(func(x *Exchange) int64 { return x.BytesIn })},
	{Placeholder{"bytes_out", "bytes of the response's body that went out"}, numberOf(func(x *Exchange) int64 { return x.BytesOut })},
	{Placeholder{"time", "when the request came in, by RFC 3339 in UTC with milliseconds"}, valueTime},
}

func textOf(f func(*Exchange) string) value {
	return func(dst []byte, x *Exchange, _ *argument) ([]byte, string) { return dst, f(x) }
}

func numberOf(f func(*Exchange) int64) value {
	return func(dst []byte, x *Exchange, _ *argument) ([]byte, string) {
		return strconv.AppendInt(dst, f(x), 10), ""
	}
}

func valueParam(dst []byte, x *Exchange, a *argument) ([]byte, string) { return dst, x.Param(a.name) }

func valueClientNet(dst []byte, x *Exchange, _ *argument) ([]byte, string) {
	addr := x.Client.Unmap().WithZone("")
	bits := 64
	if addr.Is4() {
		bits = 24
	}
	net, err := addr.Prefix(bits)
	if err != nil {
		return dst, ""
	}
	return net.AppendTo(dst), ""
}

func valueClientPort(dst []byte, x *Exchange, _ *argument) ([]byte, string) {
	if !x.Conn.Remote.IsValid() || x.Client != x.Conn.Remote.Addr() {
		return dst, ""
	}
	return strconv.AppendUint(dst, uint64(x.Conn.Remote.Port()), 10), ""
}

// valueHost keeps the brackets of an IPv6 address, so that a URL can be made of it, and takes capitals
// away, so that a cache key that holds it is the same for every spelling.
func valueHost(dst []byte, x *Exchange, _ *argument) ([]byte, string) {
	host, _ := splitAuthority(x.Request.Authority)
	for i := range len(host) {
		if host[i] != lower(host[i]) {
			for j := range len(host) {
				dst = append(dst, lower(host[j]))
			}
			return dst, ""
		}
	}
	return dst, host
}

// splitAuthority cuts the port off; the brackets of an IPv6 address stay.
func splitAuthority(authority string) (host, port string) {
	colon := strings.LastIndexByte(authority, ':')
	if colon < 0 || colon < strings.LastIndexByte(authority, ']') {
		return authority, ""
	}
	return authority[:colon], authority[colon+1:]
}

func authorityPort(x *Exchange) string {
	if _, port := splitAuthority(x.Request.Authority); port != "" {
		return port
	}
	if x.Request.Scheme == "https" {
		return "443"
	}
	return "80"
}

func valueQuery(dst []byte, x *Exchange, a *argument) ([]byte, string) {
	raw, _ := x.Request.RawQueryValue(a.name)
	if decodesToItself(raw) {
		return dst, raw
	}
	begin := len(dst)
	dst = appendDecoded(dst, raw)
	if hasControl(dst[begin:]) {
		return dst[:begin], raw
	}
	return dst, ""
}

func hasControl[T string | []byte](s T) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return true
		}
	}
	return false
}

func valueURI(dst []byte, x *Exchange, _ *argument) ([]byte, string) {
	if !x.Request.HasQuery() {
		return dst, x.Request.Path
	}
	dst = append(dst, x.Request.Path...)
	dst = append(dst, '?')
	return append(dst, x.Request.Query...), ""
}

func valueHeader(dst []byte, x *Exchange, a *argument) ([]byte, string) {
	return dst, fieldValue(&x.Request.Header, a)
}

func valueResponseHeader(dst []byte, x *Exchange, a *argument) ([]byte, string) {
	return dst, fieldValue(&x.Response.Header, a)
}

func fieldValue(h *Header, a *argument) string {
	if a.id != FieldOther {
		return h.Known(a.id)
	}
	return h.Get(a.name)
}

func valueCookie(dst []byte, x *Exchange, a *argument) ([]byte, string) {
	v, _ := x.Request.Cookie(a.name)
	return dst, v
}

func tlsVersion(x *Exchange) string {
	if x.Conn.TLS == nil {
		return ""
	}
	return tls.VersionName(x.Conn.TLS.Version)
}

// tlsServerName is the one value that no protocol of ours has looked at: crypto/tls takes what the client
// sends.
func tlsServerName(x *Exchange) string {
	if x.Conn.TLS == nil || hasControl(x.Conn.TLS.ServerName) {
		return ""
	}
	return x.Conn.TLS.ServerName
}

func siteName(x *Exchange) string {
	if x.Route == nil {
		return ""
	}
	return x.Route.Site
}

func routeName(x *Exchange) string {
	if x.Route == nil {
		return ""
	}
	return x.Route.Name
}

func upstreamName(x *Exchange) string {
	switch {
	case x.Endpoint != nil:
		return x.Endpoint.Upstream
	case x.Route != nil:
		return x.Route.Upstream
	}
	return ""
}

func serverName(x *Exchange) string {
	if x.Endpoint == nil {
		return ""
	}
	return x.Endpoint.Name
}

func valueStatus(dst []byte, x *Exchange, _ *argument) ([]byte, string) {
	status := x.Response.Status
	if status == 0 {
		return dst, ""
	}
	return strconv.AppendInt(dst, int64(status), 10), ""
}

func causeCode(x *Exchange) string {
	if x.Fault == nil {
		return ""
	}
	return x.Fault.Cause.String()
}

func outcome(x *Exchange) string {
	if x.Fault == nil {
		return "ok"
	}
	return x.Fault.Cause.String()
}

func valueDuration(dst []byte, x *Exchange, _ *argument) ([]byte, string) {
	end := x.Timing.End
	if end == 0 {
		end = clock.Now()
	}
	ms := (end - x.Timing.Start) / int64(time.Millisecond)
	dst = strconv.AppendInt(dst, ms/1000, 10)
	return append(dst, '.', byte('0'+ms/100%10), byte('0'+ms/10%10), byte('0'+ms%10)), ""
}

func valueTime(dst []byte, x *Exchange, _ *argument) ([]byte, string) {
	return clock.Wall(x.Timing.Start).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z07:00"), ""
}
