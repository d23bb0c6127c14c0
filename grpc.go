package weir

import (
	"strconv"
	"time"
)

// grpcType is the content type of gRPC. Behind it a codec may stand ("application/grpc+proto"); gRPC-Web
// ("application/grpc-web") is something else.
const grpcType = "application/grpc"

// IsGRPC reports whether the request is a call of gRPC: a POST over HTTP/2 or later with gRPC's content type.
func (x *Exchange) IsGRPC() bool {
	r := &x.Request
	return r.Method == "POST" && (r.Protocol == "HTTP/2" || r.Protocol == "HTTP/3") && isGRPC(&r.Header)
}

func isGRPC(h *Header) bool {
	v := h.Known(FieldContentType)
	n := len(grpcType)
	return len(v) >= n && EqualFold(v[:n], grpcType) && (len(v) == n || v[n] == '+' || v[n] == ';')
}

// Codes of gRPC, as far as weir gives them itself.
const (
	grpcCanceled          = 1
	grpcUnknown           = 2
	grpcDeadlineExceeded  = 4
	grpcPermissionDenied  = 7
	grpcResourceExhausted = 8
	grpcUnimplemented     = 12
	grpcInternal          = 13
	grpcUnavailable       = 14
	grpcUnauthenticated   = 16
)

// grpcCode returns the status that a call ends with because of f. Where a deadline or a limit is the cause, gRPC has a
// code for it; else it goes by the HTTP status, as gRPC's mapping for clients does (http-grpc-status-mapping.md).
func (f *Fault) grpcCode() int {
	switch f.Cause {
	case CauseClientDeadline, CauseUpstreamHeaderTimeout, CauseUpstreamBodyTimeout:
		return grpcDeadlineExceeded
	case CauseClientGone:
		return grpcCanceled
	case CauseRequestBodyTooLarge, CauseRequestHeaderTooLarge:
		return grpcResourceExhausted
	}
	switch f.StatusCode() {
	case 400:
		return grpcInternal
	case 401:
		return grpcUnauthenticated
	case 403:
		return grpcPermissionDenied
	case 404:
		return grpcUnimplemented
	case 429, 502, 503, 504:
		return grpcUnavailable
	}
	return grpcUnknown
}

// grpcFields adds what tells a client of gRPC how its call ended.
func (f *Fault) grpcFields(h *Header) {
	status := f.StatusCode()
	h.Add("grpc-status", strconv.Itoa(f.grpcCode()))
	h.Add("grpc-message", itoa(status)+" "+StatusText(status))
}

// failGRPC makes the answer to a call that failed: a head that also is the trailer (Trailers-Only).
func (r *Response) failGRPC(f *Fault) {
	r.Discard()
	r.Status = 200
	r.Header.AddKnown(FieldContentType, grpcType)
	f.grpcFields(&r.Header)
}

// callStatus is the code of a call whose answer is out: what weir said of its own failure, or what the server said in the
// trailer, or in the head where that is the trailer, too.
func (x *Exchange) callStatus() string {
	if x.Fault != nil {
		return strconv.Itoa(x.Fault.grpcCode())
	}
	if code := x.Response.Header.Get("grpc-status"); code != "" {
		return code
	}
	if t := x.Response.Trailer(); t != nil {
		return t.Get("grpc-status")
	}
	return ""
}

// LateTrailer returns the trailer for an answer whose content has failed with err after its head has gone, so that a
// client of gRPC hears of it in its own terms: never that all was well. It is nil where the exchange is no call of gRPC, or
// nobody is there to hear it; then the stream is reset.
func (x *Exchange) LateTrailer(err error) *Header {
	f := AsFault(err)
	if f.Side == SideClient && f.Cause != CauseClientDeadline || !x.IsGRPC() || !isGRPC(&x.Response.Header) {
		return nil
	}
	h := new(Header)
	f.grpcFields(h)
	return h
}

// Deadline returns when the client of a gRPC call has had enough (grpc-timeout), in internal/clock nanoseconds; 0: it has
// not said, or said it wrongly, which is for the server to tell it.
func (x *Exchange) Deadline() int64 {
	if !x.IsGRPC() {
		return 0
	}
	d := grpcTimeout(x.Request.Header.Get("grpc-timeout"))
	if d == 0 {
		return 0
	}
	return x.Timing.Start + int64(d)
}

// grpcTimeout reads the value of grpc-timeout: up to eight digits and a unit. 0: it is none, or so long that it does not
// matter.
func grpcTimeout(v string) time.Duration {
	if len(v) < 2 || len(v) > 9 {
		return 0
	}
	unit := grpcUnits[v[len(v)-1]]
	n, err := strconv.ParseUint(v[:len(v)-1], 10, 32)
	if err != nil || unit == 0 || n > uint64(longestDeadline/unit) {
		return 0
	}
	return max(time.Duration(n)*unit, 1)
}

const longestDeadline = 365 * 24 * time.Hour

var grpcUnits = [256]time.Duration{
	'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
}
