package observe

import (
	"errors"
	"net/netip"
	"time"

	"weir"
)

// epoch is the wall-clock time of internal/clock's 0 in tests.
var epoch = time.Date(2026, 11, 21, 7, 45, 39, 123456789, time.UTC)

func testStamps() *stamps {
	return &stamps{offset: epoch.UnixNano, zone: time.FixedZone("", 3600)}
}

// exchange is a good one: GET /shoes?size=42 that took 1.5 ms, 1.25 ms of them the server.
func exchange() *weir.Exchange {
	addr := netip.MustParseAddrPort("192.0.2.7:50123")
	x := &weir.Exchange{}
	x.Reset(&weir.Conn{Listener: "http", Remote: addr, RemoteIP: "192.0.2.7", Protocol: "HTTP/1.1"})
	q := &x.Request
	q.Method, q.Scheme, q.Authority, q.Protocol = "GET", "http", "shop.example.com", "HTTP/1.1"
	q.Path, q.RawPath, q.Query = "/shoes", "/shoes", "size=42"
	q.Header.Add("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)")
	q.Header.Add("Referer", "http://shop.example.com/")
	x.Response.Status = 200
	x.BytesOut = 1024
	x.ID = "7f3a"
	x.Timing = weir.Timing{Start: 1e6, Sent: 1100e3, FirstByte: 2350e3, End: 2500e3}
	x.Route = &weir.Route{Site: "shop", Name: "/*", Upstream: "shop"}
	x.Endpoint = &weir.Endpoint{Upstream: "shop", Name: "10.0.0.11:8080"}
	x.Attempts = 1
	return x
}

// failed is an exchange whose servers refused the connection, twice.
func failed() *weir.Exchange {
	x := exchange()
	x.Timing.FirstByte = 0
	x.Attempts = 2
	x.Fail(&weir.Fault{
		Op: `upstream "shop": dial 10.0.0.11:8080`, Side: weir.SideUpstream,
		Cause: weir.CauseUpstreamConnect, Err: errors.New("connection refused"),
	})
	x.BytesOut = 16
	return x
}

// lost is a request that no route takes, with hostile text wherever a client can put it.
func lost() *weir.Exchange {
	x := exchange()
	x.Route, x.Endpoint, x.Attempts = nil, nil, 0
	x.Timing.Sent, x.Timing.FirstByte = 0, 0
	x.Request.Authority = "evil\r\n.example"
	x.Request.RawPath = "/a\"b\\c\n200 \x1b[2J\u009b31m\xff\u00e9"
	x.Request.Query = "x=\x00"
	x.Request.Header.Reset()
	x.Request.Header.Add("User-Agent", "\" 200 - \"-\"\n192.0.2.99 - - [")
	x.Note = "the nearest route is shop /shoes"
	x.ID = ""
	x.Fail(weir.Refuse(weir.CauseNoRoute, "route"))
	x.BytesOut = 14
	return x
}
