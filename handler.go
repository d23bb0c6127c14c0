package weir

import (
	"errors"
	"sort"
)

// A Handler answers an exchange: it fills in x.Response, or returns an error, which is a [*Fault]
// wherever the cause is known. It returns as soon as the head of the answer is known; the body is
// read afterwards by the protocol. A handler may block.
type Handler interface{ ServeExchange(x *Exchange) error }

// HandlerFunc is a function as a Handler.
type HandlerFunc func(x *Exchange) error

// ServeExchange calls f.
func (f HandlerFunc) ServeExchange(x *Exchange) error { return f(x) }

// A Middleware stands before a handler. It may change the request, answer itself, or change the
// answer that next left.
type Middleware func(next Handler) Handler

// A Step is a middleware with its place in the order.
type Step struct {
	Phase Phase
	Name  string // the feature, as `weir explain` prints it
	Wrap  Middleware
}

// Chain sorts steps by phase (steps of one phase keep their order) and folds them before end. It
// is called at assembly only.
func Chain(steps []Step, end Handler) Handler {
	s := append([]Step(nil), steps...)
	sort.SliceStable(s, func(i, j int) bool { return s[i].Phase < s[j].Phase })
	h := end
	for i := len(s) - 1; i >= 0; i-- {
		h = s[i].Wrap(h)
	}
	return h
}

// A Stream is all that differs between HTTP/1, 2 and 3 for one exchange.
//
// Inform sends an interim answer. Respond sends x.Response (head, body, trailers), closes its body,
// and relays where it is an upgrade; an error means that the client did not get all of it. Reset
// ends the exchange without a proper answer. Watch is [Exchange.Watch].
type Stream interface {
	Inform(status int, h *Header) error
	Respond(x *Exchange) error
	Reset(f *Fault)
	Watch(c Canceler)
}

// Serve carries one exchange through h and back out through s. The caller has filled in the
// request. An error of the handler becomes an answer here if nothing on the way has made one of it
// already; o sees every exchange once, whatever became of it.
//
// It returns false when Respond answered ErrDetached: then the stream goes on with the exchange by
// itself and calls [Finish] in the end.
func Serve(h Handler, x *Exchange, s Stream, o Observer) (over bool) {
	x.stream = s
	if err := h.ServeExchange(x); err != nil {
		x.Fail(err)
	}
	if x.Response.Status == 0 {
		x.Fail(&Fault{Op: "answer", Side: SideWeir, Cause: CauseInternal, Err: errNoAnswer})
	}
	err := s.Respond(x)
	if err == ErrDetached {
		return false
	}
	Finish(x, err, o)
	return true
}

// Finish ends an exchange: err, if there is one, is why its answer did not reach the client whole.
func Finish(x *Exchange, err error, o Observer) {
	if err != nil {
		x.abandon(err)
	}
	if x.IsGRPC() {
		x.CallStatus = x.callStatus() // while the server's trailer is there
	}
	x.end()
	o.Observe(x)
	x.stream = nil
}

// ErrDetached is Respond's word that an exchange goes on after it has returned, as an upgraded
// connection does.
var ErrDetached = errors.New("the exchange goes on by itself")

var errNoAnswer = errors.New("no handler left an answer")

// Fail records err as the exchange's fault and makes the plain answer to it: the status of its
// cause and a text that says nothing of what stands behind weir; a call of gRPC gets the status that
// gRPC has for it. An answer that the handler had begun is thrown away.
func (x *Exchange) Fail(err error) {
	f := AsFault(err)
	x.Fault = f
	r := &x.Response
	if x.IsGRPC() {
		r.failGRPC(f)
	} else {
		r.Text(f.StatusCode(), f.Cause.Public())
	}
	if f.RetryAfter > 0 {
		r.Header.Add("Retry-After", itoa(f.RetryAfter))
	}
}

// abandon notes why an answer could not be delivered whole and tears the stream down.
func (x *Exchange) abandon(err error) {
	if x.Fault == nil {
		x.Fault = AsFault(err)
	}
	if x.Response.Body != nil {
		x.Response.Body.Close()
	}
	x.stream.Reset(x.Fault)
}
