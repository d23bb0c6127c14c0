package h1

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Clients and origins that do as they please, all at once. An answer that arrives whole must be the right one,
// and in the end nothing may be left: connections, goroutines, descriptors.
func TestChaos(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		tr := w.transport(newOrigin(t, moody).addr, TransportConfig{KeepAlive: 3})
		plain, hidden := forward(tr), wrapping(tr)
		w.serve(ServerConfig{Handler: handlers{plain, hidden}})
		var all sync.WaitGroup
		var right atomic.Int64
		for i := range uint64(8) {
			all.Go(func() {
				r := rand.New(rand.NewPCG(i, 7))
				for range 60 {
					n, err := whim(t, w, r)
					if right.Add(int64(n)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if right.Load() < 100 {
			t.Errorf("only %d answers were whole", right.Load())
		}
		eventually(t, "all connections are closed", func() bool { return w.srv.Open() == 0 })
		for len(w.seen) > 0 {
			if o := <-w.seen; o.cause.String() == "weir.internal" {
				t.Errorf("%+v", o)
			}
		}
	})
}

// whim is one client's connection, with a few requests on it. It returns how many answers were whole and right,
// and what was wrong with one.
func whim(t *testing.T, w *world, r *rand.Rand) (right int, err error) {
	c := dial(t, w.addr)
	defer c.Close()
	for range 1 + r.IntN(4) {
		n := 1 << r.IntN(19)
		mood := moods[r.IntN(len(moods))]
		path := fmt.Sprintf("/%s/%d?%d", mood, n, r.IntN(2))
		body := content(n)
		wire, method := "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n", "GET"
		switch r.IntN(4) {
		case 0:
			method, wire = "POST", "POST "+path+" HTTP/1.1\r\nHost: a\r\nContent-Length: "+strconv.Itoa(n)+"\r\n\r\n"+body
		case 1:
			method, wire = "POST", "POST "+path+" HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"+chunked(body, "")
		}
		leaves := r.IntN(6)
		if leaves == 0 {
			wire = wire[:r.IntN(len(wire))]
		}
		var sent sync.WaitGroup
		sent.Go(func() { io.WriteString(c, wire) })
		if leaves == 0 {
			sent.Wait()
			if r.IntN(2) == 0 {
				c.Conn.(*net.TCPConn).SetLinger(0)
			}
			return right, nil
		}
		m, err := http.ReadResponse(c.r, nil)
		if err == nil && leaves == 1 {
			_, err = io.CopyN(io.Discard, m.Body, int64(r.IntN(n)))
		}
		if err != nil || leaves == 1 {
			c.Close()
			sent.Wait()
			return right, nil // the origin's mood, or the client's
		}
		got, err := io.ReadAll(m.Body)
		done := err != nil || m.Close
		if done {
			c.Close()
		}
		sent.Wait()
		if err == nil && m.StatusCode == 200 && string(got) != body {
			return right, fmt.Errorf("%s %s: %d bytes, another answer", method, path, len(got))
		}
		if done {
			return right, nil
		}
		right++
	}
	return right, nil
}

// The moods of an origin. All but the first two spoil the exchange.
var moods = []string{"length", "chunked", "length", "chunked", "early", "refuse", "cut", "leave", "reset", "late"}

// moody answers with the content that the path asks for, in the mood that it asks for.
func moody(c *client) {
	for r := c.request(); r != nil; r = c.request() {
		parts := strings.Split(r.URL.Path, "/")
		n, _ := strconv.Atoi(parts[2])
		body := content(n)
		length := answer200("Content-Length: " + strconv.Itoa(n))
		if parts[1] == "early" {
			if _, err := io.WriteString(c, length+body); err != nil {
				return
			}
		}
		if parts[1] == "refuse" {
			io.WriteString(c, "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
			return
		}
		if parts[1] == "leave" {
			return
		}
		io.Copy(io.Discard, r.Body)
		switch parts[1] {
		case "length":
			io.WriteString(c, length+body)
		case "late":
			io.WriteString(c, length)
			io.WriteString(c, body)
			return
		case "chunked":
			io.WriteString(c, answer200("Transfer-Encoding: chunked")+chunked(body, "A: b\r\n"))
		case "cut":
			io.WriteString(c, length+body[:n/2])
			return
		case "reset":
			io.WriteString(c, length+body[:n/2])
			c.Conn.(*net.TCPConn).SetLinger(0)
			return
		}
	}
}
