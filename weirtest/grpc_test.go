package weirtest

import (
	"context"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestGRPCUnary(t *testing.T) {
	t.Parallel()
	eachGRPC(t, func(w *grpcWorld) {
		for _, n := range []int{0, 1, 16 << 10, 5 << 20} {
			message := string(Pattern(n))
			c := w.one("/t.T/Unary", message)
			c.hears(message)
			c.ends(0)
		}
	})
}

func TestGRPCStreams(t *testing.T) {
	t.Parallel()
	eachGRPC(t, func(w *grpcWorld) {
		down := w.one("/t.T/Server", "3000")
		for i := range 3000 {
			down.hears(strconv.Itoa(i))
		}
		down.ends(0)

		up := w.call("/t.T/Client")
		for range 3000 {
			up.say("0123456789")
		}
		up.send.Close()
		up.hears("3000 30000")
		up.ends(0)

		both := w.call("/t.T/Bidi")
		for i := range 300 {
			message := strings.Repeat("x", i*i)
			both.say(message)
			both.hears(message)
		}
		both.send.Close()
		both.ends(0)

		none := w.call("/t.T/Bidi")
		none.send.Close()
		none.ends(0)
	})
}

// A server that has nothing but a status to say says it in the head, and so it arrives.
func TestGRPCTrailersOnly(t *testing.T) {
	t.Parallel()
	eachGRPC(t, func(w *grpcWorld) {
		c := w.one("/t.T/Unknown", "x")
		c.ends(5)
		if h := c.head().Header; h.Get("Grpc-Message") != "5 no such method" || len(c.head().Trailer) > 0 {
			t.Errorf("%v %v", h, c.head().Trailer)
		}
	})
}

// Metadata nearly as large as a head may be passes both ways, and in a trailer as large as that may be.
func TestGRPCMetadata(t *testing.T) {
	t.Parallel()
	eachGRPC(t, func(w *grpcWorld) {
		value := strings.Repeat("bWV0YWRhdGE", 5000)
		c := w.one("/t.T/Metadata", "x", "X-There-Bin", value)
		c.hears("x")
		trailer := c.ends(0)
		if c.head().Header.Get("X-Back-Bin") != value || trailer.Get("X-Last-Bin") != value[:6<<10] {
			t.Errorf("%d, %d bytes came back", len(c.head().Header.Get("X-Back-Bin")), len(trailer.Get("X-Last-Bin")))
		}
	})
}

// A client that does not read holds its server up and nobody else, on the same connections.
func TestGRPCSlowClient(t *testing.T) {
	t.Parallel()
	eachGRPC(t, func(w *grpcWorld) {
		flood := w.one("/t.T/Flood", "")
		flood.head()
		for range 200 {
			c := w.one("/t.T/Unary", "quick")
			c.hears("quick")
			c.ends(0)
		}
		if sent := w.origin.sent.Load(); sent > 16<<20 {
			t.Errorf("the server has sent %d bytes that nobody reads", sent)
		}
		n, err := io.Copy(io.Discard, flood.head().Body)
		if err != nil || n != floodPieces*64<<10 {
			t.Errorf("%d bytes, %v", n, err)
		}
		flood.ends(0)
	})
}

// So it is with a server that does not read.
func TestGRPCSlowServer(t *testing.T) {
	t.Parallel()
	eachGRPC(t, func(w *grpcWorld) {
		drain := w.call("/t.T/Drain")
		taken, over := make(chan int, 1<<16), make(chan error, 1)
		go func() {
			defer close(over)
			piece := Pattern(64 << 10)
			for range floodPieces {
				n, err := drain.send.Write(piece)
				if taken <- n; err != nil {
					over <- err
					return
				}
			}
			drain.send.Close()
		}()
		drain.head()
		for range 200 {
			c := w.one("/t.T/Unary", "quick")
			c.hears("quick")
			c.ends(0)
		}
		if n := len(taken); n > 256 {
			t.Errorf("%d bytes have been taken that nobody reads", n<<16)
		}
		close(w.origin.read)
		drain.hears(strconv.Itoa(floodPieces << 16))
		drain.ends(0)
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
}

// Streams survive reloads, also of what they run on; new calls go by the new configuration.
func TestGRPCReload(t *testing.T) {
	t.Parallel()
	eachGRPC(t, func(w *grpcWorld) {
		var streams []*grpcCall
		for i, more := range []string{
			"", "keepalive_idle = \"30s\"", "timeouts { first_byte = \"30s\" }", "server \"127.0.0.1:1\" { backup = true }", "health {\n    grpc = true\n    grpc_service = \"t.T\"\n  }",
		} {
			if i > 0 {
				w.reload(w.config(more))
			}
			streams = append(streams, w.call("/t.T/Bidi"))
			for _, c := range streams {
				c.say(more)
				c.hears(more)
			}
		}
		w.reload(strings.Replace(w.config(""), `route "/t.T/*"`, `route "/else/*"`, 1))
		w.one("/t.T/Unary", "x").ends(12)
		for _, c := range streams {
			c.say("still")
			c.hears("still")
			c.send.Close()
			c.ends(0)
		}
	})
}

// What weir answers itself a client of gRPC understands: never by a page, and with the fields that others get.
func TestGRPCStatuses(t *testing.T) {
	t.Parallel()
	eachGRPC(t, func(w *grpcWorld) {
		for path, code := range map[string]int{"/nowhere/X": 12, "/refused/X": 7} {
			c := w.one(path, "x")
			h := c.ends(code)
			if h.Get("Grpc-Message") == "" || h.Get("X-Request-Id") == "" {
				t.Errorf("%s: %v", path, h)
			}
		}
		if c := w.one("/nowhere/X", "x", "Content-Type", "application/grpc-web"); c.head().StatusCode != 404 {
			t.Errorf("gRPC-Web: %v", c.head())
		}
		if c := w.one("/fixed/X", "x"); c.head().StatusCode != 503 {
			t.Errorf("a fixed answer: %v", c.head())
		}
		w.origin.http.Close()
		h := w.one("/t.T/Unary", "x").ends(14)
		if h.Get("Grpc-Message") != "502 Bad Gateway" || h.Get("X-Request-Id") == "" {
			t.Errorf("%v", h)
		}
	})
}

// A server that dies in the middle of calls ends them as unavailable, whether it has begun to answer or not.
func TestGRPCServerDies(t *testing.T) {
	t.Parallel()
	eachGRPC(t, func(w *grpcWorld) {
		begun, waiting := w.call("/t.T/Hang", "X-Begin", "1"), w.call("/t.T/Hang")
		both := w.call("/t.T/Bidi")
		both.say("a")
		both.hears("a")
		begun.hears("begun")
		for range 2 {
			soonOr(t, w.origin.hanging, "no call has begun")
		}
		w.origin.http.Close()
		for _, c := range []*grpcCall{begun, waiting, both} {
			if h := c.ends(14); h.Get("Grpc-Message") != "502 Bad Gateway" {
				t.Errorf("%v", h)
			}
		}
	})
}

// A client that cancels a call takes it from the server as well, and so does one whose time is over.
func TestGRPCEnds(t *testing.T) {
	t.Parallel()
	eachGRPC(t, func(w *grpcWorld) {
		for _, begin := range []string{"", "1"} {
			c := w.call("/t.T/Hang", "X-Begin", begin)
			soonOr(t, w.origin.hanging, "no call has begun")
			c.cancel()
			c.send.CloseWithError(context.Canceled) // where the head has come, net/http says nothing as long as it reads what to send
			soonOr(t, w.origin.left, "the server has not heard of it")
		}
		for _, begin := range []string{"", "1"} {
			c := w.call("/t.T/Hang", "X-Begin", begin, "Grpc-Timeout", "2S") // in which it has to begin
			soonOr(t, w.origin.hanging, "no call has begun")
			if begin != "" {
				c.hears("begun")
			}
			c.ends(4)
			soonOr(t, w.origin.left, "the server has not heard of it")
			c.send.Close()
		}
	})
}

// A server that says that it does not serve gets no calls.
func TestGRPCHealth(t *testing.T) {
	t.Parallel()
	eachGRPC(t, func(w *grpcWorld) {
		w.reload(w.config("health {\n    grpc = true\n    grpc_service = \"t.T\"\n    interval = \"50ms\"\n    rise = 1\n    fall = 1\n  }"))
		becomes := func(code int) {
			t.Helper()
			for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
				c := w.one("/t.T/Unary", "x")
				_, err := io.Copy(io.Discard, c.head().Body)
				fields := c.head().Trailer
				if fields.Get("Grpc-Status") == "" {
					fields = c.head().Header
				}
				if err == nil && fields.Get("Grpc-Status") == strconv.Itoa(code) {
					return
				}
				if time.Now().After(end) {
					t.Fatalf("%v %v", fields, err)
				}
			}
		}
		becomes(0)
		w.origin.health.Store(2)
		becomes(14)
		w.origin.health.Store(1)
		becomes(0)
		if !strings.Contains(w.weir.Output(), "its status is NOT_SERVING") {
			t.Error("the log does not say why: " + w.weir.Output())
		}
	})
}
