package errors

import (
	"io"
	"strconv"

	"weir"
	"weir/internal/syntax"
)

type handler struct {
	next     weir.Handler
	pages    *pages
	upstream bool
}

// ServeExchange implements weir.Handler.
func (h *handler) ServeExchange(x *weir.Exchange) error {
	if err := h.next.ServeExchange(x); err != nil {
		x.Fail(err)
	}
	p := h.pages.of(x.Response.Status)
	if p == nil || x.Response.Upgrade != nil || !h.concerns(x) {
		return nil
	}
	drain(x.Response.Body)
	describe(&x.Response.Header)
	p.put(x)
	return nil
}

// put makes the page x's answer, or problem details for a client that would rather have JSON.
func (p *page) put(x *weir.Exchange) {
	kind, text := p.kind, ""
	if !syntax.IsJSON(p.media) {
		x.Response.Header.AddKnown(weir.FieldVary, "Accept")
		if prefersJSON(&x.Request.Header, p.media) {
			kind, text = "application/problem+json", problem(x)
		}
	}
	if text == "" {
		text = p.render(x)
	}
	x.Response.Header.AddKnown(weir.FieldContentType, kind)
	x.Response.Body = weir.NewBody(text)
}

// concerns reports whether x's answer is one to be replaced: weir's own about a failure, a fixed one that has
// no body, or a server's.
func (h *handler) concerns(x *weir.Exchange) bool {
	switch {
	case x.Fault != nil && x.Fault.Cause != weir.CauseFixed:
		return true
	case x.Endpoint != nil:
		return h.upstream
	}
	return x.Response.Body == nil
}

// maxDrain is up to what size a server's page is read to its end, so that its connection can be used again.
const maxDrain = 16 << 10

func drain(b weir.Body) {
	if b == nil {
		return
	}
	if n := b.Len(); n >= 0 && n <= maxDrain {
		_, _ = io.Copy(io.Discard, b) // Close tells what becomes of the connection
	}
	b.Close()
}

// describe removes the fields that describe the content that is being replaced (RFC 9110, section 8).
func describe(h *weir.Header) {
	h.DelFunc(func(f *weir.Field) bool {
		switch f.ID {
		case weir.FieldContentType, weir.FieldContentEncoding, weir.FieldETag, weir.FieldLastModified, weir.FieldTrailer:
			return true
		case weir.FieldOther:
			for _, name := range described {
				if weir.EqualFold(f.Name, name) {
					return true
				}
			}
		}
		return false
	})
}

var described = [...]string{
	"Accept-Ranges", "Content-Digest", "Content-Disposition", "Content-Language", "Content-Location", "Content-MD5",
	"Content-Range", "Digest", "Repr-Digest",
}

// problem returns what RFC 9457 calls problem details.
func problem(x *weir.Exchange) string {
	s := x.Response.Status
	out := append(x.Scratch[:0], `{"type":"about:blank","title":"`...)
	out = syntax.AppendJSON(out, weir.StatusText(s))
	out = strconv.AppendInt(append(out, `","status":`...), int64(s), 10)
	if x.ID != "" {
		out = syntax.AppendJSON(append(out, `,"request_id":"`...), x.ID)
		out = append(out, '"')
	}
	out = append(out, "}\n"...)
	x.Scratch = out
	return string(out)
}
