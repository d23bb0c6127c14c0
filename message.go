package weir

import (
	"io"
	"strings"
)

// A Request is what the client asks for, free of everything that concerns one connection only:
// a protocol removes the hop-by-hop fields (RFC 9110, section 7.6.1), Host and Content-Length and
// keeps what they say in the fields below.
type Request struct {
	Method    string // as sent, upper case by convention
	Scheme    string // "http" or "https": how the client reached weir or, said by a trusted proxy, the front
	Authority string // host[:port] as sent, without user information; "" only where HTTP/1.0 sent none
	Path      string // begins with "/", or is "*" (OPTIONS); normalised by [Normalize]
	Query     string // after "?", without it
	RawPath   string // Path as it was sent
	Header    Header
	Body      Body   // nil: none
	Upgrade   string // protocol the client wants to switch to ("websocket"); "": none
	Protocol  string // "HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/3"

	EmptyQuery bool // Query is "", and its "?" was sent all the same
	Expect     bool // the client waits for 100 (Continue) before it sends the body
	TETrailers bool // the client takes trailers
	Touched    bool // a byte of Body was taken: the request can't be sent a second time

	hidden []func(*Field) bool // see HideTrailer
}

func (r *Request) reset() {
	h := r.Header
	h.Reset()
	clear(r.hidden)
	*r = Request{Header: h, hidden: r.hidden[:0]}
}

// HideTrailer keeps fields of Body's trailer for which hide returns true from going to the server. It is for who takes
// fields away from Header, or vouches for their values: a server that puts the trailer's fields to the header's (RFC 9110,
// section 6.5.1, allows it for some) would else believe a client's. hide is called later, from another goroutine.
func (r *Request) HideTrailer(hide func(*Field) bool) {
	if r.Body != nil {
		r.hidden = append(r.hidden, hide)
	}
}

// Trailer returns what [Body].Trailer does of Body, without what is hidden. It is for transports.
func (r *Request) Trailer() *Header {
	return trailerOf(r.Body, r.hidden)
}

// trailerOf returns b's trailer without what one of hidden takes away, or nil.
func trailerOf(b Body, hidden []func(*Field) bool) *Header {
	t := b.Trailer()
	if t == nil {
		return nil
	}
	for _, hide := range hidden {
		t.DelFunc(hide)
	}
	if t.Len() == 0 {
		return nil
	}
	return t
}

// HasQuery reports whether a "?" stands behind the path.
func (r *Request) HasQuery() bool { return r.Query != "" || r.EmptyQuery }

// Target returns path and query as they are.
func (r *Request) Target() string {
	if !r.HasQuery() {
		return r.Path
	}
	return r.Path + "?" + r.Query
}

// SetTarget takes a path, with its query if it has one, for Path and RawPath, Query and EmptyQuery.
func (r *Request) SetTarget(target string) {
	var mark bool
	r.Path, r.Query, mark = strings.Cut(target, "?")
	r.RawPath, r.EmptyQuery = r.Path, mark && r.Query == ""
}

// Host returns Authority without port and brackets, as it was sent.
func (r *Request) Host() string { return hostOf(r.Authority) }

func hostOf(authority string) string {
	if strings.HasPrefix(authority, "[") {
		if end := strings.IndexByte(authority, ']'); end > 0 {
			return authority[1:end]
		}
		return authority
	}
	if colon := strings.LastIndexByte(authority, ':'); colon >= 0 {
		return authority[:colon]
	}
	return authority
}

// Idempotent reports whether a server may be asked twice without harm (RFC 9110, section 9.2.2).
func (r *Request) Idempotent() bool {
	switch r.Method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}

// Safe reports whether the method only reads (RFC 9110, section 9.2.1).
func (r *Request) Safe() bool {
	switch r.Method {
	case "GET", "HEAD", "OPTIONS", "TRACE":
		return true
	}
	return false
}

// A Response is an answer, free of what concerns one connection only (see [Request]). Status 0
// means that nobody has answered yet.
type Response struct {
	Status  int
	Header  Header
	Body    Body               // nil: no content
	Upgrade io.ReadWriteCloser // 101, or 2xx to CONNECT: after the head, relay between the client and this

	hidden []func(*Field) bool // see HideTrailer
}

// Reset makes r empty, keeping the memory of its header. It does not close the body.
func (r *Response) Reset() {
	h := r.Header
	h.Reset()
	clear(r.hidden)
	*r = Response{Header: h, hidden: r.hidden[:0]}
}

// HideTrailer keeps fields of Body's trailer for which hide returns true from going to the client. It is for who takes fields
// away from Header. hide may be called from another goroutine.
func (r *Response) HideTrailer(hide func(*Field) bool) {
	if r.Body != nil {
		r.hidden = append(r.hidden, hide)
	}
}

// Trailer returns what [Body].Trailer does of Body, without what is hidden; nil where there is no Body. It is for codecs.
func (r *Response) Trailer() *Header {
	switch {
	case r.Body == nil:
		return nil
	case len(r.hidden) == 0:
		return r.Body.Trailer()
	}
	return trailerOf(r.Body, r.hidden)
}

// Discard closes what the response holds (body, upgraded connection) and makes it empty, so that
// another answer can take its place.
func (r *Response) Discard() {
	if r.Body != nil {
		r.Body.Close()
	}
	if r.Upgrade != nil {
		r.Upgrade.Close()
	}
	r.Reset()
}

// Text makes r a plain text answer.
func (r *Response) Text(status int, text string) {
	r.Discard()
	r.Status = status
	r.Header.Add("Content-Type", "text/plain; charset=utf-8")
	r.Body = NewBody(text)
}
