package dialect

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// A request is a head of HTTP/1 in the words of HTTP/2.
type request struct {
	fields []Field
	method string
	length int64 // of the content; -1: chunks, until the last one
	tunnel bool  // what follows is bytes of another protocol
}

func (r *request) empty() bool { return r.length == 0 && !r.tunnel }

// run reads requests and has them answered, until there are no more.
func (c *Conn) run(text *io.PipeReader) {
	in := bufio.NewReader(text)
	before := make(chan struct{}) // closed when the request before has been answered
	close(before)
	for {
		r, err := readRequest(in)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, errGone) {
				c.end(fmt.Errorf("the dialect cannot say this: %w", err))
			}
			text.CloseWithError(err)
			return
		}
		s, err := c.t.open()
		if err != nil {
			c.end(reset(err))
			text.CloseWithError(err)
			return
		}
		c.note(func() { c.pending++ }) // before the other side knows of it: it may go away then, and answer this one
		err = s.head(r.fields, r.empty())
		after := make(chan struct{})
		go c.answer(s, r, before, after)
		before = after
		if err == nil && !r.empty() {
			c.upload(s, r, in)
		}
	}
}

// upload sends the content of a request. Where the other side wants no more of it, the rest is dropped.
func (c *Conn) upload(s stream, r *request, in *bufio.Reader) {
	var err error
	out := &outlet{s: s}
	switch {
	case r.tunnel:
		_, err = io.Copy(out, in)
	case r.length < 0:
		err = c.uploadChunks(out, in)
		out.ended = true
	default:
		_, err = io.CopyN(out, in, r.length)
	}
	if err != nil {
		s.cancel()
	} else if !out.ended {
		out.send(nil, true)
	}
}

// An outlet sends content, and none once that has failed.
type outlet struct {
	s      stream
	failed bool
	ended  bool
}

func (o *outlet) Write(p []byte) (int, error) {
	o.send(p, false)
	return len(p), nil
}

func (o *outlet) send(p []byte, end bool) {
	if !o.failed {
		o.failed = o.s.data(p, end) != nil
	}
}

func (c *Conn) uploadChunks(out *outlet, in *bufio.Reader) error {
	for {
		line, err := readLine(in)
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(line, 16, 40)
		if err != nil {
			return c.unsaid(fmt.Errorf("chunk size %q", line))
		}
		if n == 0 {
			return uploadTrailer(out, in)
		}
		if _, err := io.CopyN(out, in, n); err != nil {
			return err
		}
		if line, err := readLine(in); err != nil || line != "" {
			return c.unsaid(fmt.Errorf("a chunk is followed by %q: %w", line, err))
		}
	}
}

// unsaid ends the connection because of text that is no HTTP/1.
func (c *Conn) unsaid(err error) error {
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		c.end(fmt.Errorf("the dialect cannot say this: %w", err))
	}
	return err
}

func uploadTrailer(out *outlet, in *bufio.Reader) error {
	fields, err := readFields(in)
	if err != nil {
		return err
	}
	if len(fields) == 0 {
		out.send(nil, true)
		return nil
	}
	for i := range fields {
		fields[i].Name = strings.ToLower(fields[i].Name)
	}
	if !out.failed {
		out.s.trailer(fields)
	}
	return nil
}

func readLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err == io.EOF && line != "" {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return "", err
	}
	text, ok := strings.CutSuffix(line, "\r\n")
	if !ok {
		return "", fmt.Errorf("line %q ends in a bare LF", line)
	}
	return text, nil
}

// readFields reads field lines up to the empty one.
func readFields(in *bufio.Reader) (out []Field, err error) {
	for {
		line, err := readLine(in)
		if err != nil || line == "" {
			return out, err
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return nil, fmt.Errorf("%q is no field line", line)
		}
		out = append(out, Field{name, strings.Trim(value, " \t")})
	}
}

func readRequest(in *bufio.Reader) (*request, error) {
	line, err := readLine(in)
	if err != nil {
		return nil, err
	}
	words := strings.Split(line, " ")
	if len(words) != 3 || words[2] != "HTTP/1.1" {
		return nil, fmt.Errorf("%q is no request line of HTTP/1.1", line)
	}
	fields, err := readFields(in)
	if err != nil {
		return nil, err
	}
	r := &request{method: words[0]}
	if err := r.frame(fields); err != nil {
		return nil, err
	}
	if r.tunnel {
		words[0] = "CONNECT"
	}
	r.fields = slices.Concat(pseudo(words[0], words[1], fields, r.tunnel), kept(fields))
	return r, nil
}

// frame finds out what content follows.
func (r *request) frame(fields []Field) (err error) {
	length, sized := get(fields, "Content-Length")
	coding, coded := get(fields, "Transfer-Encoding")
	upgrade, _ := get(fields, "Upgrade")
	switch {
	case strings.EqualFold(upgrade, "websocket"):
		r.tunnel = true
	case upgrade != "":
		err = fmt.Errorf("an upgrade to %q", upgrade)
	case coded && (sized || !strings.EqualFold(coding, "chunked")):
		err = fmt.Errorf("transfer coding %q", coding)
	case coded:
		r.length = -1
	case sized:
		r.length, err = strconv.ParseInt(length, 10, 63)
	}
	return err
}

// pseudo are the pseudo header fields of a request.
func pseudo(method, target string, fields []Field, websocket bool) []Field {
	scheme := "https"
	authority, named := get(fields, "Host")
	if s, rest, ok := strings.Cut(target, "://"); ok {
		scheme = s
		at := strings.IndexAny(rest+"/", "/?")
		authority, target, named = rest[:at], rest[at:], true
	}
	out := []Field{{":method", method}}
	if websocket {
		out = append(out, Field{":protocol", "websocket"})
	}
	if method == "CONNECT" && !websocket {
		return append(out, Field{":authority", target})
	}
	out = append(out, Field{":scheme", scheme})
	if named {
		out = append(out, Field{":authority", authority})
	}
	return append(out, Field{":path", target})
}

// kept are the fields of a head that do not concern the HTTP/1 connection.
func kept(fields []Field) (out []Field) {
	var private []string
	for _, f := range fields {
		if strings.EqualFold(f.Name, "Connection") {
			for name := range strings.SplitSeq(strings.ToLower(f.Value), ",") {
				private = append(private, strings.TrimSpace(name))
			}
		}
	}
	for _, f := range fields {
		name := strings.ToLower(f.Name)
		trailers := name == "te" && strings.EqualFold(f.Value, "trailers")
		if name == "host" || hop(name) || name == "te" && !trailers || !trailers && slices.Contains(private, name) {
			continue
		}
		out = append(out, Field{name, f.Value})
	}
	return out
}

// hop reports whether a field concerns a connection of HTTP/1 alone.
func hop(name string) bool {
	switch name {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		return true
	}
	return false
}

func get(fields []Field, name string) (string, bool) {
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value, true
		}
	}
	return "", false
}
