package fcgi

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"weir"
	"weir/internal/poll"
)

// A peer is a server's side of one connection.
type peer struct {
	net.Conn
	t *testing.T
}

// A server follows a script for each connection.
type server struct {
	address string
	mu      sync.Mutex
	conns   int
}

// newServer has each of the scripts serve one connection, in order; the last one serves all that follow.
func newServer(t *testing.T, scripts ...func(p *peer)) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{address: l.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			script := scripts[min(s.conns, len(scripts)-1)]
			s.conns++
			s.mu.Unlock()
			all.Go(func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(patience))
				script(&peer{c, t})
			})
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return s
}

func (s *server) accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns
}

// world is a world before the server, with one script, /a.php.
func (s *server) world(t *testing.T, c TransportConfig) *world {
	t.Helper()
	c.Root = t.TempDir()
	if err := os.WriteFile(filepath.Join(c.Root, "a.php"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return newWorld(t, s.address, c)
}

// A request is what a peer was asked.
type request struct {
	keep   bool
	params map[string]string
	body   string
}

// request reads a request whole; nil: the connection has ended.
func (p *peer) request() *request {
	r := p.head()
	for r != nil {
		typ, content := p.record()
		if typ == 0 {
			return nil
		}
		if typ != typeStdin {
			p.t.Errorf("a record of type %d where the body is", typ)
			return nil
		}
		if content == "" {
			break
		}
		r.body += content
	}
	return r
}

// head reads a request up to its body.
func (p *peer) head() *request {
	typ, content := p.record()
	if typ == 0 {
		return nil
	}
	if typ != typeBegin || len(content) != 8 || content[:2] != "\x00\x01" {
		p.t.Errorf("a request begins with type %d, %q", typ, content)
		return nil
	}
	r := &request{keep: content[2]&flagKeep != 0, params: map[string]string{}}
	for {
		typ, content := p.record()
		if typ != typeParams || content == "" {
			return r
		}
		if !readParams(content, r.params) {
			p.t.Errorf("malformed parameters: %q", content)
		}
	}
}

// record reads a record; type 0: the connection has ended.
func (p *peer) record() (recordType, string) {
	var head [recordHead]byte
	if _, err := io.ReadFull(p, head[:]); err != nil {
		return 0, ""
	}
	content := make([]byte, binary.BigEndian.Uint16(head[4:]))
	_, err := io.ReadFull(p, content)
	if _, perr := io.CopyN(io.Discard, p, int64(head[6])); err != nil || perr != nil || head[0] != 1 || head[2] != 0 || head[3] != 1 {
		return 0, ""
	}
	return recordType(head[1]), string(content)
}

// readParams reads name-value pairs (section 3.4), and that none is cut.
func readParams(s string, into map[string]string) bool {
	length := func() int {
		if s == "" {
			return -1
		}
		if s[0] < 0x80 {
			n := int(s[0])
			s = s[1:]
			return n
		}
		if len(s) < 4 {
			return -1
		}
		n := int(binary.BigEndian.Uint32([]byte(s)) &^ (1 << 31))
		s = s[4:]
		return n
	}
	for s != "" {
		name := length()
		value := length()
		if name < 0 || value < 0 || name+value > len(s) {
			return false
		}
		if _, twice := into[s[:name]]; twice {
			return false
		}
		into[s[:name]] = s[name : name+value]
		s = s[name+value:]
	}
	return true
}

// rec is a record with padding.
func rec(typ recordType, content string, padding int) string {
	head := []byte{version, byte(typ), 0, requestID, byte(len(content) >> 8), byte(len(content)), byte(padding), 0}
	return string(head) + content + strings.Repeat("\xaa", padding)
}

func out(s string) string { return rec(typeStdout, s, 0) }

// done ends a request.
var done = rec(typeEnd, "\x00\x00\x00\x00\x00\x00\x00\x00", 0)

// answering returns a script that answers every request with the same bytes.
func answering(wire string) func(p *peer) {
	return func(p *peer) {
		for r := p.request(); r != nil; r = p.request() {
			io.WriteString(p, wire)
		}
	}
}

// closing is answering once and then closing.
func closing(wire string) func(p *peer) {
	return func(p *peer) {
		p.request()
		io.WriteString(p, wire)
	}
}

// single cuts s into records of one byte.
func single(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteString(rec(typeStdout, s[i:i+1], i%256))
		b.WriteString(rec(typeStderr, "e", (i*7)%256))
	}
	return b.String()
}

func TestAnswers(t *testing.T) {
	const head = "Content-Type: text/plain\r\n"
	long := strings.Repeat("0123456789", 19_000)
	for name, tt := range map[string]struct{ wire, body string }{
		"plain":                   {out(head+"\r\nok") + done, "ok"},
		"LF":                      {out("Content-Type: a\nStatus: 200\n\nok") + done, "ok"},
		"no fields":               {out("\r\nok") + done, "ok"},
		"no fields, LF":           {out("\nok") + done, "ok"},
		"nothing":                 {out("\n") + done, ""},
		"padding":                 {rec(typeStdout, head+"\r\nok", 255) + rec(typeEnd, "\x00\x00\x00\x00\x00\x00\x00\x00", 255), "ok"},
		"streams closed":          {rec(typeStderr, "", 0) + out(head+"\r\nok") + out("") + rec(typeStderr, "", 3) + done, "ok"},
		"single bytes":            {single(head+"\r\nok"+strings.Repeat("x", 500)) + done, "ok" + strings.Repeat("x", 500)},
		"long":                    {out(head+"\r\n") + out(long[:65535]) + out(long[65535:131070]) + out(long[131070:]) + done, long},
		"length":                  {out("Content-Length: 2\r\n\r\nok") + done, "ok"},
		"length, later":           {out("Content-Length: 2\r\n\r\n") + out("o") + out("k") + done, "ok"},
		"no content":              {out("Content-Length: 0\r\n\r\n") + done, ""},
		"more than announced":     {out("Content-Length: 2\r\n\r\nok, and") + out(" more") + done, "ok"},
		"an application's status": {out(head+"\r\nok") + rec(typeEnd, "\x00\x00\x00\x07\x00\x00\x00\x00", 0), "ok"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, answering(tt.wire))
			w := s.world(t, TransportConfig{KeepAlive: 1})
			for range 3 {
				r := w.get("/a.php")
				if r.StatusCode != 200 || r.body != tt.body || r.err != nil {
					t.Fatalf("%d, %.100q, %v", r.StatusCode, r.body, r.err)
				}
				w.ended(200, weir.CauseNone)
				until(t, "the connection is kept", func() bool { return w.tr.Idle() == 1 })
			}
			if n := s.accepted(); n != 1 {
				t.Errorf("%d connections for three requests", n)
			}
		})
	}
}

// Small answers have their lengths told.
func TestSmallAnswerHasLength(t *testing.T) {
	w := newServer(t, answering(out("\r\nok")+done)).world(t, TransportConfig{})
	if r := w.get("/a.php"); r.ContentLength != 2 {
		t.Errorf("length %d", r.ContentLength)
	}
}

func TestBadAnswers(t *testing.T) {
	header, framing, cut := weir.CauseUpstreamHeader, weir.CauseUpstreamFraming, weir.CauseUpstreamBodyCut
	ended := func(status string) string { return rec(typeEnd, "\x00\x00\x00\x00"+status+"\x00\x00\x00", 0) }
	for name, tt := range map[string]struct {
		wire   string
		status int
		cause  weir.Cause
	}{
		"no head":                   {done, 502, header},
		"no end of the head":        {out("hello") + done, 502, header},
		"no colon":                  {out("hello\n\n") + done, 502, header},
		"a status line":             {out("HTTP/1.1 200 OK\r\nA: b\r\n\r\n") + done, 502, header},
		"a name with a space":       {out("A : b\n\n") + done, 502, header},
		"a folded line":             {out("A: b\r\n c\r\n\r\n") + done, 502, header},
		"a CR":                      {out("A: b\rC: d\r\n\r\n") + done, 502, header},
		"two CR":                    {out("A: b\r\r\n\r\n") + done, 502, header},
		"a NUL":                     {out("A: b\x00\r\n\r\n") + done, 502, header},
		"a short status":            {out("Status: 20\n\n") + done, 502, header},
		"a long status":             {out("Status: 2000\n\n") + done, 502, header},
		"an odd status":             {out("Status: 20x\n\n") + done, 502, header},
		"an interim status":         {out("Status: 103\n\n") + done, 502, header},
		"a status out of range":     {out("Status: 600\n\n") + done, 502, header},
		"two statuses":              {out("Status: 200\nStatus: 200\n\n") + done, 502, header},
		"two locations":             {out("Location: /a\nLocation: /b\n\n") + done, 502, header},
		"two lengths":               {out("Content-Length: 2\nContent-Length: 2\n\nok") + done, 502, framing},
		"an odd length":             {out("Content-Length: +2\n\nok") + done, 502, framing},
		"a huge length":             {out("Content-Length: 1234567890123456789\n\nok") + done, 502, framing},
		"chunks":                    {out("Transfer-Encoding: chunked\n\n2\r\nok\r\n0\r\n\r\n") + done, 502, framing},
		"a large head":              {out("A: "+strings.Repeat("x", 40000)) + out(strings.Repeat("x", 40000)+"\n\n") + done, 502, header},
		"a head without end":        {strings.Repeat(out(strings.Repeat("A: b\n", 13000)), 2), 502, header},
		"many fields":               {out(strings.Repeat("A: b\n", 101)+"\n") + done, 502, header},
		"a version":                 {"\x02" + out("\n")[1:] + done, 502, framing},
		"a foreign request":         {"\x01\x06\x00\x02\x00\x01\x00\x00\n" + done, 502, framing},
		"a managing record":         {"\x01\x0a\x00\x00\x00\x00\x00\x00" + done, 502, framing},
		"a type of the other side":  {rec(typeStdin, "", 0) + done, 502, framing},
		"an end that is too short":  {out("\nok") + rec(typeEnd, "\x00\x00\x00\x00\x00\x00\x00", 0), 200, framing},
		"more after its end":        {out("\n") + out("") + out("more") + done, 502, framing},
		"HTTP":                      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 502, framing},
		"busy":                      {ended("\x01"), 503, weir.CauseUpstreamReset},
		"overloaded":                {ended("\x02"), 503, weir.CauseUpstreamReset},
		"no responder":              {ended("\x03"), 503, weir.CauseUpstreamReset},
		"an unknown status":         {ended("\x63"), 503, weir.CauseUpstreamReset},
		"closed":                    {"", 502, weir.CauseUpstreamClosed},
		"closed within a record":    {"\x01\x06\x00", 502, weir.CauseUpstreamClosed},
		"closed within the head":    {out("A: b\n"), 502, weir.CauseUpstreamClosed},
		"shorter than announced":    {out("Content-Length: 9\n\nok") + done, 200, cut},
		"nothing of it":             {out("Content-Length: 9\n\n") + done, 502, cut},
		"closed within the content": {out("\nok"), 200, cut},
		"garbage in the content":    {out("\nok") + "garbage!", 200, framing},
	} {
		t.Run(name, func(t *testing.T) {
			w := newServer(t, closing(tt.wire)).world(t, TransportConfig{KeepAlive: 1})
			r := w.get("/a.php")
			if r.StatusCode != tt.status || tt.status == 200 && r.err == nil {
				t.Errorf("%d, %.100q, %v; want %d", r.StatusCode, r.body, r.err, tt.status)
			}
			if o := w.ended(tt.status, tt.cause); o.side != weir.SideUpstream {
				t.Errorf("%+v", o)
			}
			if n := w.tr.Idle(); n != 0 {
				t.Errorf("%d connections are kept", n)
			}
		})
	}
}

// What a request looks like on the wire.
func TestRequest(t *testing.T) {
	for _, keep := range []int{0, 1} {
		asked := make(chan *request, 10)
		s := newServer(t, func(p *peer) {
			for r := p.request(); r != nil; r = p.request() {
				asked <- r
				io.WriteString(p, out("\n")+done)
			}
		})
		w := s.world(t, TransportConfig{KeepAlive: keep, Env: map[string]string{"LONG": strings.Repeat("x", 30_000)}})
		body := strings.Repeat("b", 200_000)
		w.do("POST", "/a.php/info?q", strings.NewReader(body), "X-Big: "+strings.Repeat("y", 60_000))
		r := <-asked
		if r.keep != (keep > 0) || r.body != body {
			t.Errorf("keep %v, a body of %d bytes", r.keep, len(r.body))
		}
		for name, want := range map[string]string{
			"SCRIPT_NAME": "/a.php", "PATH_INFO": "/info", "QUERY_STRING": "q", "REQUEST_URI": "/a.php/info?q", "CONTENT_LENGTH": "200000",
			"LONG": strings.Repeat("x", 30_000), "HTTP_X_BIG": strings.Repeat("y", 60_000), "REQUEST_METHOD": "POST",
		} {
			if r.params[name] != want {
				t.Errorf("%s is %.100q", name, r.params[name])
			}
		}
	}
}

// A kept connection that the server has closed meanwhile, or closes at the next request, costs no safe request, and no
// other one is sent twice.
func TestStale(t *testing.T) {
	once := closing(out("\nok") + done)
	late := func(p *peer) {
		p.request()
		io.WriteString(p, out("\nok")+done)
		p.head()
	}
	for name, tt := range map[string]struct {
		first  func(p *peer)
		method string
		body   string
		status int
	}{
		"closed meanwhile, GET":      {once, "GET", "", 200},
		"closed meanwhile, POST":     {once, "POST", "x", 200},
		"closed at the next, GET":    {late, "GET", "", 200},
		"closed at the next, PUT":    {late, "PUT", "x", 502},
		"closed at the next, POST":   {late, "POST", "x", 502},
		"closed at the next, POST 0": {late, "POST", "", 502},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, tt.first, answering(out("\nok")+done))
			w := s.world(t, TransportConfig{KeepAlive: 1})
			w.get("/a.php")
			w.ended(200, weir.CauseNone)
			if name[:10] == "closed mea" {
				until(t, "the connection is let go", func() bool { return w.tr.Idle() == 0 })
			}
			r := w.do(tt.method, "/a.php", strings.NewReader(tt.body))
			if r.StatusCode != tt.status {
				t.Errorf("%d, %q; want %d", r.StatusCode, r.body, tt.status)
			}
			if want := map[int]int{200: 2, 502: 1}[tt.status]; s.accepted() != want {
				t.Errorf("%d connections, want %d", s.accepted(), want)
			}
		})
	}
}

// A server that sends something after the end of a request does not get another one on that connection.
func TestUnasked(t *testing.T) {
	s := newServer(t, answering(out("\nok")+done+out("Status: 200\n\nevil")+done))
	w := s.world(t, TransportConfig{KeepAlive: 1})
	for i := range 3 {
		if r := w.get("/a.php"); r.body != "ok" {
			t.Fatalf("answer %d: %q", i, r.body)
		}
		until(t, "the connection is let go", func() bool { return w.tr.Idle() == 0 })
	}
	if n := s.accepted(); n != 3 {
		t.Errorf("%d connections, want 3", n)
	}
}

// A server that never stops complaining, or never ends its head, has no more time than others.
func TestEndless(t *testing.T) {
	for name, piece := range map[string]string{"stderr": rec(typeStderr, strings.Repeat("e", 1000)+"\n", 0), "nothing": rec(typeStderr, "", 0)} {
		for _, before := range []string{"", out("\nok")} {
			s := newServer(t, func(p *peer) {
				p.request()
				io.WriteString(p, before)
				for {
					if _, err := io.WriteString(p, piece); err != nil {
						return
					}
				}
			})
			w := s.world(t, TransportConfig{FirstByte: time.Second, Stall: time.Second})
			w.get("/a.php")
			if before == "" {
				w.ended(504, weir.CauseUpstreamHeaderTimeout)
			} else {
				w.ended(200, weir.CauseUpstreamBodyTimeout)
			}
			if n := len(w.stderr.all()); n > maxErrorLines+1 || name == "stderr" && n < maxErrorLines {
				t.Errorf("%s: %d lines in the log", name, n)
			}
		}
	}
}

// An answer that comes before the body has gone is the answer, and the rest of the body stays where it is.
func TestEarlyAnswer(t *testing.T) {
	s := newServer(t, func(p *peer) {
		p.head()
		io.WriteString(p, out("Status: 413\n\nno")+done)
		io.Copy(io.Discard, p)
	})
	w := s.world(t, TransportConfig{KeepAlive: 1})
	c, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, "POST /a.php HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx")
	b := make([]byte, 12)
	if _, err := io.ReadFull(c, b); string(b) != "HTTP/1.1 413" {
		t.Fatalf("%q, %v", b, err)
	}
	w.ended(413, weir.CauseNone)
	if n := w.tr.Idle(); n != 0 {
		t.Errorf("%d connections are kept", n)
	}
}

// A server that takes nothing of a large body is given up.
func TestTakesNothing(t *testing.T) {
	hold := make(chan struct{})
	s := newServer(t, func(*peer) { <-hold })
	w := s.world(t, TransportConfig{FirstByte: 100 * time.Millisecond, Stall: 100 * time.Millisecond})
	t.Cleanup(func() { close(hold) })
	if r := w.do("POST", "/a.php", strings.NewReader(strings.Repeat("x", 32<<20))); r.StatusCode != 504 {
		t.Errorf("%d", r.StatusCode)
	}
	w.ended(504, weir.CauseUpstreamHeaderTimeout)
}

// A client that breaks off its upload is to blame for it.
func TestClientBreaksOff(t *testing.T) {
	s := newServer(t, func(p *peer) { p.request() })
	w := s.world(t, TransportConfig{})
	c, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "POST /a.php HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nx")
	until(t, "the request arrives", func() bool { return s.accepted() == 1 })
	c.Close()
	if o := w.ended(499, weir.CauseClientGone); o.side != weir.SideClient {
		t.Errorf("%+v", o)
	}
}

// A client that takes only the beginning of an answer gives the connection up.
func TestClientTakesLittle(t *testing.T) {
	ended := make(chan error, 1)
	s := newServer(t, func(p *peer) {
		p.request()
		io.WriteString(p, out("\n"))
		for {
			if _, err := io.WriteString(p, out(strings.Repeat("x", 60_000))); err != nil {
				ended <- err
				return
			}
		}
	})
	w := s.world(t, TransportConfig{KeepAlive: 1})
	r, err := http.Get(w.url + "/a.php")
	if err != nil {
		t.Fatal(err)
	}
	io.CopyN(io.Discard, r.Body, 100_000)
	r.Body.Close()
	w.ended(200, weir.CauseClientGone)
	if err := <-ended; errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the server was never stopped")
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestDialFaults(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	for address, cause := range map[string]weir.Cause{address: weir.CauseUpstreamConnect, "unix:" + t.TempDir() + "/none": weir.CauseUpstreamUnreachable} {
		w := (&server{address: address}).world(t, TransportConfig{})
		if r := w.get("/a.php"); r.StatusCode != 502 {
			t.Errorf("%s: %d", address, r.StatusCode)
		}
		w.ended(502, cause)
	}
}

// The queue of a unix socket that is full is a refusal, not a missing way.
func TestDialFullQueue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	w := (&server{address: "unix:" + path}).world(t, TransportConfig{})
	if r := w.get("/a.php"); r.StatusCode != 502 {
		t.Errorf("%d", r.StatusCode)
	}
	w.ended(502, weir.CauseUpstreamConnect)
}

// A server that goes away, says too much, or never ends the request, after the end of an answer: nobody notices, and the
// connection is not used again.
func TestLingering(t *testing.T) {
	answer := out("Content-Length: 2\n\nok")
	gone := make(chan struct{}, 10)
	for name, script := range map[string]func(p *peer){
		"closes":     closing(answer),
		"ends oddly": closing(answer + "garbage!"),
		"goes on": func(p *peer) {
			p.request()
			for _, err := io.WriteString(p, answer); err == nil; _, err = io.WriteString(p, out(strings.Repeat("x", 1000))) {
			}
		},
		"is silent": func(p *peer) {
			p.request()
			io.WriteString(p, answer+"\x01")
			io.Copy(io.Discard, p)
		},
	} {
		w := newServer(t, func(p *peer) { script(p); gone <- struct{}{} }).world(t, TransportConfig{KeepAlive: 1, Stall: 100 * time.Millisecond})
		for range 2 {
			if r := w.get("/a.php"); r.body != "ok" || r.err != nil {
				t.Fatalf("%s: %q, %v", name, r.body, r.err)
			}
			w.ended(200, weir.CauseNone)
			<-gone
		}
		if n := w.tr.Idle(); n != 0 {
			t.Errorf("%s: %d connections are kept", name, n)
		}
	}
}

func TestHead(t *testing.T) {
	w := newServer(t, answering(out("Content-Length: 7\n\nnothing")+done)).world(t, TransportConfig{KeepAlive: 1})
	for range 2 {
		if r := w.do("HEAD", "/a.php", nil); r.ContentLength != 7 || r.body != "" {
			t.Errorf("%d, %q", r.ContentLength, r.body)
		}
		until(t, "the connection is kept", func() bool { return w.tr.Idle() == 1 })
	}
}

// A connection may be made by somebody else, who may know why it could not.
func TestDial(t *testing.T) {
	s := newServer(t, answering(out("\nok")+done))
	fails := errors.New("no way")
	var fault atomic.Pointer[weir.Fault]
	c := TransportConfig{Dial: func(x *weir.Exchange, address string, deadline int64) (poll.Conn, error) {
		if f := fault.Load(); f != nil {
			return nil, f
		}
		far, err := net.Dial("tcp", address)
		if err != nil {
			return nil, err
		}
		return poll.FromNetConn(far), nil
	}, KeepAlive: 1}
	w := s.world(t, c)
	for range 3 {
		if r := w.get("/a.php"); r.body != "ok" {
			t.Fatalf("%d, %q", r.StatusCode, r.body)
		}
		w.ended(200, weir.CauseNone)
	}
	if s.accepted() != 1 {
		t.Errorf("%d connections", s.accepted())
	}
	w.tr.Close()
	fault.Store(&weir.Fault{Cause: weir.CauseUpstreamDNS, Err: fails})
	w.get("/a.php")
	w.ended(502, weir.CauseUpstreamDNS)
}

// A route may give a server more time, or less.
func TestRoutePatience(t *testing.T) {
	w := newServer(t, func(p *peer) {
		p.request()
		io.Copy(io.Discard, p)
	}).world(t, TransportConfig{})
	w.route.Store(&weir.Route{Connect: time.Second, FirstByte: 50 * time.Millisecond, Stall: time.Second})
	if r := w.get("/a.php"); r.StatusCode != 504 {
		t.Errorf("%d", r.StatusCode)
	}
	w.ended(504, weir.CauseUpstreamHeaderTimeout)
}
