// Package weir is the vocabulary of the proxy: the exchange, the messages it is made of, the
// handlers that answer it, and the order they stand in. It depends on nobody but the standard
// library, so that every other package may speak of the same things in the same words.
//
// A request arrives at a protocol (proto/), which turns bytes into an [Exchange] and calls [Serve].
// Serve runs a [Handler], the chain of one route, and hands the answer the handler left in the
// exchange back to the protocol's [Stream]. Nothing but the protocol writes to the client.
package weir

import (
	"net/netip"
	"unsafe"

	"weir/internal/clock"
)

// An Exchange is one request and its response on their way through weir.
//
// An exchange belongs to the goroutine that serves it. The protocol uses the struct again for
// another request once [Serve] has returned, so nobody may keep a pointer to it or to its headers
// (strings taken from it stay valid for ever; [Exchange.Clone] makes a copy to keep).
type Exchange struct {
	Request  Request
	Response Response // filled in by a handler, written by the protocol
	Conn     *Conn    // who asks: addresses, TLS, protocol; facts, no I/O
	Route    *Route   // what routing chose; nil before, and where nothing matched
	Timing   Timing

	Client   netip.Addr // the client itself: Conn's peer, or what a trusted proxy said of it
	ClientIP string     // Client as text
	ID       string     // the request id; empty where none was asked for
	Params   []Param    // named segments of the route's path, in order

	Endpoint *Endpoint // the server that answered, or was tried last; nil: weir answered itself
	Attempts int       // servers tried
	Fault    *Fault    // why there is no proper answer; nil: there is one
	Note     string    // one short remark for the log, e.g. the nearest route of a request that matched none

	// Call says that this is a call of gRPC to a server that speaks HTTP/2: both sides may be silent between two messages, as
	// in an upgraded connection, and no floor holds for their bodies. A transport sets it before it touches the request's.
	Call bool

	// CallStatus is the code with which a call of gRPC has ended, such as "0" where all was well; empty before its end, and
	// where the exchange is none or the server told none.
	CallStatus string

	BytesIn, BytesOut int64 // body bytes received from and sent to the client

	// Scratch is memory for putting bytes together; what stands in it is not kept from one call to the next.
	Scratch []byte
	// Spare is memory that a transport leaves for the next exchange in this struct. It holds nothing of this one.
	Spare any

	stream Stream
	enders []Ender
	free   []byte // see Copy
}

// copySize is a size of which the allocator takes eight at a time, and of 4 KiB only two.
const copySize = 3 << 10

// Copy returns p as a string that lasts, as the strings of a head do. Several, of this exchange and of later ones, share
// a piece of memory, so that there are fewer of those to make and to collect; one that is kept keeps copySize bytes at most.
func (x *Exchange) Copy(p []byte) string {
	n := len(p)
	if n > copySize/3 || n == 0 {
		return string(p)
	}
	if len(x.free) < n {
		x.free = make([]byte, copySize)
	}
	own := x.free[:n:n]
	x.free = x.free[n:]
	copy(own, p)
	return unsafe.String(unsafe.SliceData(own), n)
}

// A Param is the value that a named segment of a route's path took.
type Param struct{ Name, Value string }

// Param returns the value of the named segment, or "".
func (x *Exchange) Param(name string) string {
	for i := range x.Params {
		if x.Params[i].Name == name {
			return x.Params[i].Value
		}
	}
	return ""
}

// Timing holds monotonic times in nanoseconds of internal/clock; 0: did not happen.
type Timing struct {
	Start     int64 // the first byte of the head was at hand
	Sent      int64 // the last attempt's request head left for the server
	FirstByte int64 // the server's response head was complete
	End       int64 // the last byte of the response was handed to the client's connection
}

// Reset makes x fit for the next request on conn, keeping the memory of its headers.
func (x *Exchange) Reset(conn *Conn) {
	x.Request.reset()
	x.Response.Reset()
	x.Conn, x.Route = conn, nil
	x.Timing = Timing{}
	x.Client, x.ClientIP = conn.Remote.Addr(), conn.RemoteIP
	x.ID, x.Note = "", ""
	x.Params = x.Params[:0]
	x.Endpoint, x.Fault, x.Attempts = nil, nil, 0
	x.Call, x.CallStatus, x.BytesIn, x.BytesOut = false, "", 0, 0
	x.stream = nil
	x.enders = x.enders[:0]
}

// Clone returns a copy of x's request and facts that may be kept: headers and parameters are
// copied, the bodies, the response and the stream are not. It is for work that outlives the
// exchange, such as a mirrored request.
func (x *Exchange) Clone() *Exchange {
	c := &Exchange{
		Request: x.Request, Conn: x.Conn, Route: x.Route, Timing: x.Timing,
		Client: x.Client, ClientIP: x.ClientIP, ID: x.ID,
	}
	c.Request.Header = x.Request.Header.Clone()
	c.Request.Body, c.Request.hidden = nil, nil
	c.Params = append([]Param(nil), x.Params...)
	return c
}

// Inform sends an interim (1xx) response to the client at once. It is for handlers that have one
// to pass on, such as a transport that was told 103. Status 101 is not interim: see Response.Upgrade.
func (x *Exchange) Inform(status int, h *Header) error {
	if x.stream == nil {
		return nil
	}
	return x.stream.Inform(status, h)
}

// Watch arranges for c.Cancel to be called, from any goroutine, as soon as the client goes away;
// Watch(nil) ends that. At most one canceler is watched at a time. A transport watches while it
// waits for a server, so that work nobody waits for stops.
func (x *Exchange) Watch(c Canceler) {
	if x.stream != nil {
		x.stream.Watch(c)
	}
}

// AtEnd has e told when the exchange is over: the answer delivered or given up. The last one to ask is
// told first.
func (x *Exchange) AtEnd(e Ender) { x.enders = append(x.enders, e) }

func (x *Exchange) end() {
	x.Timing.End = clock.Now()
	for i := len(x.enders) - 1; i >= 0; i-- {
		x.enders[i].EndExchange(x)
		x.enders[i] = nil
	}
	x.enders = x.enders[:0]
}

// A Canceler breaks off a wait. Cancel may be called more than once and from any goroutine.
type Canceler interface{ Cancel() }
