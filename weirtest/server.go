package weirtest

import (
	"context"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"io"
	"log"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A Server is an origin that answers by itself. Every answer carries its name in the field X-Server. What is
// asked for decides the answer:
//
//	/bytes/N      N bytes of the pattern
//	/status/N     that status
//	/echo...      the request as it arrived: request line, fields in alphabetical order, an empty line, content
//	/slow/MS      after MS milliseconds
//	/abort        never: the connection is closed without an answer
//	/sum          the length and the CRC-32 (IEEE) of the request's content
//	/upgrade      101, and then every byte comes back
//	/health       200 and "well", or 503 while it is sick
//	anything      its name and a line feed
type Server struct {
	*socket
	name string
	tls  *tls.Config // nil: connections are not encrypted
	http *http.Server
	sick atomic.Bool
	seen atomic.Int64
}

// NewServer starts a server on a free port, or on a unix socket of that path.
func NewServer(name, path string) (*Server, error) { return newServer(name, path, nil) }

func newServer(name, path string, sealed *tls.Config) (*Server, error) {
	s, err := open(path)
	if err != nil {
		return nil, err
	}
	out := &Server{socket: s, name: name, tls: sealed}
	out.serve()
	return out, nil
}

func (s *Server) serve() {
	s.http = &http.Server{Handler: http.HandlerFunc(s.answer), ReadHeaderTimeout: time.Minute}
	s.http.SetKeepAlivesEnabled(true)
	l := s.l
	if s.tls != nil {
		s.http.ErrorLog = log.New(io.Discard, "", 0) // handshakes are made to fail
		l = tls.NewListener(l, s.tls)
	}
	go s.http.Serve(l)
}

// Close ends the server.
func (s *Server) Close() {
	s.kill()
	s.free()
}

// Kill closes the server's socket and connections at once; Revive opens the same port again.
func (s *Server) Kill() { s.kill() }

// Revive undoes Kill.
func (s *Server) Revive() error { return s.revive() }

func (s *Server) kill() {
	s.shut() // http.Server closes its socket only once it serves
	s.http.Close()
}

func (s *Server) revive() error {
	if err := s.reopen(); err != nil {
		return err
	}
	s.serve()
	return nil
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Server", s.name)
	h["Date"] = nil
	what, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if what == "health" {
		if s.sick.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "well\n")
		return
	}
	s.seen.Add(1)
	n, _ := strconv.Atoi(rest)
	switch what {
	case "bytes":
		h.Set("Content-Type", "text/plain")
		h.Set("Content-Length", rest)
		w.Write(Pattern(n))
	case "status":
		w.WriteHeader(max(n, 200))
		fmt.Fprintf(w, "%s says %d\n", s.name, n)
	case "echo":
		echo(w, r)
	case "sum":
		sum(w, r)
	case "upgrade":
		upgrade(w, r)
	case "abort":
		panic(http.ErrAbortHandler) // the connection ends without an answer
	case "slow":
		pause(r.Context(), time.Duration(n)*time.Millisecond)
		fmt.Fprintln(w, s.name)
	default:
		io.Copy(io.Discard, r.Body)
		fmt.Fprintln(w, s.name)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// echo writes the request as it arrived.
func echo(w io.Writer, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	lines := []string{"Host: " + r.Host}
	for name, values := range r.Header {
		for _, v := range values {
			lines = append(lines, canonical(name)+": "+v)
		}
	}
	for _, c := range r.TransferEncoding {
		lines = append(lines, "Transfer-Encoding: "+c)
	}
	sort.Strings(lines)
	fmt.Fprintf(w, "%s %s %s\n%s\n\n%s\n", r.Method, r.RequestURI, r.Proto, strings.Join(lines, "\n"), body)
}

// sum writes what came: a content that was cut or changed on the way gives itself away.
func sum(w http.ResponseWriter, r *http.Request) {
	crc := crc32.NewIEEE()
	n, err := io.Copy(crc, r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(w, "%d %08x\n", n, crc.Sum32())
}

func upgrade(w http.ResponseWriter, r *http.Request) {
	c, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n", r.Header.Get("Upgrade"))
	if key := r.Header.Get("Sec-WebSocket-Key"); key != "" { // RFC 6455, section 4.2.2
		sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		fmt.Fprintf(c, "Sec-WebSocket-Accept: %s\r\n", base64.StdEncoding.EncodeToString(sum[:]))
	}
	io.WriteString(c, "\r\n")
	io.Copy(c, rw)
}
