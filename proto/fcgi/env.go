package fcgi

import (
	"net/netip"
	"strconv"
	"strings"

	"weir"
)

// An environment makes the variables of requests.
type environment struct {
	scripts scripts
	own     map[string]string // of the configuration: they take the place of others
	names   []string          // its keys in order
}

// appendTo appends the variables of x's request, which is for that script and has a body of that length (-1: none).
func (e *environment) appendTo(out []byte, x *weir.Exchange, sc script, length int64) ([]byte, error) {
	w := variables{params: newParams(out), own: e.own}
	w.script(&e.scripts, sc)
	w.request(&x.Request, sc.path, length)
	w.connection(x)
	w.fields(&x.Request)
	for _, name := range e.names {
		w.params.add(name, e.own[name])
	}
	return w.params.finish()
}

// A variables writes those variables that the configuration does not set itself.
type variables struct {
	params paramWriter
	own    map[string]string
}

func (w *variables) set(name, value string) {
	if _, taken := w.own[name]; !taken {
		w.params.add(name, value)
	}
}

func (w *variables) script(s *scripts, sc script) {
	w.set("SCRIPT_FILENAME", s.file(sc))
	w.set("SCRIPT_NAME", sc.name)
	w.set("DOCUMENT_ROOT", s.root)
	w.set("DOCUMENT_URI", sc.name+sc.info)
	if sc.info != "" {
		w.set("PATH_INFO", sc.info)
	}
}

// request sets what the request line says. REQUEST_URI has the path in its normal form and after rewriting, as every
// server behind weir gets it: an application that routes by it sees what weir's own rules have seen.
func (w *variables) request(r *weir.Request, path string, length int64) {
	w.set("GATEWAY_INTERFACE", "CGI/1.1")
	w.set("SERVER_SOFTWARE", "weir")
	w.set("SERVER_PROTOCOL", protocol(r.Protocol))
	w.set("REDIRECT_STATUS", "200") // without it a PHP that was built to be careful refuses
	w.set("REQUEST_METHOD", r.Method)
	w.set("REQUEST_SCHEME", r.Scheme)
	if r.Scheme == "https" {
		w.set("HTTPS", "on")
	}
	w.set("QUERY_STRING", r.Query)
	if r.HasQuery() {
		w.set("REQUEST_URI", path+"?"+r.Query)
	} else {
		w.set("REQUEST_URI", path)
	}
	if length >= 0 {
		w.set("CONTENT_LENGTH", strconv.FormatInt(length, 10))
	}
	if v, ok := r.Header.LookupKnown(weir.FieldContentType); ok {
		w.set("CONTENT_TYPE", v)
	}
}

// protocol is the version as other servers tell it: scripts begin their own status lines with it.
func protocol(p string) string {
	switch p {
	case "HTTP/2", "HTTP/3":
		return p + ".0"
	case "":
		return "HTTP/1.1"
	}
	return p
}

// connection sets who asks whom. The server's name and port are the ones that the client asked for: they make up the
// links that a script writes, and the socket's own port is no good for those behind another proxy or a container.
func (w *variables) connection(x *weir.Exchange) {
	c, r := x.Conn, &x.Request
	if x.ClientIP != "" {
		w.set("REMOTE_ADDR", x.ClientIP)
	}
	if c.Remote.IsValid() && x.Client == c.Remote.Addr() {
		w.set("REMOTE_PORT", strconv.Itoa(int(c.Remote.Port())))
	}
	if c.Local.IsValid() {
		w.set("SERVER_ADDR", c.Local.Addr().String())
	}
	name, port := serverName(r, c.Local)
	w.set("SERVER_NAME", name)
	w.set("SERVER_PORT", port)
}

func serverName(r *weir.Request, local netip.AddrPort) (name, port string) {
	name = r.Host()
	_, port, _ = strings.Cut(r.Authority[strings.IndexByte(r.Authority, ']')+1:], ":")
	if port == "" {
		port = "80"
		if r.Scheme == "https" {
			port = "443"
		}
	}
	if name == "" && local.IsValid() {
		name = local.Addr().String()
	}
	if strings.IndexByte(name, ':') >= 0 {
		name = "[" + name + "]" // RFC 3875, section 4.1.14
	}
	return name, port
}

// fields sets HTTP_ variables. Fields whose names are not made of letters, digits and dashes are left out: "_" and, in
// PHP, "." become the same variable as "-", so that a client could say by X_Real_IP what it may not say by X-Real-IP.
// Proxy is left out since programs take HTTP_PROXY for their own setting ("httpoxy", CVE-2016-5385).
func (w *variables) fields(r *weir.Request) {
	if r.Authority != "" {
		w.set("HTTP_HOST", r.Authority)
	}
	fields := r.Header.Fields()
	for i := range fields {
		f := &fields[i]
		if f.ID == weir.FieldContentType || connectionField(f.ID) || !plainName(f.Name) || weir.EqualFold(f.Name, "Proxy") {
			continue
		}
		if again(fields[:i], f) {
			continue
		}
		w.field(f.Name, joined(fields[i:]))
	}
}

func plainName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return name != ""
}

func again(before []weir.Field, f *weir.Field) bool {
	for i := range before {
		if weir.EqualFold(before[i].Name, f.Name) {
			return true
		}
	}
	return false
}

// joined returns the values of all fields that are called as the first one is, as one (RFC 9110, section 5.3; for
// cookies RFC 9113, section 8.2.3).
func joined(fields []weir.Field) string {
	first := &fields[0]
	value, between := first.Value, ", "
	if first.ID == weir.FieldCookie {
		between = "; "
	}
	for i := range fields[1:] {
		if f := &fields[1+i]; weir.EqualFold(f.Name, first.Name) {
			value += between + f.Value
		}
	}
	return value
}

// field sets the variable of a header field.
func (w *variables) field(name, value string) {
	const prefix = "HTTP_"
	if len(w.own) > 0 {
		if _, taken := w.own[prefix+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))]; taken {
			return
		}
	}
	if !w.params.open(len(prefix)+len(name), len(value)) {
		return
	}
	out := append(w.params.out, prefix...)
	for i := range len(name) {
		switch c := name[i]; {
		case c == '-':
			out = append(out, '_')
		case 'a' <= c && c <= 'z':
			out = append(out, c-'a'+'A')
		default:
			out = append(out, c)
		}
	}
	w.params.out = append(out, value...)
}
