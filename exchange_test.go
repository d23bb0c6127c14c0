package weir

import (
	"crypto/tls"
	"net/netip"
	"reflect"
	"testing"
)

type nobody struct{}

func (nobody) Cancel() {}

// A field that Reset forgets would leak from one client's request into another's.
func TestResetForgetsEverything(t *testing.T) {
	x := anExchange()
	x.Note, x.Request.Touched, x.Request.Body = "n", true, NewBody("b")
	x.Request.Expect, x.Request.TETrailers, x.Request.Upgrade = true, true, "websocket"
	x.Response.Body, x.Scratch = NewBody("c"), make([]byte, 10)
	x.AtEnd(ending{})
	x.stream = &tape{}
	conn := &Conn{Remote: netip.MustParseAddrPort("198.51.100.1:2"), RemoteIP: "198.51.100.1"}
	x.Reset(conn)

	want := &Exchange{Conn: conn, Client: conn.Remote.Addr(), ClientIP: "198.51.100.1"}
	if x.Request.Header.Len() != 0 || x.Response.Header.Len() != 0 || len(x.Params) != 0 || len(x.enders) != 0 {
		t.Error("fields, parameters or enders are left")
	}
	x.Request.Header, x.Response.Header, x.Params, x.enders = Header{}, Header{}, nil, nil
	x.Scratch = nil // memory, not content
	if !reflect.DeepEqual(x, want) {
		t.Errorf("left over:\n%+v\nwant:\n%+v", x, want)
	}
}

func TestResetDoesNotAllocate(t *testing.T) {
	x := anExchange()
	conn := x.Conn
	if n := testing.AllocsPerRun(100, func() { x.Reset(conn); x.Request.Header.Add("A", "b") }); n != 0 {
		t.Errorf("Reset allocates %v times", n)
	}
}

func TestCloneCanBeKept(t *testing.T) {
	x := anExchange()
	x.Request.Body = NewBody("b")
	c := x.Clone()
	x.Reset(&Conn{})
	x.Request.Header.Add("Other", "request")
	x.Params = append(x.Params, Param{"id", "other"})
	if c.Request.Body != nil || c.stream != nil || c.Response.Status != 0 {
		t.Error("the clone has a body, a stream or a response")
	}
	if got := c.Request.Header.Get("x-api-key"); got != "k1" || c.Param("id") != "77" || c.Request.Path != "/users/77/~b" {
		t.Errorf("the clone has changed: %q %q %q", got, c.Param("id"), c.Request.Path)
	}
	if c.ClientIP != "192.0.2.7" || c.ID != "id-1" || c.Route.Site != "shop" || c.Conn.Listener != "https" {
		t.Errorf("the clone lacks facts: %+v", c)
	}
}

func TestParam(t *testing.T) {
	x := anExchange()
	if x.Param("id") != "77" || x.Param("*") != "a/b" || x.Param("none") != "" {
		t.Errorf("%q %q %q", x.Param("id"), x.Param("*"), x.Param("none"))
	}
}

func TestInformAndWatchReachTheStream(t *testing.T) {
	x, s := &Exchange{}, &tape{}
	if err := x.Inform(103, &Header{}); err != nil {
		t.Errorf("without a stream: %v", err)
	}
	x.Watch(nobody{})
	x.stream = s
	x.Watch(nobody{})
	if err := x.Inform(103, &Header{}); err != nil || len(s.events) != 1 || s.events[0] != "inform 103" || s.watched != (nobody{}) {
		t.Errorf("%v, %q, %v", err, s.events, s.watched)
	}
}

func TestConnScheme(t *testing.T) {
	if s := (&Conn{}).Scheme(); s != "http" {
		t.Errorf("without TLS: %s", s)
	}
	if s := (&Conn{TLS: &tls.ConnectionState{}}).Scheme(); s != "https" {
		t.Errorf("with TLS: %s", s)
	}
}

func TestEffectiveWeight(t *testing.T) {
	for _, c := range []struct {
		weight     int
		ramp, want int64
	}{{2, 0, 2000}, {2, 1000, 2000}, {2, 500, 1000}, {1, 1, 1}, {0, 0, 1}, {1, 5000, 1000}} {
		e := &Endpoint{Weight: c.weight}
		e.Ramp.Store(c.ramp)
		if got := e.EffectiveWeight(); got != c.want {
			t.Errorf("weight %d at %d/1000 is %d, want %d", c.weight, c.ramp, got, c.want)
		}
	}
}
