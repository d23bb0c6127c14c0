package assemble

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"weir"
	"weir/proto/h1"
	"weir/server"
)

// choose returns the listener that a client of the URL would reach, or the one of that name, and why it is this one where
// no port leads there.
func (g *generation) choose(name string, u url) (l *server.ListenerSpec, why string, err error) {
	if name != "" {
		if l = g.spec(name); l == nil {
			return nil, "", fmt.Errorf("there is no listener %q", name)
		}
		return l, "", nil
	}
	sealed := u.scheme == "https"
	_, asked := u.split()
	var port, kind *server.ListenerSpec
	for i := len(g.snapshot.Listeners) - 1; i >= 0; i-- {
		l := &g.snapshot.Listeners[i]
		if strings.HasSuffix(l.Address, ":"+asked) && (port == nil || (port.TLS != nil) != sealed || (l.TLS != nil) == sealed) {
			port = l
		}
		if (l.TLS != nil) == sealed {
			kind = l
		}
	}
	switch {
	case port != nil:
		return port, "", nil
	case kind != nil:
		return kind, "none has port " + asked + ", and this is the first that speaks " + u.scheme, nil
	case len(g.snapshot.Listeners) > 0:
		return &g.snapshot.Listeners[0], "none has port " + asked + ", and this is the first", nil
	}
	return &server.ListenerSpec{}, "", nil
}

// version is what a client of the URL is taken to speak with a listener.
func version(l *server.ListenerSpec, u url) string {
	switch v := l.Versions; {
	case v.H1 || u.scheme == "http" && l.TLS != nil:
		return "1.1"
	case v.H2:
		return "2"
	case v.H3:
		return "3"
	}
	return "1.1"
}

// speaks reports whether a listener does.
func speaks(l *server.ListenerSpec, version string) bool {
	switch version {
	case "2":
		return l.Versions.H2
	case "3":
		return l.Versions.H3 && l.TLS != nil
	}
	return l.Versions.H1
}

// meet tells what becomes of a client that a listener reads no request of; nil: it does read one.
func meet(l *server.ListenerSpec, q *Request, u url) (a *Answer, note string) {
	name := "listener " + strconv.Quote(l.Name)
	switch sealed := u.scheme == "https"; {
	case q.Version == "3" && !speaks(l, "3"):
		return &Answer{}, name + " does not speak HTTP/3: nobody listens on its port of UDP, and a client that tries waits in vain"
	case sealed && l.TLS == nil && !l.Versions.H1:
		return &Answer{}, name + " speaks no TLS: the connection ends, and the client's handshake fails; write http:// or give the listener tls {}"
	case sealed && l.TLS == nil:
		return refusedHead(l, h1.Hello), name + " speaks no TLS: the client is told so without it, and its handshake fails; write http:// or give the listener tls {}"
	case !sealed && l.TLS != nil:
		return unsealed(q, u), name + " speaks TLS alone: no site is looked for, and no line is written to access logs; write https://"
	case !speaks(l, q.Version) && sealed:
		return &Answer{}, fmt.Sprintf("%s does not speak %s: a client that offers nothing else is refused in the handshake (no_application_protocol)", name, versionName(q.Version))
	case !speaks(l, q.Version) && q.Version == "2":
		return refusedHead(l, "PRI * HTTP/2.0\r\n\r\n"), name + ` does not speak HTTP/2 without TLS, as protocols = ["h1", "h2c"] would have it`
	case !speaks(l, q.Version):
		return &Answer{}, fmt.Sprintf("%s does not speak %s: the connection ends", name, versionName(q.Version))
	}
	return nil, ""
}

func versionName(version string) string { return "HTTP/" + version }

// refusedHead is the answer to something that is no request.
func refusedHead(l *server.ListenerSpec, head string) *Answer {
	x := &weir.Exchange{}
	x.Reset(&weir.Conn{Listener: l.Name, Protocol: "HTTP/1.1"})
	if f := h1.ParseHead(head, l.Limits, &x.Request); f != nil {
		x.Fail(f)
	}
	return answer(x)
}

// unsealed is the answer of a port that speaks TLS to a request without it.
func unsealed(q *Request, u url) *Answer {
	begin := cmp.Or(q.Method, "GET") + " " + u.target
	if q.Version == "2" {
		begin = "PRI *"
	}
	if !server.AnswersPlain(begin) {
		return &Answer{}
	}
	return &Answer{Status: 400, Header: []string{"Content-Type: text/plain; charset=utf-8"}}
}

// seals reports whether a listener has a certificate for whom the URL names.
func (g *generation) seals(l *server.ListenerSpec, u url) bool {
	table := g.tables[l.Name]
	if l.TLS == nil || table == nil {
		return true
	}
	host, _ := u.split()
	return table.Serves(host)
}
