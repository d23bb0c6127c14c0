package weir

import (
	"errors"
	"strconv"
)

// A Side says whose doing a fault is.
type Side uint8

// The sides.
const (
	SideWeir     Side = iota // weir itself, or what it was told to do
	SideClient               // the client, or the way to it
	SideUpstream             // the server, or the way to it
)

// String returns "weir", "client" or "upstream".
func (s Side) String() string { return [...]string{"weir", "client", "upstream"}[s] }

// Retry says whether another server may be asked after a fault.
type Retry uint8

// The answers to that question.
const (
	RetryNever      Retry = iota // it would not help, or an answer has begun
	RetryIdempotent              // the server may have acted on it: only what may be done twice
	RetryAlways                  // no byte of the request reached a server
)

// A Fault is why an exchange has no proper answer. Its text begins with the operation and ends
// with the underlying error; it is for logs, never for clients.
type Fault struct {
	Op         string // what was being done: `upstream "api": dial 10.0.0.7:80`
	Side       Side
	Cause      Cause
	Status     int // for the client; 0: the cause's own
	Retry      Retry
	RetryAfter int // seconds for Retry-After; 0: none
	Err        error
}

// Error returns Op and the error behind it.
func (f *Fault) Error() string {
	switch {
	case f.Err == nil:
		return f.Op + ": " + f.Cause.String()
	case f.Op == "":
		return f.Err.Error()
	}
	return f.Op + ": " + f.Err.Error()
}

// Unwrap returns the error behind the fault.
func (f *Fault) Unwrap() error { return f.Err }

// StatusCode returns the status to answer with.
func (f *Fault) StatusCode() int {
	if f.Status != 0 {
		return f.Status
	}
	return f.Cause.Status()
}

// AsFault returns err as a fault; an error of unknown kind becomes CauseInternal.
func AsFault(err error) *Fault {
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	return &Fault{Op: "serve", Side: SideWeir, Cause: CauseInternal, Err: err}
}

// Refuse returns the fault of a request that weir will not serve.
func Refuse(cause Cause, op string) *Fault {
	return &Fault{Op: op, Side: cause.Side(), Cause: cause}
}

func itoa(n int) string { return strconv.Itoa(n) }
