package h1

import (
	"bytes"
	"errors"
	"strings"

	"weir"
)

var (
	errRequestLine = errors.New("malformed request line")
	errTarget      = errors.New("malformed request target")
	errVersion     = errors.New("unknown protocol version")
	errMethod      = errors.New("the method is not served")
	errExpect      = errors.New("unknown expectation")
	errSealed      = errors.New("TLS on a port that speaks HTTP without it")
	errBlank       = errors.New("too many empty lines before the request")
	errLongLine    = errors.New("the request line is longer than the limit")
)

// tooLarge makes the fault of a head that exceeds a limit.
func tooLarge(buf []byte, lim *Limits) *weir.Fault {
	f := &weir.Fault{Op: "read request head", Side: weir.SideClient, Cause: weir.CauseRequestHeaderTooLarge, Err: errHeadTooLarge}
	if end := bytes.IndexByte(buf, '\n'); end < 0 || end-1 > lim.Line {
		f.Cause, f.Err = weir.CauseRequestTooLong, errLongLine
	}
	return f
}

func badRequest(c weir.Cause, err error) *weir.Fault {
	return &weir.Fault{Op: "parse request", Side: weir.SideClient, Cause: c, Err: err}
}

// A hostField gathers the request fields that are parsed into the request itself.
type hostField struct {
	value  string
	n      int
	r      *weir.Request
	expect string
}

func (h *hostField) note(id weir.FieldID, value string) error {
	switch id {
	case weir.FieldHost:
		if h.n++; h.n > 1 || value != "" && !validHost(value) {
			return errHost
		}
		h.value = value
	case weir.FieldTE:
		h.r.TETrailers = h.r.TETrailers || hasToken(value, "trailers")
	case weir.FieldExpect:
		if h.expect == "" || weir.EqualFold(h.expect, "100-continue") {
			h.expect = value
		}
	}
	return nil
}

func hasToken(list, token string) bool {
	for list != "" {
		var t string
		t, list, _ = strings.Cut(list, ",")
		if weir.EqualFold(trim(t), token) {
			return true
		}
	}
	return false
}

// parseRequest reads a whole head, from the request line to the empty line, into r and f (RFC 9112,
// sections 2 and 3). r.Scheme is left unless the target tells one. m is head's map, or nil.
func parseRequest(head string, m *headMap, lim *Limits, r *weir.Request, f *framing) *weir.Fault {
	*f = framing{}
	end := m.lineEnd(head)
	if end-1 > lim.Line {
		return badRequest(weir.CauseRequestTooLong, errLongLine)
	}
	if end < 1 || head[end-1] != '\r' {
		return badRequest(weir.CauseRequestLine, errLineEnd)
	}
	target, fault := parseLine(head[:end-1], r)
	if fault != nil {
		return fault
	}
	hosts := hostField{r: r}
	if e := parseFields(head, end+1, m, lim.Fields, &r.Header, f, &hosts); e != nil {
		return fieldFault(e)
	}
	if err := f.settle(&r.Header); err != nil || f.Chunked && r.Protocol == "HTTP/1.0" {
		if err == nil {
			err = errCoding
		}
		return badRequest(weir.CauseRequestFraming, err)
	}
	if fault := parseTarget(target, &hosts, r); fault != nil {
		return fault
	}
	return finishRequest(r, f, hosts.expect)
}

func fieldFault(e *fieldError) *weir.Fault {
	switch {
	case e.tooMany:
		return badRequest(weir.CauseRequestHeaderTooLarge, e.err)
	case e.framing:
		return badRequest(weir.CauseRequestFraming, e.err)
	case e.err == errHost:
		return badRequest(weir.CauseRequestHost, e.err)
	}
	return badRequest(weir.CauseRequestHeader, e.err)
}

// parseLine takes the request line apart: exactly one space on both sides of the target.
func parseLine(line string, r *weir.Request) (string, *weir.Fault) {
	i := 0
	for i < len(line) && class[line[i]]&classToken != 0 {
		i++
	}
	j := len(line) - len(" HTTP/1.1")
	if j < 0 || line[j] != ' ' {
		j = strings.LastIndexByte(line, ' ')
	}
	if i < 1 || j <= i+1 || line[i] != ' ' {
		return "", badRequest(weir.CauseRequestLine, errRequestLine)
	}
	target := line[i+1 : j]
	switch version := line[j+1:]; version {
	case "HTTP/1.1":
		r.Protocol = "HTTP/1.1"
	case "HTTP/1.0":
		r.Protocol = "HTTP/1.0"
	default:
		if len(version) == 8 && strings.HasPrefix(version, "HTTP/") && version[6] == '.' &&
			class[version[5]]&class[version[7]]&classDigit != 0 {
			if version[5] != '1' {
				return "", badRequest(weir.CauseRequestVersion, errVersion)
			}
			r.Protocol = "HTTP/1.1" // a later minor version is read as the last one known (RFC 9110, section 2.5)
			break
		}
		return "", badRequest(weir.CauseRequestLine, errRequestLine)
	}
	if !all(target, classTarget) {
		return "", badRequest(weir.CauseRequestLine, errTarget)
	}
	r.Method = method(line[:i])
	return target, nil
}

// method returns the constant for a usual method, so that comparing it later costs nothing.
func method(s string) string {
	switch s {
	case "GET":
		return "GET"
	case "POST":
		return "POST"
	case "HEAD":
		return "HEAD"
	}
	return s
}

// parseTarget reads the four forms of a request target (RFC 9112, section 3.2) and settles the authority.
func parseTarget(target string, h *hostField, r *weir.Request) *weir.Fault {
	host := h.value
	switch {
	case r.Method == "CONNECT" || r.Method == "TRACE":
		return badRequest(weir.CauseMethodRefused, errMethod)
	case target[0] == '/':
	case target == "*" && r.Method == "OPTIONS":
	default:
		scheme, rest, ok := strings.Cut(target, "://")
		if !ok || !weir.EqualFold(scheme, "http") && !weir.EqualFold(scheme, "https") {
			return badRequest(weir.CauseRequestLine, errTarget)
		}
		authority := rest
		if k := strings.IndexAny(rest, "/?"); k >= 0 {
			authority, target = rest[:k], rest[k:]
		} else if target = "/"; r.Method == "OPTIONS" {
			target = "*"
		}
		if authority == "" || !validHost(authority) || h.n > 0 && !weir.EqualFold(host, authority) {
			return badRequest(weir.CauseRequestHost, errHost)
		}
		host = authority
		if target[0] == '?' {
			target = "/" + target
		}
	}
	if r.Protocol == "HTTP/1.1" && h.value == "" {
		return badRequest(weir.CauseRequestHost, errHost)
	}
	r.Authority = host
	r.SetTarget(target)
	return nil
}

// maxHost is how long the name of a host may be, as in DNS (RFC 1035, section 2.3.4).
const maxHost = 255

// validHost reports whether s is uri-host [ ":" port ] (RFC 9110, section 7.2), without user information. Of what RFC 3986
// allows in a name it takes what names in use are made of: a comma in X-Forwarded-Host is two hosts for a server.
func validHost(s string) bool {
	i := 0
	for i < len(s) && class[s[i]]&classHost != 0 {
		i++
	}
	switch {
	case i > maxHost:
		return false
	case i == len(s):
		return i > 0
	case i == 0 && s[0] == '[':
		i = strings.IndexByte(s, ']') + 1
		if i < 4 || !ipv6Chars(s[1:i-1]) {
			return false
		}
		return i == len(s) || s[i] == ':' && validPort(s[i+1:])
	}
	return i > 0 && s[i] == ':' && validPort(s[i+1:])
}

func ipv6Chars(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i] | 0x20
		if class[s[i]]&classDigit == 0 && !('a' <= c && c <= 'f') && s[i] != ':' && s[i] != '.' {
			return false
		}
	}
	return true
}

func validPort(s string) bool {
	if len(s) > 5 {
		return false
	}
	n := 0
	for i := 0; i < len(s); i++ {
		digit := s[i] - '0'
		if digit > 9 {
			return false
		}
		n = n*10 + int(digit)
	}
	return n < 1<<16
}

// finishRequest settles what the connection does after this request, and what was asked of it.
func finishRequest(r *weir.Request, f *framing, expect string) *weir.Fault {
	if r.Protocol == "HTTP/1.0" {
		f.Close = f.connection.close || !f.connection.keepAlive
	} else {
		f.Close = f.connection.close
		r.Upgrade = f.Upgrade
		if expect != "" {
			if !weir.EqualFold(expect, "100-continue") {
				return badRequest(weir.CauseExpectation, errExpect)
			}
			r.Expect = f.Chunked || f.Length > 0
		}
	}
	if r.Upgrade == "" {
		return nil
	}
	if !validProtocol(r.Upgrade) {
		return badRequest(weir.CauseRequestHeader, errValue)
	}
	if f.Chunked || f.Length > 0 || isHTTP(r.Upgrade) || r.Method != "GET" && weir.EqualFold(r.Upgrade, "websocket") {
		r.Upgrade = "" // a server may ignore Upgrade; with a body in between, or no GET (RFC 6455, section 4.1), nobody means it
	}
	return nil
}

// validProtocol reports whether s is a protocol of an Upgrade field (RFC 9110, section 7.8).
func validProtocol(s string) bool {
	name, version, _ := strings.Cut(s, "/")
	return all(name, classToken) && all(version, classToken)
}

// isHTTP reports whether a protocol would carry further requests, which weir could not see on an upgraded
// connection: h2c is known as a way past a proxy's rules.
func isHTTP(protocol string) bool {
	name, _, _ := strings.Cut(protocol, "/")
	return weir.EqualFold(name, "h2c") || weir.EqualFold(name, "h2") || weir.EqualFold(name, "HTTP") || weir.EqualFold(name, "TLS")
}

// Hello stands for the handshake of a client that speaks TLS where nobody else does.
const Hello = "\x16\x03\x01"

// ParseHead reads a whole head into r as a server does: for tools that try a request without a connection.
func ParseHead(head string, l Limits, r *weir.Request) *weir.Fault {
	lim := l.orDefaults()
	if head == Hello {
		return badRequest(weir.CauseRequestLine, errSealed)
	}
	return parseRequest(head, nil, &lim, r, &framing{})
}
